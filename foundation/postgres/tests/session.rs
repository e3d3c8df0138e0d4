//! One session on a real server: batches, errors, notices, cancelling, the end.

mod common;

use std::future::Future;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use common::Server;
use postgres_link::{AdminConn, BatchFailure, Closed, connect};

/// Nothing here may hang for ever.
async fn in_time<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(30), future).await.expect("done in time")
}

/// Waits until the server shows this session as running a statement.
async fn wait_until_running(watcher: &AdminConn, pid: i32) {
    in_time(async {
        loop {
            let sql = "select 1 from pg_stat_activity where pid = $1 and state = 'active'";
            if watcher.client().query_opt(sql, &[&pid]).await.expect("a query").is_some() {
                return;
            }
        }
    })
    .await;
}

#[tokio::test]
async fn a_batch_tells_what_each_statement_did() {
    let server = Server::start();
    let session = server.connect().await;
    let outcome = session
        .batch("create table t (a int, b text); insert into t values (1, 'ä'), (2, null); select * from t order by a; update t set a = 3 where a = 1")
        .await
        .expect("valid SQL");
    let affected: Vec<u64> = outcome.statements.iter().map(|statement| statement.rows_affected).collect();
    assert_eq!(affected, [0, 2, 2, 1]);
    assert_eq!(outcome.statements[2].columns, ["a", "b"]);
    assert_eq!(outcome.statements[2].rows[0], [Some("1".to_owned()), Some("ä".to_owned())]);
    assert_eq!(outcome.statements[2].rows[1], [Some("2".to_owned()), None]);
    assert!(outcome.statements[3].columns.is_empty(), "columns belong to their own statement");
    assert_eq!(outcome.value(2, 1), Some("ä"));
    assert_eq!(outcome.rows().count(), 2);
}

#[tokio::test]
async fn a_failed_batch_tells_where_and_what_came_before() {
    let server = Server::start();
    let session = server.connect().await;
    let error = session.batch("create table é (a int); select nothing from é; select 1").await.expect_err("no column");
    assert_eq!(error.completed(), 1);
    let sql = error.sql_error().expect("the server said it");
    assert_eq!(sql.sqlstate, "42703");
    assert_eq!(sql.position, Some(32), "characters in the whole message, first is 1");
    let outcome = session.batch("select to_regclass('é')").await.expect("the session goes on");
    assert_eq!(outcome.value(0, 0), None, "one message is one transaction");

    let error = session.batch("select 1; selec 2").await.expect_err("syntax");
    assert_eq!(
        (error.completed(), error.sqlstate()),
        (0, Some("42601")),
        "nothing runs of a message that does not parse"
    );

    let setup = "create table s (id int constraint positive check (id > 0)); begin; insert into s values (1)";
    session.batch(setup).await.expect("valid SQL");
    let error = session.batch("insert into s values (2); insert into s values (-1)").await.expect_err("the check");
    let sql = error.sql_error().expect("the server said it");
    assert_eq!((error.completed(), sql.sqlstate.as_str()), (1, "23514"));
    assert_eq!((sql.table.as_deref(), sql.constraint.as_deref()), (Some("s"), Some("positive")));
    assert!(sql.detail.as_deref().is_some_and(|detail| detail.contains("-1")), "{sql:?}");
    assert_eq!(session.batch("select 1").await.expect_err("failed transaction").sqlstate(), Some("25P02"));
    session.batch("rollback").await.expect("back to normal");

    let error = session.batch("do $$ begin execute 'selec 1'; end $$").await.expect_err("inside");
    let sql = error.sql_error().expect("the server said it");
    assert_eq!((sql.internal_query.as_deref(), sql.internal_position), (Some("selec 1"), Some(1)));
    assert!(sql.where_.as_deref().is_some_and(|place| place.contains("PL/pgSQL")), "{sql:?}");
}

#[tokio::test]
async fn a_flight_is_answered_message_by_message_while_the_rest_is_on_its_way() {
    let server = Server::start();
    let (session, watcher) = (server.connect().await, server.connect().await);
    watcher.batch("create table gate (a int)").await.expect("a table");
    watcher.batch("begin; lock gate").await.expect("a lock");
    let messages = ["begin; create table f (a int)", "insert into f values (1), (2)", "lock gate", "select 3; commit"];
    let mut flight = session.flight(&messages).expect("sent");
    let first = in_time(flight.next()).await.expect("an answer").expect("it went through");
    assert_eq!(first.statements.len(), 2);
    assert_eq!(in_time(flight.next()).await.expect("an answer").expect("rows").statements[0].rows_affected, 2);
    // The third one waits, and giving up the call loses nothing of it.
    assert!(futures_util::FutureExt::now_or_never(flight.next()).is_none());
    watcher.batch("rollback").await.expect("let go");
    in_time(flight.next()).await.expect("an answer").expect("the lock");
    assert_eq!(in_time(flight.next()).await.expect("an answer").expect("the end").value(0, 0), Some("3"));
    assert!(flight.next().await.is_none());
    drop(flight);
    assert_eq!(session.batch("select count(*) from f").await.expect("committed").value(0, 0), Some("2"));
}

