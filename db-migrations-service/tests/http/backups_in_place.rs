//! Backups restored into the database that is in use: in place, or single tables beside the live ones.

use std::time::{Duration, Instant};

use postgres_link::AdminConn;
use reqwest::Method;
use serde_json::{Value, json};

use crate::world::{Answer, World, admin, world};

/// Far longer than anything here takes.
const DEADLINE: Duration = Duration::from_mins(1);

/// What a backup that is being made is called at the server.
const DUMP: &str = "profe backup|pg_dump";

/// Migrated and seeded, and the superuser's own session.
async fn filled() -> (World, AdminConn) {
    let world = world().await;
    world.post("/api/migrations/run", json!({ "wait": true })).await.is(200);
    world.post("/api/seeds/run", json!({ "wait": true })).await.is(200);
    let session = admin(&format!("dev{}", world.suffix())).await;
    (world, session)
}

async fn backup(world: &World, body: Value) -> String {
    let mut body = body;
    body["wait"] = true.into();
    let made = world.post("/api/backup/create", body).await.is(200);
    made["backupId"].as_str().expect("an id").to_owned()
}

async fn restore(world: &World, id: &str, body: Value) -> Answer {
    let mut body = body;
    body["confirm"] = id.into();
    world.post(&format!("/api/backup/restore/{id}"), body).await
}

async fn value(session: &AdminConn, sql: &str) -> String {
    let outcome = session.batch(sql).await.unwrap_or_else(|error| panic!("{error}: {sql}"));
    outcome.value(0, 0).unwrap_or_default().to_owned()
}

async fn names(session: &AdminConn, world: &World) -> String {
    value(session, &format!("SELECT string_agg(nombre, ',' ORDER BY id) FROM {}.alumno", world.schema)).await
}

async fn listed(world: &World) -> usize {
    world.get("/api/backup/list").await.is(200)["backups"].as_array().expect("a list").len()
}

/// A migration that comes later.
fn add_migration(world: &World, intent: &str, up: &str, down: &str) {
    let folder = world.project.path().join("migrations").join(&world.schema);
    for (way, sql) in [("up", up), ("down", down)] {
        let file = folder.join(format!("20260201000000_{intent}.{way}.sql"));
        std::fs::write(file, sql.replace("{}", &world.schema)).expect("our own folder");
    }
}

/// Asks until the answer is as wanted.
async fn until(world: &World, path: &str, wanted: impl Fn(&Value) -> bool) -> Value {
    let begun = Instant::now();
    let mut tick = tokio::time::interval(Duration::from_millis(50));
    loop {
        tick.tick().await;
        let body = world.get(path).await.is(200);
        if wanted(&body) {
            return body;
        }
        assert!(begun.elapsed() < DEADLINE, "it did not come: {body:#}");
    }
}

/// Waits until a session of that name waits for a lock, and answers its number.
async fn waiting(session: &AdminConn, application: &str) -> String {
    let query = format!(
        "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock' \
         AND application_name ~ '^({application})'"
    );
    let begun = Instant::now();
    let mut tick = tokio::time::interval(Duration::from_millis(50));
    loop {
        tick.tick().await;
        let pid = value(session, &query).await;
        if !pid.is_empty() {
            return pid;
        }
        assert!(begun.elapsed() < DEADLINE, "{application} waits for nobody");
    }
}

/// The live schemas, the history and the audit tell the same story.
async fn agrees(world: &World) {
    let drift = world.post("/api/drift/check", json!({})).await.is(200);
    assert_eq!(
        (&drift["agrees"], &drift["findings"], &drift["trouble"]),
        (&json!(true), &json!([]), &json!(null)),
        "{drift:#}"
    );
    let audit = world.post("/api/audit/verify", json!({})).await.is(200);
    assert_eq!((&audit["intact"], &audit["findings"]), (&json!(true), &json!([])), "{audit:#}");
    let foreign = world.get("/api/audit?viaService=false").await.is(200);
    assert_eq!(foreign["entries"], json!([]), "{foreign:#}");
}

