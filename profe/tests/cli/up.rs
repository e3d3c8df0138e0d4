//! `profe up` on the private database: the first command that anybody types.

use std::path::Path;
use std::process::Command;
use std::time::Instant;

use rustix::process::Signal;

use crate::support::{DEADLINE, Running, as_nobody, client, free_port, is_root, listens, open_folder, profe, run};

const READY: &str = "Ctrl-C stops everything";

fn here(folder: &Path, port: u16) -> Command {
    let mut command = profe(folder);
    command.env("MIGRATION_SERVICE_PORT", port.to_string());
    command
}

fn post(port: u16, path: &str, body: &'static str) -> (u16, String) {
    let request = client().post(format!("http://localhost:{port}{path}"));
    let answer = request.header("Content-Type", "application/json").body(body).send().expect("an answer");
    (answer.status().as_u16(), answer.text().expect("text"))
}

fn get(port: u16, path: &str) -> (u16, String) {
    let answer = client().get(format!("http://localhost:{port}{path}")).send().expect("an answer");
    (answer.status().as_u16(), answer.text().expect("text"))
}

#[test]
fn from_nothing_to_a_running_platform_and_back() {
    let folder = open_folder();
    let port = free_port();
    let mut up = Running::start(&mut here(folder.path(), port), &["up"]);
    let lines = up.wait_for(READY).join("\n");
    for text in ["Profe is ready", &format!("http://localhost:{port}/docs"), "profe_database", "profe db url"] {
        assert!(lines.contains(text), "{text}: {lines}");
    }
    assert!(!lines.contains("postgres:"), "a password: {lines}");
    assert_eq!(get(port, "/ready").0, 200);
    assert_eq!(get(port, "/docs/").0, 200);

    // The three lines of the documentation.
    let body = r#"{"service": "auth-service", "environment": "production"}"#;
    let (status, answer) = post(port, "/api/migrations/run", body);
    assert!((200..300).contains(&status) && answer.contains("migrationId"), "{status}: {answer}");
    let (status, answer) = get(port, "/api/migrations/status");
    assert!(status == 200 && answer.contains("\"overallStatus\":\"healthy\""), "{status}: {answer}");
    let body = r#"{"service": "auth-service", "description": "Pre-deployment"}"#;
    let (status, answer) = post(port, "/api/backup/create", body);
    assert!(status == 202 && answer.contains("backupId"), "{status}: {answer}");
    let answer: serde_json::Value = serde_json::from_str(&answer).expect("JSON");
    let id = answer["backupId"].as_str().expect("an id");
    let give_up = Instant::now() + DEADLINE;
    while !get(port, &format!("/api/backup/{id}")).1.contains("\"status\":\"ready\"") {
        assert!(Instant::now() < give_up, "it was not made");
    }
    let listed = run(&mut here(folder.path(), port), &["backup", "list"]).ok(0);
    assert!(listed.contains(id) && listed.contains("auth-service") && listed.contains("Pre-deployment"), "{listed}");
    let verified = run(&mut here(folder.path(), port), &["backup", "verify", id]).ok(0);
    assert!(verified.contains("was restored and is equal"), "{verified}");

    // Commands reach the database that runs.
    let status = run(&mut here(folder.path(), port), &["migrate", "status"]).ok(0);
    assert!(status.contains("Up to date"), "{status}");
    assert!(run(&mut here(folder.path(), port), &["db", "url"]).ok(0).contains("/profe_database"));
    let seeds = run(&mut here(folder.path(), port), &["seeds", "status"]).ok(0);
    assert!(seeds.contains("applied") && !seeds.contains("pending"), "{seeds}");

    // A second one is refused, whatever its port.
    let refused = run(&mut here(folder.path(), free_port()), &["up"]).err(4);
    assert!(refused.contains("profe runs already on"), "{refused}");

    let (status, _, errors) = up.interrupt();
    assert_eq!(status.code(), Some(0), "{errors}");
    assert!(errors.contains("Stopped."), "{errors}");
    assert!(!listens(port), "the port is free again");

    // It finds its data, quickly.
    let began = Instant::now();
    let mut up = Running::start(&mut here(folder.path(), port), &["up"]);
    up.wait_for(READY);
    assert!(began.elapsed().as_secs_f64() < 2.0, "the second start took {:?}", began.elapsed());

    // Killed without a chance to clean up: the server goes with it, and the next start recovers.
    up.signal(Signal::KILL);
    up.end();
    let mut up = Running::start(&mut here(folder.path(), port), &["up"]);
    up.wait_for(READY);
    let history = run(&mut here(folder.path(), port), &["migrate", "status"]).ok(0);
    assert!(history.contains("Up to date"), "{history}");
    let (status, ..) = up.interrupt();
    assert_eq!(status.code(), Some(0));
}

