//! An environment whose databases are on two servers: what is read of it, looked at and backed up is each of them, and one that
//! is away keeps the other from nothing.

use db_migrations_service::operations::Operations;
use postgres_link::AdminConn;
use reqwest::Method;
use serde_json::{Value, json};
use testkit::faults::OwnServer;
use time::OffsetDateTime;

use crate::metrics::Scrape;
use crate::world::{Answer, Setup, World, admin, world_with};

const MAIN: &str = "development";
const CURSOS: &str = "development/cursos";

const PROJECT: [(&str, &str); 6] = [
    ("migrations/alumnos{s}/1_create_alumno.up.sql", "CREATE TABLE alumnos{s}.alumno (id int PRIMARY KEY);"),
    ("migrations/alumnos{s}/1_create_alumno.down.sql", "DROP TABLE alumnos{s}.alumno;"),
    ("migrations/cursos{s}/1_create_curso.up.sql", "CREATE TABLE cursos{s}.curso (id int PRIMARY KEY);"),
    ("migrations/cursos{s}/1_create_curso.down.sql", "DROP TABLE cursos{s}.curso;"),
    ("migrations/cursos{s}/2_create_aula.up.sql", "CREATE TABLE cursos{s}.aula (id int PRIMARY KEY);"),
    ("migrations/cursos{s}/2_create_aula.down.sql", "DROP TABLE cursos{s}.aula;"),
];

/// The environment, migrated.
struct Place {
    world: World,
    /// Of `cursos-service`; the other service is on the server of all tests.
    server: Option<OwnServer>,
}

impl Place {
    async fn new() -> Self {
        Self::with("backup = { verify = false }").await
    }

    /// With these settings of the environment.
    async fn with(settings: &str) -> Self {
        let server = tokio::task::spawn_blocking(|| OwnServer::start(&[])).await.expect("no panic");
        server.session("postgres").await.batch("CREATE DATABASE aulas").await.expect("the superuser may");
        let catalogue = format!(
            "[project]\nname = \"escuela\"\n\
             [environments.development]\nurl_variable = \"DEVELOPMENT_URL\"\ndatabase = \"dev{{s}}\"\n{settings}\n\
             [environments.development.databases.cursos]\nservices = [\"cursos-service\"]\nurl_variable = \"CURSOS_URL\"\n\
             [services.alumnos-service]\nschemas = [\"alumnos{{s}}\"]\n\
             [services.cursos-service]\nschemas = [\"cursos{{s}}\"]\nreferences = [\"alumnos{{s}}\"]\n"
        );
        let files = PROJECT.into_iter().chain([("config/services.toml", &*catalogue.leak())]).collect();
        let variables = vec![("CURSOS_URL", server.url("aulas"))];
        let world = world_with(Setup { files, variables, empty: true }).await;
        let place = Self { world, server: Some(server) };
        place.post("/api/migrations/run", json!({ "wait": true })).await.is(200);
        place
    }

    async fn get(&self, path: &str) -> Answer {
        self.world.get(path).await
    }

    async fn post(&self, path: &str, body: Value) -> Answer {
        self.world.post(path, body).await
    }

    /// The superuser's session on the server that is apart.
    async fn aulas(&self) -> AdminConn {
        self.server.as_ref().expect("it runs").session("aulas").await
    }

    /// Whatever somebody does there by hand; `{s}` is the world's suffix.
    async fn by_hand(&self, sql: &str) {
        let sql = sql.replace("{s}", self.world.suffix());
        self.aulas().await.batch(&sql).await.expect("the superuser may");
    }

    /// The server that is apart is gone.
    fn stop(&mut self) {
        self.server = None;
    }
}

fn texts<'a>(value: &'a Value, member: &str) -> Vec<&'a str> {
    value.as_array().map_or_else(Vec::new, |list| list.iter().filter_map(|one| one[member].as_str()).collect())
}

