//! `[environments.<name>.databases.<database>]`: services that have a database of their own in an environment.
//!
//! Such a database becomes an environment of its own when the catalogue is read, `<environment>/<database>`, with the
//! settings of the one that it belongs to. So everything that is kept by environment – history, lock, audit, samples, alerts,
//! backups, runs – is kept for each database, and nobody has to know of two kinds.

use std::collections::{BTreeMap, BTreeSet};

use indexmap::IndexMap;
use serde::Deserialize;

use super::{Catalogue, Environment, is_plain_name};

/// The name of an environment's main database, where the main one alone is meant.
pub const MAIN: &str = "main";

/// A database beside the environment's main one.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OwnDatabase {
    /// The services that live in it, with all their schemas.
    pub services: Vec<String>,
    /// The variable that holds its URL.
    pub url_variable: Option<String>,
    /// Its name on the private cluster, or on the server of `DATABASE_URL`. Default: that of the main database with this one's
    /// name behind it.
    pub database: Option<String>,
}

/// Where an environment stands among those that share a catalogue section.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Housing {
    /// The environment whose own database this is.
    pub part_of: Option<String>,
    /// The services that live here; `None` where all of the catalogue's do.
    pub services: Option<BTreeSet<String>>,
}

/// Where a schema is that is not in this database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Elsewhere {
    /// The service that owns it.
    pub service: String,
    /// Where that lives: `development/auth`, or `the fleet "tenants"`.
    pub place: String,
}

impl Environment {
    /// Whether a service lives in this database.
    pub fn houses(&self, service: &str) -> bool {
        self.housing.services.as_ref().is_none_or(|services| services.contains(service))
    }

    /// The environment that it belongs to, where it is one's own database.
    pub fn part_of(&self) -> Option<&str> {
        self.housing.part_of.as_deref()
    }
}

impl Catalogue {
    /// The databases of an environment, the main one first unless nothing lives in it; of one database itself.
    pub fn databases(&self, environment: &str) -> Vec<&str> {
        let lives_in = |name: &str| {
            self.services.iter().any(|(service, entry)| {
                !entry.schemas.is_empty() && self.environments.get(name).is_some_and(|e| e.houses(service))
            })
        };
        let own: Vec<&str> = self
            .environments
            .iter()
            .filter(|(_, entry)| entry.part_of() == Some(environment))
            .map(|(name, _)| name.as_str())
            .collect();
        let main = self.environments.get_key_value(environment).map(|(name, _)| name.as_str());
        main.into_iter().filter(|name| own.is_empty() || lives_in(name)).chain(own.iter().copied()).collect()
    }

    /// The database of an environment in which a service lives: the environment's own name for the main one. `None` where it
    /// lives in none of them.
    pub fn home_of(&self, environment: &str, service: &str) -> Option<&str> {
        let belongs = |name: &str, entry: &Environment| name == environment || entry.part_of() == Some(environment);
        let mut homes = self.environments.iter().filter(|(name, entry)| belongs(name, entry) && entry.houses(service));
        homes.next().map(|(name, _)| name.as_str())
    }

    /// The environment without the name of one of its databases.
    pub fn whole_of<'a>(&'a self, environment: &'a str) -> &'a str {
        self.environments.get(environment).and_then(Environment::part_of).unwrap_or(environment)
    }

    /// What a database of `environment` is to know: its own services, and where the schemas of the others are. `None` where it
    /// houses them all, or was narrowed before.
    pub(crate) fn narrowed_to(&self, environment: &str) -> Option<Self> {
        let housed = self.environments.get(environment)?.housing.services.as_ref()?;
        let whole = self.whole_of(environment);
        let place = |service: &str| match (self.home_of(whole, service), self.fleet_of(whole, service)) {
            (Some(home), _) => home.to_owned(),
            (None, Some(fleet)) => format!("the fleet {fleet:?}"),
            (None, None) => "no database of this environment".to_owned(),
        };
        self.narrowed(|service| housed.contains(service), place)
    }

