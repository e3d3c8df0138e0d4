//! What one step of a run works on.

use std::sync::OnceLock;

use postgres_link::{BatchError, SqlError};
use uuid::Uuid;

use super::envelope::{Envelope, Part};
use super::pieces::Cuts;
use crate::error::{EngineError, ErrorCode};
use crate::migration::MigrationId;
use crate::project::Script;
use crate::target::confine::{self, through_door};
use crate::target::quote::identifier;
use crate::target::store::{self, Direction};

/// One migration, read and ready to be sent.
#[derive(Debug)]
pub(crate) struct Step {
    pub id: MigrationId,
    pub service: String,
    pub name: String,
    pub owner: String,
    pub direction: Direction,
    /// The SQL of the direction.
    pub text: Text,
    /// One transaction, or statement by statement.
    pub transactional: bool,
    /// It sets something for the rest of its session.
    pub sets_session: bool,
    pub late: bool,
    pub record: Record,
    /// A failed or interrupted attempt left rows that success must clear.
    pub has_leftovers: bool,
}

/// SQL that was parsed when it was planned, and is parsed again only where somebody asks for its statements: the
/// server does it anyway, and most migrations succeed.
#[derive(Debug, Clone)]
pub(crate) struct Text {
    /// The path that errors show.
    pub file: String,
    pub sql: String,
    schema: String,
    /// Where its statements stand.
    pub cuts: Cuts,
    parsed: OnceLock<Script>,
}

impl Text {
    pub(crate) fn new(file: String, sql: String, schema: &str, cuts: Cuts) -> Self {
        Self { file, sql, schema: schema.to_owned(), cuts, parsed: OnceLock::new() }
    }

    /// The text of the statement at `index`.
    pub(crate) fn statement(&self, index: usize) -> &str {
        &self.sql[self.cuts[index].range.clone()]
    }

    /// Whether a statement of it may run code of its author.
    pub(crate) fn runs_code(&self) -> bool {
        self.cuts.iter().any(|cut| cut.runs_code)
    }

    pub(crate) fn script(&self) -> &Script {
        // It is the text that was planned; should it not parse after all, errors lack their statement and no more.
        self.parsed.get_or_init(|| {
            Script::parse(&self.file, self.sql.clone(), &self.schema)
                .unwrap_or_else(|_| Script::opaque(&self.file, &self.sql))
        })
    }
}

impl From<Script> for Text {
    fn from(script: Script) -> Self {
        Self {
            file: script.file.clone(),
            sql: script.sql.clone(),
            schema: String::new(),
            cuts: script.cuts(),
            parsed: OnceLock::from(script),
        }
    }
}

/// What the history must say once the step is done.
#[derive(Debug)]
pub(crate) enum Record {
    Applied {
        up_sql: String,
        down_sql: String,
        checksum: String,
        file_hash: String,
    },
    RolledBack {
        row: i64,
    },
    /// It was begun and never done.
    Withdrawn,
}

/// Back to the engine's own role and search path.
pub(super) const LEAVE: &str = "SET LOCAL ROLE NONE;SET LOCAL search_path=pg_catalog;";

/// Back to the settings that the session was opened with, so that what a migration sets for its session, if only by
/// `set_config` in a body, does not reach the next one. The audit's mark stays: nobody but a superuser can have set it.
const RESET_ALL: &str = "DO $do$DECLARE mark pg_catalog.text := pg_catalog.current_setting('backtrace_functions');\
    BEGIN RESET ALL;\
    IF NOT pg_catalog.current_setting('backtrace_functions') OPERATOR(pg_catalog.=) mark THEN \
    PERFORM pg_catalog.set_config('backtrace_functions', mark, false);END IF;END$do$;";

impl Step {
    /// The SQL, read.
    pub(crate) fn script(&self) -> &Script {
        self.text.script()
    }

    /// The history statements that belong to this step.
    pub(crate) fn record_sql(&self, actor: &str, run_id: Uuid, duration_ms: Option<u64>) -> String {
        let record = match &self.record {
            Record::Applied { up_sql, down_sql, checksum, file_hash } => store::insert(&store::NewRow {
                id: &self.id,
                service: &self.service,
                name: &self.name,
                up_sql,
                down_sql,
                checksum,
                file_hash,
                late: self.late,
                actor,
                run_id,
                duration_ms,
            }),
            Record::RolledBack { row } => store::mark_rolled_back(*row, actor, run_id),
            Record::Withdrawn => super::backfill::journal::clear(&self.id),
        };
        if self.has_leftovers { format!("{}; {record}", store::clear(&self.id)) } else { record }
    }

    /// What begins a transaction of the step that is sent in pieces.
    pub(crate) fn opening(&self, begin: &str, lock_timeout_ms: u64) -> String {
        format!(
            "{begin};SET LOCAL lock_timeout={lock_timeout_ms};SET LOCAL search_path={};SET LOCAL ROLE {};\n",
            self.search_path(),
            identifier(&self.owner),
        )
    }

