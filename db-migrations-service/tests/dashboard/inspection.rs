//! The database's figures, the audit, and what was done by hand.

use serde_json::json;

use crate::walk;
use crate::world::{admin, world};

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
