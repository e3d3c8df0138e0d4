//! Reads what is new in the master database, once for all listeners of this process.
//!
//! When to look is said by NOTIFY, by Redis and by whoever in this process wrote something. All of them can be silent (a
//! pooler takes a LISTEN and lets nothing through), so a clock says it as well.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::{Happening, Hub, Redis};
use crate::master::{Master, MasterError};

/// Between two looks that nobody asked for.
const BEAT: Duration = Duration::from_secs(2);
/// Before the session that listens is opened anew.
const LISTEN_AGAIN: Duration = Duration::from_secs(2);
/// So many events are read at a time.
const PAGE: i64 = 500;

/// What keeps a hub up to date.
#[derive(Debug)]
pub struct Feed<'a> {
    master: &'a Master,
    hub: &'a Arc<Hub>,
    redis: Option<&'a Redis>,
}

impl<'a> Feed<'a> {
    /// Nothing is read before it is [`run`](Self::run).
    pub fn new(master: &'a Master, hub: &'a Arc<Hub>, redis: Option<&'a Redis>) -> Self {
        Self { master, hub, redis }
    }

    /// Reads until `shutdown`.
    pub async fn run(&self, shutdown: &CancellationToken) {
        let carried = async {
            match self.redis {
                Some(redis) => Box::pin(redis.carry(self.master, self.hub)).await,
                None => std::future::pending().await,
            }
        };
        let all = async { tokio::join!(Box::pin(self.listen()), Box::pin(self.read()), carried) };
        shutdown.run_until_cancelled(all).await;
    }

    /// Keeps a session that hears NOTIFY.
    async fn listen(&self) {
        loop {
            let hub = Arc::clone(self.hub);
            match self.master.listen(move || hub.stir()).await {
                Ok(session) => {
                    // What was written before it listened.
                    self.hub.stir();
                    let reason = session.closed().await;
                    tracing::debug!(%reason, "the session that listens for events has ended");
                }
                // That it is away is said by whoever watches over it.
                Err(error) => tracing::debug!(%error, "nothing listens for events"),
            }
            tokio::time::sleep(LISTEN_AGAIN).await;
        }
    }

    async fn read(&self) {
        let mut may_be_new = true;
        loop {
            if may_be_new && let Err(error) = self.catch_up().await {
                tracing::debug!(%error, "events could not be read");
            }
            may_be_new = match tokio::time::timeout(BEAT, self.hub.stirred()).await {
                Ok(()) => true,
                Err(_) => self.has_moved().await,
            };
        }
    }

    async fn catch_up(&self) -> Result<(), MasterError> {
        let mut latest = if let Some(latest) = self.hub.latest() {
            latest
        } else {
            let latest = self.master.event_bounds().await?.latest;
            self.hub.begin(latest);
            latest
        };
        loop {
            let page = self.master.events_after(latest, PAGE).await?;
            let is_last = (page.len() as i64) < PAGE;
            latest = page.last().map_or(latest, |event| event.id);
            self.hub.take_in(page.into_iter().map(|kept| Arc::new(Happening::from(kept))).collect()).await;
            if is_last {
                return Ok(());
            }
        }
    }

    /// Whether there is something that nobody has told of. A master database that was put back to an earlier day counts
    /// from there.
    async fn has_moved(&self) -> bool {
        let (Ok(bounds), Some(latest)) = (self.master.event_bounds().await, self.hub.latest()) else { return true };
        if bounds.latest < latest {
            tracing::warn!(
                latest,
                now = bounds.latest,
                "the master database has fewer events than before; going on from there"
            );
            self.hub.begin(bounds.latest);
        }
        bounds.latest > latest
    }
}
