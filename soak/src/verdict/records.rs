//! Everything that was accepted is accounted for, and nothing is under way any more.

use std::collections::{BTreeMap, BTreeSet};

use crate::Outcome;
use crate::ledger::{Inner, Kind};
use crate::world::{MASTER, World};

/// What is under way, or leased to somebody; and runs that were left behind, until somebody has tried to go on with them after the
/// mending, for they are tried again after a minute. What cannot go on even then is told as interrupted, and left to people.
const OPEN: &str = "SELECT 'run ' || id || ' is ' || state FROM migration_service.run WHERE state = 'running' \
    UNION ALL SELECT 'run ' || id || ' is to be gone on with' FROM migration_service.run \
      WHERE state = 'interrupted' AND run_order IS NOT NULL AND continued_by IS NULL \
        AND (taken_at IS NULL OR taken_at < '{mended}'::timestamptz + interval '61 s') \
    UNION ALL SELECT 'fleet run ' || id || ' is ' || state FROM migration_service.fleet_run \
      WHERE state = 'running' OR holder IS NOT NULL \
    UNION ALL SELECT 'backup ' || id || ' is ' || state FROM migration_service.backup WHERE state = 'running' \
    UNION ALL SELECT 'restore of ' || backup || ' is ' || state FROM migration_service.restore WHERE state = 'running'";
/// Databases of fleet runs that are over, which are still said to be worked on.
const OPEN_TARGETS: &str = "SELECT r.id || ': ' || t.name FROM migration_service.fleet_target t \
    JOIN migration_service.fleet_run r ON r.id = t.run WHERE t.state = 'running' AND r.state <> 'running'";
const STATES: &str = "SELECT 'run', id::text, state FROM migration_service.run \
    UNION ALL SELECT 'fleet run', id::text, state FROM migration_service.fleet_run \
    UNION ALL SELECT 'backup', id, state FROM migration_service.backup \
    UNION ALL SELECT 'restore', id::text, state FROM migration_service.restore";
/// The same request, begun twice. Whoever goes on with a run has its request.
const TWICE: &str = "SELECT request_id, count(*)::text FROM migration_service.run r WHERE request_id LIKE 'soak-%' \
    AND NOT EXISTS (SELECT FROM migration_service.run o WHERE o.continued_by = r.id) \
    GROUP BY request_id, environment HAVING count(*) > 1";

/// What is under way.
pub async fn open(world: &World, mended: &str) -> Outcome<Vec<String>> {
    Ok(world.servers[0]
        .rows(MASTER, &OPEN.replace("{mended}", mended))
        .await?
        .into_iter()
        .map(|row| row.join(" "))
        .collect())
}

/// How many of each kind ended how, and what is not accounted for.
pub async fn accounted(world: &World, ledger: &Inner, mended: &str) -> Outcome<(String, Vec<String>)> {
    let mut deviations = open(world, mended).await?;
    for row in world.servers[0].rows(MASTER, OPEN_TARGETS).await? {
        deviations.push(format!("a fleet run is over, and not all of it: {}", row.join(" ")));
    }
    let (mut known, mut counts) = (BTreeSet::new(), BTreeMap::<(String, String), usize>::new());
    for row in world.servers[0].rows(MASTER, STATES).await? {
        let [kind, id, state] = row.as_slice() else { continue };
        known.insert(id.clone());
        *counts.entry((kind.clone(), state.clone())).or_default() += 1;
    }
    for (kind, id, key) in &ledger.accepted {
        if !known.contains(id) {
            let kind = match kind {
                Kind::Run => "run",
                Kind::FleetRun => "fleet run",
                Kind::Backup => "backup",
            };
            deviations.push(format!("the {kind} {id} was accepted ({key}), and nobody knows of it"));
        }
    }
    for row in world.servers[0].rows(MASTER, TWICE).await? {
        deviations.push(format!("one request was carried out more than once: {}", row.join(" ")));
    }
    let counts: Vec<String> = counts.iter().map(|((kind, state), count)| format!("{count} {kind}s {state}")).collect();
    Ok((format!("{} accepted; {}", ledger.accepted.len(), counts.join(", ")), deviations))
}
