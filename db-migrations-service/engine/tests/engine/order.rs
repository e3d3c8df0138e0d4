//! The graph over all services, end to end.

use migration_engine::ErrorCode;
use migration_engine::request::{RunRequest, Scope};

use crate::help::{World, all, names};

fn crossed(w: &World) {
    w.project
        .migration("alpha/2_t", "CREATE TABLE alpha.t (id int PRIMARY KEY);", "DROP TABLE alpha.t;")
        .migration("alpha/9_other", "CREATE TABLE alpha.other ();", "DROP TABLE alpha.other;")
        .migration("beta/1_u", "CREATE TABLE beta.u (t int REFERENCES alpha.t);", "DROP TABLE beta.u;")
        .migration("gamma/1_v", "CREATE TABLE gamma.v ();", "DROP TABLE gamma.v;");
}

#[tokio::test]
async fn what_is_referenced_is_applied_first() {
    let w = World::new().await;
    crossed(&w);
    assert_eq!(w.run_ok().await, ["gamma/1", "alpha/2", "beta/1", "alpha/9"]);
}

#[tokio::test]
async fn a_run_of_one_service_brings_along_what_it_needs_and_no_more() {
    let w = World::new().await;
    crossed(&w);
    let request = RunRequest { scope: Scope::Service("beta-service".to_owned()), ..all() };
    let plan = w.engine().plan(&request.scope, true).await.unwrap();
    let shown: Vec<_> = plan.migrations.iter().map(|m| (m.migration.to_string(), m.prerequisite)).collect();
    assert_eq!(shown, [("alpha/2".to_owned(), true), ("beta/1".to_owned(), false)]);
    assert!(plan.migrations[0].sql.as_deref().unwrap().contains("alpha.t"));
    assert_eq!(names(&w.try_run(request).await.unwrap().done), ["alpha/2", "beta/1"]);
    assert_eq!(w.run_ok().await, ["gamma/1", "alpha/9"]);
}

#[tokio::test]
async fn a_run_can_stop_at_a_migration() {
    let w = World::new().await;
    crossed(&w);
    let report = w.try_run(RunRequest { to: Some("alpha/2".parse().unwrap()), ..all() }).await.unwrap();
    assert_eq!(names(&report.done), ["alpha/2"]);
    let error = w.try_run(RunRequest { to: Some("alpha/404".parse().unwrap()), ..all() }).await.unwrap_err();
    assert_eq!(error.code, ErrorCode::UnknownMigration);
}

#[tokio::test]
async fn a_reference_to_what_an_applied_migration_made_is_found_in_the_target() {
    let w = World::new().await;
    w.project.migration(
        "alpha/1_t",
        "CREATE TABLE alpha.t (id int PRIMARY KEY); CREATE FUNCTION alpha.f() RETURNS int LANGUAGE sql RETURN 1;",
        "DROP FUNCTION alpha.f(); DROP TABLE alpha.t;",
    );
    w.run_ok().await;
    w.project.migration(
        "beta/2_u",
        "CREATE TABLE beta.u (t int DEFAULT alpha.f() REFERENCES alpha.t);",
        "DROP TABLE beta.u;",
    );
    assert_eq!(w.run_ok().await, ["beta/2"]);
}

#[tokio::test]
async fn a_reference_to_nothing_and_a_circle_are_refused_before_anything_runs() {
    let w = World::new().await;
    w.project.migration("alpha/1_first", "CREATE TABLE alpha.first ();", "DROP TABLE alpha.first;").migration(
        "beta/2_bad",
        "CREATE TABLE beta.u (\n  t int REFERENCES alpha.nothing\n);",
        "DROP TABLE beta.u;",
    );
    let error = w.refused().await;
    assert_eq!(error.code, ErrorCode::UnresolvedReference);
    let place = error.location.unwrap();
    assert_eq!((place.line, place.column), (2, 20));
    assert!(error.message.contains("alpha.nothing"), "{}", error.message);
    assert!(w.relations().await.is_empty());

    // Where the parser tells no place, it is still the name's.
    w.project.migration("beta/2_bad", "SELECT 1;\nDROP TABLE alpha.nothing;", "SELECT 1;");
    let place = w.refused().await.location.unwrap();
    assert_eq!((place.line, place.column), (2, 12));

    w.project.migration(
        "alpha/3_nothing",
        "CREATE TABLE alpha.nothing (id int PRIMARY KEY REFERENCES beta.u (k));",
        "DROP TABLE alpha.nothing;",
    );
    w.project.migration(
        "beta/2_bad",
        "CREATE TABLE beta.u (k int PRIMARY KEY REFERENCES alpha.nothing);",
        "DROP TABLE beta.u;",
    );
    let error = w.refused().await;
    assert_eq!(error.code, ErrorCode::DependencyCycle);
    assert!(error.message.contains("alpha/3 → beta/2 → alpha/3"), "{}", error.message);
    assert!(w.relations().await.is_empty());
}
