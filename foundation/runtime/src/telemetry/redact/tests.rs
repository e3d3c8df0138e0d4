use std::io::Write as _;

use super::*;

#[test]
fn secrets_are_hidden_and_the_rest_stays() {
    let token = format!("profe_ab12CD34_{}", "x".repeat(43));
    for (line, shown) in [
        (
            "connecting to postgres://ana:hunter2@db.example.org:5432/x?a=b",
            "connecting to postgres://ana:***@db.example.org:5432/x?a=b",
        ),
        ("redis://:hunter2@cache.example.org", "redis://:***@cache.example.org"),
        ("two: amqp://a:hunter2@h, \"postgres://b:hunt@er2@h/d\"", "two: amqp://a:***@h, \"postgres://b:***@h/d\""),
        ("host=h password=hunter2 user=ana", "host=h password=*** user=ana"),
        ("password='hunter 2' user=ana", "password='***' user=ana"),
        ("url=\"postgresql:///d?password=hunter2&user=ana\"", "url=\"postgresql:///d?password=***&user=ana\""),
        ("authorization: Bearer eyJhbGciOi.x.y", "authorization: Bearer ***"),
        (&format!("token {token}."), "token profe_ab12CD34_***."),
        ("AGE-SECRET-KEY-1QQPHUNTER2, twice AGE-SECRET-KEY-1HUNTER2", "AGE-SECRET-KEY-***, twice AGE-SECRET-KEY-***"),
    ] {
        assert_eq!(redact(line), shown);
    }
}

#[test]
fn what_is_no_secret_is_left_alone() {
    for line in [
        "http://127.0.0.1:3009/docs/ at 12:30, mail ana@example.org",
        "postgres://ana@db.example.org/x",
        "the database profe_master, the role profe_migrations_owner_of_everything",
        "Bearer of bad news; the password= is missing; the Basic plan",
        "postgres://ana:***@db.example.org/x",
        "año – ñandú",
    ] {
        assert_eq!(redact(line), line);
    }
}

#[test]
fn lines_are_written_without_them() {
    let mut written = Vec::new();
    let mut writer = RedactingWriter(&mut written);
    let line = b"postgres://ana:hunter2@h/d\n";
    assert_eq!(writer.write(line).expect("a vector takes all"), line.len());
    assert_eq!(written, b"postgres://ana:***@h/d\n");
}

