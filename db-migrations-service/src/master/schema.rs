//! Creates and upgrades the service's own tables.

use postgres_link::{AdminConn, BatchError, ConnectOptions, sqlstate};

use super::MasterError;

/// The version that [`TABLES`] leave behind. A change to them is a new number here.
const VERSION: i32 = 7;
/// What makes and upgrades the tables; each can be run again over what it has made.
const TABLES: &[&str] = &[
    include_str!("schema/core.sql"),
    include_str!("schema/backups.sql"),
    include_str!("schema/restores.sql"),
    include_str!("schema/runs.sql"),
    include_str!("schema/events.sql"),
    include_str!("schema/alerts.sql"),
    include_str!("schema/fleets.sql"),
    include_str!("schema/releases.sql"),
    include_str!("schema/webhooks.sql"),
];
/// Two processes that start together take turns. "profe mst" in ASCII, as the number of an advisory lock.
const LOCK: i64 = 0x7072_6F66_6D73_7400;

/// Creates the master database on the private cluster.
pub(super) async fn create_database(connect: &ConnectOptions) -> Result<(), MasterError> {
    let session = postgres_link::connect(&connect.clone().with_database("postgres")).await?;
    let name = connect.database().replace('"', "\"\"");
    match session.batch(&format!(r#"CREATE DATABASE "{name}""#)).await {
        // Another process was faster.
        Err(error) if matches!(error.sqlstate(), Some(sqlstate::DUPLICATE_DATABASE | sqlstate::UNIQUE_VIOLATION)) => {
            Ok(())
        }
        other => other.map(|_| ()).map_err(MasterError::from),
    }
}

/// Looks at the version first: a user who may not create anything can use tables that are there.
pub(super) async fn bring_up_to_date(session: &AdminConn) -> Result<(), MasterError> {
    match version(session).await? {
        Some(VERSION) => return Ok(()),
        Some(newer) if newer > VERSION => return Err(MasterError::newer(newer, VERSION)),
        _ => {}
    }
    let script = format!(
        "BEGIN; SELECT pg_advisory_xact_lock({LOCK});\n{}\n\
         INSERT INTO migration_service.master_meta (key, value) VALUES ('schema_version', '{VERSION}') \
         ON CONFLICT (key) DO UPDATE SET value = excluded.value;\nCOMMIT;",
        TABLES.join("\n")
    );
    match session.batch(&script).await {
        // CREATE SCHEMA IF NOT EXISTS is not safe against the engine's doing the same at the same moment.
        Err(error) if error.sqlstate() == Some(sqlstate::UNIQUE_VIOLATION) => {
            session.batch("ROLLBACK").await?;
            session.batch(&script).await?;
        }
        Err(error) => return Err(error.into()),
        Ok(_) => {}
    }
    Ok(())
}

async fn version(session: &AdminConn) -> Result<Option<i32>, MasterError> {
    let sql = "SELECT value FROM migration_service.master_meta WHERE key = 'schema_version'";
    match session.batch(sql).await {
        Ok(outcome) => Ok(outcome.value(0, 0).and_then(|text| text.parse().ok())),
        Err(error) if is_absent(&error) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn is_absent(error: &BatchError) -> bool {
    matches!(error.sqlstate(), Some(sqlstate::UNDEFINED_TABLE | sqlstate::INVALID_SCHEMA_NAME))
}
