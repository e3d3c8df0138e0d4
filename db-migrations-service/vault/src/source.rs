//! The database that is backed up, seen at one moment by everybody who reads it for the backup.

use std::collections::BTreeMap;

use postgres_link::{AdminConn, BatchOutcome, ConnectOptions};
use schema_catalog::Snapshot;

use crate::archive::TableName;
use crate::error::VaultError;
use crate::manifest::{HistoryHead, OutsideKey, Scope};
use crate::roles;

/// An exported snapshot with what it shows. It lasts as long as this.
pub(crate) struct Source {
    pub conn: AdminConn,
    /// Its name, for `pg_dump --snapshot`.
    pub snapshot: String,
    pub facts: Facts,
    pub definitions: Snapshot,
    /// The roles' SQL.
    pub roles: String,
    /// Tables with rows of their own in the scope, the largest first.
    pub tables: Vec<Sized>,
}

/// What a manifest tells of the database.
pub(crate) struct Facts {
    pub origin: String,
    pub server_version_num: u32,
    pub locale: BTreeMap<String, String>,
    pub history: Option<HistoryHead>,
    pub outside_keys: Vec<OutsideKey>,
}

pub(crate) struct Sized {
    pub name: TableName,
    pub bytes: u64,
    /// It belongs to an extension, which says itself what of it is data.
    pub of_extension: bool,
}

const BEGIN: &str = "\
SET statement_timeout = 0; SET lock_timeout = '10s'; SET idle_in_transaction_session_timeout = 0; SET row_security = off;
BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;
SELECT pg_export_snapshot()";

const FACTS: &str = "\
SELECT (SELECT system_identifier FROM pg_control_system()) || '/' || d.oid, pg_encoding_to_char(d.encoding), d.datcollate, d.datctype,
       to_jsonb(d) ->> 'datlocprovider', coalesce(to_jsonb(d) ->> 'datlocale', to_jsonb(d) ->> 'daticulocale')
  FROM pg_database d WHERE d.datname = current_database()";

/// Partitioned tables have no rows of their own; temporary ones are their session's.
const TABLES: &str = "\
SELECT n.nspname, c.relname, pg_table_size(c.oid),
       EXISTS (SELECT FROM pg_depend e WHERE e.classid = 'pg_class'::regclass AND e.objid = c.oid AND e.deptype = 'e')
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind = 'r' AND c.relpersistence <> 't' AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
 ORDER BY 3 DESC, 1, 2";

const HISTORY: &str = "\
SELECT max(id), count(*) FILTER (WHERE rolled_back_at IS NULL),
       (SELECT schema_name || '/' || version FROM migration_service.history WHERE rolled_back_at IS NULL ORDER BY id DESC LIMIT 1)
  FROM migration_service.history";

/// Foreign keys, with both schemas.
const KEYS: &str = "\
SELECT k.oid, n.nspname, t.relname, k.conname, fn.nspname, f.relname, pg_get_constraintdef(k.oid)
  FROM pg_constraint k
  JOIN pg_class t ON t.oid = k.conrelid JOIN pg_namespace n ON n.oid = t.relnamespace
  JOIN pg_class f ON f.oid = k.confrelid JOIN pg_namespace fn ON fn.oid = f.relnamespace
 WHERE k.contype = 'f' AND k.conparentid = 0 AND n.nspname <> fn.nspname
 ORDER BY 2, 3, 4";

impl Source {
    pub(crate) async fn open(connect: &ConnectOptions, scope: &Scope) -> Result<Self, VaultError> {
        let conn = postgres_link::connect(&connect.clone().with_application_name("profe backup")).await?;
        let own = |what: &'static str| move |error| VaultError::server(&error, what);
        let begun = conn.batch(BEGIN).await.map_err(own("taking a snapshot"))?;
        let snapshot = begun.statements.last().and_then(|s| s.rows.first()?.first()?.clone()).unwrap_or_default();
        let facts = conn.batch(FACTS).await.map_err(own("reading the database's settings"))?;
        let cell = |column| facts.value(0, column).map(str::to_owned);
        let locale = ["encoding", "collate", "ctype", "provider", "locale"]
            .into_iter()
            .enumerate()
            .filter_map(|(at, name)| Some((name.to_owned(), cell(at + 1)?)))
            .collect();
        let tables = conn.batch(TABLES).await.map_err(own("listing the tables"))?;
        let keys = conn.batch(KEYS).await.map_err(own("listing the foreign keys"))?;
        let history = history(&conn).await?;
        let roles = roles::read(&conn).await?;
        let definitions = Snapshot::read_within(&conn, &schema_catalog::Scope::all()).await?;
        Ok(Self {
            facts: Facts {
                origin: cell(0).unwrap_or_default(),
                server_version_num: conn.server_version_num(),
                locale,
                history,
                outside_keys: outside(&keys, scope),
            },
            conn,
            snapshot,
            definitions,
            roles,
            tables: sized(&tables, scope),
        })
    }
}

async fn history(conn: &AdminConn) -> Result<Option<HistoryHead>, VaultError> {
    let there = conn.batch("SELECT to_regclass('migration_service.history') IS NOT NULL").await;
    let own = |error| VaultError::server(&error, "reading the migration history");
    if there.map_err(own)?.value(0, 0) != Some("t") {
        return Ok(None);
    }
    let head = conn.batch(HISTORY).await.map_err(own)?;
    Ok(head.value(0, 0).and_then(|row| row.parse().ok()).map(|row| HistoryHead {
        row,
        applied: head.value(0, 1).and_then(|count| count.parse().ok()).unwrap_or_default(),
        migration: head.value(0, 2).map(str::to_owned),
    }))
}

fn sized(tables: &BatchOutcome, scope: &Scope) -> Vec<Sized> {
    let read = |row: &[Option<String>]| {
        let [Some(schema), Some(name), bytes, of_extension] = row else { return None };
        scope.has(schema).then(|| Sized {
            name: TableName { schema: schema.clone(), name: name.clone() },
            bytes: bytes.as_deref().and_then(|bytes| bytes.parse().ok()).unwrap_or_default(),
            of_extension: of_extension.as_deref() == Some("t"),
        })
    };
    tables.rows().filter_map(read).collect()
}

/// Keys of tables whose rows are backed up, to tables whose rows are not.
fn outside(keys: &BatchOutcome, scope: &Scope) -> Vec<OutsideKey> {
    let read = |row: &[Option<String>]| {
        let [Some(oid), Some(schema), Some(table), Some(name), Some(to_schema), Some(to_table), Some(definition)] = row
        else {
            return None;
        };
        (scope.has(schema) && !scope.has(to_schema)).then(|| OutsideKey {
            oid: oid.parse().unwrap_or_default(),
            table: TableName { schema: schema.clone(), name: table.clone() },
            name: name.clone(),
            references: TableName { schema: to_schema.clone(), name: to_table.clone() },
            definition: definition.clone(),
        })
    };
    keys.rows().filter_map(read).collect()
}
