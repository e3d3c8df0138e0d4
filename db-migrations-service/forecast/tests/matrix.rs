//! Every statement is forecast, run on a real server, and held against the locks it took, the files it rewrote, the
//! indexes it built and the tables it read. The whole matrix is printed where one disagrees.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use lock_forecast::{Catalog, Forecast, LiveCatalog, LockMode, WorkKind, forecast};
use postgres_link::AdminConn;
use testkit::server;

const FIXTURE: &str = include_str!("matrix/fixture.sql");
const STATEMENTS: &str = include_str!("matrix/statements.sql");
const SCRIPTS: &str = include_str!("matrix/scripts.sql");

/// What the server knows of relations, by oid, at one moment.
#[derive(Default)]
struct Moment {
    relations: BTreeMap<u32, Row>,
}

struct Row {
    name: String,
    kind: String,
    file: String,
    table: u32,
    scans: i64,
}

async fn moment(conn: &AdminConn) -> Moment {
    let rows = conn
        .batch(
            "SELECT c.oid, n.nspname || '.' || c.relname, c.relkind, c.relfilenode, coalesce(i.indrelid, 0),
                    coalesce(pg_stat_get_xact_numscans(c.oid), 0)
             FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace LEFT JOIN pg_index i ON i.indexrelid = c.oid
             WHERE n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname NOT LIKE 'pg_t%'",
        )
        .await
        .unwrap();
    let relations = rows
        .rows()
        .map(|row| {
            let cell = |at: usize| row[at].clone().unwrap();
            let row = Row {
                name: cell(1),
                kind: cell(2),
                file: cell(3),
                table: cell(4).parse().unwrap(),
                scans: cell(5).parse().unwrap(),
            };
            (cell(0).parse().unwrap(), row)
        })
        .collect();
    Moment { relations }
}

async fn held(conn: &AdminConn) -> BTreeMap<u32, LockMode> {
    let rows = conn
        .batch(
            "SELECT relation, mode FROM pg_locks WHERE pid = pg_backend_pid() AND locktype = 'relation' AND granted
             AND database = (SELECT oid FROM pg_database WHERE datname = current_database())",
        )
        .await
        .unwrap();
    let mut held = BTreeMap::new();
    for row in rows.rows() {
        let mode = LockMode::from_name(row[1].as_deref().unwrap()).unwrap();
        let strongest = held.entry(row[0].as_deref().unwrap().parse().unwrap()).or_insert(mode);
        *strongest = mode.max(*strongest);
    }
    held
}

/// The locks that the statements of a script so far are forecast to hold.
#[derive(Default)]
struct Expected(BTreeMap<u32, (Option<LockMode>, Option<LockMode>)>);

impl Expected {
    fn add(&mut self, forecast: &Forecast, before: &Moment, faults: &mut Vec<String>) {
        for lock in &forecast.locks {
            let name = lock.relation.to_string();
            let Some((oid, _)) = before.relations.iter().find(|(_, row)| row.name == name) else {
                if !lock.created_here {
                    faults.push(format!("{name} is not there and not created here"));
                }
                continue;
            };
            let entry = self.0.entry(*oid).or_default();
            if lock.certain {
                entry.0 = entry.0.max(Some(lock.mode));
            }
            entry.1 = entry.1.max(Some(lock.mode));
        }
    }
}

/// Runs one script in a transaction that is rolled back; one line for each statement, and whether all agreed.
async fn check(conn: &AdminConn, start: &Catalog, script: &str, report: &mut String) -> bool {
    let statements = sql_grammar::parse(script).unwrap_or_else(|error| panic!("{error} in {script}"));
    let mut catalog = start.clone();
    conn.batch("BEGIN").await.unwrap();
    let first = moment(conn).await;
    let (mut expected, mut good) = (Expected::default(), true);
    for statement in &statements {
        let sql = &script[statement.range.clone()];
        let mut faults = Vec::new();
        let before = moment(conn).await;
        let told = forecast(statement, &catalog);
        if let Err(error) = conn.batch(sql).await {
            writeln!(report, "FAIL {sql}\n     ! {error}").unwrap();
            good = false;
            break;
        }
        let after = moment(conn).await;
        expected.add(&told, &before, &mut faults);
        compare_locks(&expected, &held(conn).await, &first, &before, &mut faults);
        compare_work(statement.node.as_str(), &told, &first, &before, &after, &mut faults);
        good &= faults.is_empty();
        let mark = if faults.is_empty() { "ok  " } else { "FAIL" };
        writeln!(report, "{mark} {sql}").unwrap();
        for lock in &told.locks {
            writeln!(report, "       {} {}{}", lock.mode, lock.relation, if lock.certain { "" } else { " (perhaps)" })
                .unwrap();
        }
        for work in &told.work {
            writeln!(report, "       {:?} {} {}", work.kind, work.relation, work.code).unwrap();
        }
        if let Some(reason) = &told.unknown {
            writeln!(report, "       unknown: {reason}").unwrap();
        }
        for fault in faults {
            writeln!(report, "     ! {fault}").unwrap();
        }
        catalog.advance(statement);
    }
    conn.batch("ROLLBACK; SET search_path = s; DEALLOCATE ALL").await.unwrap();
    good
}

