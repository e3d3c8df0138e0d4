//! Gates before a run, and drift after it.

use reqwest::Method;
use serde_json::{Value, json};

use crate::world::{Answer, Setup, World, admin, world, world_with};

/// A migration whose way back forgets an index.
const FORGETFUL: [(&str, &str); 2] = [
    (
        "migrations/cursos{s}/20260103000000_add_nota.up.sql",
        "CREATE TABLE cursos{s}.nota (id int);\nCREATE INDEX matricula_alumno ON cursos{s}.matricula (alumno);\n",
    ),
    ("migrations/cursos{s}/20260103000000_add_nota.down.sql", "DROP TABLE cursos{s}.nota;\n"),
];

async fn forgetful() -> World {
    world_with(Setup { files: FORGETFUL.to_vec(), ..Setup::default() }).await
}

fn gate<'a>(body: &'a Value, name: &str) -> &'a Value {
    let gates = body["gates"].as_array().expect("gates");
    gates.iter().find(|gate| gate["gate"] == name).unwrap_or_else(|| panic!("no {name}: {body}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn good_migrations_pass_and_get_certificates_with_figures() {
    let world = world().await;
    let answer = Answer::of(world.request(Method::POST, "/api/migrations/validate")).await;
    let body = answer.is(200);
    assert_eq!((&body["passed"], &body["environment"]), (&true.into(), &"development".into()), "{body}");
    assert_eq!(body["migrations"].as_array().map(Vec::len), Some(3), "{body}");
    for name in ["parses", "stays-home", "breaks-no-neighbour", "hazards", "rehearsed"] {
        let gate = gate(&body, name);
        assert_eq!((&gate["holds"], &gate["required"]), (&true.into(), &false.into()), "{gate}");
    }
    let certificate = &body["migrations"][2]["certificate"];
    assert_eq!(certificate["before"], body["migrations"][1]["certificate"]["after"], "{body}");
    let statement = &certificate["statements"][0];
    assert_eq!(statement["locks"][0]["mode"], "AccessExclusiveLock", "{certificate}");
    assert!(statement["durationMs"].is_f64() && statement["walBytes"].is_u64(), "{certificate}");
    assert_eq!(world.get("/api/migrations/history").await.is(200)["total"], 0, "nothing was run");

    let only = json!({ "service": "alumnos-service", "gates": ["parses", "hazards"] });
    let body = world.post("/api/migrations/validate", only).await.is(200);
    assert_eq!(body["migrations"].as_array().map(Vec::len), Some(2), "{body}");
    assert!(gate(&body, "rehearsed")["holds"].is_null() && gate(&body, "parses")["holds"] == true, "{body}");

    world.post("/api/migrations/run", json!({ "wait": true })).await.is(200);
    let body = world.post("/api/migrations/validate", json!({})).await.is(200);
    assert_eq!(body["migrations"], json!([]), "nothing is pending: {body}");
    let body = world.post("/api/migrations/validate", json!({ "whole": true })).await.is(200);
    assert_eq!((body["migrations"].as_array().map(Vec::len), &body["passed"]), (Some(3), &true.into()), "{body}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_gates_find_is_told_with_code_place_and_cure() {
    let files = vec![
        ("migrations/alumnos{s}/20260103000000_wrong.up.sql", "ALTER TABLE alumnos{s}.alumno\n  ADD COLUM x int;\n"),
        ("migrations/alumnos{s}/20260103000000_wrong.down.sql", "SELECT 1;\n"),
    ];
    let world = world_with(Setup { files, ..Setup::default() }).await;
    let body = world.post("/api/migrations/validate", json!({})).await.is(200);
    assert_eq!(body["passed"], false, "{body}");
    let finding = &body["findings"][0];
    assert_eq!((&finding["code"], &finding["gate"]), (&"syntax-error".into(), &"parses".into()), "{body}");
    assert_eq!((&finding["severity"], &finding["location"]["line"]), (&"error".into(), &2.into()), "{body}");
    assert_eq!(finding["location"]["lineText"], "  ADD COLUM x int;", "{body}");
    assert!(gate(&body, "rehearsed")["skipped"].is_string(), "{body}");

    let body = world.post("/api/migrations/validate", json!({ "gates": ["smells"] })).await;
    let problem = body.is_problem(422, "invalid_request");
    assert_eq!(problem["member"], "gates");
    assert!(problem["detail"].as_str().is_some_and(|text| text.contains("breaks-no-neighbour")), "{problem}");
    world.post("/api/migrations/validate", json!({ "service": "x" })).await.is_problem(404, "unknown_service");
    world.post("/api/migrations/validate", json!({ "environment": "x" })).await.is_problem(404, "unknown_environment");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gate_that_does_not_hold_ends_a_run_where_it_is_required() {
    let world = forgetful().await;
    let run = json!({ "environment": "production", "wait": true });
    let problem = world.post("/api/migrations/run", run).await.is_problem(409, "gate_failed");
    let findings = problem["findings"].as_array().expect("findings");
    let forgot = |finding: &&Value| finding["code"] == "down-does-not-restore";
    let finding = findings.iter().find(forgot).unwrap_or_else(|| panic!("{problem}"));
    assert_eq!(finding["migration"], format!("cursos{}/20260103000000", world.suffix()), "{problem}");
    assert!(finding["message"].as_str().is_some_and(|text| text.contains("matricula_alumno")), "{problem}");
    assert_eq!(world.get("/api/migrations/history?environment=production").await.is(200)["total"], 0);
    let id = problem["migrationId"].as_str().expect("an id");
    let events = world.get(&format!("/api/migrations/runs/{id}/events")).await;
    for event in ["validating", "validated"] {
        assert!(events.text.contains(&format!(r#""type":"{event}""#)), "{event}: {events:?}");
    }
    let body = world.get(&format!("/api/migrations/runs/{id}")).await.is(200);
    assert_eq!((&body["status"], &body["error"]["findings"]), (&"failed".into(), &problem["findings"]), "{body}");
    // Where nothing is required, it runs.
    world.post("/api/migrations/run", json!({ "wait": true })).await.is(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gate_is_passed_by_with_a_reason_and_by_an_administrator_only() {
    let world = forgetful().await;
    let order = |gate: &str, reason: &str| json!({ "environment": "production", "wait": true, "override": [{ "gate": gate, "reason": reason }] });
    let token = world.token(&["migrate"], &[]).await;
    for path in ["/api/migrations/run", "/api/migrations/service/cursos-service/run"] {
        let request = world.request(Method::POST, path).bearer_auth(&token).json(&order("rehearsed", "de noche"));
        let problem = Answer::of(request).await.is_problem(403, "insufficient_scope");
        assert_eq!(problem["scope"], "admin", "{path}: {problem}");
    }
    for (gate, reason) in [("rehearsed", " "), ("smells", "de noche")] {
        let problem = world.post("/api/migrations/run", order(gate, reason)).await.is_problem(422, "invalid_request");
        assert!(problem["detail"].as_str().is_some_and(|text| text.contains(gate)), "{problem}");
    }
    let wrong = world.post("/api/migrations/run", order("hazards", "de noche")).await;
    wrong.is_problem(409, "gate_failed");
    let admin_token = world.token(&["migrate", "admin"], &[]).await;
    let path = "/api/migrations/service/cursos-service/run";
    let request = world.request(Method::POST, path).bearer_auth(&admin_token).json(&order("rehearsed", "de noche"));
    Answer::of(request).await.is(200);
    let target = admin(&format!("prod{}", world.suffix())).await;
    let kept = "SELECT string_agg(concat_ws(' ', gate, reason, by_whom), ', ') FROM migration_service.gate_override WHERE gate = 'rehearsed'";
    let kept = target.batch(kept).await.expect("a table");
    assert_eq!(kept.value(0, 0), Some("rehearsed de noche token:migrate admin"));
}

#[tokio::test(flavor = "multi_thread")]
async fn live_schemas_are_held_against_their_history() {
    let world = world().await;
    world.post("/api/schemas/validate", json!({})).await.is_problem(409, "database_not_created");
    world.post("/api/migrations/run", json!({ "environment": "production", "wait": true })).await.is(200);
    let production = json!({ "environment": "production" });
    let body = world.post("/api/schemas/validate", production.clone()).await.is(200);
    assert_eq!((&body["agrees"], &body["expected"]), (&true.into(), &body["live"]), "{body}");
    assert_eq!((&body["prepared"], &body["differences"]), (&true.into(), &json!([])), "{body}");

    let list = world.get("/api/schemas?environment=production").await.is(200);
    assert_eq!(list["fingerprint"]["agrees"], true, "it was rehearsed before it was run: {list}");
    assert_eq!((&list["fingerprint"]["live"], &list["fingerprint"]["expected"]), (&body["live"], &body["live"]));
    let of_schema = body["schemas"][0]["live"].clone();
    assert_eq!(list["services"][0]["schemas"][0]["fingerprint"], of_schema, "{list}");
    let detail = world.get("/api/schemas/alumnos-service?environment=production").await.is(200);
    assert_eq!(detail["fingerprint"]["agrees"], true, "{detail}");

    let target = admin(&format!("prod{}", world.suffix())).await;
    let by_hand = format!("ALTER TABLE {}.alumno ADD COLUMN a_mano text", world.schema);
    target.batch(&by_hand).await.expect("a superuser may");
    let body = world.post("/api/schemas/validate", production).await.is(200);
    assert_eq!(body["agrees"], false, "{body}");
    assert_eq!(body["differences"][0]["words"], format!("column {}.alumno.a_mano: added", world.schema), "{body}");
    assert_eq!(body["differences"][0]["service"], "alumnos-service", "{body}");
    let cursos = json!({ "environment": "production", "service": "cursos-service" });
    assert_eq!(world.post("/api/schemas/validate", cursos).await.is(200)["agrees"], true);
    let list = world.get("/api/schemas?environment=production").await.is(200);
    assert_eq!(list["fingerprint"]["agrees"], false, "{list}");
    let detail = world.get("/api/schemas/cursos-service?environment=production").await.is(200);
    assert!(detail["fingerprint"]["agrees"].is_null(), "nobody knows which part without a replay: {detail}");
}

#[tokio::test(flavor = "multi_thread")]
async fn accepted_hazards_stand_in_the_history() {
    let files = vec![
        (
            "migrations/alumnos{s}/20260103000000_drop_email.up.sql",
            "-- accept: ban-drop-column: nobody reads it any more\nALTER TABLE alumnos{s}.alumno DROP COLUMN email;\n",
        ),
        (
            "migrations/alumnos{s}/20260103000000_drop_email.down.sql",
            "ALTER TABLE alumnos{s}.alumno ADD COLUMN email text;\n",
        ),
    ];
    let world = world_with(Setup { files, ..Setup::default() }).await;
    world.post("/api/migrations/run", json!({ "wait": true })).await.is(200);
    let body = world.get("/api/migrations/history?service=alumnos-service").await.is(200);
    let accepted = json!([{ "hazard": "ban-drop-column", "reason": "nobody reads it any more" }]);
    assert_eq!(body["history"][0]["accepted"], accepted, "{body}");
    assert!(body["history"][0].get("upSql").is_none() && body["history"][1].get("accepted").is_none(), "{body}");
}
