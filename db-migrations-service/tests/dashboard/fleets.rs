//! Fleets: brought forward, watched wave by wave, stopped by a failure, gone on with, called off; and releases and webhooks.

use serde_json::json;

use crate::walk;
use crate::world::{Setup, World, admin, world_with};

/// Four databases of one service; what the default project has besides.
pub const CATALOGUE: (&str, &str) = (
    "config/services.toml",
    r#"
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
    [environments.staging]
    url_variable = "STAGING_URL"
    [services.alumnos-service]
    schemas = ["alumnos{s}"]
    [services.cursos-service]
    schemas = ["cursos{s}"]
    references = ["alumnos{s}"]
    [services.nada-service]
    schemas = ["nada{s}"]
    [services.planes-service]
    schemas = ["planes{s}"]
    [fleets.inquilinos]
    service = "planes-service"
    environment = "development"
    databases = ["uno{s}", "dos{s}", "tres{s}", "cuatro{s}"]
    wave = 2
    per_server = 2
    "#,
);

/// Where databases are that the environment has, too.
async fn make(world: &World, names: &[&str]) {
    let maintenance = admin("postgres").await;
    for name in names {
        maintenance.batch(&format!("CREATE DATABASE {name}{}", world.suffix())).await.expect("the superuser may");
    }
}

pub async fn with_a_fleet(up: &'static str, names: &[&str]) -> World {
    let files = vec![
        CATALOGUE,
        ("migrations/planes{s}/1_create_plan.up.sql", up),
        ("migrations/planes{s}/1_create_plan.down.sql", "DROP TABLE planes{s}.plan;"),
    ];
    let world = world_with(Setup { files, ..Setup::default() }).await;
    // The server is the environment's, which is there with its database.
    world.post("/api/migrations/run", json!({ "service": "nada-service", "wait": true })).await.is(200);
    make(&world, names).await;
    world
}

pub const PLAN: &str = "CREATE TABLE planes{s}.plan (id int PRIMARY KEY);";

