//! The same events as a Redis stream, for other services, and a word to other copies that there is something to read.
//!
//! An entry's id is the event's number (`<number>-0`), so every copy may write every event: Redis takes the first of them
//! and refuses the rest, nothing is there twice, and a service resumes by the number that `Last-Event-ID` has. What was
//! told while Redis was away is written when it is back, from the table.

use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use kernel::Secret;
use redis::aio::MultiplexedConnection;
use redis::streams::{StreamRangeReply, StreamReadReply};
use redis::{AsyncConnectionConfig, Client, RedisError, RedisResult, Value};
use tokio::sync::watch;

use super::{Happening, Hub};
use crate::master::{Master, MasterError};

/// What the key of a stream begins with; what comes after it is the installation, since several may share a Redis.
const STREAMS: &str = "profe:events:";
/// The stream is cut to about so many entries.
const LONGEST: usize = 10_000;
/// A stream that is not there, or no longer, begins so many events back: all that it would have.
const BACK: i64 = LONGEST as i64;
/// Redis answers within this, or is away.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long a question for what is new waits at Redis.
const BLOCK_MS: usize = 5_000;
/// So many events are written at a time.
const PAGE: i64 = 500;
/// Between two tries.
const AGAIN: Duration = Duration::from_secs(1);

/// Whether Redis is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RedisState {
    /// Not tried yet.
    Connecting,
    /// It answers.
    Connected,
    /// It does not, or is of no use; why.
    Away(String),
}

impl RedisState {
    /// It answers.
    pub fn is_connected(&self) -> bool {
        *self == Self::Connected
    }
}

/// The Redis that carries the events.
#[derive(Debug)]
pub struct Redis {
    client: Client,
    state: watch::Sender<RedisState>,
    stream: OnceLock<String>,
}

/// Why a session with Redis ended.
enum Trouble {
    Redis(RedisError),
    Master(MasterError),
    Ahead { stream: String, there: i64, here: i64 },
}

impl From<RedisError> for Trouble {
    fn from(error: RedisError) -> Self {
        Self::Redis(error)
    }
}

impl From<MasterError> for Trouble {
    fn from(error: MasterError) -> Self {
        Self::Master(error)
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Redis(error) => error.fmt(f),
            Self::Master(error) => error.fmt(f),
            Self::Ahead { stream, there, here } => write!(
                f,
                "its stream {stream} has event {there} while the master database is at {here}, so it belongs to another \
                 copy of it; name another database of Redis in MIGRATION_SERVICE_REDIS_URL, or delete the stream"
            ),
        }
    }
}

impl Redis {
    /// Takes note of where it is: `redis://` or `rediss://`.
    ///
    /// # Errors
    /// A URL that cannot be read.
    pub fn at(url: &Secret) -> Result<Self, RedisError> {
        let client = Client::open(url.reveal())?;
        Ok(Self { client, state: watch::Sender::new(RedisState::Connecting), stream: OnceLock::new() })
    }

    /// The key of the stream; `None` before the master database has said which installation this is.
    pub fn stream(&self) -> Option<&str> {
        self.stream.get().map(String::as_str)
    }

    async fn known_stream(&self, master: &Master) -> Result<&str, MasterError> {
        if let Some(stream) = self.stream.get() {
            return Ok(stream);
        }
        let installation = master.installation().await?;
        Ok(self.stream.get_or_init(|| format!("{STREAMS}{installation}")))
    }

    /// Whether it is there.
    pub fn state(&self) -> RedisState {
        self.state.borrow().clone()
    }

    /// Follows whether it is there.
    pub fn follow(&self) -> watch::Receiver<RedisState> {
        self.state.subscribe()
    }

    /// Carries events for as long as it is polled; while Redis is away it tries again.
    pub(super) async fn carry(&self, master: &Master, hub: &Arc<Hub>) {
        loop {
            let Err(trouble) = self.session(master, hub).await;
            match trouble {
                Trouble::Master(error) => tracing::debug!(%error, "events could not be read for Redis"),
                trouble => self.is_away(&trouble.to_string()),
            }
            // What came meanwhile may not have been heard of.
            hub.stir();
            tokio::time::sleep(AGAIN).await;
        }
    }

    /// Said once, until it is back.
    fn is_away(&self, reason: &str) {
        let state = RedisState::Away(reason.to_owned());
        let was_away = matches!(*self.state.borrow(), RedisState::Away(_));
        if self.state.send_replace(state.clone()) != state && !was_away {
            tracing::warn!(reason, "Redis is away; events reach the other copies through the master database");
        }
    }

