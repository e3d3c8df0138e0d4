//! A dry run executes and takes everything back.

use migration_engine::request::RunRequest;
use migration_engine::{Engine, Target};

use crate::help::{World, all, names};

#[tokio::test]
async fn a_dry_run_of_a_fresh_target_leaves_nothing_at_all() {
    let w = World::new().await;
    w.project.migration("alpha/1_t", "CREATE TABLE alpha.t (x int);", "DROP TABLE alpha.t;").migration(
        "beta/2_u",
        "CREATE VIEW beta.v AS SELECT 1;",
        "DROP VIEW beta.v;",
    );
    let report = w.try_run(RunRequest { dry_run: true, ..all() }).await.unwrap();
    assert!(report.error.is_none(), "{:#?}", report.error);
    assert_eq!(names(&report.done), ["alpha/1", "beta/2"]);
    assert_eq!(
        w.db.rows("SELECT nspname FROM pg_namespace WHERE nspname IN ('alpha', 'beta', 'migration_service')").await,
        [""; 0]
    );
    assert_eq!(w.run_ok().await, ["alpha/1", "beta/2"]);
}

#[tokio::test]
async fn what_it_cannot_try_is_named_with_what_needs_it() {
    let w = World::new().await;
    w.project
        .migration("alpha/1_t", "CREATE TABLE alpha.t (x int);", "DROP TABLE alpha.t;")
        .migration("alpha/2_ix", "CREATE INDEX CONCURRENTLY t_x ON alpha.t (x);", "DROP INDEX alpha.t_x;")
        .migration("alpha/3_after", "DROP INDEX alpha.t_x;", "SELECT 1;")
        .migration("beta/4_free", "CREATE TABLE beta.u ();", "DROP TABLE beta.u;");
    let report = w.try_run(RunRequest { dry_run: true, ..all() }).await.unwrap();
    assert_eq!(names(&report.done), ["alpha/1", "beta/4"]);
    let why: Vec<_> = report.not_tried.iter().map(|(id, why)| format!("{id}: {why}")).collect();
    assert_eq!(
        why,
        [
            "alpha/2: CREATE INDEX CONCURRENTLY cannot run inside a transaction",
            "alpha/3: it comes after alpha/2, which was not tried"
        ]
    );
}

#[tokio::test]
async fn it_finds_what_would_fail_with_its_place() {
    let w = World::new().await;
    w.project.migration("alpha/1_t", "CREATE TABLE alpha.t ();", "DROP TABLE alpha.t;");
    w.run_ok().await;
    w.project.migration("alpha/2_bad", "ALTER TABLE alpha.t\n  ADD COLUMN x nonsense;", "SELECT 1;");
    let report = w.try_run(RunRequest { dry_run: true, ..all() }).await.unwrap();
    let place = report.error.unwrap().location.unwrap();
    assert_eq!((place.line, place.column), (2, 16));
    assert_eq!(w.states().await, ["alpha/1 Applied", "alpha/2 Pending"]);
}

#[tokio::test]
async fn a_database_that_does_not_exist_is_not_created_for_it() {
    let w = World::new().await;
    w.project.migration("alpha/1_t", "CREATE TABLE alpha.t ();", "DROP TABLE alpha.t;");
    let name = format!("absent_{}", w.db.name());
    let target = Target {
        environment: "development".to_owned(),
        connect: w.db.connect().clone().with_database(&name),
        create_database: true,
    };
    let engine = Engine::new(w.project.open(), target);
    assert_eq!(engine.status().await.unwrap().services[0].migrations.len(), 1);
    let report = engine.prepare_run(RunRequest { dry_run: true, ..all() }, w.context()).await.unwrap().execute().await;
    assert_eq!((report.done.len(), report.not_tried.len()), (0, 1));
    let exists = format!("SELECT count(*) FROM pg_database WHERE datname = '{name}'");
    assert_eq!(w.db.value(&exists).await.as_deref(), Some("0"));
    let report = engine.prepare_run(all(), w.context()).await.unwrap().execute().await;
    assert_eq!(names(&report.done), ["alpha/1"]);
    w.db.value(&format!("DROP DATABASE \"{name}\" WITH (FORCE)")).await;
}
