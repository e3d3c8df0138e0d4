//! Progress as typed events: the same for the API, the command line and the dashboard.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::error::EngineError;
use crate::migration::MigrationId;
use crate::proof::report::{Gate, GateResult};

/// A session that stands in the way of ours.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Blocker {
    /// Its backend process.
    pub pid: i32,
    /// The role it is signed in as.
    pub user: Option<String>,
    /// What it calls itself.
    pub application: Option<String>,
    /// Where it comes from.
    pub address: Option<String>,
    /// `active`, `idle in transaction` …
    pub state: Option<String>,
    /// The start of what it runs or ran last, without its values, which may be secret.
    pub query: Option<String>,
    /// How long its transaction has been open.
    pub transaction_ms: Option<i64>,
}

impl Blocker {
    /// It vacuums or analyses a table by itself.
    pub(crate) fn is_autovacuum(&self) -> bool {
        self.query.as_deref().is_some_and(|query| query.starts_with("autovacuum:"))
    }

    /// In a few words: `a long report (pid 42)`, `autovacuum: VACUUM plans.plans (pid 43)`.
    pub(crate) fn in_words(&self) -> String {
        let named = self.application.as_deref().filter(|name| !name.is_empty());
        let vacuums = self.query.as_deref().filter(|_| self.is_autovacuum());
        format!("{} (pid {})", vacuums.or(named).unwrap_or("a session"), self.pid)
    }
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Everything planned was done.
    Completed,
    /// A migration failed; those before it stand.
    Failed,
    /// It was cancelled; what was in hand was taken back.
    Cancelled,
}

/// A statement that runs so long is worth telling by itself.
pub const LASTING: Duration = Duration::from_millis(50);

/// One thing that happened in a run.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "type", rename_all = "snake_case", rename_all_fields = "camelCase")]
pub enum Event {
    /// The plan stands and the lock is held.
    Planned {
        /// What will be applied or taken back, in order.
        migrations: Vec<MigrationId>,
        /// Whether nothing of it will stay.
        dry_run: bool,
    },
    /// What the run touches is being backed up; the run itself begins when that is done.
    BackingUp {
        /// The backup's name.
        backup_id: String,
        /// Of which services.
        services: Vec<String>,
    },
    /// The backup is being restored and compared.
    VerifyingBackup {
        /// The backup's name.
        backup_id: String,
    },
    /// A backup covers the run.
    BackedUp {
        /// The backup's name.
        backup_id: String,
        /// It was there already, and is as good as a new one.
        accepted: bool,
        /// It was restored and compared, and is equal.
        verified: bool,
        /// How long the run waited for it, milliseconds.
        duration_ms: u64,
    },
    /// Roles, schemas and grants of the catalogue are being brought in place.
    Preparing {
        /// What, in words.
        what: String,
    },
    /// What is pending goes through the gates that the environment requires.
    Validating {
        /// Which gates.
        gates: Vec<Gate>,
    },
    /// The gates have looked.
    Validated {
        /// All that is required holds.
        passed: bool,
        /// Gate by gate.
        gates: Vec<GateResult>,
    },
    /// A migration begins.
    MigrationStarted {
        /// Which.
        migration: MigrationId,
        /// Whose.
        service: String,
        /// Its intent.
        name: String,
        /// 1-based place in the run.
        index: usize,
        /// How many the run has.
        total: usize,
        /// How many statements it has.
        statements: usize,
        /// One transaction, or statement by statement.
        transactional: bool,
        /// Older than the newest applied of its schema.
        late: bool,
    },
    /// A statement begins. Those before it are done.
    StatementStarted {
        /// Which migration.
        migration: MigrationId,
        /// 1-based.
        statement: usize,
        /// The last of those that went in the same message: more than one only in files of very many.
        through: usize,
        /// How many there are.
        of: usize,
        /// The line of the file that it begins at, 1-based.
        line: usize,
        /// What it is: `CREATE INDEX` …
        tag: String,
        /// Its first line.
        text: String,
        /// Worth telling by itself: it is told a second time, with this set, when it has run for [`LASTING`], and now and
        /// then in a file of many short ones. A statement with a journal is told once.
        #[serde(skip)]
        lasts: bool,
    },
    /// A statement is done. What it did counts when the migration's transaction has ended, if it is in one.
    StatementFinished {
        /// Which migration.
        migration: MigrationId,
        /// 1-based.
        statement: usize,
        /// The last of those that went in the same message.
        through: usize,
        /// How many there are.
        of: usize,
        /// The line of the file that it begins at, 1-based.
        line: usize,
        /// What it was: `CREATE INDEX` …
        tag: String,
        /// The rows that it wrote or read, as the server counts them; 0 for most.
        rows: u64,
        /// Done by an earlier, interrupted run.
        resumed: bool,
        /// Wall time, milliseconds.
        duration_ms: f64,
        /// Its beginning was worth telling, so its end is.
        #[serde(skip)]
        lasted: bool,
    },
    /// The server waits for a lock on our behalf.
    Waiting {
        /// Which migration.
        migration: MigrationId,
        /// Which of its statements, 1-based; `None` at its commit and between statements.
        #[serde(skip_serializing_if = "Option::is_none")]
        statement: Option<usize>,
        /// How long it has run so far, milliseconds.
        waited_ms: u64,
        /// Who holds it.
        blockers: Vec<Blocker>,
    },
    /// Others have waited for the migration as long as they may; it was taken back to let them pass.
    Yielded {
        /// Which migration.
        migration: MigrationId,
        /// How long they may wait, milliseconds.
        budget_ms: u64,
        /// Who waited.
        victims: Vec<Blocker>,
    },
    /// Sessions hold locks that the run will need, and have for long: it will wait for them, and others behind it.
    InTheWay {
        /// Who.
        blockers: Vec<Blocker>,
    },
    /// A lock was not had in time; the migration was taken back and will be tried again, from its first statement.
    Retrying {
        /// Which migration.
        migration: MigrationId,
        /// The attempt that failed, 1-based.
        attempt: u32,
        /// How many there will be at most.
        of: u32,
        /// The pause before the next one, milliseconds.
        delay_ms: u64,
        /// Who was in the way.
        blockers: Vec<Blocker>,
    },
    /// An invalid index left by an interrupted build was dropped before the statement was run again.
    Repaired {
        /// Which migration.
        migration: MigrationId,
        /// What was done, in words.
        what: String,
    },
    /// How far the batches of a backfill have come; told about twice a second.
    BackfillProgress {
        /// Which migration.
        migration: MigrationId,
        /// Which of its statements, 1-based.
        statement: usize,
        /// The table, `schema.name`.
        relation: String,
        /// Rows behind it, those of earlier runs included.
        rows_done: u64,
        /// About how many there are.
        rows_estimated: u64,
        /// Of the last batches.
        rows_per_second: u64,
        /// About how long it still takes, milliseconds; absent while nobody can tell.
        #[serde(skip_serializing_if = "Option::is_none")]
        left_ms: Option<u64>,
        /// How many rows the next batch has.
        batch_rows: u64,
    },
    /// The batches of a backfill pause.
    BackfillPaused {
        /// Which migration.
        migration: MigrationId,
        /// For what, in words.
        why: String,
        /// How long so far, or for how long, milliseconds.
        waited_ms: u64,
    },
    /// A part that a dry run could not try.
    NotTried {
        /// Which migration.
        migration: MigrationId,
        /// Why, in words.
        why: String,
    },
    /// A migration is in, or taken back.
    MigrationFinished {
        /// Which.
        migration: MigrationId,
        /// Wall time, milliseconds.
        duration_ms: u64,
    },
    /// A migration failed.
    MigrationFailed {
        /// Which.
        migration: MigrationId,
        /// Why, and what to do.
        error: Box<EngineError>,
    },
    /// The run is over.
    Finished {
        /// How.
        outcome: Outcome,
        /// How many migrations were done.
        done: usize,
        /// Wall time of the whole run, milliseconds.
        duration_ms: u64,
    },
}