    async fn session(&self, master: &Master, hub: &Arc<Hub>) -> Result<std::convert::Infallible, Trouble> {
        let stream = self.known_stream(master).await?;
        let mut writer = self.connect(PATIENCE).await?;
        let reader = self.connect(PATIENCE + Duration::from_millis(BLOCK_MS as u64)).await?;
        let top = top(&mut writer, stream).await?;
        let bounds = master.event_bounds().await?;
        if let Some(there) = top.filter(|top| *top > bounds.latest) {
            return Err(Trouble::Ahead { stream: stream.to_owned(), there, here: bounds.latest });
        }
        if self.state.send_replace(RedisState::Connected) != RedisState::Connected {
            tracing::info!(stream, "Redis carries events");
        }
        let from = top.unwrap_or_else(|| (bounds.latest - BACK).max(bounds.oldest - 1).max(0));
        let writing = write(writer, stream, master, hub, from);
        let reading = async { Ok::<std::convert::Infallible, Trouble>(read(reader, stream, hub, from).await?) };
        tokio::select! {
            ended = writing => ended,
            ended = reading => ended,
        }
    }

    async fn connect(&self, patience: Duration) -> RedisResult<MultiplexedConnection> {
        let config =
            AsyncConnectionConfig::new().set_connection_timeout(Some(PATIENCE)).set_response_timeout(Some(patience));
        self.client.get_multiplexed_async_connection_with_config(&config).await
    }
}

/// The newest event of the stream; `None` where there is none.
async fn top(connection: &mut MultiplexedConnection, stream: &str) -> RedisResult<Option<i64>> {
    let newest: StreamRangeReply =
        redis::cmd("XREVRANGE").arg(stream).arg("+").arg("-").arg("COUNT").arg(1).query_async(connection).await?;
    Ok(newest.ids.first().map(|entry| number(&entry.id)))
}

/// `17-0` is 17.
fn number(id: &str) -> i64 {
    id.split('-').next().and_then(|text| text.parse().ok()).unwrap_or(0)
}

/// Writes every event after `after`, in order.
async fn write(
    mut connection: MultiplexedConnection,
    stream: &str,
    master: &Master,
    hub: &Arc<Hub>,
    mut after: i64,
) -> Result<std::convert::Infallible, Trouble> {
    let mut mark = hub.follow();
    loop {
        mark.borrow_and_update();
        loop {
            let events = if let Some(events) = hub.after(after) {
                events
            } else {
                let page = master.events_after(after, PAGE).await?;
                page.into_iter().map(|kept| Arc::new(Happening::from(kept))).collect()
            };
            let Some(last) = events.last() else { break };
            add(&mut connection, stream, &events).await?;
            after = last.id;
        }
        if tokio::time::timeout(PATIENCE, mark.changed()).await.is_err() {
            let () = redis::cmd("PING").query_async(&mut connection).await.map(|_: Value| ())?;
        }
    }
}

async fn add(connection: &mut MultiplexedConnection, stream: &str, events: &[Arc<Happening>]) -> RedisResult<()> {
    for page in events.chunks(PAGE as usize) {
        let mut pipe = redis::pipe();
        for event in page {
            pipe.cmd("XADD").arg(stream).arg("MAXLEN").arg("~").arg(LONGEST).arg(format!("{}-0", event.id));
            pipe.arg("type").arg(&event.kind).arg("event").arg(event.document());
        }
        let answers: Vec<RedisResult<Value>> = pipe.ignore_errors().query_async(connection).await?;
        let refused = answers.into_iter().filter_map(Result::err);
        // Another copy was faster.
        if let Some(error) = refused.into_iter().find(|error| !error.to_string().contains("equal or smaller")) {
            return Err(error);
        }
    }
    Ok(())
}

/// Says that there is something to read when another copy has written it.
async fn read(
    mut connection: MultiplexedConnection,
    stream: &str,
    hub: &Hub,
    after: i64,
) -> RedisResult<std::convert::Infallible> {
    let mut last = format!("{after}-0");
    loop {
        let new: Option<StreamReadReply> = redis::cmd("XREAD")
            .arg("COUNT")
            .arg(PAGE)
            .arg("BLOCK")
            .arg(BLOCK_MS)
            .arg("STREAMS")
            .arg(stream)
            .arg(&last)
            .query_async(&mut connection)
            .await?;
        let newest = new.iter().flat_map(|reply| &reply.keys).flat_map(|key| &key.ids).last();
        if let Some(entry) = newest {
            last.clone_from(&entry.id);
            if hub.latest().is_some_and(|latest| number(&entry.id) > latest) {
                hub.stir();
            }
        }
    }
}