#[tokio::test]
async fn the_first_refusal_ends_a_flight_and_nothing_behind_it_counts() {
    let server = Server::start();
    let session = server.connect().await;
    let messages = ["begin; create table f (a int)", "select 1; select 1 / 0", "select 2", "select 3; commit"];
    let mut flight = session.flight(&messages).expect("sent");
    flight.next().await.expect("an answer").expect("it went through");
    let error = flight.next().await.expect("an answer").expect_err("a division by zero");
    assert_eq!((error.message, error.completed(), error.sqlstate()), (1, 1, Some("22012")));
    assert!(flight.next().await.is_none());
    drop(flight);
    // Not even the commit was reached: the message that holds it was refused at its beginning.
    assert_eq!(session.batch("select 1").await.expect_err("in a failed transaction").sqlstate(), Some("25P02"));
    session.batch("rollback").await.expect("back to normal");
    assert_eq!(session.batch("select to_regclass('f')").await.expect("it goes on").value(0, 0), None);

    let error = session.flight(&["select 1", "select\0 2"]).expect_err("a NUL");
    assert!(matches!(&error.failure, BatchFailure::Unsendable(text) if text.contains("NUL")), "{error:?}");
    session.batch("select 1").await.expect("nothing was sent");
    let mut flight = session.flight(&["create table c (a int)", "copy c from stdin", "select 1"]).expect("sent");
    in_time(flight.next()).await.expect("an answer").expect("a table");
    let error = in_time(flight.next()).await.expect("an answer").expect_err("no data");
    assert!(matches!(&error.failure, BatchFailure::Protocol(text) if text.contains("COPY")), "{error:?}");
    in_time(session.closed()).await;
    assert!(session.flight(&["select 1"]).expect_err("gone").is_connection_loss());
}

#[tokio::test]
async fn dropping_a_session_with_an_abandoned_flight_cancels_it() {
    let server = Server::start();
    let (session, watcher) = (server.connect().await, server.connect().await);
    let pid = session.backend_pid();
    let mut flight = session.flight(&["begin", "select pg_sleep(600)", "commit"]).expect("sent");
    in_time(flight.next()).await.expect("an answer").expect("a transaction");
    wait_until_running(&watcher, pid).await;
    drop(flight);
    let closed = session.closed();
    drop(session);
    assert_eq!(in_time(closed).await, Closed::ByUs);
}

#[tokio::test]
async fn copy_in_a_batch_is_refused_with_the_reason() {
    let server = Server::start();
    let session = server.connect().await;
    let error =
        in_time(session.batch("create table c (a int); copy c from stdin; select 1")).await.expect_err("no data");
    assert!(matches!(&error.failure, BatchFailure::Protocol(text) if text.contains("COPY")), "{error:?}");
    in_time(session.closed()).await;
    in_time(session.close()).await;

    let session = server.connect().await;
    let error = session.batch("select 1;\0 select 2").await.expect_err("a NUL");
    assert!(matches!(&error.failure, BatchFailure::Unsendable(text) if text.contains("NUL")), "{error:?}");
    session.batch("").await.expect("the session goes on, and nothing is allowed");
    in_time(session.close()).await;
}

#[tokio::test]
async fn the_session_knows_its_server_without_asking() {
    let server = Server::start();
    let options =
        server.options().with_application_name("kennt sich aus").with_option("app.note", r"two words \ slash");
    let session = connect(&options).await.expect("a session");
    let outcome = session
        .batch("select pg_backend_pid(), current_setting('server_version_num'), current_setting('application_name'), current_setting('app.note')")
        .await
        .expect("a query");
    assert_eq!(outcome.value(0, 0), Some(session.backend_pid().to_string().as_str()));
    assert_eq!(outcome.value(0, 1), Some(session.server_version_num().to_string().as_str()));
    assert_eq!(outcome.value(0, 2), Some("kennt sich aus"));
    assert_eq!(outcome.value(0, 3), Some(r"two words \ slash"));
    session.batch("set timezone = 'Asia/Tokyo'").await.expect("a setting");
    assert_eq!(session.parameter("TimeZone").as_deref(), Some("Asia/Tokyo"), "the latest value");
    assert_eq!(session.parameter("work_mem"), None, "not one the server reports");
}

