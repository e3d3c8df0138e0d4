//! Every database is what it was when everything had been applied for the first time, without a fault.

use migration_engine::{Engine, Target};
use schema_catalog::{Scope, Snapshot, difference};

use crate::Outcome;
use crate::world::project::LEDGER;
use crate::world::{PLATFORM, World};

/// Differences that are told of one database.
const TOLD: usize = 3;
const HISTORY: &str = "SELECT service, schema_name, version, name, checksum FROM migration_service.history \
                       WHERE rolled_back_at IS NULL ORDER BY schema_name, version";
/// Empty when nothing was interrupted.
const OPEN: &str = "SELECT 'journal of ' || schema_name || '/' || version FROM migration_service.journal \
                    UNION ALL SELECT 'failure of ' || schema_name || '/' || version FROM migration_service.failure";
/// The table is made by the first migration in three parts.
const HAS_BACKFILLS: &str = "SELECT to_regclass('migration_service.backfill') IS NOT NULL";
const BACKFILLS: &str = "SELECT 'backfill of ' || schema_name || '/' || version FROM migration_service.backfill";
const HALF_BACK: &str = "SELECT DISTINCT version FROM migration_service.journal WHERE direction = 'down'";
const APPLIED: &str = "SELECT string_agg(version::text, ' ' ORDER BY version) FROM tenants.ledger";

/// One database: its schema and what was applied.
pub struct State {
    snapshot: Snapshot,
    history: Vec<Vec<String>>,
}

/// What every database is compared with.
pub struct Baseline {
    platform: State,
    tenant: State,
}

impl Baseline {
    /// As it is now.
    pub async fn take(world: &World) -> Outcome<Self> {
        let (server, tenant) = world.tenants.first().ok_or("the fleet has no database")?;
        Ok(Self { platform: state(world, 0, PLATFORM).await?, tenant: state(world, *server, tenant).await? })
    }

    /// Compares all.
    pub async fn compare(&self, world: &World) -> Outcome<(String, Vec<String>)> {
        let mut deviations = compare(world, (0, PLATFORM), &self.platform).await?;
        for (server, tenant) in &world.tenants {
            deviations.extend(compare(world, (*server, tenant), &self.tenant).await?);
            let ledger = world.servers[*server].value(tenant, APPLIED).await?;
            if ledger != LEDGER {
                deviations.push(format!("{tenant}: what migrations have written is {ledger:?} instead of {LEDGER:?}"));
            }
        }
        let seen = format!(
            "{} databases at fingerprints {:.8} and {:.8}",
            world.tenants.len() + 1,
            self.platform.snapshot.fingerprint().to_string(),
            self.tenant.snapshot.fingerprint().to_string()
        );
        Ok((seen, deviations))
    }
}

async fn state(world: &World, server: usize, database: &str) -> Outcome<State> {
    let session = world.servers[server].session(database).await?;
    let snapshot = Snapshot::read(&session, &Scope::all()).await.map_err(|error| format!("{database}: {error}"))?;
    let history = world.servers[server].rows(database, HISTORY).await?;
    Ok(State { snapshot, history })
}

async fn compare(world: &World, (server, database): (usize, &str), base: &State) -> Outcome<Vec<String>> {
    let now = state(world, server, database).await?;
    let differences = difference(&base.snapshot, &now.snapshot);
    let mut deviations: Vec<String> =
        differences.iter().take(TOLD).map(|difference| format!("{database}: {difference}")).collect();
    if differences.len() > TOLD {
        deviations.push(format!("{database}: {} differences more", differences.len() - TOLD));
    }
    if now.history != base.history {
        deviations.push(format!(
            "{database}: its history has {} migrations instead of {}, or others",
            now.history.len(),
            base.history.len()
        ));
    }
    let mut open = world.servers[server].rows(database, OPEN).await?;
    if world.servers[server].value(database, HAS_BACKFILLS).await? == "t" {
        open.extend(world.servers[server].rows(database, BACKFILLS).await?);
    }
    for open in open {
        deviations.push(format!("{database}: {} is left", open.join(" ")));
    }
    Ok(deviations)
}

/// Versions of the fleet's service that were interrupted on their way back, one for each database.
pub async fn half_back(world: &World) -> Outcome<Vec<u64>> {
    let mut found = Vec::new();
    for (server, tenant) in &world.tenants {
        let rows = world.servers[*server].rows(tenant, HALF_BACK).await?;
        found.extend(rows.iter().filter_map(|row| row.first()?.parse::<u64>().ok()));
    }
    Ok(found)
}

/// The record of what was done to each schema is whole.
pub async fn audits(world: &World) -> Outcome<(String, Vec<String>)> {
    let project = migration_engine::Project::open(world.project()).map_err(|error| error.to_string())?;
    let project = std::sync::Arc::new(project);
    let (mut deviations, mut links) = (Vec::new(), 0);
    let platform = (0, PLATFORM.to_owned());
    for (server, database) in world.tenants.iter().chain([&platform]) {
        let connect = world.servers[*server].options(database)?;
        let target = Target { environment: "development".to_owned(), connect, create_database: false };
        let engine = Engine::new(std::sync::Arc::clone(&project), target);
        let report = engine.verify_audit(&[]).await.map_err(|error| format!("{database}: {error}"))?;
        links += report.checked;
        if report.checked == 0 {
            deviations.push(format!("{database}: nothing is on record"));
        }
        deviations.extend(report.findings.iter().map(|finding| format!("{database}: {}", finding.message)));
    }
    Ok((format!("{} chains with {links} links", world.tenants.len() + 1), deviations))
}
