//! A contract is asked for before it is taken.

use std::sync::{Arc, Mutex};

use migration_engine::hold::{Contract, Hold};
use migration_engine::{EngineError, ErrorCode};

use crate::help::{World, all, names};

/// An expand, something of another schema, and the contract.
async fn changing() -> World {
    let w = World::new().await;
    w.project
        .migration("alpha/1_a", "CREATE TABLE alpha.a (old int);", "DROP TABLE alpha.a;")
        .migration("alpha/2_expand", "ALTER TABLE alpha.a ADD new int;", "ALTER TABLE alpha.a DROP new;")
        .migration(
            "alpha/3_contract",
            "-- contract-of: alpha/2_expand\nALTER TABLE alpha.a DROP old;",
            "ALTER TABLE alpha.a ADD old int;",
        );
    w
}

#[tokio::test]
async fn what_is_held_ends_the_run_before_it_and_what_was_done_stands() {
    let w = changing().await;
    let asked: Arc<Mutex<Vec<Contract>>> = Arc::default();
    let hold = {
        let asked = Arc::clone(&asked);
        Hold::new(move |contracts| {
            asked.lock().unwrap().extend(contracts);
            async { Err(EngineError::new(ErrorCode::ContractHeld, "2.3 still uses it").cure("wait")) }
        })
    };
    let mut prepared = w.engine().prepare_run(all(), w.context()).await.unwrap();
    assert_eq!(prepared.plan().migrations[2].contract_of, ["alpha/2".parse().unwrap()]);
    prepared.hold_contracts_by(hold.clone(), None);
    let report = prepared.execute().await;
    assert_eq!(report.error.expect("it is held").code, ErrorCode::ContractHeld);
    assert_eq!(names(&report.done), ["alpha/1", "alpha/2"]);
    let contract = Contract { migration: "alpha/3".parse().unwrap(), of: "alpha/2".parse().unwrap() };
    assert_eq!(*asked.lock().unwrap(), [contract], "once, and only for the contract");
    assert_eq!(w.states().await[2], "alpha/3 Pending", "that it was held is no failure of its own");

    // Somebody decides to go on.
    let mut prepared = w.engine().prepare_run(all(), w.context()).await.unwrap();
    prepared.hold_contracts_by(hold, Some("out of rotation".to_owned()));
    let report = prepared.execute().await;
    assert_eq!(names(&report.done), ["alpha/3"], "{:?}", report.error);
    let kept = w.db.rows("SELECT gate, reason FROM migration_service.gate_override").await;
    assert_eq!(kept, ["contract|out of rotation"]);
}

#[tokio::test]
async fn a_contract_comes_after_what_it_takes_the_old_shape_of() {
    let w = changing().await;
    let plan = w.engine().plan(&migration_engine::request::Scope::All, false).await.unwrap();
    assert!(names(&plan.migrations[2].waits_for).contains(&"alpha/2".to_owned()), "{plan:?}");
    w.project.migration("alpha/4_lost", "-- contract-of: alpha/99\nSELECT 1;", "SELECT 1;");
    assert_eq!(w.refused().await.code, ErrorCode::UnresolvedReference);
}