async fn pending(world: &World) -> Vec<String> {
    let plan = world.get("/api/migrations/plan").await.is(200);
    let migrations = plan["migrations"].as_array().unwrap_or_else(|| panic!("{plan:#}"));
    migrations.iter().map(|one| one["migration"].as_str().expect("a name").replace(&world.schema, "")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn data_history_audit_and_rights_come_back_together() {
    let (world, session) = filled().await;
    let id = backup(&world, json!({ "service": "alumnos-service" })).await;
    add_migration(
        &world,
        "add_nota",
        "ALTER TABLE {}.alumno ADD COLUMN nota int;",
        "ALTER TABLE {}.alumno DROP COLUMN nota;",
    );
    world.post("/api/migrations/run", json!({ "wait": true })).await.is(200);
    let table = format!("{}.alumno", world.schema);
    let matricula = format!("cursos{}.matricula", world.suffix());
    value(&session, &format!("UPDATE {table} SET nombre = 'Nadie', nota = 7; INSERT INTO {matricula} VALUES (1, 2)"))
        .await;
    assert!(pending(&world).await.is_empty());

    let restored = restore(&world, &id, json!({ "inPlace": true, "wait": true })).await.is(200);
    let job = &restored["job"];
    assert_eq!((&job["status"], &job["schemas"]), (&json!("completed"), &json!([world.schema])), "{restored:#}");
    assert!(job["stage"].is_null() && job["into"].is_null(), "{restored:#}");
    assert_eq!(names(&session, &world).await, "Ana,Luis,Eva");
    agrees(&world).await;
    assert_eq!(pending(&world).await, ["/20260201000000"], "what came later is taken back, and can be applied again");
    world.post("/api/migrations/run", json!({ "wait": true })).await.is(200);
    assert_eq!(value(&session, &format!("SELECT count(*) FROM {table} WHERE nota IS NULL")).await, "3");
    agrees(&world).await;
    // The keys of others lead to what was restored, and migrations may still do what their service may.
    let refused = session.batch(&format!("INSERT INTO {matricula} VALUES (2, 99)")).await.expect_err("a key");
    assert_eq!(refused.sqlstate(), Some("23503"));
    let told = world.get("/api/audit?command=RESTORE").await.is(200);
    let [entry] = told["entries"].as_array().expect("a list").as_slice() else { panic!("{told:#}") };
    assert_eq!((&entry["event"], &entry["runId"]), (&json!("restore"), &job["restoreId"]), "{entry:#}");
    assert_eq!(entry["objects"][0]["identity"], world.schema, "{entry:#}");
    assert!(entry["context"].as_str().is_some_and(|text| text.contains(&id) && text.contains("local")), "{entry:#}");

    // What was there before can be had again, and who did what is kept.
    let safety = job["safetyBackup"].as_str().expect("one was made");
    let before = world.get(&format!("/api/backup/{safety}")).await.is(200);
    assert_eq!((&before["status"], &before["retentionDays"]), (&json!("ready"), &json!(30)), "{before:#}");
    assert_eq!(before["services"], json!(["alumnos-service"]));
    assert!(before["description"].as_str().is_some_and(|text| text.contains(&id)), "{before:#}");
    let kept = &world.get(&format!("/api/backup/{id}")).await.is(200)["restores"][0];
    for (member, value) in [
        ("kind", json!("in_place")),
        ("status", json!("completed")),
        ("actor", json!("local")),
        ("environment", json!("development")),
        ("database", json!(format!("dev{}", world.suffix()))),
        ("schemas", json!([world.schema])),
        ("safetyBackup", json!(safety)),
        ("restoreId", job["restoreId"].clone()),
    ] {
        assert_eq!(kept[member], value, "{member}: {kept:#}");
    }
    let back = world
        .post("/api/schemas/restore", json!({ "backupId": safety, "confirm": safety, "inPlace": true, "wait": true }));
    back.await.is(200);
    assert_eq!(names(&session, &world).await, "Nadie,Nadie,Nadie");
    assert!(pending(&world).await.is_empty());
    agrees(&world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_speaks_against_it_has_a_code_of_its_own_and_changes_nothing() {
    let (world, session) = filled().await;
    let id = backup(&world, json!({ "service": "alumnos-service" })).await;
    let in_place = json!({ "inPlace": true, "wait": true });
    let path = format!("/api/backup/restore/{id}");
    world.post(&path, json!({ "inPlace": true })).await.is_problem(428, "confirmation_required");
    world
        .post(&path, json!({ "inPlace": true, "confirm": "development" }))
        .await
        .is_problem(428, "confirmation_required");
    for body in [json!({ "inPlace": true, "into": "otra" }), json!({ "inPlace": true, "tables": ["a.b"] })] {
        restore(&world, &id, body).await.is_problem(422, "invalid_request");
    }
    // Whoever has chosen no table has not chosen all of them.
    let none = restore(&world, &id, json!({ "tables": [] })).await.is_problem(422, "invalid_request");
    assert_eq!(none["detail"], "the list of tables is empty");
    let unknown = restore(&world, &id, json!({ "tables": [format!("{}.alunmo", world.schema)] })).await;
    let unknown = unknown.is_problem(404, "unknown_table");
    assert!(
        unknown["cure"].as_str().is_some_and(|cure| cure.contains(&format!("{}.alumno", world.schema))),
        "{unknown:#}"
    );
    restore(&world, &id, json!({ "inPlace": true, "environment": "staging" }))
        .await
        .is_problem(409, "environment_unconfigured");
    restore(&world, &id, json!({ "inPlace": true, "environment": "production" }))
        .await
        .is_problem(409, "database_not_created");

    let other = admin(&format!("dev{}", world.suffix())).await;
    let (a, b) = migration_engine::RUN_LOCK;
    value(&other, &format!("SELECT pg_advisory_lock({a}, {b})")).await;
    let refused = restore(&world, &id, in_place.clone()).await;
    refused.is_problem(409, "busy");
    assert!(refused.header("retry-after").is_some(), "{refused:?}");
    value(&other, "SELECT pg_advisory_unlock_all()").await;
    let view = format!("CREATE VIEW cursos{}.vista AS SELECT nombre FROM {}.alumno", world.suffix(), world.schema);
    value(&session, &view).await;
    let refused = restore(&world, &id, in_place.clone()).await.is_problem(409, "restore_bound");
    assert!(refused["detail"].as_str().is_some_and(|text| text.contains("vista")), "{refused:#}");
    value(&session, &format!("DROP VIEW cursos{}.vista", world.suffix())).await;
    assert_eq!(listed(&world).await, 1, "nothing was backed up for what cannot be");

    value(&session, "CREATE TABLE public.suelta AS SELECT 1 AS a").await;
    let whole = backup(&world, json!({})).await;
    let refused = restore(&world, &whole, in_place.clone()).await.is_problem(409, "restore_not_in_place");
    assert!(refused["detail"].as_str().is_some_and(|text| text.contains("public.suelta")), "{refused:#}");
    value(&session, "DROP TABLE public.suelta").await;

    let (table, matricula) = (format!("{}.alumno", world.schema), format!("cursos{}.matricula", world.suffix()));
    value(&session, &format!("INSERT INTO {table} VALUES (9, 'Sol'); INSERT INTO {matricula} VALUES (1, 9)")).await;
    let refused = restore(&world, &id, in_place.clone()).await.is_problem(409, "restore_would_break");
    assert!(refused["detail"].as_str().is_some_and(|text| text.contains("(9)")), "{refused:#}");
    value(&session, &format!("DELETE FROM {matricula}")).await;
    // Whoever reads lets it be backed up and keeps it from being swapped.
    value(&other, &format!("BEGIN; SELECT count(*) FROM {table}")).await;
    let refused = restore(&world, &id, in_place.clone()).await.is_problem(409, "schemas_in_use");
    assert_eq!(refused["backup"]["restores"][0]["error"]["code"], "schemas_in_use", "{refused:#}");
    value(&other, "ROLLBACK").await;

    assert_eq!(names(&session, &world).await, "Ana,Luis,Eva,Sol");
    let left = "SELECT string_agg(nspname, ',') FROM pg_namespace WHERE nspname LIKE '%\\_profe\\_%'";
    assert_eq!(value(&session, left).await, "");
    let foreign = world.get("/api/audit?viaService=false").await.is(200);
    let what: Vec<&Value> =
        foreign["entries"].as_array().expect("a list").iter().map(|entry| &entry["command"]).collect();
    assert_eq!(what, ["DROP TABLE", "CREATE TABLE AS", "DROP VIEW", "CREATE VIEW"], "all of it the superuser's own");
    let restores = world.get(&format!("/api/backup/{id}")).await.is(200)["restores"].clone();
    let ends: Vec<&Value> = restores.as_array().expect("a list").iter().map(|one| &one["status"]).collect();
    assert_eq!(ends, ["failed", "failed"], "what was refused beforehand is no restore: {restores:#}");
    restore(&world, &id, in_place).await.is(200);
    assert_eq!(names(&session, &world).await, "Ana,Luis,Eva");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_its_safety_backup_nothing_is_restored() {
    let (world, session) = filled().await;
    let id = backup(&world, json!({ "service": "alumnos-service" })).await;
    value(&session, &format!("INSERT INTO {}.alumno VALUES (9, 'Sol')", world.schema)).await;
    // Whoever holds this keeps the dump waiting.
    let holder = admin(&format!("dev{}", world.suffix())).await;
    value(&holder, &format!("BEGIN; LOCK TABLE {}.alumno", world.schema)).await;
    let begun = restore(&world, &id, json!({ "inPlace": true })).await.is(202);
    assert_eq!(begun["job"]["stage"], "safety_backup", "{begun:#}");
    let dump = waiting(&session, DUMP).await;
    value(&session, &format!("SELECT pg_terminate_backend({dump})")).await;
    let path = format!("/api/backup/{id}");
    let failed = until(&world, &path, |backup| backup["job"]["status"] != "running").await;
    assert_eq!((&failed["job"]["status"], &failed["restores"][0]["status"]), (&json!("failed"), &json!("failed")));
    let error = &failed["job"]["error"];
    assert_eq!(error["code"], "backup_failed", "{failed:#}");
    assert!(error["message"].as_str().is_some_and(|text| text.contains("so nothing was restored")), "{failed:#}");

    // Cancelled, it takes its safety backup along.
    restore(&world, &id, json!({ "inPlace": true })).await.is(202);
    waiting(&session, DUMP).await;
    world.post(&format!("{path}/cancel"), json!({})).await.is(202);
    let cancelled = until(&world, &path, |backup| backup["job"]["status"] != "running").await;
    assert_eq!(cancelled["restores"][0]["status"], "cancelled", "{cancelled:#}");
    value(&holder, "ROLLBACK").await;
    assert_eq!(names(&session, &world).await, "Ana,Luis,Eva,Sol");
    assert_eq!(listed(&world).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_restores_at_once_and_a_run_meanwhile() {
    let (world, session) = filled().await;
    let (one, two) = (backup(&world, json!({ "service": "alumnos-service" })).await, backup(&world, json!({})).await);
    value(&session, &format!("INSERT INTO {}.alumno VALUES (9, 'Sol')", world.schema)).await;
    let holder = admin(&format!("dev{}", world.suffix())).await;
    value(&holder, &format!("BEGIN; LOCK TABLE {}.alumno", world.schema)).await;
    restore(&world, &one, json!({ "inPlace": true })).await.is(202);
    waiting(&session, DUMP).await;
    restore(&world, &one, json!({ "inPlace": true })).await.is_problem(409, "busy");
    restore(&world, &two, json!({ "inPlace": true })).await.is_problem(409, "busy");
    restore(&world, &two, json!({ "tables": [format!("{}.alumno", world.schema)] })).await.is_problem(409, "busy");
    restore(&world, &one, json!({})).await.is_problem(409, "backup_busy");
    add_migration(
        &world,
        "add_nota",
        "ALTER TABLE {}.alumno ADD COLUMN nota int;",
        "ALTER TABLE {}.alumno DROP COLUMN nota;",
    );
    let refused = world.post("/api/migrations/run", json!({ "wait": true })).await.is_problem(409, "busy");
    assert!(refused["detail"].as_str().is_some_and(|text| text.contains("profe restore by local")), "{refused:#}");
    value(&holder, "ROLLBACK").await;
    let done = until(&world, &format!("/api/backup/{one}"), |backup| backup["job"]["status"] != "running").await;
    assert_eq!(done["job"]["status"], "completed", "{done:#}");
    assert_eq!(names(&session, &world).await, "Ana,Luis,Eva");
    agrees(&world).await;

    // The other way round: a run that waits for somebody keeps the restore away.
    value(&holder, &format!("BEGIN; SELECT count(*) FROM {}.alumno", world.schema)).await;
    let run = world.post("/api/migrations/run", json!({})).await.is(202);
    waiting(&session, "profe migrate").await;
    restore(&world, &one, json!({ "inPlace": true })).await.is_problem(409, "busy");
    value(&holder, "ROLLBACK").await;
    let run = run["migrationId"].as_str().expect("an id").to_owned();
    let run = until(&world, &format!("/api/migrations/runs/{run}"), |run| run["status"] != "running").await;
    assert_eq!(run["status"], "completed", "{run:#}");
    assert!(pending(&world).await.is_empty());
    agrees(&world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn single_tables_come_back_beside_the_live_ones() {
    let (world, session) = filled().await;
    let id = backup(&world, json!({ "service": "alumnos-service" })).await;
    let table = format!("{}.alumno", world.schema);
    value(&session, &format!("DELETE FROM {table} WHERE id = 2")).await;
    for (name, status, code) in [
        (format!("{}.nadie", world.schema), 404, "unknown_table"),
        (format!("cursos{}.matricula", world.suffix()), 404, "unknown_table"),
        ("alumno".to_owned(), 422, "invalid_request"),
        (".".to_owned(), 422, "invalid_request"),
    ] {
        restore(&world, &id, json!({ "tables": [name], "wait": true })).await.is_problem(status, code);
    }
    world
        .post(&format!("/api/backup/restore/{id}"), json!({ "tables": [table] }))
        .await
        .is_problem(428, "confirmation_required");

    let restored = restore(&world, &id, json!({ "tables": [table], "wait": true })).await.is(200);
    let [one] = restored["job"]["tables"].as_array().expect("a list").as_slice() else { panic!("{restored:#}") };
    let beside = one["restoredAs"].as_str().expect("a name");
    assert!(one["table"] == table && beside.starts_with(&format!("{table}_restored_")), "{restored:#}");
    let all = |table: &str| format!("SELECT string_agg(nombre, ',' ORDER BY id) FROM {table}");
    assert_eq!(value(&session, &all(beside)).await, "Ana,Luis,Eva");
    assert_eq!(names(&session, &world).await, "Ana,Eva", "the live one is not touched");
    let restores = &world.get(&format!("/api/backup/{id}")).await.is(200)["restores"];
    assert_eq!((&restores[0]["kind"], &restores[0]["tables"]), (&json!("tables"), &json!([beside])), "{restores:#}");
    assert!(restores[0]["safetyBackup"].is_null(), "{restores:#}");
    assert!(restores[1].is_null(), "what was refused beforehand is no restore: {restores:#}");
    // It is on record, and a table that no migration makes.
    let told = world.get("/api/audit?command=RESTORE").await.is(200);
    assert_eq!(told["entries"][0]["objects"][0]["identity"], beside, "{told:#}");
    assert_eq!(world.get("/api/audit?viaService=false").await.is(200)["entries"], json!([]));
    let drift = world.post("/api/drift/check", json!({})).await.is(200);
    assert_eq!(drift["agrees"], false, "{drift:#}");
    value(&session, &format!("DROP TABLE {beside}")).await;
    assert_eq!(world.post("/api/drift/check", json!({})).await.is(200)["agrees"], true);
}

#[tokio::test(flavor = "multi_thread")]
async fn restores_are_on_record_whatever_became_of_them() {
    let (world, session) = filled().await;
    let id = backup(&world, json!({ "service": "alumnos-service" })).await;
    let into = format!("otra{}", world.suffix());
    restore(&world, &id, json!({ "into": into, "wait": true })).await.is(200);
    restore(&world, &id, json!({ "into": into, "wait": true })).await.is_problem(409, "database_exists");
    value(&session, &format!("DROP DATABASE {into} WITH (FORCE)")).await;
    let gone = "INSERT INTO migration_service.restore (id, backup, storage, environment, kind, database, state, actor, started_at, host, \
                boot_id, pid, process_start) SELECT 'ffffffff-0000-7000-8000-000000000000', id, storage, environment, 'in_place', 'dev', 'running', \
                'local', now(), host, 'another boot', 1, 1 FROM migration_service.backup";
    value(&admin(&format!("master{}", world.suffix())).await, gone).await;
    let backup = world.get(&format!("/api/backup/{id}")).await.is(200);
    let restores: Vec<(&Value, &Value, &Value)> = backup["restores"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|one| (&one["kind"], &one["status"], &one["error"]["code"]))
        .collect();
    assert_eq!(
        restores,
        [
            (&json!("in_place"), &json!("interrupted"), &json!("interrupted")),
            (&json!("new"), &json!("failed"), &json!("database_exists")),
            (&json!("new"), &json!("completed"), &json!(null)),
        ]
    );
    assert!(backup["job"]["restoreId"] == backup["restores"][1]["restoreId"], "{backup:#}");
    assert!(world.get("/api/backup/list").await.is(200)["backups"][0]["restores"].is_null());
}

#[tokio::test(flavor = "multi_thread")]
async fn it_takes_the_scope_to_restore_and_the_services() {
    let (world, session) = filled().await;
    let (own, all) = (backup(&world, json!({ "service": "alumnos-service" })).await, backup(&world, json!({})).await);
    value(&session, &format!("INSERT INTO {}.alumno VALUES (9, 'Sol')", world.schema)).await;
    let restorer = world.token(&["restore"], &["alumnos-service"]).await;
    let makers = world.token(&["backup", "read", "migrate", "rollback", "admin"], &[]).await;
    let send = async |token: &str, id: &str, body: Value| {
        let request = world.request(Method::POST, &format!("/api/backup/restore/{id}")).bearer_auth(token);
        Answer::of(request.json(&body)).await
    };
    send(&makers, &own, json!({ "inPlace": true, "confirm": own })).await.is_problem(403, "insufficient_scope");
    send(&restorer, &all, json!({ "inPlace": true, "confirm": all })).await.is_problem(403, "service_not_allowed");
    assert_eq!(names(&session, &world).await, "Ana,Luis,Eva,Sol");
    send(&restorer, &own, json!({ "inPlace": true, "confirm": own, "wait": true })).await.is(200);
    assert_eq!(names(&session, &world).await, "Ana,Luis,Eva");
}
