//! Reading the log.

use std::fmt::Write as _;

use postgres_link::AdminConn;
use serde_json::Value;
use time::OffsetDateTime;

use super::chain::{CELLS, try_seal};
use super::history::{JOINED, SQL};
use super::install::{self, off};
use super::objects::{granted, objects};
use super::{AuditEntry, AuditFilter, AuditPage, LONGEST_STATEMENT};
use crate::compare::time_of;
use crate::error::{EngineError, ErrorCode};
use crate::project::Script;
use crate::target::quote::literal;
use crate::target::session::own_statement;
use crate::target::store;

const DEFAULT_LIMIT: usize = 100;

pub(super) async fn read(conn: &AdminConn, filter: &AuditFilter) -> Result<AuditPage, EngineError> {
    let off = off_because(conn).await?;
    // What the history knows is in the log once it is sealed; who may not seal reads what there is.
    try_seal(conn).await;
    let entries = match conn.batch(&query(filter)).await {
        Ok(outcome) => outcome.statements.into_iter().flat_map(|s| s.rows).map(entry).collect::<Result<_, _>>()?,
        Err(error) if is_absent(&error) => Vec::new(),
        Err(error) => return Err(own_statement(&error, "reading the audit")),
    };
    Ok(AuditPage { off, entries })
}

/// Why nothing is recorded.
pub(super) async fn off_because(conn: &AdminConn) -> Result<Option<String>, EngineError> {
    match conn.batch(install::STATE).await {
        Ok(outcome) => Ok(off(outcome.value(0, 0))),
        Err(error) if is_absent(&error) => Ok(off(None)),
        Err(error) => Err(own_statement(&error, "reading the audit's state")),
    }
}

fn is_absent(error: &postgres_link::BatchError) -> bool {
    matches!(error.sqlstate(), Some("42P01" | "3F000"))
}

fn query(filter: &AuditFilter) -> String {
    let mut query = String::from("SELECT * FROM migration_service.audit_entry e WHERE true");
    // Writing into a String cannot fail.
    for (time, operator) in [(filter.since, ">="), (filter.until, "<")] {
        if let Some(time) = time {
            let micros = time.unix_timestamp_nanos() / 1_000;
            let _ =
                write!(query, " AND e.at {operator} timestamptz '1970-01-01Z' + {micros} * interval '1 microsecond'");
        }
    }
    if let Some(role) = filter.role.as_deref().map(literal) {
        let _ = write!(query, " AND {role} IN (e.session_role, e.acting_role)");
    }
    if let Some(schemas) = &filter.schemas {
        let list = schemas.iter().map(|schema| literal(schema)).collect::<Vec<_>>().join(",");
        let list = if list.is_empty() { "NULL" } else { &list };
        let _ = write!(
            query,
            " AND (split_part(e.migration, '/', 1) IN ({list}) OR EXISTS (SELECT FROM jsonb_array_elements(e.objects) o \
             WHERE o ->> 'schema' IN ({list}) OR o ->> 'type' = 'schema' AND o ->> 'identity' IN ({list})))"
        );
    }
    if let Some(via) = filter.via_service {
        let _ = write!(query, " AND e.via_service = {via}");
    }
    if let Some(command) = filter.command.as_deref().map(literal) {
        let _ = write!(query, " AND e.command = upper({command})");
    }
    if let Some(before) = filter.before {
        let _ = write!(query, " AND e.id < {before}");
    }
    let limit = if filter.limit == 0 { DEFAULT_LIMIT } else { filter.limit };
    let _ = write!(query, " ORDER BY e.id DESC LIMIT {limit}");
    format!("SELECT {CELLS}, {SQL} FROM ({query}) e {JOINED} ORDER BY e.id DESC")
}

fn entry(row: Vec<Option<String>>) -> Result<AuditEntry, EngineError> {
    let cells: [Option<String>; 19] = row
        .try_into()
        .map_err(|_| EngineError::new(ErrorCode::Internal, "the audit answered another number of columns"))?;
    let [
        id,
        at,
        event,
        command,
        session_role,
        acting_role,
        application,
        address,
        pid,
        transaction,
        objects,
        statement,
        statement_bytes,
        statement_sha256,
        context,
        via_service,
        run_id,
        migration,
        sql,
    ] = cells;
    let recorded: Value = objects.and_then(|json| serde_json::from_str(&json).ok()).unwrap_or_default();
    let recorded = statement.as_deref().and_then(|text| granted(&recorded, text)).unwrap_or(recorded);
    let done = sql.zip(migration.as_deref()).map(|(sql, migration)| done(sql, migration));
    let number = |cell: &Option<String>| store::number(cell.as_deref().unwrap_or("0"));
    Ok(AuditEntry {
        id: number(&id)?,
        at: time_of(number(&at)?).unwrap_or(OffsetDateTime::UNIX_EPOCH),
        event: event.unwrap_or_default(),
        command: command.unwrap_or_default(),
        session_role: session_role.unwrap_or_default(),
        acting_role: acting_role.unwrap_or_default(),
        application: application.unwrap_or_default(),
        address,
        pid: i32::try_from(number(&pid)?).unwrap_or_default(),
        transaction,
        objects: match &done {
            Some((_, objects)) => objects.clone(),
            None => recorded,
        },
        statement: done.map(|(sql, _)| sql).or(statement),
        statement_bytes: statement_bytes.as_deref().map(store::number).transpose()?,
        statement_sha256,
        context,
        via_service: via_service.as_deref() == Some("t"),
        run_id: run_id.and_then(|id| id.parse().ok()),
        migration,
    })
}

/// What a migration's SQL shows of itself: as much of it as the log keeps, and its objects.
fn done(mut sql: String, migration: &str) -> (String, Value) {
    let schema = migration.split('/').next().unwrap_or_default();
    let objects = Script::parse(migration, sql.clone(), schema).map_or(Value::Null, |script| objects(&script));
    if let Some((end, _)) = sql.char_indices().nth(LONGEST_STATEMENT) {
        sql.truncate(end);
    }
    (sql, objects)
}
