//! When backups are made by themselves, what they cover, and which of them are deleted.

use std::fs::File;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use db_migrations_service::operations::{Fired, Operations, Recording};
use db_migrations_service::settings::Settings;
use reqwest::Method;
use serde_json::{Value, json};
use time::OffsetDateTime;

use crate::world::{Answer, Setup, World, admin, backups, world, world_with};

/// The catalogue of the world, with settings for the backups of its environments.
fn catalogue(development: &str, production: &str) -> Setup {
    let text = format!(
        r#"
        [project]
        name = "escuela"
        default_environment = "development"
        [environments.development]
        url_variable = "DEVELOPMENT_URL"
        database = "dev{{s}}"
        {development}
        [environments.production]
        url_variable = "PRODUCTION_URL"
        database = "prod{{s}}"
        protected = true
        gates = []
        {production}
        [services.alumnos-service]
        schemas = ["alumnos{{s}}"]
        [services.cursos-service]
        schemas = ["cursos{{s}}"]
        references = ["alumnos{{s}}"]
        "#
    );
    Setup { files: vec![("config/services.toml", text.leak())], ..Setup::default() }
}

/// Production with its first migration and three pupils; two migrations are pending.
async fn begun(world: World) -> World {
    let first = json!({ "environment": "production", "to": first(&world), "wait": true });
    let run = world.post("/api/migrations/run", first).await.is(200);
    assert_eq!((&run["backupId"], &run["backupOrigin"]), (&Value::Null, &Value::Null), "nothing was there: {run}");
    world.post("/api/seeds/run", json!({ "environment": "production", "wait": true })).await.is(200);
    world
}

fn first(world: &World) -> String {
    format!("{}/20260101000001", world.schema)
}

fn run() -> Value {
    json!({ "environment": "production", "wait": true })
}

fn rollback(steps: u32) -> Value {
    json!({ "environment": "production", "steps": steps, "confirm": "production", "wait": true })
}

fn with(mut body: Value, member: &str, value: Value) -> Value {
    body[member] = value;
    body
}

async fn applied(world: &World) -> Value {
    world.get("/api/migrations/history?environment=production").await.is(200)["total"].clone()
}

async fn list(world: &World, query: &str) -> Vec<Value> {
    let body = world.get(&format!("/api/backup/list{query}")).await.is(200);
    body["backups"].as_array().expect("a list").clone()
}

async fn get(world: &World, id: &Value) -> Value {
    world.get(&format!("/api/backup/{}", id.as_str().expect("an id"))).await.is(200)
}

async fn made(world: &World, body: Value) -> Value {
    let backup = world.post("/api/backup/create", with(body, "wait", json!(true))).await.is(200);
    backup["backupId"].clone()
}

async fn verify(world: &World, id: &Value) {
    let path = format!("/api/backup/{}/verify", id.as_str().expect("an id"));
    let backup = world.post(&path, json!({ "wait": true })).await.is(200);
    assert_eq!(backup["verification"]["status"], "verified", "{backup}");
}

/// The types of a run's events, in order.
async fn events(world: &World, run: &Value) -> Vec<String> {
    let id = run["migrationId"].as_str().expect("an id");
    let answer = world.get(&format!("/api/migrations/runs/{id}/events")).await;
    let data = answer.text.lines().filter_map(|line| line.strip_prefix("data:"));
    data.filter_map(|data| serde_json::from_str::<Value>(data).ok()?["type"].as_str().map(str::to_owned)).collect()
}

