//! Every way in which a server or a network says no, with the name and the cure an operator reads.

mod common;

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;

use common::{Server, options};
use postgres_link::{ConnectErrorKind as Kind, ConnectOptions, connect};

async fn kind(options: &ConnectOptions) -> Kind {
    let error = connect(options).await.expect_err("refused");
    let text = error.to_string();
    assert!(text.contains(options.database()) && text.contains(options.user()), "{text}");
    assert!(error.kind() == Kind::HostNotFound || text.contains("127.0.0.1:"), "{text}");
    assert!(!text.contains("geheim") && !error.cure().is_empty(), "{text}");
    error.kind()
}

#[tokio::test]
async fn each_refusal_has_its_name() {
    let server = Server::start_with(|_, options| {
        options.setting("max_connections", "4").setting("superuser_reserved_connections", "0")
    });
    let good = server.options();
    assert_eq!(kind(&good.clone().with_password("geheim")).await, Kind::AuthenticationFailed);
    assert_eq!(kind(&good.clone().with_user("nobody_here").with_password("geheim")).await, Kind::AuthenticationFailed);
    assert_eq!(kind(&good.clone().with_database("absent")).await, Kind::DatabaseMissing);
    let port = server.cluster.port();
    let text = |rest: &str| options(&format!("host=127.0.0.1 port={port} user=postgres dbname=postgres {rest}"));
    let twice = connect(&text("password=geheim sslmode=prefer")).await.expect_err("refused");
    assert_eq!(twice.tried_before().len(), 0, "the same refusal with and without TLS is one: {twice}");
    assert_eq!(kind(&text("")).await, Kind::NoPassword);
    assert_eq!(kind(&text("sslmode=require")).await, Kind::TlsNotOffered);
    assert_eq!(kind(&text("sslmode=verify-full sslrootcert=system")).await, Kind::TlsNotOffered);
    assert_eq!(kind(&text("sslmode=require sslrootcert=/absent.crt")).await, Kind::BadOptions);
    assert_eq!(kind(&text("sslmode=verify-ca")).await, Kind::BadOptions);
    assert_eq!(kind(&good.clone().with_option("no_such_setting", "1")).await, Kind::Other);

    let mut sessions = Vec::new();
    let refused = loop {
        match connect(&good).await {
            Ok(session) => sessions.push(session),
            Err(error) => break error,
        }
        assert!(sessions.len() < 10, "max_connections is 4");
    };
    assert_eq!(refused.kind(), Kind::TooManyConnections);
    assert_eq!(serde_json::to_string(&refused.kind()).expect("a word"), "\"too_many_connections\"");
    assert_eq!(refused.sql_error().expect("the server said it").sqlstate, "53300");
}

#[tokio::test]
async fn no_server_at_all() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = listener.local_addr().expect("bound").port();
    let text = format!("postgres://ada@127.0.0.1:{port}/d?connect_timeout=2");
    assert_eq!(kind(&options(&text)).await, Kind::Timeout, "it listens and never answers");
    drop(listener);
    assert_eq!(kind(&options(&text)).await, Kind::Refused);
    assert_eq!(kind(&options("postgres://ada@no-such-host.invalid/d")).await, Kind::HostNotFound);
    let error = connect(&options("host=/nowhere user=ada dbname=d")).await.expect_err("no socket");
    assert_eq!(error.kind(), Kind::Refused);
}

#[tokio::test]
async fn the_next_host_is_tried_only_when_nobody_is_there() {
    let server = Server::start();
    let (port, password) = (server.cluster.port(), server.cluster.password());
    let free = TcpListener::bind("127.0.0.1:0").expect("a free port").local_addr().expect("bound").port();
    let text = |password: &str, more: &str| {
        format!("postgres://postgres:{password}@127.0.0.1:{free},127.0.0.1:{port},127.0.0.1:{free}/postgres?{more}")
    };
    connect(&options(&text(password, ""))).await.expect("the second answers");
    connect(&options(&text(password, "target_session_attrs=prefer-standby"))).await.expect("any will do");
    let error = connect(&options(&text(password, "target_session_attrs=standby"))).await.expect_err("none is");
    assert_eq!(error.tried_before().len(), 2, "{error}");
    assert!(error.tried_before()[1].contains("the server is a primary"), "{error}");
    let error = connect(&options(&text("wrong", ""))).await.expect_err("refused");
    assert_eq!(error.kind(), Kind::AuthenticationFailed, "a refused login is final: {error}");
}

#[tokio::test]
async fn a_password_file_is_used() {
    let server = Server::start();
    let (port, password) = (server.cluster.port(), server.cluster.password());
    let path = server.folder.path().join("pgpass");
    fs::write(&path, format!("127.0.0.1:{port}:postgres:postgres:{password}\n")).expect("written");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("own file");
    let text = format!("host=127.0.0.1 port={port} user=postgres dbname=postgres passfile={}", path.display());
    connect(&options(&text)).await.expect("the file has it");
    let other = options(&text).with_database("template1");
    assert_eq!(connect(&other).await.expect_err("not for this one").kind(), Kind::NoPassword);
}

#[tokio::test]
async fn a_unix_socket_works_and_ignores_tls() {
    let server = Server::start_with(|folder, options| {
        let sockets = folder.join("sockets");
        fs::create_dir(&sockets).expect("made");
        fs::set_permissions(&sockets, fs::Permissions::from_mode(0o777)).expect("own folder");
        options.setting("unix_socket_directories", sockets.to_str().expect("UTF-8"))
    });
    let (port, password) = (server.cluster.port(), server.cluster.password());
    let sockets = server.folder.path().join("sockets");
    let encoded = sockets.to_str().expect("UTF-8").replace('/', "%2F");
    for text in [
        format!(
            "host={} port={port} user=postgres dbname=postgres password={password} sslmode=require",
            sockets.display()
        ),
        format!("postgresql://postgres:{password}@{encoded}:{port}/postgres"),
    ] {
        let session = connect(&options(&text)).await.expect("a session");
        let outcome = session.batch("select inet_client_addr()").await.expect("a query");
        assert_eq!(outcome.value(0, 0), None, "no network address");
        session.cancel().await.expect("cancelling goes the same way");
    }
}
