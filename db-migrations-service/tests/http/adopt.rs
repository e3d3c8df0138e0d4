//! Taking over another tool's folder over HTTP: the one that was deployed with the service, and no other.

use serde_json::{Value, json};

use crate::world::{Setup, World, admin, world_with};

const CATALOGUE: &str = r#"
[project]
name = "escuela"
default_environment = "development"
[environments.development]
url_variable = "DEVELOPMENT_URL"
database = "dev{s}"
[environments.production]
url_variable = "PRODUCTION_URL"
database = "prod{s}"
protected = true
[services.planes-service]
schemas = ["planes{s}"]
[services.planes-service.migrations]
path = "planes/sql"
layout = "dbmate"
[services.otro-service]
schemas = ["otro{s}"]
"#;
const FIRST: &str =
    "-- migrate:up\ncreate table planes{s}.plan (id int primary key);\n\n-- migrate:down\ndrop table planes{s}.plan;\n";
const SECOND: &str = "-- migrate:up\nalter table planes{s}.plan add semana int;\n\n-- migrate:down\nalter table planes{s}.plan drop semana;\n";

/// Both environments as dbmate has left them after the first migration.
async fn legacy() -> World {
    let files = vec![
        ("config/services.toml", CATALOGUE),
        ("planes/sql/20240101000000_plan.sql", FIRST),
        ("planes/sql/20240102000000_semana.sql", SECOND),
    ];
    let world = world_with(Setup { files, empty: true, ..Setup::default() }).await;
    let (suffix, maintenance) = (world.suffix().to_owned(), admin("postgres").await);
    for name in ["dev", "prod"] {
        maintenance.batch(&format!("CREATE DATABASE {name}{suffix}")).await.expect("the superuser may");
        let made = format!(
            "CREATE SCHEMA planes{suffix}; CREATE TABLE planes{suffix}.plan (id int PRIMARY KEY); \
             CREATE TABLE planes{suffix}.schema_migrations (version varchar NOT NULL PRIMARY KEY); \
             INSERT INTO planes{suffix}.schema_migrations VALUES ('20240101000000')"
        );
        admin(&format!("{name}{suffix}")).await.batch(&made).await.expect("the superuser may");
    }
    world
}

async fn adopt(world: &World, more: Value) -> crate::world::Answer {
    let mut body = json!({ "service": "planes-service" });
    body.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
    world.post("/api/migrations/adopt", body).await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_folder_of_the_catalogue_is_adopted_and_run_from_then_on() {
    let world = legacy().await;
    let refused = world.post("/api/migrations/run", json!({ "wait": true })).await.is_problem(409, "not_adoptable");
    assert!(refused["detail"].as_str().expect("text").contains("nobody has adopted that"), "{refused:#}");

    let dry = adopt(&world, json!({ "dryRun": true })).await.is(200);
    assert_eq!((&dry["dryRun"], dry["adopted"].as_array().map(Vec::len)), (&json!(true), Some(1)), "{dry:#}");
    let adopted = adopt(&world, json!({})).await.is(200);
    let id = format!("planes{}/20240101000000", world.suffix());
    assert_eq!(adopted["adopted"][0]["migration"], id);
    assert_eq!(adopted["adopted"][0]["theirs"], "20240101000000");
    assert_eq!(adopted["adopted"][0]["file"], "planes/sql/20240101000000_plan.sql");
    assert_eq!(adopted["pending"], json!([format!("planes{}/20240102000000", world.suffix())]));
    assert_eq!((&adopted["layout"], &adopted["path"]), (&json!("dbmate"), &json!("planes/sql")));
    assert_eq!(adopted["fingerprint"], dry["fingerprint"]);
    let again = adopt(&world, json!({})).await.is(200);
    assert_eq!((&again["adopted"], &again["already"]), (&json!([]), &json!([id])));

    world.post("/api/migrations/run", json!({ "wait": true })).await.is(200);
    let rolled_back = json!({ "steps": 2, "wait": true });
    world.post("/api/migrations/rollback", rolled_back).await.is(200);
    let audit = world.get("/api/audit?command=adopt").await.is(200);
    assert_eq!(audit["entries"][0]["objects"][0]["identity"], id, "{audit:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_differs_is_told_and_a_protected_environment_wants_its_name() {
    let world = legacy().await;
    let unnamed = adopt(&world, json!({ "environment": "production" })).await;
    unnamed.is_problem(428, "confirmation_required");
    let production = admin(&format!("prod{}", world.suffix())).await;
    let by_hand = format!("ALTER TABLE planes{}.plan ADD apodo text", world.suffix());
    production.batch(&by_hand).await.expect("the superuser may");
    let asked = json!({ "environment": "production", "confirm": "production" });
    let differs = adopt(&world, asked.clone()).await.is_problem(409, "schema_differs");
    let words = differs["findings"][0]["message"].as_str().expect("words");
    assert_eq!(words, format!("files → live: column planes{}.plan.apodo: added", world.suffix()));
    production.batch(&by_hand.replace("ADD apodo text", "DROP apodo")).await.expect("the superuser may");
    adopt(&world, asked).await.is(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_folder_from_outside_and_none_that_the_catalogue_does_not_name() {
    let world = legacy().await;
    adopt(&world, json!({ "path": "/etc" })).await.is_problem(422, "invalid_body");
    let other = world.post("/api/migrations/adopt", json!({ "service": "otro-service" })).await;
    let said = other.is_problem(409, "not_adoptable");
    assert!(said["cure"].as_str().expect("a cure").contains("[services.otro-service.migrations]"), "{said:#}");
    let unknown = world.post("/api/migrations/adopt", json!({ "service": "nadie" })).await;
    unknown.is_problem(404, "unknown_service");
    let plain = world_with(Setup::default()).await;
    let none = plain.post("/api/migrations/adopt", json!({ "service": "alumnos-service" })).await;
    none.is_problem(409, "not_adoptable");
}
