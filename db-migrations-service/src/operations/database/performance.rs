//! How well the database works: caches, conflicts, the statements that take the time, and what would help them.

use migration_engine::ErrorCode;
use postgres_link::tokio_postgres::types::Type;
use runtime::telemetry::redact_statement;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::DatabaseOrder;
use super::order::Part;
use crate::operations::{Caller, OperationError, Operations, Spread};

/// Entries in each list, where the request does not say.
const USUAL: u32 = 20;

/// A target's figures since its statistics were last reset. Each list has at most 20 entries unless the request says.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Performance {
    /// The whole database.
    pub activity: Activity,
    /// The tables that are read from end to end the most.
    pub sequentially_read: Vec<TableActivity>,
    /// Of those, the large ones: 1,024 blocks at least, which are 8 MiB. An index may be missing there.
    pub large_table_scans: Vec<TableActivity>,
    /// Indexes that no query has used since the statistics were reset, the largest first; without those that keep rows unique.
    pub unused_indexes: Vec<UnusedIndex>,
    /// Foreign keys without an index: deleting or changing a row that they reference reads the whole table. The largest first.
    pub missing_indexes: Vec<MissingIndex>,
    /// Tables and B-trees that would be much smaller if they were written anew: by 1 MiB and a fifth at least. An estimate
    /// from the planner's statistics; what was never analyzed is not among them.
    pub bloat: Vec<Bloat>,
    /// The statements that took the most time in all. Absent where pg_stat_statements is. Where the request names a service
    /// or a schema, those whose text names it.
    pub statements: Option<Vec<StatementFigures>>,
    /// The statements that take the most time each.
    pub slowest_statements: Option<Vec<StatementFigures>>,
    /// How to have `statements`, where they are absent.
    pub how_to_enable_statements: Option<String>,
    /// Why `statements` are absent: the server has the library `not_loaded`, this database has the extension
    /// `not_created`, or it is `not_readable` for this user.
    pub statements_off: Option<&'static str>,
}

/// `pg_stat_database`.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Activity {
    /// Since when the figures count; absent: since the cluster was made.
    pub since: Option<String>,
    /// Of the blocks asked for, how many were in memory, from 0 to 1; absent before the first.
    pub cache_hit_ratio: Option<f64>,
    /// Transactions committed.
    pub commits: i64,
    /// Transactions rolled back.
    pub rollbacks: i64,
    /// Deadlocks that the server had to break.
    pub deadlocks: i64,
    /// Bytes that sorts and hashes wrote to disk.
    pub temporary_bytes: i64,
    /// Rows read by index or scan.
    pub rows_read: i64,
    /// Rows inserted, updated and deleted.
    pub rows_written: i64,
}

/// `pg_stat_user_tables`.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TableActivity {
    /// The table with its schema.
    pub table: String,
    /// How often it was read from end to end.
    pub sequential_scans: i64,
    /// Rows read that way.
    pub rows_read: i64,
    /// How often an index was used.
    pub index_scans: i64,
    /// Live rows, estimated.
    pub live_rows: i64,
    /// Dead rows, estimated.
    pub dead_rows: i64,
    /// Its size without indexes when it was last analyzed, bytes.
    pub size_bytes: i64,
    /// Of its blocks that were asked for, how many were in memory, from 0 to 1; absent before the first.
    pub cache_hit_ratio: Option<f64>,
}

/// An index that nothing uses.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct UnusedIndex {
    /// The index with its schema.
    pub index: String,
    /// Its table with its schema.
    pub table: String,
    /// As it would be made again.
    pub definition: String,
    /// Its size when it was last analyzed, bytes.
    pub size_bytes: i64,
    /// A foreign key would be without an index when it is dropped.
    pub serves_foreign_key: bool,
}

/// A foreign key without an index.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct MissingIndex {
    /// The table with its schema.
    pub table: String,
    /// The foreign key's name.
    pub foreign_key: String,
    /// Its columns.
    pub columns: Vec<String>,
    /// The table that it references, with its schema.
    pub references: String,
    /// How many rows the planner believes the table has; -1 before the first ANALYZE.
    pub estimated_rows: i64,
    /// Its size when it was last analyzed, bytes.
    pub size_bytes: i64,
    /// What a migration would say to make the index.
    pub statement: String,
}

/// Room that rows no longer need.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Bloat {
    /// The table or index with its schema.
    pub name: String,
    /// `table` or `index`.
    pub kind: String,
    /// Its size when it was last analyzed, bytes.
    pub size_bytes: i64,
    /// Of that, about how much would be gone if it were written anew.
    pub wasted_bytes: i64,
    /// The same as a part of the whole, from 0 to 1.
    pub ratio: f64,
}

