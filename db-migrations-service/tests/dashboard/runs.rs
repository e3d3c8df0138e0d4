//! Migrations: planned, run, watched, failed, cancelled, taken back.

use serde_json::json;

use crate::walk;
use crate::world::{Setup, admin, world, world_with};

#[tokio::test(flavor = "multi_thread")]
async fn a_run_is_planned_started_and_watched_to_its_end() {
    let world = world().await;
    walk(&world, async |page| {
        page.see("h1", "Overview").await;
        page.see(".attention li", "3 migrations pending").await;
        page.see(".matrix td", "2 pending").await;
        page.press(".attention a", "Plan & run").await;
        page.see("h1", "Plan & run").await;
        page.until("document.querySelectorAll('.step').length === 3").await;
        page.see(".gates", "Stays home").await;
        page.see(".step", "nobody waits").await;
        page.press(".step .fold", "add email").await;
        page.see(".step .sql", "ADD COLUMN email text").await;
        assert!(page.run("return document.querySelectorAll('.step .sql-k').length").await.as_u64() > Some(2));

        page.press("button.primary", "Apply 3 migrations").await;
        page.see("dialog[open]", "3 migrations will be applied to development").await;
        page.press("dialog button.primary", "Apply").await;
        page.see("h1", "Run · development").await;
        page.until("document.activeElement.tagName === 'H1'").await;
        page.see(".run-head.completed", "3/3").await;
        page.until("document.querySelectorAll('.run-row.done').length === 3").await;
        page.see("[aria-live]", "Run: Completed").await;

        page.press("nav a", "Overview").await;
        page.see(".matrix td", "Up to date").await;
        page.press(".matrix a", "alumnos-service").await;
        page.see("h1", "alumnos-service").await;
        page.press(".fold", "create alumno").await;
        page.see(".details .sql", "CREATE TABLE").await;
        page.press("button", "Check everything").await;
        page.see("td .state", "Certified").await;
        page.see(".details .proof", "Applied, taken back and applied again").await;
        page.press("[role=tab]", "Schema").await;
        page.see("[role=tabpanel]", "alumno").await;
    })
    .await;
    let applied = world.get("/api/migrations/history").await.is(200);
    assert_eq!((&applied["total"], &applied["history"][0]["appliedBy"]), (&json!(3), &json!("local")));
}

