//! What was found by trying to break it: odd addresses, others who come next, much of everything, processes that die.

use db_migrations_service::operations::{Caller, Operations, Recording, RunHandle, RunOrder};
use reqwest::Method;
use serde_json::json;

use crate::browser::Browser;
use crate::walk;
use crate::world::{Setup, World, admin, world, world_with};

const GATE: i64 = 4_712;

/// One migration of three statements that waits for the gate with its second.
fn gated() -> Setup {
    let files = vec![
        (
            "migrations/nada{s}/1_wait.up.sql",
            "CREATE TABLE nada{s}.uno (id int);\nSELECT pg_advisory_xact_lock(4712);\nSELECT 1;",
        ),
        ("migrations/nada{s}/1_wait.down.sql", "DROP TABLE nada{s}.uno;"),
    ];
    Setup { files, ..Setup::default() }
}

/// A run of another process, such as the command line.
async fn elsewhere(world: &World) -> RunHandle {
    let (project, targets) = (world.operations.project().clone(), world.operations.targets().clone());
    let operations = Operations::new(project, targets, Recording::Alongside);
    let order = RunOrder { service: Some("nada-service".to_owned()), ..RunOrder::default() };
    let mut told = world.request(Method::GET, "/api/events?type=waiting&lastEventId=0").send().await.expect("a stream");
    let run =
        operations.start_run(order, &Caller::unrestricted(kernel::Actor::cli("prueba"))).await.expect("it starts");
    // It is on record with its first batch of events.
    let mut heard = Vec::new();
    while !String::from_utf8_lossy(&heard).contains("event: waiting") {
        heard.extend(told.chunk().await.expect("it goes on").expect("it is not over"));
    }
    run
}

