//! Security check 24: requests of two tenants over one session.

use std::time::Duration;

use postgres_link::connect;
use postgres_link::tenant::{Access, TenantPool, TenantTx, TxError};
use tokio::task::JoinSet;

use super::world::{World, abandon, admin, in_time, look, request, sees_its_own};

const REQUESTS: usize = 1000;
const SLEEP: &str = "SELECT pg_sleep($1)";

/// Leaves a statement that would run for ten minutes. It is prepared before, so that it is not that which is left.
async fn abandon_at_work(tx: &mut TenantTx) {
    tx.query(SLEEP, &[&0.0]).await.expect("no sleep at all");
    abandon(tx.query(SLEEP, &[&600.0])).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn check_24_a_thousand_interleaved_requests_of_two_tenants_over_one_session_never_cross() {
    let world = World::new().await;
    let pool = world.pool(|_| {});
    let mut requests = JoinSet::new();
    for number in 0..REQUESTS {
        let pool = pool.clone();
        requests.spawn(async move { sees_its_own(&pool, number % 2, &format!("r-{number}")).await });
    }
    let mut processes = Vec::new();
    while let Some(done) = in_time(requests.join_next()).await {
        processes.push(done.expect("nobody saw another's").expect("no error"));
    }
    processes.dedup();
    assert_eq!(processes.len(), 1, "one session served them all");
}

/// What goes wrong in the middle of a request of each kind, after it has shown who it is and written.
async fn go_wrong(pool: &TenantPool, number: usize) {
    let school = number % 2;
    let mut tx = pool.begin(&admin(school, "bad"), Access::Write).with_statement_timeout(Duration::from_millis(500));
    let wrote = tx.execute("UPDATE organizations.organizations SET phone = 'never kept'", &[]).await;
    assert_eq!(wrote.expect("one's own school"), 1);
    match number / 2 % 4 {
        0 => panic!("as a handler might"),
        1 => abandon_at_work(&mut tx).await,
        2 => {
            let error = tx.query(SLEEP, &[&600.0]).await.expect_err("too slow");
            assert!(matches!(error, TxError::TimedOut(_)), "{error}");
        }
        _ => {
            tx.query("SELECT 1 / 0", &[]).await.expect_err("a defect");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn check_24_they_do_not_cross_after_panics_timeouts_and_cancelled_futures_in_mid_transaction() {
    let world = World::new().await;
    let pool = world.pool(|_| {});
    let (mut good, mut bad) = (JoinSet::new(), JoinSet::new());
    for number in 0..REQUESTS {
        let pool = pool.clone();
        if number % 25 < 2 {
            bad.spawn(async move { go_wrong(&pool, number).await });
        } else {
            good.spawn(async move { sees_its_own(&pool, number % 2, &format!("r-{number}")).await });
        }
    }
    let mut processes = Vec::new();
    while let Some(done) = in_time(good.join_next()).await {
        processes.push(done.expect("nobody saw another's").expect("no error"));
    }
    let mut panics = 0;
    while let Some(done) = in_time(bad.join_next()).await {
        if let Err(error) = done {
            let panic = error.into_panic();
            assert_eq!(panic.downcast_ref::<&str>(), Some(&"as a handler might"));
            panics += 1;
        }
    }
    assert!(panics > 0);
    processes.dedup();
    assert_eq!(processes.len(), 1, "what was left was ended, and the session went on");
    let kept = world.db.value("SELECT count(*) FROM organizations.organizations WHERE phone = 'never kept'").await;
    assert_eq!(kept.as_deref(), Some("0"));
}

#[tokio::test]
async fn check_24_a_request_that_went_away_at_any_of_its_moments_leaves_nothing_to_the_next() {
    let world = World::new().await;
    let pool = world.pool(|_| {});
    let process = sees_its_own(&pool, 0, "first").await.expect("a session");
    let write = "UPDATE organizations.organizations SET phone = 'never kept'";
    // The statement is prepared from here on, so that the first flight holds all of the transaction but its end.
    let mut tx = pool.begin(&admin(1, "rolled-back"), Access::Write);
    tx.execute(write, &[]).await.expect("one's own school");
    drop(tx);

    // While the head and the statement are on their way.
    let mut tx = pool.begin(&admin(1, "early"), Access::Write);
    sees_its_own(&pool, 0, "before").await.expect("nothing was taken yet");
    abandon(tx.execute(write, &[])).await;
    // Whoever goes on with it is refused, as is its COMMIT.
    assert!(matches!(tx.query("SELECT 1", &[]).await, Err(TxError::Ended)));
    assert!(matches!(tx.commit().await, Err(TxError::Ended)));
    assert_eq!(in_time(sees_its_own(&pool, 0, "after-early")).await.expect("in order"), process);

    // While a statement is prepared.
    let mut tx = pool.begin(&admin(1, "preparing"), Access::Read);
    abandon(tx.query("SELECT 'never seen before'", &[])).await;
    drop(tx);
    assert_eq!(in_time(sees_its_own(&pool, 0, "after-preparing")).await.expect("in order"), process);

    // Between two statements.
    let mut tx = pool.begin(&admin(1, "between"), Access::Write);
    tx.execute(write, &[]).await.expect("one's own school");
    drop(tx);
    assert_eq!(in_time(sees_its_own(&pool, 0, "after-between")).await.expect("in order"), process);

    // While a statement runs that would run for long: it is stopped at the server, and not waited for.
    let mut tx = pool.begin(&admin(1, "late"), Access::Write).with_statement_timeout(Duration::from_mins(10));
    tx.execute(write, &[]).await.expect("one's own school");
    abandon_at_work(&mut tx).await;
    drop(tx);
    assert_eq!(in_time(sees_its_own(&pool, 0, "after-late")).await.expect("in order"), process);

    let kept = world.db.value("SELECT count(*) FROM organizations.organizations WHERE phone = 'never kept'").await;
    assert_eq!(kept.as_deref(), Some("0"));
}

#[tokio::test]
async fn check_24_claims_end_with_their_transaction() {
    let world = World::new().await;
    let pool = world.pool(|_| {});
    let process = sees_its_own(&pool, 0, "somebody").await.expect("a session");

    // The service itself is nobody, whoever had the session before it.
    let login = &world.login.0;
    world
        .run(&format!(
            "GRANT USAGE ON SCHEMA auth TO {login}; GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA auth TO {login}"
        ))
        .await;
    let mut tx = pool.begin_as_service(&request("service-1"), Access::Read);
    let row = tx
        .query_one(
            "SELECT auth.uid()::text, auth.org()::text, auth.role(), current_user::text, pg_backend_pid(), \
                            current_setting('request.jwt.claims')",
            &[],
        )
        .await
        .expect("no empty text is read as JSON");
    assert_eq!(
        (row.get::<_, Option<&str>>(0), row.get::<_, Option<&str>>(1), row.get::<_, Option<&str>>(2)),
        (None, None, None)
    );
    assert_eq!((row.get::<_, &str>(3), row.get::<_, i32>(4)), (world.login.0.as_str(), process));
    assert_eq!(row.get::<_, &str>(5), r#"{"rid":"service-1"}"#);
    tx.commit().await.expect("kept");
    assert_eq!(sees_its_own(&pool, 1, "somebody-else").await.expect("in order"), process);

    // Whatever a statement told the session for longer than its transaction, the next one says for itself.
    let mut tx = pool.begin(&admin(1, "forger"), Access::Write);
    tx.query(
        "SELECT set_config('request.jwt.claims', '{\"org\":\"00000007-0001-4000-8000-000000000001\"}', false), \
              set_config('role', 'none', false), set_config('default_transaction_read_only', 'on', false), \
              set_config('statement_timeout', '1', false)",
        &[],
    )
    .await
    .expect("a setting");
    tx.commit().await.expect("kept");
    assert_eq!(sees_its_own(&pool, 1, "after-forger").await.expect("in order"), process);
    let mut tx = pool.begin(&admin(1, "writes"), Access::Write);
    tx.execute("UPDATE organizations.organizations SET phone = 'kept'", &[]).await.expect("it may write");
    tx.commit().await.expect("kept");
}

#[tokio::test]
async fn outside_of_a_transaction_a_session_sees_nothing_and_the_empty_text_of_spent_claims_is_nobody() {
    let world = World::new().await;
    // As the pool opens it.
    let session = connect(&world.options().with_option("role", "app_user")).await.expect("a session");
    let state = "SELECT current_setting('request.jwt.claims', true), auth.uid(), auth.org(), auth.role(), \
                 (SELECT count(*) FROM organizations.organizations), current_user";
    let fresh = session.batch(state).await.expect("no claims at all");
    assert_eq!((fresh.value(0, 0), fresh.value(0, 4), fresh.value(0, 5)), (None, Some("0"), Some("app_user")));
    let spend = "BEGIN; SELECT set_config('request.jwt.claims', '{\"sub\":\"00000007-0001-4000-8000-000000000001\"}', true); COMMIT";
    session.batch(spend).await.expect("a transaction");
    let spent = session.batch(state).await.expect("the empty text is no JSON, and is not read as such");
    assert_eq!(spent.value(0, 0), Some(""), "not NULL as before: the pitfall");
    assert_eq!(
        (spent.value(0, 1), spent.value(0, 2), spent.value(0, 3), spent.value(0, 4)),
        (None, None, None, Some("0"))
    );
    session.batch("SET ROLE none; RESET ROLE").await.expect("roles");
    assert_eq!(session.batch(state).await.expect("a row").value(0, 5), Some("app_user"), "RESET leads back to it");
}

#[tokio::test]
async fn a_session_that_forgot_its_statements_serves_nobody_and_another_takes_its_place() {
    let world = World::new().await;
    let pool = world.pool(|_| {});
    let process = sees_its_own(&pool, 0, "first").await.expect("a session");
    let mut tx = pool.begin(&admin(0, "forgets"), Access::Write);
    tx.execute("DEALLOCATE ALL", &[]).await.expect("whoever may do that");
    drop(tx);
    // Not even BEGIN is known there any more: what was sent behind it ran as nobody, if at all.
    let mut tx = pool.begin(&admin(0, "lost"), Access::Read);
    let error = look(&mut tx).await.expect_err("forgotten");
    assert!(matches!(error, TxError::Again), "{error}");
    drop(tx);
    assert_ne!(sees_its_own(&pool, 0, "next").await.expect("a new session"), process);
    // So does a statement that the session never had.
    let process = sees_its_own(&pool, 0, "another").await.expect("a session");
    let mut tx = pool.begin(&admin(0, "forgets-again"), Access::Write);
    tx.execute("DEALLOCATE ALL", &[]).await.expect("whoever may do that");
    drop(tx);
    let mut tx = pool.begin(&admin(0, "new"), Access::Read);
    let error = tx.query("SELECT 'new to the session'", &[]).await.expect_err("no BEGIN");
    assert!(matches!(error, TxError::Again), "{error}");
    drop(tx);
    assert_ne!(sees_its_own(&pool, 0, "last").await.expect("a new session"), process);
}

#[tokio::test]
async fn check_21_a_statement_whose_begin_failed_runs_as_nobody_and_not_as_the_service() {
    let world = World::new().await;
    // As migrating makes it for the service that owns the table.
    let login = &world.login.0;
    world
        .run(&format!(
            "GRANT USAGE ON SCHEMA organizations TO {login}; GRANT SELECT, UPDATE ON organizations.organizations TO {login}; \
             CREATE POLICY test_service_all ON organizations.organizations TO {login} USING (true) WITH CHECK (true)"
        ))
        .await;
    let pool = world.pool(|_| {});
    let write = "UPDATE organizations.organizations SET phone = 'stray'";
    let mut tx = pool.begin_as_service(&request("service"), Access::Write);
    assert_eq!(tx.execute(write, &[]).await.expect("all schools"), 2);
    drop(tx);
    let mut tx = pool.begin(&admin(0, "forgets-begin"), Access::Write);
    tx.execute(write, &[]).await.expect("one's own");
    tx.execute(
        "DO $$ DECLARE s text; BEGIN FOR s IN SELECT name FROM pg_prepared_statements WHERE statement LIKE 'BEGIN%' LOOP \
         EXECUTE format('DEALLOCATE %I', s); END LOOP; END $$",
        &[],
    )
    .await
    .expect("whoever may do that");
    drop(tx);
    let error = pool.begin(&admin(0, "stray"), Access::Write).last().execute(write, &[]).await.expect_err("no BEGIN");
    assert!(matches!(error, TxError::Again), "{error}");
    let kept = world.db.value("SELECT count(*) FROM organizations.organizations WHERE phone = 'stray'").await;
    assert_eq!(kept.as_deref(), Some("0"), "it ran, and met no row");
}
