//! What the environment says about the gateway: every variable, every default, in one place.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use kernel::Secret;
use runtime::{Collector, ConfigErrors, Environment};

use crate::place::Place;
use crate::table::{self, Table};

/// The platform's inventory gives the gateway this port.
pub const DEFAULT_PORT: u16 = 3000;
/// Its numbers are here, for this machine alone.
pub const DEFAULT_METRICS: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 3100);
/// Where the web client is served from while it is developed.
const DEVELOPMENT_ORIGIN: &str = "http://localhost:5173";

/// The settings of the gateway.
#[derive(Debug, Clone)]
pub struct Settings {
    /// `API_GATEWAY_BIND`: the address to listen on; only this machine's where nothing is said.
    pub bind: IpAddr,
    /// `API_GATEWAY_PORT`; 0 takes a free one.
    pub port: u16,
    /// `API_GATEWAY_METRICS`: where `/metrics` is served, or `off`. Not for the public.
    pub metrics: Option<SocketAddr>,
    /// `API_GATEWAY_ROUTES`: a file with the route table instead of the one in the binary; it counts again when it changes.
    pub routes: Option<PathBuf>,
    /// `API_GATEWAY_ALLOWED_ORIGINS`: the web pages that may call, exactly as browsers write them.
    pub allowed_origins: Vec<String>,
    /// `API_GATEWAY_TRUSTED_HOPS`: how many proxies stand in front, each of which adds to `X-Forwarded-For`. Nobody may reach the
    /// gateway past them.
    pub trusted_hops: usize,
    /// `API_GATEWAY_<SERVICE>`, such as `API_GATEWAY_AUTH_SERVICE`: where a service is, instead of what the table says.
    pub addresses: BTreeMap<String, String>,
    /// `<SERVICE>_WEBHOOK_SECRET`, such as `PLANS_SERVICE_WEBHOOK_SECRET`: with what webhooks for it are signed. Without one none is
    /// taken.
    pub webhook_secrets: BTreeMap<String, Secret>,
    /// `API_GATEWAY_DNS_SERVER`: a name server instead of the system's.
    pub dns_server: Option<SocketAddr>,
    /// Whom it believes: `AUTH_SERVICE_URL`, `AUTH_SERVICE_ISSUER`, `AUTH_SERVICE_AUDIENCE`.
    pub keyring: keyring::Settings,
    /// How long things may take.
    pub times: Times,
}

/// How long things may take.
#[derive(Debug, Clone, Copy)]
pub struct Times {
    /// A client, for a request's head; also between two requests of one connection.
    pub head: Duration,
    /// A client, for a body, beside a second for each 8 KiB of it.
    pub body: Duration,
    /// Opening a connection to a copy of a service.
    pub connect: Duration,
    /// Between two checks of a copy that is up.
    pub check_every: Duration,
    /// Between two looks at the file of the route table.
    pub reload_every: Duration,
    /// `API_GATEWAY_DRAIN_SECONDS`: what is under way, when the process is told to end.
    pub drain: Duration,
}

impl Default for Times {
    fn default() -> Self {
        Self {
            head: Duration::from_secs(15),
            body: Duration::from_secs(15),
            connect: Duration::from_secs(1),
            check_every: Duration::from_secs(5),
            reload_every: Duration::from_secs(1),
            drain: Duration::from_secs(8),
        }
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            bind: IpAddr::V4(Ipv4Addr::LOCALHOST),
            port: DEFAULT_PORT,
            metrics: Some(DEFAULT_METRICS),
            routes: None,
            allowed_origins: vec![DEVELOPMENT_ORIGIN.to_owned()],
            trusted_hops: 0,
            addresses: BTreeMap::new(),
            webhook_secrets: BTreeMap::new(),
            dns_server: None,
            keyring: keyring::Settings::default(),
            times: Times::default(),
        }
    }
}

impl Settings {
    /// What the environment says.
    ///
    /// # Errors
    /// Every bad value, the route table's too.
    pub fn from_environment(environment: &Environment) -> Result<Self, ConfigErrors> {
        let mut values = environment.collector();
        let settings = Self::read(&mut values);
        values.finish(|| Some(settings))
    }

