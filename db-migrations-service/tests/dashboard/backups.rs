//! Backups: made, verified, restored, deleted.

use serde_json::json;

use crate::walk;
use crate::world::{admin, world};

#[tokio::test(flavor = "multi_thread")]
async fn backed_up_verified_and_restored() {
    let world = world().await;
    world.post("/api/migrations/run", json!({ "wait": true })).await.is(200);
    world.post("/api/seeds/run", json!({ "wait": true })).await.is(200);
    let into = format!("vuelta{}", world.suffix());
    walk(&world, async |page| {
        page.see(".attention li", "There is no verified backup").await;
        page.press("nav a", "Backups").await;
        page.see(".empty", "There are no backups of development").await;
        page.choose("select[name=service]", "alumnos-service").await;
        page.fill("input[name=description]", "before the exam").await;
        page.press("form button.primary", "Create backup").await;
        page.see(".backup", "Ready").await;
        page.see(".backup", "before the exam").await;
        page.press(".backup button", "Verify").await;
        page.see(".backup .state", "Verified").await;

        page.press(".backup button", "Restore").await;
        page.fill("dialog input[name=into]", &into).await;
        page.fill("dialog input[name=confirm]", "something else").await;
        assert_eq!(page.run("return document.querySelector('dialog button.danger').disabled").await, true);
        let id = page.run("return document.querySelector('.backup').dataset.backup").await;
        page.fill("dialog input[name=confirm]", id.as_str().expect("an id")).await;
        page.press("dialog button.danger", "Restore").await;
        page.see(".backup .ok-note", &into).await;

        page.press(".backup button", "Delete").await;
        page.fill("dialog input[name=confirm]", id.as_str().expect("an id")).await;
        page.press("dialog button.danger", "Delete").await;
        page.see(".empty", "There are no backups").await;
    })
    .await;
    let count = admin(&into).await.batch(&format!("SELECT count(*) FROM {}.alumno", world.schema)).await;
    assert_eq!(count.expect("a table").value(0, 0), Some("3"));
}
