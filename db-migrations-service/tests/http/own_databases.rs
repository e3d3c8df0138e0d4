//! An environment with several databases: services that have one of their own.

use postgres_link::AdminConn;
use serde_json::{Value, json};

use crate::world::{Setup, World, admin, world_with};

const CATALOGUE: (&str, &str) = (
    "config/services.toml",
    r#"
    [project]
    name = "escuela"
    [environments.development]
    url_variable = "DEVELOPMENT_URL"
    database = "dev{s}"
    [environments.development.databases.cursos]
    services = ["cursos-service"]
    url_variable = "CURSOS_URL"
    [environments.production]
    database = "prod{s}"
    protected = true
    [environments.production.databases.cursos]
    services = ["cursos-service"]
    [environments.production.backup]
    before_run = false
    [services.alumnos-service]
    schemas = ["alumnos{s}"]
    [services.cursos-service]
    schemas = ["cursos{s}"]
    references = ["alumnos{s}"]
    [services.notas-service]
    schemas = ["notas{s}"]
    references = ["alumnos{s}", "cursos{s}"]
    "#,
);

const ALUMNO: [(&str, &str); 2] = [
    ("migrations/alumnos{s}/1_create_alumno.up.sql", "CREATE TABLE alumnos{s}.alumno (id int PRIMARY KEY);"),
    ("migrations/alumnos{s}/1_create_alumno.down.sql", "DROP TABLE alumnos{s}.alumno;"),
];
const CURSO: [(&str, &str); 2] = [
    ("migrations/cursos{s}/1_create_curso.up.sql", "CREATE TABLE cursos{s}.curso (id int PRIMARY KEY, alumno int);"),
    ("migrations/cursos{s}/1_create_curso.down.sql", "DROP TABLE cursos{s}.curso;"),
];

async fn world_of(files: &[(&'static str, &'static str)]) -> World {
    let files = [CATALOGUE].into_iter().chain(ALUMNO).chain(CURSO).chain(files.iter().copied()).collect();
    world_with(Setup { files, empty: true, ..Setup::default() }).await
}

async fn session(world: &World, database: &str) -> AdminConn {
    admin(&format!("{database}{}", world.suffix())).await
}

/// The column of the answer, without the world's suffix.
async fn column(world: &World, database: &str, sql: &str) -> Vec<String> {
    let outcome = session(world, database).await.batch(sql).await.expect("the database answers");
    outcome.rows().filter_map(|row| row[0].as_ref().map(|cell| cell.replace(world.suffix(), ""))).collect()
}

async fn applied(world: &World, database: &str) -> Vec<String> {
    let sql =
        "SELECT schema_name || '/' || version FROM migration_service.history WHERE rolled_back_at IS NULL ORDER BY id";
    column(world, database, sql).await
}

fn texts(value: &Value, member: &str) -> Vec<String> {
    value.as_array().expect("a list").iter().map(|part| part[member].as_str().unwrap_or_default().to_owned()).collect()
}

#[tokio::test]
async fn each_database_holds_its_own_services_and_nothing_else() {
    let world = world_of(&[]).await;
    let run = world.post("/api/migrations/run", json!({ "wait": true })).await.is(200);
    assert_eq!(texts(&run["databases"], "environment"), ["development", "development/cursos"]);
    assert_eq!(texts(&run["databases"], "status"), ["completed", "completed"]);
    assert_eq!(applied(&world, "dev").await, ["alumnos/1"]);
    let cursos = format!("{}_cursos", world.suffix());
    let of_cursos = async |sql: &str| {
        let outcome = admin(&format!("dev{cursos}")).await.batch(sql).await.expect("the database answers");
        let cells: Vec<_> = outcome.rows().filter_map(|row| row[0].clone()).collect();
        cells.join(",").replace(world.suffix(), "")
    };
    assert_eq!(of_cursos("SELECT schema_name FROM migration_service.history").await, "cursos");
    let schemas = "SELECT nspname FROM pg_namespace WHERE nspname LIKE '%\\_%' AND nspname !~ '^(pg_|information|migration)' ORDER BY 1";
    assert_eq!(of_cursos(schemas).await, "cursos");
    assert_eq!(column(&world, "dev", schemas).await, ["alumnos", "notas"]);

    let status = world.get("/api/migrations/status").await.is(200);
    assert_eq!(status["overallStatus"], "healthy");
    assert_eq!(texts(&status["services"], "name"), ["alumnos-service", "cursos-service", "notas-service"]);
    assert_eq!(texts(&status["databases"], "environment"), ["development", "development/cursos"]);
    let all = world.get("/api/migrations/status?environment=all").await.is(200);
    let names = texts(&all["environments"], "environment");
    assert_eq!(names, ["development", "development/cursos", "production", "production/cursos"]);

    let history = world.get("/api/migrations/history").await.is(200);
    assert_eq!(texts(&history["history"], "database"), ["development/cursos", "development"]);
    assert_eq!(history["total"], 2);
    let of_service = world.get("/api/migrations/history?service=cursos-service").await.is(200);
    assert_eq!(of_service["environment"], "development/cursos");
    let runs = world.get("/api/migrations/runs?environment=development/cursos").await.is(200);
    assert_eq!(runs["total"], 1);
    let drift = world.post("/api/schemas/validate", json!({})).await.is(200);
    assert_eq!((&drift["agrees"], drift["databases"].as_array().map(Vec::len)), (&json!(true), Some(2)));
    let audit = world.post("/api/audit/verify", json!({ "environment": "development/cursos" })).await.is(200);
    assert_eq!(audit["environment"], "development/cursos");
}

