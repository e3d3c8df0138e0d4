//! What one step of a run works on, and the message that carries it.

use std::sync::OnceLock;

use uuid::Uuid;

use crate::error::{EngineError, ErrorCode};
use crate::migration::MigrationId;
use crate::project::Script;
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
#[derive(Debug)]
pub(crate) struct Text {
    /// The path that errors show.
    pub file: String,
    pub sql: String,
    schema: String,
    parsed: OnceLock<Script>,
}

impl Text {
    pub(crate) fn new(file: String, sql: String, schema: &str) -> Self {
        Self { file, sql, schema: schema.to_owned(), parsed: OnceLock::new() }
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

/// A message with what is needed to read positions and counts out of its errors.
pub(crate) struct Envelope {
    pub message: String,
    /// Characters before the SQL.
    prefix_chars: usize,
    /// Statements before the first one of the SQL.
    prelude: usize,
}

/// Statements of an envelope before its SQL: BEGIN, the lock timeout, the search path, the role.
pub(crate) const PRELUDE: usize = 4;

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

    /// The whole step as one transaction in one message: role, SQL, history, commit.
    pub(crate) fn envelope(&self, sql: &str, lock_timeout_ms: u64, closing: &str) -> Envelope {
        self.wrap("BEGIN", sql, lock_timeout_ms, &format!("{closing};COMMIT"))
    }

    /// The step inside a transaction that somebody else ends.
    pub(crate) fn inside(&self, sql: &str, lock_timeout_ms: u64) -> Envelope {
        // In the place of BEGIN stands the SAVEPOINT that the sender puts in front.
        let mut envelope = self.wrap("SELECT 1", sql, lock_timeout_ms, "SELECT 1");
        envelope.prelude += 1;
        envelope.prefix_chars += "SAVEPOINT step;".len();
        envelope
    }

    fn wrap(&self, opening: &str, sql: &str, lock_timeout_ms: u64, closing: &str) -> Envelope {
        let prefix = format!(
            "{opening};SET LOCAL lock_timeout={lock_timeout_ms};SET LOCAL search_path={};SET LOCAL ROLE {};\n",
            self.search_path(),
            identifier(&self.owner),
        );
        // The line break ends a comment that the SQL may end with.
        let message = format!("{prefix}{sql}\n;SET LOCAL ROLE NONE;SET LOCAL search_path=pg_catalog;{closing}");
        Envelope { message, prefix_chars: prefix.chars().count(), prelude: PRELUDE }
    }

    /// Session settings for a statement that runs outside of a transaction.
    pub(crate) fn session_settings(&self, lock_timeout_ms: u64) -> String {
        format!(
            "SET lock_timeout={lock_timeout_ms};SET search_path={};SET ROLE {}",
            self.search_path(),
            identifier(&self.owner),
        )
    }

    fn search_path(&self) -> String {
        format!("{}, pg_catalog", identifier(&self.id.schema))
    }

    /// What PostgreSQL said to a message that holds the whole script, as the migration's failure.
    pub(crate) fn refusal(&self, error: &postgres_link::BatchError, envelope: &Envelope) -> EngineError {
        let Some(sql) = error.sql_error() else {
            return crate::target::session::lost(&error.to_string()).migration(&self.id);
        };
        let mut statement =
            error.completed().checked_sub(envelope.prelude).filter(|&index| index < self.script().statements.len());
        let byte = sql
            .position
            .and_then(|position| (position as usize).checked_sub(envelope.prefix_chars + 1))
            .and_then(|chars| self.script().sql.char_indices().nth(chars).map(|(byte, _)| byte));
        if let Some(at) = byte {
            statement = self.script().statement_at(at).or(statement);
        }
        self.failed(sql, statement, byte)
    }

    /// The same for a message that held only the statement at `index`; positions count from its start, after
    /// `prefix_chars`.
    pub(crate) fn refusal_of_one(
        &self,
        error: &postgres_link::BatchError,
        index: usize,
        prefix_chars: usize,
    ) -> EngineError {
        let Some(sql) = error.sql_error() else {
            return crate::target::session::lost(&error.to_string()).migration(&self.id);
        };
        let text = self.script().statement(index);
        let byte =
            sql.position.and_then(|position| (position as usize).checked_sub(prefix_chars + 1)).and_then(|chars| {
                text.char_indices().nth(chars).map(|(byte, _)| byte + self.script().statements[index].0.start)
            });
        self.failed(sql, Some(index), byte)
    }

    /// Characters before the SQL of an envelope.
    pub(crate) fn prefix_chars(envelope: &Envelope) -> usize {
        envelope.prefix_chars
    }

    fn failed(&self, sql: &postgres_link::SqlError, statement: Option<usize>, byte: Option<usize>) -> EngineError {
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
                    "a migration of {} runs as {} and may touch only its own schemas; permit a reference in config/services.toml, or move the statement to the schema's own service",
                    self.service, self.owner
                ));
            }
            _ => {}
        }
        error.location = place;
        error.migration(&self.id)
    }
}