#[tokio::test(flavor = "multi_thread")]
async fn a_fleet_is_brought_forward_stops_at_a_failure_and_is_gone_on_with() {
    let world = with_a_fleet(PLAN, &["uno", "dos", "tres"]).await;
    walk(&world, async |page| {
        page.press("nav a", "Fleets").await;
        page.see("[data-fleet=inquilinos]", "It was never brought forward").await;
        page.press("[data-fleet] button", "Where does it stand?").await;
        page.see("[data-standing] li", "3 databases at nothing applied").await;
        page.see("[data-standing]", "1").await;
        page.press("[data-fleet] button", "Bring forward").await;
        page.see("dialog[open]", "Some go first").await;
        page.press("dialog button.primary", "Bring forward").await;

        page.see("h1", "Run · inquilinos").await;
        page.until("document.querySelector('[data-state=stopped]')").await;
        page.see("[data-state]", "3/4").await;
        page.see(".warn-note", "Stopped: 1 failed, and at most 0 may.").await;
        page.see("[data-state] .facts", "1, at most 0").await;
        page.see("[data-failed]", &format!("cuatro{}", world.suffix())).await;
        page.see("#failed + ul .trouble", "does not exist").await;
        for (label, rows) in [("Waves", ["The first", "Wave 1", "Wave 2"].as_slice()), ("Servers", &["127.0.0.1"])] {
            for row in rows {
                page.see(&format!("table[aria-label={label}] td"), row).await;
            }
        }
        make(&world, &["cuatro"]).await;
        page.press("[data-state] button", "Go on").await;
        page.until("document.querySelector('[data-state=completed]')").await;
        page.see("[data-state]", "4/4").await;
        page.until("!document.querySelector('[data-failed]') && !document.querySelector('.warn-note')").await;
        page.press(".head-tools a", "All fleets").await;
        page.see("[data-fleet] td", "Completed").await;
        page.see("[data-fleet] td", "4/4").await;
    })
    .await;
    let standing = world.get("/api/fleets/inquilinos").await.is(200);
    assert_eq!(standing["upToDate"], 4, "{standing}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fleets_run_is_watched_as_it_goes_and_called_off() {
    let gated = "SELECT pg_advisory_lock(4713);\nCREATE TABLE planes{s}.plan (id int PRIMARY KEY);";
    let world = with_a_fleet(gated, &["uno", "dos", "tres", "cuatro"]).await;
    let gate = admin(&format!("uno{}", world.suffix())).await;
    gate.batch("SELECT pg_advisory_lock(4713)").await.expect("nobody has it");
    world.post("/api/fleets/inquilinos/run", json!({})).await.is(202);
    walk(&world, async |page| {
        page.press("nav a", "Fleets").await;
        page.until("document.querySelector('[data-fleet] button.primary')?.disabled").await;
        page.press("[data-fleet] td a", "Run").await;
        page.see("[data-state=running]", "0/4").await;
        page.see("#now + ul", &format!("uno{}", world.suffix())).await;
        page.press("[data-state] button", "Cancel").await;
        page.until("document.querySelector('[data-state=cancelled]') && !document.querySelector('#now')").await;
        page.see("[data-state] button", "Go on").await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_fails_for_one_reason_is_told_once_with_all_whom_it_is_of() {
    let failing = "SELECT 1;\nSELECT 1 / 0;";
    let world = with_a_fleet(failing, &["uno", "dos", "tres", "cuatro"]).await;
    let pace = json!({ "canary": 0, "failureBudget": "100%" });
    let run = world.post("/api/fleets/inquilinos/run", json!({ "pace": pace, "wait": true })).await.is(200);
    walk(&world, async |page| {
        page.run(&format!("location.hash = '#/fleet/{}'", run["runId"].as_str().expect("an id"))).await;
        page.see("#failed", "4 databases failed").await;
        page.until("document.querySelectorAll('[data-failed]').length === 4").await;
        page.until("document.querySelectorAll('.fleet-failures > li').length === 1").await;
        page.see(".fleet-failures .trouble", "division by zero").await;
        page.see(".fleet-failures", "1_create_plan.up.sql:2").await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_protected_fleet_asks_for_its_name_and_one_that_cannot_be_used_says_why() {
    let catalogue = CATALOGUE
        .1
        .replace("environment = \"development\"\n    databases", "environment = \"production\"\n    databases");
    let catalogue = catalogue
        + "[fleets.sueltos]\nservice = \"nada-service\"\nenvironment = \"staging\"\nmatch = \"suelto%\"\nservers = [\"NADIE_URL\"]\n";
    let files = vec![("config/services.toml", &*catalogue.leak())];
    let world = world_with(Setup { files, ..Setup::default() }).await;
    walk(&world, async |page| {
        page.press("nav a", "Fleets").await;
        page.see("[data-fleet=inquilinos]", "protected").await;
        page.see("[data-fleet=sueltos] .trouble", "set NADIE_URL").await;
        page.until("document.querySelector('[data-fleet=sueltos] button.primary')?.disabled").await;
        page.press("[data-fleet=inquilinos] button", "Bring forward").await;
        page.until("document.querySelector('dialog[open] button.primary')?.disabled").await;
        page.fill("dialog input[name=confirm]", "inquilinos").await;
        page.until("document.querySelector('dialog[open] button.primary')?.disabled === false").await;
        page.press("dialog button.primary", "Bring forward").await;
        // Its databases are not backed up by the service, which the environment wants.
        page.see("dialog .trouble", "--no-backup").await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn live_releases_and_what_services_are_told_are_shown() {
    let world = world_with(Setup::default()).await;
    walk(&world, async |page| {
        page.press("nav a", "Releases").await;
        page.see(".empty", "No service has said which release runs").await;
        page.see(".empty", "No service was told anything").await;
        let path = "/api/releases/alumnos-service/alumnos-1";
        let body = json!({ "environment": "development", "release": "2.4.1", "needs": [] });
        let registered = world.request(reqwest::Method::PUT, path).json(&body).send().await.expect("an answer");
        assert!(registered.status().is_success(), "{registered:?}");
        let master = admin(&format!("master{}", world.suffix())).await;
        let told = "INSERT INTO migration_service.webhook_delivery (environment, service, event, run_id, body, attempts, answer, created_at, due_at) \
                    VALUES ('development', 'alumnos-service', 'applied', gen_random_uuid(), '{}', 3, 'HTTP 503', now(), now())";
        master.batch(told).await.expect("it is written down");
        page.press("nav a", "Audit").await;
        page.press("nav a", "Releases").await;
        page.see("td", "2.4.1").await;
        page.see("td", "alumnos-1").await;
        page.see("td", "HTTP 503").await;
        page.see("td", "Migrations applied").await;
    })
    .await;
}
