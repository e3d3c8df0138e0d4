//! Creates and upgrades the service's own tables.
//!
//! Copies of two releases serve side by side while one takes the other's place, so a change here only adds: what the release before
//! reads and writes stays as it was. A copy that has worked with older tables goes on when newer ones take their place; one that
//! starts refuses them, because it cannot know how much newer they are.

use postgres_link::{AdminConn, BatchError, ConnectOptions, sqlstate};
use time::OffsetDateTime;

use super::MasterError;

/// The version that [`TABLES`] leave behind. A change to them is a new number here.
const VERSION: i32 = 8;
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
    include_str!("schema/meters.sql"),
];
/// An SQLSTATE of our own: the tables are those of a newer program.
const NEWER: &str = "PF001";
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

/// Looks at the version first: a user who may not create anything can use tables that are there. Answers the database's time where
/// that was told along. `has_worked`: this process has used the tables before, and goes on with newer ones.
pub(super) async fn bring_up_to_date(
    session: &AdminConn,
    has_worked: bool,
) -> Result<Option<OffsetDateTime>, MasterError> {
    let (found, now) = version(session).await?;
    match found {
        Some(VERSION) => return Ok(now),
        Some(newer) if newer > VERSION && has_worked => return Ok(now),
        Some(newer) if newer > VERSION => return Err(MasterError::newer(newer, VERSION)),
        _ => {}
    }
    match upgrade(session).await {
        // Whoever had the lock before knows more.
        Err(error) if error.sqlstate() == Some(NEWER) => {
            session.batch("ROLLBACK").await?;
            let (newer, _) = version(session).await?;
            Err(MasterError::newer(newer.unwrap_or_default(), VERSION))
        }
        Err(error) => Err(error.into()),
        Ok(()) => Ok(now),
    }
}

/// In one transaction, under a lock, and not over the tables of a newer program.
async fn upgrade(session: &AdminConn) -> Result<(), BatchError> {
    let script = format!(
        "BEGIN; SELECT pg_advisory_xact_lock({LOCK});\n\
         DO $do$ DECLARE found int; BEGIN IF to_regclass('migration_service.master_meta') IS NOT NULL THEN \
         EXECUTE 'SELECT value::int FROM migration_service.master_meta WHERE key = ''schema_version''' INTO found; \
         IF found > {VERSION} THEN RAISE 'newer' USING ERRCODE = '{NEWER}'; END IF; END IF; END $do$;\n{}\n\
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
        Err(error) => return Err(error),
        Ok(_) => {}
    }
    Ok(())
}

async fn version(session: &AdminConn) -> Result<(Option<i32>, Option<OffsetDateTime>), MasterError> {
    let sql = "SELECT value, (extract(epoch FROM clock_timestamp()) * 1000000)::bigint \
               FROM migration_service.master_meta WHERE key = 'schema_version'";
    match session.batch(sql).await {
        Ok(outcome) => {
            let micros = outcome.value(0, 1).and_then(|text| text.parse::<i128>().ok());
            let now = micros.and_then(|micros| OffsetDateTime::from_unix_timestamp_nanos(micros * 1000).ok());
            Ok((outcome.value(0, 0).and_then(|text| text.parse().ok()), now))
        }
        Err(error) if is_absent(&error) => Ok((None, None)),
        Err(error) => Err(error.into()),
    }
}

fn is_absent(error: &BatchError) -> bool {
    matches!(error.sqlstate(), Some(sqlstate::UNDEFINED_TABLE | sqlstate::INVALID_SCHEMA_NAME))
}
