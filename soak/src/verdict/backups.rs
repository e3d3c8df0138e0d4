//! Backups that claim to be made can be restored.

use reqwest::Method;
use serde_json::json;

use crate::Outcome;
use crate::ask::Asker;
use crate::world::{MASTER, World};

use std::time::Duration;

/// So many are proven; the others are told.
const PROVEN: usize = 12;
const VERIFIED_WITHIN: Duration = Duration::from_mins(3);
const READY: &str = "SELECT id FROM migration_service.backup WHERE state = 'ready' ORDER BY md5(id)";

/// Proves them, by the first copy.
pub async fn verify(world: &World, asker: &Asker) -> Outcome<(String, Vec<String>)> {
    let ready = world.servers[0].rows(MASTER, READY).await?;
    let mut deviations = Vec::new();
    for id in ready.iter().take(PROVEN).filter_map(|row| row.first()) {
        let path = format!("/api/backup/{id}/verify");
        let body = json!({ "wait": true });
        let answer = asker.once(world, 0, (Method::POST, &path), (Some(&body), None), VERIFIED_WITHIN).await?;
        let state = answer.body["verification"]["status"].as_str().unwrap_or_default();
        if answer.status != 200 || state != "verified" {
            deviations.push(format!("the backup {id} is said to be made, and is {state:?}: {}", answer.body));
        }
    }
    Ok((format!("{} of {} proven", ready.len().min(PROVEN), ready.len()), deviations))
}