#[test]
fn names_headers_and_keys_are_known_in_many_forms() {
    let key = "-----BEGIN PRIVATE KEY-----\\nMC4CAQAwBQYDK2Vw\\n-----END PRIVATE KEY-----";
    for (line, shown) in [
        ("PGPASSWORD=hunter2 psql", "PGPASSWORD=*** psql"),
        ("password=hun\"ter2 user=ana", "password=*** user=ana"),
        ("{\"message\":\"password=hunter2\",\"level\":1}", "{\"message\":\"password=***\",\"level\":1}"),
        ("AWS_SECRET_ACCESS_KEY: hunter2 x", "AWS_SECRET_ACCESS_KEY: *** x"),
        ("ALTER ROLE ana PASSWORD 'hun''ter2' LOGIN", "ALTER ROLE ana PASSWORD '***' LOGIN"),
        ("ENCRYPTED PASSWORD E'hunter\\'2'; SELECT 1", "ENCRYPTED PASSWORD E'***'; SELECT 1"),
        (r#"{"client_secret":"hunt\"er2","id":1}"#, r#"{"client_secret":"***","id":1}"#),
        (
            r#"{"message":"sent {\"api_key\":\"hun\\\"ter2\",\"id\":1}"}"#,
            r#"{"message":"sent {\"api_key\":\"***\",\"id\":1}"}"#,
        ),
        ("password = 'hun\\'ter 2' user=ana", "password = '***' user=ana"),
        ("config { password: Some(\"hunter2\"), id: 1 }", "config { password: Some(\"***\"), id: 1 }"),
        ("smtps://ana:hun/te?r2@mail.example.org", "smtps://ana:***@mail.example.org"),
        ("https://hunter2@hooks.example.org/x", "https://***@hooks.example.org/x"),
        ("/x?X-Amz-Signature=0123456789abcdef0123&page=2", "/x?X-Amz-Signature=***&page=2"),
        ("\"cookie\": \"a=b; profe_session=hunter2\", \"x\": 1", "\"cookie\": \"***\", \"x\": 1"),
        ("Proxy-Authorization: Basic YW5hOmh1bnRlcjI=", "Proxy-Authorization: Basic ***"),
        ("AUTH PLAIN AGFuYQBodW50ZXIy sent", "AUTH PLAIN *** sent"),
        ("jwt eyJhbGciOi.eyJzdWIi.c2lnbmF0dXJl end", "jwt eyJhbGciOi.*** end"),
        ("rolpassword SCRAM-SHA-256$4096:c2FsdA==$a/b=:c+d= x", "rolpassword SCRAM-SHA-256$*** x"),
        (key, "-----BEGIN PRIVATE KEY-----***-----END PRIVATE KEY-----"),
    ] {
        assert_eq!(redact(line), shown);
        assert_eq!(redact(shown), shown, "twice is once");
    }
}

#[test]
fn a_statement_is_shown_without_its_values() {
    for (sql, shown) in [
        (
            "ALTER ROLE ana PASSWORD 'hun''ter2' VALID UNTIL '2030-01-01'",
            "ALTER ROLE ana PASSWORD '***' VALID UNTIL '***'",
        ),
        ("alter role ana password e'hun\\'ter2'", "alter role ana password e'***'"),
        ("ALTER ROLE ana PASSWORD $$hunter2$$; SELECT $1", "ALTER ROLE ana PASSWORD $$***$$; SELECT $1"),
        ("DO $do$ PERFORM 'hunter2' $$ $do$", "DO $do$***$do$"),
        ("ALTER ROLE ana PASSWORD 'hunter 2 and no end", "ALTER ROLE ana PASSWORD '***'"),
        ("DO $do$ hunter2 and no e", "DO $do$***$do$"),
        ("-- don't\nSELECT 'hunter2'", "-- don't\nSELECT '***'"),
        ("/* don't /* nor */ 'this' */ SELECT E'hunter2'", "/* don't /* nor */ 'this' */ SELECT E'***'"),
        ("SELECT \"don't\" FROM t$a$b WHERE c = 'hunter2'", "SELECT \"don't\" FROM t$a$b WHERE c = '***'"),
        ("SELECT name'C:\\', 'hunter2'", "SELECT name'***', '***'"),
        ("SELECT 1 -- password=hunter2", "SELECT 1 -- password=***"),
        ("CREATE SUBSCRIPTION s CONNECTION 'host=h password=hunter2'", "CREATE SUBSCRIPTION s CONNECTION '***'"),
        ("SELECT count(*) FROM año WHERE id = $1 LIMIT 5", "SELECT count(*) FROM año WHERE id = $1 LIMIT 5"),
        ("SELECT 1 /", "SELECT 1 /"),
    ] {
        assert_eq!(redact_statement(sql), shown);
        assert_eq!(redact_statement(shown), shown, "twice is once");
    }
}

/// Characters that passwords have and parsers stumble over, in front, within and at the end.
const SECRETS: [&str; 8] = [
    "Geheim01234x6789ab",
    "Ge:heim@01234x6789",
    "Geheim/0123?4x678#9",
    "Geheim,0123)456]78;",
    "ñGeheim01234x6789€",
    "%47eheim01234x6789",
    "Ge=heim+01234x6789",
    "$Geheim{0123}4x678",
];

/// How secrets come into texts; `{}` is where.
const FORMS: [&str; 14] = [
    "cannot reach postgres://ana:{}@db.example.org:5432/x?sslmode=require",
    "cannot reach redis://:{}@cache.example.org:6379/0: timed out",
    "tried smtps://ana:{}@mail.example.org, then gave up",
    "tried \"amqp://ana:{}@h/v\" twice",
    "host=h user=ana password={} dbname=x",
    "host=h password='{}' user=ana",
    "password: \"{}\"",
    "PGPASSWORD={} psql -h db",
    "syntax error near PASSWORD '{}' VALID UNTIL",
    "{\"user\":\"ana\",\"password\":\"{}\",\"host\":\"h\"}",
    "{\"authorization\": \"Bearer {}\", \"accept\": \"*/*\"}",
    "Cookie: theme=dark; profe_session={}",
    "env: [(\"MIGRATION_SERVICE_ALERT_WEBHOOK_SECRET\", x), SECRET={}]",
    "https://bucket.example.org/k?X-Amz-Security-Token={}&part=1",
];

#[derive(Clone, Default)]
struct Written(std::sync::Arc<std::sync::Mutex<Vec<u8>>>);

impl io::Write for Written {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("nobody panicked").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// All of it as the program logs it: as the message, as a field, as a field that says so, in a span, as an error.
fn logged(format: crate::telemetry::Format, colours: bool, text: &str, secret: &str) -> String {
    use tracing_subscriber::layer::SubscriberExt as _;
    let written = Written::default();
    let sink = written.clone();
    let layer = crate::telemetry::lines(format, colours, move || sink.clone());
    tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
        let error = io::Error::other(text.to_owned());
        let span = tracing::info_span!("work", about = text, password = secret);
        let within = span.enter();
        tracing::info!("{text}");
        tracing::warn!(trouble = text, "it failed");
        tracing::warn!(trouble = ?text, "it failed");
        tracing::error!(%error, password = %secret, "it failed");
        tracing::debug!(error = &error as &dyn std::error::Error, api_key = ?secret, "it failed");
        drop(within);
    });
    let written = written.0.lock().expect("nobody panicked").clone();
    String::from_utf8(written).expect("text")
}

