//! What happens to a service's migrations, as it happens, over lost connections.

use std::collections::VecDeque;
use std::pin::Pin;
use std::time::Duration;

use futures_util::{Stream, StreamExt as _};
use serde_json::Value;
use tokio::time::Instant;

use crate::client::Client;
use crate::error::ClientError;
use crate::sse::{Message, Reader};

/// The migration service says something every fifteen seconds; one that is silent for so long is gone.
const SILENCE: Duration = Duration::from_secs(45);
/// The pause before a lost stream is opened again; it doubles up to the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// Something that happened.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// Its number; whoever comes back with it goes on after it.
    pub id: i64,
    /// What: `migration_finished`, `migration_failed`, `run_ended`, …; `gap` where some of what happened is not kept any more.
    pub kind: String,
    /// All of it.
    pub event: Value,
}

/// The changes from some place on, each once and in order. Cancelling [`next`](Self::next) loses nothing.
pub struct Changes {
    client: Client,
    after: Option<i64>,
    stream: Option<Open>,
    waiting: VecDeque<Change>,
    pause: Duration,
    again_at: Instant,
    trouble: Option<ClientError>,
}

struct Open {
    bytes: Pin<Box<dyn Stream<Item = Result<Vec<u8>, ClientError>> + Send>>,
    reader: Reader,
    heard: Instant,
}

impl std::fmt::Debug for Changes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let is_open = self.stream.is_some();
        f.debug_struct("Changes").field("after", &self.after).field("is_open", &is_open).finish_non_exhaustive()
    }
}

impl Changes {
    pub(crate) fn new(client: Client, after: Option<i64>) -> Self {
        Self {
            client,
            after,
            stream: None,
            waiting: VecDeque::new(),
            pause: FIRST_PAUSE,
            again_at: Instant::now(),
            trouble: None,
        }
    }

    /// The number of the last event that was looked at: where to go on after a restart.
    pub fn after(&self) -> Option<i64> {
        self.after
    }

    /// Why nothing is heard; `None` while it listens.
    pub fn trouble(&self) -> Option<&ClientError> {
        self.trouble.as_ref()
    }

    /// What comes next, waiting for it; while the migration service is away, until it is back.
    pub async fn next(&mut self) -> Change {
        loop {
            if let Some(change) = self.waiting.pop_front() {
                self.after = Some(change.id);
                return change;
            }
            if let Err(error) = self.step().await {
                tracing::debug!(%error, "the migration service's events are not heard");
                self.trouble = Some(error);
                self.stream = None;
                self.again_at = Instant::now() + self.pause;
                self.pause = (self.pause * 2).min(LONGEST_PAUSE);
            }
        }
    }

    /// Opens the stream, or reads a piece of it.
    async fn step(&mut self) -> Result<(), ClientError> {
        let Some(open) = &mut self.stream else {
            tokio::time::sleep_until(self.again_at).await;
            let answer = self.client.open_events(self.after).await?;
            let bytes = answer.bytes_stream().map(|piece| match piece {
                Ok(piece) => Ok(piece.to_vec()),
                Err(error) => Err(crate::client::away(&error)),
            });
            self.stream = Some(Open { bytes: Box::pin(bytes), reader: Reader::default(), heard: Instant::now() });
            self.trouble = None;
            return Ok(());
        };
        let away = |why: &str| ClientError::Away(why.to_owned());
        let piece = tokio::time::timeout_at(open.heard + SILENCE, open.bytes.next()).await;
        let piece = piece.map_err(|_| away("it fell silent"))?.ok_or_else(|| away("it ended the stream"))??;
        open.heard = Instant::now();
        let messages = open.reader.feed(&piece).map_err(away)?;
        self.pause = FIRST_PAUSE;
        for message in messages {
            self.take(message);
        }
        Ok(())
    }

    fn take(&mut self, message: Message) {
        let Some(id) = message.id.as_deref().and_then(|id| id.parse::<i64>().ok()) else { return };
        match message.event {
            Some(kind) if kind != "resume" => {
                let event = serde_json::from_str(&message.data).unwrap_or_default();
                if self.concerns_us(&event) {
                    self.waiting.push_back(Change { id, kind, event });
                } else if self.waiting.is_empty() {
                    self.after = Some(id);
                }
            }
            // A place alone: nothing of what was before it was wanted.
            _ if self.waiting.is_empty() => self.after = Some(id),
            _ => {}
        }
    }

    /// Whether it is of the environment, or of one of its databases: `<environment>/<database>`.
    fn concerns_us(&self, event: &Value) -> bool {
        let (Some(own), Some(of)) = (self.client.settings().environment.as_deref(), event["environment"].as_str())
        else {
            return true;
        };
        of.strip_prefix(own).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }
}
