//! A new route table counts without a restart, a wrong one never.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use serde_json::Value;

use crate::world::{TABLE, World, until};

async fn world() -> (World, PathBuf) {
    let path = Arc::<Mutex<Option<PathBuf>>>::default();
    let told = Arc::clone(&path);
    let world = World::with(TABLE, move |settings, _| told.lock().expect("a lock").clone_from(&settings.routes)).await;
    let path = path.lock().expect("a lock").clone().expect("it has a file");
    (world, path)
}

#[tokio::test]
async fn a_new_table_counts_and_a_wrong_one_leaves_the_last() {
    let (world, path) = world().await;
    assert_eq!(world.get("/api/later/7").await.status(), 404);
    assert_eq!(world.get("/api/open/7").await.status(), 200);
    let hanging = tokio::spawn(world.http.get(world.url("/api/open/hang")).send());
    world.things.came(2).await;
    let later = TABLE.replace("/api/open", "/api/later");
    std::fs::write(&path, &later).expect("written");
    until(async || (world.get("/api/later/7").await.status() == 200).then_some(())).await;
    assert_eq!(world.get("/api/open/7").await.status(), 404);
    // Who was under way goes on, and the service is the same one, with its connections and how it was.
    world.things.inner.gate.add_permits(1);
    assert_eq!(hanging.await.expect("it ended").expect("an answer").status(), 200);
    let status: Value = world.get("/api/status").await.json().await.expect("JSON");
    assert_eq!(status["services"][0]["usable"], 1);

    for wrong in ["routes = [", "", &later.replace("upstream = \"things\"", "upstream = \"nobody\"")] {
        std::fs::write(&path, wrong).expect("written");
        // A file that is good again, with another path, is taken; what was wrong in between changed nothing.
        assert_eq!(world.get("/api/later/7").await.status(), 200);
    }
    std::fs::write(&path, TABLE).expect("written");
    until(async || {
        let (later, open) = (world.get("/api/later/7").await.status(), world.get("/api/open/7").await.status());
        assert!(later == 200 || open == 200, "one of the two tables counts at any time");
        (open == 200).then_some(())
    })
    .await;
}