/// The answer names the database that is away, and what to do.
#[track_caller]
fn misses_cursos(answer: &Value) {
    assert_eq!(texts(&answer["unavailable"], "environment"), [CURSOS], "{answer:#}");
    assert_eq!(texts(&answer["unavailable"], "code"), ["database_unavailable"]);
    assert!(
        !texts(&answer["unavailable"], "cure")[0].is_empty() && !texts(&answer["unavailable"], "message").is_empty()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_audit_of_each_is_read_together_and_verified_apart() {
    let mut place = Place::new().await;
    place.by_hand("CREATE TABLE cursos{s}.a_escondidas ()").await;
    let all = place.get("/api/audit").await.is(200);
    assert_eq!((&all["environment"], &all["next"]), (&json!(MAIN), &Value::Null));
    assert_eq!(all["entries"][0]["database"], CURSOS, "the newest is first: {all:#}");
    let of = |name: &str| texts(&all["entries"], "database").into_iter().filter(|other| *other == name).count();
    assert!(of(MAIN) > 0 && of(CURSOS) > of(MAIN), "{all:#}");
    let times = texts(&all["entries"], "at");
    assert!(times.is_sorted_by(|newer, older| newer >= older), "{times:?}");

    // A page of the newest; each database says where it goes on.
    let short = place.get("/api/audit?limit=1").await.is(200);
    assert_eq!(texts(&short["databases"], "environment"), [MAIN, CURSOS], "{short:#}");
    for part in short["databases"].as_array().expect("two") {
        let (name, next) = (part["environment"].as_str().expect("a name"), &part["next"]);
        let alone = if name == MAIN { "development/main" } else { name };
        let rest = place.get(&format!("/api/audit?environment={alone}&before={next}")).await.is(200);
        let shown = usize::from(name == CURSOS);
        assert_eq!(rest["entries"].as_array().map(Vec::len), Some(of(name) - shown), "{name}: {rest:#}");
    }
    let beyond = place.get("/api/audit?before=7").await.is_problem(422, "invalid_request");
    assert!(
        beyond["cure"].as_str().is_some_and(|cure| cure.contains("development/main, development/cursos")),
        "{beyond}"
    );

    let one = place.get("/api/audit?service=cursos-service&viaService=false").await.is(200);
    assert_eq!((&one["environment"], texts(&one["entries"], "command")), (&json!(CURSOS), vec!["CREATE TABLE"]));
    assert!(one.get("databases").is_none() && one["entries"][0].get("database").is_none(), "{one:#}");
    place.get("/api/audit?service=nadie").await.is_problem(404, "unknown_service");

    // A token sees what is its services', and is told of no other database.
    let token = place.world.token(&["read"], &["alumnos-service"]).await;
    let own = Answer::of(place.world.request(Method::GET, "/api/audit").bearer_auth(&token)).await.is(200);
    assert_eq!((&own["environment"], own.get("databases")), (&json!(MAIN), None), "{own:#}");

    let whole = place.post("/api/audit/verify", json!({})).await.is(200);
    let parts = whole["databases"].as_array().expect("two");
    assert_eq!((&whole["intact"], whole["anchors"].as_u64()), (&json!(true), Some(2)), "{whole:#}");
    assert_ne!(parts[0]["head"]["database"], parts[1]["head"]["database"], "each has a chain of its own");
    place.by_hand("UPDATE migration_service.audit_entry SET acting_role = 'nadie' WHERE NOT via_service").await;
    let broken = place.post("/api/audit/verify", json!({})).await.is(200);
    assert_eq!(
        (&broken["intact"], texts(&broken["findings"], "database")),
        (&json!(false), vec![CURSOS]),
        "{broken:#}"
    );
    let intact = |body| async { place.post("/api/audit/verify", body).await.is(200)["intact"] == true };
    assert!(intact(json!({ "service": "alumnos-service" })).await);
    assert!(!intact(json!({ "service": "cursos-service" })).await);
    place.post("/api/audit/verify", json!({ "service": "nadie" })).await.is_problem(404, "unknown_service");

    place.stop();
    let left = place.get("/api/audit").await.is(200);
    misses_cursos(&left);
    assert_eq!(texts(&left["entries"], "database").len(), of(MAIN));
    let half = place.post("/api/audit/verify", json!({})).await.is(200);
    misses_cursos(&half);
    assert_eq!((&half["intact"], &half["databases"][0]["intact"]), (&json!(false), &json!(true)), "half is not whole");
    place.get("/api/audit?service=cursos-service").await.is_problem(503, "database_unavailable");
}

#[tokio::test(flavor = "multi_thread")]
async fn schemas_and_figures_are_those_of_each() {
    let mut place = Place::new().await;
    let schemas = place.get("/api/schemas?withTables=true").await.is(200);
    assert_eq!(texts(&schemas["services"], "service"), ["alumnos-service", "cursos-service"]);
    assert_eq!(texts(&schemas["services"], "environment"), [MAIN, CURSOS]);
    let tables = |place: usize| schemas["services"][place]["schemas"][0]["tables"].clone();
    assert_eq!((tables(0), tables(1)), (json!(1), json!(2)), "{schemas:#}");
    assert_eq!(schemas["services"][1]["details"][0]["tables"][0]["name"], "aula");
    let live = |place: usize| &schemas["databases"][place]["fingerprint"]["live"];
    assert!(live(0).is_string() && live(1).is_string() && live(0) != live(1), "{schemas:#}");
    assert_eq!(live(0), &schemas["fingerprint"]["live"], "as before, the first one's");
    let one = place.get("/api/schemas?service=cursos-service").await.is(200);
    assert_eq!((&one["environment"], &one["total"], one.get("databases")), (&json!(CURSOS), &json!(1), None));
    place.get("/api/schemas?service=nadie").await.is_problem(404, "unknown_service");

    place.world.operations.sample_now().await;
    for what in ["health", "connections", "performance", "size", "history"] {
        let path = format!("/api/database/{what}");
        let all = place.get(&path).await.is(200);
        assert_eq!(all["environment"], MAIN);
        assert_eq!(texts(&all["databases"], "environment"), [MAIN, CURSOS], "{what}: {all:#}");
        let one = place.get(&format!("{path}?service=cursos-service")).await.is(200);
        assert_eq!((&one["environment"], one.get("databases")), (&json!(CURSOS), None), "{what}");
        place.get(&format!("{path}?service=nadie")).await.is_problem(404, "unknown_service");
    }
    let sizes = place.get("/api/database/size").await.is(200);
    assert_eq!(texts(&sizes["databases"], "database"), [&format!("dev{}", place.world.suffix()), "aulas"]);
    assert_eq!(sizes["database"], sizes["databases"][0]["database"], "as before, the first one's");
    let schema = format!("/api/database/size?schema=cursos{}", place.world.suffix());
    assert_eq!(place.get(&schema).await.is(200)["database"], "aulas", "a schema is found where it lives");

    let agrees = place.post("/api/schemas/validate", json!({})).await.is(200);
    assert_eq!((&agrees["agrees"], texts(&agrees["databases"], "environment")), (&json!(true), vec![MAIN, CURSOS]));

    place.stop();
    let status = place.get("/api/migrations/status").await.is(200);
    assert_eq!(
        (&status["overallStatus"], &status["problemCode"]),
        (&json!("unavailable"), &json!("database_unavailable"))
    );
    assert_eq!(texts(&status["services"], "name"), ["alumnos-service"], "{status:#}");
    assert!(status["problem"].as_str().is_some_and(|text| text.starts_with(CURSOS)), "{status:#}");
    let history = place.get("/api/migrations/history").await.is(200);
    misses_cursos(&history);
    assert_eq!((&history["total"], texts(&history["history"], "database")), (&json!(1), vec![MAIN]));
    let left = place.get("/api/schemas").await.is(200);
    misses_cursos(&left);
    assert_eq!(texts(&left["services"], "service"), ["alumnos-service"]);
    let half = place.post("/api/schemas/validate", json!({})).await.is(200);
    misses_cursos(&half);
    assert_eq!((&half["agrees"], &half["databases"][0]["agrees"]), (&json!(false), &json!(true)));
    for what in ["health", "connections", "performance", "size"] {
        misses_cursos(&place.get(&format!("/api/database/{what}")).await.is(200));
    }
    assert_eq!(place.get("/api/database/health").await.is(200)["status"], "degraded");
    let own = place.get("/api/database/health?environment=development/main").await.is(200);
    assert_eq!((&own["status"], own.get("unavailable")), (&json!("healthy"), None));
    place.get("/api/database/size?service=cursos-service").await.is_problem(503, "database_unavailable");
}

#[tokio::test(flavor = "multi_thread")]
async fn drift_is_watched_in_each_and_its_samples_and_alerts_name_the_database() {
    let mut place = Place::new().await;
    let check = async |body: Value| place.post("/api/drift/check", body).await.is(200);
    let quiet = check(json!({})).await;
    assert_eq!((&quiet["agrees"], texts(&quiet["databases"], "environment")), (&json!(true), vec![MAIN, CURSOS]));
    place.by_hand("ALTER TABLE cursos{s}.curso ADD COLUMN nivel int").await;
    let found = check(json!({})).await;
    assert_eq!(
        (&found["agrees"], texts(&found["findings"], "environment")),
        (&json!(false), vec![CURSOS]),
        "{found:#}"
    );
    assert_eq!(check(json!({ "service": "alumnos-service" })).await["agrees"], true);
    place.post("/api/drift/check", json!({ "service": "nadie" })).await.is_problem(404, "unknown_service");

    for (environment, findings, looks) in
        [(MAIN, vec![CURSOS], 2), (CURSOS, vec![CURSOS], 1), ("development/main", Vec::new(), 1)]
    {
        let list = place.get(&format!("/api/drift?environment={environment}")).await.is(200);
        assert_eq!(texts(&list["findings"], "environment"), findings, "{environment}");
        assert_eq!(list["looks"].as_array().map(Vec::len), Some(looks), "{environment}: {list:#}");
    }

    let scrape = Scrape::now(&place.world).await;
    for name in [MAIN, CURSOS] {
        scrape.is(&format!("pg_up{{environment=\"{name}\"}}"), 1.0);
        let size = format!("pg_database_size_bytes{{environment=\"{name}\"");
        assert!(scrape.values.keys().any(|metric| metric.starts_with(&size)), "{size}");
    }
    scrape.is("profe_migration_drift_findings{environment=\"development/cursos\",service=\"cursos-service\"}", 1.0);
    place.world.operations.evaluate_alerts(OffsetDateTime::now_utc()).await.expect("the master database answers");
    for (environment, alerts) in [(MAIN, 1), (CURSOS, 1), ("development/main", 0)] {
        let list = place.get(&format!("/api/alerts?rule=drift&environment={environment}")).await.is(200);
        assert_eq!(texts(&list["alerts"], "environment"), vec![CURSOS; alerts], "{list:#}");
    }

    place.stop();
    misses_cursos(&place.post("/api/drift/check", json!({})).await.is(200));
    let scrape = Scrape::now(&place.world).await;
    scrape.is(&format!("pg_up{{environment=\"{MAIN}\"}}"), 1.0);
    scrape.is(&format!("pg_up{{environment=\"{CURSOS}\"}}"), 0.0);
}

async fn listed(place: &Place, query: &str) -> Vec<String> {
    let list = place.get(&format!("/api/backup/list{query}")).await.is(200);
    texts(&list["backups"], "environment").into_iter().map(str::to_owned).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_is_backed_up_and_a_backup_goes_back_into_the_one_that_it_is_of() {
    let mut place = Place::new().await;
    place.by_hand("INSERT INTO cursos{s}.curso VALUES (1), (2)").await;
    let made = place.post("/api/backup/create", json!({ "wait": true })).await.is(200);
    assert_eq!(texts(&made["databases"], "environment"), [MAIN, CURSOS], "{made:#}");
    assert_eq!(texts(&made["databases"], "database"), [&format!("dev{}", place.world.suffix()), "aulas"]);
    assert_eq!(made["backupId"], made["databases"][0]["backupId"]);
    let both = json!({ "services": ["cursos-service", "alumnos-service"], "wait": true });
    let parts = place.post("/api/backup/create", both).await.is(200);
    assert_eq!(texts(&parts["databases"], "service"), ["cursos-service", "alumnos-service"], "{parts:#}");
    let one = place.post("/api/backup/create", json!({ "service": "cursos-service", "wait": true })).await.is(200);
    assert_eq!((&one["environment"], one.get("databases")), (&json!(CURSOS), None));
    place.post("/api/backup/create", json!({ "services": ["nadie"] })).await.is_problem(404, "unknown_service");
    assert_eq!(listed(&place, "?environment=development").await.len(), 5);
    assert_eq!(listed(&place, "?environment=development/cursos").await, [CURSOS; 3]);
    assert_eq!(listed(&place, "?environment=development/main").await, [MAIN; 2]);
    let look = place.post("/api/backup/prune", json!({ "environment": MAIN, "dryRun": true })).await.is(200);
    let judged = [texts(&look["kept"], "environment"), texts(&look["deleted"], "environment")].concat();
    assert_eq!(judged.iter().filter(|name| **name == CURSOS).count(), 3, "{look:#}");

    let id = made["databases"][1]["backupId"].as_str().expect("an id");
    let verified = place.post(&format!("/api/backup/{id}/verify"), json!({ "wait": true })).await.is(200);
    assert_eq!(verified["verification"]["status"], "verified", "{verified:#}");
    // Also where only the environment is named.
    for environment in [Value::Null, json!(MAIN), json!(CURSOS)] {
        place.by_hand("DELETE FROM cursos{s}.curso").await;
        let mut order = json!({ "confirm": id, "inPlace": true, "wait": true });
        if !environment.is_null() {
            order["environment"] = environment;
        }
        let restored = place.post(&format!("/api/backup/restore/{id}"), order).await.is(200);
        assert_eq!(texts(&restored["restores"], "environment")[0], CURSOS, "{restored:#}");
        let count = format!("SELECT count(*) FROM cursos{}.curso", place.world.suffix());
        assert_eq!(place.aulas().await.batch(&count).await.expect("it answers").value(0, 0), Some("2"));
    }
    let main = json!({ "confirm": id, "inPlace": true, "environment": "development/main" });
    let refused = place.post(&format!("/api/backup/restore/{id}"), main).await.is_problem(422, "service_elsewhere");
    assert!(refused["detail"].as_str().is_some_and(|text| text.contains("but in development/cursos")), "{refused}");
    let schema = format!("SELECT to_regnamespace('cursos{}') IS NULL", place.world.suffix());
    let there = admin(&format!("dev{}", place.world.suffix())).await;
    assert_eq!(there.batch(&schema).await.expect("it answers").value(0, 0), Some("t"));

    place.stop();
    let before = listed(&place, "?environment=development/main").await.len();
    let half = place.post("/api/backup/create", json!({ "wait": true })).await;
    let half = half.is_problem(503, "database_unavailable");
    misses_cursos(&half);
    assert_eq!(texts(&half["databases"], "environment"), [MAIN], "the other one was made: {half:#}");
    assert_eq!(listed(&place, "?environment=development/main").await.len(), before + 1);
}

/// The backups that the clock begins, once they are there.
async fn due(operations: &Operations, at: OffsetDateTime) -> Vec<String> {
    let mut made = Vec::new();
    for fired in operations.fire_due(at).await {
        fired.settled.await.expect("no panic");
        fired.backup.expect("it was begun").finished().await.expect("it was made");
        made.push(fired.environment);
    }
    made
}

#[tokio::test(flavor = "multi_thread")]
async fn the_policy_of_backups_holds_for_each() {
    let now = OffsetDateTime::now_utc();
    let cron = format!("{} {} * * *", now.minute(), (now.hour() + 12) % 24);
    let policy = format!(
        "backup = {{ before_run = true, verify = false, schedules = [{{ cron = \"{cron}\" }}, \
         {{ cron = \"{cron}\", services = [\"cursos-service\"] }}] }}"
    );
    let place = Place::with(&policy).await;
    assert_eq!(listed(&place, "").await, [""; 0], "nothing was there before the first run");
    for (schema, table) in [("alumnos", "nota"), ("cursos", "libro")] {
        let folder = place.world.project.path().join(format!("migrations/{schema}{}", place.world.suffix()));
        let name = format!("{schema}{}.{table}", place.world.suffix());
        std::fs::write(folder.join("3_more.up.sql"), format!("CREATE TABLE {name} ();")).expect("our own folder");
        std::fs::write(folder.join("3_more.down.sql"), format!("DROP TABLE {name};")).expect("our own folder");
    }
    place.post("/api/backup/create", json!({ "service": "cursos-service", "wait": true })).await.is(200);
    let on_rows = json!({ "service": "cursos-service", "withData": true, "gates": ["rehearsed"] });
    let rehearsed = place.post("/api/migrations/validate", on_rows).await.is(200);
    assert_eq!(rehearsed["passed"], true, "rows of the other database are not asked for: {rehearsed:#}");

    let run = place.post("/api/migrations/run", json!({ "wait": true })).await.is(200);
    for part in run["databases"].as_array().expect("two") {
        let path = format!("/api/backup/{}", part["backupId"].as_str().expect("it was backed up"));
        let backup = place.get(&path).await.is(200);
        assert_eq!(backup["environment"], part["environment"], "each is backed up itself: {backup:#}");
    }

    let operations = &place.world.operations;
    assert!(operations.fire_due(now).await.is_empty(), "nothing was missed");
    let made = due(operations, now + std::time::Duration::from_hours(12)).await;
    assert_eq!(made, [MAIN, CURSOS, CURSOS], "each whole, and the service where it lives");
}
