//! Everything that goes on beside a service: it is known as alive, and its readiness follows its schemas.

use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::changes::Changes;
use crate::client::Client;
use crate::readiness::{Memory, Readiness, Standing};

/// The pause after the first question without an answer; it doubles up to the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// Between two questions in any case.
const CALM: Duration = Duration::from_millis(250);

/// A watch that goes on until it is stopped or dropped.
#[derive(Debug)]
pub struct Watch {
    readiness: watch::Receiver<Readiness>,
    task: JoinHandle<()>,
    stop: DropGuard,
}

impl Watch {
    pub(crate) fn begin(client: Client) -> Self {
        let (told, readiness) = watch::channel(Readiness::not_asked());
        let stop = CancellationToken::new();
        let task = tokio::spawn(keep(client, told, stop.clone()));
        Self { readiness, task, stop: stop.drop_guard() }
    }

    /// What holds now; asks nobody.
    pub fn readiness(&self) -> Readiness {
        self.readiness.borrow().clone()
    }

    /// Waits until it is another than it was when this was asked last.
    pub async fn changed(&mut self) -> Readiness {
        // The task tells for as long as the watch is there; should it have broken down, what it said last stays.
        if self.readiness.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
        self.readiness.borrow_and_update().clone()
    }

    /// Waits until the service is ready, but no longer than `deadline`; returns what holds then.
    pub async fn ready_within(&mut self, deadline: Duration) -> Readiness {
        let _ = tokio::time::timeout(deadline, self.readiness.wait_for(|readiness| readiness.ready)).await;
        self.readiness()
    }

    /// Ends it and signs the process off.
    pub async fn stop(self) {
        let Self { task, stop, .. } = self;
        stop.disarm().cancel();
        // How it ended is nobody's concern any more.
        let _ = task.await;
    }
}

async fn keep(client: Client, told: watch::Sender<Readiness>, stop: CancellationToken) {
    stop.run_until_cancelled(follow(&client, &told)).await;
    if let Err(error) = client.sign_off().await {
        tracing::debug!(%error, "the process could not be signed off; its time to live ends it");
    }
}

/// Never ends.
async fn follow(client: &Client, told: &watch::Sender<Readiness>) {
    let settings = client.settings();
    let mut memory = Memory::new(settings.when_unknown);
    let mut changes = client.changes(None);
    let mut beat_at = Instant::now();
    let mut pause = FIRST_PAUSE;
    let mut refusal = None;
    // What happens before the events are heard is seen by asking a second time.
    let mut is_first = true;
    loop {
        if Instant::now() >= beat_at {
            beat_at = Instant::now() + settings.heartbeat;
            let registered = client.register().await.err();
            if let Some(error) = registered.as_ref().filter(|_| registered != refusal) {
                tracing::warn!(%error, "the migration service does not know that this process lives");
            }
            refusal = registered;
        }
        let is_waiting = told.borrow().standing == Standing::Wait;
        let left = beat_at.saturating_duration_since(Instant::now());
        let answer = client.compatibility(if is_waiting { left } else { Duration::ZERO }).await;
        let is_known = answer.is_ok();
        let now = memory.take(answer, Instant::now());
        told.send_if_modified(|before| std::mem::replace(before, now.clone()) != now);
        pause = if is_known { FIRST_PAUSE } else { (pause * 2).min(LONGEST_PAUSE) };
        let next = match (is_known, now.standing) {
            (true, Standing::Wait) => Instant::now() + CALM,
            (true, _) if !is_first => beat_at.max(Instant::now() + CALM),
            _ => Instant::now() + pause,
        };
        is_first = !is_known;
        tokio::select! {
            () = tokio::time::sleep_until(next) => {}
            _ = changes.next() => settle(&mut changes).await,
        }
    }
}

/// Takes along what comes right after: many changes are one reason to ask.
async fn settle(changes: &mut Changes) {
    let until = Instant::now() + CALM;
    while tokio::time::timeout_at(until, changes.next()).await.is_ok() {}
}
