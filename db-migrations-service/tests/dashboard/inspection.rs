//! The database's figures, the audit, and what was done by hand.

use serde_json::json;
use time::OffsetDateTime;

use crate::walk;
use crate::world::{Setup, admin, world, world_with};

#[tokio::test(flavor = "multi_thread")]
async fn the_database_is_shown_with_its_sizes_and_connections() {
    let world = world().await;
    world.post("/api/migrations/run", json!({ "wait": true })).await.is(200);
    walk(&world, async |page| {
        page.press("nav a", "Database").await;
        page.see(".state", "Healthy").await;
        page.see("#size", "MB").await;
        page.see(".table-frame td", &world.schema).await;
        page.see(".facts", "In use").await;
        page.see(".empty", "pg_stat_statements").await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_charts_start_with_what_the_service_has_seen() {
    let world = world().await;
    world.post("/api/migrations/run", json!({ "wait": true })).await.is(200);
    walk(&world, async |page| {
        page.press("nav a", "Database").await;
        page.see("main section", "Nothing is kept yet").await;
        let session = admin(&format!("dev{}", world.suffix())).await;
        session.batch("BEGIN; SELECT 1").await.expect("it may");
        world.operations.sample_now().await;
        session.batch("COMMIT").await.expect("it may");
        world.operations.sample_now().await;
        // Nothing has been looked at by a page since: the figures are the service's own.
        page.press("nav a", "Overview").await;
        page.press("nav a", "Database").await;
        page.see(".figure", "Transactions").await;
        page.see(".figure .legend", "idle in transaction").await;
        page.until("[...document.querySelectorAll('.line-chart .area')].every((e) => e.getAttribute('d').includes('L'))").await;
        // What is drawn can be read step by step.
        page.run("document.querySelector('.plot').focus()").await;
        page.key("\u{e012}").await;
        page.until("/\\d\\d:\\d\\d · .*1 idle in transaction/.test(document.querySelector('.plot').getAttribute('aria-valuetext'))").await;
        page.key("\u{e00c}").await;
        page.until("!document.querySelector('.cursor')").await;
        page.choose("main section select", "last day").await;
        page.until("location.hash.includes('span=24h')").await;
        page.see(".figure", "Transactions").await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_audit_is_verified_and_what_was_done_by_hand_is_found() {
    let world = world().await;
    world.post("/api/migrations/run", json!({ "wait": true })).await.is(200);
    walk(&world, async |page| {
        page.press("nav a", "Audit").await;
        page.see("td", "MIGRATE").await;
        page.press("button", "Verify the chain").await;
        page.see("[role=status]", "The chain is whole").await;
        page.press("button", "Check now").await;
        page.see(".calm", "The schema is what the migrations make").await;

        let by_hand = format!("ALTER TABLE {}.alumno ADD COLUMN a_mano int", world.schema);
        admin(&format!("dev{}", world.suffix())).await.batch(&by_hand).await.expect("the superuser may");
        page.press("button", "Check now").await;
        page.see("td", "a_mano").await;
        page.choose("main section select", "By hand").await;
        page.press("td .fold", "ALTER TABLE").await;
        page.see(".details .sql", "a_mano").await;
        page.press("nav a", "Overview").await;
        page.see(".attention li", "Drift").await;
        page.see(".matrix td", "Drift").await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_alert_is_shown_while_it_fires_and_when_it_is_over() {
    const UP: &str = "migrations/alumnos{s}/20260103000000_wrong.up.sql";
    let files = vec![(UP, "SELECT 1 / 0;"), ("migrations/alumnos{s}/20260103000000_wrong.down.sql", "SELECT 1;")];
    let world = world_with(Setup { files, ..Setup::default() }).await;
    let evaluate = async || {
        world.operations.sample_now().await;
        world.operations.evaluate_alerts(OffsetDateTime::now_utc()).await.expect("the master database answers");
    };
    world.post("/api/migrations/run", json!({ "wait": true })).await;
    evaluate().await;
    walk(&world, async |page| {
        page.press("nav a", "Alerts").await;
        page.see("td", "failed-migration").await;
        page.see("td", "Firing").await;
        page.see("td", "1 migration of alumnos-service failed in development").await;
        let path = world.project.path().join(UP.replace("{s}", world.suffix()));
        std::fs::write(path, "SELECT 1;").expect("a file");
        world.post("/api/migrations/run", json!({ "wait": true })).await.is(200);
        evaluate().await;
        page.press("nav a", "Overview").await;
        page.press("nav a", "Alerts").await;
        page.see("td", "Resolved").await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_fires_is_among_what_needs_attention_first_and_is_said_once() {
    let files = vec![
        ("migrations/alumnos{s}/20260103000000_wrong.up.sql", "SELECT 1 / 0;"),
        ("migrations/alumnos{s}/20260103000000_wrong.down.sql", "SELECT 1;"),
        (
            "config/services.toml",
            "[project]\nname = \"escuela\"\ndefault_environment = \"development\"\n\
             [environments.development]\nurl_variable = \"DEVELOPMENT_URL\"\ndatabase = \"dev{s}\"\n\
             [services.alumnos-service]\nschemas = [\"alumnos{s}\"]\n\
             [services.cursos-service]\nschemas = [\"cursos{s}\"]\nreferences = [\"alumnos{s}\"]\n\
             [alerts.long-lock-wait]\nthreshold = 1\nfor = \"0s\"\nseverity = \"critical\"\n",
        ),
    ];
    let world = world_with(Setup { files, ..Setup::default() }).await;
    world.post("/api/migrations/run", json!({ "wait": true })).await;
    // Somebody waits for a lock, and nobody lets go.
    let database = format!("dev{}", world.suffix());
    let (holder, waiter) = (admin(&database).await, admin(&database).await);
    let lock = format!("BEGIN; LOCK TABLE {}.alumno", world.schema);
    holder.batch(&lock).await.expect("a lock");
    let waiting = tokio::spawn(async move { waiter.batch(&lock).await });
    let waited = "DO $$ BEGIN LOOP EXIT WHEN EXISTS (SELECT FROM pg_locks l JOIN pg_database d ON d.oid = l.database \
                  WHERE d.datname = current_database() AND NOT l.granted AND l.waitstart < clock_timestamp() - interval '1.1 s'); \
                  PERFORM pg_sleep(0.05); END LOOP; END $$";
    admin(&database).await.batch(waited).await.expect("it may look");
    world.operations.sample_now().await;
    world.operations.evaluate_alerts(OffsetDateTime::now_utc()).await.expect("the master database answers");
    walk(&world, async |page| {
        page.see(".attention li.bad", "Firing").await;
        page.see(".attention li.bad", "wait").await;
        let order = "return [...document.querySelectorAll('.attention li')].map((e) => e.classList[0] || 'none')";
        let order = page.run(order).await;
        let order: Vec<&str> = order.as_array().expect("a list").iter().filter_map(|kind| kind.as_str()).collect();
        assert!(order.starts_with(&["bad", "bad"]) && order[2..].iter().all(|kind| *kind != "bad"), "{order:?}");
        // The failed migration is an alert too, and one thing all the same.
        let failed =
            "[...document.querySelectorAll('.attention li')].filter((e) => /failed/i.test(e.textContent)).length";
        assert_eq!(page.run(&format!("return {failed}")).await, 1);
        page.press(".attention a", "Database").await;
        page.see("h1", "Database").await;
    })
    .await;
    holder.batch("ROLLBACK").await.expect("it ends");
    waiting.await.expect("no panic").expect("it gets the lock");
}

/// What is counted on the whole server and what is counted here are told apart, and nothing is missing in between.
#[tokio::test(flavor = "multi_thread")]
async fn sizes_and_connections_add_up() {
    let world = world().await;
    world.post("/api/migrations/run", json!({ "wait": true })).await.is(200);
    let elsewhere = admin("postgres").await;
    let size = world.get("/api/database/size").await.is(200);
    walk(&world, async |page| {
        page.press("nav a", "Database").await;
        page.see("td [data-rest]", "The rest").await;
        let rows = page.run("return document.querySelectorAll('[aria-labelledby=size] table')[0].querySelectorAll('tbody tr').length").await;
        assert_eq!(rows.as_u64(), size["schemas"].as_array().map(|schemas| schemas.len() as u64 + 1));
        let facts = page
            .run(
                "return Object.fromEntries([...document.querySelectorAll('[aria-labelledby=connections] .facts > div')] \
                 .map((e) => [e.querySelector('dt').textContent, e.querySelector('dd').textContent.split(' / ').map(Number)]))",
            )
            .await;
        let count = |name: &str| facts[name][0].as_u64().unwrap_or_else(|| panic!("{name}: {facts}"));
        let [used, most] = [0, 1].map(|at| facts["In use"][at].as_u64().expect("a number"));
        let others = ["In use", "In other databases", "Reserved", "Free"];
        let here: u64 = facts.as_object().expect("facts").iter().filter(|(name, _)| !others.contains(&name.as_str())).filter_map(|(_, n)| n[0].as_u64()).sum();
        assert_eq!(here + count("In other databases"), used, "{facts}");
        assert!(count("In other databases") > 0, "there is at least ours: {facts}");
        assert_eq!(used + count("Reserved") + count("Free"), most, "{facts}");
    })
    .await;
    drop(elsewhere);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_called_healthy_beside_what_fires_for_it() {
    let rules = "[project]\nname = \"escuela\"\ndefault_environment = \"development\"\n\
         [environments.development]\nurl_variable = \"DEVELOPMENT_URL\"\ndatabase = \"dev{s}\"\n\
         [services.alumnos-service]\nschemas = [\"alumnos{s}\"]\n\
         [services.cursos-service]\nschemas = [\"cursos{s}\"]\nreferences = [\"alumnos{s}\"]\n\
         [alerts.too-many-connections]\nthreshold = 1\nfor = \"0s\"\nseverity = \"critical\"\n\
         [alerts.stale-backup]\nenabled = true\nfor = \"0s\"\nseverity = \"critical\"\n";
    let world = world_with(Setup { files: vec![("config/services.toml", rules)], ..Setup::default() }).await;
    world.post("/api/migrations/run", json!({ "service": "alumnos-service", "wait": true })).await.is(200);
    // More than one in a hundred of the server's connections.
    let open = futures_util::future::join_all((0..4).map(|_| admin("postgres"))).await;
    walk(&world, async |page| {
        page.see(".matrix thead", "Pending").await;
        let evaluate = async || {
            world.operations.sample_now().await;
            world.operations.evaluate_alerts(OffsetDateTime::now_utc()).await.expect("the master database answers");
        };
        world.post("/api/migrations/run", json!({ "wait": true })).await.is(200);
        page.press("nav a", "Alerts").await;
        page.press("nav a", "Overview").await;
        page.see(".matrix thead .state", "Healthy").await;
        evaluate().await;
        page.press("button", "Refresh").await;
        page.see(".matrix thead .state.bad", "Critical alert").await;
        page.see(".matrix td .state.bad", "Critical alert").await;
        assert_eq!(page.run("return document.querySelector('main').textContent.includes('Healthy')").await, false);
        page.press(".matrix a", "alumnos-service").await;
        page.see("main .state.bad", "Critical alert").await;
        page.see(".firing li", "there is no backup of alumnos-service").await;
        page.press("nav a", "Database").await;
        page.see("main .state.bad", "Critical alert").await;
        page.see(".firing li", "of the connections").await;
        assert_eq!(page.run("return document.querySelector('main').textContent.includes('Healthy')").await, false);
    })
    .await;
    drop(open);
}
