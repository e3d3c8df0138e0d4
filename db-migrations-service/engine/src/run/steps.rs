//! What one step of a run works on, and the message that carries it.

use std::fmt::Write as _;
use std::ops::Range;
use std::sync::OnceLock;

use postgres_link::{BatchError, SqlError};
use uuid::Uuid;

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
    /// One message, or statement by statement.
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
    /// Where the statements stand that may run code of their author.
    code: Vec<Range<usize>>,
    parsed: OnceLock<Script>,
}

impl Text {
    pub(crate) fn new(file: String, sql: String, schema: &str, code: Vec<Range<usize>>) -> Self {
        Self { file, sql, schema: schema.to_owned(), code, parsed: OnceLock::new() }
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
            code: script.code(),
            parsed: OnceLock::from(script),
        }
    }
}

/// What the history must say once the step is done.
#[derive(Debug)]
pub(crate) enum Record {
    Applied { up_sql: String, down_sql: String, checksum: String, file_hash: String },
    RolledBack { row: i64 },
}

/// Which part of a step's SQL a message carries.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Part {
    Whole,
    Statement(usize),
}

/// A message with what is needed to read places out of its errors.
pub(crate) struct Envelope {
    pub message: String,
    /// Where in the message each stretch of the SQL begins.
    stretches: Vec<Stretch>,
    part: Part,
}

/// A piece of the SQL in a message: as it stands in the file, or wrapped in a call.
struct Stretch {
    in_message: usize,
    in_sql: usize,
    verbatim: bool,
}

impl Envelope {
    /// The byte of the SQL that the server means by the character `position`, counted from 1.
    fn byte(&self, position: u32) -> Option<usize> {
        let at = self.message.char_indices().nth((position as usize).checked_sub(1)?)?.0;
        let stretch = self.stretches.iter().rev().find(|stretch| stretch.in_message <= at)?;
        let within = if stretch.verbatim { at - stretch.in_message } else { 0 };
        Some(stretch.in_sql + within)
    }
}

/// Statements of an envelope before its SQL: BEGIN, the lock timeout, the search path, the role.
pub(crate) const PRELUDE: usize = 4;

/// Back to the engine's own role and search path.
const LEAVE: &str = "SET LOCAL ROLE NONE;SET LOCAL search_path=pg_catalog;";

/// Back to the settings that the session was opened with, so that what a migration sets for its session, if only by
/// `set_config` in a body, does not reach the next one. The audit's mark stays: nobody but a superuser can have set it.
const RESET_ALL: &str = "DO $do$DECLARE mark pg_catalog.text := pg_catalog.current_setting('backtrace_functions');\
    BEGIN RESET ALL;\
    IF pg_catalog.current_setting('backtrace_functions') OPERATOR(pg_catalog.<>) mark THEN \
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
        };
        if self.has_leftovers { format!("{}; {record}", store::clear(&self.id)) } else { record }
    }

    /// The part as one transaction in one message: role, SQL, history, commit.
    pub(crate) fn envelope(&self, part: Part, lock_timeout_ms: u64, closing: &str) -> Envelope {
        self.wrap("BEGIN", part, lock_timeout_ms, &self.bring_forward(), &format!("{closing};COMMIT"))
    }

    /// The step inside a transaction that somebody else rolls back.
    pub(crate) fn inside(&self, lock_timeout_ms: u64) -> Envelope {
        self.wrap("SAVEPOINT step", Part::Whole, lock_timeout_ms, "", "SELECT 1")
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
        let forward = if self.text.code.is_empty() { String::new() } else { format!("{};", self.bring_forward()) };
        format!("{forward}{LEAVE}{}{closing}", self.reset())
    }

    /// Takes back what the step may have set for its session.
    pub(super) fn reset(&self) -> &'static str {
        if self.sets_session || !self.text.code.is_empty() { RESET_ALL } else { "" }
    }

    /// What was put off to the commit would run as the session's user: triggers, the queries of held cursors.
    fn bring_forward(&self) -> String {
        format!("{};CLOSE ALL", through_door(&self.owner, "SET CONSTRAINTS ALL IMMEDIATE"))
    }

    /// `after_code` follows the SQL where it may run code of its author.
    fn wrap(&self, begin: &str, part: Part, lock_timeout_ms: u64, after_code: &str, closing: &str) -> Envelope {
        let mut message = self.opening(begin, lock_timeout_ms);
        let range = match part {
            Part::Whole => 0..self.text.sql.len(),
            Part::Statement(index) => self.script().statements[index].0.clone(),
        };
        let code = self.text.code.iter().filter(|c| range.start <= c.start && c.end <= range.end);
        let mut stretches = Vec::new();
        let mut at = range.start;
        let mut runs_code = false;
        for code in code {
            runs_code = true;
            stretches.push(Stretch { in_message: message.len(), in_sql: at, verbatim: true });
            message.push_str(&self.text.sql[at..code.start]);
            stretches.push(Stretch { in_message: message.len(), in_sql: code.start, verbatim: false });
            message.push_str(&through_door(&self.owner, &self.text.sql[code.clone()]));
            at = code.end;
        }
        stretches.push(Stretch { in_message: message.len(), in_sql: at, verbatim: true });
        message.push_str(&self.text.sql[at..range.end]);
        // The line break ends a comment that the SQL may end with.
        message.push('\n');
        if runs_code {
            message.push(';');
            message.push_str(after_code);
        }
        message.push(';');
        message.push_str(LEAVE);
        if matches!(part, Part::Whole) && !self.reset().is_empty() {
            // The lock timeout holds for the closing statements too.
            let _ = write!(message, "{}SET LOCAL lock_timeout={lock_timeout_ms};", self.reset());
        }
        message.push_str(closing);
        Envelope { message, stretches, part }
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

    /// What PostgreSQL said to the message, as the migration's failure.
    pub(crate) fn refusal(&self, error: &BatchError, envelope: &Envelope) -> EngineError {
        let Some(sql) = error.sql_error() else {
            return crate::target::session::lost(&error.to_string()).migration(&self.id);
        };
        let byte = sql.position.and_then(|position| envelope.byte(position)).filter(|&at| at <= self.text.sql.len());
        let statement = match envelope.part {
            Part::Statement(index) => Some(index),
            Part::Whole => byte.and_then(|byte| self.script().statement_at(byte)).or_else(|| {
                error.completed().checked_sub(PRELUDE).filter(|&index| index < self.script().statements.len())
            }),
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
