//! Nothing of ours is left on any server once no copy runs.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use crate::Outcome;
use crate::world::{MASTER, PLATFORM, SERVERS, World};

/// PostgreSQL needs a moment to see that a client has gone.
const GONE_WITHIN: Duration = Duration::from_secs(20);
const LOOK_EVERY: Duration = Duration::from_millis(200);
const SESSIONS: &str = "SELECT coalesce(datname, '-'), application_name, coalesce(state, '-'), left(query, 100) FROM pg_stat_activity \
    WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()";
const LOCKS: &str = "SELECT locktype, coalesce(database::text, '-'), objid::text FROM pg_locks WHERE locktype = 'advisory' \
    UNION ALL SELECT 'prepared transaction', database, gid FROM pg_prepared_xacts";
/// A template for scratch databases is kept, to be used again.
const DATABASES: &str = "SELECT datname FROM pg_database WHERE datname NOT LIKE 'scratch\\_template\\_%' \
    AND datname NOT IN ('postgres', 'template0', 'template1')";
const SCHEMAS: &str = "SELECT nspname FROM pg_namespace WHERE nspname LIKE '%profe\\_%'";
const RESTORED: &str = "SELECT database FROM migration_service.restore WHERE kind = 'new' AND state = 'completed'";
/// Whoever restored it may have ended before that could be written down: it is there only where all of it was restored.
const PERHAPS_RESTORED: &str =
    "SELECT database FROM migration_service.restore WHERE kind = 'new' AND state = 'interrupted'";

/// Sessions, locks, databases and schemas that nobody asked for; restored databases that are not there.
pub async fn left(world: &World) -> Outcome<(String, Vec<String>)> {
    let mut deviations = Vec::new();
    let restored: BTreeSet<String> = column(world, MASTER, RESTORED).await?;
    let perhaps: BTreeSet<String> = column(world, MASTER, PERHAPS_RESTORED).await?;
    for (number, server) in world.servers.iter().enumerate() {
        let name = SERVERS[number];
        let give_up = Instant::now() + GONE_WITHIN;
        let mut sessions = server.rows("postgres", SESSIONS).await?;
        while !sessions.is_empty() && Instant::now() < give_up {
            tokio::time::sleep(LOOK_EVERY).await;
            sessions = server.rows("postgres", SESSIONS).await?;
        }
        deviations.extend(sessions.iter().map(|row| format!("a session is left on {name}: {}", row.join(" | "))));
        for row in server.rows("postgres", LOCKS).await? {
            deviations.push(format!("a lock is left on {name}: {}", row.join(" | ")));
        }
        let mine = world.tenants.iter().filter(|(at, _)| *at == number).map(|(_, tenant)| tenant.clone());
        let mut wanted: BTreeSet<String> = mine.collect();
        if number == 0 {
            wanted.extend([PLATFORM.to_owned(), MASTER.to_owned()]);
            wanted.extend(restored.iter().cloned());
        }
        let there: BTreeSet<String> =
            server.rows("postgres", DATABASES).await?.into_iter().filter_map(|row| row.into_iter().next()).collect();
        let beyond = there.difference(&wanted).filter(|one| number > 0 || !perhaps.contains(*one));
        deviations.extend(beyond.map(|one| format!("a database is left on {name}: {one}")));
        deviations.extend(wanted.difference(&there).map(|one| format!("a database is gone from {name}: {one}")));
    }
    let schemas = column(world, PLATFORM, SCHEMAS).await?;
    deviations.extend(schemas.iter().map(|schema| format!("a schema is left in the platform's database: {schema}")));
    Ok((format!("no session, lock, database or schema on {} servers", SERVERS.len()), deviations))
}

async fn column(world: &World, database: &str, sql: &str) -> Outcome<BTreeSet<String>> {
    Ok(world.servers[0].rows(database, sql).await?.into_iter().filter_map(|row| row.into_iter().next()).collect())
}
