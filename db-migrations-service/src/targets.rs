//! Which database each environment means, and where the service keeps its own tables.
//!
//! The rule, first match wins, for every environment of the catalogue:
//! 1. the URL in the environment's `url_variable`;
//! 2. `DATABASE_URL`, for the default environment;
//! 3. the environment's `database` on the server of `DATABASE_URL`, else of `MIGRATION_SERVICE_MASTER_DB_URL`, else on
//!    the private cluster. Such a database is created when it is missing.
//!
//! `DATABASE_URL` belongs to the default environment alone. Where rule 3 would lead an environment into a database that
//! another one was given by URL, it is left unconfigured: a production database must not answer to two names.

mod fleets;

use std::collections::BTreeMap;

use migration_engine::catalogue::Environment;
use migration_engine::{Catalogue, Target};
use postgres_link::{ConnectOptions, Lookup};

use crate::settings::{Settings, SettingsError};
pub use fleets::FleetPlaces;

/// The variable of the shared database.
const SHARED_URL: &str = "DATABASE_URL";
/// The master database's name on the private cluster.
const PRIVATE_MASTER: &str = "profe_master";

/// Every environment with its database, and the master database.
#[derive(Debug, Clone)]
pub struct Targets {
    default_environment: String,
    environments: Vec<TargetEntry>,
    fleets: BTreeMap<String, Result<FleetPlaces, String>>,
    master: MasterTarget,
}

/// One environment of the catalogue.
#[derive(Debug, Clone)]
pub struct TargetEntry {
    /// Its name in the catalogue.
    pub environment: String,
    /// Its data is real: rolling back asks for confirmation, resetting is refused.
    pub protected: bool,
    /// Its database, or why it has none and what would give it one.
    pub target: Result<Target, String>,
}

/// Where the service keeps its own tables.
#[derive(Debug, Clone)]
pub struct MasterTarget {
    /// How to reach the database.
    pub connect: ConnectOptions,
    /// Create it when it is missing.
    pub create_database: bool,
}

impl Targets {
    /// Finds every environment's database. `private` is a session to the private cluster, in any of its databases; it
    /// is needed only where [`Settings::needs_private_cluster`] says so.
    ///
    /// # Errors
    /// An unknown `MIGRATION_SERVICE_ENVIRONMENT`, URLs that cannot be read, two environments given one database: all
    /// of them together.
    pub fn resolve(
        catalogue: &Catalogue,
        settings: &Settings,
        lookup: Lookup<'_>,
        private: Option<&ConnectOptions>,
    ) -> Result<Self, SettingsError> {
        let mut problems = Vec::new();
        let default_environment =
            settings.environment.clone().unwrap_or_else(|| catalogue.default_environment().to_owned());
        if !catalogue.environments.contains_key(&default_environment) {
            let known: Vec<_> = catalogue.environments.keys().map(String::as_str).collect();
            problems.push(format!(
                "MIGRATION_SERVICE_ENVIRONMENT is {default_environment:?}, which the catalogue does not have; use one of: {}",
                known.join(", ")
            ));
        }
        let server = settings.database_url.as_ref().or(settings.master_url.as_ref()).or(private);

        let mut given = BTreeMap::new();
        for (name, entry) in &catalogue.environments {
            match given_url(name, entry, &default_environment, settings, lookup) {
                Ok(Some(connect)) => {
                    given.insert(name.clone(), connect);
                }
                Ok(None) => {}
                Err(problem) => problems.push(problem),
            }
        }
        problems.extend(doubles(&given));

        let environments: Vec<TargetEntry> = catalogue
            .environments
            .iter()
            .map(|(name, entry)| TargetEntry {
                environment: name.clone(),
                protected: entry.protected,
                target: choose(name, entry, &given, server),
            })
            .collect();

        let server_of = |name: &str| {
            let entry = environments.iter().find(|entry| entry.environment == name)?;
            entry.target.as_ref().ok().map(|target| target.connect.clone())
        };
        let fleets = fleets::places(catalogue, server_of, lookup, &mut problems).into_iter().collect();

        let master = match (&settings.master_url, &settings.database_url, private) {
            (Some(connect), ..) | (None, Some(connect), _) => {
                Some(MasterTarget { connect: connect.clone(), create_database: false })
            }
            (None, None, Some(private)) => {
                Some(MasterTarget { connect: private.clone().with_database(PRIVATE_MASTER), create_database: true })
            }
            (None, None, None) => None,
        };
        if master.is_none() {
            problems.push(format!("no database is named and no private cluster runs; set {SHARED_URL}"));
        }
        match master {
            Some(master) if problems.is_empty() => Ok(Self { default_environment, environments, fleets, master }),
            _ => Err(SettingsError { problems }),
        }
    }

