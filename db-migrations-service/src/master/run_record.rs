//! What is kept of a run.

use serde::Serialize;
use serde_json::Value;
use time::OffsetDateTime;
use uuid::Uuid;

/// What a run does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RunKind {
    /// Brings a target forward.
    Run,
    /// Takes it back.
    Rollback,
    /// Runs seeds.
    Seed,
    /// Empties tables and runs seeds.
    SeedReset,
}

/// Where a run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RunState {
    /// Under way.
    Running,
    /// All of it was done.
    Completed,
    /// A part failed; what came before it stands.
    Failed,
    /// Somebody stopped it; what was in hand was taken back.
    Cancelled,
    /// Its process died. The next run of the target recovers by itself.
    Interrupted,
}

/// How a run came by the backup that covers it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum BackupOrigin {
    /// It was made for the run.
    Made,
    /// It was there already, verified, and as good as a new one.
    Accepted,
    /// There is none: somebody let the run go without one, with a reason that the target keeps.
    Waived,
}

macro_rules! words {
    ($name:ident { $($variant:ident = $word:literal),+ }) => {
        impl $name {
            /// The word in the database and in answers.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }

            pub(super) fn from_word(word: &str) -> Option<Self> {
                match word { $($word => Some(Self::$variant),)+ _ => None }
            }
        }
    };
}
words!(RunKind { Run = "run", Rollback = "rollback", Seed = "seed", SeedReset = "seed_reset" });
words!(BackupOrigin { Made = "made", Accepted = "accepted", Waived = "waived" });
words!(RunState {
    Running = "running",
    Completed = "completed",
    Failed = "failed",
    Cancelled = "cancelled",
    Interrupted = "interrupted"
});

/// One run.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RunRecord {
    /// Its id, the same as in the target's history.
    pub id: Uuid,
    /// What it does.
    pub kind: RunKind,
    /// On which environment.
    pub environment: String,
    /// For which service; `None` is all.
    pub service: Option<String>,
    /// Whether nothing of it was to stay.
    pub dry_run: bool,
    /// Where it stands.
    pub state: RunState,
    /// Who asked for it.
    pub actor: String,
    /// The request that asked for it.
    pub request_id: Option<String>,
    /// When it began.
    #[serde(with = "time::serde::rfc3339")]
    pub started_at: OffsetDateTime,
    /// When it was over.
    #[serde(with = "time::serde::rfc3339::option")]
    pub finished_at: Option<OffsetDateTime>,
    /// The backup of what it touches, as that was before.
    pub backup_id: Option<String>,
    /// How it came by that; `None` where the environment wants no backup, or there was nothing to back up.
    pub backup_origin: Option<BackupOrigin>,
    /// The run that goes on with it, where its process died or handed it over.
    pub continued_by: Option<Uuid>,
    /// The run that it goes on with.
    pub continues: Option<Uuid>,
    /// What whoever goes on with it needs to know; written, and not read again with the rest.
    #[serde(skip)]
    pub order: Option<Value>,
    /// The engine's plan; for seeds an empty object.
    pub plan: Value,
    /// The engine's report, once it is over.
    pub report: Option<Value>,
}

/// Which runs to list, newest first.
#[derive(Debug, Clone, Default)]
pub struct RunFilter {
    /// Only of these databases, as environments are named.
    pub environments: Option<Vec<String>>,
    /// Only this service.
    pub service: Option<String>,
    /// Only this state.
    pub state: Option<String>,
    /// At most so many.
    pub limit: i64,
    /// Only runs older than this one.
    pub before: Option<Uuid>,
    /// Only runs of these services; `None` is every run, those of all services among them.
    pub services: Option<Vec<String>>,
}

/// One event of a run, ready to be sent.
#[derive(Debug, Clone, PartialEq)]
pub struct EventLine {
    /// Its place in the run, from 1.
    pub seq: u64,
    /// When it happened.
    pub at: OffsetDateTime,
    /// The event as JSON; its member `type` says which.
    pub event: Value,
}
