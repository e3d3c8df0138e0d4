//! How far a backfill has come, in the target: a row that each batch moves in its own transaction.

use std::collections::BTreeMap;

use postgres_link::AdminConn;
use uuid::Uuid;

use crate::error::EngineError;
use crate::migration::MigrationId;
use crate::run::steps::{Record, Step};
use crate::target::quote::literal;
use crate::target::session::own_statement;
use crate::target::store::{self, Direction};

/// Part of the engine's own tables since version 1 of them; made wherever it is missing.
pub(crate) const CREATE: &str = include_str!("../../target/backfill.sql");

/// The key of a row, column by column, as texts.
pub(crate) type Key = Vec<String>;

/// A backfill that was begun and whose migration is not done.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Begun {
    pub id: MigrationId,
    pub direction: Direction,
    pub statement: usize,
    pub relation: String,
    pub key_columns: Vec<String>,
    pub done_to: Option<Key>,
    pub walk_to: Option<Key>,
    pub rows_done: u64,
    pub rows_estimated: u64,
    pub rows_per_second: Option<f64>,
    pub batches: u64,
    pub batch_rows: u64,
    pub is_filled: bool,
    pub waits_for: Option<String>,
    pub service: String,
    pub name: String,
    pub up_sql: String,
    pub down_sql: String,
    /// Microseconds since 1970.
    pub since_us: i64,
    pub at_us: i64,
}

/// All backfills under way, by migration, direction and statement.
pub(crate) type All = BTreeMap<(MigrationId, Direction, usize), Begun>;

/// Reads all of them.
pub(crate) async fn read(conn: &AdminConn) -> Result<All, EngineError> {
    let query = "SELECT schema_name, version, direction, statement, relation, key_columns, done_to, walk_to, rows_done, \
                 rows_estimated, rows_per_second, batches, batch_rows, is_filled, waits_for, service, name, up_sql, down_sql, \
                 (extract(epoch FROM begun_at) * 1000000)::bigint, (extract(epoch FROM at) * 1000000)::bigint \
                 FROM migration_service.backfill";
    let outcome = match conn.batch(query).await {
        Ok(outcome) => outcome,
        Err(error) if matches!(error.sqlstate(), Some("42P01" | "3F000")) => return Ok(All::new()),
        Err(error) => return Err(own_statement(&error, "reading how far backfills have come")),
    };
    let rows = outcome.statements.into_iter().flat_map(|s| s.rows);
    rows.map(|row| {
        let [
            schema,
            version,
            direction,
            statement,
            relation,
            key_columns,
            done_to,
            walk_to,
            rows_done,
            rows_estimated,
            rate,
            batches,
            batch_rows,
            is_filled,
            waits_for,
            service,
            name,
            up_sql,
            down_sql,
            begun,
            at,
        ] = store::cells(row)?;
        let count = |text: &str| store::number(text).map(|n| u64::try_from(n).unwrap_or(0));
        let direction = if direction == "up" { Direction::Up } else { Direction::Down };
        let statement = usize::try_from(store::number(&statement)?).unwrap_or(0);
        let id = store::migration_id(schema, &version)?;
        let begun = Begun {
            id: id.clone(),
            direction,
            statement,
            relation,
            key_columns: key(&key_columns).unwrap_or_default(),
            done_to: key(&done_to),
            walk_to: key(&walk_to),
            rows_done: count(&rows_done)?,
            rows_estimated: count(&rows_estimated)?,
            rows_per_second: rate.parse().ok(),
            batches: count(&batches)?,
            batch_rows: count(&batch_rows)?,
            is_filled: is_filled == "t",
            waits_for: Some(waits_for).filter(|why| !why.is_empty()),
            service,
            name,
            up_sql,
            down_sql,
            since_us: store::number(&begun)?,
            at_us: store::number(&at)?,
        };
        Ok(((id, direction, statement), begun))
    })
    .collect()
}

/// A key out of its JSON; `None` for none.
pub(super) fn key(json: &str) -> Option<Key> {
    serde_json::from_str(json).ok()
}

fn json(key: &[String]) -> String {
    literal(&serde_json::Value::from(key.to_vec()).to_string())
}

fn place(step: &Step, statement: usize) -> String {
    format!("{} AND statement = {statement}", of(&step.id, step.direction))
}