impl Event {
    /// The types of all events, as they are told.
    pub const TYPES: &[&str] = &[
        "planned",
        "backing_up",
        "verifying_backup",
        "backed_up",
        "preparing",
        "validating",
        "validated",
        "migration_started",
        "statement_started",
        "statement_finished",
        "waiting",
        "yielded",
        "in_the_way",
        "retrying",
        "repaired",
        "backfill_progress",
        "backfill_paused",
        "not_tried",
        "migration_finished",
        "migration_failed",
        "finished",
    ];

    /// Whether it is one of the many that nobody needs to be told one by one: a short statement begins or ends. What is
    /// told of a later one tells that it is done.
    pub fn is_brief(&self) -> bool {
        matches!(self, Self::StatementStarted { lasts: false, .. } | Self::StatementFinished { lasted: false, .. })
    }

    /// The migration that it is about.
    pub fn migration(&self) -> Option<&MigrationId> {
        match self {
            Self::MigrationStarted { migration, .. }
            | Self::StatementStarted { migration, .. }
            | Self::StatementFinished { migration, .. }
            | Self::Waiting { migration, .. }
            | Self::Yielded { migration, .. }
            | Self::Retrying { migration, .. }
            | Self::Repaired { migration, .. }
            | Self::BackfillProgress { migration, .. }
            | Self::BackfillPaused { migration, .. }
            | Self::NotTried { migration, .. }
            | Self::MigrationFinished { migration, .. }
            | Self::MigrationFailed { migration, .. } => Some(migration),
            Self::Planned { .. }
            | Self::BackingUp { .. }
            | Self::VerifyingBackup { .. }
            | Self::BackedUp { .. }
            | Self::Preparing { .. }
            | Self::Validating { .. }
            | Self::Validated { .. }
            | Self::InTheWay { .. }
            | Self::Finished { .. } => None,
        }
    }
}

/// Where events go. Called from the run itself, so it must return at once.
#[derive(Clone)]
pub struct EventSink(Arc<dyn Fn(Event) + Send + Sync>);

impl EventSink {
    /// Hands every event to `receive`, which must not block.
    pub fn new(receive: impl Fn(Event) + Send + Sync + 'static) -> Self {
        Self(Arc::new(receive))
    }

    /// Nobody listens.
    pub fn none() -> Self {
        Self::new(|_| ())
    }

    pub(crate) fn send(&self, event: Event) {
        (self.0)(event);
    }
}

impl fmt::Debug for EventSink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EventSink")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_event_has_its_type_in_the_list() {
        let (_, body) = include_str!("event.rs").split_once("pub enum Event {").expect("it is here");
        let (body, _) = body.split_once("\n}\n").expect("it ends");
        let variants = body.lines().filter_map(|line| line.strip_prefix("    ")?.strip_suffix(" {"));
        let named = variants.filter(|name| name.starts_with(char::is_uppercase)).map(|name| {
            let words = name.char_indices().map(|(at, c)| match c {
                c if c.is_uppercase() && at > 0 => format!("_{}", c.to_lowercase()),
                c => c.to_lowercase().to_string(),
            });
            words.collect::<String>()
        });
        assert_eq!(named.collect::<Vec<_>>(), Event::TYPES);
    }
}
