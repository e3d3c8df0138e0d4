//! Sessions that are lost, held, waited for.

use std::time::Duration;

use postgres_link::tenant::{Access, TxError};
use testkit::faults::Proxy;

use super::world::{World, abandon, admin, in_time, look, sees_its_own};

#[tokio::test]
async fn a_session_that_cannot_be_put_in_order_is_closed_and_another_takes_its_place() {
    let world = World::new().await;
    let proxy = Proxy::to_url(&world.db.url()).expect("a port");
    let options = postgres_link::ConnectOptions::parse_with(&proxy.url(&world.db.url()), &|_| None).expect("a URL");
    let options = options.with_user(&world.login.0).with_password(super::world::PASSWORD);
    let settings = postgres_link::tenant::PoolSettings { size: 1, wait: Duration::from_mins(1), ..Default::default() };
    let pool = postgres_link::tenant::TenantPool::new(options, settings);
    let process = sees_its_own(&pool, 0, "first").await.expect("a session");
    let mut tx = pool.begin(&admin(1, "left"), Access::Read);
    look(&mut tx).await.expect("in order");
    // What is sent from here on never arrives, and nobody says so.
    proxy.forget();
    drop(tx);
    assert_ne!(in_time(sees_its_own(&pool, 0, "next")).await.expect("a new session"), process);
}

#[tokio::test]
async fn a_session_that_ended_while_nobody_used_it_is_replaced_unnoticed() {
    let world = World::new().await;
    let pool = world.pool(|_| {});
    let process = sees_its_own(&pool, 0, "first").await.expect("a session");
    world.run(&format!("SELECT pg_terminate_backend({process}, 10000)")).await;
    // The word of it may still be on its way, so one request may meet the end.
    let mut next = in_time(sees_its_own(&pool, 0, "next")).await;
    if let Err(TxError::Lost(_)) = next {
        next = in_time(sees_its_own(&pool, 0, "again")).await;
    }
    assert_ne!(next.expect("a new session"), process);
}

#[tokio::test]
async fn an_idle_transaction_is_ended_by_the_server_and_the_pool_goes_on() {
    let world = World::new().await;
    let pool = world.pool(|settings| settings.idle_in_transaction_timeout = Duration::from_millis(50));
    let mut tx = pool.begin(&admin(0, "sleepy"), Access::Write);
    let process = look(&mut tx).await.expect("in order").process;
    let session = world.db.session().await;
    in_time(async {
        let sql = "SELECT 1 FROM pg_stat_activity WHERE pid = $1";
        while session.client().query_opt(sql, &[&process]).await.expect("a query").is_some() {}
    })
    .await;
    let error = look(&mut tx).await.expect_err("too late");
    assert!(matches!(error, TxError::Lost(_)), "{error}");
    drop(tx);
    assert_ne!(in_time(sees_its_own(&pool, 1, "next")).await.expect("a new session"), process);
}

#[tokio::test]
async fn who_waits_for_a_session_longer_than_the_limit_is_told_so() {
    let world = World::new().await;
    let pool = world.pool(|settings| settings.wait = Duration::from_millis(30));
    let mut tx = pool.begin(&admin(0, "holder"), Access::Read);
    in_time(look(&mut tx)).await.expect("the only session");
    let error = sees_its_own(&pool, 1, "waits").await.expect_err("nothing is free");
    assert!(matches!(error, TxError::PoolFull(_)) && error.to_string().contains("30 ms"), "{error}");
    tx.commit().await.expect("in order");
    sees_its_own(&pool, 1, "gets-it").await.expect("it is free");

    // Who gives up waiting takes nothing along.
    let mut tx = pool.begin(&admin(0, "holder"), Access::Read);
    look(&mut tx).await.expect("the only session");
    abandon(sees_its_own(&pool, 1, "impatient")).await;
    tx.commit().await.expect("in order");
    sees_its_own(&pool, 1, "gets-it-too").await.expect("it is free");

    pool.close();
    assert!(matches!(sees_its_own(&pool, 1, "too-late").await, Err(TxError::Closing)));
}

#[tokio::test]
async fn a_session_grows_old() {
    let world = World::new().await;
    let pool = world.pool(|settings| settings.lifetime = Duration::ZERO);
    let first = sees_its_own(&pool, 0, "first").await.expect("a session");
    assert_ne!(sees_its_own(&pool, 0, "second").await.expect("a session"), first);
}

#[tokio::test]
async fn a_transaction_without_a_statement_takes_no_session() {
    let world = World::new().await;
    let pool = world.pool(|settings| settings.wait = Duration::from_millis(1));
    let mut held = pool.begin(&admin(0, "holder"), Access::Read);
    in_time(look(&mut held)).await.expect("the only session");
    pool.begin(&admin(1, "idle"), Access::Write).commit().await.expect("nothing to do");
    drop(pool.begin(&admin(1, "idle"), Access::Write));
}