    /// The environment meant when a request names none.
    pub fn default_environment(&self) -> &str {
        &self.default_environment
    }

    /// Every environment, in the catalogue's order.
    pub fn all(&self) -> &[TargetEntry] {
        &self.environments
    }

    /// One environment; `None` when the catalogue does not have it.
    pub fn get(&self, environment: &str) -> Option<&TargetEntry> {
        self.environments.iter().find(|entry| entry.environment == environment)
    }

    /// Where a fleet's databases are, or why that is not known; `None` when the catalogue does not have it.
    pub fn fleet(&self, fleet: &str) -> Option<&Result<FleetPlaces, String>> {
        self.fleets.get(fleet)
    }

    /// The master database.
    pub fn master(&self) -> &MasterTarget {
        &self.master
    }
}

/// Rules 1 and 2.
fn given_url(
    name: &str,
    entry: &Environment,
    default_environment: &str,
    settings: &Settings,
    lookup: Lookup<'_>,
) -> Result<Option<ConnectOptions>, String> {
    if let Some(variable) = entry.url_variable.as_deref().filter(|variable| *variable != SHARED_URL)
        && let Some(url) = lookup(variable).filter(|url| !url.trim().is_empty())
    {
        let parsed = ConnectOptions::parse_with(&url, lookup);
        return parsed.map(Some).map_err(|error| format!("{variable}: {error}"));
    }
    Ok(settings.database_url.clone().filter(|_| name == default_environment))
}

/// Rule 3.
fn choose(
    name: &str,
    entry: &Environment,
    given: &BTreeMap<String, ConnectOptions>,
    server: Option<&ConnectOptions>,
) -> Result<Target, String> {
    if let Some(connect) = given.get(name) {
        return Ok(target(name, connect.clone(), false));
    }
    let variable = entry.url_variable.as_deref().unwrap_or(SHARED_URL);
    let (Some(database), Some(server)) = (&entry.database, server) else {
        return Err(format!("the environment {name:?} has no database: set {variable}"));
    };
    let connect = server.clone().with_database(database);
    match given.iter().find(|(_, other)| place(other) == place(&connect)) {
        Some((other, _)) => Err(format!(
            "the environment {name:?} would share the database {database:?} with {other:?}: set {variable} to one of its own"
        )),
        None => Ok(target(name, connect, true)),
    }
}

fn target(environment: &str, connect: ConnectOptions, create_database: bool) -> Target {
    Target { environment: environment.to_owned(), connect, create_database }
}

fn doubles(given: &BTreeMap<String, ConnectOptions>) -> Vec<String> {
    let mut seen: BTreeMap<(String, String), &str> = BTreeMap::new();
    given
        .iter()
        .filter_map(|(name, connect)| {
            let first = seen.insert(place(connect), name)?;
            Some(format!("the environments {first:?} and {name:?} are given the same database; each needs its own"))
        })
        .collect()
}

/// Server and database. Two names for one server are not seen through; the rule guards against slips, not intent.
fn place(connect: &ConnectOptions) -> (String, String) {
    (connect.host_summary().to_ascii_lowercase(), connect.database().to_owned())
}

#[cfg(test)]
mod tests;
