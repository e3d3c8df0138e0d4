//! `/api/migrations/certificates`: how what is applied was proven.

use reqwest::Method;
use serde_json::{Value, json};

use crate::world::{Answer, World, world};

async fn records(world: &World, query: &str) -> Vec<Value> {
    let answer = world.get(&format!("/api/migrations/certificates{query}")).await.is(200);
    answer["migrations"].as_array().expect("a list").clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_proven_is_shown_with_its_gates_and_what_was_not_plainly() {
    let world = world().await;
    assert_eq!(records(&world, "").await, Vec::<Value>::new(), "nothing is there yet");
    for environment in ["development", "production"] {
        world.post("/api/migrations/run", json!({ "environment": environment, "wait": true })).await.is(200);
    }
    let development = records(&world, "").await;
    assert_eq!(development.len(), 3);
    for record in &development {
        assert_eq!((&record["applied"], &record["certificate"]), (&json!(true), &json!(null)), "{record:#}");
        assert_eq!((&record["ofAppliedFile"], &record["gates"]), (&json!(null), &json!([])), "{record:#}");
    }

    let production = records(&world, "?environment=production").await;
    assert_eq!(production.len(), 3);
    for record in &production {
        assert_eq!((&record["applied"], &record["ofAppliedFile"]), (&json!(true), &json!(true)), "{record:#}");
        let rehearsed = record["gates"].as_array().expect("gates").iter().find(|gate| gate["gate"] == "rehearsed");
        assert!(rehearsed.is_some_and(|gate| gate["holds"] == true && gate["required"] == true), "{record:#}");
        let certificate = &record["certificate"];
        assert!(certificate["upMs"][1].is_u64() && certificate["statements"].is_null(), "{record:#}");
    }
    let id = format!("{}/20260102000000", world.schema);
    let one = records(&world, &format!("?environment=production&migration={id}")).await;
    assert_eq!((one.len(), &one[0]["migration"]), (1, &json!(id)));
    assert!(one[0]["certificate"]["statements"][0]["durationMs"].is_f64(), "statement by statement: {one:#?}");

    // A change of the file that is accepted changes nothing of what was proven.
    let file = world.project.path().join(format!("migrations/{}/20260102000000_add_email.up.sql", world.schema));
    let text = std::fs::read_to_string(&file).expect("our own file");
    std::fs::write(&file, format!("-- Said better.\n{text}")).expect("our own folder");
    let bless = json!({ "environment": "production", "migration": id, "reason": "a comment" });
    world.post("/api/migrations/bless", bless).await.is(200);
    let blessed = records(&world, &format!("?environment=production&migration={id}")).await;
    assert_eq!(blessed[0]["ofAppliedFile"], json!(true), "{blessed:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_of_another_text_is_no_proof_of_this_one() {
    let world = world().await;
    let first = format!("{}/20260101000001", world.schema);
    world.post("/api/migrations/run", json!({ "environment": "production", "to": first, "wait": true })).await.is(200);
    world.post("/api/migrations/validate", json!({ "environment": "production" })).await.is(200);
    let id = format!("{}/20260102000000", world.schema);
    let path = format!("?environment=production&migration={id}");
    let pending = records(&world, &path).await;
    assert_eq!((&pending[0]["applied"], &pending[0]["ofAppliedFile"]), (&json!(false), &json!(null)), "{pending:#?}");
    assert!(pending[0]["certificate"].is_object(), "rehearsed before it is applied: {pending:#?}");
    let file = world.project.path().join(format!("migrations/{id}_add_email.up.sql"));
    let text = format!("ALTER TABLE {}.alumno ADD COLUMN email varchar(9);", world.schema);
    std::fs::write(file, text).expect("our own folder");
    let by = json!({ "environment": "production", "wait": true, "override": [{ "gate": "rehearsed", "reason": "de noche" }] });
    world.post("/api/migrations/run", by).await.is(200);
    let applied = records(&world, &path).await;
    assert_eq!((&applied[0]["applied"], &applied[0]["ofAppliedFile"]), (&json!(true), &json!(false)), "{applied:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gate_that_was_passed_by_is_told_and_nobody_sees_other_services() {
    let world = world().await;
    let order = json!({ "environment": "production", "wait": true, "override": [{ "gate": "rehearsed", "reason": "de noche" }] });
    world.post("/api/migrations/run", order).await.is(200);
    let token = world.token(&["read"], &["cursos-service"]).await;
    let ask = async |query: &str| {
        let path = format!("/api/migrations/certificates?environment=production{query}");
        Answer::of(world.request(Method::GET, &path).bearer_auth(&token)).await
    };
    let answer = ask("").await.is(200);
    let seen = answer["migrations"].as_array().expect("a list");
    assert_eq!((seen.len(), &seen[0]["certificate"]), (1, &json!(null)), "{answer:#}");
    assert_eq!(seen[0]["migration"], json!(format!("cursos{}/20260101000001", world.suffix())));
    let passed = &seen[0]["overrides"][0];
    assert_eq!(
        (&passed["gate"], &passed["reason"], &passed["by"]),
        (&json!("rehearsed"), &json!("de noche"), &json!("local"))
    );
    ask("&service=alumnos-service").await.is_problem(403, "service_not_allowed");
    ask("&service=nadie").await.is_problem(403, "service_not_allowed");
    world.get("/api/migrations/certificates?service=nadie").await.is_problem(404, "unknown_service");
}
