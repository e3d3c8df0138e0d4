//! Backups: whether their storage can be used, and whether PostgreSQL's programs are here to make them.

use std::collections::BTreeSet;
use std::path::Path;

use backup_vault::Manifest;
use embedded_postgres::Tools;
use postgres_link::ConnectOptions;

use super::Check;
use crate::operations::Operations;

const AREA: &str = "backups";

pub(super) async fn all(operations: &Operations) -> Vec<Check> {
    let Some(place) = operations.backup_place() else { return Vec::new() };
    let mut checks = Vec::new();
    match place.url() {
        None => checks.push(unconfigured()),
        Some(url) if is_absent_folder(url) => {
            checks.push(Check::note(AREA, format!("the folder {url} is made by the first backup")));
        }
        Some(_) => checks.push(storage(operations).await),
    }
    checks.extend(protected(operations).await);
    if place.keys().recipients().is_empty() && place.url().is_some() {
        checks.push(Check::note(
            AREA,
            "they are not encrypted: MIGRATION_SERVICE_BACKUP_RECIPIENTS names no public key of age",
        ));
    }
    if !place.keys().can_read(&place.keys().recipients()) {
        let message = "they are encrypted, and cannot be verified or restored here: their secret key is not";
        let cure = "set MIGRATION_SERVICE_BACKUP_IDENTITY_FILE to the key's file where backups are verified";
        checks.push(Check::warning(AREA, message, cure));
    }
    let variables = place.variables().clone();
    for version in versions(operations).await {
        let look = |name: &str| variables(name);
        checks.push(match Tools::for_server(&look, version) {
            Ok(tools) => Check::ok(AREA, format!("pg_dump {} for PostgreSQL {version}", tools.version())),
            Err(error) => {
                let text = error.to_string();
                let (message, cure) = text.rsplit_once("; ").unwrap_or((&text, ""));
                Check::warning(AREA, message, cure)
            }
        });
    }
    checks
}

/// What an environment that must not be lost lacks.
async fn protected(operations: &Operations) -> Vec<Check> {
    let Some(place) = operations.backup_place() else { return Vec::new() };
    let Some(url) = place.url() else { return Vec::new() };
    let mut checks = Vec::new();
    for entry in operations.targets().all().iter().filter(|entry| entry.protected) {
        let Ok(target) = &entry.target else { continue };
        // Where nothing was migrated there is nothing to lose.
        if !is_migrated(&target.connect).await {
            continue;
        }
        let name = &entry.environment;
        if place.is_beside() {
            let message = format!("{name} is protected, and its backups lie on the disk that it lies on itself");
            let cure = "set MIGRATION_SERVICE_BACKUP_STORAGE to a folder of another disk, or to s3://bucket/prefix";
            checks.push(Check::warning(AREA, message, cure));
        }
        if place.keys().recipients().is_empty() {
            let message = format!("{name} is protected, and whoever can read its backups can read all of its rows");
            let cure = "set MIGRATION_SERVICE_BACKUP_RECIPIENTS to a public key of age, as `age-keygen` makes it";
            checks.push(Check::warning(AREA, message, cure));
        }
        if has_backup(operations, url, name).await == Some(false) {
            let message = format!("{name} is protected, and there is no backup of it");
            checks.push(Check::warning(AREA, message, format!("profe backup create --environment {name}")));
        }
    }
    checks
}

async fn is_migrated(connect: &ConnectOptions) -> bool {
    let Ok(session) = postgres_link::connect(&connect.clone().with_application_name("profe doctor")).await else {
        return false;
    };
    let found = session.batch("SELECT to_regclass('migration_service.history') IS NOT NULL").await;
    found.is_ok_and(|found| found.value(0, 0) == Some("t"))
}

/// Whether the storage has a backup of an environment, as its manifests say. `None` where it cannot be read, which is told already.
async fn has_backup(operations: &Operations, url: &str, environment: &str) -> Option<bool> {
    if is_absent_folder(url) {
        return Some(false);
    }
    let listed = operations.vault().ok()?.list().await.ok()?;
    let of_it = |manifest: &Manifest| manifest.environment == environment;
    Some(listed.iter().any(|one| one.manifest.as_ref().is_ok_and(of_it)))
}

fn unconfigured() -> Check {
    let mut check = Check::note(AREA, "none can be made: nothing says where they are kept");
    check.cure = Some("set MIGRATION_SERVICE_BACKUP_STORAGE to a folder, or to s3://bucket/prefix".to_owned());
    check
}

async fn storage(operations: &Operations) -> Check {
    let vault = match operations.vault() {
        Ok(vault) => vault,
        Err(error) => return Check::error(AREA, error.to_string(), error.cure().unwrap_or_default()),
    };
    let shown = vault.storage().shown();
    match vault.storage().probe().await {
        Ok(()) => Check::ok(AREA, format!("{shown} can be written, read, listed and deleted from")),
        Err(error) => {
            Check::error(AREA, error.to_string(), "correct MIGRATION_SERVICE_BACKUP_STORAGE, or its credentials")
        }
    }
}

/// A folder is made when it is opened, and a doctor makes nothing.
fn is_absent_folder(url: &str) -> bool {
    !url.contains("://") && !Path::new(url).exists()
}

/// The major versions of the servers that answer.
async fn versions(operations: &Operations) -> BTreeSet<u32> {
    let mut versions = BTreeSet::new();
    for target in operations.targets().all().iter().filter_map(|entry| entry.target.as_ref().ok()) {
        if let Ok(session) = postgres_link::connect(&target.connect.clone().with_application_name("profe doctor")).await
        {
            versions.insert(session.server_version_num() / 10_000);
        }
    }
    versions
}
