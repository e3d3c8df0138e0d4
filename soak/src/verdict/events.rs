//! Every listener has heard every event once, in order.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use crate::Outcome;
use crate::listener::{Heard, Place};
use crate::world::{MASTER, World};

/// What is on its way arrives within this.
const HEARD_WITHIN: Duration = Duration::from_mins(1);
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// Waits until all have come as far as the table.
pub async fn catch_up(world: &World, places: &[Place]) -> Outcome<()> {
    let newest = "SELECT coalesce(max(id), 0) FROM migration_service.event";
    let newest: i64 = world.servers[0].value(MASTER, newest).await?.parse().map_err(|_| "no number")?;
    let give_up = Instant::now() + HEARD_WITHIN;
    while places.iter().any(|place| place.load(Ordering::Acquire) < newest) && Instant::now() < give_up {
        tokio::time::sleep(LOOK_EVERY).await;
    }
    Ok(())
}

/// Compares what was heard with the table.
pub async fn compare(world: &World, heard: &[Heard]) -> Outcome<(String, Vec<String>)> {
    let rows = world.servers[0].rows(MASTER, "SELECT id FROM migration_service.event ORDER BY id").await?;
    let kept: Vec<i64> = rows.iter().filter_map(|row| row.first()?.parse().ok()).collect();
    let mut deviations = Vec::new();
    for (number, one) in heard.iter().enumerate() {
        deviations.extend(one.deviations.iter().cloned());
        deviations.extend(deviation(&kept, &one.ids).map(|what| format!("listener {number} {what}")));
    }
    let connections: u64 = heard.iter().map(|one| one.connections).sum();
    Ok((
        format!("{} listeners heard {} events each over {connections} connections", heard.len(), kept.len()),
        deviations,
    ))
}

/// The first one that is wrong.
fn deviation(kept: &[i64], heard: &[i64]) -> Option<String> {
    if let Some(two) = heard.iter().zip(heard.iter().skip(1)).find(|(one, next)| one >= next) {
        return Some(format!("heard event {} after {}", two.1, two.0));
    }
    // What is told after the table was read has a higher number than all of it.
    let newest = kept.last().copied().unwrap_or_default();
    let mut heard = heard.iter().filter(|id| **id <= newest);
    for id in kept {
        match heard.next() {
            Some(one) if one == id => {}
            Some(one) if one < id => return Some(format!("heard event {one}, which is not kept")),
            _ => return Some(format!("never heard event {id}")),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_doubled_or_out_of_order_is_found() {
        assert_eq!(deviation(&[1, 2, 4], &[1, 2, 4, 5]), None);
        let found = |heard: &[i64]| deviation(&[1, 2, 4], heard).expect("a deviation");
        assert_eq!(found(&[1, 4]), "never heard event 2");
        assert_eq!(found(&[1, 2]), "never heard event 4");
        assert_eq!(found(&[1, 2, 2, 4]), "heard event 2 after 2");
        assert_eq!(found(&[1, 2, 3, 4]), "heard event 3, which is not kept");
    }
}