#[tokio::test(flavor = "multi_thread")]
async fn how_an_applied_one_was_proven_is_shown_and_that_it_was_not() {
    let world = world().await;
    for environment in ["development", "production"] {
        world.post("/api/migrations/run", json!({ "environment": environment, "wait": true })).await.is(200);
    }
    walk(&world, async |page| {
        page.run("location.hash = '#/service/alumnos-service?env=production'").await;
        page.see("td .state", "Certified").await;
        page.press(".fold", "add email").await;
        page.see("[data-record=certificate]", "Applied, taken back and applied again").await;
        page.see("[data-record=certificate] .facts", "The whole walk").await;
        page.see("[data-record=certificate] .gates", "Rehearsed").await;
        page.press("[data-record] summary", "1 statement").await;
        page.see("[data-record] td", "ACCESS EXCLUSIVE").await;

        page.choose("#environment", "development").await;
        page.until("![...document.querySelectorAll('td .state')].some((e) => e.textContent.includes('Certified'))")
            .await;
        page.press(".fold", "add email").await;
        page.see("[data-record=none]", "it was never rehearsed on this database").await;
        page.see("[data-record=none]", "Its run went through none").await;
        page.press("button", "Check everything").await;
        page.see("td .state", "Certified").await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failing_one_is_shown_with_its_caret() {
    let files = vec![
        (
            "migrations/alumnos{s}/20260103000000_add_phone.up.sql",
            "ALTER TABLE alumnos{s}.alumno ADD COLUMN phone text;\nALTER TABLE alumnos{s}.alumno\n  ADD CHECK (telefono <> '');",
        ),
        ("migrations/alumnos{s}/20260103000000_add_phone.down.sql", "SELECT 1;"),
    ];
    let world = world_with(Setup { files, ..Setup::default() }).await;
    walk(&world, async |page| {
        page.press("nav a", "Plan & run").await;
        page.press("button.primary", "Apply 4 migrations").await;
        page.press("dialog button.primary", "Apply").await;
        page.see(".run-head.failed", "Failed").await;
        page.see(".failure", "\"telefono\" does not exist").await;
        page.see(".failure .facts", "42703").await;
        page.see(".caret figcaption", "20260103000000_add_phone.up.sql:").await;
        page.see(".failure", "Left behind: nothing").await;
        page.see(".run-row.failed", "add phone").await;
        let mark = page.run("return document.querySelector('.caret-mark').textContent").await;
        let line = page.run("return document.querySelector('.caret .marked .sql-text').textContent").await;
        let (mark, line) = (mark.as_str().expect("text"), line.as_str().expect("text"));
        assert!(mark.trim_end().ends_with('^') && !line.trim().is_empty(), "{line}\n{mark}");
        assert_eq!(page.run("return document.querySelectorAll('.run-row.failed .ticks i.bad').length").await, 1);

        page.press("nav a", "Overview").await;
        page.see(".attention li.bad", "1 migration failed").await;
        page.see(".matrix td", "Failed").await;
    })
    .await;
}

/// A lock is waited for until somebody has seen it.
const PATIENT: &str = r#"
    [project]
    name = "escuela"
    default_environment = "development"
    [run]
    lock_timeout_ms = 60000
    [environments.development]
    url_variable = "DEVELOPMENT_URL"
    database = "dev{s}"
    [services.alumnos-service]
    schemas = ["alumnos{s}"]
    [services.cursos-service]
    schemas = ["cursos{s}"]
    references = ["alumnos{s}"]
"#;

#[tokio::test(flavor = "multi_thread")]
async fn a_run_is_watched_statement_by_statement_with_whom_it_waits_for() {
    let files = vec![
        (
            "migrations/alumnos{s}/20260103000000_add_phone.up.sql",
            "CREATE TABLE alumnos{s}.telefono (numero text);\n\nALTER TABLE alumnos{s}.alumno\n  ADD COLUMN phone text;\nCOMMENT ON COLUMN alumnos{s}.alumno.phone IS 'con prefijo';",
        ),
        ("migrations/alumnos{s}/20260103000000_add_phone.down.sql", "SELECT 1;"),
        ("config/services.toml", PATIENT),
    ];
    let world = world_with(Setup { files, ..Setup::default() }).await;
    let second = format!("{}/20260102000000", world.schema);
    world.post("/api/migrations/run", json!({ "to": second, "wait": true })).await.is(200);
    let holder = admin(&format!("dev{}", world.suffix())).await;
    holder.batch(&format!("BEGIN; LOCK TABLE {}.alumno IN ACCESS SHARE MODE", world.schema)).await.expect("a lock");
    walk(&world, async |page| {
        page.press("nav a", "Plan & run").await;
        page.press("button.primary", "Apply").await;
        page.press("dialog button.primary", "Apply").await;
        page.see(".waiting .blockers li", "LOCK TABLE").await;
        page.see(".waiting .waiting-title", "Statement 2").await;
        page.see(".run-statement[data-state=done]", "1/3").await;
        page.see(".run-statement[data-state=waiting][aria-current=step]", "2/3 ALTER TABLE line 3").await;
        page.see(".run-statement[data-state=waiting] .run-text", "ALTER TABLE").await;
        page.see(".run-statement[data-state=pending]", "3/3").await;
        assert_eq!(
            page.run("return [...document.querySelectorAll('.run-row .ticks i')].slice(-3).map((e) => e.className)")
                .await,
            json!(["ok", "now", ""])
        );
        holder.batch("ROLLBACK").await.expect("it ends");
        page.see(".run-head.completed", "Completed").await;
        page.see(".run-statement[data-state=done]", "2/3 ALTER TABLE").await;
        page.until("!document.querySelector('.run-statement:not([data-state=done])')").await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_in_the_way_is_shown_and_the_run_can_be_cancelled() {
    let world = world().await;
    let first = format!("{}/20260101000001", world.schema);
    world.post("/api/migrations/run", json!({ "to": first, "wait": true })).await.is(200);
    let holder = admin(&format!("dev{}", world.suffix())).await;
    holder.batch(&format!("BEGIN; LOCK TABLE {}.alumno IN EXCLUSIVE MODE", world.schema)).await.expect("a lock");
    walk(&world, async |page| {
        page.press("nav a", "Plan & run").await;
        page.press("button.primary", "Apply 2 migrations").await;
        page.press("dialog button.primary", "Apply").await;
        page.see(".waiting .blockers li", "LOCK TABLE").await;
        page.see(".run-head", "Running").await;
        page.press("button", "Cancel the run").await;
        page.see(".run-head.cancelled", "Cancelled").await;
        holder.batch("ROLLBACK").await.expect("it ends");

        page.press("a.button", "Plan again").await;
        page.press("button.primary", "Apply 2 migrations").await;
        page.press("dialog button.primary", "Apply").await;
        page.see(".run-head.completed", "2/2").await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn taken_back_after_its_name_was_typed() {
    let world = world().await;
    world.post("/api/migrations/run", json!({ "environment": "production", "wait": true })).await.is(200);
    walk(&world, async |page| {
        page.press("nav a", "Rollback").await;
        page.choose("#environment", "production").await;
        page.fill("input[name=steps]", "2").await;
        page.press("button", "Show what would be taken back").await;
        page.until("document.querySelectorAll('.plain-steps .step').length === 2").await;
        page.press(".plain-steps summary", "Down SQL").await;
        page.see(".plain-steps .sql", "DROP").await;
        page.press("button.danger", "Roll back 2 migrations").await;
        page.fill("dialog input[name=confirm]", "development").await;
        assert_eq!(page.run("return document.querySelector('dialog button.danger').disabled").await, true);
        page.fill("dialog input[name=confirm]", "production").await;
        page.press("dialog button.danger", "Roll back").await;
        page.see("h1", "Rollback · production").await;
        page.see(".run-head.completed", "2/2").await;
    })
    .await;
    let status = world.get("/api/migrations/status?environment=production").await.is(200);
    let pending = status["services"].as_array().expect("services").iter();
    assert_eq!(pending.filter_map(|service| service["pendingMigrations"].as_u64()).sum::<u64>(), 2);
}

/// A slip in an address must not lead to another database.
#[tokio::test(flavor = "multi_thread")]
async fn an_environment_that_nobody_knows_is_said_and_offers_nothing() {
    let world = world().await;
    walk(&world, async |page| {
        page.see("h1", "Overview").await;
        page.run("location.hash = '#/plan?env=prodution'").await;
        page.see(".trouble", "prodution").await;
        assert_eq!(page.run("return document.querySelectorAll('main button.primary').length").await, 0);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_protected_environment_asks_for_its_name_before_a_run() {
    let world = world().await;
    walk(&world, async |page| {
        page.see("h1", "Overview").await;
        page.run("location.hash = '#/plan?env=production'").await;
        page.press("button.primary", "Apply 3 migrations").await;
        page.see("dialog[open]", "production is protected").await;
        let closed = "return document.querySelector('dialog button.primary').disabled";
        assert_eq!(page.run(closed).await, true);
        page.fill("dialog input[name=confirm]", "development").await;
        assert_eq!(page.run(closed).await, true);
        page.fill("dialog input[name=confirm]", "production").await;
        page.press("dialog button.primary", "Apply").await;
        page.see("h1", "Run · production").await;
    })
    .await;
}

/// Three statements, none of which takes long enough to be told of by itself.
const THREE: &str = "CREATE TABLE alumnos{s}.telefono (numero text);\n\nINSERT INTO alumnos{s}.telefono VALUES ('1'), ('2');\nCOMMENT ON TABLE alumnos{s}.telefono IS 'con prefijo';";

#[tokio::test(flavor = "multi_thread")]
async fn every_statement_is_shown_with_what_it_took_also_after_the_fact() {
    const WRONG: &str = "CREATE TABLE alumnos{s}.otra (n int);\nSELECT 1 / 0;\nSELECT 2;";
    let files = vec![
        ("migrations/alumnos{s}/20260103000000_add_phone.up.sql", THREE),
        ("migrations/alumnos{s}/20260103000000_add_phone.down.sql", "SELECT 1;"),
        ("migrations/alumnos{s}/20260104000000_wrong.up.sql", WRONG),
        ("migrations/alumnos{s}/20260104000000_wrong.down.sql", "SELECT 1;"),
    ];
    let world = world_with(Setup { files, ..Setup::default() }).await;
    world.post("/api/migrations/run", json!({ "service": "alumnos-service", "wait": true })).await;
    let runs = world.get("/api/migrations/runs").await.is(200);
    let id = runs["runs"][0]["migrationId"].as_str().expect("a run").to_owned();
    walk(&world, async |page| {
        page.see("h1", "Overview").await;
        page.run(&format!("location.hash = '#/run/{id}'")).await;
        page.see(".run-head.failed", "Failed").await;
        page.see(".run-row.failed .run-statement", "2/3").await;
        let rows = "[...document.querySelectorAll('.run-row')].map((row) => [...row.querySelectorAll('.run-statement')].map((e) => \
                    `${e.dataset.state} ${e.textContent.replace(/\\s+/g, ' ').replace(/<?[\\d.,]+ m?s/, 'TIME').trim()}`))";
        let rows = page.run(&format!("return {rows}")).await;
        assert_eq!(
            rows,
            json!([
                ["done Done 1/1 CREATE TABLE line 1 TIME"],
                ["done Done 1/1 ALTER TABLE line 1 TIME"],
                [
                    "done Done 1/3 CREATE TABLE line 1 TIME",
                    "done Done 2/3 INSERT line 3 TIME 2 rows",
                    "done Done 3/3 COMMENT ON TABLE line 4 TIME",
                ],
                ["taken_back Taken back 1/3 CREATE TABLE line 1 TIME", "failed Failed 2/3 line 2"],
            ])
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn where_it_is_narrow_the_plan_is_a_numbered_list() {
    let world = world().await;
    walk(&world, async |page| {
        page.resize(360, 800).await;
        page.run("location.hash = '#/plan'").await;
        page.until("document.querySelectorAll('.step').length === 3").await;
        let shown = "(css) => [...document.querySelectorAll(css)].filter((e) => e.getClientRects().length).map((e) => e.textContent.trim())";
        let seen = page.run(&format!("const shown = {shown}; return [shown('.rail-box').length, shown('.step-number'), shown('.step-waits')]")).await;
        assert_eq!(seen[0], 0, "no lanes");
        assert_eq!(seen[1], json!(["1.", "2.", "3."]));
        assert!(seen[2].as_array().expect("texts").iter().any(|text| text.as_str().is_some_and(|t| t.contains("1. create alumno"))), "{seen}");
        let width = page.run("return Math.min(...[...document.querySelectorAll('.step-body')].map((e) => e.clientWidth))").await;
        assert!(width.as_u64() > Some(250), "{width} of 360 pixels for what is to be read");
        page.resize(1280, 800).await;
        let seen = page.run(&format!("const shown = {shown}; return [shown('.rail-box').length, shown('.step-number').length]")).await;
        assert_eq!(seen, json!([3, 0]));
    })
    .await;
}