/// `pg_stat_statements`. It has `$n` for the values of queries; those of other statements, such as a role's password, are hidden
/// here.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct StatementFigures {
    /// The statement.
    pub statement: String,
    /// By which `pg_stat_activity`, EXPLAIN and the server's log know it: a number of 64 bits with a sign, as text since JSON's
    /// numbers are not exact to that many. Absent where the server shows none to the service's user.
    #[schema(example = "-8023548223123456789")]
    pub query_id: Option<String>,
    /// How often it ran.
    pub calls: i64,
    /// In all, milliseconds.
    pub total_ms: f64,
    /// On average, milliseconds.
    pub mean_ms: f64,
    /// At most, milliseconds.
    pub max_ms: f64,
    /// Rows returned or changed.
    pub rows: i64,
    /// Of the blocks that it asked for, how many were in memory, from 0 to 1; absent where it asked for none.
    pub cache_hit_ratio: Option<f64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    activity: Activity,
    sequentially_read: Vec<TableActivity>,
    large_table_scans: Vec<TableActivity>,
    unused_indexes: Vec<UnusedIndex>,
    missing_indexes: Vec<MissingIndex>,
    loaded: bool,
    installed_in: Option<String>,
}

#[derive(Deserialize)]
struct Statements {
    statements: Vec<StatementFigures>,
    slowest: Vec<StatementFigures>,
}

impl Operations {
    /// The figures of each database that the order is about.
    ///
    /// # Errors
    /// Unknown names, a caller who may not see the part, databases that are all away.
    pub async fn database_performance(
        &self,
        order: &DatabaseOrder,
        caller: &Caller,
    ) -> Result<Spread<Performance>, OperationError> {
        self.each(order, caller, |order| async move { self.performance_of(&order, caller).await }).await
    }

    async fn performance_of(&self, order: &DatabaseOrder, caller: &Caller) -> Result<Performance, OperationError> {
        let part = self.part(order, caller).await?;
        let document: Document = part.document(include_str!("performance.sql"), USUAL).await?;
        let bloat = part.document(include_str!("bloat.sql"), USUAL).await?;
        let (statements, how) = match document.installed_in.as_deref().filter(|_| document.loaded) {
            None => (None, Some(how_to_enable(document.loaded))),
            Some(schema) => statements(&part, schema).await?,
        };
        let off = match (document.loaded, document.installed_in) {
            (false, _) => "not_loaded",
            (true, None) => "not_created",
            (true, Some(_)) => "not_readable",
        };
        let (statements, slowest) = statements.map(|s| (s.statements, s.slowest)).unzip();
        Ok(Performance {
            activity: document.activity,
            sequentially_read: document.sequentially_read,
            large_table_scans: document.large_table_scans,
            unused_indexes: document.unused_indexes,
            missing_indexes: document.missing_indexes,
            bloat,
            statements,
            slowest_statements: slowest,
            statements_off: how.as_ref().map(|_| off),
            how_to_enable_statements: how,
        })
    }
}

/// What the extension has, or why it cannot be read.
async fn statements(part: &Part, schema: &str) -> Result<(Option<Statements>, Option<String>), OperationError> {
    part.inspection.look_in(schema).await?;
    let named = part.schemas.as_deref().map(naming);
    match part.ask(include_str!("statements.sql"), (&named, Type::TEXT), USUAL).await {
        Ok(statements) => Ok((Some(without_values(statements)), None)),
        Err(error) if error.engine().is_some_and(|e| e.code != ErrorCode::DatabaseUnavailable) => {
            let why = format!("pg_stat_statements cannot be read: {error}; GRANT pg_read_all_stats to this user");
            Ok((None, Some(why)))
        }
        Err(error) => Err(error),
    }
}

fn without_values(mut all: Statements) -> Statements {
    for figures in all.statements.iter_mut().chain(&mut all.slowest) {
        figures.statement = redact_statement(&figures.statement);
    }
    all
}

/// A regular expression for statements that name one of the schemas.
fn naming(schemas: &[String]) -> String {
    let escaped = |name: &String| {
        name.chars().fold(String::new(), |text, c| {
            if c.is_alphanumeric() || c == '_' { text + &c.to_string() } else { text + "\\" + &c.to_string() }
        })
    };
    let names: Vec<_> = schemas.iter().map(escaped).collect();
    // Without any schema nothing is named.
    if names.is_empty() { "$^".to_owned() } else { format!(r#"(^|[^[:alnum:]_$."])"?({})"?\."#, names.join("|")) }
}

fn how_to_enable(loaded: bool) -> String {
    let load = "add pg_stat_statements to shared_preload_libraries in postgresql.conf, restart the server, then ";
    format!("{}CREATE EXTENSION pg_stat_statements in this database", if loaded { "" } else { load })
}
