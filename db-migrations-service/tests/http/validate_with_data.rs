//! Rehearsals on the rows of a backup.

use reqwest::Method;
use serde_json::{Value, json};

use crate::world::{Answer, Setup, World, admin, world, world_with};

/// Applied and seeded: three people, none of whom has an email.
async fn filled() -> World {
    let world = world().await;
    world.post("/api/migrations/run", json!({ "wait": true })).await.is(200);
    world.post("/api/seeds/run", json!({ "wait": true })).await.is(200);
    world
}

fn write(world: &World, path: &str, text: &str) {
    let path = world.project.path().join("migrations").join(path.replace("{s}", world.suffix()));
    std::fs::write(path, text.replace("{s}", world.suffix())).expect("a file");
}

/// What only rows refuse.
fn demand_emails(world: &World) {
    let (up, down) = ("alter column email set not null", "alter column email drop not null");
    let file = "alumnos{s}/20260201000000_demand_email";
    write(world, &format!("{file}.up.sql"), &format!("alter table alumnos{{s}}.alumno {up};\n"));
    write(world, &format!("{file}.down.sql"), &format!("alter table alumnos{{s}}.alumno {down};\n"));
}

/// What no row refuses, and where those of another service are looked at.
fn add_substitute(world: &World) {
    let file = "cursos{s}/20260202000000_add_suplente";
    let up = "alter table cursos{s}.matricula add column suplente int references alumnos{s}.alumno (id);\n\
              insert into cursos{s}.matricula (id, alumno, suplente) values (900, 1, 2);\n";
    let down =
        "delete from cursos{s}.matricula where id = 900;\nalter table cursos{s}.matricula drop column suplente;\n";
    write(world, &format!("{file}.up.sql"), up);
    write(world, &format!("{file}.down.sql"), down);
}

async fn backup(world: &World, services: &[&str]) -> String {
    let made = world.post("/api/backup/create", json!({ "services": services, "wait": true })).await.is(200);
    made["backupId"].as_str().expect("an id").to_owned()
}

async fn with_data(world: &World) -> Value {
    let body = json!({ "withData": true, "gates": ["rehearsed"] });
    world.post("/api/migrations/validate", body).await.is(200)
}

async fn refused(world: &World, body: Value, status: u16, code: &str) -> Value {
    world.post("/api/migrations/validate", body).await.is_problem(status, code)
}

