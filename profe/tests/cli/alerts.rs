//! `profe alerts`

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::thread;

use serde_json::{Value, json};

use crate::support::{Workplace, run};

/// Takes one post, and answers with its body.
fn webhook() -> (String, thread::JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let url = format!("http://{}/hooks/geheim", listener.local_addr().expect("an address"));
    let taking = thread::spawn(move || {
        let (stream, _) = listener.accept().expect("somebody calls");
        let mut reader = BufReader::new(stream);
        let (mut line, mut length) = (String::new(), 0);
        while reader.read_line(&mut line).expect("it goes on") > 2 {
            if let Some(number) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = number.trim().parse().expect("a number");
            }
            line.clear();
        }
        let mut body = vec![0; length];
        std::io::Read::read_exact(&mut reader, &mut body).expect("the whole body");
        reader.get_mut().write_all(b"HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n").expect("it listens");
        String::from_utf8(body).expect("text")
    });
    (url, taking)
}

#[test]
fn a_test_alert_reaches_who_is_told_and_says_what_they_answered() {
    let place = Workplace::new();
    let nobody = run(&mut place.profe(), &["alerts", "test"]).err(1);
    assert!(nobody.contains("nobody is told") && nobody.contains("MIGRATION_SERVICE_ALERTMANAGER_URL"), "{nobody}");

    let (url, taking) = webhook();
    let told = |command: &mut std::process::Command| {
        command.env("MIGRATION_SERVICE_ALERT_WEBHOOKS", &url).env("MIGRATION_SERVICE_ALERT_WEBHOOK_SECRET", "hunter2");
    };
    let mut command = place.profe();
    told(&mut command);
    let out = run(&mut command, &["alerts", "test", "--rule", "low-disk"]).ok(0);
    assert!(out.contains("webhook http://127.0.0.1:") && out.contains("202"), "{out}");
    assert!(!out.contains("geheim"), "the path may be a secret: {out}");
    let body: Value = serde_json::from_str(&taking.join().expect("no panic")).expect("JSON");
    assert_eq!((&body["test"], &body["alert"]["rule"]), (&json!(true), &json!("low-disk")));

    // Now nobody listens there.
    let mut command = place.profe();
    told(&mut command);
    let out = run(&mut command, &["alerts", "test", "--output", "json"]).ok(1);
    let document: Value = serde_json::from_str(&out).expect("JSON");
    assert_eq!((&document["rule"], &document["answers"][0]["taken"]), (&json!("failed-migration"), &json!(false)));
}

#[test]
fn in_a_pipe_an_alert_is_one_line() {
    let place = Workplace::new();
    run(&mut place.profe(), &["alerts", "list"]).ok(0);
    let long =
        "somebody has waited for a lock in development for longer than anybody would want to, and goes on waiting";
    place.value(&format!(
        "INSERT INTO migration_service.alert (rule, environment, service, subject, state, severity, words, pending_since, \
         fired_at, last_seen_at) VALUES ('long-lock-wait', 'development', '', '', 'firing', 'warning', '{long}', now(), now(), now())"
    ));
    let out = run(&mut place.profe(), &["alerts", "list"]).ok(0);
    assert_eq!(out.lines().count(), 2, "{out}");
    assert!(out.lines().any(|line| line.contains("long-lock-wait") && line.ends_with(long)), "{out}");
}

#[test]
fn alerts_are_listed_and_rules_are_printed() {
    let place = Workplace::new();
    assert_eq!(run(&mut place.profe(), &["alerts", "list"]).ok(0), "There are no alerts.\n");
    let rules = run(&mut place.profe(), &["alerts", "rules"]).ok(0);
    assert!(rules.contains("- alert: ProfeFailedMigration") && rules.contains("- alert: ProfeLowDisk"), "{rules}");
    let wrong = run(&mut place.profe(), &["alerts", "list", "--rule", "low-disc"]).err(2);
    assert!(wrong.contains("low-disk"), "{wrong}");
}
