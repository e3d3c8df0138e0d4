//! Who changed the schema, and whether the record of it is whole.
//!
//! Event triggers write a row for every DDL command of the database, whoever runs it. What the engine's own runs send they leave
//! to the history, which is written in the migration's own transaction; what a function or a body does they record in any case. A *seal* later chains the committed rows by hash, so that no statement waits for another one's transaction.
//!
//! It cannot see what event triggers do not fire for – roles, databases, event triggers themselves – and needs a superuser to be
//! installed. It keeps nothing outside of the target: whoever calls it writes the head of the chain down elsewhere and hands it
//! to [`Engine::verify_audit`], which finds even a log that was rewritten as a whole.

mod adoption;
mod chain;
mod history;
mod install;
mod list;
mod marker;
mod objects;
mod verify;

use postgres_link::AdminConn;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use time::OffsetDateTime;
use uuid::Uuid;

pub(crate) use adoption::tell as tell_adoption;
pub(crate) use chain::try_seal;
pub(crate) use install::{off, tell_preparation};
pub use marker::told_by_caller;
pub(crate) use marker::{Telling, asks_whether_it_stands, begin, mark, mark_of, open, stands};

use crate::engine::Engine;
use crate::error::EngineError;
use crate::target::session;

/// How many characters of a statement the log keeps.
pub(crate) const LONGEST_STATEMENT: usize = 8_000;

/// What to read of the log, newest first.
#[derive(Debug, Clone, Default)]
pub struct AuditFilter {
    /// At this time or later.
    pub since: Option<OffsetDateTime>,
    /// Before this time.
    pub until: Option<OffsetDateTime>,
    /// Signed in or acting as this role.
    pub role: Option<String>,
    /// Touching any of these schemas.
    pub schemas: Option<Vec<String>>,
    /// Only what came through the service, or only what did not.
    pub via_service: Option<bool>,
    /// With this command tag, in whatever case: `CREATE TABLE`.
    pub command: Option<String>,
    /// Entries older than this id, for paging.
    pub before: Option<i64>,
    /// At most so many; 0 means 100.
    pub limit: usize,
}

/// One entry of the log.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AuditEntry {
    /// Grows, with gaps where a transaction was taken back.
    pub id: i64,
    /// When.
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
    /// `ddl_command_end` and `sql_drop`: an event trigger saw a command; `error`: it saw one and could not read it; `migration`,
    /// `preparation`, `installation`, `run`, `adoption`, `restore`: the service tells what it did.
    pub event: String,
    /// PostgreSQL's command tag; `RUN`, `MIGRATE`, `ROLLBACK`, `PREPARE`, `INSTALL`, `ADOPT`, `RESTORE` where the service
    /// tells it.
    pub command: String,
    /// Who signed in.
    pub session_role: String,
    /// The role that was set, or who signed in.
    pub acting_role: String,
    /// What the session calls itself.
    pub application: String,
    /// Where it comes from; absent for a local socket.
    pub address: Option<String>,
    /// Its process at the server.
    pub pid: i32,
    /// Its transaction, as PostgreSQL's 64-bit number; absent where a migration was rolled back before the log was told of it.
    pub transaction: Option<String>,
    /// What was created, changed or dropped: `command`, `type`, `schema`, `identity`, and `dropped`.
    pub objects: Value,
    /// The client's message, all of its statements, or the migration's SQL, cut after 8,000 characters. Of a message that can have a
    /// secret every value is hidden.
    pub statement: Option<String>,
    /// How long the message was, bytes.
    pub statement_bytes: Option<i64>,
    /// SHA-256 of the whole message, in hex; absent where an event trigger saw it and it was longer than 64 KiB or has hidden values.
    pub statement_sha256: Option<String>,
    /// Which functions the command was called from, innermost first.
    pub context: Option<String>,
    /// Whether it came through the service.
    pub via_service: bool,
    /// The service's run.
    pub run_id: Option<Uuid>,
    /// The migration, `schema/version`, where the entry tells of a whole one.
    pub migration: Option<String>,
}

