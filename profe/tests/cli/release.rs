//! `profe release` and `profe webhooks`

use std::net::TcpListener;

use serde_json::{Value, json};

use crate::support::{Running, Workplace, client, free_port, run};

fn place() -> Workplace {
    let place = Workplace::new();
    place
        .project
        .migration("alpha/1_a", "CREATE TABLE alpha.a (old int);", "DROP TABLE alpha.a;")
        .migration("alpha/2_expand", "ALTER TABLE alpha.a ADD new int;", "ALTER TABLE alpha.a DROP new;")
        .migration(
            "alpha/3_contract",
            "-- contract-of: alpha/2\nALTER TABLE alpha.a DROP old;",
            "ALTER TABLE alpha.a ADD old int;",
        );
    place
}

#[test]
fn a_check_says_whether_a_release_fits_and_its_exit_code_too() {
    let place = place();
    let check = |needs: &str| run(&mut place.profe(), &["release", "check", "-s", "alpha-service", "--needs", needs]);
    let pending = check("alpha/1").ok(3);
    assert!(pending.contains("alpha/1_a is pending") && pending.contains("run the migrations"), "{pending}");
    run(&mut place.profe(), &["migrate", "run", "--to", "alpha/2"]).ok(0);
    assert!(check("alpha/2").ok(0).contains("compatible"));
    assert!(check("alpha/9").ok(5).contains("incompatible: alpha/9 is neither applied nor"));
    let document = ["release", "check", "-s", "alpha-service", "--tolerates", "alpha/1", "--output", "json"];
    let document: Value = serde_json::from_str(&run(&mut place.profe(), &document).ok(5)).expect("JSON");
    assert_eq!((&document["verdict"], &document["schemas"][0]["at"]), (&json!("incompatible"), &json!("alpha/2")));
    assert!(check("alpha").err(2).contains("<schema>/<version>"));
}

#[test]
fn a_run_of_the_command_line_is_held_too_until_the_release_is_gone_or_a_reason_is_given() {
    let place = place();
    assert_eq!(run(&mut place.profe(), &["release", "list"]).ok(0), "No service has said that it runs.\n");
    let port = free_port();
    let mut command = place.profe();
    command.env("MIGRATION_SERVICE_PORT", port.to_string());
    let mut serving = Running::start(&mut command, &["serve", "--only", "migration-service", "--output", "json"]);
    serving.wait_for("\"ready\":true");
    let base = format!("http://127.0.0.1:{port}/api/releases/alpha-service");
    for instance in ["alpha-a", "alpha-b"] {
        let body = json!({ "release": "2.3", "needs": ["alpha/1"] });
        let answer = client().put(format!("{base}/{instance}")).json(&body).send().expect("it answers");
        assert!(answer.status().is_success(), "{answer:?}");
    }
    assert_eq!(serving.interrupt().0.code(), Some(0));

    let listed = run(&mut place.profe(), &["release", "list"]).ok(0);
    assert!(listed.contains("2.3") && listed.contains("alpha-b"), "{listed}");
    let held = run(&mut place.profe(), &["migrate", "run"]).err(5);
    assert!(held.contains("alpha-service 2.3") && held.contains("alpha-a, alpha-b"), "{held}");
    assert!(held.contains("--despite-releases"), "{held}");
    assert!(run(&mut place.profe(), &["migrate", "plan"]).ok(3).contains("which live releases still use"));
    run(&mut place.profe(), &["release", "forget", "alpha-service", "alpha-a"]).ok(0);
    run(&mut place.profe(), &["release", "forget", "alpha-service", "alpha-a"]).err(2);
    run(&mut place.profe(), &["migrate", "run"]).err(5);
    run(&mut place.profe(), &["migrate", "run", "--despite-releases", "out of rotation"]).ok(0);
    let kept = place.value("SELECT gate || ': ' || reason FROM migration_service.gate_override");
    assert_eq!(kept.as_deref(), Some("contract: out of rotation"));
}

#[test]
fn webhooks_are_tested_and_listed() {
    let place = place();
    let nobody = run(&mut place.profe(), &["webhooks", "test"]).err(1);
    assert!(nobody.contains("[services.<name>.webhooks]"), "{nobody}");
    let catalogue = place.project.read("config/services.toml");
    // A port that is taken, at which nobody answers.
    let silent = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = silent.local_addr().expect("an address");
    let webhooks = format!(
        "{catalogue}\n[services.alpha-service.webhooks]\nurl = \"http://{address}/geheim\"\n\
         secret_variable = \"ALPHA_SECRET\"\ntimeout_s = 1\n"
    );
    place.project.write("config/services.toml", &webhooks);
    let out = run(&mut place.profe(), &["webhooks", "test"]).ok(1);
    assert!(out.contains("alpha-service") && out.contains("ALPHA_SECRET is not set"), "{out}");
    let out = run(place.profe().env("ALPHA_SECRET", "hunter2"), &["webhooks", "test", "-s", "alpha-service"]).ok(1);
    assert!(out.contains(&format!("http://{address}")) && !out.contains("geheim"), "{out}");
    assert!(run(&mut place.profe(), &["webhooks", "list"]).ok(0).contains("No service was told"));
    run(&mut place.profe(), &["webhooks", "test", "-s", "nobody"]).err(2);
}