fn of(id: &MigrationId, direction: Direction) -> String {
    format!(
        "schema_name = {} AND version = {} AND direction = '{}'",
        literal(&id.schema),
        id.version,
        direction.as_str()
    )
}

/// The statement that begins a backfill, or begins it again: from the first row.
pub(super) fn begin(
    step: &Step,
    statement: usize,
    relation: &str,
    key_columns: &[String],
    rows_estimated: u64,
    batch_rows: u64,
    run_id: Uuid,
) -> String {
    let (up_sql, down_sql) = match &step.record {
        Record::Applied { up_sql, down_sql, .. } => (up_sql.as_str(), down_sql.as_str()),
        _ => ("", ""),
    };
    format!(
        "INSERT INTO migration_service.backfill (schema_name, version, direction, statement, relation, key_columns, \
         rows_estimated, batch_rows, service, name, up_sql, down_sql, run_id) \
         VALUES ({}, {}, '{}', {statement}, {}, {}, {rows_estimated}, {batch_rows}, {}, {}, {}, {}, '{run_id}') \
         ON CONFLICT (schema_name, version, direction, statement) DO UPDATE SET relation = excluded.relation, \
         key_columns = excluded.key_columns, done_to = NULL, walk_to = NULL, rows_done = 0, is_filled = false, \
         rows_estimated = excluded.rows_estimated, batch_rows = excluded.batch_rows, run_id = excluded.run_id, waits_for = NULL, \
         at = clock_timestamp()",
        literal(&step.id.schema),
        step.id.version,
        step.direction.as_str(),
        literal(relation),
        json(key_columns),
        literal(&step.service),
        literal(&step.name),
        literal(up_sql),
        literal(down_sql),
    )
}

/// The statement that says how far a walk leads.
pub(super) fn lead_to(step: &Step, statement: usize, walk_to: &[String]) -> String {
    format!("UPDATE migration_service.backfill SET walk_to = {} WHERE {}", json(walk_to), place(step, statement))
}

/// What a batch has done.
pub(super) struct Moved<'a> {
    pub from: Option<&'a [String]>,
    pub to: &'a [String],
    pub rows: u64,
    pub batch_rows: u64,
    pub rows_per_second: f64,
}

/// The statement that moves the row with its batch. It fails where somebody else has moved it: two runners that both believe to
/// hold the lock do not do one batch twice.
pub(super) fn advance(step: &Step, statement: usize, moved: &Moved<'_>, run_id: Uuid) -> String {
    let from = moved.from.map_or_else(|| "NULL".to_owned(), json);
    let update = format!(
        "UPDATE migration_service.backfill SET done_to = {}, rows_done = rows_done + {}, batches = batches + 1, \
         batch_rows = {}, rows_per_second = {:.1}, run_id = '{run_id}', waits_for = NULL, at = clock_timestamp() \
         WHERE {} AND done_to IS NOT DISTINCT FROM {from}::jsonb",
        json(moved.to),
        moved.rows,
        moved.batch_rows,
        moved.rows_per_second,
        place(step, statement),
    );
    let guarded = format!(
        "BEGIN {update}; IF NOT FOUND THEN RAISE EXCEPTION 'another runner has moved this backfill on'; END IF; END"
    );
    format!("DO {}", literal(&guarded))
}

/// The statement that says that a walk is at its end.
pub(super) fn filled(step: &Step, statement: usize) -> String {
    format!(
        "UPDATE migration_service.backfill SET is_filled = true, waits_for = NULL, at = clock_timestamp() WHERE {}",
        place(step, statement)
    )
}

/// The statement that says what the backfills of a migration wait for.
pub(super) fn waits(step: &Step, why: Option<&str>) -> String {
    format!(
        "UPDATE migration_service.backfill SET waits_for = {}, at = clock_timestamp() WHERE {}",
        why.map_or_else(|| "NULL".to_owned(), literal),
        of(&step.id, step.direction)
    )
}

/// The statement that forgets the backfills of a migration.
pub(crate) fn clear(id: &MigrationId) -> String {
    format!(
        "DELETE FROM migration_service.backfill WHERE schema_name = {} AND version = {}",
        literal(&id.schema),
        id.version
    )
}
