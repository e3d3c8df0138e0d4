//! What the program says of itself: logs for machines without secrets, traces to a collector.

use serde_json::{Value, json};

use crate::collector::{Collector, Span};
use crate::support::{Running, Workplace, client, free_port, run};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT: &str = "00f067aa0ba902b7";

/// One migration in a transaction, one that cannot be.
fn workplace() -> Workplace {
    let place = Workplace::new();
    place.project.migration(
        "alpha/1_create_t",
        "create table alpha.t (id int);\ninsert into alpha.t values (1), (2);",
        "drop table alpha.t;",
    );
    place.project.migration(
        "alpha/2_index_t",
        "create index concurrently t_id_idx on alpha.t (id);",
        "drop index concurrently alpha.t_id_idx;",
    );
    place
}

fn named<'a>(spans: &'a [Span], name: &str) -> Vec<&'a Span> {
    spans.iter().filter(|span| span.name == name).collect()
}

#[test]
fn a_run_leaves_as_one_trace_with_its_migrations_and_statements() {
    let (place, collector) = (workplace(), Collector::start());
    let mut command = place.profe();
    run(command.env("OTEL_EXPORTER_OTLP_ENDPOINT", collector.endpoint()), &["migrate", "run"]).ok(0);
    let spans = collector.spans();
    let [the_run] = named(&spans, "run")[..] else { panic!("{spans:#?}") };
    let migrations = named(&spans, "migration");
    assert_eq!(migrations.len(), 2, "{spans:#?}");
    assert!(migrations.iter().all(|span| span.parent == the_run.id && span.trace == the_run.trace), "{spans:#?}");
    assert_eq!(migrations[0].attributes["migration"], "alpha/1");
    let statements = named(&spans, "statement");
    let of = |migration: &Span| {
        let own = statements.iter().filter(|span| span.parent == migration.id);
        own.map(|span| ["tag", "statement", "line", "rows"].map(|name| span.attributes[name].clone()))
            .collect::<Vec<_>>()
    };
    assert_eq!(of(migrations[0]), [["CREATE TABLE", "1", "1", "0"], ["INSERT", "2", "2", "2"]]);
    assert_eq!(of(migrations[1]), [["CREATE INDEX CONCURRENTLY", "1", "1", "0"]]);
    assert!(spans.iter().all(|span| span.service == "profe" && !span.failed), "{spans:#?}");
    assert_eq!(the_run.attributes["environment"], "development");
}

#[test]
fn a_rollback_leaves_as_one_trace_too() {
    let (place, collector) = (workplace(), Collector::start());
    run(&mut place.profe(), &["migrate", "run"]).ok(0);
    let mut command = place.profe();
    command.env("OTEL_EXPORTER_OTLP_ENDPOINT", collector.endpoint());
    run(&mut command, &["migrate", "rollback", "--steps", "2"]).ok(0);
    let spans = collector.spans();
    let [the_run] = named(&spans, "run")[..] else { panic!("{spans:#?}") };
    assert_eq!((the_run.attributes["kind"].as_str(), the_run.parent.as_str()), ("rollback", ""));
    let migrations = named(&spans, "migration");
    let names: Vec<_> = migrations.iter().map(|span| span.attributes["migration"].as_str()).collect();
    assert_eq!(names, ["alpha/2", "alpha/1"]);
    assert!(migrations.iter().all(|span| span.parent == the_run.id && span.trace == the_run.trace), "{spans:#?}");
    let tags: Vec<_> = named(&spans, "statement").iter().map(|span| span.attributes["tag"].as_str()).collect();
    assert_eq!(tags, ["DROP INDEX CONCURRENTLY", "DROP TABLE"]);
}

