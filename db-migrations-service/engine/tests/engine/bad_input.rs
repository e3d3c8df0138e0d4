//! Each bad input: one clear error that names the cure, and nothing run.

use migration_engine::request::{HistoryFilter, RunContext, RunRequest, Scope};
use migration_engine::{Engine, EngineError, ErrorCode, Project, Target};
use postgres_link::ConnectOptions;
use testkit::{TestProject, server};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::help::{World, all};

fn project_error(project: &TestProject) -> EngineError {
    let error = Project::open(project.path()).expect_err("the project is bad");
    assert!(error.cure.is_some(), "{error:#?}");
    error
}

#[test]
fn files_that_are_no_migrations() {
    let ok = "SELECT 1;";
    let case = |write: &dyn Fn(&TestProject), code: ErrorCode, words: &[&str]| {
        let project = TestProject::new();
        write(&project);
        let error = project_error(&project);
        assert_eq!(error.code, code, "{error:#?}");
        for word in words {
            assert!(error.message.contains(word), "{} lacks {word}", error.message);
        }
    };
    let both = |p: &TestProject| {
        p.migration("alpha/1_a", ok, ok);
        p.write("migrations/alpha/0001_b.up.sql", ok);
    };
    case(&both, ErrorCode::DuplicateVersion, &["1_a.up.sql", "0001_b.up.sql"]);
    case(
        &|p| p.write("migrations/alpha/1_a.up.sql", ok),
        ErrorCode::UnpairedFile,
        &["1_a.up.sql has no", "1_a.down.sql"],
    );
    case(&|p| p.write("migrations/alpha/1_a.down.sql", ok), ErrorCode::UnpairedFile, &["has no up file"]);
    case(
        &|p| p.write("migrations/alpha/create_t.sql", ok),
        ErrorCode::FileMisnamed,
        &["migrations/alpha/create_t.sql"],
    );
    case(&|p| p.write("migrations/delta/1_a.up.sql", ok), ErrorCode::CatalogueInvalid, &["delta"]);
    case(&|p| p.write("seeds/alpha/a.moon.sql", ok), ErrorCode::FileMisnamed, &["seeds/alpha/a.moon.sql"]);
    case(
        &|p| p.write("config/services.toml", "[project]\nname = 3"),
        ErrorCode::CatalogueInvalid,
        &["services.toml:2:8"],
    );
    let contradictory = "[project]\nname = \"x\"\n[environments.a]\n[services.s]\nschemas = [\"x\"]\n[services.t]\n\
                         schemas = [\"x\", \"pg_y\"]\nreferences = [\"z\"]\n";
    let words = ["owned by both", "reserved", "no service owns"];
    case(&|p| p.write("config/services.toml", contradictory), ErrorCode::CatalogueInvalid, &words);
    let error = Project::open(std::path::Path::new("/nowhere/at/all")).unwrap_err();
    assert_eq!(error.code, ErrorCode::ProjectUnreadable);
}

#[tokio::test]
async fn files_that_cannot_be_run() {
    let down = "SELECT 1;";
    for (up, code, place) in [
        (&b"CREATE TABLE alpha.x (\n  id in,,\n);"[..], ErrorCode::SyntaxError, (2, 6)),
        (b"SELECT 1;\n\\d alpha.t", ErrorCode::SyntaxError, (2, 1)),
        (b"SELECT 1;\nCOMMIT;", ErrorCode::ForbiddenStatement, (2, 1)),
        (b"SELECT 1;\nCOPY alpha.first TO STDOUT;", ErrorCode::ForbiddenStatement, (2, 1)),
        (b"SELECT 1;\nCREATE INDEX CONCURRENTLY ON alpha.first (x);", ErrorCode::ForbiddenStatement, (2, 1)),
        (b"-- requires: nonsense\nSELECT 1;", ErrorCode::BadDirective, (1, 1)),
        (b"SELECT 1;\nSELECT '\xe9';", ErrorCode::BadEncoding, (2, 9)),
        (b"\xff\xfeS\0E\0", ErrorCode::BadEncoding, (1, 1)),
        (b"\xef\xbb\xbfSELECT 1;", ErrorCode::BadEncoding, (1, 1)),
        (b"SELECT 1;\n\0", ErrorCode::SyntaxError, (2, 1)),
    ] {
        let w = World::new().await;
        w.project.migration("alpha/1_first", "CREATE TABLE alpha.first ();", "DROP TABLE alpha.first;");
        w.project.write_bytes("migrations/alpha/2_bad.up.sql", up);
        w.project.write("migrations/alpha/2_bad.down.sql", down);
        let error = w.refused().await;
        assert_eq!(error.code, code, "{error:#?}");
        assert!(error.cure.is_some());
        let location = error.location.unwrap();
        assert_eq!((location.line, location.column), place, "{}", error.message);
        assert!(w.relations().await.is_empty());
    }
}