#[tokio::test]
async fn a_service_is_found_where_it_lives() {
    let world = world_of(&[]).await;
    let run = world.post("/api/migrations/service/cursos-service/run", json!({ "wait": true })).await.is(200);
    assert_eq!((&run["environment"], &run["databases"]), (&json!("development/cursos"), &Value::Null));
    let service = world.get("/api/migrations/service/cursos-service").await.is(200);
    assert_eq!((&service["environment"], &service["status"]), (&json!("development/cursos"), &json!("up_to_date")));
    let plan = world.get("/api/migrations/plan").await.is(200);
    assert_eq!(
        (&plan["total"], texts(&plan["databases"], "environment")),
        (&json!(1), vec!["development".to_owned(), "development/cursos".to_owned()])
    );
    let main = world.get("/api/migrations/plan?environment=development/main").await.is(200);
    assert_eq!((&main["total"], &main["databases"]), (&json!(1), &Value::Null));
    let elsewhere = "/api/migrations/plan?environment=development/cursos&service=alumnos-service";
    let refused = world.get(elsewhere).await.is_problem(422, "service_elsewhere");
    assert!(refused["detail"].as_str().is_some_and(|text| text.contains("but in development")), "{refused}");
}

#[tokio::test]
async fn what_would_cross_databases_is_refused_with_its_place() {
    let world = world_of(&[
        (
            "migrations/notas{s}/1_create_nota.up.sql",
            "CREATE TABLE notas{s}.nota (\n  id int PRIMARY KEY,\n  alumno int REFERENCES alumnos{s}.alumno,\n  curso int REFERENCES cursos{s}.curso\n);\n\
             CREATE VIEW notas{s}.v AS SELECT c.id FROM cursos{s}.curso c;\n\
             CREATE POLICY p ON notas{s}.nota USING (curso IN (SELECT id FROM cursos{s}.curso));\n\
             CREATE FUNCTION notas{s}.f() RETURNS int LANGUAGE plpgsql AS $$ BEGIN RETURN (SELECT max(id) FROM cursos{s}.curso); END $$;\n",
        ),
        (
            "migrations/notas{s}/1_create_nota.down.sql",
            "DROP FUNCTION notas{s}.f(); DROP VIEW notas{s}.v; DROP TABLE notas{s}.nota;",
        ),
    ])
    .await;
    for answer in
        [world.get("/api/migrations/plan").await, world.post("/api/migrations/run", json!({ "wait": true })).await]
    {
        let problem = answer.is_problem(422, "crosses_databases");
        assert_eq!(problem["location"]["line"], 4, "{problem}");
        let detail = problem["detail"].as_str().expect("a sentence").replace(world.suffix(), "");
        assert_eq!(
            detail,
            "migrations/notas/1_create_nota.up.sql:4:24: notas/1 references cursos.curso, which is in another database: \
             cursos-service lives in development/cursos"
        );
    }
    let report = world.post("/api/migrations/validate", json!({})).await.is(200);
    assert_eq!(report["passed"], false);
    let migrations = report["migrations"].as_array().expect("a list");
    let findings: Vec<(Value, Value)> = migrations
        .iter()
        .flat_map(|migration| migration["findings"].as_array().cloned().unwrap_or_default())
        .filter(|finding| finding["code"] == "crosses-databases")
        .map(|finding| (finding["location"]["line"].clone(), finding["severity"].clone()))
        .collect();
    let error = json!("error");
    assert_eq!(findings, [4, 6, 7, 8].map(|line| (json!(line), error.clone())), "{report}");
    let rehearsed = report["gates"].as_array().and_then(|gates| gates.iter().find(|gate| gate["gate"] == "rehearsed"));
    assert_eq!(rehearsed.map(|gate| &gate["skipped"]), Some(&json!("what another database has cannot be referenced")));
    // Where they share a database it is a reference like any other.
    assert_eq!(world.get("/api/migrations/plan?environment=production/cursos").await.is(200)["total"], 1);
}

