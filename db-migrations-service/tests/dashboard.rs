//! The dashboard as people meet it: a real browser on a real server with a real PostgreSQL.

#[path = "dashboard/browser.rs"]
mod browser;
#[expect(dead_code, reason = "the tests of the API use all of it")]
#[path = "http/world.rs"]
mod world;

#[path = "dashboard/access.rs"]
mod access;
#[path = "dashboard/backups.rs"]
mod backups;
#[path = "dashboard/edges.rs"]
mod edges;
#[path = "dashboard/erd.rs"]
mod erd;
#[path = "dashboard/everywhere.rs"]
mod everywhere;
#[path = "dashboard/fleets.rs"]
mod fleets;
#[path = "dashboard/inspection.rs"]
mod inspection;
#[path = "dashboard/runs.rs"]
mod runs;
#[path = "dashboard/spanish.rs"]
mod spanish;

use std::panic::{AssertUnwindSafe, resume_unwind};

use futures_util::FutureExt as _;

use browser::Browser;
use world::World;

/// Walks through pages, and closes the browser however that ends.
async fn walk(world: &World, steps: impl AsyncFnOnce(&Browser)) {
    let browser = Browser::open().await;
    browser.go(&format!("http://{}/", world.address)).await;
    let ended = AssertUnwindSafe(steps(&browser)).catch_unwind().await;
    browser.close().await;
    if let Err(panic) = ended {
        resume_unwind(panic);
    }
}
