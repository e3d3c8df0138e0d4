//! The matrix: what each actor reaches in each table, as committed and as measured.

use std::collections::BTreeMap;

use postgres_link::{AdminConn, BatchOutcome};
use testkit::TestDb;

use crate::people::{ACTORS, short};

/// Every table, its key, and the change that stands for UPDATE: to a constant, of a column that `app_user` may write
/// where there is one, and such that the policy lets it through (a session can only be ended).
pub const TABLES: [(&str, &str, &str); 35] = [
    ("public.roles", "name", "description = 'x'"),
    ("public.idempotent_answers", "key", "status = 200"),
    ("auth.users", "id", "is_active = false"),
    ("auth.sessions", "id", "is_active = false"),
    ("auth.password_resets", "id", "used_at = now()"),
    ("auth.email_verifications", "id", "used_at = now()"),
    ("auth.signing_keys", "key_id", "published_until = now()"),
    ("auth.limits", "key", "full_until = now()"),
    ("auth.errands", "id", "attempts = 7"),
    ("auth.sign_in_events", "id", "outcome = 'blocked'"),
    ("organizations.organizations", "id", "name = 'x'"),
    ("organizations.organization_configs", "id", "config_value = '0'"),
    ("users.user_roles", "id", "is_active = false"),
    ("users.user_profiles", "id", "first_name = 'x'"),
    ("users.user_preferences", "id", "theme = 'x'"),
    ("users.guardianships", "id", "is_active = false"),
    ("users.members", "id", "subjects = '{x}'"),
    ("academic.subjects", "id", "name = 'x'"),
    ("academic.courses", "id", "name = 'x'"),
    ("academic.teacher_courses", "id", "is_active = false"),
    ("academic.course_subjects", "id", "created_at = now()"),
    ("academic.enrolments", "id", "is_active = false"),
    ("files.files", "id", "filename = 'x'"),
    ("files.file_metadata", "id", "metadata_value = 'x'"),
    ("files.file_permissions", "id", "permission_type = 'read'"),
    ("plans.plans", "id", "status = 'archived'"),
    ("plans.plan_jobs", "id", "status = 'cancelled'"),
    ("plans.plan_results", "id", "status = 'completed'"),
    ("plans.plan_files", "id", "file_type = 'output'"),
    ("chat.chat_sessions", "id", "status = 'closed'"),
    ("chat.chat_messages", "id", "content = 'x'"),
    ("chat.chat_files", "id", "created_at = now()"),
    ("analytics.user_metrics", "id", "metric_value = 0"),
    ("analytics.plan_metrics", "id", "metric_value = 0"),
    ("analytics.academic_metrics", "id", "metric_value = 0"),
];

/// The commands, in the order of the columns.
pub const COMMANDS: [&str; 4] = ["select", "insert", "update", "delete"];

/// What is expected, for people to read and review.
pub const COMMITTED: &str = include_str!("matrix.txt");

/// Where it is, to be written again.
pub const COMMITTED_PATH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/rls/matrix.txt");

const POLICIES: &str = include_str!("../../../migrations/README.md");
const PROBE: &str = include_str!("probe.sql");
/// The line before the first table, by which the words for the reader end.
const END_OF_PREFACE: &str = "----";

/// By table and actor, a cell for each command.
pub type Cells = BTreeMap<(String, String), [String; 4]>;

/// A session on the database, with the means to probe it.
pub async fn probe(db: &TestDb) -> AdminConn {
    let session = db.session().await;
    let tables = TABLES.iter().enumerate().map(|(n, (table, key, change))| {
        format!("insert into rls_probe.tables values ({n}, '{table}', '{key}', $${change}$$);\n")
    });
    let actors = ACTORS.iter().enumerate().map(|(n, actor)| {
        let (name, db_role, claims) = (actor.name, actor.db_role, actor.claims());
        format!("insert into rls_probe.actors values ({n}, '{name}', '{db_role}', '{claims}');\n")
    });
    let rows: String = tables.chain(actors).collect();
    // The probe tells a missing grant from a policy by the words of the error.
    run(&session, &format!("{PROBE}\n{rows}\ncall rls_probe.drop_keys();\nset lc_messages = 'C'")).await;
    session
}

/// The SQL that measures these tables for these actors.
pub fn measurement(tables: &[&str], actors: &[&str]) -> String {
    let list = |names: &[&str]| names.iter().map(|name| format!("'{name}'")).collect::<Vec<_>>().join(", ");
    format!("select * from rls_probe.matrix(array[{}]::text[], array[{}]::text[])", list(tables), list(actors))
}

/// Runs a batch that has to succeed.
pub async fn run(session: &AdminConn, sql: &str) -> BatchOutcome {
    session.batch(sql).await.unwrap_or_else(|error| panic!("{error}\nin: {}", &sql[..sql.len().min(2_000)]))
}

/// The names of all tables.
pub fn table_names() -> Vec<&'static str> {
    TABLES.iter().map(|(table, ..)| *table).collect()
}

/// The names of all actors.
pub fn actor_names() -> Vec<&'static str> {
    ACTORS.iter().map(|actor| actor.name).collect()
}

/// The rows of each table, so that a cell can say "all".
pub struct Rows(BTreeMap<String, Vec<String>>);

impl Rows {
    /// Reads them.
    pub async fn read(session: &AdminConn) -> Self {
        let keys = TABLES.map(|(table, key, _)| format!("select '{table}', {key}::text from {table} order by {key}"));
        let mut rows = BTreeMap::<String, Vec<String>>::new();
        for row in run(session, &keys.join(";")).await.rows() {
            let [Some(table), Some(key)] = row else { panic!("a table and a key: {row:?}") };
            rows.entry(table.clone()).or_default().push(short(key));
        }
        Self(rows)
    }