fn storage(world: &World) -> PathBuf {
    world.project.path().join("backups")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_protected_environment_is_backed_up_before_a_run_and_a_rollback_names_that_backup() {
    let world = begun(world().await).await;
    let dry = world.post("/api/migrations/run", with(run(), "dryRun", json!(true))).await.is(200);
    assert_eq!(dry["backupId"], Value::Null, "{dry}");
    assert_eq!(list(&world, "").await.len(), 0, "nothing of a dry run stays");

    let ran = world.post("/api/migrations/run", run()).await.is(200);
    assert_eq!((&ran["backupOrigin"], &ran["migrationsApplied"]), (&json!("made"), &json!(2)), "{ran}");
    let backup = get(&world, &ran["backupId"]).await;
    assert_eq!(backup["services"], json!(["alumnos-service", "cursos-service"]), "what the run touches: {backup}");
    assert_eq!(
        (&backup["description"], &backup["verification"]["status"]),
        (&json!("before a run"), &json!("verified"))
    );
    assert_eq!(backup["migration"], first(&world), "as it was before: {backup}");
    let events = events(&world, &ran).await;
    let before = ["backing_up", "verifying_backup", "backed_up", "planned"];
    assert_eq!(events[..4], before, "the backup is over before the run begins");
    let id = ran["migrationId"].as_str().expect("an id");
    let master = admin(&format!("master{}", world.suffix())).await;
    let kept = format!("SELECT backup_id, backup_origin FROM migration_service.run WHERE id = '{id}'");
    let kept = master.batch(&kept).await.expect("a table");
    assert_eq!((kept.value(0, 0), kept.value(0, 1)), (ran["backupId"].as_str(), Some("made")));
    let nothing = world.post("/api/migrations/run", run()).await.is(200);
    assert_eq!((&nothing["backupId"], list(&world, "").await.len()), (&Value::Null, 1), "{nothing}");

    // All three: two of them have a backup of before.
    let dry = world.post("/api/migrations/rollback", with(rollback(3), "dryRun", json!(true))).await.is(200);
    let offer = json!([{
        "backupId": ran["backupId"],
        "migrations": [dry["migrations"][0], dry["migrations"][1]],
        "command": format!("profe backup restore {} --in-place", ran["backupId"].as_str().expect("an id")),
    }]);
    assert_eq!(dry["backups"], offer, "{dry}");
    let back = world.post("/api/migrations/rollback", rollback(1)).await.is(200);
    assert_eq!(back["backups"][0]["backupId"], ran["backupId"], "{back}");
    assert_ne!(back["backupId"], ran["backupId"], "it has one of its own");
    assert_eq!(get(&world, &back["backupId"]).await["description"], "before a rollback");

    let service = "/api/migrations/service/alumnos-service/run";
    let again = world.post(service, run()).await.is(200);
    assert_eq!(again["backupOrigin"], "made", "{again}");
    assert_eq!(list(&world, "?environment=development").await.len(), 0, "others ask for none");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_storage_nothing_is_applied_unless_an_administrator_says_why() {
    let nowhere = vec![("MIGRATION_SERVICE_BACKUP_STORAGE", "/proc/nowhere/backups".to_owned())];
    let world = begun(world_with(Setup { variables: nowhere, ..catalogue("", "") }).await).await;
    for (path, body) in [
        ("/api/migrations/run", run()),
        ("/api/migrations/run", json!({ "environment": "production" })),
        ("/api/migrations/service/alumnos-service/run", run()),
        ("/api/migrations/rollback", rollback(1)),
    ] {
        let refused = world.post(path, body).await.is_problem(409, "backup_required");
        assert!(!refused.to_string().contains("nowhere"), "{refused}");
        let cure = refused["cure"].as_str().expect("a cure");
        assert!(cure.contains("MIGRATION_SERVICE_BACKUP_STORAGE") && cure.contains("--no-backup"), "{cure}");
    }
    assert_eq!(applied(&world).await, 1);

    let order = |body: Value, reason: &str| with(body, "override", json!([{ "gate": "backup", "reason": reason }]));
    world.post("/api/migrations/run", order(run(), " ")).await.is_problem(422, "invalid_request");
    let other = with(rollback(1), "override", json!([{ "gate": "hazards", "reason": "de noche" }]));
    world.post("/api/migrations/rollback", other).await.is_problem(422, "invalid_request");
    let token = world.token(&["migrate", "rollback"], &[]).await;
    for (path, body) in [("/api/migrations/run", run()), ("/api/migrations/rollback", rollback(1))] {
        let request = world.request(Method::POST, path).bearer_auth(&token).json(&order(body, "de noche"));
        Answer::of(request).await.is_problem(403, "insufficient_scope");
    }
    let ran = world.post("/api/migrations/run", order(run(), "the storage moves tonight")).await.is(200);
    assert_eq!((&ran["backupOrigin"], &ran["backupId"]), (&json!("waived"), &Value::Null), "{ran}");
    world.post("/api/migrations/rollback", order(rollback(1), "a second time")).await.is(200);
    let target = admin(&format!("prod{}", world.suffix())).await;
    let kept = "SELECT string_agg(concat_ws(' ', gate, reason, by_whom), ', ' ORDER BY at) FROM migration_service.gate_override";
    let kept = target.batch(kept).await.expect("a table");
    assert_eq!(kept.value(0, 0), Some("backup the storage moves tonight local, backup a second time local"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_that_fails_or_cannot_be_restored_refuses_the_run() {
    let world = begun(world_with(catalogue("", "")).await).await;
    let target = admin(&format!("prod{}", world.suffix())).await;
    // Only here a row is good.
    let bound = format!(
        "ALTER TABLE {}.alumno ADD CONSTRAINT here CHECK (current_database() = 'prod{}')",
        world.schema,
        world.suffix()
    );
    target.batch(&bound).await.expect("a superuser may");
    let refused = world.post("/api/migrations/run", run()).await.is_problem(409, "backup_required");
    assert!(refused["detail"].as_str().is_some_and(|text| text.contains("cannot be restored")), "{refused}");
    assert_eq!((&refused["run"]["status"], &refused["run"]["backups"]), (&json!("failed"), &Value::Null), "{refused}");
    assert_eq!(events(&world, &refused["run"]).await, ["backing_up", "verifying_backup", "finished"]);
    assert_eq!(list(&world, "?status=damaged").await.len(), 1, "it is listed as what it is");
    target.batch(&format!("ALTER TABLE {}.alumno DROP CONSTRAINT here", world.schema)).await.expect("it is there");

    // The storage goes away while the service runs.
    std::fs::remove_dir_all(storage(&world)).expect("a folder");
    std::fs::write(storage(&world), "").expect("a file");
    let refused = world.post("/api/migrations/run", run()).await.is_problem(409, "backup_required");
    assert_eq!(refused["run"]["status"], "failed", "it was under way: {refused}");
    std::fs::remove_file(storage(&world)).expect("our own file");
    assert_eq!(applied(&world).await, 1);
    world.post("/api/migrations/run", run()).await.is(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn cancelling_a_run_cancels_its_backup() {
    let world = begun(world_with(catalogue("", "")).await).await;
    // Whoever holds this keeps the dump waiting.
    let holder = admin(&format!("prod{}", world.suffix())).await;
    holder.batch(&format!("BEGIN; LOCK TABLE {}.alumno", world.schema)).await.expect("nobody else has it");
    let started = world.post("/api/migrations/run", json!({ "environment": "production" })).await.is(202);
    assert_eq!((&started["status"], &started["backupOrigin"]), (&json!("running"), &json!("made")), "{started}");
    assert_eq!(get(&world, &started["backupId"]).await["status"], "running");
    // The lock is held meanwhile, so the plan still fits when the backup is made.
    world.post("/api/migrations/run", run()).await.is_problem(409, "busy");
    let id = started["migrationId"].as_str().expect("an id");
    world.request(Method::POST, &format!("/api/migrations/runs/{id}/cancel")).send().await.expect("an answer");
    let live = world.operations.live_run(id.parse().expect("an id")).expect("it was just started");
    live.finished().await;
    holder.batch("ROLLBACK").await.expect("a transaction");
    let run = world.get(&format!("/api/migrations/runs/{id}")).await.is(200);
    assert_eq!((&run["status"], &run["code"]), (&json!("cancelled"), &json!("cancelled")), "{run}");
    assert_eq!(get(&world, &started["backupId"]).await["status"], "cancelled");
    assert_eq!(applied(&world).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fresh_verified_backup_does_until_a_schema_changes() {
    let settings = "backup = { fresh_for_minutes = 60, verify = false }";
    let world = begun(world_with(catalogue("", settings)).await).await;
    let wanted = json!({ "environment": "production" });
    let narrow = made(&world, with(wanted.clone(), "service", json!("cursos-service"))).await;
    let whole = made(&world, wanted.clone()).await;
    verify(&world, &narrow).await;
    let second = with(run(), "to", json!(format!("{}/20260102000000", world.schema)));
    let ran = world.post("/api/migrations/run", second.clone()).await.is(200);
    assert_eq!(ran["backupOrigin"], "made", "one is of too little, the other is not verified: {ran}");
    world.post("/api/migrations/rollback", rollback(1)).await.is(200);

    // Forth and back again: the definitions are the same, but the history says that they were not.
    verify(&world, &whole).await;
    let ran = world.post("/api/migrations/run", second).await.is(200);
    assert_eq!(ran["backupOrigin"], "made", "{ran}");
    let again = made(&world, wanted).await;
    verify(&world, &again).await;
    let back = world.post("/api/migrations/rollback", rollback(1)).await.is(200);
    assert_eq!((&back["backupOrigin"], &back["backupId"]), (&json!("accepted"), &again), "{back}");
    assert_eq!(back["backups"][0]["backupId"], ran["backupId"], "of before what it takes back: {back}");
    let events = events(&world, &back).await;
    assert_eq!(events[..2], ["backed_up", "planned"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_is_verified_where_the_environment_says_so() {
    let world = begun(world_with(catalogue("", "backup = { before_run = false }")).await).await;
    let ran = world.post("/api/migrations/run", run()).await.is(200);
    assert_eq!(ran["backupOrigin"], Value::Null, "it said so: {ran}");
    world.post("/api/migrations/run", json!({ "wait": true })).await.is(200);
    let unverified = made(&world, json!({})).await;
    let id = made(&world, json!({ "environment": "production" })).await;
    // Made, and then verified: the one job follows the other.
    let verified = async {
        loop {
            let job = world.operations.backup_job(id.as_str().expect("an id")).expect("it was just made");
            job.finished().await.expect("a good backup");
            let backup = get(&world, &id).await;
            if backup["verification"]["status"] != "unverified" {
                return backup;
            }
        }
    };
    let backup = tokio::time::timeout(Duration::from_mins(2), verified).await.expect("it is verified by itself");
    assert_eq!(backup["verification"]["status"], "verified", "{backup}");
    assert_eq!(get(&world, &unverified).await["verification"]["status"], "unverified");
}

/// Another copy of the service: the same project, targets, master database and storage.
fn replica(world: &World) -> Operations {
    let other =
        Operations::new(world.operations.project().clone(), world.operations.targets().clone(), Recording::First);
    other.keep_backups_in(backups(&Settings::default(), world.project.path()));
    other
}

async fn settled(fired: Vec<Fired>) -> Vec<Option<String>> {
    let mut ids = Vec::new();
    for one in fired {
        ids.push(one.backup.ok().map(|job| job.id().to_owned()));
        one.settled.await.expect("no panic");
    }
    ids
}

#[tokio::test(flavor = "multi_thread")]
async fn a_schedule_fires_once_whoever_looks_at_the_clock() {
    let now = OffsetDateTime::now_utc();
    // Far from now: the service under test looks at the real clock, and shall find nothing due.
    let cron = format!("{} {} * * *", now.minute(), (now.hour() + 12) % 24);
    let settings = format!(
        "backup = {{ keep_count = 1, verify = true, schedules = [{{ cron = \"{cron}\", services = [\"alumnos-service\"] }}] }}"
    );
    let world = world_with(catalogue(&settings, "")).await;
    world.post("/api/migrations/run", json!({ "wait": true })).await.is(200);
    let (one, other) = (&world.operations, replica(&world));
    assert!(one.fire_due(now).await.is_empty(), "nothing was missed before the schedule was known");

    let due = now + Duration::from_hours(12);
    let (a, b) = tokio::join!(one.fire_due(due), other.fire_due(due));
    let ids = settled(a.into_iter().chain(b).collect()).await;
    let [Some(id)] = ids.as_slice() else { panic!("one of them: {ids:?}") };
    let backup = get(&world, &json!(id)).await;
    assert_eq!((&backup["service"], &backup["madeBy"]), (&json!("alumnos-service"), &json!("system:schedule")));
    assert_eq!(backup["verification"]["status"], "verified", "{backup}");
    let minute = Duration::from_mins(1);
    assert!(one.fire_due(due + minute).await.is_empty() && other.fire_due(due + 2 * minute).await.is_empty());

    // Nobody ran when the next was due: it is made up for, once. What was due longer ago is not.
    let day = Duration::from_hours(24);
    let late = due + day + Duration::from_hours(5);
    assert_eq!(settled(other.fire_due(late).await).await.len(), 1);
    assert!(one.fire_due(late + minute).await.is_empty());
    let backups = list(&world, "").await;
    assert!(backups.len() == 1 && backups[0]["backupId"] != json!(id), "the older one was pruned: {backups:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scheduled_backup_that_fails_is_tried_again() {
    let now = OffsetDateTime::now_utc();
    let cron = format!("{} {} * * *", now.minute(), (now.hour() + 12) % 24);
    let world = world_with(catalogue(&format!("backup = {{ schedules = [{{ cron = \"{cron}\" }}] }}"), "")).await;
    world.post("/api/migrations/run", json!({ "wait": true })).await.is(200);
    let (operations, due) = (&world.operations, now + Duration::from_hours(12));
    assert!(operations.fire_due(now).await.is_empty());
    std::fs::write(storage(&world), "no folder").expect("a file");
    assert_eq!(settled(operations.fire_due(due).await).await, [None]);
    std::fs::remove_file(storage(&world)).expect("our own file");
    let minute = Duration::from_mins(1);
    assert!(operations.fire_due(due + 9 * minute).await.is_empty(), "not at once");
    let ids = settled(operations.fire_due(due + 11 * minute).await).await;
    assert!(matches!(ids.as_slice(), [Some(_)]), "{ids:?}");
    assert!(operations.fire_due(due + 30 * minute).await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn pruning_keeps_what_a_rule_keeps_and_the_last_verified_one() {
    let world = world_with(catalogue("backup = { keep_count = 1 }", "")).await;
    world.post("/api/migrations/run", json!({ "wait": true })).await.is(200);
    let order = json!({ "service": "alumnos-service" });
    let proven = made(&world, order.clone()).await;
    verify(&world, &proven).await;
    // A name has the second that it was made in; only these two have to be told apart by it.
    let (one, other) = (made(&world, order.clone()).await, made(&world, order).await);
    let (dry, all) = (json!({ "dryRun": true }), json!({ "environment": "development", "confirm": "development" }));
    let look = world.post("/api/backup/prune", dry).await.is(200);
    let goes = look["deleted"][0]["backupId"].clone();
    assert!(goes == one || goes == other, "{look}");
    assert_eq!(look["deleted"].as_array().map(Vec::len), Some(1), "{look}");
    let why: Vec<&str> = look["kept"].as_array().expect("a list").iter().filter_map(|b| b["why"].as_str()).collect();
    assert_eq!(why, ["it is among the newest 1", "it is the last one that was verified"]);
    assert_eq!(list(&world, "").await.len(), 3, "nothing was done");

    for confirm in [json!(null), json!("all"), json!("production")] {
        let unsure = with(all.clone(), "confirm", confirm);
        world.post("/api/backup/prune", unsure).await.is_problem(428, "confirmation_required");
    }
    world.post("/api/backup/prune", json!({ "environment": "mars" })).await.is_problem(404, "unknown_environment");
    let left = |name: &str, age: Duration| {
        let folder = storage(&world).join(name);
        std::fs::create_dir_all(&folder).expect("a folder");
        let part = File::create(folder.join("data-1")).expect("a file");
        part.set_modified(SystemTime::now() - age).expect("our own file");
        folder
    };
    let hour = Duration::from_hours(1);
    let old = left("20200101-000000-muerto-abcdef", 30 * hour);
    let young = left("20200102-000000-vivo-abcdef", hour);
    let done = world.post("/api/backup/prune", all).await.is(200);
    assert_eq!((&done["deleted"][0]["backupId"], &done["sweptFolders"]), (&goes, &json!(1)), "{done}");
    assert!(!old.exists() && young.exists());
    assert_eq!(list(&world, "").await.len(), 2);
    let gone = get(&world, &goes).await;
    assert_eq!(gone["status"], "deleted", "{gone}");
    let master = admin(&format!("master{}", world.suffix())).await;
    let by = master.batch("SELECT deleted_by FROM migration_service.backup WHERE state = 'deleted'").await;
    assert_eq!(by.expect("a table").value(0, 0), Some("local"));
}