/// A part of the log.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AuditPage {
    /// Why nothing is recorded here; `None` where it is.
    pub off: Option<String>,
    /// Newest first.
    pub entries: Vec<AuditEntry>,
}

/// Where the chain ends. Kept outside of the target, it proves later that nothing before it was changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AuditHead {
    /// The database: its cluster's system identifier and its number there. One that is made anew is another one.
    pub database: String,
    /// The last position, from 1.
    pub position: i64,
    /// Its hash, SHA-256 in hex.
    pub hash: String,
}

/// What kind of thing is wrong with the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FindingCode {
    /// Nothing is recorded.
    Off,
    /// A row of the log says something else than when it was sealed.
    EntryChanged,
    /// The SQL of a migration in the history is not what was run, or its row is gone.
    HistoryChanged,
    /// A row of the log is gone.
    EntryMissing,
    /// A link of the chain is gone.
    PositionMissing,
    /// A link does not follow from the one before: changed, or in another order.
    ChainBroken,
    /// The chain is another one than the one whose head was kept elsewhere.
    HeadDiffers,
    /// The chain ends before the head that was kept elsewhere.
    HeadMissing,
    /// An event trigger is gone.
    TriggerMissing,
    /// An event trigger is switched off, for some sessions or for all.
    TriggerDisabled,
    /// An event trigger fires for something else, or calls something else.
    TriggerAltered,
    /// The function that records is not what this program installs.
    FunctionAltered,
    /// A table of the log is gone.
    TableMissing,
    /// A table of the log has triggers, rules, constraints, rights or an owner that it was not given.
    TableAltered,
}

/// One thing that is wrong with the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Finding {
    /// What kind.
    pub code: FindingCode,
    /// One sentence.
    pub message: String,
    /// The place in the chain.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub position: Option<i64>,
    /// The log's row.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub entry: Option<i64>,
}

/// What looking the whole log over has found.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AuditReport {
    /// How many links were looked at.
    pub checked: u64,
    /// How many heads, kept elsewhere, the chain was compared with.
    pub anchors: usize,
    /// Where the chain ends now; `None` for an empty one.
    pub head: Option<AuditHead>,
    /// What is wrong, at most 100 findings.
    pub findings: Vec<Finding>,
    /// Findings beyond those.
    pub more_findings: u64,
}

impl Engine {
    /// Reads the log. A target without one gives an empty page that says why.
    ///
    /// # Errors
    /// A database that is away.
    pub async fn audit(&self, filter: &AuditFilter) -> Result<AuditPage, EngineError> {
        match self.audit_session("profe audit list").await? {
            Some(conn) => list::read(&conn, filter).await,
            None => Ok(AuditPage { off: Some(install::NOT_YET.to_owned()), entries: Vec::new() }),
        }
    }

    /// Chains what was committed since the last seal. Returns the head; `None` where nothing was ever recorded.
    ///
    /// # Errors
    /// A database that is away, a user who may not write the chain, another one sealing for longer than five seconds.
    pub async fn seal_audit(&self) -> Result<Option<AuditHead>, EngineError> {
        match self.audit_session("profe audit seal").await? {
            Some(conn) => chain::seal(&conn, chain::Reach::Recent).await,
            None => Ok(None),
        }
    }

    /// Where the chain ends, without sealing.
    ///
    /// # Errors
    /// A database that is away.
    pub async fn audit_head(&self) -> Result<Option<AuditHead>, EngineError> {
        match self.audit_session("profe audit head").await? {
            Some(conn) => chain::head(&conn).await,
            None => Ok(None),
        }
    }

    /// Seals, then looks at every row, every link and what records them. `anchors` are heads that were kept elsewhere; those of
    /// other databases are passed over.
    ///
    /// # Errors
    /// A database that is away, a user who may not read the log.
    pub async fn verify_audit(&self, anchors: &[AuditHead]) -> Result<AuditReport, EngineError> {
        match self.audit_session("profe audit verify").await? {
            Some(conn) => verify::verify(&conn, anchors).await,
            None => Ok(verify::never()),
        }
    }

    async fn audit_session(&self, what: &str) -> Result<Option<AdminConn>, EngineError> {
        session::open_existing(&self.target, what).await
    }
}
