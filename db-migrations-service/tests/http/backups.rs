//! Backups: made, listed, verified, restored, deleted; and whatever can be wrong with them.

use std::path::PathBuf;

use backup_vault::Manifest;
use db_migrations_service::operations::{BackupOrder, Caller, Operations, Recording};
use kernel::Actor;
use reqwest::Method;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::world::{Answer, Setup, World, admin, world, world_with};

/// Migrated and seeded.
async fn filled() -> World {
    prepare(world().await).await
}

async fn prepare(world: World) -> World {
    world.post("/api/migrations/run", json!({ "wait": true })).await.is(200);
    world.post("/api/seeds/run", json!({ "wait": true })).await.is(200);
    world
}

async fn made(world: &World, body: Value) -> Value {
    let mut body = body;
    body["wait"] = true.into();
    let backup = world.post("/api/backup/create", body).await.is(200);
    assert_eq!(backup["status"], "ready", "{backup}");
    backup
}

fn id(backup: &Value) -> &str {
    backup["backupId"].as_str().expect("an id")
}

/// Where its parts and its manifest lie.
fn folder(world: &World, backup: &Value) -> PathBuf {
    world.project.path().join("backups").join(backup["backupId"].as_str().expect("a folder"))
}

async fn list(world: &World, query: &str) -> Vec<Value> {
    let body = world.get(&format!("/api/backup/list{query}")).await.is(200);
    body["backups"].as_array().expect("a list").clone()
}

async fn verify(world: &World, id: &str) -> Value {
    world.post(&format!("/api/backup/{id}/verify"), json!({ "wait": true })).await.is(200)
}

async fn delete(world: &World, id: &str, confirm: &str) -> Answer {
    Answer::of(world.request(Method::DELETE, &format!("/api/backup/{id}?confirm={confirm}"))).await
}

async fn with_token(world: &World, token: &str, method: Method, path: &str, body: Value) -> Answer {
    let request = world.request(method.clone(), path).bearer_auth(token);
    Answer::of(if method == Method::POST { request.json(&body) } else { request }).await
}

