//! The migration history's rows for the schemas that are swapped.

use postgres_link::AdminConn;
use postgres_link::quote::{identifier, literal};

use super::names::Names;
use crate::error::VaultError;
use crate::manifest::{BackupId, HISTORY_SCHEMA};
use crate::restore::own;

/// The statements that put the history to what the database beside has of these schemas.
///
/// What the log of changes tells of must stay: a migration that was applied after the backup is taken back by the restore, and its row
/// says so; one that was taken back after it is applied once more, by a row of its own. The other tables that tell of a schema by its
/// name say what they said.
pub(super) async fn read(beside: &AdminConn, names: &Names, id: &BackupId) -> Result<Vec<String>, VaultError> {
    let mut statements = state(beside, names).await?;
    statements.extend(applied(beside, names, id).await?);
    // The rights that came back are those of then: the next run grants what the catalogue says now.
    statements.push(format!(
        "DO $do$ BEGIN IF to_regclass('{HISTORY_SCHEMA}.meta') IS NOT NULL THEN \
         DELETE FROM {HISTORY_SCHEMA}.meta WHERE key = 'catalogue'; END IF; END $do$"
    ));
    Ok(statements)
}

/// The history itself.
async fn applied(beside: &AdminConn, names: &Names, id: &BackupId) -> Result<Vec<String>, VaultError> {
    let table = format!("{HISTORY_SCHEMA}.history");
    let own = own("reading the backup's migration history");
    let there = beside.batch(&format!("SELECT to_regclass('{table}') IS NOT NULL")).await.map_err(&own)?;
    if there.value(0, 0) != Some("t") {
        return Ok(Vec::new());
    }
    let query = format!(
        "SELECT to_jsonb(h) FROM {table} h WHERE rolled_back_at IS NULL AND schema_name IN ({}) ORDER BY id",
        names.list()
    );
    let rows = beside.batch(&query).await.map_err(&own)?;
    let rows: Vec<String> = rows.rows().filter_map(|row| row.first().cloned().flatten()).collect();
    let whose = literal(&format!("restore of backup {id}"));
    let kept = literal(&format!("[{}]", rows.join(",")));
    let columns = "service, schema_name, version, name, checksum, file_hash, up_sql, down_sql, late, applied_at, applied_by, \
                   duration_ms, run_id, blessed_at, blessed_by, blessed_reason, first_checksum";
    let same = "h.schema_name = b.schema_name AND h.version = b.version AND h.rolled_back_at IS NULL AND h.checksum = b.checksum";
    Ok(vec![
        format!(
            "UPDATE {table} h SET rolled_back_at = clock_timestamp(), rolled_back_by = {whose} WHERE h.schema_name IN ({}) \
             AND h.rolled_back_at IS NULL AND NOT EXISTS (SELECT FROM jsonb_populate_recordset(NULL::{table}, {kept}::jsonb) b WHERE {same})",
            names.list()
        ),
        format!(
            "INSERT INTO {table} ({columns}) SELECT {} FROM jsonb_populate_recordset(NULL::{table}, {kept}::jsonb) b \
             WHERE NOT EXISTS (SELECT FROM {table} h WHERE {same}) ORDER BY b.id",
            columns.replace("run_id", "gen_random_uuid()")
        ),
    ])
}

/// Every other table that tells of a schema by its name.
async fn state(beside: &AdminConn, names: &Names) -> Result<Vec<String>, VaultError> {
    let own = own("reading the backup's migration history");
    let tables = beside
        .batch(&format!(
            "SELECT c.relname, string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum) \
               FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped \
              WHERE c.relnamespace = to_regnamespace({}) AND c.relkind = 'r' AND c.relname <> 'history' AND a.attidentity = '' \
                AND EXISTS (SELECT FROM pg_attribute s WHERE s.attrelid = c.oid AND s.attname = 'schema_name' AND NOT s.attisdropped) \
              GROUP BY c.oid, c.relname ORDER BY c.relname",
            literal(HISTORY_SCHEMA)
        ))
        .await
        .map_err(&own)?;
    let mut statements = Vec::new();
    for row in tables.rows() {
        let [Some(table), Some(columns)] = row else { continue };
        let name = format!("{HISTORY_SCHEMA}.{}", identifier(table));
        let query = format!(
            "SELECT coalesce(jsonb_agg(to_jsonb(t)), '[]') FROM {name} t WHERE schema_name IN ({})",
            names.list()
        );
        let rows = beside.batch(&query).await.map_err(&own)?;
        statements.push(format!("DELETE FROM {name} WHERE schema_name IN ({})", names.list()));
        statements.push(format!(
            "INSERT INTO {name} ({columns}) SELECT {columns} FROM jsonb_populate_recordset(NULL::{name}, {}::jsonb)",
            literal(rows.value(0, 0).unwrap_or("[]"))
        ));
    }
    Ok(statements)
}