#[tokio::test]
async fn a_down_that_does_not_parse_or_says_nothing_is_found_before_its_up_is_run() {
    let w = World::new().await;
    w.project.migration("alpha/1_t", "CREATE TABLE alpha.t ();", "DROP TABEL alpha.t;");
    let error = w.refused().await;
    assert_eq!(
        (error.code, error.location.unwrap().file.as_str()),
        (ErrorCode::SyntaxError, "migrations/alpha/1_t.down.sql")
    );
    w.project.migration("alpha/1_t", "CREATE TABLE alpha.t ();", "-- to do\n");
    assert!(w.refused().await.cure.unwrap().contains("irreversible"));
}

#[tokio::test]
async fn names_that_do_not_exist() {
    let w = World::new().await;
    w.project.migration("alpha/1_t", "CREATE TABLE alpha.t ();", "DROP TABLE alpha.t;");
    let error =
        w.try_run(RunRequest { scope: Scope::Service("nobody-service".to_owned()), ..all() }).await.unwrap_err();
    assert_eq!(error.code, ErrorCode::UnknownService);
    assert!(error.cure.unwrap().contains("alpha-service, beta-service, gamma-service"));
    let error = w.project.open().catalogue.environment("moon").unwrap_err();
    assert_eq!(error.code, ErrorCode::UnknownEnvironment);
    assert!(error.cure.unwrap().contains("development, production"));
}

async fn against(w: &World, connect: ConnectOptions) -> EngineError {
    let target = Target { environment: "development".to_owned(), connect, create_database: false };
    let error =
        Engine::new(w.project.open(), target).prepare_run(all(), w.context()).await.err().expect("it is refused");
    assert!(error.cure.is_some(), "{error:#?}");
    error
}

#[tokio::test]
async fn a_database_that_is_away_or_refuses() {
    let w = World::new().await;
    w.project.migration("alpha/1_t", "CREATE TABLE alpha.t ();", "DROP TABLE alpha.t;");
    let good = w.db.connect().clone();
    let away = ConnectOptions::parse("postgres://someone:secret@127.0.0.1:1/x").unwrap();
    let error = against(&w, away).await;
    assert_eq!(error.code, ErrorCode::DatabaseUnavailable);
    assert!(!error.message.contains("secret"), "{}", error.message);
    let error = against(&w, good.clone().with_password("wrong")).await;
    assert_eq!(error.code, ErrorCode::AuthenticationFailed);
    let error = against(&w, good.clone().with_database("no_such_database")).await;
    assert_eq!(error.code, ErrorCode::DatabaseUnavailable);
    w.db.value(&format!("ALTER DATABASE \"{}\" SET default_transaction_read_only = on", w.db.name())).await;
    let error = against(&w, good).await;
    assert_eq!(error.code, ErrorCode::ReadOnly);
    assert!(w.relations().await.is_empty());
}

/// A user without any special right, as on many managed servers.
async fn plain_user(w: &World, rights: &str) -> ConnectOptions {
    let name = format!("plain_{}", &w.db.name()[5..17]);
    w.db.value(&format!("CREATE ROLE {name} LOGIN PASSWORD 'pw' {rights}")).await;
    w.db.connect().clone().with_user(name).with_password("pw")
}

#[tokio::test]
async fn a_user_who_may_not_create_roles_schemas_or_databases_is_told_what_to_grant() {
    let w = World::new().await;
    w.project.migration("alpha/1_t", "CREATE TABLE alpha.t ();", "DROP TABLE alpha.t;");
    // Neither schemas nor roles.
    let user = plain_user(&w, "").await;
    let error = against_run(&w, user.clone()).await;
    assert_eq!(error.code, ErrorCode::InsufficientPrivilege);
    assert!(error.cure.as_deref().unwrap().contains("GRANT CREATE ON DATABASE"), "{error:#?}");
    // Schemas, but no roles: the cure is SQL that a superuser can run as it is.
    w.db.value(&format!("GRANT CREATE ON DATABASE \"{}\" TO {}", w.db.name(), user.user())).await;
    let error = against_run(&w, user.clone()).await;
    let cure = error.cure.unwrap();
    assert!(cure.contains("CREATEROLE") && cure.contains("CREATE ROLE \"alpha_owner"), "{cure}");
    let script = cure.split("once per server:\n").nth(1).unwrap().trim_end_matches(";\neverything else works without");
    w.db.value(script).await;
    let target = Target { environment: "development".to_owned(), connect: user.clone(), create_database: false };
    let report = Engine::new(w.project.open(), target).prepare_run(all(), w.context()).await.unwrap().execute().await;
    assert!(report.error.is_none(), "{:#?}", report.error);
    // No database, and no right to create one.
    let target = Target {
        environment: "development".to_owned(),
        connect: user.with_database("not_there_yet"),
        create_database: true,
    };
    let error = Engine::new(w.project.open(), target).prepare_run(all(), w.context()).await.err().unwrap();
    assert_eq!(error.code, ErrorCode::InsufficientPrivilege);
    assert!(error.cure.unwrap().contains("CREATE DATABASE \"not_there_yet\""));
}

