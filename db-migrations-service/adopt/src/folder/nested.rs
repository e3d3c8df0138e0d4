//! A folder for each migration: diesel and Prisma.

use std::collections::BTreeMap;

use super::{Found, Read, duplicate, has_extension};
use crate::fault::{Fault, FaultKind};
use crate::layout::Layout;
use crate::number;

pub(super) fn diesel(files: &[&str], read: &Read<'_>) -> Result<Vec<Found>, Fault> {
    let mut found = folders(Layout::Diesel, files, "up.sql", "down.sql")?;
    for migration in &mut found {
        let beside = migration.up.replace("/up.sql", "/metadata.toml");
        let told = read(&beside).unwrap_or_default();
        let mut lines = told.lines().filter_map(|line| line.split('#').next()?.split_once('='));
        migration.no_transaction =
            lines.any(|(key, value)| key.trim() == "run_in_transaction" && value.trim() == "false");
    }
    Ok(found)
}

pub(super) fn prisma(files: &[&str], read: &Read<'_>) -> Result<Vec<Found>, Fault> {
    let lock = read("migration_lock.toml").unwrap_or_default();
    let provider = lock.lines().find_map(|line| line.split_once('=').filter(|(key, _)| key.trim() == "provider"));
    if let Some((_, value)) = provider
        && !matches!(value.trim().trim_matches('"'), "postgresql" | "postgres")
    {
        return Err(Fault::unsupported(
            format!("migration_lock.toml says that these migrations are for {}", value.trim()),
            "only migrations for PostgreSQL can be adopted",
        ));
    }
    folders(Layout::Prisma, files, "migration.sql", "down.sql")
}

fn folders(layout: Layout, files: &[&str], up: &str, down: &str) -> Result<Vec<Found>, Fault> {
    let mut by_folder: BTreeMap<&str, (bool, bool)> = BTreeMap::new();
    for path in files {
        match path.split_once('/') {
            Some((folder, file)) if file == up => by_folder.entry(folder).or_default().0 = true,
            Some((folder, file)) if file == down => by_folder.entry(folder).or_default().1 = true,
            // Beside the folders nothing may lie that looks like a migration.
            None if has_extension(path, "sql") => return Err(Fault::misnamed(path, layout.example())),
            _ => {}
        }
    }
    let mut found: Vec<Found> = Vec::new();
    for (folder, (has_up, has_down)) in by_folder {
        if !has_up {
            return Err(Fault::new(
                FaultKind::Unpaired,
                format!("{folder}/{down} takes back what no {folder}/{up} makes"),
                format!("write {folder}/{up}, or remove the folder"),
            ));
        }
        let (prefix, name) = folder.split_once('_').unwrap_or((folder, ""));
        // diesel counts the digits only.
        let digits = if layout == Layout::Diesel { prefix.replace('-', "") } else { prefix.to_owned() };
        let version = number(&digits).ok_or_else(|| Fault::misnamed(&format!("{folder}/"), layout.example()))?;
        if let Some(other) = found.iter().find(|other| other.version == version) {
            return Err(duplicate(&other.up, &format!("{folder}/{up}"), &digits));
        }
        found.push(Found {
            version,
            theirs: if layout == Layout::Diesel { digits } else { folder.to_owned() },
            name: name.to_owned(),
            up: format!("{folder}/{up}"),
            down: has_down.then(|| format!("{folder}/{down}")),
            no_transaction: false,
        });
    }
    Ok(found)
}