#[test]
fn a_command_goes_on_in_the_trace_of_who_calls_it() {
    let (place, collector) = (workplace(), Collector::start());
    let mut command = place.profe();
    command
        .env("OTEL_EXPORTER_OTLP_ENDPOINT", collector.endpoint())
        .env("TRACEPARENT", format!("00-{TRACE}-{PARENT}-01"))
        .env("TRACESTATE", "escuela=1");
    run(&mut command, &["migrate", "run"]).ok(0);
    let spans = collector.spans();
    let [the_command] = named(&spans, "command")[..] else { panic!("{spans:#?}") };
    assert_eq!((the_command.parent.as_str(), the_command.trace.as_str()), (PARENT, TRACE));
    let [the_run] = named(&spans, "run")[..] else { panic!("{spans:#?}") };
    assert_eq!(the_run.parent, the_command.id);
    assert!(spans.len() > 6 && spans.iter().all(|span| span.trace == TRACE), "{spans:#?}");

    // One that cannot be understood is as good as none.
    let collector = Collector::start();
    let mut command = place.profe();
    command.env("OTEL_EXPORTER_OTLP_ENDPOINT", collector.endpoint()).env("TRACEPARENT", "00-0-0-01");
    run(&mut command, &["migrate", "rollback", "--steps", "1"]).ok(0);
    let spans = collector.spans();
    assert!(named(&spans, "command").is_empty() && named(&spans, "run")[0].parent.is_empty(), "{spans:#?}");
}

#[test]
fn a_run_that_fails_shows_where() {
    let (place, collector) = (workplace(), Collector::start());
    place.project.migration("alpha/3_break", "select 1 / 0;", "select 1;");
    let mut command = place.profe();
    let said = run(command.env("OTEL_EXPORTER_OTLP_ENDPOINT", collector.endpoint()), &["migrate", "run"]);
    assert_ne!(said.code, 0, "{said:?}");
    let spans = collector.spans();
    let failed: Vec<_> = spans.iter().filter(|span| span.failed).map(|span| span.name.as_str()).collect();
    assert_eq!(failed.len(), 3, "{spans:#?}");
    assert!(["run", "migration", "statement"].iter().all(|name| failed.contains(name)), "{failed:?}");
}

#[test]
fn a_collector_that_is_away_holds_up_nothing_for_long() {
    let place = workplace();
    let mut command = place.profe();
    let nobody = format!("http://127.0.0.1:{}", free_port());
    let done = run(command.env("OTEL_EXPORTER_OTLP_ENDPOINT", nobody), &["migrate", "run"]);
    let warnings = done.err.matches("traces cannot be sent").count();
    assert!(warnings == 1 && done.err.lines().count() == 1, "it is said once: {}", done.err);
    assert!(done.err.contains("OTEL_EXPORTER_OTLP_ENDPOINT"), "{}", done.err);
    let said = done.ok(0);
    assert!(said.contains("2 migrations applied"), "{said}");
}

#[test]
fn a_collector_that_goes_away_is_told_of_once_and_so_is_its_return() {
    let (place, port, collector) = (workplace(), free_port(), Collector::refusing(3));
    let mut command = place.profe();
    command
        .env("MIGRATION_SERVICE_PORT", port.to_string())
        .env("MIGRATION_SERVICE_WATCH_INTERVAL", "off")
        .env("OTEL_BSP_SCHEDULE_DELAY", "100")
        .env("OTEL_EXPORTER_OTLP_ENDPOINT", collector.endpoint());
    let mut serve = Running::start(&mut command, &["serve"]);
    serve.wait_for("Ctrl-C stops everything");
    let give_up = std::time::Instant::now() + crate::support::DEADLINE;
    while collector.spans().is_empty() {
        assert!(std::time::Instant::now() < give_up, "nothing comes");
        // Each leaves a trace of its own.
        client().get(format!("http://localhost:{port}/api/migrations/status")).send().expect("an answer");
    }
    let said = serve.wait_for_error("traces are sent again").join("\n");
    assert_eq!(said.matches("traces cannot be sent").count(), 1, "it is said once: {said}");
    assert_eq!(serve.interrupt().0.code(), Some(0));
}