async fn against_run(w: &World, connect: ConnectOptions) -> EngineError {
    let target = Target { environment: "development".to_owned(), connect, create_database: false };
    let report = Engine::new(w.project.open(), target).prepare_run(all(), w.context()).await.unwrap().execute().await;
    *report.error.expect("it fails")
}

#[tokio::test]
async fn a_role_that_may_create_roles_but_is_no_superuser_is_enough() {
    let w = World::new().await;
    w.project.migration("alpha/1_t", "CREATE TABLE alpha.t (id int PRIMARY KEY);", "DROP TABLE alpha.t;").migration(
        "beta/2_u",
        "CREATE TABLE beta.u (t int REFERENCES alpha.t);",
        "DROP TABLE beta.u;",
    );
    w.project.write("seeds/alpha/1_a.sql", "INSERT INTO alpha.t VALUES (1) ON CONFLICT DO NOTHING;");
    let user = plain_user(&w, "CREATEROLE").await;
    w.db.value(&format!("ALTER DATABASE \"{}\" OWNER TO {}", w.db.name(), user.user())).await;
    let target = Target { environment: "development".to_owned(), connect: user, create_database: false };
    let engine = Engine::new(w.project.open(), target);
    let report = engine.prepare_run(all(), w.context()).await.unwrap().execute().await;
    assert!(report.error.is_none(), "{:#?}", report.error);
    engine.seed(&Scope::All, w.context()).await.unwrap();
    engine.seed_reset(&Scope::All, w.context()).await.unwrap();
    let request = migration_engine::request::RollbackRequest {
        scope: Scope::All,
        to: migration_engine::request::RollbackTo::Steps(2),
        dry_run: false,
    };
    let report = engine.prepare_rollback(request, w.context()).await.unwrap().execute().await;
    assert_eq!(report.done.len(), 2, "{:#?}", report.error);
}

/// Passes everything on between a client and the test server, but lets the server say that it is PostgreSQL 13.
async fn a_server_of_long_ago() -> u16 {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let upstream = server().connect().host_summary();
    tokio::spawn(async move {
        let (client, _) = listener.accept().await.unwrap();
        let (mut from_client, mut to_client) = client.into_split();
        let (mut from_server, mut to_server) = tokio::net::TcpStream::connect(&upstream).await.unwrap().into_split();
        tokio::spawn(async move { tokio::io::copy(&mut from_client, &mut to_server).await });
        let mut bytes = vec![0; 8192];
        while let Ok(read @ 1..) = from_server.read(&mut bytes).await {
            let name = b"server_version\0";
            if let Some(at) = bytes[..read].windows(name.len()).position(|window| window == name) {
                bytes[at + name.len()..at + name.len() + 2].copy_from_slice(b"13");
            }
            to_client.write_all(&bytes[..read]).await.unwrap();
        }
    });
    port
}

#[tokio::test]
async fn a_server_that_is_too_old_is_refused_before_anything_is_sent() {
    let w = World::new().await;
    w.project.migration("alpha/1_t", "CREATE TABLE alpha.t ();", "DROP TABLE alpha.t;");
    let real = w.db.url();
    let (credentials, rest) = real.split_once('@').unwrap();
    let database = rest.split_once('/').unwrap().1;
    let url = format!("{credentials}@127.0.0.1:{}/{database}", a_server_of_long_ago().await);
    let error = against(&w, ConnectOptions::parse(&url).unwrap()).await;
    assert_eq!(error.code, ErrorCode::ServerTooOld);
    assert!(error.message.starts_with("the server is PostgreSQL 13."), "{}", error.message);
    assert!(w.relations().await.is_empty());
}

#[tokio::test]
async fn names_from_outside_stay_values() {
    let hostile = "x'); DROP SCHEMA alpha CASCADE; -- \\' $$ \"";
    let w = World::new().await;
    w.project.migration("alpha/1_t", "CREATE TABLE alpha.t ();", "DROP TABLE alpha.t;");
    let context = RunContext { actor: hostile.to_owned(), ..w.context() };
    let report = w.engine().prepare_run(all(), context).await.unwrap().execute().await;
    assert!(report.error.is_none(), "{:#?}", report.error);
    w.project.migration("alpha/1_t", "CREATE TABLE alpha.t (x int);", "DROP TABLE alpha.t;");
    w.engine().bless(&"alpha/1".parse().unwrap(), hostile, hostile).await.unwrap();
    let stored = w.db.rows("SELECT applied_by, blessed_by, blessed_reason FROM migration_service.history").await;
    assert_eq!(stored, [format!("{hostile}|{hostile}|{hostile}")]);
    let filter = HistoryFilter { service: Some(hostile.to_owned()), ..HistoryFilter::default() };
    assert!(w.engine().history(&filter).await.unwrap().is_empty());
    let error = w.try_run(RunRequest { scope: Scope::Service(hostile.to_owned()), ..all() }).await.unwrap_err();
    assert_eq!(error.code, ErrorCode::UnknownService);
    assert_eq!(w.relations().await, ["alpha.t"]);
}