    /// The cells of a measurement, in short.
    pub fn cells(&self, outcome: &BatchOutcome) -> Cells {
        let measured = outcome.statements.iter().filter(|statement| statement.columns.len() == 6);
        let rows = measured.flat_map(|statement| &statement.rows);
        let text = |cell: &Option<String>| cell.clone().expect("no cell is NULL");
        rows.map(|row| {
            let table = text(&row[0]);
            let all = &self.0[&table];
            let cells = [2, 3, 4, 5].map(|column| cell(&text(&row[column]), all));
            ((table, text(&row[1])), cells)
        })
        .collect()
    }
}

/// `1.1 1.11-13`: the rows reached, `1.*` for all of a school (where there are several), `all`, or `-`.
fn cell(reached: &str, all: &[String]) -> String {
    let reached: Vec<String> = reached.split(',').filter(|key| !key.is_empty()).map(short).collect();
    let by_school = |keys: &[String]| {
        let mut schools = BTreeMap::<u32, Vec<u64>>::new();
        for key in keys {
            let (school, row) = key.split_once('.')?;
            schools.entry(school.parse().ok()?).or_default().push(row.parse().ok()?);
        }
        for rows in schools.values_mut() {
            rows.sort_unstable();
        }
        Some(schools)
    };
    if reached.is_empty() {
        return "-".to_owned();
    }
    let mut sorted = [reached.clone(), all.to_vec()];
    for keys in &mut sorted {
        keys.sort_unstable();
    }
    if all.len() > 1 && sorted[0] == sorted[1] {
        return "all".to_owned();
    }
    let (Some(schools), Some(whole)) = (by_school(&reached), by_school(all)) else { return reached.join(" ") };
    let mut words = Vec::new();
    for (school, rows) in schools {
        if rows.len() > 1 && whole.get(&school) == Some(&rows) {
            words.push(format!("{school}.*"));
            continue;
        }
        for run in rows.chunk_by(|a, b| a + 1 == *b) {
            words.push(match run {
                [first, .., last] => format!("{school}.{first}-{last}"),
                [one] => format!("{school}.{one}"),
                [] => unreachable!("chunks are not empty"),
            });
        }
    }
    words.join(" ")
}

/// The committed cells.
pub fn committed() -> Cells {
    let mut cells = Cells::new();
    let mut table = String::new();
    let blocks = COMMITTED.split_once(END_OF_PREFACE).expect("the preface ends").1;
    for line in blocks.lines() {
        if let Some(heading) = line.strip_prefix("== ") {
            heading.split(' ').next().expect("a heading names its table").clone_into(&mut table);
        } else if let Some(row) = line.strip_prefix("  ") {
            let mut columns = row.split("  ").map(str::trim).filter(|column| !column.is_empty());
            let actor = columns.next().expect("a row names its actor").to_owned();
            let row: Vec<String> = columns.map(str::to_owned).collect();
            let row = row.try_into().unwrap_or_else(|row| panic!("{table}, {actor}: four cells, not {row:?}"));
            assert!(cells.insert((table.clone(), actor), row).is_none(), "one row for each actor: {line}");
        }
    }
    cells
}

/// The matrix as it is committed, from what was measured. The preface is kept.
pub async fn render(session: &AdminConn, rows: &Rows, cells: &Cells) -> String {
    let (preface, _) = COMMITTED.split_once(END_OF_PREFACE).expect("the preface ends");
    let mut text = format!("{preface}{END_OF_PREFACE}\n");
    for (table, ..) in TABLES {
        let seeded = rows.0.get(table).map(|all| cell(&all.join(","), &[])).unwrap_or_default();
        let columns = columns(session, table).await;
        let heading = format!("\n== {table} · rows {seeded}\n# {}\n# columns: {columns}", rule(table));
        let commands = line("#", COMMANDS);
        let actors = ACTORS.iter().map(|actor| {
            let row = &cells[&(table.to_owned(), actor.name.to_owned())];
            line(&format!("  {}", actor.name), row.each_ref().map(String::as_str))
        });
        for line in [heading, commands].into_iter().chain(actors) {
            text.push_str(&line);
            text.push('\n');
        }
    }
    text
}

/// Columns of fixed width, so that a cell changes its own line only, and two spaces between them at least.
fn line(first: &str, [select, insert, update, delete]: [&str; 4]) -> String {
    format!("{first:<24}  {select:<30}  {insert:<26}  {update:<26}  {delete}").trim_end().to_owned()
}

/// What the README of the schema promises for this table.
fn rule(table: &str) -> &'static str {
    let start = format!("| {table} | ");
    let line = POLICIES.lines().find_map(|line| line.strip_prefix(&start)).unwrap_or_else(|| {
        panic!("migrations/README.md does not say in \"Policies by table\" who may do what in {table}");
    });
    line.trim_end_matches(" |")
}

/// The columns that the grants to `app_user` open.
async fn columns(session: &AdminConn, table: &str) -> String {
    let per_command = ["select", "insert", "update"].map(|command| {
        format!(
            "select case count(*) filter (where granted) when 0 then 'none' when count(*) then 'all' \
             else string_agg(attname, ', ' order by attnum) filter (where granted) end \
             from (select attname, attnum, has_column_privilege('app_user', attrelid, attnum, '{command}') as granted \
             from pg_attribute where attrelid = '{table}'::regclass and attnum > 0 and not attisdropped) as a"
        )
    });
    let outcome = run(session, &per_command.join(";")).await;
    let [select, insert, update] = [0, 1, 2].map(|n| outcome.value(n, 0).expect("a list").to_owned());
    format!("select {select} · insert {insert} · update {update}")
}
