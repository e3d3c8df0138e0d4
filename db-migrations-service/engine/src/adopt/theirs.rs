//! The tool's history in the target: found, read, never written.

use foreign_migrations::{Applied, Found, Layout, baseline, history_query, read_history};
use postgres_link::AdminConn;

use super::Subject;
use crate::error::{EngineError, ErrorCode};
use crate::project::foreign::refused;
use crate::target::quote::{literal, qualified};
use crate::target::session::own_statement;

/// What it says.
pub(super) struct Theirs {
    /// `schema.table`; `None` where a baseline stands for it.
    pub table: Option<String>,
    pub applied: Vec<Applied>,
}

impl Theirs {
    pub(super) async fn read(conn: &AdminConn, subject: &Subject<'_>, upto: Option<&str>) -> Result<Self, EngineError> {
        let folder = subject.folder;
        let found: Vec<Found> =
            subject.migrations.iter().filter_map(|m| m.foreign.as_ref()).map(|f| f.found.clone()).collect();
        let table = match folder.history_table(subject.service) {
            Some((schema, table)) => locate(conn, folder.layout, &schema, &table, upto.is_some()).await?,
            None => None,
        };
        match (table, upto) {
            (Some((schema, table)), None) => {
                let rows = rows(conn, folder.layout, &schema, &table).await?;
                let parts = folder.version_parts.unwrap_or(1);
                let read = |file: &str| subject.project.source().read_text(&format!("{}/{file}", folder.path)).ok();
                let applied = read_history(folder.layout, &found, &rows, parts, &read).map_err(refused)?;
                if applied.is_empty() {
                    return Err(nothing_applied(folder.layout, &format!("{schema}.{table}")));
                }
                Ok(Self { table: Some(format!("{schema}.{table}")), applied })
            }
            (Some((schema, table)), Some(_)) => Err(EngineError::new(
                ErrorCode::NotAdoptable,
                format!("{schema}.{table} says what {} has applied here", folder.layout),
            )
            .cure("leave out the baseline: the history is read")),
            (None, Some(version)) => Ok(Self { table: None, applied: baseline(&found, version).map_err(refused)? }),
            (None, None) => Err(no_history(subject, folder.layout, found.last())),
        }
    }
}

fn nothing_applied(layout: Layout, table: &str) -> EngineError {
    EngineError::new(ErrorCode::NotAdoptable, format!("{table} says that {layout} has applied nothing here"))
        .cure("there is nothing to adopt: drop the empty table, and `profe migrate run` applies the folder from its beginning")
}

fn no_history(subject: &Subject<'_>, layout: Layout, last: Option<&Found>) -> EngineError {
    let version = last.map(|found| found.theirs.clone()).unwrap_or_default();
    let message = match layout.history_table() {
        Some(table) => format!("this database has no {table}, in which {layout} would keep what it has applied"),
        None => format!("a folder of {layout} migrations has no history of what was applied"),
    };
    EngineError::new(ErrorCode::NotAdoptable, message).cure(format!(
        "say up to which version {} is in the database: --baseline {version}; it is proven before it is believed",
        subject.service_name
    ))
}

/// The history table; one of the usual name elsewhere is named, and not taken for it.
async fn locate(
    conn: &AdminConn,
    layout: Layout,
    schema: &str,
    table: &str,
    has_baseline: bool,
) -> Result<Option<(String, String)>, EngineError> {
    let query = format!(
        "SELECT n.nspname, (SELECT string_agg(a.attname, ' ' ORDER BY a.attnum) FROM pg_attribute a \
                             WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped) \
           FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
          WHERE c.relname = {} AND c.relkind IN ('r', 'p') AND n.nspname !~ '^pg_' ORDER BY 1",
        literal(table)
    );
    let outcome = conn.batch(&query).await.map_err(|e| own_statement(&e, "looking for another tool's history"))?;
    let there: Vec<(String, String)> =
        outcome.rows().filter_map(|row| Some((row[0].clone()?, row[1].clone()?))).collect();
    if let Some((_, columns)) = there.iter().find(|(found, _)| found == schema) {
        check_columns(layout, &format!("{schema}.{table}"), columns)?;
        return Ok(Some((schema.to_owned(), table.to_owned())));
    }
    // `changes` is a name that anybody may use.
    let others: Vec<String> = there.iter().map(|(found, _)| format!("{found}.{table}")).collect();
    if others.is_empty() || has_baseline || layout == Layout::Sqitch {
        return Ok(None);
    }
    Err(EngineError::new(
        ErrorCode::NotAdoptable,
        format!("{layout}'s history is not {schema}.{table}, and there is {}", others.join(" and ")),
    )
    .cure(format!("name it: --history-table {}", others[0])))
}

/// golang-migrate and dbmate call theirs the same.
fn check_columns(layout: Layout, table: &str, columns: &str) -> Result<(), EngineError> {
    let wanted: &[&str] = match layout {
        Layout::GolangMigrate => &["version", "dirty"],
        Layout::Dbmate => &["version"],
        Layout::Sqlx => &["version", "success", "checksum"],
        Layout::Goose => &["version_id", "is_applied"],
        Layout::Flyway => &["installed_rank", "version", "checksum", "success"],
        Layout::Diesel => &["version", "run_on"],
        Layout::Refinery => &["version", "name", "checksum"],
        Layout::Prisma => &["migration_name", "checksum", "finished_at", "rolled_back_at"],
        Layout::Sqitch => &["change", "script_hash", "committed_at", "project"],
        Layout::Numbered => &[],
    };
    let has: Vec<&str> = columns.split(' ').collect();
    let fits =
        wanted.iter().all(|column| has.contains(column)) && !(layout == Layout::Dbmate && has.contains(&"dirty"));
    if fits {
        return Ok(());
    }
    let known = if has.contains(&"dirty") { "; it looks like golang-migrate's" } else { "" };
    Err(EngineError::new(
        ErrorCode::NotAdoptable,
        format!("{table} is not {layout}'s history: it has {}{known}", has.join(", ")),
    )
    .cure("name the tool that has migrated this database, or its table with --history-table"))
}

async fn rows(
    conn: &AdminConn,
    layout: Layout,
    schema: &str,
    table: &str,
) -> Result<Vec<Vec<Option<String>>>, EngineError> {
    let name = qualified(schema, table);
    let Some(query) = history_query(layout, &name) else { return Ok(Vec::new()) };
    let outcome = conn.batch(&query).await.map_err(|e| own_statement(&e, "reading another tool's history"))?;
    Ok(outcome.statements.into_iter().flat_map(|statement| statement.rows).collect())
}
