//! The files as one database sees them: those of the services that live in it.

use std::sync::Arc;

use super::Project;
use crate::catalogue::{Catalogue, Housing};
use crate::migration::MigrationId;

impl Project {
    /// As a database of `environment` sees them; itself where all services live there.
    pub(crate) fn on(self: &Arc<Self>, environment: &str) -> Arc<Self> {
        match self.catalogue.narrowed_to(environment) {
            Some(catalogue) => Arc::new(self.narrowed(catalogue, environment)),
            None => Arc::clone(self),
        }
    }

    /// As a database of `environment` would see them if every service lived in it. References never cross, so it can be made.
    #[must_use]
    pub fn together(self: &Arc<Self>, environment: &str) -> Arc<Self> {
        let mut catalogue = self.catalogue.clone();
        if let Some(entry) = catalogue.environments.get_mut(environment) {
            entry.housing = Housing::default();
        }
        let (migrations, places, seeds) = (self.migrations.clone(), self.places.clone(), self.seeds.clone());
        let source = Arc::clone(&self.source);
        Arc::new(Self { catalogue, migrations, places, seeds, source, whole: None, memory: None })
    }

    /// As each database of a fleet sees them; `None` where there is no such fleet.
    pub fn of_fleet(self: &Arc<Self>, fleet: &str) -> Option<Arc<Self>> {
        let entry = self.catalogue.fleets.get(fleet)?;
        let environment = &entry.environment;
        let place = |service: &str| match self.catalogue.home_of(environment, service) {
            Some(home) => home.to_owned(),
            None => "another fleet".to_owned(),
        };
        Some(match self.catalogue.narrowed(|service| service == entry.service, place) {
            Some(catalogue) => Arc::new(self.narrowed(catalogue, environment)),
            None => Arc::clone(self),
        })
    }

    /// Whether a migration is among the files of a service that does not live here.
    pub(crate) fn is_elsewhere(&self, id: &MigrationId) -> bool {
        self.whole.as_ref().is_some_and(|whole| whole.migration(id).is_some() && self.migration(id).is_none())
    }

    fn narrowed(self: &Arc<Self>, catalogue: Catalogue, environment: &str) -> Self {
        let lives_here = |service: &str| catalogue.services.contains_key(service);
        let migrations: Vec<_> = self.migrations.iter().filter(|m| lives_here(&m.service)).cloned().collect();
        let places = migrations.iter().enumerate().map(|(at, m)| (m.id.clone(), at)).collect();
        let whole = self.catalogue.whole_of(environment);
        let mut seeds: Vec<_> = self.seeds.iter().filter(|seed| lives_here(&seed.service)).cloned().collect();
        for seed in seeds.iter_mut().filter(|seed| seed.environment.as_deref() == Some(whole)) {
            // What is for an environment is for each of its databases.
            seed.environment = Some(environment.to_owned());
        }
        let source = Arc::clone(&self.source);
        Self { catalogue, migrations, places, seeds, source, whole: Some(Arc::clone(self)), memory: None }
    }
}
