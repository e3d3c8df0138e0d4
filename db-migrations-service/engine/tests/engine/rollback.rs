//! Taking back: by number, to a version, one by name; never from under something that depends on it.

use migration_engine::ErrorCode;
use migration_engine::request::{AppliedRow, RollbackRequest, RollbackTo, Scope};

use crate::help::{World, names};

fn chain(w: &World) {
    w.project
        .migration("alpha/1_t", "CREATE TABLE alpha.t (id int PRIMARY KEY);", "DROP TABLE alpha.t;")
        .migration("alpha/2_x", "ALTER TABLE alpha.t ADD COLUMN x int;", "ALTER TABLE alpha.t DROP COLUMN x;")
        .migration("beta/3_u", "CREATE TABLE beta.u (t int REFERENCES alpha.t);", "DROP TABLE beta.u;")
        .migration("alpha/4_ix", "CREATE INDEX t_x ON alpha.t (x);", "DROP INDEX alpha.t_x;")
        .migration("alpha/5_free", "CREATE TABLE alpha.free ();", "DROP TABLE alpha.free;");
}

#[tokio::test]
async fn by_steps_to_a_version_and_to_nothing() {
    let w = World::new().await;
    chain(&w);
    w.run_ok().await;
    assert_eq!(w.rollback(RollbackTo::Steps(2)).await, ["alpha/5", "alpha/4"]);
    assert_eq!(w.run_ok().await, ["alpha/4", "alpha/5"]);
    assert_eq!(w.rollback(RollbackTo::Version("2".parse().unwrap())).await, ["alpha/5", "alpha/4", "beta/3"]);
    assert_eq!(w.rollback(RollbackTo::Version("0".parse().unwrap())).await, ["alpha/2", "alpha/1"]);
    assert!(w.relations().await.is_empty());
    assert_eq!(w.run_ok().await.len(), 5);
    let error = w.try_rollback(RollbackTo::Version("77".parse().unwrap())).await.unwrap_err();
    assert_eq!(error.code, ErrorCode::UnknownMigration);
    let told = w.db.rows("SELECT count(*) FILTER (WHERE rolled_back_at IS NULL), count(*) FILTER (WHERE rolled_back_by = 'a test' AND rollback_run_id IS NOT NULL) FROM migration_service.history").await;
    assert_eq!(told, ["5|7"]);
}

#[tokio::test]
async fn one_by_name_is_refused_with_the_list_while_others_depend_on_it() {
    let w = World::new().await;
    chain(&w);
    w.run_ok().await;
    let refused = |id: &'static str| {
        let w = &w;
        async move {
            let error = w.try_rollback(RollbackTo::Migration(id.parse().unwrap())).await.unwrap_err();
            assert_eq!(error.code, ErrorCode::HasDependents, "{error:#?}");
            names(&error.related)
        }
    };
    assert_eq!(refused("alpha/1").await, ["alpha/2", "beta/3", "alpha/4"]);
    // PostgreSQL would drop the index with its column and say nothing.
    assert_eq!(refused("alpha/2").await, ["alpha/4"]);
    assert_eq!(w.rollback(RollbackTo::Migration("beta/3".parse().unwrap())).await, ["beta/3"]);
    assert_eq!(w.rollback(RollbackTo::Migration("alpha/5".parse().unwrap())).await, ["alpha/5"]);
    let error = w.try_rollback(RollbackTo::Migration("alpha/5".parse().unwrap())).await.unwrap_err();
    assert_eq!(error.code, ErrorCode::UnknownMigration);
    assert_eq!(w.run_ok().await, ["beta/3", "alpha/5"]);
}

#[tokio::test]
async fn a_service_alone() {
    let w = World::new().await;
    chain(&w);
    w.run_ok().await;
    let request =
        RollbackRequest { scope: Scope::Service("beta-service".to_owned()), to: RollbackTo::Steps(9), dry_run: false };
    let report = w.engine().prepare_rollback(request, w.context()).await.unwrap().execute().await;
    assert_eq!(names(&report.done), ["beta/3"]);
}