async fn fits(page: &Browser, place: &str) {
    page.run(&format!("location.hash = '#/{place}'")).await;
    let name = place.split('/').next().unwrap_or(place);
    page.until(&format!("document.querySelector('main.page-{name} h1') && !document.querySelector('.bones')")).await;
    let over = page.run("return document.documentElement.scrollWidth - document.documentElement.clientWidth").await;
    assert_eq!(over, 0, "{place} is wider than the screen");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_was_cut_off_still_shows_a_page() {
    let world = world().await;
    walk(&world, async |page| {
        for (place, words) in [
            ("service/%E0%A4%A", "There is no such service"),
            ("service", "Perhaps the address is misspelt"),
            ("run", "Perhaps the address is misspelt"),
        ] {
            page.go("about:blank").await;
            page.go(&format!("http://{}/#/{place}", world.address)).await;
            page.see("main", words).await;
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_comes_next_chooses_among_what_they_may_see() {
    let world = world().await;
    let token = world.token(&["read"], &["alumnos-service"]).await;
    let offered = |names: &[&str]| {
        let options = "JSON.stringify([...document.querySelectorAll('#service option')].map((e) => e.value))";
        format!("{options} === {}", json!(json!(names).to_string()))
    };
    walk(&world, async |page| {
        page.press("nav a", "Plan & run").await;
        let all = offered(&["", "alumnos-service", "cursos-service", "nada-service"]);
        page.until(&all).await;
        page.press(".who button", "Sign in").await;
        page.fill("input[name=token]", &token).await;
        page.press("form button.primary", "Sign in").await;
        page.until(&offered(&["alumnos-service"])).await;
        page.go("about:blank").await;
        page.go(&format!("http://{}/#/plan", world.address)).await;
        page.until(&offered(&["alumnos-service"])).await;
        page.press(".who button", "Sign out").await;
        page.until(&all).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_fires_is_shown_however_much_is_over_since() {
    let world = world().await;
    let alert = |state: &str, n: &str, fired: &str, resolved: &str| {
        format!(
            "INSERT INTO migration_service.alert (rule, environment, service, subject, state, severity, words, pending_since, \
             fired_at, last_seen_at, resolved_at) SELECT 'drift', 'development', 's' || n, '', '{state}', 'warning', '', now(), \
             {fired}, now(), {resolved} FROM generate_series({n}) AS n"
        )
    };
    let master = admin(&format!("master{}", world.suffix())).await;
    for text in [
        alert("firing", "1, 1", "now()", "NULL"),
        alert("pending", "2, 2", "NULL", "NULL"),
        alert("resolved", "3, 150", "now()", "now()"),
    ] {
        master.batch(&text).await.expect("it is written down");
    }
    walk(&world, async |page| {
        page.press("nav a", "Alerts").await;
        page.see("tbody tr:nth-child(1)", "Firing").await;
        page.see("tbody tr:nth-child(2)", "Pending").await;
        assert_eq!(page.run("return document.querySelectorAll('tbody tr').length").await, 102);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_run_is_told_however_many_were_only_tried() {
    let world = world().await;
    world.post("/api/migrations/run", json!({ "wait": true })).await.is(200);
    for _ in 0..100 {
        let body = json!({ "steps": 1, "service": "cursos-service", "dryRun": true, "wait": true });
        world.post("/api/migrations/rollback", body).await.is(200);
    }
    walk(&world, async |page| {
        page.see(".matrix tbody tr:nth-child(1) td", "Run ").await;
        let told = page.run("return document.querySelector('.matrix tbody td').textContent").await;
        assert!(!told.as_str().expect("text").contains("no run"), "{told}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_of_the_command_line_is_watched_to_its_end() {
    let world = world_with(gated()).await;
    world.post("/api/migrations/run", json!({ "service": "alumnos-service", "wait": true })).await.is(200);
    let gate = admin(&format!("dev{}", world.suffix())).await;
    gate.batch(&format!("SELECT pg_advisory_lock({GATE})")).await.expect("nobody has it");
    let run = elsewhere(&world).await;
    walk(&world, async |page| {
        page.run(&format!("location.hash = '#/run/{}'", run.id())).await;
        page.see(".run-statement[aria-current=step]", "2/3").await;
        page.see(".run-head.running", "Cancel the run").await;
        gate.batch(&format!("SELECT pg_advisory_unlock({GATE})")).await.expect("it was had");
        page.see(".run-head.completed", "1/1").await;
        page.see(".run-row.done", "wait").await;
    })
    .await;
}

/// Nothing tells its end: its process is gone with what it had not written down.
#[tokio::test(flavor = "multi_thread")]
async fn a_run_whose_process_died_does_not_go_on_for_ever() {
    let world = world_with(gated()).await;
    world.post("/api/migrations/run", json!({ "service": "alumnos-service", "wait": true })).await.is(200);
    let gate = admin(&format!("dev{}", world.suffix())).await;
    gate.batch(&format!("SELECT pg_advisory_lock({GATE})")).await.expect("nobody has it");
    let run = elsewhere(&world).await;
    let died = format!(
        "UPDATE migration_service.run SET state = 'interrupted', finished_at = now() WHERE id = '{}'",
        run.id()
    );
    walk(&world, async |page| {
        page.run(&format!("location.hash = '#/run/{}'", run.id())).await;
        page.see(".run-statement[aria-current=step]", "2/3").await;
        admin(&format!("master{}", world.suffix())).await.batch(&died).await.expect("it is written down");
        page.see(".run-head.interrupted", "Interrupted").await;
        page.see(".run-row.interrupted", "wait").await;
        page.until("!document.querySelector('.run-statement[aria-current=step]')").await;
    })
    .await;
    gate.batch(&format!("SELECT pg_advisory_unlock({GATE})")).await.expect("it was had");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_has_checked_is_not_called_good() {
    let world = world().await;
    world.post("/api/migrations/run", json!({ "wait": true })).await.is(200);
    walk(&world, async |page| {
        page.press("nav a", "Audit").await;
        page.see("section[aria-labelledby=drift]", "not checked yet").await;
        page.see("section[aria-labelledby=entries]", "MIGRATE").await;
        page.until("!document.querySelector('.bones')").await;
        assert_eq!(page.run("return document.querySelectorAll('.calm').length").await, 0);
        page.press("button", "Check now").await;
        page.see("section[aria-labelledby=drift] .calm", "what the migrations make").await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn names_and_words_without_a_space_fit_on_a_telephone() {
    let catalogue = "[project]\nname = \"escuela\"\ndefault_environment = \"development-of-the-ministry-of-education-of-a-country\"\n\
         [environments.development-of-the-ministry-of-education-of-a-country]\nurl_variable = \"DEVELOPMENT_URL\"\n\
         database = \"dev{s}\"\n\
         [services.a-service-with-a-name-that-is-far-too-long-for-any-telephone-service]\n\
         schemas = [\"a_schema_with_a_name_as_long_as_it_may{s}\"]\n";
    let files = vec![
        ("config/services.toml", catalogue),
        (
            "migrations/a_schema_with_a_name_as_long_as_it_may{s}/1_make.up.sql",
            "CREATE TABLE a_schema_with_a_name_as_long_as_it_may{s}.a_table_with_a_name_as_long_as_postgresql_lets_it_be_made (id int);",
        ),
        ("migrations/a_schema_with_a_name_as_long_as_it_may{s}/1_make.down.sql", "SELECT 1 / 0;"),
        ("migrations/a_schema_with_a_name_as_long_as_it_may{s}/2_wrong.up.sql", "SELECT 1 / 0;"),
        ("migrations/a_schema_with_a_name_as_long_as_it_may{s}/2_wrong.down.sql", "SELECT 1;"),
    ];
    let world = world_with(Setup { files, empty: true, ..Setup::default() }).await;
    world.post("/api/migrations/run", json!({ "wait": true })).await;
    let made = json!({ "description": "x".repeat(400), "wait": true });
    let made = world.post("/api/backup/create", made).await.is(200);
    let id = made["backupId"].as_str().expect("an id");
    let in_place = json!({ "confirm": id, "inPlace": true, "wait": true });
    world.post(&format!("/api/backup/restore/{id}"), in_place).await.is(200);
    world.operations.sample_now().await;
    world.operations.evaluate_alerts(time::OffsetDateTime::now_utc()).await.expect("the master database answers");
    walk(&world, async |page| {
        page.resize(360, 800).await;
        let service = "service/a-service-with-a-name-that-is-far-too-long-for-any-telephone-service";
        for place in ["overview", "alerts", "erd", "backups", "plan", "rollback", "database", "audit", service] {
            fits(page, place).await;
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn where_nothing_is_pending_it_is_said_what_a_run_would_do() {
    let world = world_with(Setup { empty: true, ..Setup::default() }).await;
    walk(&world, async |page| {
        page.run("location.hash = '#/plan?env=production'").await;
        page.press("button.primary", "Prepare the database").await;
        page.see("dialog[open]", "production is protected").await;
        page.key("\u{e00c}").await;
        page.run("location.hash = '#/plan'").await;
        page.see(".empty", "development has nothing to apply").await;
        page.press("button.primary", "Prepare the database").await;
        page.see(".run-head.completed", "Completed").await;
        page.press("nav a", "Plan & run").await;
        page.see(".empty code", "profe migrate new <schema> <intent>").await;
    })
    .await;
}

/// A browser has six connections for all its pages together; those that nobody sees need none. One without a window does
/// not hide what lies behind, so that is said here.
#[tokio::test(flavor = "multi_thread")]
async fn the_seventh_page_is_shown_like_the_first() {
    const BEHIND: &str = "Object.defineProperty(document, 'hidden', { value: true, configurable: true }); \
                          document.dispatchEvent(new Event('visibilitychange'))";
    const SEEN: &str = "delete document.hidden; document.dispatchEvent(new Event('visibilitychange'))";
    let world = world().await;
    world.post("/api/migrations/run", json!({ "wait": true })).await.is(200);
    walk(&world, async |page| {
        for _ in 0..8 {
            page.another().await;
            page.go(&format!("http://{}/#/backups", world.address)).await;
            page.see("h2", "0 backups").await;
            page.run(BEHIND).await;
        }
        // What happened meanwhile is there for who comes back.
        world.post("/api/backup/create", json!({ "wait": true })).await.is(200);
        assert_eq!(page.run("return document.querySelectorAll('.backup').length").await, 0);
        page.run(SEEN).await;
        page.see("h2", "1 backup").await;
    })
    .await;
}