#[test]
fn a_log_in_json_has_nothing_else_in_it() {
    let folder = open_folder();
    let port = free_port();
    let in_json = |port| {
        let mut command = here(folder.path(), port);
        command.env("MIGRATION_SERVICE_LOG_FORMAT", "json");
        command
    };
    let mut up = Running::start(&mut in_json(port), &["up"]);
    up.wait_for(READY);
    let refused = run(&mut in_json(free_port()), &["up"]).err(4);
    let (status, _, log) = up.interrupt();
    assert_eq!(status.code(), Some(0), "{log}");
    let parse =
        |line: &str| serde_json::from_str::<serde_json::Value>(line).unwrap_or_else(|error| panic!("{error}: {line}"));
    let lines: Vec<_> = log.lines().map(parse).collect();
    for said in ["Making a private database", "migrations applied in", "Stopped."] {
        assert!(
            lines.iter().any(|line| line["message"].as_str().is_some_and(|text| text.contains(said))),
            "{said}: {log}"
        );
    }
    let refusal = parse(refused.lines().last().expect("a line"));
    assert_eq!((&refusal["level"], &refusal["code"]), (&"ERROR".into(), &"in_use".into()));
    assert!(refusal["cure"].as_str().is_some_and(|cure| cure.contains("--data-dir")), "{refusal}");
}

#[test]
fn an_ordinary_user_can_do_it_too() {
    if !is_root() {
        // Then every other test here is that ordinary user.
        return;
    }
    let folder = open_folder();
    let port = free_port();
    let mut up = Running::start(as_nobody(&mut here(folder.path(), port)), &["up", "--output", "json"]);
    let line = up.wait_for("\"ready\":true").pop().expect("a line");
    assert!(line.contains(&format!("http://localhost:{port}")), "{line}");
    let status = run(as_nobody(&mut here(folder.path(), port)), &["migrate", "status", "--exit-code"]);
    assert!(status.ok(0).contains("Up to date"));
    assert_eq!(up.interrupt().0.code(), Some(0));
}

#[test]
fn a_folder_that_postgres_cannot_reach_is_named() {
    use std::os::unix::fs::PermissionsExt;
    if !is_root() {
        return;
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o700)).expect("our own folder");
    let said = run(&mut here(folder.path(), free_port()), &["up"]).err(6);
    assert!(said.contains("cannot enter") && said.contains("/var/lib/profe"), "{said}");
}

#[test]
fn a_port_that_is_taken_is_named_before_anything_is_made() {
    let folder = open_folder();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let said = run(&mut here(folder.path(), port), &["up"]).err(1);
    assert!(said.contains(&format!("port {port} is taken")) && said.contains("MIGRATION_SERVICE_PORT"), "{said}");
    assert!(!folder.path().join(".profe").exists(), "nothing was made");
}

#[test]
fn other_environments_come_along_when_asked() {
    let folder = open_folder();
    let port = free_port();
    let mut up = Running::start(&mut here(folder.path(), port), &["up", "--also", "staging,production"]);
    up.wait_for(READY);
    for environment in ["staging", "production"] {
        run(&mut here(folder.path(), port), &["migrate", "status", "--exit-code", "-e", environment]).ok(0);
    }
    let seeds = run(&mut here(folder.path(), port), &["seeds", "status", "-e", "production"]).ok(0);
    assert!(!seeds.contains("applied"), "a protected environment is not seeded: {seeds}");
    up.signal(Signal::TERM);
    assert_eq!(up.end().0.code(), Some(0));
    assert!(!listens(port), "the port is free again");
}