#[tokio::test]
async fn it_runs_what_was_stored_whatever_became_of_the_file() {
    let w = World::new().await;
    w.project.migration("alpha/1_t", "CREATE TABLE alpha.t ();", "DROP TABLE alpha.t; -- as applied");
    w.run_ok().await;
    w.project.migration("alpha/1_t", "CREATE TABLE alpha.t ();", "SELECT 1 / 0;");
    let request = RollbackRequest { scope: Scope::All, to: RollbackTo::Steps(1), dry_run: true };
    let plan = w.engine().plan_rollback(&request).await.unwrap();
    assert_eq!(plan.migrations[0].sql.as_deref(), Some("DROP TABLE alpha.t; -- as applied"));
    assert_eq!(w.rollback(RollbackTo::Steps(1)).await, ["alpha/1"]);
}

#[tokio::test]
async fn what_was_done_is_read_only_where_something_stays_that_could_depend_on_it() {
    let w = World::new().await;
    chain(&w);
    w.run_ok().await;
    w.db.rows("UPDATE migration_service.history SET up_sql = 'no longer read' WHERE version = 4").await;
    assert_eq!(w.rollback(RollbackTo::Steps(2)).await, ["alpha/5", "alpha/4"]);
    assert_eq!(w.run_ok().await, ["alpha/4", "alpha/5"]);
    w.db.rows("UPDATE migration_service.history SET up_sql = 'no longer read' WHERE version = 4").await;
    let error = w.try_rollback(RollbackTo::Migration("alpha/2".parse().unwrap())).await.unwrap_err();
    assert_eq!(error.code, ErrorCode::SyntaxError, "{error:#?}");
}

#[tokio::test]
async fn an_irreversible_one_says_why_and_nothing_is_taken_back() {
    let w = World::new().await;
    w.project
        .migration("alpha/1_t", "CREATE TABLE alpha.t ();", "-- irreversible: the old values are gone\n")
        .migration("alpha/2_u", "CREATE TABLE alpha.u ();", "DROP TABLE alpha.u;");
    w.run_ok().await;
    let error = w.try_rollback(RollbackTo::Steps(2)).await.unwrap_err();
    assert_eq!(error.code, ErrorCode::Irreversible);
    assert!(error.message.contains("the old values are gone"), "{}", error.message);
    assert_eq!(w.relations().await, ["alpha.t", "alpha.u"]);
}

#[tokio::test]
async fn a_down_that_fails_leaves_its_migration_applied() {
    let w = World::new().await;
    w.project.migration("alpha/1_t", "CREATE TABLE alpha.t ();", "DROP TABLE alpha.t;").migration(
        "alpha/2_u",
        "CREATE TABLE alpha.u ();",
        "DROP TABLE alpha.u;\nDROP TABLE alpha.gone;",
    );
    w.run_ok().await;
    let report = w.try_rollback(RollbackTo::Steps(2)).await.unwrap();
    let error = report.error.unwrap();
    assert_eq!(error.location.unwrap().line, 2);
    assert_eq!(w.states().await, ["alpha/1 Applied", "alpha/2 Applied"]);
    assert_eq!(w.relations().await, ["alpha.t", "alpha.u"]);
}

#[tokio::test]
async fn rows_that_still_stand_are_taken_back_and_what_was_applied_again_is_not() {
    let w = World::new().await;
    chain(&w);
    w.run_ok().await;
    let row = async |id: &str| {
        let id: migration_engine::MigrationId = id.parse().unwrap();
        let sql = format!("SELECT max(id) FROM migration_service.history WHERE schema_name || '/' || version = '{id}'");
        let row = w.db.value(&sql).await.and_then(|row| row.parse().ok());
        AppliedRow { migration: id, row }
    };
    let planned = vec![row("alpha/5").await, row("alpha/4").await];
    assert_eq!(w.rollback(RollbackTo::Steps(1)).await, ["alpha/5"]);
    assert_eq!(w.rollback(RollbackTo::Rows(planned.clone())).await, ["alpha/4"], "what is left of it");
    assert!(w.rollback(RollbackTo::Rows(planned.clone())).await.is_empty(), "nothing is left of it");
    assert_eq!(w.run_ok().await, ["alpha/4", "alpha/5"]);
    let error = w.try_rollback(RollbackTo::Rows(planned)).await.unwrap_err();
    assert_eq!(error.code, ErrorCode::UnknownMigration);
    assert!(error.message.contains("alpha/5 was applied again since"), "{error:#?}");
}
