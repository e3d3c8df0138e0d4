//! Row level security of the platform, cell by cell: every table, every command, every kind of user of the own and of
//! another school, and the services' own roles.
//!
//! What is expected stands in `rls/matrix.txt`, for people to read. After a change of policies, grants or seeds
//! `UPDATE_MATRIX=1 cargo test -p migration-engine --test rls the_matrix_holds` writes it again; the diff is what is to
//! be reviewed, against the rule that stands above each table.

#[path = "rls/attacks.rs"]
mod attacks;
#[path = "rls/claims.rs"]
mod claims;
#[path = "rls/matrix.rs"]
mod matrix;
#[path = "rls/people.rs"]
mod people;
#[path = "rls/policies.rs"]
mod policies;

use matrix::{
    COMMANDS, COMMITTED, COMMITTED_PATH, Rows, actor_names, committed, measurement, probe, render, run, table_names,
};
use testkit::server;

#[tokio::test]
async fn the_matrix_holds() {
    let db = server().platform_database().await;
    let session = probe(&db).await;
    let rows = Rows::read(&session).await;
    let cells = rows.cells(&run(&session, &measurement(&table_names(), &actor_names())).await);
    let text = render(&session, &rows, &cells).await;
    if std::env::var_os("UPDATE_MATRIX").is_some() {
        std::fs::write(COMMITTED_PATH, text).expect("the matrix can be written");
        return;
    }
    let expected = committed();
    let mut wrong = Vec::new();
    for ((table, actor), row) in &cells {
        let expected = expected.get(&(table.clone(), actor.clone()));
        for (n, command) in COMMANDS.iter().enumerate() {
            let expected = expected.map_or("not in the matrix", |row| &row[n]);
            if row[n] != expected {
                wrong.push(format!("{actor}, {command} on {table}: expected {expected}, actual {}", row[n]));
            }
        }
    }
    assert!(wrong.is_empty(), "{} cells differ:\n{}", wrong.len(), wrong.join("\n"));
    // The rest: headings, rules, columns, rows for actors that are no more.
    assert!(text == COMMITTED, "{}", first_difference(&text, COMMITTED));
}

/// What no cell can say: that there is a cell at all.
#[tokio::test]
async fn every_table_is_in_the_matrix() {
    let db = server().platform_database().await;
    // Views too: a plain one reads with its owner's eyes, a materialized one knows no policy.
    let relations = db
        .rows(
            "select c.relnamespace::regnamespace || '.' || c.relname from pg_class c
             where c.relkind in ('r', 'p', 'v', 'm', 'f')
               and c.relnamespace::regnamespace::text not in ('pg_catalog', 'information_schema', 'migration_service')
               and c.relnamespace::regnamespace::text !~ '^pg_(toast|temp)'
             order by 1",
        )
        .await;
    let mut tables = table_names();
    tables.sort_unstable();
    assert_eq!(relations, tables, "each needs a line in rls/matrix.rs, policies, and UPDATE_MATRIX=1");
    let committed = committed();
    let missing: Vec<_> = tables
        .iter()
        .flat_map(|table| actor_names().into_iter().map(|actor| ((*table).to_owned(), actor.to_owned())))
        .filter(|place| !committed.contains_key(place))
        .collect();
    assert!(missing.is_empty(), "without a line in matrix.txt: {missing:?}");
    assert_eq!(committed.len(), tables.len() * actor_names().len(), "lines of tables or actors that are no more");
}

fn first_difference(actual: &str, expected: &str) -> String {
    let pairs = actual.lines().zip(expected.lines());
    let different = pairs.enumerate().find(|(_, (actual, expected))| actual != expected);
    different.map_or_else(
        || "one is longer than the other".to_owned(),
        |(n, (actual, expected))| format!("matrix.txt, line {}: expected\n{expected}\nactual\n{actual}", n + 1),
    )
}