    /// With the services for which `stays` is true; `place` says where the others live. `None` where it was narrowed before.
    pub(crate) fn narrowed(&self, stays: impl Fn(&str) -> bool, place: impl Fn(&str) -> String) -> Option<Self> {
        if self.is_narrow {
            return None;
        }
        let mut here = Self { is_narrow: true, ..self.clone() };
        for (name, service) in here.services.extract_if(.., |name, _| !stays(name)) {
            let there = Elsewhere { place: place(&name), service: name };
            here.elsewhere.extend(service.schemas.into_iter().map(|schema| (schema, there.clone())));
        }
        for service in here.services.values_mut() {
            // What is permitted of a schema that is not there cannot be granted.
            service.references.retain(|schema| !here.elsewhere.contains_key(schema));
        }
        Some(here)
    }

    /// Where a schema is that this database does not have; `None` for its own and for those that nobody manages.
    pub fn elsewhere(&self, schema: &str) -> Option<&Elsewhere> {
        self.elsewhere.get(schema)
    }
}

/// What is wrong with the databases and fleets of the environments, told before they are made environments of their own.
pub(super) fn problems(catalogue: &Catalogue) -> Vec<String> {
    let mut problems = Vec::new();
    for (name, environment) in &catalogue.environments {
        if name.contains('/') {
            problems.push(format!("environment {name:?}: a slash stands between an environment and its database"));
        }
        let mut homes: BTreeMap<&str, &str> = BTreeMap::new();
        for (database, own) in &environment.databases {
            let what = format!("environments.{name}.databases.{database}");
            if !is_plain_name(database) || database == MAIN {
                problems.push(format!("{what}: {database:?} is not a plain lower-case name other than \"main\""));
            }
            if own.services.is_empty() {
                problems.push(format!("{what}: it houses no service"));
            }
            for service in &own.services {
                if !catalogue.services.contains_key(service) {
                    problems.push(format!("{what}: there is no service {service:?}"));
                } else if let Some(other) = homes.insert(service, database) {
                    problems.push(format!("{what}: {service} lives in {other:?} already"));
                }
            }
        }
        for (fleet, entry) in catalogue.fleets.iter().filter(|(_, entry)| entry.environment == *name) {
            if let Some(other) = homes.insert(&entry.service, fleet) {
                problems.push(format!("fleets.{fleet}: {} lives in {other:?} already", entry.service));
            }
        }
    }
    problems
}

/// Makes the databases of each environment environments of their own, right behind it.
pub(super) fn unfold(catalogue: &mut Catalogue) {
    let services: Vec<String> = catalogue.services.keys().cloned().collect();
    let mut unfolded = IndexMap::new();
    for (name, mut environment) in std::mem::take(&mut catalogue.environments) {
        let databases = std::mem::take(&mut environment.databases);
        let fleets = catalogue.fleets.values().filter(|fleet| fleet.environment == name).map(|fleet| &fleet.service);
        let away: BTreeSet<&String> = databases.values().flat_map(|own| &own.services).chain(fleets).collect();
        let mut parts = Vec::new();
        if !away.is_empty() {
            let template = environment.clone();
            let own = databases.iter().map(|(database, own)| {
                let mut part = template.clone();
                part.url_variable.clone_from(&own.url_variable);
                let beside = || template.database.as_ref().map(|main| format!("{main}_{database}"));
                part.database = own.database.clone().or_else(beside);
                settle(&mut part, own.services.iter().cloned().collect(), Some(name.clone()));
                (format!("{name}/{database}"), part)
            });
            parts.extend(own);
            let stay = services.iter().filter(|service| !away.contains(service)).cloned().collect();
            settle(&mut environment, stay, None);
        }
        unfolded.insert(name, environment);
        unfolded.extend(parts);
    }
    catalogue.environments = unfolded;
}

/// Houses these services; a backup by the clock is made where its services are.
fn settle(environment: &mut Environment, services: BTreeSet<String>, part_of: Option<String>) {
    environment.backup.schedules.retain_mut(|schedule| {
        let of_all = schedule.services.is_empty();
        schedule.services.retain(|service| services.contains(service));
        of_all || !schedule.services.is_empty()
    });
    environment.housing = Housing { part_of, services: Some(services) };
}

#[cfg(test)]
mod tests;
