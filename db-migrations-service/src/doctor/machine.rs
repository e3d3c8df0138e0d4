//! This machine: settings, clock, PostgreSQL's binaries, the data directory, the port.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::time::SystemTime;

use embedded_postgres::Binaries;
use migration_engine::Project;

use super::Check;
use crate::cli::{Context, Databases};

/// 2025-01-01: no build of this program is older.
const EARLIEST_UNIX_S: u64 = 1_735_689_600;

pub(super) fn settings(context: &Context) -> Vec<Check> {
    let mut checks: Vec<Check> = context
        .problems
        .iter()
        .map(|problem| Check::error("settings", problem, "correct the variable, or the line in .env"))
        .collect();
    if let Ok(meta) = fs::metadata(".env") {
        checks.push(if meta.permissions().mode() & 0o044 == 0 {
            Check::ok("settings", ".env is read, and only its owner can read it")
        } else {
            Check::warning("settings", ".env can be read by other users of this machine", "chmod 600 .env")
        });
    }
    if checks.is_empty() {
        checks.push(Check::ok("settings", "every variable can be read"));
    }
    checks
}

pub(super) fn clock() -> Option<Check> {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |d| d.as_secs());
    (now < EARLIEST_UNIX_S).then(|| {
        Check::error(
            "clock",
            "this machine's clock is years behind",
            "set it: certificates and versions of migrations depend on it",
        )
    })
}

pub(super) fn project(project: &Project) -> Check {
    let place = project.root().map_or_else(|| "built in".to_owned(), |root| root.display().to_string());
    let (services, migrations) = (project.catalogue.services.len(), project.migrations().len());
    Check::ok(
        "project",
        format!(
            "{} ({place}): {services} services, {migrations} migrations, {} seed files",
            project.catalogue.project.name,
            project.seeds().len()
        ),
    )
}

/// The private cluster, where one is needed. An existing one is started or reached; none is made.
pub(super) fn server(context: &Context) -> (Vec<Check>, Option<&Databases>) {
    let area = "private database";
    if !context.settings.needs_private_cluster() {
        return (vec![Check::note(area, "not used: a server is named by URL")], context.databases().ok());
    }
    let mut checks = Vec::new();
    match Binaries::find(&|name| std::env::var(name).ok()) {
        Ok(found) if found.version().major < 14 => {
            let message = format!("PostgreSQL {} in {} is older than 14", found.version(), found.folder().display());
            checks.push(Check::error(area, message, "install PostgreSQL 14 or newer"));
        }
        Ok(found) => {
            checks.push(Check::ok(area, format!("PostgreSQL {} in {}", found.version(), found.folder().display())));
        }
        Err(error) => {
            let text = error.to_string();
            let (message, cure) = text.rsplit_once("; ").unwrap_or((&text, ""));
            checks.push(Check::error(area, message, cure));
            return (checks, None);
        }
    }
    let folder = &context.data_dir;
    // Whoever may not look into it is told so when it is reached.
    if !folder.join("data").exists() {
        checks.push(absent(folder));
        return (checks, None);
    }
    match context.databases() {
        Ok(databases) => {
            let state = if databases.cluster().is_some() { "starts" } else { "runs already" };
            checks.push(Check::ok(area, format!("the one in {} {state}", folder.display())));
            (checks, Some(databases))
        }
        Err(failure) => {
            checks.push(Check::error(
                area,
                failure.error.message.clone(),
                failure.error.cure.clone().unwrap_or_default(),
            ));
            (checks, None)
        }
    }
}

/// What `profe up` would find where there is no cluster yet.
fn absent(folder: &Path) -> Check {
    let area = "private database";
    let absolute = std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned());
    let existing: Vec<&Path> = absolute.ancestors().filter(|path| path.exists()).collect();
    let is_root = fs::metadata("/proc/self").is_ok_and(|meta| meta.uid() == 0);
    if is_root {
        // PostgreSQL refuses root and runs as another account, which must be able to pass.
        let blocked = existing.iter().find(|path| fs::metadata(path).is_ok_and(|meta| meta.mode() & 0o001 == 0));
        if let Some(blocked) = blocked {
            let message =
                format!("PostgreSQL does not run as root, and its account cannot enter {}", blocked.display());
            return Check::error(area, message, "choose a folder that it can reach: --data-dir /var/lib/profe");
        }
    } else if let Some(nearest) = existing.first() {
        let probe = nearest.join(format!(".profe-doctor-{}", std::process::id()));
        if let Err(error) = fs::create_dir(&probe) {
            let message = format!("{} cannot be made: {error}", absolute.display());
            return Check::error(area, message, "choose another folder with --data-dir or PROFE_DATA_DIR");
        }
        // It is empty and ours.
        let _ = fs::remove_dir(&probe);
    }
    Check::note(area, format!("none in {} yet; `profe up` makes it", absolute.display()))
}

pub(super) fn port(context: &Context, databases: Option<&Databases>) -> Check {
    let address = context.settings.address();
    match TcpListener::bind(address) {
        Ok(_) => Check::ok("port", format!("{address} is free")),
        Err(_) if databases.is_some_and(|d| d.private().is_some() && d.cluster().is_none()) => {
            Check::ok("port", format!("{address} is taken, and a `profe up` runs here"))
        }
        Err(error) => Check::warning(
            "port",
            format!("{address} cannot be had: {error}"),
            "stop what listens there, or choose another port with MIGRATION_SERVICE_PORT",
        ),
    }
}
