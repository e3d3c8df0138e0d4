//! Sessions whose server does not answer any more, over a line that is half open: how long that goes unnoticed.

use std::time::{Duration, Instant};

use postgres_link::{AdminConn, Closed, ConnectOptions, connect};
use testkit::faults::{OwnServer, Proxy};
use testkit::server;

/// What is asked for here: longer than a probe's login takes on a loaded machine.
const PATIENCE: Duration = Duration::from_secs(4);
/// What a loaded machine may add.
const SLACK: Duration = Duration::from_secs(20);

async fn through(proxy: &Proxy, url: &str) -> AdminConn {
    let url = format!("{}&tcp_user_timeout={}", proxy.url(url), PATIENCE.as_millis());
    connect(&ConnectOptions::parse_with(&url, &|_| None).unwrap()).await.unwrap()
}

fn line() -> Proxy {
    Proxy::to_url(&server().url("postgres")).unwrap()
}

async fn assert_given_up(waiting: impl Future<Output = String>, says: &str) {
    let begun = Instant::now();
    let error = tokio::time::timeout(PATIENCE + SLACK, waiting).await.expect("it is noticed");
    assert!(begun.elapsed() >= PATIENCE / 2, "given up at once: {error}");
    assert!(error.contains("no sign of life") && error.contains(says), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_half_open_line_is_noticed_by_whoever_waits_for_an_answer() {
    let proxy = line();
    let (batch, client, idle) = (
        through(&proxy, &server().url("postgres")).await,
        through(&proxy, &server().url("postgres")).await,
        through(&proxy, &server().url("postgres")).await,
    );
    proxy.stall();
    let by_batch = async { batch.batch("SELECT 1").await.unwrap_err().to_string() };
    let by_client = async {
        assert!(client.client().simple_query("SELECT 1").await.unwrap_err().is_closed());
        client.closed().await.to_string()
    };
    tokio::join!(assert_given_up(by_batch, "not answered either"), assert_given_up(by_client, "not answered either"));
    assert!(!idle.is_closed(), "nobody waits for it");
    proxy.heal();
    assert_eq!(idle.batch("SELECT 1").await.unwrap().value(0, 0), Some("1"));
}

/// What becomes of a statement that was sent and swallowed by a line which then forgets the connection.
async fn swallowed(proxy: &Proxy, session: &AdminConn) -> String {
    proxy.stall();
    let batch = session.batch("SELECT 1");
    tokio::pin!(batch);
    assert!(tokio::time::timeout(PATIENCE / 10, &mut batch).await.is_err());
    proxy.forget();
    batch.await.unwrap_err().to_string()
}

/// The first answers of a flight have come; it is the rest that never does.
#[tokio::test(flavor = "multi_thread")]
async fn a_flight_that_is_half_answered_is_waited_for_no_longer() {
    let proxy = line();
    let session = through(&proxy, &server().url("postgres")).await;
    let mut flight = session.flight(&["SELECT 1", "SELECT pg_sleep(600)"]).unwrap();
    flight.next().await.unwrap().unwrap();
    proxy.stall();
    assert_given_up(async { flight.next().await.unwrap().unwrap_err().to_string() }, "not answered either").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_statement_of_a_server_that_lives_is_waited_for() {
    let proxy = line();
    let session = through(&proxy, &server().url("postgres")).await;
    let begun = Instant::now();
    session.batch("SELECT pg_sleep(9)").await.unwrap();
    assert!(begun.elapsed() > PATIENCE * 2, "it was asked for more than once");
}

/// A firewall, or a balancer, that has forgotten one connection and makes others.
#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_was_lost_is_not_waited_for() {
    let proxy = line();
    let session = through(&proxy, &server().url("postgres")).await;
    let pid = session.backend_pid();
    assert_given_up(swallowed(&proxy, &session), "the answer was lost").await;
    // Its process knows nothing of it, and is told when this side hangs up: nothing is left to hold a lock.
    let watcher = server().session("postgres").await;
    let gone = format!("SELECT count(*) FROM pg_stat_activity WHERE pid = {pid}");
    drop((session, proxy));
    while watcher.batch(&gone).await.unwrap().value(0, 0) != Some("0") {}
}

/// The line leads to another server now, which has never heard of the session.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_took_anothers_place_is_found_out() {
    let (primary, standby) = tokio::task::spawn_blocking(|| {
        let primary = OwnServer::start(&[]);
        let standby = primary.standby();
        (primary, standby)
    })
    .await
    .unwrap();
    let proxy = Proxy::to(primary.addr()).unwrap();
    let session = through(&proxy, &primary.url("postgres")).await;
    proxy.retarget(standby.addr());
    assert_given_up(swallowed(&proxy, &session), "does not know this session").await;
    assert!(matches!(session.closed().await, Closed::Lost(_)));
}
