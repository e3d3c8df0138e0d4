//! What programs read, and colours.

use testkit::{block_on, server};

use crate::support::{Workplace, open_folder, profe, run};

#[test]
fn every_answer_is_one_json_document() {
    let place = Workplace::new();
    place.project.migration("alpha/1_create_t", "create table alpha.t (id int);", "drop table alpha.t;");
    place.project.write("seeds/alpha/10_rows.sql", "insert into alpha.t values (1);");
    let profe = || {
        let mut command = place.profe();
        command.args(["--output", "json"]);
        command
    };
    let parse = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap_or_else(|e| panic!("{e}: {text}"));
    assert_eq!(parse(&run(&mut profe(), &["migrate", "plan"]).ok(3))["migrations"][0]["migration"], "alpha/1");
    let out = run(&mut profe(), &["migrate", "run"]).ok(0);
    let lines: Vec<_> = out.lines().map(parse).collect();
    assert_eq!(lines[0]["event"]["type"], "planned");
    assert_eq!(lines.last().expect("a report")["report"]["outcome"], "completed");
    let out = run(&mut profe(), &["seeds", "run"]).ok(0);
    assert_eq!(out.lines().map(parse).next_back().expect("a report")["report"]["rows"], 1);
    let status = parse(&run(&mut profe(), &["migrate", "status"]).ok(0));
    assert_eq!(status["overallStatus"], "healthy");
    assert_eq!(status["migrations"][0]["state"], "applied");
    assert_eq!(parse(&run(&mut profe(), &["migrate", "history"]).ok(0))[0]["migration"], "alpha/1");
    assert_eq!(parse(&run(&mut profe(), &["seeds", "status"]).ok(0))[0]["state"], "applied");
    assert!(parse(&run(&mut profe(), &["db", "url"]).ok(0))["url"].is_string());
    let token = parse(&run(&mut profe(), &["token", "create", "--name", "ci", "--scopes", "read,migrate"]).ok(0));
    assert!(token["token"].as_str().is_some_and(|text| text.starts_with("profe_")));
    let id = token["id"].as_str().expect("an id");
    assert_eq!(parse(&run(&mut profe(), &["token", "list"]).ok(0))[0]["id"], id);
    assert!(parse(&run(&mut profe(), &["token", "revoke", id]).ok(0))["revokedAt"].is_string());
    let error = run(&mut profe(), &["migrate", "run", "--to", "alpha/9"]);
    assert!(error.err.is_empty(), "programs read stdout: {}", error.err);
    assert_eq!(parse(&error.ok(2))["error"]["code"], "unknown_migration");
    parse(&run(&mut profe(), &["openapi"]).ok(0));
}

#[test]
fn wrong_use_is_a_json_document_too() {
    let folder = open_folder();
    for (arguments, named) in [
        (&["migrate", "fly", "--output", "json"][..], "'fly'"),
        (&["--output=json", "migrate", "rollback"], "--steps <N>"),
        (&["--output", "json"], "requires a subcommand"),
        (&["migrate", "run", "--wait", "soon", "--output", "json"], "30s"),
    ] {
        let done = run(&mut profe(folder.path()), arguments);
        assert!(done.err.is_empty(), "programs read stdout: {}", done.err);
        let document: serde_json::Value = serde_json::from_str(&done.ok(2)).expect("one document");
        assert_eq!(document["error"]["code"], "usage");
        assert!(document["error"]["cure"].as_str().is_some_and(|cure| cure.contains("--help")), "{document}");
        let message = document["error"]["message"].as_str().expect("a message");
        assert!(message.contains(named) && !message.contains("error:"), "{message}");
    }
    // Who asks for nothing of the kind is told in words.
    assert!(run(&mut profe(folder.path()), &["migrate", "fly"]).err(2).starts_with("error: "));
}

#[test]
fn an_answer_that_cannot_be_written_is_a_failure() {
    let folder = open_folder();
    let database = block_on(server().platform_database());
    for arguments in [&["migrate", "status"][..], &["--output", "json", "migrate", "status"], &["openapi"], &["--help"]]
    {
        let full = std::fs::OpenOptions::new().write(true).open("/dev/full").expect("a device that is always full");
        let mut command = profe(folder.path());
        let output = command.env("DATABASE_URL", database.url()).args(arguments).stdout(full).output();
        let output = output.expect("it starts");
        let said = String::from_utf8(output.stderr).expect("text");
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {said}");
        assert!(said.contains("could not be written: No space left"), "{arguments:?}: {said}");
    }
}

#[test]
fn whoever_closes_the_pipe_has_read_enough() {
    let folder = open_folder();
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    let output = profe(folder.path()).arg("openapi").stdout(writer).output().expect("it starts");
    assert_eq!((output.status.code(), output.stderr.as_slice()), (Some(0), &b""[..]));
}

#[test]
fn colours_are_used_where_they_are_wanted() {
    let folder = open_folder();
    let colours = |variable: Option<&str>, option: &[&str]| {
        let mut command = profe(folder.path());
        if let Some(name) = variable {
            command.env(name, "1");
        }
        run(command.args(option), &["migrate", "status", "-e", "moon"]).err(2).contains('\u{1b}')
    };
    assert!(!colours(None, &[]), "a pipe is no terminal");
    assert!(colours(None, &["--color", "always"]));
    assert!(!colours(Some("NO_COLOR"), &[]));
    assert!(!colours(Some("CLICOLOR_FORCE"), &["--color", "never"]));
}

#[test]
fn tables_fit_on_a_terminal() {
    let folder = open_folder();
    let database = block_on(server().platform_database());
    let out = run(profe(folder.path()).env("DATABASE_URL", database.url()), &["migrate", "status"]).ok(0);
    for line in out.lines() {
        assert!(line.chars().count() <= 80 && line.trim_end() == line, "{line:?}");
    }
}

#[test]
fn help_names_the_exit_codes() {
    let folder = open_folder();
    for arguments in [&["--help"][..], &["migrate", "run", "--help"]] {
        let help = run(&mut profe(folder.path()), arguments).ok(0);
        assert!(help.contains("Exit codes:") && help.contains("130  cancelled"), "{help}");
    }
    assert!(run(&mut profe(folder.path()), &["--version"]).ok(0).starts_with("profe 0."));
}