#[tokio::test(flavor = "multi_thread")]
async fn made_listed_verified_restored_and_deleted() {
    let world = filled().await;
    let order = json!({ "service": "alumnos-service", "description": "antes", "retentionDays": 30 });
    let backup = made(&world, order).await;
    let id = id(&backup);
    for (member, value) in [
        ("service", json!("alumnos-service")),
        ("services", json!(["alumnos-service"])),
        ("environment", json!("development")),
        ("description", json!("antes")),
        ("retentionDays", json!(30)),
        ("madeBy", json!("local")),
        ("found", json!(false)),
        ("encrypted", json!(false)),
    ] {
        assert_eq!(backup[member], value, "{member}: {backup}");
    }
    assert!(backup["size"].as_u64().is_some_and(|size| size > 0) && backup["rows"].as_u64() >= Some(3), "{backup}");
    assert_eq!(backup["verification"]["status"], "unverified");
    assert_eq!(backup["job"]["status"], "completed");
    assert!(backup["job"]["progress"]["bytes"].as_u64().is_some_and(|bytes| bytes > 0), "{backup}");

    let verified = verify(&world, id).await;
    assert_eq!(verified["verification"]["status"], "verified", "{verified}");
    let listed = list(&world, "").await;
    assert_eq!((listed.len(), &listed[0]["verification"]["status"]), (1, &json!("verified")), "{listed:?}");

    let into = format!("otra{}", world.suffix());
    let path = format!("/api/backup/restore/{id}");
    for confirm in [Value::Null, json!("yes")] {
        let body = json!({ "into": into, "confirm": confirm, "wait": true });
        world.post(&path, body).await.is_problem(428, "confirmation_required");
    }
    let body = json!({ "into": into, "confirm": id, "wait": true });
    let restored = world.post(&path, body.clone()).await.is(200);
    assert_eq!((&restored["job"]["into"], &restored["job"]["uncheckedKeys"]), (&json!(into), &json!([])), "{restored}");
    let names = format!("SELECT string_agg(nombre, ',' ORDER BY id) FROM {}.alumno", world.schema);
    assert_eq!(admin(&into).await.batch(&names).await.expect("a table").value(0, 0), Some("Ana,Luis,Eva"));
    let refused = world.post(&path, body).await.is_problem(409, "database_exists");
    assert_eq!(
        (&refused["backupId"], &refused["backup"]["job"]["status"]),
        (&json!(id), &json!("failed")),
        "{refused}"
    );
    let body = json!({ "backupId": id, "into": "pg_x", "confirm": id });
    world.post("/api/schemas/restore", body).await.is_problem(422, "invalid_request");
    world.post("/api/schemas/restore", json!({})).await.is_problem(422, "invalid_request");

    delete(&world, id, "").await.is_problem(428, "confirmation_required");
    assert!(folder(&world, &backup).join("manifest.json").exists());
    assert_eq!(delete(&world, id, id).await.is(200)["status"], "deleted");
    assert!(!folder(&world, &backup).exists());
    assert_eq!(list(&world, "").await.len(), 0);
    assert_eq!(world.get(&format!("/api/backup/{id}")).await.is(200)["status"], "deleted");
    world.post(&path, json!({ "confirm": id })).await.is_problem(404, "unknown_backup");
    delete(&world, id, id).await.is_problem(404, "unknown_backup");
    let master = admin(&format!("master{}", world.suffix())).await;
    let row = master.batch("SELECT deleted_by FROM migration_service.backup").await.expect("a table");
    assert_eq!(row.value(0, 0), Some("local"), "who deleted it is kept");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_whole_database_and_of_one_service_that_needs_another() {
    let world = filled().await;
    let whole = made(&world, json!({})).await;
    assert_eq!((&whole["service"], &whole["services"]), (&Value::Null, &json!([])));
    let schemas =
        world.post("/api/schemas/backup", json!({ "services": ["cursos-service"], "wait": true })).await.is(200);
    let body = json!({ "into": format!("cursos_de{}", world.suffix()), "confirm": id(&schemas), "wait": true });
    let restored = world.post(&format!("/api/backup/restore/{}", id(&schemas)), body).await.is(200);
    let key = &restored["job"]["uncheckedKeys"][0];
    assert_eq!(key["references"], format!("{}.alumno", world.schema), "{restored}");
    assert_eq!(verify(&world, id(&schemas)).await["verification"]["findings"], json!([]));

    assert_eq!(list(&world, "?service=alumnos-service").await.len(), 1, "the whole database has it");
    assert_eq!(list(&world, "?service=cursos-service").await.len(), 2);
    assert_eq!(list(&world, "?environment=production").await.len(), 0);
    let page = world.get("/api/backup/list?limit=1").await.is(200);
    assert_eq!((&page["total"], page["backups"].as_array().map(Vec::len)), (&json!(2), Some(1)));
    let next = page["next"].as_str().expect("another page");
    let rest = list(&world, &format!("?limit=1&before={next}")).await;
    assert!(rest.len() == 1 && rest[0]["backupId"] != page["backups"][0]["backupId"], "{rest:?}");
    world.get("/api/backup/list?status=lost").await.is_problem(400, "invalid_query");
    world.get("/api/backup/list?environment=mars").await.is_problem(404, "unknown_environment");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_backed_up_is_refused_beforehand() {
    let world = world().await;
    for (body, status, code) in [
        (json!({ "service": "nobody" }), 404, "unknown_service"),
        (json!({ "environment": "mars" }), 404, "unknown_environment"),
        (json!({ "environment": "staging" }), 409, "environment_unconfigured"),
        (json!({}), 409, "database_not_created"),
        (json!({ "service": "alumnos-service", "services": ["cursos-service"] }), 422, "invalid_request"),
        (json!({ "retentionDays": 0 }), 422, "invalid_request"),
        (json!({ "description": "x".repeat(1_001) }), 422, "invalid_request"),
        (json!({ "servise": "x" }), 422, "invalid_body"),
    ] {
        world.post("/api/backup/create", body).await.is_problem(status, code);
    }
    assert_eq!(list(&world, "").await.len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn ids_are_names_and_no_paths() {
    let world = filled().await;
    let backup = made(&world, json!({})).await;
    let tricks = ["b1", "..%2F..%2Fetc", "..;", "20260101-000000-x%2F..%2Fy", "20260101-000000-nobody-abcdef"];
    for id in tricks {
        for (method, path) in [
            (Method::GET, format!("/api/backup/{id}")),
            (Method::POST, format!("/api/backup/{id}/verify")),
            (Method::POST, format!("/api/backup/{id}/cancel")),
            (Method::POST, format!("/api/backup/restore/{id}")),
            (Method::DELETE, format!("/api/backup/{id}?confirm={id}")),
        ] {
            Answer::of(world.request(method, &path)).await.is_problem(404, "unknown_backup");
        }
    }
    assert!(folder(&world, &backup).exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_for_a_service_is_for_that_service_s_backups() {
    let strict = Setup { variables: vec![("MIGRATION_SERVICE_AUTH", "required".to_owned())], ..Setup::default() };
    let world = world_with(strict).await;
    let all = world.token(&["migrate", "backup", "read"], &[]).await;
    with_token(&world, &all, Method::POST, "/api/migrations/run", json!({ "wait": true })).await.is(200);
    let whole = with_token(&world, &all, Method::POST, "/api/backup/create", json!({ "wait": true })).await.is(200);

    let own = world.token(&["backup", "read", "restore", "admin"], &["alumnos-service"]).await;
    for body in [
        json!({}),
        json!({ "service": "cursos-service" }),
        json!({ "services": ["alumnos-service", "cursos-service"] }),
    ] {
        let answer = with_token(&world, &own, Method::POST, "/api/backup/create", body).await;
        answer.is_problem(403, "service_not_allowed");
    }
    let order = json!({ "service": "alumnos-service", "wait": true });
    let mine = with_token(&world, &own, Method::POST, "/api/backup/create", order).await.is(200);
    let seen = with_token(&world, &own, Method::GET, "/api/backup/list", Value::Null).await.is(200);
    assert_eq!((&seen["total"], &seen["backups"][0]["backupId"]), (&json!(1), &mine["backupId"]), "{seen}");
    let id = id(&whole);
    for (method, path) in [
        (Method::GET, format!("/api/backup/{id}")),
        (Method::POST, format!("/api/backup/{id}/verify")),
        (Method::POST, format!("/api/backup/{id}/cancel")),
        (Method::POST, format!("/api/backup/restore/{id}")),
        (Method::DELETE, format!("/api/backup/{id}?confirm={id}")),
    ] {
        with_token(&world, &own, method, &path, json!({})).await.is_problem(403, "service_not_allowed");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_storage_that_cannot_be_used() {
    for url in ["/proc/nowhere/backups", "ftp://backups.example.org/x", "s3://ana:hunter2@bucket/x"] {
        let variables = vec![("MIGRATION_SERVICE_BACKUP_STORAGE", url.to_owned())];
        let world = prepare(world_with(Setup { variables, ..Setup::default() }).await).await;
        let answer = world.post("/api/backup/create", json!({})).await;
        answer.is_problem(503, "backup_storage_unavailable");
        assert!(!answer.text.contains("hunter2") && !answer.text.contains("nowhere"), "{answer:?}");
        world.get("/api/backup/list").await.is_problem(503, "backup_storage_unavailable");
    }
    let world = filled().await;
    let without =
        Operations::new(world.operations.project().clone(), world.operations.targets().clone(), Recording::First);
    let caller = Caller::unrestricted(Actor::cli("prueba"));
    let Err(refused) = without.start_backup(BackupOrder::default(), &caller).await else { panic!("no storage") };
    assert_eq!(refused.code(), "backup_storage_unconfigured");
    assert!(refused.cure().is_some_and(|cure| cure.contains("MIGRATION_SERVICE_BACKUP_STORAGE")), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_backup_leaves_nothing() {
    let world = filled().await;
    // Whoever holds this keeps the dump waiting.
    let holder = admin(&format!("dev{}", world.suffix())).await;
    holder.batch(&format!("BEGIN; LOCK TABLE {}.alumno", world.schema)).await.expect("nobody else has it");
    let backup = world.post("/api/backup/create", json!({})).await.is(202);
    let id = id(&backup);
    assert_eq!((&backup["status"], &backup["job"]["status"]), (&json!("running"), &json!("running")), "{backup}");
    assert_eq!(list(&world, "").await[0]["status"], "running");
    world.post(&format!("/api/backup/{id}/verify"), json!({})).await.is_problem(409, "backup_busy");
    delete(&world, id, id).await.is_problem(409, "backup_busy");
    world.post(&format!("/api/backup/{id}/cancel"), json!({})).await.is(202);
    let job = world.operations.backup_job(id).expect("it was just started");
    assert_eq!(job.finished().await.expect_err("it was cancelled").code(), "cancelled");
    holder.batch("ROLLBACK").await.expect("a transaction");

    assert_eq!(world.get(&format!("/api/backup/{id}")).await.is(200)["status"], "cancelled");
    assert_eq!(list(&world, "").await.len(), 0);
    assert_eq!(list(&world, "?status=cancelled").await.len(), 1);
    let left = std::fs::read_dir(world.project.path().join("backups")).expect("a folder").count();
    assert_eq!(left, 0, "nothing stays in the storage");
    world.post(&format!("/api/backup/{id}/cancel"), json!({})).await.is_problem(409, "backup_is_idle");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flipped_byte_is_found_and_listed() {
    let world = filled().await;
    let backup = made(&world, json!({})).await;
    let part = std::fs::read_dir(folder(&world, &backup))
        .expect("a folder")
        .map(|entry| entry.expect("an entry").path())
        .find(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("data-1.")))
        .expect("a part with rows");
    let mut bytes = std::fs::read(&part).expect("a part");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&part, bytes).expect("our own file");

    let verified = verify(&world, id(&backup)).await;
    assert_eq!(verified["verification"]["status"], "failed", "{verified}");
    assert!(verified["verification"]["findings"][0].is_string(), "{verified}");
    let listed = list(&world, "").await;
    assert_eq!((&listed[0]["status"], &listed[0]["verification"]["status"]), (&json!("damaged"), &json!("failed")));
    assert_eq!(list(&world, "?status=ready").await.len(), 0);
    let body = json!({ "confirm": id(&backup), "into": format!("rota{}", world.suffix()), "wait": true });
    let refused = world.post(&format!("/api/backup/restore/{}", id(&backup)), body).await;
    assert_eq!(refused.status, 422, "{refused:?}");
    let there = format!(
        "SELECT count(*) FROM pg_database WHERE datname LIKE 'rota{}' OR datname LIKE 'profe_restoring_%{}%'",
        world.suffix(),
        id(&backup).replace('-', "_")
    );
    assert_eq!(admin("postgres").await.batch(&there).await.expect("a catalog").value(0, 0), Some("0"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_manifest_that_was_edited_is_not_believed() {
    let world = filled().await;
    let (torn, sealed) = (made(&world, json!({})).await, made(&world, json!({})).await);
    let path = folder(&world, &torn).join("manifest.json");
    let text = std::fs::read_to_string(&path).expect("a manifest");
    std::fs::write(&path, text.replace("\"development\"", "\"production\"")).expect("our own file");
    // Whoever knows the form can mend the checksum, but not what the master database has.
    let path = folder(&world, &sealed).join("manifest.json");
    let mut manifest: Manifest = serde_json::from_slice(&std::fs::read(&path).expect("a manifest")).expect("JSON");
    (manifest.environment, manifest.sha256) = ("production".to_owned(), String::new());
    let digest = Sha256::digest(serde_json::to_vec(&manifest).expect("JSON"));
    manifest.sha256 = digest.iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"));
    std::fs::write(&path, serde_json::to_vec(&manifest).expect("JSON")).expect("our own file");

    for backup in [&torn, &sealed] {
        let now = world.get(&format!("/api/backup/{}", id(backup))).await.is(200);
        assert_eq!((&now["status"], &now["error"]["code"]), (&json!("damaged"), &json!("backup_damaged")), "{now}");
        let verified = verify(&world, id(backup)).await;
        assert_eq!(verified["verification"]["status"], "failed", "{verified}");
        let body = json!({ "confirm": id(backup) });
        let path = format!("/api/backup/restore/{}", id(backup));
        world.post(&path, body).await.is_problem(422, "backup_damaged");
        delete(&world, id(backup), id(backup)).await.is(200);
    }
    assert_eq!(list(&world, "").await.len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_another_master_database_has_made_is_found_in_the_storage() {
    let world = filled().await;
    let backup = made(&world, json!({ "service": "alumnos-service" })).await;
    let shared = world.project.path().join("backups").display().to_string();
    let other =
        world_with(Setup { variables: vec![("MIGRATION_SERVICE_BACKUP_STORAGE", shared)], ..Setup::default() }).await;
    let found = list(&other, "").await;
    assert_eq!((&found[0]["backupId"], &found[0]["found"]), (&backup["backupId"], &json!(true)), "{found:?}");
    let verified = verify(&other, id(&found[0])).await;
    assert_eq!(
        (&verified["verification"]["status"], &verified["found"]),
        (&json!("verified"), &json!(false)),
        "{verified}"
    );
    // What is gone from the storage is not listed by whoever made it.
    delete(&other, id(&found[0]), id(&found[0])).await.is(200);
    assert_eq!(list(&world, "").await.len(), 0);
    assert_eq!(world.get(&format!("/api/backup/{}", id(&backup))).await.is(200)["status"], "missing");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_whose_process_died_is_interrupted() {
    let world = filled().await;
    let gone = "INSERT INTO migration_service.backup (id, storage, environment, services, state, actor, started_at, host, \
                boot_id, pid, process_start) \
                SELECT '20260101-000000-gone-abcdef', $$PLACE$$, 'development', '{}', 'running', 'local', now(), host, 'another boot', 1, 1 \
                FROM (SELECT $$HOST$$ AS host) AS here";
    let place = world.project.path().join("backups").display().to_string();
    let host = world.operations.master().instance().host.clone();
    let master = admin(&format!("master{}", world.suffix())).await;
    master.batch(&gone.replace("PLACE", &place).replace("HOST", &host)).await.expect("a row");
    assert_eq!(list(&world, "").await.len(), 0);
    let interrupted = list(&world, "?status=interrupted").await;
    assert_eq!(interrupted[0]["backupId"], "20260101-000000-gone-abcdef", "{interrupted:?}");
    // Told once, however often somebody looks; so is a restore of it.
    let gone = "INSERT INTO migration_service.restore (id, backup, storage, environment, kind, database, state, actor, started_at, \
                host, boot_id, pid, process_start) \
                SELECT gen_random_uuid(), '20260101-000000-gone-abcdef', $$PLACE$$, 'staging', 'new', 'otra', 'running', 'local', now(), \
                $$HOST$$, 'another boot', 1, 1";
    master.batch(&gone.replace("PLACE", &place).replace("HOST", &host)).await.expect("a row");
    let backup = world.get("/api/backup/20260101-000000-gone-abcdef").await.is(200);
    assert_eq!(backup["restores"][0]["status"], "interrupted", "{backup:#}");
    let told = "SELECT string_agg(type || ' ' || environment || ' ' || (event ->> 'backupId') || coalesce(' ' || (event ->> 'into'), ''), ', ' \
                ORDER BY id) FROM migration_service.event WHERE type LIKE '%interrupted'";
    let told = master.batch(told).await.expect("events");
    let id = "20260101-000000-gone-abcdef";
    let expected = format!("backup_interrupted development {id}, restore_interrupted staging {id} otra");
    assert_eq!(told.value(0, 0), Some(expected.as_str()));
}

/// It takes as long as a backup waits for a lock.
#[tokio::test(flavor = "multi_thread")]
async fn who_keeps_a_backup_from_reading_is_named_with_what_to_do() {
    let world = filled().await;
    let holder = admin(&format!("dev{}", world.suffix())).await;
    let pid = holder.batch(&format!("BEGIN; LOCK TABLE {}.alumno; SELECT pg_backend_pid()", world.schema)).await;
    let pid = pid.expect("nobody else has it").statements[2].rows[0][0].clone().expect("a number");
    let refused = world.post("/api/backup/create", json!({ "wait": true })).await.is_problem(409, "schemas_in_use");
    let text = refused.to_string();
    for part in
        [format!("pid {pid}"), format!("ACCESS EXCLUSIVE on {}.alumno", world.schema), "idle in transaction".to_owned()]
    {
        assert!(text.contains(&part), "{part}: {refused:#}");
    }
    assert!(text.contains(&format!("SELECT pg_terminate_backend({pid})")), "{refused:#}");
    holder.batch("ROLLBACK").await.expect("a transaction");
    assert_eq!(list(&world, "").await.len(), 0);
    world.post("/api/backup/create", json!({ "wait": true })).await.is(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_that_is_asked_for_twice_is_made_once() {
    let world = filled().await;
    let send = async || {
        let request = world.request(Method::POST, "/api/backup/create").header("Idempotency-Key", "k1");
        Answer::of(request.json(&json!({ "wait": true }))).await
    };
    let (first, second) = (send().await, send().await);
    assert_eq!(first.is(200)["backupId"], second.is(200)["backupId"]);
    assert_eq!(second.header("idempotency-replayed"), Some("true"));
    assert_eq!(list(&world, "").await.len(), 1);
}
