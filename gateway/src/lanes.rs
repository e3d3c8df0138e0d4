//! A thread for each processor, each with a runtime of its own: a connection stays on its thread, and so do those to services that it
//! uses. On a runtime of many threads a small request wakes other threads and is stolen by them, which costs as much as
//! serving it.

use std::cell::Cell;
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use std::{io, thread};

use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::core::Core;
use crate::serve::connection;

thread_local! {
    /// 0 is every other thread.
    static LANE: Cell<usize> = const { Cell::new(0) };
}

/// The number of the lane that this thread is; 0 where it is none.
pub(crate) fn here() -> usize {
    LANE.get()
}

/// So many there can be, 0 among them.
pub(crate) fn most() -> usize {
    thread::available_parallelism().map_or(1, std::num::NonZero::get) + 1
}

type Taken = (TcpStream, SocketAddr);

struct Lane {
    queue: mpsc::UnboundedSender<Taken>,
    /// Connections that it has.
    open: Arc<AtomicUsize>,
}

/// All of them.
pub(crate) struct Lanes {
    all: Vec<Lane>,
    /// Closed when the last one has ended.
    ended: mpsc::Receiver<()>,
    /// Ends at once what is still there.
    cut: CancellationToken,
}

impl Lanes {
    pub(crate) fn start(core: &Arc<Core>, shutdown: &CancellationToken) -> io::Result<Self> {
        let (running, ended) = mpsc::channel(1);
        let cut = CancellationToken::new();
        let start = |number| {
            let (queue, taken) = mpsc::unbounded_channel();
            let open = Arc::<AtomicUsize>::default();
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            let serving = serve(taken, Arc::clone(&open), Arc::clone(core), shutdown.clone(), cut.clone());
            let running = running.clone();
            // Log lines go where this thread's go.
            let log = tracing::dispatcher::get_default(Clone::clone);
            thread::Builder::new().name(format!("gateway-{number}")).spawn(move || {
                LANE.set(number);
                tracing::dispatcher::with_default(&log, || runtime.block_on(serving));
                // What was begun beside requests does not hold the process up.
                runtime.shutdown_timeout(Duration::ZERO);
                drop(running);
            })?;
            Ok(Lane { queue, open })
        };
        let all = (1..most()).map(start).collect::<io::Result<_>>()?;
        Ok(Self { all, ended, cut })
    }

    /// Gives a connection to the lane that has the fewest.
    pub(crate) fn take(&self, stream: tokio::net::TcpStream, peer: SocketAddr) -> io::Result<()> {
        // From one runtime to another.
        let stream = stream.into_std()?;
        let least = self.all.iter().min_by_key(|lane| lane.open.load(Ordering::Relaxed));
        if let Some(lane) = least {
            lane.open.fetch_add(1, Ordering::Relaxed);
            // A lane ends after this queue does.
            let _ = lane.queue.send((stream, peer));
        }
        Ok(())
    }

    /// Takes nothing more, and waits until everything has ended. Whether it has within this time.
    pub(crate) async fn end(mut self, within: Duration) -> bool {
        self.all.clear();
        let in_time = tokio::time::timeout(within, self.ended.recv()).await.is_ok();
        self.cut.cancel();
        self.ended.recv().await;
        in_time
    }
}

impl Drop for Lanes {
    /// Nobody waits any more.
    fn drop(&mut self) {
        self.cut.cancel();
    }
}

async fn serve(
    mut taken: mpsc::UnboundedReceiver<Taken>,
    open: Arc<AtomicUsize>,
    core: Arc<Core>,
    shutdown: CancellationToken,
    cut: CancellationToken,
) {
    let mut connections = JoinSet::new();
    let all = async {
        loop {
            tokio::select! {
                next = taken.recv() => {
                    let Some((stream, peer)) = next else { break };
                    match tokio::net::TcpStream::from_std(stream) {
                        Ok(stream) => drop(connections.spawn(connection(stream, peer, Arc::clone(&core), shutdown.clone()))),
                        Err(error) => {
                            open.fetch_sub(1, Ordering::Relaxed);
                            tracing::warn!(%error, "a connection could not be taken");
                        }
                    }
                }
                Some(_) = connections.join_next() => drop(open.fetch_sub(1, Ordering::Relaxed)),
            }
        }
        while connections.join_next().await.is_some() {}
        core.tunnels.wait().await;
    };
    if cut.run_until_cancelled(all).await.is_none() {
        core.closing.cancel();
        connections.shutdown().await;
    }
}