    fn read(values: &mut Collector<'_>) -> Self {
        let defaults = Self::default();
        let mut settings = Self {
            bind: values.or("API_GATEWAY_BIND", defaults.bind),
            port: values.or("API_GATEWAY_PORT", defaults.port),
            metrics: values.or("API_GATEWAY_METRICS", Switch(defaults.metrics)).0,
            routes: values.optional("API_GATEWAY_ROUTES"),
            allowed_origins: values.or("API_GATEWAY_ALLOWED_ORIGINS", Origins(defaults.allowed_origins)).0,
            trusted_hops: values.or("API_GATEWAY_TRUSTED_HOPS", defaults.trusted_hops),
            dns_server: values.optional("API_GATEWAY_DNS_SERVER"),
            keyring: keyring::Settings::read(values),
            ..defaults
        };
        if let Some(seconds) = values.optional::<u32>("API_GATEWAY_DRAIN_SECONDS") {
            settings.times.drain = Duration::from_secs(seconds.into());
        }
        let table = settings.table().map_err(|why| values.reject("API_GATEWAY_ROUTES", &why)).ok();
        for name in table.iter().flat_map(|(table, _)| table.upstreams.keys()) {
            let word = name.replace('-', "_").to_ascii_uppercase();
            let variable = format!("API_GATEWAY_{word}");
            if let Some(addresses) = values.optional::<String>(&variable) {
                if let Err(why) = Place::parse_all(&addresses) {
                    values.reject(&variable, &why);
                }
                settings.addresses.insert(name.clone(), addresses);
            }
            if let Some(secret) = values.optional::<String>(&format!("{word}_WEBHOOK_SECRET")) {
                settings.webhook_secrets.insert(name.clone(), Secret::new(secret));
            }
        }
        settings
    }

    /// The route table and its text.
    pub(crate) fn table(&self) -> Result<(Table, String), String> {
        let text = match &self.routes {
            Some(path) => {
                std::fs::read_to_string(path).map_err(|error| format!("the route table cannot be read: {error}"))?
            }
            None => table::DEFAULT.to_owned(),
        };
        let table = Table::parse(&text).map_err(|error| format!("the route table: {error}"))?;
        Ok((table, text))
    }

    /// Where to listen.
    pub fn address(&self) -> SocketAddr {
        SocketAddr::new(self.bind, self.port)
    }
}

/// An address or `off`.
struct Switch(Option<SocketAddr>);

impl std::str::FromStr for Switch {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "off" {
            return Ok(Self(None));
        }
        text.parse().map(|address| Self(Some(address))).map_err(|_| "write an address such as 127.0.0.1:3100, or off")
    }
}

struct Origins(Vec<String>);

impl std::str::FromStr for Origins {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let words = text.split(',').map(str::trim).filter(|word| !word.is_empty());
        let origin = |word: &str| {
            let place = word.strip_prefix("https://").or_else(|| word.strip_prefix("http://")).unwrap_or_default();
            let plain =
                |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'.' | b'-' | b':' | b'[' | b']');
            let is_one = !place.is_empty() && place.bytes().all(plain);
            is_one.then(|| word.to_owned()).ok_or_else(|| {
                format!("{word:?} is no origin; write each as browsers do, such as https://panel.example.org, separated by commas")
            })
        };
        words.map(origin).collect::<Result<_, _>>().map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_set_suits_a_laptop() {
        let settings = Settings::from_environment(&Environment::default()).expect("good defaults");
        assert_eq!(settings.address(), SocketAddr::from(([127, 0, 0, 1], 3000)));
        assert!(settings.webhook_secrets.is_empty() && settings.trusted_hops == 0);
    }

    #[test]
    fn services_are_where_the_environment_says() {
        let environment = Environment::of([
            ("API_GATEWAY_AUTH_SERVICE", "http://a:1,http://b:1"),
            ("PLANS_SERVICE_WEBHOOK_SECRET", "geheim"),
            ("API_GATEWAY_METRICS", "off"),
            ("API_GATEWAY_ALLOWED_ORIGINS", "https://panel.example.org, https://otro.example.org"),
        ]);
        let settings = Settings::from_environment(&environment).expect("good values");
        assert_eq!(settings.addresses["auth-service"], "http://a:1,http://b:1");
        assert!(settings.webhook_secrets.contains_key("plans-service") && settings.metrics.is_none());
        assert_eq!(settings.allowed_origins.len(), 2);
        assert!(!format!("{settings:?}").contains("geheim"));
    }

    #[test]
    fn every_bad_value_is_reported() {
        let environment = Environment::of([
            ("API_GATEWAY_PORT", "30oo"),
            ("API_GATEWAY_METRICS", "everywhere"),
            ("API_GATEWAY_ALLOWED_ORIGINS", "*"),
            ("API_GATEWAY_AUTH_SERVICE", "auth"),
            ("AUTH_SERVICE_URL", "auth"),
        ]);
        let errors = Settings::from_environment(&environment).expect_err("five bad values");
        assert_eq!(errors.0.len(), 5, "{errors}");
        let missing = Environment::of([("API_GATEWAY_ROUTES", "/there/is/none.toml")]);
        assert!(Settings::from_environment(&missing).is_err());
    }
}