#[tokio::test]
async fn what_a_fleet_would_reference_elsewhere_is_refused_at_validation() {
    const FLEET: (&str, &str) = (
        "config/services.toml",
        r#"
        [project]
        name = "escuela"
        [environments.development]
        database = "dev{s}"
        [services.alumnos-service]
        schemas = ["alumnos{s}"]
        [services.cursos-service]
        schemas = ["cursos{s}"]
        references = ["alumnos{s}"]
        [fleets.cursos]
        service = "cursos-service"
        environment = "development"
        match = "fleet{s}%"
        "#,
    );
    let crossing = [
        (
            "migrations/cursos{s}/2_know_alumno.up.sql",
            "ALTER TABLE cursos{s}.curso\n  ADD FOREIGN KEY (alumno) REFERENCES alumnos{s}.alumno;",
        ),
        (
            "migrations/cursos{s}/2_know_alumno.down.sql",
            "ALTER TABLE cursos{s}.curso DROP CONSTRAINT curso_alumno_fkey;",
        ),
    ];
    let files = [FLEET].into_iter().chain(ALUMNO).chain(CURSO).chain(crossing).collect();
    let world = world_with(Setup { files, empty: true, ..Setup::default() }).await;
    for (body, databases) in [
        (json!({}), 2),
        (json!({ "whole": true }), 2),
        (json!({ "service": "cursos-service" }), 1),
        (json!({ "gates": ["stays-home"] }), 2),
    ] {
        let report = world.post("/api/migrations/validate", body.clone()).await.is(200);
        assert_eq!(report["passed"], false, "{body}: {report}");
        let migrations = report["migrations"].as_array().expect("a list");
        let of_cursos = migrations.iter().filter(|m| m["service"] == "cursos-service");
        let findings: Vec<&Value> = of_cursos.flat_map(|m| m["findings"].as_array().expect("a list")).collect();
        let [finding] = findings.as_slice() else { panic!("{body}: {report}") };
        assert_eq!(
            (&finding["code"], &finding["location"]["line"]),
            (&json!("crosses-databases"), &json!(2)),
            "{body}"
        );
        if databases == 2 {
            assert_eq!(texts(&report["databases"], "environment"), ["development", "development, fleet cursos"]);
        }
    }
    // Other gates have nothing to look at here; a service that lives in a database is looked at there.
    for body in [json!({ "gates": ["hazards"] }), json!({ "service": "alumnos-service" })] {
        assert_eq!(world.post("/api/migrations/validate", body).await.is(200)["passed"], true);
    }
    for way in ["up", "down"] {
        let file = format!("migrations/cursos{}/2_know_alumno.{way}.sql", world.suffix());
        std::fs::remove_file(world.project.path().join(file)).expect("it is there");
    }
    let report = world.post("/api/migrations/validate", json!({ "whole": true })).await.is(200);
    assert_eq!(report["passed"], true, "{report}");
    let rehearsed = report["migrations"].as_array().expect("a list").iter().all(|m| m["certificate"].is_object());
    assert!(rehearsed, "{report}");
}

#[tokio::test]
async fn databases_come_in_the_order_in_which_migrations_require_each_other() {
    let world = world_of(&[
        (
            "migrations/alumnos{s}/2_after_curso.up.sql",
            "-- requires: cursos{s}/1\nALTER TABLE alumnos{s}.alumno ADD curso int;",
        ),
        ("migrations/alumnos{s}/2_after_curso.down.sql", "ALTER TABLE alumnos{s}.alumno DROP curso;"),
    ])
    .await;
    let plan = world.get("/api/migrations/plan").await.is(200);
    assert_eq!(texts(&plan["databases"], "environment"), ["development/cursos", "development"]);
    // Alone it is refused, because what it requires is not there.
    let alone = world.post("/api/migrations/service/alumnos-service/run", json!({ "wait": true })).await;
    let refused = alone.is_problem(422, "unresolved_reference");
    assert!(
        refused["detail"].as_str().is_some_and(|text| text.contains("not applied in development/cursos")),
        "{refused}"
    );
    let run = world.post("/api/migrations/run", json!({ "wait": true })).await.is(200);
    assert_eq!(texts(&run["databases"], "environment"), ["development/cursos", "development"]);
    assert_eq!(applied(&world, "dev").await, ["alumnos/1", "alumnos/2"]);
    // The newest two of both databases together, the last database first.
    let back = world.post("/api/migrations/rollback", json!({ "steps": 3, "wait": true })).await.is(200);
    assert_eq!(back["databases"].as_array().map(Vec::len), Some(2), "{back}");
    assert_eq!(applied(&world, "dev").await, [""; 0]);
    world
        .post("/api/migrations/rollback", json!({ "steps": 1, "wait": true }))
        .await
        .is_problem(409, "too_few_applied");
}

