//! The two tasks beside the requests.

use std::sync::Arc;
use std::time::Duration;

use time::OffsetDateTime;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::fetch::Fetch;
use crate::keyring::Inner;
use crate::settings::Settings;

/// The pause after the first question without an answer; it doubles up to the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// How often keys were asked for.
#[derive(Debug, Clone, Default)]
pub(crate) struct Rounds {
    /// So often, with or without an answer.
    pub(crate) done: u64,
    /// There are keys.
    pub(crate) known: bool,
    /// Before this they are not asked for again because of an unknown one.
    not_before: Option<Instant>,
}

impl Rounds {
    pub(crate) fn may_ask(&self) -> bool {
        self.not_before.is_none_or(|then| Instant::now() >= then)
    }
}

/// So many questions at the start may go without an answer before that is told: who starts beside the auth service is a moment early.
const EARLY: u32 = 3;

/// Tells once when something goes wrong, and once when it is well again.
struct Trouble {
    of: &'static str,
    early: u32,
    last: Option<String>,
}

impl Trouble {
    fn about(of: &'static str) -> Self {
        Self { of, early: EARLY, last: None }
    }

    fn note(&mut self, now: Option<String>) {
        if now.is_some() && self.early > 0 {
            self.early -= 1;
            return;
        }
        self.early = 0;
        match &now {
            Some(error) if self.last != now => {
                tracing::warn!(error, "{} cannot be fetched from the auth service", self.of);
            }
            None if self.last.is_some() => tracing::info!("{} can be fetched again", self.of),
            _ => {}
        }
        self.last = now;
    }
}

/// Fetches keys until `stop`; one question at a time, whoever wants them.
pub(crate) async fn keys(inner: Arc<Inner>, mut fetch: Fetch, settings: Settings, stop: CancellationToken) {
    let mut trouble = Trouble::about("the keys");
    let mut pause = FIRST_PAUSE;
    loop {
        let Some(answer) = stop.run_until_cancelled(fetch.keys()).await else { return };
        let failed = answer.map(|keys| inner.take_keys(keys)).err();
        let is_known = failed.is_none() || inner.rounds.borrow().known;
        inner.rounds.send_modify(|rounds| {
            rounds.done += 1;
            rounds.known = is_known;
            rounds.not_before = Some(Instant::now() + settings.unknown_every);
        });
        let next = if failed.is_some() { pause } else { settings.keys_every };
        pause = if failed.is_some() { (pause * 2).min(LONGEST_PAUSE) } else { FIRST_PAUSE };
        trouble.note(failed);
        let wait = async {
            tokio::select! {
                () = tokio::time::sleep(next) => {}
                () = asked(&inner) => {}
            }
        };
        if stop.run_until_cancelled(wait).await.is_none() {
            return;
        }
    }
}

/// Waits until somebody meets an unknown key and asking is allowed.
async fn asked(inner: &Inner) {
    loop {
        inner.unknown.notified().await;
        // Of many who met it at once the first one's question has answered all.
        if inner.rounds.borrow().may_ask() {
            return;
        }
    }
}

/// Fetches ended sessions until `stop`.
pub(crate) async fn sessions(inner: Arc<Inner>, mut fetch: Fetch, settings: Settings, stop: CancellationToken) {
    let mut trouble = Trouble::about("the ended sessions");
    loop {
        let begun = Instant::now();
        let Some(answer) = stop.run_until_cancelled(fetch.ended()).await else { return };
        let (more, failed) = match answer {
            Ok(more) => (more.unwrap_or_default(), None),
            Err(error) => (Vec::new(), Some(error)),
        };
        inner.take_ended(more, OffsetDateTime::now_utc());
        // At the start the service may be a moment behind us.
        let pause = if failed.is_some() {
            settings.sessions_every.min(Duration::from_secs(1))
        } else {
            settings.sessions_every
        };
        trouble.note(failed);
        if stop.run_until_cancelled(tokio::time::sleep_until(begun + pause)).await.is_none() {
            return;
        }
    }
}
