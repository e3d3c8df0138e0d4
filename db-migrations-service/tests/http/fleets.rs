//! Fleets: one service's schema on many databases, over HTTP.

use std::sync::Arc;
use std::time::Duration;

use db_migrations_service::operations::{Caller, FleetAim, FleetOrder, Operations, Recording};
use db_migrations_service::settings::Settings;
use db_migrations_service::targets::Targets;
use embedded_postgres::{Cluster, ClusterOptions};
use kernel::Actor;
use migration_engine::Project;
use migration_engine::catalogue::Canary;
use postgres_link::ConnectOptions;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::world::{Setup, World, admin, url, world_with};

const CATALOGUE: (&str, &str) = (
    "config/services.toml",
    r#"
    [project]
    name = "escuela"
    [environments.development]
    database = "dev{s}"
    [environments.production]
    database = "prod{s}"
    gates = ["rehearsed"]
    [environments.production.backup]
    before_run = true
    [fleets.tenants]
    service = "planes-service"
    environment = "development"
    servers = ["SERVER_ONE", "SERVER_TWO"]
    match = "tenant%{s}"
    canary = 2
    wave = 10
    per_server = 3
    failure_budget = "10%"
    [fleets.listed]
    service = "planes-service"
    environment = "production"
    databases = ["tenant00{s}", "$TENANT_URL"]
    servers = ["SERVER_ONE"]
    [fleets.read]
    service = "notas-service"
    environment = "development"
    servers = ["SERVER_ONE", "SERVER_TWO"]
    query = "SELECT name, place FROM tenant{s}"
    query_on = "production"
    [services.alumnos-service]
    schemas = ["alumnos{s}"]
    [services.planes-service]
    schemas = ["planes{s}"]
    [services.notas-service]
    schemas = ["notas{s}"]
    "#,
);
const PLAN: [(&str, &str); 2] = [
    ("migrations/planes{s}/1_create_plan.up.sql", "CREATE TABLE planes{s}.plan (id int PRIMARY KEY, n int);"),
    ("migrations/planes{s}/1_create_plan.down.sql", "DROP TABLE planes{s}.plan;"),
];

/// A fleet on two servers: the tests' own, and one that is started here.
struct Fleet {
    world: World,
    two: Cluster,
    names: Vec<String>,
}

impl Fleet {
    /// With so many databases on each of both servers.
    async fn of(each: usize, more: &[(&'static str, &'static str)]) -> Self {
        let folder = tempfile::tempdir().expect("a folder").keep();
        let started = tokio::task::spawn_blocking(move || {
            let options = ClusterOptions::new(folder).unsafe_without_fsync().setting("max_connections", "100");
            Cluster::start(&options).expect("PostgreSQL's server programs are installed")
        });
        let two = started.await.expect("no panic");
        let one = tokio::task::spawn_blocking(|| url("postgres")).await.expect("no panic");
        let files = [CATALOGUE].into_iter().chain(PLAN).chain(more.iter().copied()).collect();
        let variables = vec![
            ("SERVER_ONE", one.clone()),
            ("SERVER_TWO", two.url("postgres")),
            ("TENANT_URL", two.url("postgres").replace("/postgres?", "/tenant00{s}?")),
        ];
        let world = world_with(Setup { files, variables, empty: true }).await;
        let mut fleet = Self { world, two, names: Vec::new() };
        for (server, is_two) in [(one, false), (fleet.two.url("postgres"), true)] {
            let session = connect(&server).await;
            for at in 0..each {
                let name = format!("tenant{at:02}{}", fleet.world.suffix());
                session.batch(&format!("CREATE DATABASE {name} TEMPLATE template0")).await.expect("the superuser may");
                fleet.names.push(format!("{}{name}", if is_two { "2:" } else { "1:" }));
            }
        }
        fleet
    }

    fn url_of(&self, name: &str) -> String {
        let (server, database) = name.split_once(':').expect("a server");
        if server == "1" { url(database) } else { self.two.url(database) }
    }

    async fn value(&self, name: &str, sql: &str) -> String {
        let outcome = connect(&self.url_of(name)).await.batch(sql).await.expect("the database answers");
        outcome.value(outcome.statements.len() - 1, 0).unwrap_or_default().to_owned()
    }

