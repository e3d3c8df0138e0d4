//! A line to a server that counts what is asked, and holds answers back.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// Where it listens; dropped, everything on it is cut.
pub struct Gate {
    pub addr: SocketAddr,
    /// Messages that ask for an answer (Sync and Query), of all connections.
    asked: Arc<watch::Sender<usize>>,
    /// Answers are let through once so many were asked for.
    opens_at: Arc<watch::Sender<usize>>,
    listening: JoinSet<()>,
}

impl Gate {
    pub async fn to(server: SocketAddr) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
        let addr = listener.local_addr().expect("it listens");
        let (asked, opens_at) = (Arc::new(watch::Sender::new(0)), Arc::new(watch::Sender::new(0)));
        let (counting, waiting) = (Arc::clone(&asked), Arc::clone(&opens_at));
        let mut listening = JoinSet::new();
        listening.spawn(async move {
            // Dropped with this task, and so are all connections.
            let mut lines = JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                let server = TcpStream::connect(server).await.expect("the server");
                client.set_nodelay(true).expect("a socket");
                server.set_nodelay(true).expect("a socket");
                let ((from_client, to_client), (from_server, to_server)) = (client.into_split(), server.into_split());
                lines.spawn(ask(from_client, to_server, Arc::clone(&counting)));
                lines.spawn(answer(from_server, to_client, counting.subscribe(), waiting.subscribe()));
            }
        });
        Self { addr, asked, opens_at, listening }
    }

    pub fn asked(&self) -> usize {
        *self.asked.borrow()
    }

    /// From here on nothing is answered until `more` further questions have come.
    pub fn hold_until(&self, more: usize) {
        self.opens_at.send_replace(self.asked() + more);
    }

    /// Waits until `more` further questions than `before` have come.
    pub async fn has_been_asked(&self, number: usize) {
        self.asked.subscribe().wait_for(|asked| *asked >= number).await.expect("it counts");
    }

    /// Breaks every connection.
    pub async fn cut(&mut self) {
        self.listening.shutdown().await;
    }
}

/// Reads message by message: the first has no kind, the others one before their length.
async fn ask(mut client: OwnedReadHalf, mut server: OwnedWriteHalf, asked: Arc<watch::Sender<usize>>) {
    let mut first = true;
    loop {
        let mut head = vec![0; if first { 4 } else { 5 }];
        if client.read_exact(&mut head).await.is_err() {
            return;
        }
        let length = u32::from_be_bytes(head[head.len() - 4..].try_into().expect("four bytes")) as usize;
        let kind = head[0];
        let at = head.len();
        head.resize(at + length - 4, 0);
        if client.read_exact(&mut head[at..]).await.is_err() || server.write_all(&head).await.is_err() {
            return;
        }
        if !first && matches!(kind, b'S' | b'Q') {
            asked.send_modify(|asked| *asked += 1);
        }
        first = false;
    }
}

async fn answer(
    mut server: OwnedReadHalf,
    mut client: OwnedWriteHalf,
    mut asked: watch::Receiver<usize>,
    opens_at: watch::Receiver<usize>,
) {
    let mut bytes = vec![0; 1 << 14];
    while let Ok(length @ 1..) = server.read(&mut bytes).await {
        let open = asked.wait_for(|asked| *asked >= *opens_at.borrow()).await.is_ok();
        if !open || client.write_all(&bytes[..length]).await.is_err() {
            return;
        }
    }
}
