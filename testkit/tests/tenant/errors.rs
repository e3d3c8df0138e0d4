//! What the server refuses, in the words of a service.

use std::time::Duration;

use postgres_link::tenant::{Access, TenantPool, TxError};
use uuid::Uuid;

use super::world::{SCHOOLS, World, admin, look, sees_its_own};

async fn refused(pool: &TenantPool, access: Access, sql: &'static str) -> TxError {
    let mut tx = pool.begin(&admin(0, "refused"), access).with_statement_timeout(Duration::from_millis(300));
    tx.execute(sql, &[]).await.expect_err(sql)
}

#[tokio::test]
async fn refusals_of_the_server_are_told_apart() {
    let world = World::new().await;
    let pool = world.pool(|_| {});
    let forbidden = "INSERT INTO organizations.organizations (name) VALUES ('Escuela nueva')";
    assert!(matches!(refused(&pool, Access::Write, forbidden).await, TxError::Forbidden(_)));
    let write = "UPDATE organizations.organizations SET phone = '1'";
    let error = refused(&pool, Access::Read, write).await;
    assert!(matches!(error, TxError::ReadOnly(_)) && error.to_string().contains("Access::Write"), "{error}");
    assert!(matches!(refused(&pool, Access::Read, "SELECT pg_sleep(600)").await, TxError::TimedOut(_)));
    assert!(matches!(refused(&pool, Access::Read, "SELECT 1 / 0").await, TxError::Sql(_)));

    let twice = "INSERT INTO organizations.organization_configs (organization_id, config_key, config_value) \
                 SELECT organization_id, config_key, config_value FROM organizations.organization_configs";
    let error = refused(&pool, Access::Write, twice).await;
    assert!(matches!(error, TxError::Taken(_)), "{error}");
    assert_eq!(error.constraint(), Some("organization_configs_organization_id_config_key_key"));

    for (code, expected) in
        [("40001", "Again"), ("40P01", "Again"), ("55P03", "Again"), ("23503", "Dangling"), ("23514", "Invalid")]
    {
        let mut tx = pool.begin(&admin(0, "raised"), Access::Read);
        tx.query("SELECT set_config('app.code', $1, true)", &[&code]).await.expect("a setting");
        let raise = "DO $$ BEGIN RAISE EXCEPTION 'no' USING ERRCODE = current_setting('app.code'), CONSTRAINT = 'a_rule'; END $$";
        let error = tx.execute(raise, &[]).await.expect_err("raised");
        assert!(format!("{error:?}").starts_with(expected), "{code}: {error:?}");
        assert_eq!(error.constraint(), (expected != "Again").then_some("a_rule"));
    }
    // After all of that the session is what it was.
    sees_its_own(&pool, 1, "after").await.expect("in order");
}

#[tokio::test]
async fn no_row_is_an_error_where_one_is_asked_for_and_another_tenants_row_is_none() {
    let world = World::new().await;
    let pool = world.pool(|_| {});
    let (own, other): (Uuid, Uuid) = (SCHOOLS[0].parse().expect("a UUID"), SCHOOLS[1].parse().expect("a UUID"));
    let mut tx = pool.begin(&admin(0, "writes"), Access::Write);
    let write = "UPDATE organizations.organizations SET phone = 'changed' WHERE id = $1";
    assert!(matches!(tx.execute_some(write, &[&other]).await, Err(TxError::NotFound)));
    assert_eq!(tx.execute_some(write, &[&own]).await.expect("it goes on"), 1);
    let read = "SELECT phone FROM organizations.organizations WHERE id = $1";
    assert!(matches!(tx.query_one(read, &[&other]).await, Err(TxError::NotFound)));
    assert!(tx.query_opt(read, &[&other]).await.expect("it goes on").is_none());
    tx.commit().await.expect("kept");
    let last = |claims| pool.begin(&claims, Access::Write).last();
    let row = last(admin(0, "reads")).query_one(read, &[&own]).await.expect("one's own");
    assert_eq!(row.get::<_, &str>(0), "changed");
    assert!(matches!(last(admin(1, "reads")).query_one(read, &[&own]).await, Err(TxError::NotFound)));
    assert!(matches!(last(admin(1, "writes")).execute_some(write, &[&own]).await, Err(TxError::NotFound)));
    assert_eq!(last(admin(1, "writes")).execute_some(write, &[&other]).await.expect("one's own"), 1);
    let rows = last(admin(1, "reads")).query("SELECT id FROM organizations.organizations", &[]).await.expect("rows");
    assert_eq!(rows.iter().map(|row| row.get::<_, Uuid>(0)).collect::<Vec<_>>(), [other]);
}

#[tokio::test]
async fn after_a_failure_nothing_is_kept_also_where_its_error_was_not_passed_on() {
    let world = World::new().await;
    let pool = world.pool(|_| {});
    let mut tx = pool.begin(&admin(0, "careless"), Access::Write);
    tx.execute("UPDATE organizations.organizations SET phone = 'lost'", &[]).await.expect("one's own");
    let _ = tx.query("SELECT 1 / 0", &[]).await;
    assert!(matches!(look(&mut tx).await, Err(TxError::Ended)));
    let error = tx.commit().await.expect_err("PostgreSQL itself answers such a COMMIT without an error");
    assert!(matches!(error, TxError::Ended), "{error}");
    let kept = world.db.value("SELECT count(*) FROM organizations.organizations WHERE phone = 'lost'").await;
    assert_eq!(kept.as_deref(), Some("0"));
    // A value that does not fit its parameter is refused before anything of the statement is sent.
    let mut tx = pool.begin(&admin(0, "misfit"), Access::Write);
    let error =
        tx.query("SELECT id FROM organizations.organizations WHERE id = $1", &[&"text"]).await.expect_err("a defect");
    assert!(matches!(error, TxError::Driver(_)), "{error:?}");
    drop(tx);
    sees_its_own(&pool, 1, "after").await.expect("in order");
}

#[tokio::test]
async fn a_statement_whose_columns_a_migration_changed_is_to_be_tried_again() {
    let world = World::new().await;
    let pool = world.pool(|_| {});
    let read = "SELECT phone FROM organizations.organizations";
    let once = || pool.begin(&admin(0, "reads"), Access::Read).last().query_one(read, &[]);
    once().await.expect("a row");
    world.run("ALTER TABLE organizations.organizations ALTER COLUMN phone TYPE text").await;
    let error = once().await.expect_err("the session has it as it was");
    assert!(matches!(error, TxError::Again), "{error:?}");
    once().await.expect("another session");
}
