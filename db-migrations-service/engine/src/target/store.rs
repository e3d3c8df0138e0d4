//! Reading and writing the engine's own tables.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use postgres_link::{AdminConn, BatchError, BatchOutcome, StatementOutcome};
use time::{Date, Month, OffsetDateTime, Time, UtcOffset};
use uuid::Uuid;

use super::prepare;
use super::quote::{identifier, literal};
use super::session::own_statement;
use crate::catalogue::Catalogue;
use crate::error::{EngineError, ErrorCode};
use crate::migration::{MigrationId, Version};
use crate::run::backfill::journal as backfill;

/// The version of `schema.sql` that this program writes.
pub(crate) const SCHEMA_VERSION: u32 = 1;

/// Has the next run prepare the target anew.
pub(crate) const FORGET_CATALOGUE: &str = "DELETE FROM migration_service.meta WHERE key = 'catalogue'";

/// Creates the engine's tables.
pub(crate) const CREATE: &str = include_str!("schema.sql");

/// What [`CREATE`] has, for tables that were made before it had it.
pub(crate) const DEFAULT_DURATION: &str = "ALTER TABLE migration_service.history ALTER duration_ms \
    SET DEFAULT (extract(epoch FROM clock_timestamp() - transaction_timestamp()) * 1000)";

/// A migration that stands in the target.
#[derive(Debug, Clone)]
pub(crate) struct Applied {
    pub service: String,
    pub name: String,
    pub checksum: String,
    pub file_hash: String,
    /// When, as the server writes it ([`time_of`]): what computes with it there costs a new session more than the row.
    pub since: String,
    /// The history row.
    pub row: i64,
}

/// One journalled statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Journalled {
    pub checksum: String,
    pub done: bool,
}

/// The direction in which a migration is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Direction {
    Up,
    Down,
}

impl Direction {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Down => "down",
        }
    }
}

/// Everything a run needs to know of a target before it begins.
#[derive(Debug, Default)]
pub(crate) struct State {
    /// The engine's tables are there.
    pub installed: bool,
    pub applied: HashMap<MigrationId, Applied>,
    pub journal: HashMap<(MigrationId, Direction), BTreeMap<usize, Journalled>>,
    /// How far the backfills have come that are under way.
    pub backfills: backfill::All,
    /// Why the last attempt failed, as the stored JSON.
    pub failures: HashMap<MigrationId, String>,
    /// The hash of the catalogue that the target was prepared with.
    pub catalogue: Option<String>,
    /// The schemas that the database has.
    pub schemas: BTreeSet<String>,
    /// What the target remembers of its audit.
    pub audit: Option<String>,
}

impl State {
    /// A migration that runs statement by statement was left in the middle.
    pub(crate) fn is_interrupted(&self, id: &MigrationId) -> bool {
        self.journal.contains_key(&(id.clone(), Direction::Up))
    }

    /// Backfills on the way there, of migrations that are not done.
    pub(crate) fn begun(&self) -> impl Iterator<Item = &backfill::Begun> {
        let up = self.backfills.values().filter(|begun| begun.direction == Direction::Up);
        up.filter(|begun| !self.applied.contains_key(&begun.id))
    }

    /// Roles, schemas and grants were made as `catalogue` has them, and none of its schemas was dropped since.
    pub(crate) fn is_prepared_for(&self, catalogue: &Catalogue) -> bool {
        let mut owned = catalogue.services.values().flat_map(|service| &service.schemas);
        self.catalogue.as_deref() == Some(prepare::fingerprint(catalogue).as_str())
            && owned.all(|schema| self.schemas.contains(schema))
    }

    /// Rows of an unfinished attempt that success must clear.
    pub(crate) fn has_leftovers(&self, id: &MigrationId) -> bool {
        self.failures.contains_key(id)
            || self.is_interrupted(id)
            || self.journal.contains_key(&(id.clone(), Direction::Down))
    }
}

/// One message, one round trip, one snapshot: a run that ends just now is seen whole or not at all.
pub(crate) const READ: &str = "\
BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;
SELECT key, value FROM migration_service.meta;
SELECT nspname FROM pg_catalog.pg_namespace;
SELECT schema_name, version, service, name, checksum, file_hash, applied_at, id FROM migration_service.history WHERE rolled_back_at IS NULL;
SELECT schema_name, version, direction, statement, statement_checksum, state FROM migration_service.journal;
SELECT schema_name, version, error FROM migration_service.failure;
COMMIT";