#[test]
fn at_the_finest_level_no_secret_is_logged() {
    let place = workplace();
    place.project.migration(
        "alpha/3_account",
        "create table alpha.account (secret text default 'Geheim-literal');\n\
         insert into alpha.account values ('Geheim-wert');",
        "drop table alpha.account;",
    );
    let (collector, backups) = (free_port(), place.folder.path().join("backups"));
    let traced = |arguments: &[&str]| {
        let mut command = place.profe();
        command
            .env("MIGRATION_SERVICE_LOG_LEVEL", "trace,tokio_postgres=trace,hyper=trace,object_store=trace")
            .env("MIGRATION_SERVICE_BACKUP_STORAGE", &backups)
            .env("MIGRATION_SERVICE_ALERTMANAGER_URL", format!("http://ana:Geheim-url@127.0.0.1:{collector}"))
            .env("OTEL_EXPORTER_OTLP_ENDPOINT", format!("http://ana:Geheim-url@127.0.0.1:{collector}"));
        run(&mut command, arguments)
    };
    for arguments in [&["migrate", "run"][..], &["backup", "create"], &["alerts", "test"], &["migrate", "status"]] {
        let done = traced(arguments);
        assert!(!done.err.contains("Geheim"), "{arguments:?}: {}", done.err);
        assert!(!done.err.contains("tokio_postgres") && !done.err.contains(" hyper"), "{arguments:?}: {}", done.err);
    }
    assert!(traced(&["migrate", "rollback", "--steps", "1"]).err.contains("the run begins"), "our own lines are there");
}

#[test]
fn logs_are_json_with_the_ids_of_request_and_run_and_the_callers_trace_goes_on() {
    let (place, collector) = (workplace(), Collector::start());
    let port = free_port();
    let mut command = place.profe();
    command
        .env("MIGRATION_SERVICE_PORT", port.to_string())
        .env("MIGRATION_SERVICE_LOG_FORMAT", "json")
        .env("MIGRATION_SERVICE_LOG_LEVEL", "debug")
        .env("MIGRATION_SERVICE_WATCH_INTERVAL", "off")
        .env("OTEL_EXPORTER_OTLP_ENDPOINT", collector.endpoint());
    let mut serve = Running::start(&mut command, &["serve", "--output", "json"]);
    serve.wait_for("\"ready\":true");
    let answer = client()
        .post(format!("http://localhost:{port}/api/migrations/run"))
        .header("traceparent", format!("00-{TRACE}-{PARENT}-01"))
        .header("x-request-id", "pedido-1")
        .json(&json!({ "wait": true }))
        .send()
        .expect("an answer");
    let place_in_trace = answer.headers()["traceparent"].to_str().expect("text").to_owned();
    let body: Value = answer.json().expect("JSON");
    let run_id = body["migrationId"].as_str().expect("an id").to_owned();
    let get = |path: &str| client().get(format!("http://localhost:{port}{path}")).send().expect("an answer");
    assert!(get("/api/migrations/status").headers().contains_key("traceparent"), "a trace of its own");
    assert!(!get("/health").headers().contains_key("traceparent"), "probes leave none");
    let (status, _, log) = serve.interrupt();
    assert_eq!(status.code(), Some(0), "{log}");

    let lines: Vec<Value> =
        log.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))).collect();
    let answered = lines.iter().find(|line| line["message"] == "answered" && line["path"] == "/api/migrations/run");
    let span = &answered.expect("a line for the request")["span"];
    assert_eq!((&span["id"], &span["trace"]), (&json!("pedido-1"), &json!(TRACE)), "{span}");
    let of_run =
        |line: &&Value| line["spans"].as_array().is_some_and(|s| s.iter().any(|s| s["run"] == run_id.as_str()));
    let within = lines.iter().find(of_run).expect("a line of the run");
    assert!(within["spans"].as_array().is_some_and(|s| s.iter().any(|s| s["id"] == "pedido-1")), "{within}");
    let url = place.database.url();
    let password = url.split_once('@').and_then(|(before, _)| before.rsplit_once(':')).expect("a password").1;
    assert!(!log.contains(password), "a secret in the log");

    let spans = collector.spans();
    let [the_run] = named(&spans, "run")[..] else { panic!("{spans:#?}") };
    let request = spans.iter().find(|span| span.id == the_run.parent).expect("the request's span");
    assert_eq!((request.parent.as_str(), request.trace.as_str()), (PARENT, TRACE));
    assert_eq!(place_in_trace, format!("00-{TRACE}-{}-01", request.id));
    assert_eq!(request.attributes["url.path"], "/api/migrations/run");
    assert_eq!(named(&spans, "migration").len(), 2, "{spans:#?}");
}
