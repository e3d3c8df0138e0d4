//! Telling services what became of their migrations.
//!
//! The end of a run is an event of the master database; from it one row is made for each service that is to be told, before
//! anybody is called. A row is delivered by one copy of the service at a time and stays until it was taken, so that a
//! receiver that is away, a restart and a crash lose nothing. Whoever is told twice knows it by the delivery's number.

mod deliver;
mod make;
mod probe;

use std::collections::BTreeMap;
use std::time::Duration;

use kernel::Secret;
use migration_engine::Catalogue;
use postgres_link::Lookup;

pub use crate::master::webhooks::{DeliveryFilter, WebhookDelivery};
pub use probe::WebhookTest;

use crate::operations::{Caller, OperationError, Operations};
use crate::outbound;

/// Where each service's webhook is, and what calls are signed with.
#[derive(Debug, Clone, Default)]
pub struct WebhookWays(BTreeMap<String, Way>);

/// One service's webhook, or why it cannot be called.
#[derive(Debug, Clone)]
struct Way {
    place: Result<Place, String>,
    patience: Duration,
}

#[derive(Debug, Clone)]
struct Place {
    url: Secret,
    secret: Secret,
}

impl WebhookWays {
    /// Nobody.
    pub(crate) const fn none() -> Self {
        Self(BTreeMap::new())
    }

    /// Reads the variables that the catalogue names. One that is not set stops nothing: what is owed waits for it.
    pub fn resolve(catalogue: &Catalogue, lookup: Lookup<'_>) -> Self {
        let read = |name: &str| {
            let value = lookup(name).map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
            value.map(Secret::new).ok_or_else(|| format!("{name} is not set"))
        };
        let ways = catalogue.services.iter().filter_map(|(service, entry)| {
            let webhooks = entry.webhooks.as_ref()?;
            let place = || {
                let url = match (&webhooks.url, &webhooks.url_variable) {
                    (Some(url), _) => Secret::new(url.clone()),
                    (None, variable) => read(variable.as_deref().unwrap_or_default())?,
                };
                let is_address = url.reveal().starts_with("http://") || url.reveal().starts_with("https://");
                if !is_address || outbound::shown(&url) == "?" {
                    let name = webhooks.url_variable.as_deref().unwrap_or("url");
                    return Err(format!("{name} is no http:// or https:// URL"));
                }
                Ok(Place { url, secret: read(&webhooks.secret_variable)? })
            };
            let patience = Duration::from_secs(webhooks.timeout_s.into());
            Some((service.clone(), Way { place: place(), patience }))
        });
        Self(ways.collect())
    }

    /// What cannot be called, and why, by service.
    pub fn problems(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().filter_map(|(service, way)| Some((service.as_str(), way.place.as_ref().err()?.as_str())))
    }

    /// The services that have one.
    fn services(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    fn way(&self, service: &str) -> Option<&Way> {
        self.0.get(service)
    }
}

impl Way {
    /// Without what may be a secret.
    fn shown(&self) -> String {
        self.place.as_ref().map_or_else(|_| "nowhere".to_owned(), |place| outbound::shown(&place.url))
    }
}

impl Operations {
    /// A page of what the services' webhooks were told and are to be told, newest first.
    ///
    /// # Errors
    /// Unknown names, a service that the caller may not touch, a master database that is away.
    pub async fn webhook_deliveries(
        &self,
        service: Option<&str>,
        mut filter: DeliveryFilter,
        caller: &Caller,
    ) -> Result<Vec<WebhookDelivery>, OperationError> {
        self.check_listed(service, None, caller)?;
        filter.services = caller.listed(service);
        Ok(self.master().webhook_deliveries(&filter).await?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CATALOGUE: &str = "[project]\nname = \"t\"\n[environments.production]\n\
        [services.a]\n[services.a.webhooks]\nurl = \"http://a.example.org:3005/hooks/geheim\"\nsecret_variable = \"A_SECRET\"\n\
        [services.b]\n[services.b.webhooks]\nurl_variable = \"B_URL\"\nsecret_variable = \"B_SECRET\"\ntimeout_s = 2\n[services.c]\n";

    fn ways(pairs: &[(&str, &str)]) -> WebhookWays {
        let catalogue = Catalogue::parse(CATALOGUE).expect("a good catalogue");
        WebhookWays::resolve(&catalogue, &|name| {
            pairs.iter().find(|(n, _)| *n == name).map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn addresses_and_secrets_come_from_variables_and_are_not_shown() {
        let ways = ways(&[("A_SECRET", "hunter2"), ("B_URL", "https://b.example.org/x"), ("B_SECRET", " s ")]);
        assert_eq!(ways.problems().count(), 0);
        assert_eq!(ways.services().collect::<Vec<_>>(), ["a", "b"]);
        let (a, b) = (ways.way("a").expect("it has one"), ways.way("b").expect("it has one"));
        assert_eq!((a.shown().as_str(), a.patience.as_secs()), ("http://a.example.org:3005", 10));
        assert_eq!((b.shown().as_str(), b.patience.as_secs()), ("https://b.example.org", 2));
        assert_eq!(b.place.as_ref().expect("it is whole").secret.reveal(), "s");
        let all = format!("{ways:?}");
        assert!(!all.contains("hunter2") && !all.contains("geheim"), "{all}");
    }

    #[test]
    fn what_is_missing_is_said_by_its_name_only() {
        let ways = ways(&[("B_URL", "b.example.org/hunter2"), ("B_SECRET", "s")]);
        let problems: Vec<_> = ways.problems().collect();
        assert_eq!(problems, [("a", "A_SECRET is not set"), ("b", "B_URL is no http:// or https:// URL")]);
    }
}