/// The same where nothing has ever failed or stopped in the middle, which the size of a file tells, and as far as `catalogue` goes: a
/// session that has read nothing yet needs half as long for it. Where something has, no size is zero and [`READ`] has to be sent.
pub(crate) fn read_sparing(catalogue: &Catalogue) -> String {
    let schemas = catalogue.services.values().flat_map(|service| &service.schemas);
    let ask = |name: &String| {
        format!("SELECT {} WHERE to_regnamespace({}) IS NOT NULL", literal(name), literal(&identifier(name)))
    };
    let schemas: Vec<String> = schemas.map(ask).collect();
    let standing = if schemas.is_empty() { "SELECT WHERE false".to_owned() } else { schemas.join(" UNION ALL ") };
    format!(
        "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;
SELECT key, value FROM migration_service.meta;
{standing};
SELECT schema_name, version, service, name, checksum, file_hash, applied_at, id FROM migration_service.history WHERE rolled_back_at IS NULL;
SELECT pg_relation_size('migration_service.journal'), pg_relation_size('migration_service.failure');
COMMIT"
    )
}

/// Reads the state. A target without the engine's tables is a fresh one.
pub(crate) async fn read(conn: &AdminConn) -> Result<State, EngineError> {
    let answer = conn.batch(READ).await;
    understand(conn, answer).await
}

/// What `conn` answered to [`READ`].
pub(crate) async fn understand(
    conn: &AdminConn,
    answer: Result<BatchOutcome, BatchError>,
) -> Result<State, EngineError> {
    let outcome = match answer {
        Ok(outcome) => outcome,
        // 42P01: no such table, 3F000: no such schema.
        Err(error) if matches!(error.sqlstate(), Some("42P01" | "3F000")) => {
            conn.batch("ROLLBACK").await.map_err(|e| own_statement(&e, "reading the migration history"))?;
            return Ok(State::default());
        }
        Err(error) => return Err(own_statement(&error, "reading the migration history")),
    };
    let [_begin, meta, schemas, history, journal, failures, _commit] = statements(outcome)?;
    let mut state = standing(meta, schemas, history)?;
    for row in journal.rows {
        let [schema, version, direction, statement, checksum, done] = cells(row)?;
        let direction = if direction == "up" { Direction::Up } else { Direction::Down };
        let key = (migration_id(schema, &version)?, direction);
        let entry = Journalled { checksum, done: done == "done" };
        state.journal.entry(key).or_default().insert(usize::try_from(number(&statement)?).unwrap_or(0), entry);
    }
    for row in failures.rows {
        let [schema, version, error] = cells(row)?;
        state.failures.insert(migration_id(schema, &version)?, error);
    }
    // A migration with a backfill under way is one with a journal.
    if !state.journal.is_empty() {
        state.backfills = backfill::read(conn).await?;
    }
    Ok(state)
}

/// What `conn` answered to [`read_sparing`]; where that does not tell, it is asked for all.
pub(crate) async fn understand_sparing(
    conn: &AdminConn,
    answer: Result<BatchOutcome, BatchError>,
) -> Result<State, EngineError> {
    let outcome = match answer {
        Ok(outcome) => outcome,
        Err(error) => return understand(conn, Err(error)).await,
    };
    let [_begin, meta, schemas, history, sizes, _commit] = statements(outcome)?;
    let is_empty = |size: &Option<String>| size.as_deref() == Some("0");
    if sizes.rows.iter().flatten().all(is_empty) { standing(meta, schemas, history) } else { read(conn).await }
}

/// The state where nothing is in the middle.
fn standing(
    meta: StatementOutcome,
    schemas: StatementOutcome,
    history: StatementOutcome,
) -> Result<State, EngineError> {
    let mut state = State { installed: true, ..State::default() };
    state.schemas = schemas.rows.into_iter().flatten().flatten().collect();
    for row in meta.rows {
        let [key, value] = cells(row)?;
        match key.as_str() {
            "schema_version" => check_version(&value)?,
            "catalogue" => state.catalogue = Some(value),
            "audit" => state.audit = Some(value),
            _ => {}
        }
    }
    state.applied.reserve(history.rows.len());
    for row in history.rows {
        let [schema, version, service, name, checksum, file_hash, at, id] = cells(row)?;
        let applied = Applied { service, name, checksum, file_hash, since: at, row: number(&id)? };
        state.applied.insert(migration_id(schema, &version)?, applied);
    }
    Ok(state)
}