#[test]
fn no_form_of_a_secret_reaches_a_log_in_either_format() {
    use crate::telemetry::Format;
    for (form, secret) in FORMS.iter().flat_map(|form| SECRETS.map(|secret| (*form, secret))) {
        let text = form.replace("{}", secret);
        for (format, colours) in [(Format::Human, false), (Format::Human, true), (Format::Json, false)] {
            let log = logged(format, colours, &text, secret);
            // No part of it either: `heim` is in all of them, and in nothing else; digits alone are in times too.
            assert!(!log.contains("heim") && !log.contains("4x678"), "{format}, {text}\n{log}");
            assert_eq!(log.lines().count(), 5, "{log}");
            assert!(log.contains("it failed") && log.contains("***"), "{log}");
            if format == Format::Json {
                log.lines().for_each(|line| assert!(is_object(line), "no longer JSON: {line}"));
            }
        }
    }
}

/// Brackets and quotation marks are in order: as much of JSON as a secret that is taken out could break.
fn is_object(line: &str) -> bool {
    let (mut depth, mut within, mut escaped) = (0, false, false);
    for c in line.chars() {
        match (within, escaped, c) {
            (true, true, _) => escaped = false,
            (true, false, '\\') => escaped = true,
            (_, _, '"') => within = !within,
            (false, _, '{' | '[') => depth += 1,
            (false, _, '}' | ']') => depth -= 1,
            _ => {}
        }
    }
    line.starts_with('{') && line.ends_with('}') && depth == 0 && !within
}

#[test]
fn of_libraries_nothing_below_info_is_logged_whatever_the_level() {
    use tracing_subscriber::filter::FilterExt as _;
    use tracing_subscriber::layer::{Layer as _, SubscriberExt as _};
    for level in ["trace", "debug,a_library=trace", "info,ours=trace,a_library::wire=debug"] {
        let written = Written::default();
        let sink = written.clone();
        let filter = crate::telemetry::filter(level).expect("levels").and(crate::telemetry::without_wires(&["ours"]));
        let lines = crate::telemetry::lines(crate::telemetry::Format::Human, false, move || sink.clone());
        tracing::subscriber::with_default(tracing_subscriber::registry().with(lines.with_filter(filter)), || {
            let _wire = tracing::debug_span!(target: "a_library::wire", "sent", query = "SELECT 'Geheim'").entered();
            tracing::trace!(target: "a_library::wire", "GET http://ana:Geheim@host/ HTTP/1.1");
            tracing::debug!(target: "a_library", "executing SELECT 'Geheim'");
            tracing::debug!(target: "ours_not", "executing SELECT 'Geheim'");
            tracing::warn!(target: "a_library::wire", "the other end hung up");
            tracing::debug!(target: "ours::part", "in detail");
        });
        let log = String::from_utf8(written.0.lock().expect("nobody panicked").clone()).expect("text");
        assert!(!log.contains("Geheim"), "{level}: {log}");
        assert!(log.contains("the other end hung up") && log.contains("in detail"), "{level}: {log}");
        assert_eq!(log.lines().count(), 2, "{level}: {log}");
    }
}