    /// The statement at `index` as it is sent.
    pub(crate) fn sent(&self, index: usize) -> String {
        let (range, facts) = &self.script().statements[index];
        let sql = &self.text.sql[range.clone()];
        if facts.runs_code { through_door(&self.owner, sql) } else { sql.to_owned() }
    }

    /// What ends a transaction of the step that is sent in pieces; `closing` is run as the engine.
    pub(crate) fn ending(&self, closing: &str) -> String {
        let forward = if self.text.runs_code() { format!("{};", self.bring_forward()) } else { String::new() };
        format!("{forward}{LEAVE}{}{closing}", self.reset())
    }

    /// Takes back what the step may have set for its session.
    pub(super) fn reset(&self) -> &'static str {
        if self.sets_session || self.text.runs_code() { RESET_ALL } else { "" }
    }

    /// What was put off to the commit would run as the session's user: triggers, the queries of held cursors.
    pub(super) fn bring_forward(&self) -> String {
        format!("{};CLOSE ALL", through_door(&self.owner, "SET CONSTRAINTS ALL IMMEDIATE"))
    }

    /// Session settings for a statement that runs outside of a transaction.
    pub(crate) fn session_settings(&self, lock_timeout_ms: u64) -> String {
        format!(
            "SET lock_timeout={lock_timeout_ms};SET search_path={};SET ROLE {}",
            self.search_path(),
            identifier(&self.owner),
        )
    }

    /// Takes the session settings back.
    pub(crate) const RESET_SETTINGS: &str = "RESET ROLE;RESET search_path;RESET lock_timeout";

    fn search_path(&self) -> String {
        format!("{}, pg_catalog", identifier(&self.id.schema))
    }

    /// What PostgreSQL said to the step, as the migration's failure.
    pub(crate) fn refusal(&self, error: &BatchError, envelope: &Envelope) -> EngineError {
        let Some(sql) = error.sql_error() else {
            return crate::target::session::lost(&error.to_string()).migration(&self.id);
        };
        let byte = envelope.byte(error).filter(|&at| at <= self.text.sql.len());
        let statement = match envelope.part {
            Part::Statement(index) => Some(index),
            Part::Whole => byte
                .and_then(|byte| self.script().statement_at(byte))
                .or_else(|| envelope.statement(error).filter(|&index| index < self.script().statements.len())),
        };
        self.failed(sql, statement, byte)
    }

    /// The same for a message that held nothing but the statement at `index`.
    pub(crate) fn refusal_of_one(&self, error: &BatchError, index: usize) -> EngineError {
        let Some(sql) = error.sql_error() else {
            return crate::target::session::lost(&error.to_string()).migration(&self.id);
        };
        let text = self.script().statement(index);
        let byte = sql.position.and_then(|position| (position as usize).checked_sub(1)).and_then(|chars| {
            text.char_indices().nth(chars).map(|(byte, _)| byte + self.script().statements[index].0.start)
        });
        self.failed(sql, Some(index), byte)
    }

    /// The same for the message that ends a transaction which was sent in pieces.
    pub(crate) fn refusal_at_end(&self, error: &BatchError) -> EngineError {
        match error.sql_error() {
            Some(sql) => self.failed(sql, None, None),
            None => crate::target::session::lost(&error.to_string()).migration(&self.id),
        }
    }

    fn failed(&self, sql: &SqlError, statement: Option<usize>, byte: Option<usize>) -> EngineError {
        // A mistake in a function's body is told by the body's own text and the place within it.
        let byte = byte.filter(|_| sql.internal_query.is_none()).or_else(|| {
            let (body, position) = (sql.internal_query.as_deref()?, sql.internal_position?);
            let range = self.script().statements.get(statement?)?.0.clone();
            let start = self.text.sql[range.clone()].find(body)? + range.start;
            let within = body.char_indices().nth((position as usize).checked_sub(1)?)?.0;
            Some(start + within)
        });
        let at = byte.or_else(|| statement.map(|index| self.script().statements[index].0.start));
        let place = at.map(|at| self.script().location(at, statement));
        let wher = place
            .as_ref()
            .map_or_else(|| self.script().file.clone(), |l| format!("{}:{}:{}", l.file, l.line, l.column));
        let mut error = crate::target::session::classify(sql, format!("{wher}: {}", sql.message));
        match error.code {
            ErrorCode::Internal => {
                error.code = ErrorCode::MigrationFailed;
                error.cure = Some("correct the file and run again; what was applied before it stands".to_owned());
            }
            ErrorCode::InsufficientPrivilege => {
                error.cure = Some(format!(
                    "a migration of {} runs as {}, cannot leave that role, and may touch only its own schemas; permit a reference in config/services.toml, or move the statement to the schema's own service",
                    self.service, self.owner
                ));
            }
            _ => {}
        }
        if confine::was_tampered(sql) {
            error.code = ErrorCode::InsufficientPrivilege;
            error.cure = Some(format!(
                "it confines migrations of {} to their role: take out what alters or drops it; the next run puts it right",
                self.owner
            ));
        }
        error.location = place;
        error.migration(&self.id)
    }
}