/// Databases that a backup was restored into.
async fn left_behind(backup: &str) -> Option<String> {
    let name = backup.replace('-', "_");
    let query = format!("SELECT count(*) FROM pg_database WHERE datname LIKE '%{name}%'");
    admin("postgres").await.batch(&query).await.expect("a catalog").value(0, 0).map(str::to_owned)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_rows_of_the_newest_backup_refuse_is_a_finding() {
    let world = filled().await;
    let id = backup(&world, &[]).await;
    demand_emails(&world);
    let without = world.post("/api/migrations/validate", json!({ "gates": ["rehearsed"] })).await.is(200);
    assert_eq!((&without["passed"], &without["withData"]), (&true.into(), &Value::Null), "{without}");

    let body = with_data(&world).await;
    assert_eq!(body["passed"], false, "{body}");
    let finding = &body["migrations"][0]["findings"][0];
    assert_eq!((&finding["gate"], &finding["code"]), (&"rehearsed".into(), &"existing-rows".into()), "{body}");
    let message = finding["message"].as_str().expect("a message");
    assert!(message.contains("column \"email\" of relation \"alumno\" contains null values"), "{message}");
    assert!(finding["cure"].as_str().is_some_and(|cure| cure.contains("value")), "{finding}");
    assert_eq!(body["migrations"][0]["certificate"], Value::Null, "{body}");
    let data = &body["withData"];
    assert_eq!((&data["backup"], &data["verified"]), (&json!(id), &json!(false)), "{data}");
    assert!(data["takenAt"].is_string() && data["rows"].as_u64() >= Some(3), "{data}");
    assert_eq!(left_behind(&id).await.as_deref(), Some("0"));
    let rows = format!("SELECT count(email), count(*) FROM {}.alumno", world.schema);
    let live = admin(&format!("dev{}", world.suffix())).await.batch(&rows).await.expect("a table");
    assert_eq!((live.value(0, 0), live.value(0, 1)), (Some("0"), Some("3")), "the target was left as it was");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_names_the_backup_whose_rows_it_was_proven_on_and_has_both_times() {
    let world = filled().await;
    let id = backup(&world, &[]).await;
    // Applied after the backup, so not in it.
    write(
        &world,
        "alumnos{s}/20260110000000_add_apodo.up.sql",
        "alter table alumnos{s}.alumno add column apodo text;\n",
    );
    write(&world, "alumnos{s}/20260110000000_add_apodo.down.sql", "alter table alumnos{s}.alumno drop column apodo;\n");
    world.post("/api/migrations/run", json!({ "wait": true })).await.is(200);
    add_substitute(&world);
    let body = world.post("/api/migrations/validate", json!({ "withData": true })).await.is(200);
    assert_eq!(body["passed"], true, "{body}");
    let proof = &body["migrations"][0];
    assert_eq!(proof["certificate"]["withData"]["backup"], json!(id), "{proof}");
    let measured = proof["certificate"]["statements"].as_array().expect("figures");
    let forecast = proof["forecast"]["statementMs"].as_array().expect("a forecast");
    assert_eq!((measured.len(), forecast.len()), (2, 2), "{proof}");
    assert!(measured.iter().all(|statement| statement["durationMs"].as_f64() > Some(0.0)), "{proof}");
    assert_eq!(left_behind(&id).await.as_deref(), Some("0"));
    // It holds for the run as any other does.
    world.post("/api/migrations/run", json!({ "wait": true })).await.is(200);
    let nothing = with_data(&world).await;
    assert_eq!((&nothing["passed"], &nothing["withData"]), (&true.into(), &Value::Null), "nothing to walk: {nothing}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_newest_verified_backup_that_has_the_rows_is_taken() {
    let world = filled().await;
    add_substitute(&world);
    // Enrolments refer to people, so both are needed.
    backup(&world, &["cursos-service"]).await;
    let problem = refused(&world, json!({ "withData": true }), 409, "no_backup").await;
    let (detail, cure) = (problem["detail"].as_str().expect("words"), problem["cure"].as_str().expect("words"));
    assert!(detail.contains(&world.schema) && cure.contains("profe backup create"), "{problem}");

    let both = backup(&world, &["alumnos-service", "cursos-service"]).await;
    let body = with_data(&world).await;
    assert_eq!((&body["passed"], &body["withData"]["backup"]), (&true.into(), &json!(both)), "{body}");
    let newer = backup(&world, &[]).await;
    assert_eq!(with_data(&world).await["withData"]["backup"], json!(newer), "the newest");
    world.post(&format!("/api/backup/{both}/verify"), json!({ "wait": true })).await.is(200);
    let data = with_data(&world).await["withData"].clone();
    assert_eq!((&data["backup"], &data["verified"]), (&json!(both), &json!(true)), "the verified one: {data}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_of_another_schema_is_refused_with_the_cure() {
    let world = filled().await;
    let id = backup(&world, &[]).await;
    demand_emails(&world);
    let live = admin(&format!("dev{}", world.suffix())).await;
    live.batch(&format!("ALTER TABLE {}.alumno ADD COLUMN a_mano int", world.schema)).await.expect("a superuser");
    let problem = refused(&world, json!({ "withData": true }), 409, "backup_outdated").await;
    let detail = problem["detail"].as_str().expect("words");
    assert!(detail.contains(&id) && detail.contains("a_mano: added"), "{detail}");
    assert!(problem["cure"].as_str().is_some_and(|cure| cure.contains("profe backup create")), "{problem}");
    assert_eq!(left_behind(&id).await.as_deref(), Some("0"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_backup_leaves_nothing_behind() {
    let world = filled().await;
    let id = backup(&world, &[]).await;
    demand_emails(&world);
    let folder = world.project.path().join("backups").join(&id);
    let part = std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    let part = part.into_iter().find(|path| path.to_string_lossy().contains("/data-1.")).expect("a part with rows");
    let mut bytes = std::fs::read(&part).expect("a part");
    bytes[20] ^= 1;
    std::fs::write(&part, bytes).expect("our own file");
    refused(&world, json!({ "withData": true }), 422, "backup_damaged").await;
    assert_eq!(left_behind(&id).await.as_deref(), Some("0"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_asked_for_is_said() {
    let world = filled().await;
    demand_emails(&world);
    let problem = refused(&world, json!({ "withData": true }), 409, "no_backup").await;
    assert!(problem["cure"].as_str().is_some_and(|cure| cure.contains("--environment development")), "{problem}");
    let whole = refused(&world, json!({ "withData": true, "whole": true }), 422, "invalid_request").await;
    assert!(whole["detail"].as_str().is_some_and(|text| text.contains("pending")), "{whole}");
    refused(&world, json!({ "withData": true, "gates": ["parses"] }), 422, "invalid_request").await;

    // What is restored is work with a backup, and rows.
    let id = backup(&world, &[]).await;
    let ask = async |token: &str| {
        let request = world.request(Method::POST, "/api/migrations/validate").bearer_auth(token);
        Answer::of(request.json(&json!({ "withData": true, "service": "alumnos-service" }))).await
    };
    let reader = world.token(&["read"], &[]).await;
    let problem = ask(&reader).await.is_problem(403, "insufficient_scope");
    assert_eq!(problem["scope"], "backup", "{problem}");
    let of_one = world.token(&["read", "backup"], &["alumnos-service"]).await;
    let problem = ask(&of_one).await.is_problem(409, "no_backup");
    assert!(problem["detail"].as_str().is_some_and(|text| text.contains("the token may use")), "{problem}");
    let own = backup(&world, &["alumnos-service"]).await;
    assert_eq!(ask(&of_one).await.is(200)["withData"]["backup"], json!(own));
    let of_all = world.token(&["read", "backup"], &[]).await;
    let used = ask(&of_all).await.is(200)["withData"]["backup"].clone();
    assert!(used == json!(own) && used != json!(id), "{used}");
}

#[tokio::test(flavor = "multi_thread")]
async fn files_that_cannot_be_read_are_told_without_a_backup() {
    let files = vec![
        ("migrations/cursos{s}/20260103000000_bad.up.sql", "create tabel x;\n"),
        ("migrations/cursos{s}/20260103000000_bad.down.sql", "select 1;\n"),
    ];
    let world = world_with(Setup { files, ..Setup::default() }).await;
    let body = world.post("/api/migrations/validate", json!({ "withData": true })).await.is(200);
    assert_eq!((&body["passed"], &body["withData"]), (&false.into(), &Value::Null), "{body}");
    assert_eq!(body["findings"][0]["code"], "syntax-error", "{body}");
}