/// A time as the server writes it in a session of ours: `2026-01-31 08:30:00.25+01`.
pub(crate) fn time_of(text: &str) -> Option<OffsetDateTime> {
    let (date, rest) = text.split_once(' ')?;
    let (time, offset) = rest.split_at(rest.find(['+', '-'])?);
    let numbers = |text: &str, between: char| text.split(between).map(str::parse).collect::<Result<Vec<i32>, _>>().ok();
    let (seconds, fraction) = time.split_once('.').unwrap_or((time, ""));
    let (date, time, offset) =
        (numbers(date, '-')?, numbers(seconds, ':')?, (numbers(&offset[1..], ':')?, &offset[..1]));
    let ([year, month, day], [hour, minute, second]) =
        (<[i32; 3]>::try_from(date).ok()?, <[i32; 3]>::try_from(time).ok()?);
    let small = |number: i32| u8::try_from(number).ok();
    let date = Date::from_calendar_date(year, Month::try_from(small(month)?).ok()?, small(day)?).ok()?;
    let micros = format!("{fraction:0<6}").parse().ok()?;
    let time = Time::from_hms_micro(small(hour)?, small(minute)?, small(second)?, micros).ok()?;
    let ahead = offset.0.iter().fold((0, 3_600), |(sum, unit), part| (sum + part * unit, unit / 60)).0;
    let ahead = UtcOffset::from_whole_seconds(if offset.1 == "-" { -ahead } else { ahead }).ok()?;
    Some(date.with_time(time).assume_offset(ahead).to_offset(UtcOffset::UTC))
}

fn check_version(value: &str) -> Result<(), EngineError> {
    if value.parse::<u32>().is_ok_and(|version| version <= SCHEMA_VERSION) {
        return Ok(());
    }
    Err(EngineError::new(
        ErrorCode::TargetTooNew,
        format!("the target's history is of version {value}, and this program knows up to {SCHEMA_VERSION}"),
    )
    .cure("use the newer release that wrote it"))
}

fn statements<const N: usize>(outcome: BatchOutcome) -> Result<[StatementOutcome; N], EngineError> {
    outcome.statements.try_into().map_err(|_| malformed("another number of answers"))
}

pub(crate) fn cells<const N: usize>(row: Vec<Option<String>>) -> Result<[String; N], EngineError> {
    let cells: Vec<String> = row.into_iter().map(Option::unwrap_or_default).collect();
    cells.try_into().map_err(|_| malformed("another number of columns"))
}

pub(crate) fn migration_id(schema: String, version: &str) -> Result<MigrationId, EngineError> {
    Ok(MigrationId::new(schema, Version::from_stored(number(version)?)))
}

pub(crate) fn number(text: &str) -> Result<i64, EngineError> {
    text.parse().map_err(|_| malformed(text))
}

fn malformed(what: &str) -> EngineError {
    EngineError::new(ErrorCode::Internal, format!("the history tables answered something unexpected: {what}"))
}

/// What a history row says.
pub(crate) struct NewRow<'a> {
    pub id: &'a MigrationId,
    pub service: &'a str,
    pub name: &'a str,
    pub up_sql: &'a str,
    pub down_sql: &'a str,
    pub checksum: &'a str,
    pub file_hash: &'a str,
    pub late: bool,
    pub actor: &'a str,
    pub run_id: Uuid,
    /// Milliseconds; `None` takes the time since the transaction began, as the column has it: a default's functions are found, while
    /// those of a statement are looked up.
    pub duration_ms: Option<u64>,
}

/// The statement that writes a history row.
pub(crate) fn insert(row: &NewRow<'_>) -> String {
    let duration = row.duration_ms.map_or_else(|| "DEFAULT".to_owned(), |ms| ms.to_string());
    format!(
        "INSERT INTO migration_service.history (service, schema_name, version, name, checksum, file_hash, up_sql, down_sql, \
         late, applied_by, duration_ms, run_id) VALUES ({}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {duration}, '{}')",
        literal(row.service),
        literal(&row.id.schema),
        row.id.version,
        literal(row.name),
        literal(row.checksum),
        literal(row.file_hash),
        literal(row.up_sql),
        literal(row.down_sql),
        row.late,
        literal(row.actor),
        row.run_id,
    )
}

/// The statement that marks a history row as taken back.
pub(crate) fn mark_rolled_back(row: i64, actor: &str, run_id: Uuid) -> String {
    format!(
        "UPDATE migration_service.history SET rolled_back_at = clock_timestamp(), rolled_back_by = {}, \
         rollback_run_id = '{run_id}' WHERE id = {row} AND rolled_back_at IS NULL",
        literal(actor)
    )
}

