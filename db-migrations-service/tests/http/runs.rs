//! Runs, rollbacks, status, history.

use insta::assert_snapshot;
use reqwest::Method;
use serde_json::json;

use crate::world::{Answer, Setup, World, admin, settled, world, world_with};

/// The two numbers of the engine's migration lock.
const LOCK: (i32, i32) = (0x5052_4f46, 1);

fn database(world: &World, environment: &str) -> String {
    format!("{environment}{}", world.suffix())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_of_all_forward_and_back() {
    let world = world().await;
    let body = world.post("/api/migrations/run", json!({ "wait": true })).await.is(200);
    assert_snapshot!(format!("{:#}", settled(body, world.suffix())), @r#"
    {
      "actor": "local",
      "backupId": null,
      "backupOrigin": null,
      "done": [
        "alumnos/20260101000001",
        "cursos/20260101000001",
        "alumnos/20260102000000"
      ],
      "dryRun": false,
      "environment": "development",
      "estimatedTime": 0,
      "finishedAt": "<time>",
      "kind": "run",
      "migrationId": "<id>",
      "migrations": [
        "alumnos/20260101000001",
        "cursos/20260101000001",
        "alumnos/20260102000000"
      ],
      "migrationsApplied": 3,
      "migrationsRolledBack": 0,
      "notes": [],
      "requestId": "<id>",
      "service": null,
      "startedAt": "<time>",
      "status": "completed"
    }
    "#);

    let body = world.get("/api/migrations/status").await.is(200);
    assert_snapshot!(format!("{:#}", settled(body, world.suffix())), @r#"
    {
      "database": "dev",
      "environment": "development",
      "overallStatus": "healthy",
      "prepared": true,
      "protected": false,
      "serverVersionNum": "<number>",
      "services": [
        {
          "appliedMigrations": 2,
          "editedMigrations": 0,
          "failedMigrations": 0,
          "lastMigration": "alumnos/20260102000000_add_email",
          "lateMigrations": 0,
          "missingMigrations": 0,
          "name": "alumnos-service",
          "pendingMigrations": 0,
          "schemas": [
            "alumnos"
          ],
          "status": "up_to_date"
        },
        {
          "appliedMigrations": 1,
          "editedMigrations": 0,
          "failedMigrations": 0,
          "lastMigration": "cursos/20260101000001_create_matricula",
          "lateMigrations": 0,
          "missingMigrations": 0,
          "name": "cursos-service",
          "pendingMigrations": 0,
          "schemas": [
            "cursos"
          ],
          "status": "up_to_date"
        },
        {
          "appliedMigrations": 0,
          "editedMigrations": 0,
          "failedMigrations": 0,
          "lastMigration": null,
          "lateMigrations": 0,
          "missingMigrations": 0,
          "name": "nada-service",
          "pendingMigrations": 0,
          "schemas": [
            "nada"
          ],
          "status": "up_to_date"
        }
      ]
    }
    "#);

    let body = world.post("/api/migrations/run", json!({})).await.is(200);
    assert_eq!(
        (&body["status"], &body["migrationsApplied"]),
        (&"completed".into(), &0.into()),
        "nothing pending: {body}"
    );

    // The second service's table needs the first's.
    let back = json!({ "service": "alumnos-service", "to": "0", "wait": true });
    let body = world.post("/api/migrations/rollback", back).await.is_problem(409, "has_dependents");
    assert_eq!(body["related"], json!([format!("cursos{}/20260101000001", world.suffix())]), "{body}");

    let body = world.post("/api/migrations/rollback", json!({ "to": "0", "wait": true })).await.is(200);
    assert_eq!((&body["migrationsRolledBack"], &body["migrationsApplied"]), (&3.into(), &0.into()), "{body}");

    let body = world.get("/api/migrations/history?limit=2").await.is(200);
    assert_eq!((&body["total"], body["history"].as_array().map(Vec::len)), (&3.into(), Some(2)), "{body}");
    let next = body["next"].as_i64().expect("there is one more");
    let body = world.get(&format!("/api/migrations/history?limit=2&before={next}&withSql=true")).await.is(200);
    assert_eq!(body["history"].as_array().map(Vec::len), Some(1), "{body}");
    assert!(body["history"][0]["upSql"].as_str().is_some_and(|sql| sql.contains("CREATE TABLE")), "{body}");
    assert_eq!(body["history"][0]["appliedBy"], "local");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_service_brings_what_it_needs() {
    let world = world().await;
    let body = world.get("/api/migrations/plan?service=cursos-service&withSql=true").await.is(200);
    assert_eq!(body["total"], 2, "{body}");
    assert_eq!(body["migrations"][0]["prerequisite"], true, "{body}");
    assert!(body["migrations"][0]["sql"].is_string(), "{body}");

    let body = world.post("/api/migrations/service/cursos-service/run", json!({ "wait": true })).await.is(200);
    assert_eq!((&body["service"], &body["migrationsApplied"]), (&"cursos-service".into(), &2.into()), "{body}");
    let body = world.get("/api/migrations/service/alumnos-service/status").await.is(200);
    assert_eq!((&body["status"], &body["pendingMigrations"]), (&"pending".into(), &1.into()), "{body}");
    let body = world.get("/api/migrations/service/alumnos-service").await.is(200);
    assert_eq!(body["migrations"].as_array().map(Vec::len), Some(2), "{body}");
    let body = world
        .post("/api/migrations/service/cursos-service/rollback", json!({ "steps": 1, "wait": true }))
        .await
        .is(200);
    assert_eq!(body["migrationsRolledBack"], 1, "{body}");
    world
        .post("/api/migrations/service/cursos-service/run", json!({ "service": "alumnos-service" }))
        .await
        .is_problem(422, "invalid_request");
}

#[tokio::test(flavor = "multi_thread")]
async fn to_stops_there_and_a_dry_run_leaves_nothing() {
    let world = world().await;
    let body = world.post("/api/migrations/run", json!({ "dryRun": true, "wait": true })).await.is(200);
    assert_eq!((&body["migrationsApplied"], &body["dryRun"]), (&0.into(), &true.into()), "{body}");
    let body = world
        .post("/api/migrations/run", json!({ "service": "alumnos-service", "to": "20260101000001", "wait": true }))
        .await
        .is(200);
    assert_eq!(body["migrationsApplied"], 1, "{body}");
    let body = world.get("/api/migrations/status").await.is(200);
    assert_eq!(
        body["services"][0]["lastMigration"],
        format!("{}/20260101000001_create_alumno", world.schema),
        "{body}"
    );
    world.post("/api/migrations/run", json!({ "to": "20260101000001" })).await.is_problem(422, "invalid_request");
    world.post("/api/migrations/run", json!({ "to": "nobody/1" })).await.is_problem(404, "unknown_migration");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_migration_is_not_a_success() {
    let files = vec![
        ("migrations/alumnos{s}/20260103000000_divide.up.sql", "SELECT 1;\nSELECT 1/0;"),
        ("migrations/alumnos{s}/20260103000000_divide.down.sql", "SELECT 1;"),
    ];
    let world = world_with(Setup { files, ..Setup::default() }).await;
    let request = world
        .request(Method::POST, "/api/migrations/run")
        .header("Accept-Language", "en")
        .json(&json!({ "wait": true }));
    let answer = Answer::of(request).await;
    let body = answer.is_problem(422, "migration_failed");
    assert_eq!(body["message"], "The migration failed. What came before it stands.");
    let migration = format!("{}/20260103000000", world.schema);
    assert_eq!((&body["sql"]["sqlstate"], &body["migration"]), (&"22012".into(), &json!(migration)), "{body}");
    let file = format!("migrations/{migration}_divide.up.sql");
    assert_eq!((&body["location"]["file"], &body["location"]["line"]), (&json!(file), &2.into()), "{body}");
    assert!(body["location"]["column"].is_u64(), "{body}");
    // The run is in it whole, as it is told to whoever asks for it by its id.
    let id = body["migrationId"].as_str().expect("an id");
    assert_eq!(answer.header("location"), Some(format!("/api/migrations/runs/{id}").as_str()));
    let request = world.request(Method::GET, &format!("/api/migrations/runs/{id}")).header("Accept-Language", "en");
    let run = Answer::of(request).await.is(200);
    assert_eq!(body["run"], run);
    assert_eq!((&run["status"], &run["migrationsApplied"]), (&"failed".into(), &3.into()), "{run}");

    // Who does not wait learns of it from the run.
    let run = world.post("/api/migrations/run", json!({})).await.is(202);
    let id = run["migrationId"].as_str().expect("an id");
    world.operations.live_run(id.parse().expect("a UUID")).expect("it was just started").finished().await;
    let run = world.get(&format!("/api/migrations/runs/{id}")).await.is(200);
    assert_eq!((&run["status"], &run["code"]), (&"failed".into(), &"migration_failed".into()), "{run}");
    assert_eq!(run["error"]["sql"]["sqlstate"], "22012", "{run}");

    let body = world.get("/api/migrations/status").await.is(200);
    assert_eq!(
        (&body["overallStatus"], &body["services"][0]["status"]),
        (&"degraded".into(), &"failed".into()),
        "{body}"
    );
    let body = world.get("/api/migrations/runs?status=failed").await.is(200);
    assert_eq!((&body["total"], &body["runs"][0]["code"]), (&2.into(), &"migration_failed".into()), "{body}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_run_is_a_problem_for_who_waits() {
    let files = vec![
        ("migrations/nada{s}/1_slow.up.sql", "SELECT pg_sleep(600);"),
        ("migrations/nada{s}/1_slow.down.sql", "SELECT 1;"),
    ];
    let world = world_with(Setup { files, ..Setup::default() }).await;
    let body = json!({ "service": "nada-service", "wait": true });
    let waiting = tokio::spawn(Answer::of(world.request(Method::POST, "/api/migrations/run").json(&body)));
    let id = loop {
        let runs = world.get("/api/migrations/runs?status=running").await.is(200);
        if let Some(id) = runs["runs"][0]["migrationId"].as_str() {
            break id.to_owned();
        }
        tokio::task::yield_now().await;
    };
    world.post(&format!("/api/migrations/runs/{id}/cancel"), json!({})).await.is(202);
    let body = waiting.await.expect("an answer").is_problem(409, "cancelled");
    assert_eq!((&body["migrationId"], &body["run"]["status"]), (&json!(id), &"cancelled".into()), "{body}");
}

#[tokio::test(flavor = "multi_thread")]
async fn more_steps_back_than_are_applied_are_refused() {
    let world = world().await;
    let back = async |body| world.post("/api/migrations/rollback", body).await;
    // The environment's database is not there yet.
    let body = back(json!({ "steps": 1 })).await.is_problem(409, "database_not_created");
    assert!(body["detail"].as_str().is_some_and(|detail| detail.contains("\"development\"")), "{body}");
    world.post("/api/migrations/run", json!({ "wait": true })).await.is(200);
    for (body, detail) in [
        (json!({ "steps": 4, "wait": true }), "the number of steps is 4, and 3 migrations are applied"),
        (json!({ "steps": 4, "dryRun": true }), "the number of steps is 4, and 3 migrations are applied"),
        (
            json!({ "steps": 2, "service": "cursos-service" }),
            "the number of steps is 2, and 1 migration of cursos-service is applied",
        ),
        (
            json!({ "steps": 1, "service": "nada-service" }),
            "the number of steps is 1, and no migration of nada-service is applied",
        ),
    ] {
        assert_eq!(back(body).await.is_problem(409, "too_few_applied")["detail"], detail);
    }
    let body = world.get("/api/migrations/status").await.is(200);
    assert_eq!(body["overallStatus"], "healthy", "nothing was taken back: {body}");
    assert_eq!(back(json!({ "steps": 3, "wait": true })).await.is(200)["migrationsRolledBack"], 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_estimate_is_a_number_or_says_that_there_is_none() {
    let world = world().await;
    let folder = world.project.path().join(format!("migrations/nada{}", world.suffix()));
    std::fs::create_dir_all(&folder).expect("a folder");
    let many = "SELECT 1;\n".repeat(1000) + "SELECT pg_sleep(600);";
    for (direction, sql) in [("up", many.as_str()), ("down", "SELECT 1;")] {
        std::fs::write(folder.join(format!("1_many.{direction}.sql")), sql).expect("a file");
    }
    // Before any other run the statements are counted: 1001 of them at 1 ms, in whole seconds.
    let body = world.post("/api/migrations/run", json!({ "service": "nada-service" })).await.is(202);
    assert_eq!((&body["status"], &body["estimatedTime"]), (&"running".into(), &2.into()), "{body}");
    let id = body["migrationId"].as_str().expect("an id");
    world.post(&format!("/api/migrations/runs/{id}/cancel"), json!({})).await.is(202);
    world.operations.live_run(id.parse().expect("a UUID")).expect("it lives").finished().await;
    assert_eq!(world.get(&format!("/api/migrations/runs/{id}")).await.is(200)["estimatedTime"], 0, "it is over");
    // Of seeds nobody knows.
    let holder = admin(&database(&world, "dev")).await;
    world.post("/api/migrations/run", json!({ "service": "alumnos-service", "wait": true })).await.is(200);
    holder.batch(&format!("BEGIN; LOCK TABLE {}.alumno", world.schema)).await.expect("a lock");
    let body = world.post("/api/seeds/run", json!({ "wait": false })).await.is(202);
    assert_eq!((&body["status"], &body["estimatedTime"]), (&"running".into(), &json!(null)), "{body}");
    holder.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_busy_target_is_told_at_once() {
    let world = world().await;
    world.post("/api/migrations/run", json!({ "service": "alumnos-service", "wait": true })).await.is(200);
    let holder = admin(&database(&world, "dev")).await;
    holder.batch(&format!("SELECT pg_advisory_lock({}, {})", LOCK.0, LOCK.1)).await.expect("a lock");
    for path in ["/api/migrations/run", "/api/migrations/rollback"] {
        let mut body = json!({ "wait": true });
        if path.ends_with("rollback") {
            body["steps"] = json!(1);
        }
        let answer = world.post(path, body).await;
        let body = answer.is_problem(409, "busy");
        assert_eq!(body["blockers"][0]["pid"], holder.backend_pid(), "{body}");
        assert!(answer.header("retry-after").is_some());
    }
    // Another target is another matter.
    world.post("/api/migrations/run", json!({ "environment": "production", "wait": true })).await.is(200);
    holder.close().await;
    world.post("/api/migrations/run", json!({ "wait": true })).await.is(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_in_the_way_is_shown_without_their_secrets() {
    let catalogue = "[project]\nname = \"escuela\"\ndefault_environment = \"development\"\n\
                     [run]\nlock_timeout_ms = 600\nlock_attempts = 1\n\
                     [environments.development]\ndatabase = \"dev{s}\"\n\
                     [services.alumnos-service]\nschemas = [\"alumnos{s}\"]\n\
                     [services.cursos-service]\nschemas = [\"cursos{s}\"]\nreferences = [\"alumnos{s}\"]\n";
    let world = world_with(Setup { files: vec![("config/services.toml", catalogue)], ..Setup::default() }).await;
    world.post("/api/migrations/run", json!({ "service": "alumnos-service", "wait": true })).await.is(200);
    let holder = admin(&database(&world, "dev")).await;
    let sql = format!(
        "BEGIN; LOCK TABLE {}.alumno; CREATE ROLE lector{} PASSWORD 'hunter2'; SELECT 1 -- password=hunter2",
        world.schema,
        world.suffix()
    );
    holder.batch(&sql).await.expect("a lock");
    let refused = world.post("/api/migrations/run", json!({ "wait": true })).await;
    let blockers = json!({ "problem": refused.json() }).to_string();
    let run = world.get("/api/migrations/runs").await.is(200)["runs"][0]["migrationId"].clone();
    let run = format!("/api/migrations/runs/{}", run.as_str().expect("an id"));
    let page = world.get(&run).await.text;
    let events = world.get(&format!("{run}/events")).await.text;
    assert!(events.contains("\"waiting\""), "{events}");
    for shown in [blockers, page, events] {
        assert!(shown.contains("PASSWORD '***'; SELECT 1 -- password=***"), "{shown}");
        assert!(!shown.contains("hunter2"), "{shown}");
    }
    holder.batch("ROLLBACK").await.expect("it was begun");
    holder.batch(&format!("SELECT pg_advisory_lock({}, {}), 'hunter2'", LOCK.0, LOCK.1)).await.expect("a lock");
    let busy = world.post("/api/migrations/run", json!({ "wait": true })).await;
    let shown = busy.is_problem(409, "busy")["blockers"][0]["query"].clone();
    assert_eq!(shown, format!("SELECT pg_advisory_lock({}, {}), '***'", LOCK.0, LOCK.1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_protected_environment_wants_its_name_repeated() {
    let world = world().await;
    world.post("/api/migrations/run", json!({ "environment": "production", "wait": true })).await.is(200);
    for confirm in [json!(null), json!("development")] {
        let body = json!({ "environment": "production", "steps": 1, "confirm": confirm });
        world.post("/api/migrations/rollback", body).await.is_problem(428, "confirmation_required");
    }
    let dry = json!({ "environment": "production", "steps": 1, "dryRun": true, "wait": true });
    world.post("/api/migrations/rollback", dry).await.is(200);
    let body = json!({ "environment": "production", "steps": 1, "confirm": "production", "wait": true });
    assert_eq!(world.post("/api/migrations/rollback", body).await.is(200)["migrationsRolledBack"], 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn rollbacks_say_how_far() {
    let world = world().await;
    world.post("/api/migrations/run", json!({ "wait": true })).await.is(200);
    world.post("/api/migrations/rollback", json!({})).await.is_problem(422, "invalid_request");
    for (body, member) in [
        (json!({ "steps": 0 }), "steps"),
        (json!({ "to": "old" }), "to"),
        (json!({ "migration": "alumnos/old" }), "migration"),
    ] {
        let said = world.post("/api/migrations/rollback", body).await.is_problem(422, "invalid_request");
        assert_eq!(said["member"], member, "{said}");
    }
    world.post("/api/migrations/rollback", json!({ "steps": 1, "to": "0" })).await.is_problem(422, "invalid_request");
    let one = json!({ "migration": format!("{}/20260102000000", world.schema), "wait": true });
    let body = world.post("/api/migrations/rollback", one).await.is(200);
    assert_eq!(body["done"], json!([format!("{}/20260102000000", world.schema)]), "{body}");
}

#[tokio::test(flavor = "multi_thread")]
async fn files_that_come_while_it_serves_are_seen() {
    let world = world().await;
    world.post("/api/migrations/run", json!({ "wait": true })).await.is(200);
    let folder = world.project.path().join("migrations").join(&world.schema);
    for (direction, sql) in [("up", "create table {s}.later ();"), ("down", "drop table {s}.later;")] {
        let file = folder.join(format!("20260103000000_later.{direction}.sql"));
        std::fs::write(file, sql.replace("{s}", &world.schema)).expect("a file");
    }
    let body = world.get("/api/migrations/status").await.is(200);
    assert_eq!(body["overallStatus"], "pending", "{body}");
    let body = world.post("/api/migrations/run", json!({ "wait": true })).await.is(200);
    assert_eq!(body["done"], json!([format!("{}/20260103000000", world.schema)]), "{body}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_can_be_cancelled_and_leaves_nothing_half_done() {
    let files = vec![
        ("migrations/nada{s}/1_slow.up.sql", "CREATE TABLE nada{s}.t (id int);\nSELECT pg_sleep(600);"),
        ("migrations/nada{s}/1_slow.down.sql", "DROP TABLE nada{s}.t;"),
    ];
    let world = world_with(Setup { files, ..Setup::default() }).await;
    let body = world.post("/api/migrations/run", json!({ "service": "nada-service" })).await.is(202);
    let id = body["migrationId"].as_str().expect("an id").to_owned();
    world.post(&format!("/api/migrations/runs/{id}/cancel"), json!({})).await.is(202);
    world.operations.live_run(id.parse().expect("a UUID")).expect("it lives").finished().await;
    let body = world.get(&format!("/api/migrations/runs/{id}")).await.is(200);
    assert_eq!(body["status"], "cancelled", "{body}");
    world.post(&format!("/api/migrations/runs/{id}/cancel"), json!({})).await.is_problem(409, "run_is_over");
    let body = world.get("/api/schemas/nada-service").await.is(200);
    assert_eq!(body["schemas"][0]["tables"], json!([]), "{body}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edited_migration_is_refused_until_it_is_blessed() {
    let world = world().await;
    world.post("/api/migrations/run", json!({ "service": "alumnos-service", "wait": true })).await.is(200);
    let file = format!("migrations/{}/20260102000000_add_email.up.sql", world.schema);
    let text = format!("ALTER TABLE {}.alumno ADD COLUMN email varchar;", world.schema);
    std::fs::write(world.project.path().join(file), text).expect("a file");
    let body = world.post("/api/migrations/run", json!({})).await.is_problem(409, "edited");
    let migration = format!("{}/20260102000000", world.schema);
    assert!(body.to_string().contains(&migration), "{body}");
    let bless = |reason: &str| json!({ "migration": migration, "reason": reason });
    world.post("/api/migrations/bless", bless(" ")).await.is_problem(422, "invalid_request");
    let body = world.post("/api/migrations/bless", bless("the same column")).await.is(200);
    assert_ne!(body["oldChecksum"], body["newChecksum"]);
    world.post("/api/migrations/run", json!({ "wait": true })).await.is(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn runs_are_listed_page_by_page() {
    let world = world().await;
    for environment in ["development", "production", "development"] {
        world.post("/api/migrations/run", json!({ "environment": environment, "wait": true })).await.is(200);
    }
    let first = world.get("/api/migrations/runs?limit=2").await.is(200);
    assert_eq!((&first["total"], first["runs"].as_array().map(Vec::len)), (&3.into(), Some(2)), "{first}");
    let next = first["next"].as_str().expect("one more");
    let second = world.get(&format!("/api/migrations/runs?limit=2&before={next}")).await.is(200);
    assert_eq!((second["runs"].as_array().map(Vec::len), second.get("next")), (Some(1), None), "{second}");
    let body = world.get("/api/migrations/runs?environment=production").await.is(200);
    assert_eq!(body["total"], 1, "{body}");
    world.get("/api/migrations/runs?limit=0").await.is_problem(400, "invalid_query");
    world.get("/api/migrations/runs/00000000-0000-7000-8000-000000000000").await.is_problem(404, "unknown_run");
}
