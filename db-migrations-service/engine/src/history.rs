//! Reading the history, and putting an edited migration on record.

use std::fmt::Write as _;

use postgres_link::AdminConn;
use uuid::Uuid;

use crate::error::{EngineError, ErrorCode};
use crate::migration::MigrationId;
use crate::project::{Project, Script};
use crate::request::HistoryFilter;
use crate::status::{AcceptedHazard, HistoryEntry};
use crate::target::quote::literal;
use crate::target::session::own_statement;
use crate::target::store;

const DEFAULT_LIMIT: usize = 100;

pub(crate) async fn read(conn: &AdminConn, filter: &HistoryFilter) -> Result<Vec<HistoryEntry>, EngineError> {
    let microseconds = |column: &str| format!("(extract(epoch FROM {column}) * 1000000)::bigint");
    // Without the texts only what could accept a hazard: the comments at a file's head.
    let sql =
        if filter.with_sql { "up_sql, down_sql" } else { "CASE WHEN up_sql LIKE '%accept:%' THEN up_sql END, NULL" };
    let mut query = format!(
        "SELECT id, service, schema_name, version, name, checksum, {}, applied_by, duration_ms, run_id, late, {}, rolled_back_by, \
         rollback_run_id, {sql} FROM migration_service.history WHERE true",
        microseconds("applied_at"),
        microseconds("rolled_back_at")
    );
    // Writing into a String cannot fail.
    if let Some(service) = &filter.service {
        let _ = write!(query, " AND service = {}", literal(service));
    }
    if let Some(id) = &filter.migration {
        let _ = write!(query, " AND schema_name = {} AND version = {}", literal(&id.schema), id.version);
    }
    if let Some(run) = filter.run_id {
        let _ = write!(query, " AND (run_id = '{run}' OR rollback_run_id = '{run}')");
    }
    if let Some(before) = filter.before {
        let _ = write!(query, " AND id < {before}");
    }
    let limit = if filter.limit == 0 { DEFAULT_LIMIT } else { filter.limit };
    let _ = write!(query, " ORDER BY id DESC LIMIT {limit}");
    let outcome = match conn.batch(&query).await {
        Ok(outcome) => outcome,
        Err(error) if matches!(error.sqlstate(), Some("42P01" | "3F000")) => return Ok(Vec::new()),
        Err(error) => return Err(own_statement(&error, "reading the history")),
    };
    outcome.statements.into_iter().flat_map(|s| s.rows).map(|row| entry(row, filter.with_sql)).collect()
}

fn entry(row: Vec<Option<String>>, with_sql: bool) -> Result<HistoryEntry, EngineError> {
    let [
        id,
        service,
        schema,
        version,
        name,
        checksum,
        at,
        by,
        duration,
        run,
        late,
        back_at,
        back_by,
        back_run,
        up,
        down,
    ] = store::cells(row)?;
    let some = |text: String| Some(text).filter(|t| !t.is_empty());
    let when = |text: &str| store::number(text).ok().and_then(crate::compare::time_of);
    let accepted = accepted(&up, &schema);
    Ok(HistoryEntry {
        id: store::number(&id)?,
        service,
        migration: store::migration_id(schema, &version)?,
        name,
        checksum,
        applied_at: when(&at).unwrap_or(time::OffsetDateTime::UNIX_EPOCH),
        applied_by: by,
        duration_ms: store::number(&duration)?,
        run_id: uuid(&run).unwrap_or_default(),
        late: late == "t",
        rolled_back_at: when(&back_at),
        rolled_back_by: some(back_by),
        rollback_run_id: uuid(&back_run),
        accepted,
        up_sql: with_sql.then_some(up),
        down_sql: with_sql.then_some(down),
    })
}

/// The hazards that the text as applied accepts.
fn accepted(up_sql: &str, schema: &str) -> Vec<AcceptedHazard> {
    if !up_sql.contains("accept:") {
        return Vec::new();
    }
    let script = Script::parse("up SQL from the history", up_sql.to_owned(), schema);
    let accepts = script.map(|script| script.directives.accepts).unwrap_or_default();
    accepts.into_iter().map(|(hazard, reason)| AcceptedHazard { hazard, reason }).collect()
}

fn uuid(text: &str) -> Option<Uuid> {
    Uuid::parse_str(text).ok()
}

/// Accepts the files of one applied migration as they are now. Answers the checksum before and after.
pub(crate) async fn bless(
    conn: &AdminConn,
    project: &Project,
    id: &MigrationId,
    reason: &str,
    actor: &str,
) -> Result<(String, String), EngineError> {
    if reason.trim().is_empty() {
        return Err(EngineError::new(ErrorCode::Edited, "a blessing needs its reason")
            .cure("say why the target is right as it is")
            .migration(id));
    }
    let state = store::read(conn).await?;
    let unknown = |what: &str| {
        EngineError::new(ErrorCode::UnknownMigration, format!("{id} {what}"))
            .cure("`profe migrate status` lists what is edited")
            .migration(id)
    };
    let applied = state.applied.get(id).ok_or_else(|| unknown("is not applied here"))?;
    let migration = project.migration(id).ok_or_else(|| unknown("has no file"))?;
    let (up, down) = (project.up_sql(migration)?, project.down_sql(migration)?);
    Script::parse(&migration.up, up.clone(), &id.schema)?;
    Script::parse(&migration.down, down.clone(), &id.schema)?;
    let checksum = sql_grammar::checksum(&up);
    let message = format!(
        "UPDATE migration_service.history SET first_checksum = coalesce(first_checksum, checksum), checksum = {}, file_hash = {}, \
         down_sql = {}, blessed_at = clock_timestamp(), blessed_by = {}, blessed_reason = {} WHERE id = {} AND rolled_back_at IS NULL RETURNING 1",
        literal(&checksum),
        literal(&project.up_hash(migration, &up)?),
        literal(&down),
        literal(actor),
        literal(reason),
        applied.row
    );
    let outcome = conn.batch(&message).await.map_err(|e| own_statement(&e, "recording the blessing"))?;
    if outcome.value(0, 0).is_none() {
        return Err(unknown("was rolled back meanwhile"));
    }
    Ok((applied.checksum.clone(), checksum))
}
