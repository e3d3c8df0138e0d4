//! Runs in an environment that requires proofs.

use migration_engine::proof::Override;
use migration_engine::proof::report::Gate;
use migration_engine::request::{RunRequest, Scope};
use migration_engine::status::RunReport;
use migration_engine::{ErrorCode, Event};

use crate::help::{World, all, names};

async fn run(w: &World, request: RunRequest) -> RunReport {
    let prepared = w.engine_for("production").prepare_run(request, w.context()).await;
    prepared.unwrap_or_else(|error| panic!("{error:#?}")).execute().await
}

async fn scratch_databases(w: &World) -> Option<String> {
    w.db.value("SELECT count(*) FROM pg_database WHERE datname LIKE 'scratch_rehearsal_%'").await
}

#[tokio::test]
async fn what_is_good_is_rehearsed_and_applied_by_one_command() {
    let w = World::new().await;
    w.project.migration("alpha/1_t", "CREATE TABLE alpha.t (id int PRIMARY KEY);", "DROP TABLE alpha.t;").migration(
        "alpha/2_i",
        "CREATE INDEX CONCURRENTLY i ON alpha.t (id);",
        "DROP INDEX CONCURRENTLY alpha.i;",
    );
    let report = run(&w, all()).await;
    assert!(report.error.is_none(), "{:#?}", report.error);
    assert_eq!(names(&report.done), ["alpha/1", "alpha/2"]);
    assert!(w.saw(|e| matches!(e, Event::Validated { passed: true, .. })));
    assert_eq!(w.db.value("SELECT count(*) FROM migration_service.certificate").await.as_deref(), Some("2"));
}

#[tokio::test]
async fn what_is_bad_is_refused_with_the_report_and_nothing_is_applied() {
    let w = World::new().await;
    w.project.migration("alpha/1_t", "CREATE TABLE alpha.t ();", "DROP TABLE alpha.t;").migration(
        "alpha/2_bad",
        "CREATE TABLE alpha.a (); CREATE TABLE alpha.b ();",
        "DROP TABLE alpha.a;",
    );
    let error = *run(&w, all()).await.error.expect("it is refused");
    assert_eq!(error.code, ErrorCode::GateFailed);
    assert!(error.message.contains("rehearsed: alpha/2"), "{}", error.message);
    assert!(error.findings.iter().any(|f| f.code == "down-does-not-restore" && f.message.contains("table alpha.b")));
    assert_eq!(w.relations().await, [""; 0]);
    // The gate can be passed by, with a reason that stays.
    let overrides = vec![Override { gate: Gate::Rehearsed, reason: "the night is dark".to_owned() }];
    let report = run(&w, RunRequest { overrides, ..all() }).await;
    assert_eq!(names(&report.done), ["alpha/1", "alpha/2"], "{:#?}", report.error);
    let kept = "SELECT gate || ': ' || reason || ' – ' || by_whom FROM migration_service.gate_override";
    assert_eq!(w.db.value(kept).await.as_deref(), Some("rehearsed: the night is dark – a test"));
}

#[tokio::test]
async fn a_certificate_that_holds_spares_the_second_rehearsal() {
    let w = World::new().await;
    w.project.migration("alpha/1_t", "CREATE TABLE alpha.t ();", "DROP TABLE alpha.t;");
    // Validation keeps certificates only where the target is prepared.
    w.run_ok().await;
    w.project.migration("alpha/2_u", "CREATE TABLE alpha.u ();", "DROP TABLE alpha.u;");
    assert!(super::validate(&w).await.passed);
    run(&w, all()).await;
    let rehearsed = |e: &Event| matches!(e, Event::Validating { gates } if gates.contains(&Gate::Rehearsed));
    assert!(!w.saw(rehearsed));
    // Another schema, or another file, and it holds no more.
    for change in ["CREATE TABLE alpha.behind_its_back ()", "DROP TABLE alpha.behind_its_back"] {
        w.project.migration("alpha/3_v", "CREATE TABLE alpha.v ();", "DROP TABLE alpha.v;");
        assert!(super::validate(&w).await.passed || change.starts_with("DROP"));
        w.db.value(change).await;
    }
    w.project.migration("alpha/3_v", "CREATE TABLE alpha.v (a int);", "DROP TABLE alpha.v;");
    assert!(run(&w, all()).await.error.is_none());
    assert!(w.saw(rehearsed));
}