    /// How many migrations each database has; all of them.
    async fn applied(&self) -> Vec<String> {
        let mut all = Vec::new();
        for name in &self.names {
            let there = self.value(name, "SELECT to_regclass('migration_service.history') IS NOT NULL").await;
            let sql = "SELECT count(*) FROM migration_service.history WHERE rolled_back_at IS NULL";
            all.push(if there == "t" { self.value(name, sql).await } else { "0".to_owned() });
        }
        all
    }

    async fn run(&self, body: Value) -> Value {
        let mut body = body;
        body["wait"] = json!(true);
        self.world.post("/api/fleets/tenants/run", body).await.is(200)
    }

    async fn targets(&self, run: &Value, query: &str) -> Vec<Value> {
        let id = run["runId"].as_str().expect("an id");
        let page = self.world.get(&format!("/api/fleets/runs/{id}/targets?limit=1000{query}")).await.is(200);
        page["targets"].as_array().expect("a list").clone()
    }

    /// Another copy of the service on the same master database.
    fn copy(&self) -> Operations {
        let suffix = self.world.suffix();
        let variables = [
            ("MIGRATION_SERVICE_MASTER_DB_URL", url(&format!("master{suffix}"))),
            ("SERVER_ONE", url("postgres")),
            ("SERVER_TWO", self.two.url("postgres")),
            ("TENANT_URL", self.two.url(&format!("tenant00{suffix}"))),
        ];
        let lookup = |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| value.clone());
        let settings = Settings::read(&lookup).expect("good settings");
        let project = Arc::new(Project::open(self.world.project.path()).expect("a good project"));
        let targets = Targets::resolve(&project.catalogue, &settings, &lookup, None).expect("good targets");
        Operations::new(project, targets, Recording::First)
    }
}

async fn connect(url: &str) -> postgres_link::AdminConn {
    let options = ConnectOptions::parse_with(url, &|_| None).expect("a good URL");
    postgres_link::connect(&options).await.expect("the server runs")
}

fn me() -> Caller {
    Caller::unrestricted(Actor::cli("prueba"))
}

const SECOND: [(&str, &str); 2] = [
    ("migrations/planes{s}/2_add_m.up.sql", "ALTER TABLE planes{s}.plan ADD m int;"),
    ("migrations/planes{s}/2_add_m.down.sql", "ALTER TABLE planes{s}.plan DROP m;"),
];