fn compare_locks(
    expected: &Expected,
    held: &BTreeMap<u32, LockMode>,
    first: &Moment,
    before: &Moment,
    faults: &mut Vec<String>,
) {
    let ids: BTreeSet<u32> = expected.0.keys().chain(held.keys()).copied().collect();
    for id in ids {
        // What the script has created itself hurts nobody; TOAST and catalogs are no one's to name.
        let Some(row) = before.relations.get(&id).or(first.relations.get(&id)) else { continue };
        let (certain, most) = expected.0.get(&id).copied().unwrap_or_default();
        let unnamed_index = matches!(row.kind.as_str(), "i" | "I") && most.is_none();
        if !first.relations.contains_key(&id) || unnamed_index {
            continue;
        }
        let seen = held.get(&id).copied();
        if seen < certain || seen > most {
            let words = |mode: Option<LockMode>| mode.map_or("nothing", LockMode::words);
            faults.push(format!("{}: forecast {} to {}, seen {}", row.name, words(certain), words(most), words(seen)));
        }
    }
}

fn compare_work(
    node: &str,
    told: &Forecast,
    first: &Moment,
    before: &Moment,
    after: &Moment,
    faults: &mut Vec<String>,
) {
    let named = |kind: WorkKind| -> BTreeSet<String> { told.with_work(kind).iter().map(ToString::to_string).collect() };
    let old_tables = || {
        before
            .relations
            .iter()
            .filter(|(id, row)| first.relations.contains_key(id) && matches!(row.kind.as_str(), "r" | "m"))
    };
    let truncated: BTreeSet<String> = told.truncates.iter().map(ToString::to_string).collect();
    let rewritten: BTreeSet<String> = old_tables()
        .filter(|(id, row)| after.relations.get(id).is_some_and(|now| now.file != row.file))
        .map(|(_, row)| row.name.clone())
        .collect();
    let expected: BTreeSet<String> = named(WorkKind::Rewrite).union(&truncated).cloned().collect();
    let old = |names: BTreeSet<String>| -> BTreeSet<String> {
        names.into_iter().filter(|name| old_tables().any(|(_, row)| row.name == *name)).collect()
    };
    let expected = old(expected);
    if rewritten != expected {
        faults.push(format!("rewrites: forecast {expected:?}, seen {rewritten:?}"));
    }
    // A type change that keeps the order makes an index anew with the old file.
    let files: BTreeSet<&str> = before.relations.values().map(|row| row.file.as_str()).collect();
    let built: BTreeSet<String> = after
        .relations
        .iter()
        .filter(|(_, row)| row.kind == "i" && !files.contains(row.file.as_str()))
        .filter_map(|(_, row)| before.relations.get(&row.table).filter(|_| first.relations.contains_key(&row.table)))
        .map(|table| table.name.clone())
        .filter(|name| !rewritten.contains(name))
        .collect();
    let expected: BTreeSet<String> = old(named(WorkKind::IndexBuild));
    if built != expected {
        faults.push(format!("index builds: forecast {expected:?}, seen {built:?}"));
    }
    let is_query = node.ends_with("TableAsStmt")
        || matches!(
            node,
            "SelectStmt" | "InsertStmt" | "UpdateStmt" | "DeleteStmt" | "MergeStmt" | "CopyStmt" | "RefreshMatViewStmt"
        );
    let scanned: BTreeSet<String> = old_tables()
        .filter(|(id, row)| after.relations.get(id).is_some_and(|now| now.scans > row.scans))
        .map(|(_, row)| row.name.clone())
        .filter(|name| !rewritten.contains(name) && !built.contains(name))
        .collect();
    let expected: BTreeSet<String> = old(named(WorkKind::Scan)).difference(&built).cloned().collect();
    // Whether a key's check reads the referenced table whole or looks its rows up is the planner's choice.
    let is_key = |code: &str| {
        matches!(code, "foreign-key-scans" | "validate-scans" | "type-change-scans" | "rewrite-column-type")
    };
    let lookup = told.work.iter().any(|work| is_key(work.code));
    let tolerated = |name: &String| lookup && told.locks.iter().any(|lock| lock.relation.to_string() == *name);
    let scanned: BTreeSet<String> =
        scanned.into_iter().filter(|name| expected.contains(name) || !tolerated(name)).collect();
    if !is_query && scanned != expected {
        faults.push(format!("scans: forecast {expected:?}, seen {scanned:?}"));
    }
}

/// The statements that the server's version knows.
fn statements(version: u32) -> Vec<&'static str> {
    let mut since = 0;
    STATEMENTS
        .lines()
        .filter(|line| match line.strip_prefix("-- since ") {
            Some(major) => {
                since = major.parse().unwrap();
                false
            }
            None => since <= version && !line.is_empty(),
        })
        .collect()
}

async fn run(scripts: Vec<&str>) {
    let database = server().empty_database().await;
    let conn = database.session().await;
    conn.batch(FIXTURE).await.unwrap_or_else(|error| panic!("{error}"));
    let catalog = LiveCatalog::read(&conn).await.unwrap();
    let (mut report, mut bad) = (String::new(), 0);
    let total = scripts.len();
    for script in scripts {
        if !check(&conn, &catalog, script, &mut report).await {
            bad += 1;
        }
    }
    assert!(bad == 0, "{report}\n{bad} of {total} on {} disagree", conn.server_version_num());
}

#[tokio::test]
async fn every_statement_does_what_is_forecast() {
    let version = server().session("postgres").await.server_version_num() / 10_000;
    let all = statements(version);
    assert!(all.len() >= 120);
    run(all).await;
}

#[tokio::test]
async fn a_script_is_forecast_as_its_statements_change_the_schema() {
    run(SCRIPTS.split("\n\n").collect()).await;
}
