//! Whether a release and the schemas fit each other.

use reqwest::Method;
use serde_json::{Value, json};

use crate::alerts::{WRONG, catalogue};
use crate::world::{Answer, Setup, World, world, world_with};

/// The expand and the contract of a change, as ordinary migrations.
pub const CHANGE: [(&str, &str); 4] = [
    ("migrations/alumnos{s}/20260103000000_expand.up.sql", "ALTER TABLE alumnos{s}.alumno ADD COLUMN correo text;"),
    ("migrations/alumnos{s}/20260103000000_expand.down.sql", "ALTER TABLE alumnos{s}.alumno DROP COLUMN correo;"),
    (
        "migrations/alumnos{s}/20260104000000_contract.up.sql",
        "-- contract-of: alumnos{s}/20260103000000\n-- accept: ban-drop-column: no release reads it\n\
         ALTER TABLE alumnos{s}.alumno DROP COLUMN email;",
    ),
    ("migrations/alumnos{s}/20260104000000_contract.down.sql", "ALTER TABLE alumnos{s}.alumno ADD COLUMN email text;"),
];

/// `alumnos-service` needs and tolerates these versions of its schema.
async fn judged(world: &World, needs: &str, tolerates: &str) -> Value {
    let schema = &world.schema;
    let part = |name: &str, version: &str| {
        if version.is_empty() { String::new() } else { format!("&{name}={schema}/{version}") }
    };
    let (needs, tolerates) = (part("needs", needs), part("tolerates", tolerates));
    world.get(&format!("/api/compatibility?service=alumnos-service{needs}{tolerates}")).await.is(200)
}

async fn run(world: &World, body: Value) -> Answer {
    let mut body = body;
    body["wait"] = json!(true);
    world.post("/api/migrations/run", body).await
}