#[tokio::test]
async fn drift_is_shown_and_no_certificate_is_given_on_it() {
    let w = World::new().await;
    w.project.migration("alpha/1_t", "CREATE TABLE alpha.t (a int);", "DROP TABLE alpha.t;");
    w.run_ok().await;
    w.db.value("ALTER TABLE alpha.t ADD COLUMN behind_its_back text").await;
    w.project.migration("alpha/2_u", "CREATE TABLE alpha.u ();", "DROP TABLE alpha.u;");
    let error = *run(&w, all()).await.error.expect("it is refused");
    assert_eq!(error.code, ErrorCode::GateFailed);
    assert!(error.message.contains("alpha.t.behind_its_back"), "{}", error.message);
    assert_eq!(w.states().await, ["alpha/1 Applied", "alpha/2 Pending"]);
}

#[tokio::test]
async fn a_rehearsal_that_hangs_is_cancelled_and_told() {
    let w = World::new().await;
    let catalogue = w.project.read("config/services.toml");
    w.project.write("config/services.toml", &catalogue.replace("[run]", "[run]\nrehearsal_timeout_s = 1"));
    w.project.migration("alpha/1_t", "SELECT pg_sleep(600);", "SELECT 1;");
    let error = *run(&w, all()).await.error.expect("it is refused");
    assert!(error.findings.iter().any(|f| f.code == "rehearsal-hangs"), "{error:#?}");
    assert_eq!(w.states().await, ["alpha/1 Pending"]);
}

#[tokio::test]
async fn without_the_right_to_make_databases_the_other_gates_remain() {
    let w = World::new().await;
    w.project.migration("alpha/1_t", "CREATE TABLE alpha.t ();", "DROP TABLE alpha.t;");
    w.run_ok().await;
    w.project.migration("alpha/2_u", "CREATE TABLE alpha.u ();", "DROP TABLE alpha.u;");
    let role = format!("plain_{}", w.db.name().rsplit('_').next().unwrap_or("x"));
    w.db.value(&format!("CREATE ROLE {role} LOGIN PASSWORD 'pw' CREATEROLE")).await;
    w.db.value(&format!("GRANT ALL ON SCHEMA migration_service TO {role}")).await;
    w.db.value(&format!("GRANT ALL ON ALL TABLES IN SCHEMA migration_service TO {role}")).await;
    let target = migration_engine::Target {
        environment: "development".to_owned(),
        connect: w.db.connect().clone().with_user(&role).with_password("pw"),
        create_database: false,
    };
    let request = migration_engine::proof::ValidateRequest { scope: Scope::All, whole: false, gates: Vec::new() };
    let engine = migration_engine::Engine::new(w.project.open(), target);
    let report = engine.validate(&request, &w.context()).await.unwrap_or_else(|error| panic!("{error:#?}"));
    let rehearsed = report.gates.iter().find(|g| g.gate == Gate::Rehearsed).expect("it is told");
    assert_eq!(rehearsed.holds, None);
    let why = rehearsed.skipped.as_deref().expect("a reason");
    assert!(why.contains("CREATEDB") && why.contains("the other gates remain"), "{why}");
    assert!(report.gates.iter().filter(|g| g.gate != Gate::Rehearsed).all(|g| g.holds == Some(true)), "{report:#?}");
    assert_eq!(scratch_databases(&w).await.as_deref().map(|_| ()), Some(()));
}