#[tokio::test(flavor = "multi_thread")]
async fn forty_databases_on_two_servers_come_forward_and_back() {
    let fleet = Fleet::of(20, &[]).await;
    let plan = fleet.world.get("/api/fleets/tenants/plan").await.is(200);
    assert_eq!((&plan["targets"], &plan["groups"][0]["targets"]), (&json!(40), &json!(40)), "{plan}");
    let run = fleet.run(json!({})).await;
    assert_eq!((&run["state"], &run["counts"]), (&json!("completed"), &json!({ "applied": 40 })), "{run}");
    assert_eq!(fleet.applied().await, vec!["1"; 40]);
    // In each database the history names the run, and there is nothing of other services.
    let id = run["runId"].as_str().expect("an id");
    let last = fleet.names.last().expect("some").clone();
    assert_eq!(fleet.value(&last, "SELECT run_id FROM migration_service.history").await, id);
    let strange =
        format!("SELECT count(*) FROM pg_namespace WHERE nspname ~ '^(alumnos|notas){}'", fleet.world.suffix());
    assert_eq!(fleet.value(&last, &strange).await, "0");
    // Waves: the first two, then ten at a time.
    let waves: Vec<_> =
        fleet.targets(&run, "").await.iter().map(|target| target["wave"].as_i64().unwrap_or(-1)).collect();
    assert_eq!((waves[1], waves[2], waves[12], waves[39]), (0, 1, 2, 4), "{waves:?}");
    let again = fleet.run(json!({})).await;
    assert_eq!(again["counts"], json!({ "skipped": 40 }));

    let status = fleet.world.get("/api/fleets/tenants?each=true").await.is(200);
    let version = format!("planes{}/1", fleet.world.suffix());
    assert_eq!(status["versions"], json!([{ "version": version, "targets": 40 }]));
    assert_eq!((&status["upToDate"], &status["overallStatus"]), (&json!(40), &json!("healthy")));
    assert_eq!(status["databases"].as_array().map(Vec::len), Some(40));

    let back = json!({ "steps": 1, "pace": { "canary": 0, "wave": 100 }, "wait": true });
    let back = fleet.world.post("/api/fleets/tenants/rollback", back).await.is(200);
    assert_eq!(back["counts"], json!({ "rolled_back": 40 }), "{back}");
    let runs = fleet.world.get("/api/fleets/runs?fleet=tenants").await.is(200);
    let kinds: Vec<_> = runs["runs"].as_array().expect("runs").iter().map(|run| run["kind"].clone()).collect();
    assert_eq!(kinds, ["rollback", "run", "run"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn too_many_failures_stop_it_and_it_goes_on_where_it_stopped() {
    let fleet = Fleet::of(10, &[]).await;
    // A table of that name stands in the way; three of twenty are more than ten percent.
    let schema = format!("planes{}", fleet.world.suffix());
    let in_the_way = format!("CREATE SCHEMA {schema}; CREATE TABLE {schema}.plan (id int)");
    for at in [5, 8, 15] {
        fleet.value(&fleet.names[at], &in_the_way).await;
    }
    let stopped = fleet.run(json!({ "pace": { "wave": 4, "perServer": 1 } })).await;
    assert_eq!(stopped["state"], "stopped", "{stopped}");
    assert!(stopped["why"].as_str().is_some_and(|why| why == "3 failed, and at most 2 may"), "{stopped}");
    let failed = fleet.targets(&stopped, "&state=failed").await;
    assert_eq!(failed.len(), 3);
    assert!(failed.iter().all(|target| target["error"]["code"].is_string()), "{failed:?}");
    let pending = stopped["counts"]["pending"].as_i64().unwrap_or_default();
    assert!(pending > 0, "it went on after the third: {stopped}");

    for at in [5, 8, 15] {
        fleet.value(&fleet.names[at], &format!("DROP TABLE {schema}.plan")).await;
    }
    let id = stopped["runId"].as_str().expect("an id");
    let resumed = fleet.world.post(&format!("/api/fleets/runs/{id}/resume"), json!({ "wait": true })).await.is(200);
    assert_eq!((&resumed["runId"], &resumed["state"]), (&stopped["runId"], &json!("completed")), "{resumed}");
    assert_eq!(fleet.applied().await, vec!["1"; 20]);
    let refused = fleet.world.post(&format!("/api/fleets/runs/{id}/resume"), json!({})).await;
    refused.is_problem(409, "run_is_over");
}

/// Nothing at all goes at once where those that should go first cannot.
#[tokio::test(flavor = "multi_thread")]
async fn a_canary_that_the_fleet_does_not_have_is_refused() {
    let fleet = Fleet::of(1, &[]).await;
    let mut order = FleetOrder::of("tenants", FleetAim::Forward { to: None });
    order.canary = Some(Canary::Named(vec![format!("tenant00{}", fleet.world.suffix()), "tenant_zz".to_owned()]));
    let refused = fleet.world.operations.start_fleet_run(order, &me()).await.expect_err("it is not there");
    assert_eq!(refused.to_string(), "the fleet \"tenants\" has no tenant_zz, which should go first");
    assert_eq!(fleet.applied().await, ["0", "0"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pattern_never_means_the_databases_of_environments_nor_the_master() {
    let everything = CATALOGUE.1.replace("match = \"tenant%{s}\"", "match = \"%{s}\"");
    let fleet = Fleet::of(1, &[("config/services.toml", everything.leak())]).await;
    let suffix = fleet.world.suffix();
    let dev = format!("dev{suffix}");
    connect(&url("postgres"))
        .await
        .batch(&format!("CREATE DATABASE {dev} TEMPLATE template0"))
        .await
        .expect("it is new");
    let status = fleet.world.get("/api/fleets/tenants?each=true").await.is(200);
    let found = status["databases"].as_array().expect("a list").iter();
    let names: Vec<&str> = found.filter_map(|one| one["name"].as_str()?.rsplit('/').next()).collect();
    let tenant = format!("tenant00{suffix}");
    assert_eq!(names, [&tenant, &tenant], "one on each server, and neither {dev} nor the master");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_canary_that_fails_keeps_the_others_as_they_are() {
    let fleet = Fleet::of(3, &[]).await;
    let schema = format!("planes{}", fleet.world.suffix());
    fleet.value(&fleet.names[1], &format!("CREATE SCHEMA {schema}; CREATE TABLE {schema}.plan (id int)")).await;
    let run = fleet.run(json!({ "pace": { "failureBudget": "100%" } })).await;
    assert_eq!(
        (&run["state"], &run["why"]),
        (&json!("stopped"), &json!("1 of those that go first failed, and all of them must succeed"))
    );
    assert_eq!(run["counts"], json!({ "applied": 1, "failed": 1, "pending": 4 }));
    assert_eq!(fleet.applied().await, ["1", "0", "0", "0", "0", "0"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_belongs_to_one_copy_and_another_takes_it_up_when_that_lets_go() {
    let fleet = Fleet::of(4, &[]).await;
    let (here, there) = (&fleet.world.operations, fleet.copy());
    // Somebody holds the lock of the first database, so that the run is in the middle of it.
    let holder = connect(&fleet.url_of(&fleet.names[0])).await;
    let (class, id) = migration_engine::RUN_LOCK;
    holder.batch(&format!("SELECT pg_advisory_lock({class}, {id})")).await.expect("it is free");
    let mut order = FleetOrder::of("tenants", FleetAim::Forward { to: None });
    order.wait_for_lock = Duration::from_mins(1);
    order.canary = Some(Canary::First(1));
    let handle = here.start_fleet_run(order.clone(), &me()).await.expect("it begins");
    let second = there.start_fleet_run(order, &me()).await.expect_err("one at a time");
    assert_eq!(second.code(), "fleet_busy");
    let stolen = there.resume_fleet_run(handle.run(), &me()).await.expect_err("it is held");
    assert!(stolen.to_string().contains("is under way"), "{stolen}");

    handle.hand_over();
    handle.finished().await;
    let rests = there.fleet_run(handle.run(), &me()).await.expect("it is there");
    assert_eq!((rests.state, rests.done), ("interrupted", 0));
    drop(holder);
    let taken = there.resume_fleet_run(handle.run(), &me()).await.expect("nobody has it");
    taken.finished().await;
    let done = here.fleet_run(handle.run(), &me()).await.expect("it is there");
    assert_eq!((done.state, done.done), ("completed", 8));
    assert_eq!(fleet.applied().await, vec!["1"; 8]);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_lost_the_lease_stops_and_writes_nothing_more() {
    let fleet = Fleet::of(4, &[]).await;
    let holder = connect(&fleet.url_of(&fleet.names[0])).await;
    let (class, id) = migration_engine::RUN_LOCK;
    holder.batch(&format!("SELECT pg_advisory_lock({class}, {id})")).await.expect("it is free");
    let mut order = FleetOrder::of("tenants", FleetAim::Forward { to: None });
    order.wait_for_lock = Duration::from_mins(1);
    order.canary = Some(Canary::First(1));
    let operations = &fleet.world.operations;
    let handle = operations.start_fleet_run(order, &me()).await.expect("it begins");
    // Both believe that it is theirs: the lease goes to somebody else.
    let master = admin(&format!("master{}", fleet.world.suffix())).await;
    let other = Uuid::now_v7();
    let steal = format!("UPDATE migration_service.fleet_run SET holder = '{other}' WHERE id = '{}'", handle.run());
    master.batch(&steal).await.expect("it may");
    drop(holder);
    handle.finished().await;
    let state = format!("SELECT state, holder::text FROM migration_service.fleet_run WHERE id = '{}'", handle.run());
    let outcome = master.batch(&state).await.expect("it answers");
    assert_eq!((outcome.value(0, 0), outcome.value(0, 1)), (Some("running"), Some(other.to_string().as_str())));
    let kept = format!(
        "SELECT count(*) FROM migration_service.fleet_target WHERE run = '{}' AND state IN ('applied', 'failed')",
        handle.run()
    );
    assert_eq!(master.batch(&kept).await.expect("it answers").value(0, 0), Some("0"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_called_off_after_its_process_died_has_nothing_under_way() {
    let fleet = Fleet::of(2, &[]).await;
    let run = fleet.run(json!({})).await;
    let id = run["runId"].as_str().expect("an id");
    // As whoever dies in the middle leaves it.
    let master = admin(&format!("master{}", fleet.world.suffix())).await;
    let died = format!(
        "UPDATE migration_service.fleet_run SET state = 'running', finished_at = NULL WHERE id = '{id}'; \
         UPDATE migration_service.fleet_target SET state = 'running', finished_at = NULL WHERE run = '{id}' AND place > 0"
    );
    master.batch(&died).await.expect("it may");
    let cancelled = fleet.world.post(&format!("/api/fleets/runs/{id}/cancel"), json!({})).await;
    let cancelled: Value = serde_json::from_str(&cancelled.text).expect("JSON");
    assert_eq!(cancelled["state"], json!("cancelled"), "{cancelled}");
    assert_eq!(cancelled["counts"], json!({ "applied": 1, "pending": 3 }), "nobody works on any of them");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_rehearsal_does_for_all_that_stand_at_the_same_place() {
    let fleet = Fleet::of(1, &SECOND).await;
    let listed = "/api/fleets/listed";
    let refused = fleet.world.post(&format!("{listed}/run"), json!({ "wait": true })).await;
    refused.is_problem(409, "backup_required");
    let mut order = FleetOrder::of("listed", FleetAim::Forward { to: None });
    order.no_backup = Some("they are replicas of one that has one".to_owned());
    let handle = fleet.world.operations.start_fleet_run(order, &me()).await.expect("it begins");
    handle.finished().await;
    assert_eq!(fleet.applied().await, ["2", "2"]);
    let when = "SELECT string_agg(content::jsonb ->> 'at', ' ' ORDER BY version) FROM migration_service.certificate";
    let certificates = [fleet.value(&fleet.names[0], when).await, fleet.value(&fleet.names[1], when).await];
    assert_eq!(certificates[0], certificates[1], "the second was rehearsed by itself");
    assert!(!certificates[0].is_empty());
    let why =
        fleet.value(&fleet.names[1], "SELECT reason FROM migration_service.gate_override WHERE gate = 'backup'").await;
    assert_eq!(why, "they are replicas of one that has one");
}

#[tokio::test(flavor = "multi_thread")]
async fn fleets_are_listed_read_from_a_query_and_kept_from_the_main_database() {
    let fleet = Fleet::of(2, &[]).await;
    let suffix = fleet.world.suffix().to_owned();
    let fleets = fleet.world.get("/api/fleets").await.is(200);
    let found: Vec<_> =
        fleets["fleets"].as_array().expect("fleets").iter().map(|fleet| fleet["foundBy"].clone()).collect();
    assert_eq!(found, ["match", "databases", "query"]);
    admin("postgres").await.batch(&format!("CREATE DATABASE prod{suffix}")).await.expect("the superuser may");
    let place = ConnectOptions::parse_with(&fleet.two.url("postgres"), &|_| None).expect("a URL").host_summary();
    let tenants = format!(
        "CREATE TABLE public.tenant{suffix} AS SELECT * FROM (VALUES ('tenant00{suffix}', NULL), ('tenant01{suffix}', '{place}')) v (name, place);
         ALTER DATABASE prod{suffix} SET search_path = public"
    );
    admin(&format!("prod{suffix}")).await.batch(&tenants).await.expect("the superuser may");
    let status = fleet.world.get("/api/fleets/read?each=true").await.is(200);
    let names: Vec<String> =
        status["databases"].as_array().expect("two").iter().map(|one| one["name"].to_string()).collect();
    assert_eq!(names.len(), 2, "{status}");
    assert!(names[1].contains(&place), "{names:?}");
    // A fleet's service is no part of its environment's databases.
    let elsewhere =
        fleet.world.get("/api/migrations/plan?service=planes-service").await.is_problem(422, "service_elsewhere");
    assert!(elsewhere["detail"].as_str().is_some_and(|text| text.contains("the fleet \"tenants\"")), "{elsewhere}");
    assert_eq!(fleet.world.get("/api/migrations/plan").await.is(200)["total"], 0);
    fleet.world.get("/api/fleets/nobody").await.is_problem(404, "unknown_fleet");
}
