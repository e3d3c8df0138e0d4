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
        // The second look has something to compare the first with.
        page.until(
            "[...document.querySelectorAll('.line-chart .line')].some((e) => e.getAttribute('d').includes('L'))",
        )
        .await;
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
