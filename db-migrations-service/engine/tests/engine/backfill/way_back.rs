//! A change that is taken back: done, half done, and itself batch by batch.

use migration_engine::hold::Hold;
use migration_engine::request::RollbackTo;
use migration_engine::status::MigrationState;
use migration_engine::{EngineError, ErrorCode};

use super::{LEFT_OVERS, plans, slugs};
use crate::help::{World, all};

/// Brings it to where everything is filled and the contract is held.
async fn held(w: &World) {
    let mut run = w.engine().prepare_run(all(), w.context()).await.unwrap();
    run.hold_contracts_by(Hold::new(|_| async { Err(EngineError::new(ErrorCode::ContractHeld, "not yet")) }), None);
    let report = run.execute().await;
    assert_eq!(report.error.expect("it is held").code, ErrorCode::ContractHeld);
}

fn only(id: &str) -> RollbackTo {
    RollbackTo::Migration(id.parse().unwrap())
}

const SLUGS: &str = "SELECT count(*) FROM pg_attribute WHERE attrelid = 'alpha.plans'::regclass AND attname = 'slug' AND NOT attisdropped";

#[tokio::test]
async fn what_is_done_is_taken_back_whole() {
    let w = plans(100).await;
    slugs(&w, "");
    w.run_ok().await;
    assert_eq!(w.rollback(only("alpha/2")).await, ["alpha/2"]);
    assert_eq!(w.db.value(SLUGS).await.as_deref(), Some("0"));
    assert_eq!(w.run_ok().await, ["alpha/2"]);
}

#[tokio::test]
async fn what_is_half_done_is_taken_back_by_its_expand_part_alone() {
    for to in [RollbackTo::Steps(1), only("alpha/2"), RollbackTo::Version("1".parse().unwrap())] {
        let w = plans(100).await;
        slugs(&w, "");
        // Without its contract the way back of the contract would fail.
        let down = w.project.read("migrations/alpha/2_slugs.down.sql");
        w.project.write("migrations/alpha/2_slugs.down.sql", &down.replace("DROP NOT NULL", "DROP IDENTITY"));
        held(&w).await;
        assert_eq!(w.state("alpha/2").await, MigrationState::Interrupted);
        assert_eq!(w.rollback(to).await, ["alpha/2"]);
        assert_eq!(w.db.value(SLUGS).await.as_deref(), Some("0"));
        assert_eq!(w.db.value(LEFT_OVERS).await.as_deref(), Some("0"));
        assert_eq!(w.state("alpha/2").await, MigrationState::Pending);
        assert_eq!(w.run_ok().await, ["alpha/2"], "and applied again");
    }
}

#[tokio::test]
async fn a_way_back_that_fails_is_told_at_its_line() {
    let w = plans(10).await;
    slugs(&w, "");
    let down = w.project.read("migrations/alpha/2_slugs.down.sql");
    w.project.write("migrations/alpha/2_slugs.down.sql", &down.replace("DROP COLUMN slug", "DROP COLUMN slugg"));
    held(&w).await;
    let error = w.try_rollback(only("alpha/2")).await.unwrap().error.unwrap();
    assert_eq!(error.location.as_ref().unwrap().line, 4, "{error:#?}");
    assert_eq!(w.state("alpha/2").await, MigrationState::Interrupted);
}

#[tokio::test]
async fn what_a_half_done_change_stands_on_is_not_taken_back_under_it() {
    let w = plans(10).await;
    slugs(&w, "");
    held(&w).await;
    let error = w.try_rollback(only("alpha/1")).await.unwrap_err();
    assert_eq!(error.code, ErrorCode::HasDependents, "{error:#?}");
    assert_eq!(w.rollback(RollbackTo::Version("0".parse().unwrap())).await, ["alpha/2", "alpha/1"]);
}

/// The old column comes back and is filled from the new one before that goes.
#[tokio::test]
async fn a_way_back_can_have_a_backfill_too() {
    let w = plans(300).await;
    w.project.migration(
        "alpha/2_title",
        "-- part: expand\nALTER TABLE alpha.plans ADD COLUMN title text;\n-- part: backfill\n-- batch-rows: 100\n\
         UPDATE alpha.plans SET title = upper(name) WHERE title IS NULL;\n-- part: contract\nALTER TABLE alpha.plans DROP COLUMN name;\n",
        "-- part: contract\nALTER TABLE alpha.plans ADD COLUMN name text;\n-- part: backfill\n-- batch-rows: 100\n\
         UPDATE alpha.plans SET name = initcap(title) WHERE name IS NULL;\n\
         -- part: expand\nALTER TABLE alpha.plans ALTER name SET NOT NULL, DROP COLUMN title;\n",
    );
    w.run_ok().await;
    assert_eq!(w.rollback(only("alpha/2")).await, ["alpha/2"]);
    assert_eq!(w.db.value("SELECT count(*) FROM alpha.plans WHERE name = 'Plan ' || id").await.as_deref(), Some("300"));
    assert_eq!(w.db.value(LEFT_OVERS).await.as_deref(), Some("0"));
    assert_eq!(w.state("alpha/2").await, MigrationState::Pending);
}
