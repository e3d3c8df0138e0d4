//! What the environment says of a domain service: its own variables begin with its name, those of the platform are shared.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use ipnet::IpNet;
use kernel::Secret;
use postgres_link::tenant::{ConnectOptions, PoolSettings};
use runtime::{ConfigErrors, Environment};

/// What a service is, fixed when it is built.
#[derive(Debug, Clone, Copy)]
pub struct Definition {
    /// Its name in the catalogue: `auth-service`.
    pub name: &'static str,
    /// What its variables begin with: `AUTH_SERVICE`.
    pub prefix: &'static str,
    /// Its port in the platform's inventory.
    pub port: u16,
    /// The role that it signs in to the database as.
    pub role: &'static str,
    /// Of each schema that it uses the migration that must be applied, `<schema>/<version>`.
    pub needs: &'static [&'static str],
    /// For the OpenAPI document: a title …
    pub title: &'static str,
    /// … and what it is for.
    pub description: &'static str,
}

/// The settings that all domain services have.
#[derive(Debug, Clone)]
pub struct Settings {
    /// `…_BIND`: the address to listen on; only this machine where nothing is said.
    pub bind: IpAddr,
    /// `…_PORT`; 0 takes a free one.
    pub port: u16,
    /// `…_DB_URL`: its database, as the role that the catalogue names.
    pub database: Option<ConnectOptions>,
    /// `…_DB_POOL`: at most so many sessions.
    pub pool: PoolSettings,
    /// `AUTH_SERVICE_URL`, `AUTH_SERVICE_ISSUER`, `AUTH_SERVICE_AUDIENCE`: whom it believes.
    pub keyring: keyring::Settings,
    /// It publishes the keys itself, so they are fetched from its own address: the auth service alone.
    pub is_issuer: bool,
    /// `…_MIGRATION_SERVICE`: where the migration service is; of several copies all, separated by commas.
    pub migrations: String,
    /// `…_MIGRATION_TOKEN`: a token of the scope `release`, where the migration service wants one.
    pub migrations_token: Option<Secret>,
    /// `…_ENVIRONMENT`: the environment of the catalogue; the migration service's default where nothing is said.
    pub environment: Option<String>,
    /// `…_INSTANCE`: what this process calls itself; a random name where nothing is said.
    pub instance: Option<String>,
    /// `…_TRUSTED_PROXIES`: networks whose `X-Forwarded-For` counts; only this machine where nothing is said.
    pub proxies: Vec<IpNet>,
    /// `…_METRICS_TOKEN`: lets those see `/metrics` who do not call from this machine.
    pub metrics_token: Option<Secret>,
}

impl Settings {
    /// What a service has where nothing is said.
    pub fn of(definition: &Definition) -> Self {
        Self {
            bind: IpAddr::V4(Ipv4Addr::LOCALHOST),
            port: definition.port,
            database: None,
            pool: PoolSettings::default(),
            keyring: keyring::Settings::default(),
            is_issuer: false,
            migrations: "http://localhost:3009".to_owned(),
            migrations_token: None,
            environment: None,
            instance: None,
            proxies: vec![
                IpNet::new_assert(IpAddr::V4(Ipv4Addr::new(127, 0, 0, 0)), 8),
                IpNet::new_assert(IpAddr::V6(std::net::Ipv6Addr::LOCALHOST), 128),
            ],
            metrics_token: None,
        }
    }

    /// Reads every variable of the service.
    ///
    /// # Errors
    /// All values that cannot be used, together.
    pub fn read(definition: &Definition, environment: &Environment) -> Result<Self, ConfigErrors> {
        let usual = Self::of(definition);
        let own = |name: &str| format!("{}_{name}", definition.prefix);
        let mut values = environment.collector();
        let url: Option<String> = values.optional(&own("DB_URL"));
        let lookup = environment.lookup();
        let database = url.and_then(|url| match ConnectOptions::parse_with(&url, &lookup) {
            Ok(options) => Some(options.with_application_name(definition.name)),
            Err(error) => {
                values.reject(&own("DB_URL"), &error.to_string());
                None
            }
        });
        let size = values.or(&own("DB_POOL"), usual.pool.size);
        if size == 0 {
            values.reject(&own("DB_POOL"), "a service needs at least 1 session");
        }
        let list: Option<String> = values.optional(&own("TRUSTED_PROXIES"));
        let proxies = list.map(|list| networks(&list)).transpose().unwrap_or_else(|wrong| {
            let reason = format!("{wrong:?} is no network such as 10.1.0.0/16; separate networks by commas");
            values.reject(&own("TRUSTED_PROXIES"), &reason);
            None
        });
        let settings = Self {
            bind: values.or(&own("BIND"), usual.bind),
            port: values.or(&own("PORT"), usual.port),
            database,
            pool: PoolSettings { size, ..usual.pool },
            keyring: keyring::Settings::read(&mut values),
            is_issuer: usual.is_issuer,
            migrations: values.or(&own("MIGRATION_SERVICE"), usual.migrations),
            migrations_token: values.optional(&own("MIGRATION_TOKEN")).map(|token: String| Secret::new(token)),
            environment: values.optional(&own("ENVIRONMENT")),
            instance: values.optional(&own("INSTANCE")),
            proxies: proxies.unwrap_or(usual.proxies),
            metrics_token: values.optional(&own("METRICS_TOKEN")).map(|token: String| Secret::new(token)),
        };
        values.finish(|| Some(settings))
    }

    /// Where to listen.
    pub fn address(&self) -> SocketAddr {
        SocketAddr::new(self.bind, self.port)
    }
}

/// Networks, or single addresses; the first that is neither is the error.
fn networks(list: &str) -> Result<Vec<IpNet>, String> {
    let parts = list.split(',').map(str::trim).filter(|part| !part.is_empty());
    parts
        .map(|part| {
            part.parse::<IpNet>().or_else(|_| part.parse::<IpAddr>().map(IpNet::from)).map_err(|_| part.to_owned())
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCHOOLS: Definition = Definition {
        name: "organization-service",
        prefix: "ORGANIZATION_SERVICE",
        port: 3003,
        role: "organizations_service",
        needs: &[],
        title: "",
        description: "",
    };

    #[test]
    fn nothing_set_is_this_machine() {
        let settings = Settings::read(&SCHOOLS, &Environment::default()).expect("good defaults");
        assert_eq!(settings.address().to_string(), "127.0.0.1:3003");
        assert_eq!((settings.pool.size, settings.proxies.len(), settings.database.is_none()), (8, 2, true));
    }

    #[test]
    fn all_that_is_wrong_is_said_together() {
        let environment = Environment::of([
            ("ORGANIZATION_SERVICE_PORT", "99999"),
            ("ORGANIZATION_SERVICE_DB_URL", "postgres://a:hunter2@[nowhere/x"),
            ("ORGANIZATION_SERVICE_DB_POOL", "0"),
            ("ORGANIZATION_SERVICE_TRUSTED_PROXIES", "10.0.0.0/8, the gateway"),
            ("AUTH_SERVICE_PORT", "nobody reads this here"),
        ]);
        let said = Settings::read(&SCHOOLS, &environment).expect_err("bad values").to_string();
        for name in ["_PORT", "_DB_URL", "_DB_POOL", "_TRUSTED_PROXIES"] {
            assert!(said.contains(&format!("ORGANIZATION_SERVICE{name}")), "{name} in: {said}");
        }
        assert!(said.contains("the gateway") && !said.contains("hunter2"), "{said}");
    }
}
