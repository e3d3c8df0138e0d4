//! `[services.<name>.releases]`: which versions of its schemas a release of a service needs.

use serde::{Deserialize, Serialize};

use super::{Catalogue, Service};
use crate::migration::MigrationId;

/// What a release needs of the schemas that it uses.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct ReleaseNeeds {
    /// Of each schema the migration that must be applied, and with it all before it.
    pub needs: Vec<MigrationId>,
    /// Of each schema the newest migration that it works with; of one that is not named here, any.
    pub tolerates: Vec<MigrationId>,
}

impl ReleaseNeeds {
    /// What is contradictory or not to be known, one sentence each. `service` is whose release it is: a service uses the
    /// schemas that it owns and those that it may reference.
    pub fn problems(&self, catalogue: &Catalogue, service: &Service) -> Vec<String> {
        let mut problems = Vec::new();
        for (word, ids) in [("needs", &self.needs), ("tolerates", &self.tolerates)] {
            for (at, id) in ids.iter().enumerate() {
                if catalogue.owner_of(&id.schema).is_none() {
                    problems.push(format!("{word} {id}: no service owns the schema {:?}", id.schema));
                } else if !service.uses(&id.schema) {
                    problems.push(format!(
                        "{word} {id}: the service neither owns the schema {:?} nor has it among its references",
                        id.schema
                    ));
                }
                if ids[..at].iter().any(|other| other.schema == id.schema) {
                    problems.push(format!("{word} names the schema {:?} twice", id.schema));
                }
            }
        }
        for most in &self.tolerates {
            if let Some(least) =
                self.needs.iter().find(|least| least.schema == most.schema && least.version > most.version)
            {
                problems.push(format!("it needs {least} and tolerates nothing newer than {most}"));
            }
        }
        problems
    }
}

impl Service {
    /// Whether it owns the schema or may reference it.
    pub fn uses(&self, schema: &str) -> bool {
        self.schemas.iter().chain(&self.references).any(|name| name == schema)
    }

    /// What the catalogue says that a release needs: what stands under its whole name, else under the longest part of it
    /// that ends before a dot, a dash or a plus.
    pub fn release_needs(&self, release: &str) -> Option<&ReleaseNeeds> {
        let names = |name: &str| {
            release.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '-', '+']))
        };
        self.releases.iter().filter(|(name, _)| names(name)).max_by_key(|(name, _)| name.len()).map(|(_, needs)| needs)
    }
}

/// What of all services' releases cannot be.
pub(super) fn problems(catalogue: &Catalogue) -> Vec<String> {
    let mut problems = Vec::new();
    for (name, service) in &catalogue.services {
        for (release, needs) in &service.releases {
            let found = needs.problems(catalogue, service);
            problems.extend(found.into_iter().map(|problem| format!("{name}: release {release:?}: {problem}")));
        }
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    fn catalogue(releases: &str) -> Result<Catalogue, String> {
        let text = format!(
            "[project]\nname = \"t\"\n[environments.production]\n[services.auth]\nschemas = [\"auth\"]\n\
             [services.chat]\nschemas = [\"chat\"]\n[services.plans]\nschemas = [\"plans\"]\nreferences = [\"auth\"]\n{releases}"
        );
        Catalogue::parse(&text).map_err(|error| error.message)
    }

    #[test]
    fn the_longest_name_that_fits_a_release_counts() {
        let read = catalogue(
            "[services.plans.releases.\"2\"]\nneeds = [\"plans/1\"]\n[services.plans.releases.\"2.4\"]\n\
             needs = [\"plans/0004_totals\", \"auth/2\"]\ntolerates = [\"plans/9\"]",
        )
        .expect("a good catalogue");
        let needs = |release: &str| {
            read.services["plans"]
                .release_needs(release)
                .map(|found| found.needs.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "))
        };
        assert_eq!(needs("2.4.1").as_deref(), Some("plans/4 auth/2"));
        assert_eq!(needs("2.4-rc1").as_deref(), Some("plans/4 auth/2"));
        assert_eq!(needs("2.41").as_deref(), Some("plans/1"), "2.41 is no 2.4");
        assert_eq!((needs("3.0"), needs("20")), (None, None));
    }

    #[test]
    fn what_cannot_be_is_told() {
        for (release, says) in [
            ("needs = [\"nowhere/1\"]", "no service owns the schema \"nowhere\""),
            ("needs = [\"chat/1\"]", "neither owns the schema \"chat\" nor has it among its references"),
            ("needs = [\"plans/1\", \"plans/2\"]", "needs names the schema \"plans\" twice"),
            (
                "needs = [\"plans/5\"]\ntolerates = [\"plans/4\"]",
                "it needs plans/5 and tolerates nothing newer than plans/4",
            ),
            ("needs = [\"plans\"]", "a migration is named <schema>/<version>"),
            ("nedes = []", "nedes"),
        ] {
            let told = catalogue(&format!("[services.plans.releases.\"2.4\"]\n{release}")).expect_err(release);
            assert!(told.contains(says), "{told}");
        }
    }
}