#[tokio::test]
async fn notices_and_notifications_arrive_before_the_batch_returns() {
    let server = Server::start();
    let session = server.connect().await;
    let heard = Arc::new(Mutex::new(Vec::new()));
    let ear = Arc::clone(&heard);
    session
        .on_notice(move |notice| ear.lock().expect("whole").push(format!("{}: {}", notice.severity, notice.message)));
    let ear = Arc::clone(&heard);
    session.on_notification(move |n| {
        ear.lock().expect("whole").push(format!("{}={} from {}", n.channel, n.payload, n.backend_pid));
    });
    session.batch("do $$ begin raise notice 'one'; raise warning 'two'; end $$").await.expect("a block");
    assert_eq!(*heard.lock().expect("whole"), ["NOTICE: one", "WARNING: two"]);
    session.batch("listen news; notify news, 'hello'").await.expect("own news");
    session.batch("select 1").await.expect("a round trip");
    let last = heard.lock().expect("whole").last().cloned();
    assert_eq!(last, Some(format!("news=hello from {}", session.backend_pid())));
}

#[tokio::test]
async fn cancelling_ends_the_statement_and_not_the_session() {
    let server = Server::start();
    let (session, watcher) = (server.connect().await, server.connect().await);
    let pid = session.backend_pid();
    let stop = async {
        wait_until_running(&watcher, pid).await;
        session.cancel().await.expect("the request is sent");
    };
    let (result, ()) = in_time(async { tokio::join!(session.batch("select pg_sleep(60)"), stop) }).await;
    assert!(result.expect_err("cancelled").sql_error().is_some_and(postgres_link::SqlError::is_query_canceled));
    session.batch("select 1").await.expect("the session lives");
}

#[tokio::test]
async fn dropping_a_session_with_an_abandoned_batch_cancels_it() {
    let server = Server::start();
    let (session, watcher) = (server.connect().await, server.connect().await);
    let pid = session.backend_pid();
    tokio::select! {
        _ = session.batch("select pg_sleep(600)") => panic!("too early"),
        () = wait_until_running(&watcher, pid) => {}
    }
    let closed = session.closed();
    drop(session);
    assert_eq!(in_time(closed).await, Closed::ByUs);
    in_time(async {
        while watcher
            .client()
            .query_opt("select 1 from pg_stat_activity where pid = $1", &[&pid])
            .await
            .expect("a query")
            .is_some()
        {}
    })
    .await;
}

#[tokio::test]
async fn the_end_of_a_session_is_told() {
    let server = Server::start();
    let (idle, busy, admin) = (server.connect().await, server.connect().await, server.connect().await);
    let (idle_closed, busy_closed) = (idle.closed(), busy.closed());
    let terminate = "select pg_terminate_backend($1)";
    admin.client().query_one(terminate, &[&idle.backend_pid()]).await.expect("superuser");
    match in_time(idle_closed).await {
        Closed::ByServer(error) => assert_eq!(error.sqlstate, "57P01"),
        other => panic!("{other:?}"),
    }
    assert!(idle.is_closed());
    assert!(idle.batch("select 1").await.expect_err("gone").is_connection_loss());

    // In the middle of a statement: kill -9 of the server process of this session takes the whole cluster through
    // a crash restart, which ends all sessions.
    let busy_pid = busy.backend_pid();
    let kill = async {
        wait_until_running(&admin, busy_pid).await;
        let process = rustix::process::Pid::from_raw(busy_pid).expect("a process");
        rustix::process::kill_process(process, rustix::process::Signal::KILL).expect("it runs");
    };
    let (result, ()) = in_time(async { tokio::join!(busy.batch("select pg_sleep(60)"), kill) }).await;
    let error = result.expect_err("killed");
    assert!(error.is_connection_loss(), "{error:?}");
    assert!(!matches!(in_time(busy_closed).await, Closed::ByUs));

    // A session of the time before the crash, once ended, shows that the restart has begun: whoever gets in from here
    // on gets into the new server. Until then every refusal is in order, also a connection that is reset: the
    // postmaster kills those that are just signing in, too.
    assert!(!matches!(in_time(admin.closed()).await, Closed::ByUs));
    let session = in_time(async {
        loop {
            if let Ok(session) = connect(&server.options()).await {
                return session;
            }
        }
    })
    .await;
    session.batch("select 1").await.expect("the new server works");
    let closed = session.closed();
    in_time(session.close()).await;
    assert_eq!(closed.await, Closed::ByUs);
}

#[tokio::test]
async fn sessions_can_be_opened_on_any_task() {
    let server = Server::start();
    let options = server.options();
    let task = tokio::spawn(async move { connect(&options).await.map(|session| session.backend_pid()) });
    assert!(task.await.expect("no panic").expect("a session") > 0);
}
