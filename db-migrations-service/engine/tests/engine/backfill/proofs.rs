//! A change with a backfill goes through the gates like any other, also while it is half done.

use migration_engine::hold::Hold;
use migration_engine::proof::ValidateRequest;
use migration_engine::request::Scope;
use migration_engine::status::RunReport;
use migration_engine::{EngineError, ErrorCode, Event};

use super::{plans, slugs};
use crate::help::{World, all, names};

async fn run_in_production(w: &World, is_held: bool) -> RunReport {
    let mut run = w.engine_for("production").prepare_run(all(), w.context()).await.unwrap();
    if is_held {
        run.hold_contracts_by(Hold::new(|_| async { Err(EngineError::new(ErrorCode::ContractHeld, "not yet")) }), None);
    }
    run.execute().await
}

#[tokio::test]
async fn all_parts_are_rehearsed_and_the_way_back_too() {
    let w = plans(100).await;
    slugs(&w, "");
    let request = ValidateRequest { scope: Scope::All, whole: false, gates: Vec::new() };
    let report = w.engine().validate(&request, &w.context()).await.unwrap();
    let told: Vec<_> = report.all_findings().map(|f| format!("{} {}", f.code, f.message)).collect();
    assert!(report.passed, "{told:#?}");
    assert!(report.migrations[0].certificate.is_some(), "{told:#?}");
    // Its way back does not restore what stood before.
    let down = w.project.read("migrations/alpha/2_slugs.down.sql");
    w.project.write("migrations/alpha/2_slugs.down.sql", &down.replace("DROP COLUMN slug", "DROP COLUMN views"));
    let report = w.engine().validate(&request, &w.context()).await.unwrap();
    assert!(report.all_findings().any(|f| f.code == "down-does-not-restore"), "{report:#?}");
}

#[tokio::test]
async fn what_is_half_done_is_no_drift_and_does_not_keep_others_from_being_proven() {
    let w = plans(100).await;
    slugs(&w, "");
    let report = run_in_production(&w, true).await;
    assert_eq!(report.error.expect("it is held").code, ErrorCode::ContractHeld);
    let drift = w.engine().drift(&Scope::All, &w.context()).await.unwrap();
    assert!(drift.agrees, "{:#?}", drift.differences);
    w.project.migration("gamma/3_other", "CREATE TABLE gamma.other ();", "DROP TABLE gamma.other;");
    for forgotten in [false, true] {
        if forgotten {
            w.db.value("DELETE FROM migration_service.certificate").await;
        }
        let report = run_in_production(&w, true).await;
        let error = report.error.expect("it is held");
        assert_eq!(error.code, ErrorCode::ContractHeld, "{error:#?}");
    }
    let report = run_in_production(&w, false).await;
    assert_eq!(names(&report.done), ["alpha/2", "gamma/3"], "{:#?}", report.error);
    assert!(w.saw(|e| matches!(e, Event::Validated { passed: true, .. })));
    let drift = w.engine().drift(&Scope::All, &w.context()).await.unwrap();
    assert!(drift.agrees, "{:#?}", drift.differences);
}

/// Every row in one UPDATE is a hazard; the same UPDATE in batches is none.
#[tokio::test]
async fn a_backfill_of_a_large_table_is_no_hazard() {
    let w = plans(5_000).await;
    let catalogue = w.project.read("config/services.toml");
    // What takes longer than a millisecond is large.
    w.project.write("config/services.toml", &catalogue.replace("[run]", "[run]\nblocking_budget_ms = 1"));
    w.db.value("ANALYZE alpha.plans").await;
    let fill = "UPDATE alpha.plans SET slug = lower(name);";
    let expand = "ALTER TABLE alpha.plans ADD COLUMN slug text;";
    let request = ValidateRequest { scope: Scope::All, whole: false, gates: Vec::new() };
    let codes = async || {
        let report = w.engine().validate(&request, &w.context()).await.unwrap();
        report.all_findings().map(|f| f.code.clone()).collect::<Vec<_>>()
    };
    w.project.migration("alpha/2_x", &format!("{expand}{fill}"), "ALTER TABLE alpha.plans DROP COLUMN slug;");
    assert!(codes().await.iter().any(|code| code == "changes-every-row"), "{:?}", codes().await);
    let parts = format!("-- part: expand\n{expand}\n-- part: backfill\n{fill}\n");
    w.project.migration("alpha/2_x", &parts, "ALTER TABLE alpha.plans DROP COLUMN slug;");
    assert!(!codes().await.iter().any(|code| code == "changes-every-row"), "{:?}", codes().await);
}