/// The statement that journals one statement of a migration.
pub(crate) fn journal(
    id: &MigrationId,
    direction: Direction,
    statement: usize,
    checksum: &str,
    done: bool,
    run_id: Uuid,
) -> String {
    let state = if done { "done" } else { "started" };
    format!(
        "INSERT INTO migration_service.journal (schema_name, version, direction, statement, statement_checksum, state, run_id) \
         VALUES ({}, {}, '{}', {statement}, {}, '{state}', '{run_id}') ON CONFLICT (schema_name, version, direction, statement) \
         DO UPDATE SET state = excluded.state, statement_checksum = excluded.statement_checksum, run_id = excluded.run_id, \
         at = clock_timestamp()",
        literal(&id.schema),
        id.version,
        direction.as_str(),
        literal(checksum),
    )
}

/// The statement that forgets that one statement of a migration was begun.
pub(crate) fn forget_statement(id: &MigrationId, direction: Direction, statement: usize) -> String {
    format!(
        "DELETE FROM migration_service.journal WHERE schema_name = {} AND version = {} AND direction = '{}' \
         AND statement = {statement} AND state = 'started'",
        literal(&id.schema),
        id.version,
        direction.as_str(),
    )
}

/// The statements that forget what is known of unfinished attempts at a migration.
pub(crate) fn clear(id: &MigrationId) -> String {
    let (schema, version) = (literal(&id.schema), id.version);
    format!(
        "DELETE FROM migration_service.journal WHERE schema_name = {schema} AND version = {version}; \
         DELETE FROM migration_service.failure WHERE schema_name = {schema} AND version = {version}"
    )
}

/// The statement that remembers why a migration failed.
pub(crate) fn failure(id: &MigrationId, checksum: &str, error: &str, run_id: Uuid) -> String {
    format!(
        "INSERT INTO migration_service.failure (schema_name, version, run_id, checksum, error) VALUES ({}, {}, '{run_id}', {}, {}) \
         ON CONFLICT (schema_name, version) DO UPDATE SET at = clock_timestamp(), run_id = excluded.run_id, \
         checksum = excluded.checksum, error = excluded.error",
        literal(&id.schema),
        id.version,
        literal(checksum),
        literal(error),
    )
}

/// The statement that remembers a value of this target.
pub(crate) fn set_meta(key: &str, value: &str) -> String {
    format!(
        "INSERT INTO migration_service.meta (key, value) VALUES ({}, {}) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
        literal(key),
        literal(value)
    )
}

/// The statement that remembers a seed file.
pub(crate) fn seed(service: &str, schema: &str, name: &str, checksum: &str, actor: &str, run_id: Uuid) -> String {
    format!(
        "INSERT INTO migration_service.seed (service, schema_name, name, checksum, applied_by, duration_ms, run_id) VALUES \
         ({}, {}, {}, {}, {}, (extract(epoch FROM clock_timestamp() - transaction_timestamp()) * 1000)::bigint, '{run_id}') \
         ON CONFLICT (schema_name, name) DO UPDATE SET service = excluded.service, checksum = excluded.checksum, \
         applied_at = excluded.applied_at, applied_by = excluded.applied_by, duration_ms = excluded.duration_ms, run_id = excluded.run_id",
        literal(service),
        literal(schema),
        literal(name),
        literal(checksum),
        literal(actor),
    )
}

#[cfg(test)]
mod tests {
    use super::time_of;

    #[test]
    fn a_time_is_what_the_server_wrote() {
        let utc = |text: &str| time_of(text).map(|time| time.to_string());
        for (written, time) in [
            ("2026-01-31 08:30:00.25+01", "2026-01-31 7:30:00.25 +00:00:00"),
            ("2026-12-31 20:00:00-05:30", "2027-01-01 1:30:00.0 +00:00:00"),
            ("2026-11-23 16:58:33.123456+00", "2026-11-23 16:58:33.123456 +00:00:00"),
            ("1850-01-01 00:00:00+00:09:21", "1849-12-31 23:50:39.0 +00:00:00"),
        ] {
            assert_eq!(utc(written).as_deref(), Some(time), "{written}");
        }
        for other in ["infinity", "", "2026-13-01 00:00:00+00", "2026-01-01 00:00:00"] {
            assert_eq!(utc(other), None, "{other}");
        }
    }
}