#[tokio::test]
async fn a_run_that_fails_keeps_those_behind_it_from_beginning() {
    let world = world_of(&[
        ("migrations/alumnos{s}/2_fails.up.sql", "SELECT 1/0;"),
        ("migrations/alumnos{s}/2_fails.down.sql", "SELECT 1;"),
    ])
    .await;
    let failed = world.post("/api/migrations/run", json!({ "wait": true })).await.is_problem(422, "migration_failed");
    let runs = &failed["run"]["databases"];
    assert_eq!(texts(runs, "status"), ["failed", "cancelled"], "{failed}");
    let why = runs[1]["error"]["message"].as_str().unwrap_or_default();
    assert_eq!(why, "it was not begun, because the run in development ended as failed");
    let plan = world.get("/api/migrations/plan?service=cursos-service").await.is(200);
    assert_eq!(plan["total"], 1);
}

#[tokio::test]
async fn a_busy_database_refuses_the_run_before_anything_is_done() {
    let world = world_of(&[]).await;
    world.post("/api/migrations/service/cursos-service/run", json!({ "wait": true })).await.is(200);
    world.post("/api/migrations/rollback", json!({ "steps": 1, "wait": true })).await.is(200);
    let holder = admin(&format!("dev{}_cursos", world.suffix())).await;
    let (class, id) = migration_engine::RUN_LOCK;
    holder.batch(&format!("SELECT pg_advisory_lock({class}, {id})")).await.expect("it is free");
    world.post("/api/migrations/run", json!({ "wait": true })).await.is_problem(409, "busy");
    let databases = admin("postgres").await;
    let there = format!("SELECT count(*) FROM pg_database WHERE datname = 'dev{}'", world.suffix());
    assert_eq!(databases.batch(&there).await.expect("it answers").value(0, 0), Some("1"));
    let history = "SELECT to_regclass('migration_service.history') IS NULL";
    let outcome = session(&world, "dev").await.batch(history).await.expect("it answers");
    assert_eq!(outcome.value(0, 0), Some("t"), "the first database was touched");
}

#[tokio::test]
async fn a_protected_environment_is_confirmed_once_for_all_its_databases() {
    let world = world_of(&[]).await;
    let production = |more: Value| {
        let mut body = json!({ "environment": "production", "wait": true });
        body.as_object_mut().expect("an object").extend(more.as_object().cloned().unwrap_or_default());
        body
    };
    world.post("/api/migrations/run", production(json!({}))).await.is(200);
    let refused = world.post("/api/migrations/rollback", production(json!({ "steps": 2 }))).await;
    refused.is_problem(428, "confirmation_required");
    let back = production(json!({ "steps": 2, "confirm": "production" }));
    let done = world.post("/api/migrations/rollback", back).await.is(200);
    assert_eq!(texts(&done["databases"], "environment"), ["production/cursos", "production"]);
}

#[tokio::test]
async fn seeds_go_to_the_database_of_their_service() {
    let world = world_of(&[
        ("seeds/alumnos{s}/1_a.development.sql", "INSERT INTO alumnos{s}.alumno VALUES (1) ON CONFLICT DO NOTHING;"),
        ("seeds/cursos{s}/1_c.development.sql", "INSERT INTO cursos{s}.curso VALUES (1), (2) ON CONFLICT DO NOTHING;"),
    ])
    .await;
    world.post("/api/migrations/run", json!({ "wait": true })).await.is(200);
    let seeded = world.post("/api/seeds/run", json!({})).await.is(200);
    let rows: Vec<_> = seeded["databases"].as_array().expect("two").iter().map(|run| run["rows"].clone()).collect();
    assert_eq!(rows, [json!(1), json!(2)]);
    let status = world.get("/api/seeds/status").await.is(200);
    assert_eq!(texts(&status["seeds"], "state"), ["applied", "applied"]);
}