fn told(found: &Value) -> String {
    format!("{} {}", found["verdict"].as_str().unwrap_or("?"), found["reason"].as_str().unwrap_or("-"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_release_waits_for_what_it_needs_and_fits_when_it_is_there() {
    let world = world().await;
    let before = judged(&world, "20260102000000_add_email", "").await;
    let schema = &world.schema;
    assert_eq!(told(&before), format!("wait {schema}/20260101000001_create_alumno is pending and 1 more"));
    assert_eq!((&before["schemas"][0]["at"], &before["cure"]), (&Value::Null, &json!("run the migrations")));
    run(&world, json!({})).await.is(200);
    let after = judged(&world, "20260102000000", "").await;
    assert_eq!(told(&after), "compatible -");
    assert_eq!(after["schemas"][0]["at"], format!("{schema}/20260102000000"));
    assert_eq!((&after["environment"], &after["service"]), (&json!("development"), &json!("alumnos-service")));

    let unknown = judged(&world, "20270101000000", "").await;
    assert!(
        told(&unknown).starts_with("incompatible") && told(&unknown).contains("is neither applied nor"),
        "{unknown}"
    );
    let newer = judged(&world, "20260101000001", "20260101000001").await;
    assert!(told(&newer).contains("the release tolerates nothing newer than"), "{newer}");
    assert_eq!(judged(&world, "", "20260102000000").await["verdict"], "compatible");
    // Another service's schema, which it may reference.
    let other = format!("/api/compatibility?service=cursos-service&needs={schema}/20260102000000");
    assert_eq!(world.get(&other).await.is(200)["verdict"], "compatible");

    world
        .post("/api/migrations/rollback", json!({ "service": "alumnos-service", "to": "20260101000001", "wait": true }))
        .await
        .is(200);
    assert_eq!(
        told(&judged(&world, "20260102000000", "").await),
        format!("wait {schema}/20260102000000_add_email is pending")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_waits_is_answered_when_it_fits() {
    let world = world().await;
    let path = format!("/api/compatibility?service=alumnos-service&needs={}/20260102000000&wait=50", world.schema);
    let waiting = Answer::of(world.request(Method::GET, &path));
    let (found, ran) = tokio::join!(waiting, run(&world, json!({})));
    ran.is(200);
    assert_eq!(found.is(200)["verdict"], "compatible");
}

#[tokio::test(flavor = "multi_thread")]
async fn waiting_for_what_failed_is_of_no_use() {
    let world = world_with(Setup { files: WRONG.to_vec(), ..Setup::default() }).await;
    run(&world, json!({})).await.is_problem(422, "migration_failed");
    let found = judged(&world, "20260103000000", "").await;
    let words = format!("incompatible {}/20260103000000_wrong failed:", world.schema);
    assert!(told(&found).starts_with(&words) && told(&found).contains("division by zero"), "{found}");
    assert_eq!(judged(&world, "20260102000000", "").await["verdict"], "compatible");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_contract_took_away_fits_nobody_who_needs_it() {
    let world = world_with(Setup { files: CHANGE.to_vec(), ..Setup::default() }).await;
    run(&world, json!({ "to": format!("{}/20260103000000", world.schema) })).await.is(200);
    assert_eq!(judged(&world, "20260102000000", "").await["verdict"], "compatible", "the old shape is still there");
    assert_eq!(judged(&world, "20260103000000", "").await["verdict"], "compatible", "and so is the new one");
    run(&world, json!({})).await.is(200);
    let old = judged(&world, "20260102000000", "").await;
    assert!(told(&old).starts_with(&format!("incompatible {}/20260104000000 has taken away", world.schema)), "{old}");
    assert_eq!(judged(&world, "20260103000000", "").await["verdict"], "compatible");
    assert_eq!(judged(&world, "20260104000000", "").await["verdict"], "compatible");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_catalogue_may_say_what_a_release_needs() {
    let releases = "[services.alumnos-service.releases.\"2.4\"]\nneeds = [\"alumnos{s}/20260102000000\"]\n\
                    [services.alumnos-service.releases.\"3\"]\nneeds = [\"alumnos{s}/20290101000000\"]\n";
    let world = world_with(Setup { files: catalogue(releases), ..Setup::default() }).await;
    run(&world, json!({})).await.is(200);
    let of =
        async |release: &str| world.get(&format!("/api/compatibility?service=alumnos-service&release={release}")).await;
    assert_eq!(of("2.4.1").await.is(200)["verdict"], "compatible");
    assert_eq!(of("3.0").await.is(200)["verdict"], "incompatible");
    let nobody = of("1.9").await.is_problem(422, "invalid_request");
    assert!(
        nobody["cure"].as_str().is_some_and(|cure| cure.contains("[services.alumnos-service.releases]")),
        "{nobody}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_asked_is_refused_with_a_cure() {
    let variables = vec![("MIGRATION_SERVICE_AUTH", "required".to_owned())];
    let world = world_with(Setup { variables, ..Setup::default() }).await;
    let token = world.token(&["release"], &["alumnos-service"]).await;
    let ask = async |query: &str| {
        let path = format!("/api/compatibility?{}", query.replace("{s}", world.suffix()));
        Answer::of(world.request(Method::GET, &path).bearer_auth(&token)).await
    };
    assert_eq!(ask("service=alumnos-service&needs=alumnos{s}/1").await.is(200)["verdict"], "incompatible");
    ask("service=cursos-service&needs=cursos{s}/1").await.is_problem(403, "service_not_allowed");
    ask("service=alumnos-service&needs=cursos{s}/1").await.is_problem(422, "invalid_request");
    ask("service=alumnos-service&needs=alumnos{s}/1,alumnos{s}/2").await.is_problem(422, "invalid_request");
    ask("service=alumnos-service&needs=alumnos{s}/9&tolerates=alumnos{s}/8").await.is_problem(422, "invalid_request");
    ask("service=alumnos-service&needs=alumnos").await.is_problem(400, "invalid_query");
    ask("service=alumnos-service&needs=alumnos{s}/1&wait=51").await.is_problem(400, "invalid_query");
    ask("service=alumnos-service&needs=alumnos{s}/1&environment=laboratorio")
        .await
        .is_problem(404, "unknown_environment");
    ask("needs=alumnos{s}/1").await.is_problem(400, "invalid_query");
}
