//! What the environment says about this service: every variable, every default, in one place.
//!
//! All bad values are reported together, so that a deployment is mended once. Values come through a look-up, which
//! knows `.env` files and `…_FILE` secrets (or is a map, in tests); nothing here touches the process's environment.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use backup_vault::Keys;
use backup_vault::keys::KeyError;
use kernel::Secret;
use postgres_link::{ConnectOptions, Lookup};
use runtime::Environment;
use runtime::telemetry::{Format, redact};

use crate::alerts::AlertWays;
use crate::events::Redis;

/// The platform's inventory gives the migration service this port.
pub const DEFAULT_PORT: u16 = 3009;
/// Only this machine, unless somebody says otherwise.
pub const DEFAULT_BIND: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
/// As `RUST_LOG`, when `MIGRATION_SERVICE_LOG_LEVEL` is not set.
pub const DEFAULT_LOG_LEVEL: &str = "info";
/// What age's secret keys begin with.
const SECRET_KEY: &str = "AGE-SECRET-KEY";
/// Between two looks at what was done to a target behind the service's back.
pub const DEFAULT_WATCH_INTERVAL: Duration = Duration::from_mins(5);
/// Between two looks at how the targets are.
pub const DEFAULT_SAMPLE_INTERVAL: Duration = Duration::from_secs(15);
/// Less than the half minute after which clusters kill what does not end.
const DEFAULT_RUN_GRACE: Duration = Duration::from_secs(20);

/// Whether a caller on this machine needs a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AuthMode {
    /// A request over loopback without a token acts as the local operator, with every scope.
    #[default]
    Local,
    /// Every request needs a token.
    Required,
}

/// The settings of the migration service.
#[derive(Debug, Clone)]
pub struct Settings {
    /// `MIGRATION_SERVICE_BIND`: the address to listen on.
    pub bind: IpAddr,
    /// `MIGRATION_SERVICE_PORT`; 0 takes a free one.
    pub port: u16,
    /// `MIGRATION_SERVICE_MASTER_DB_URL`: where the service keeps its own tables.
    pub master_url: Option<ConnectOptions>,
    /// `DATABASE_URL`: the shared database, of the default environment.
    pub database_url: Option<ConnectOptions>,
    /// `MIGRATION_SERVICE_ENVIRONMENT`: the default environment, which is the one that `DATABASE_URL` belongs to.
    pub environment: Option<String>,
    /// `MIGRATION_SERVICE_PROJECT`: a project folder instead of the one in the binary.
    pub project: Option<PathBuf>,
    /// `MIGRATION_SERVICE_LOG_LEVEL`.
    pub log_level: String,
    /// `MIGRATION_SERVICE_LOG_FORMAT`: `human` or `json`.
    pub log_format: Format,
    /// `OTEL_EXPORTER_OTLP_ENDPOINT`: the collector that traces are sent to.
    pub traces_to: Option<String>,
    /// `MIGRATION_SERVICE_REDIS_URL`: the Redis that carries events to other copies and other services.
    pub redis_url: Option<Secret>,
    /// `MIGRATION_SERVICE_BACKUP_STORAGE`: a folder or a URL. One that holds credentials is refused when it is opened.
    pub backup_storage: Option<Secret>,
    /// `MIGRATION_SERVICE_BACKUP_RECIPIENTS` and `MIGRATION_SERVICE_BACKUP_IDENTITY`: to whom backups are encrypted, and with
    /// what they are read.
    pub backup_keys: Keys,
    /// `MIGRATION_SERVICE_ALLOWED_HOSTS`: names under which the service may be called, beside loopback ones.
    pub allowed_hosts: Vec<String>,
    /// `MIGRATION_SERVICE_ALLOWED_ORIGINS`: origins of web pages that may call it, beside its own.
    pub allowed_origins: Vec<String>,
    /// `MIGRATION_SERVICE_AUTH`.
    pub auth: AuthMode,
    /// `MIGRATION_SERVICE_WATCH_INTERVAL`: how often a serving process looks for drift; `None` is never.
    pub watch_interval: Option<Duration>,
    /// `MIGRATION_SERVICE_SAMPLE_INTERVAL`: how often a serving process looks at how its targets are, for `/metrics` and the
    /// alerts; `None` is never.
    pub sample_interval: Option<Duration>,
    /// How long runs have to end by themselves when the process is told to; after that another copy goes on with them.
    pub run_grace: Duration,
    /// `MIGRATION_SERVICE_ALERTMANAGER_URL`, `MIGRATION_SERVICE_ALERT_WEBHOOKS` with `MIGRATION_SERVICE_ALERT_WEBHOOK_SECRET`,
    /// `MIGRATION_SERVICE_SMTP_URL` and `MIGRATION_SERVICE_SMTP_ROOT_CERT` with `MIGRATION_SERVICE_ALERT_MAIL_TO` and
    /// `…_FROM`: who is told of alerts.
    pub alert_ways: AlertWays,
    /// `MIGRATION_SERVICE_AUDIT_ANCHOR_FILE`: where the ends of the audits' chains are written beside the master database.
    pub audit_anchor_file: Option<PathBuf>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            bind: DEFAULT_BIND,
            port: DEFAULT_PORT,
            master_url: None,
            database_url: None,
            environment: None,
            project: None,
            log_level: DEFAULT_LOG_LEVEL.to_owned(),
            log_format: Format::default(),
            traces_to: None,
            redis_url: None,
            backup_storage: None,
            backup_keys: Keys::default(),
            allowed_hosts: Vec::new(),
            allowed_origins: Vec::new(),
            auth: AuthMode::Local,
            watch_interval: Some(DEFAULT_WATCH_INTERVAL),
            sample_interval: Some(DEFAULT_SAMPLE_INTERVAL),
            run_grace: DEFAULT_RUN_GRACE,
            alert_ways: AlertWays::default(),
            audit_anchor_file: None,
        }
    }
}

impl Settings {
    /// Reads every variable. An empty value counts as not set.
    ///
    /// # Errors
    /// All values that cannot be read, together.
    pub fn read(lookup: Lookup<'_>) -> Result<Self, SettingsError> {
        Self::read_with(&|name| Ok(lookup(name)))
    }

    /// As [`read`](Self::read), from a loaded environment; a `…_FILE` that cannot be read is reported too.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn from_environment(environment: &Environment) -> Result<Self, SettingsError> {
        Self::read_with(&|name| environment.get(name).map_err(|error| error.to_string()))
    }

    fn read_with(get: Get<'_>) -> Result<Self, SettingsError> {
        let mut read = Reader { get, problems: Vec::new() };
        let defaults = Self::default();
        let settings = Self {
            bind: read
                .parsed("MIGRATION_SERVICE_BIND", address, "an IP address such as 127.0.0.1")
                .unwrap_or(defaults.bind),
            port: read
                .parsed("MIGRATION_SERVICE_PORT", |text| text.parse().ok(), "a port from 0 to 65535")
                .unwrap_or(defaults.port),
            master_url: read.url("MIGRATION_SERVICE_MASTER_DB_URL"),
            database_url: read.url("DATABASE_URL"),
            environment: read.text("MIGRATION_SERVICE_ENVIRONMENT"),
            project: read.text("MIGRATION_SERVICE_PROJECT").map(PathBuf::from),
            log_level: read.text("MIGRATION_SERVICE_LOG_LEVEL").unwrap_or(defaults.log_level),
            log_format: read
                .parsed("MIGRATION_SERVICE_LOG_FORMAT", |text| text.parse().ok(), "`human` or `json`")
                .unwrap_or_default(),
            traces_to: read.collector("OTEL_EXPORTER_OTLP_ENDPOINT"),
            redis_url: read.redis("MIGRATION_SERVICE_REDIS_URL"),
            backup_storage: read.text("MIGRATION_SERVICE_BACKUP_STORAGE").map(Secret::new),
            backup_keys: read.keys("MIGRATION_SERVICE_BACKUP_RECIPIENTS", "MIGRATION_SERVICE_BACKUP_IDENTITY"),
            allowed_hosts: read.list("MIGRATION_SERVICE_ALLOWED_HOSTS", host, "host names separated by commas"),
            allowed_origins: read.list(
                "MIGRATION_SERVICE_ALLOWED_ORIGINS",
                origin,
                "origins such as https://panel.example.org separated by commas",
            ),
            auth: read.parsed("MIGRATION_SERVICE_AUTH", auth, "`local` or `required`").unwrap_or_default(),
            watch_interval: read
                .parsed("MIGRATION_SERVICE_WATCH_INTERVAL", interval, "a time such as 30s, 5m or 1h, or `off`")
                .or(defaults.watch_interval)
                .filter(|interval| !interval.is_zero()),
            sample_interval: read
                .parsed("MIGRATION_SERVICE_SAMPLE_INTERVAL", interval, "a time such as 15s or 1m, or `off`")
                .or(defaults.sample_interval)
                .filter(|interval| !interval.is_zero()),
            run_grace: read
                .parsed("MIGRATION_SERVICE_RUN_GRACE", interval, "a time such as 20s, or `off`")
                .unwrap_or(defaults.run_grace),
            alert_ways: read.alert_ways(),
            audit_anchor_file: read.file_in_a_folder("MIGRATION_SERVICE_AUDIT_ANCHOR_FILE"),
        };
        if read.problems.is_empty() { Ok(settings) } else { Err(SettingsError { problems: read.problems }) }
    }

    /// Where to listen.
    pub fn address(&self) -> SocketAddr {
        SocketAddr::new(self.bind, self.port)
    }

    /// No server is named, so the databases live on the private cluster.
    pub fn needs_private_cluster(&self) -> bool {
        self.master_url.is_none() && self.database_url.is_none()
    }
}

/// Every setting that cannot be used. Holds no value that may be a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct SettingsError {
    /// One sentence each.
    pub problems: Vec<String>,
}

impl fmt::Display for SettingsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the settings cannot be used: {}", self.problems.join("; "))
    }
}

/// A variable's value, or why it cannot be had.
type Get<'a> = &'a dyn Fn(&str) -> Result<Option<String>, String>;

struct Reader<'a> {
    get: Get<'a>,
    problems: Vec<String>,
}

impl Reader<'_> {
    fn text(&mut self, name: &str) -> Option<String> {
        let value = (self.get)(name).unwrap_or_else(|problem| {
            self.problems.push(problem);
            None
        });
        value.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty())
    }

    fn parsed<T>(&mut self, name: &str, parse: impl Fn(&str) -> Option<T>, expected: &str) -> Option<T> {
        let text = self.text(name)?;
        let value = parse(&text);
        if value.is_none() {
            self.problems.push(format!("{name} is {:?}, expected {expected}", redact(&text)));
        }
        value
    }

    fn url(&mut self, name: &str) -> Option<ConnectOptions> {
        let text = self.text(name)?;
        let get = self.get;
        let parsed = ConnectOptions::parse_with(&text, &|name| get(name).ok().flatten());
        parsed.map_err(|error| self.problems.push(format!("{name}: {error}"))).ok()
    }

    /// The value is not repeated: it may hold a password.
    fn redis(&mut self, name: &str) -> Option<Secret> {
        let url = Secret::new(self.text(name)?);
        if Redis::at(&url).is_ok() {
            return Some(url);
        }
        self.problems.push(format!("{name} is no URL of a Redis; write redis://host:6379/0, or rediss:// for TLS"));
        None
    }

    /// The value is not repeated: it may hold a password.
    fn collector(&mut self, name: &str) -> Option<String> {
        let text = self.text(name)?;
        let address = collector(&text);
        if address.is_none() {
            self.problems.push(format!("{name} is no address of a collector; write one such as http://127.0.0.1:4318"));
        }
        address
    }

    fn alert_ways(&mut self) -> AlertWays {
        let ways = AlertWays {
            alertmanagers: self.addresses("MIGRATION_SERVICE_ALERTMANAGER_URL"),
            webhooks: self.addresses("MIGRATION_SERVICE_ALERT_WEBHOOKS"),
            webhook_secret: self.text("MIGRATION_SERVICE_ALERT_WEBHOOK_SECRET").map(Secret::new),
            smtp: self.text("MIGRATION_SERVICE_SMTP_URL").map(Secret::new),
            smtp_root_cert: self.text("MIGRATION_SERVICE_SMTP_ROOT_CERT").map(PathBuf::from),
            mail_to: self.list("MIGRATION_SERVICE_ALERT_MAIL_TO", mailbox, "addresses such as ops@escuela.example"),
            mail_from: self.parsed(
                "MIGRATION_SERVICE_ALERT_MAIL_FROM",
                mailbox,
                "an address such as profe@escuela.example",
            ),
        };
        self.problems.extend(ways.problems().into_iter().map(str::to_owned));
        ways
    }

    /// The value is not repeated: it may hold a secret.
    fn addresses(&mut self, name: &str) -> Vec<Secret> {
        let text = self.text(name).unwrap_or_default();
        let urls: Vec<_> = text.split(',').map(str::trim).filter(|url| !url.is_empty()).collect();
        if urls.iter().any(|url| collector(url).is_none()) {
            self.problems.push(format!("{name} is no list of http:// or https:// URLs separated by commas"));
        }
        urls.into_iter().map(Secret::new).collect()
    }

    fn keys(&mut self, recipients: &str, identity: &str) -> Keys {
        let (public, secret) = (self.text(recipients).unwrap_or_default(), self.text(identity).unwrap_or_default());
        Keys::parse(&public, &secret).unwrap_or_else(|error| {
            self.problems.push(match error {
                // The word is repeated in the error, and must not be where it is secret.
                KeyError::Recipient(word) if word.to_ascii_uppercase().starts_with(SECRET_KEY) => {
                    format!("{recipients} holds a secret key; it takes public ones, and {identity}_FILE the secret one")
                }
                KeyError::Recipient(_) => format!("{recipients}: {error}"),
                KeyError::Identity(_) => format!("{identity}: {error}"),
            });
            Keys::default()
        })
    }

    /// A file that may be made later, in a folder that must be there now.
    fn file_in_a_folder(&mut self, name: &str) -> Option<PathBuf> {
        let path = PathBuf::from(self.text(name)?);
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        if path.file_name().is_some() && folder.is_dir() {
            return Some(path);
        }
        let (path, folder) = (path.display(), folder.display());
        self.problems.push(format!("{name} is {path}, and there is no folder {folder}; make it, or name another file"));
        None
    }

    fn list(&mut self, name: &str, parse: impl Fn(&str) -> Option<String>, expected: &str) -> Vec<String> {
        let Some(text) = self.text(name) else { return Vec::new() };
        let parts: Vec<_> = text.split(',').map(str::trim).filter(|part| !part.is_empty()).map(&parse).collect();
        if parts.contains(&None) {
            self.problems.push(format!("{name} is {:?}, expected {expected}", redact(&text)));
        }
        parts.into_iter().flatten().collect()
    }
}

fn address(text: &str) -> Option<IpAddr> {
    if text == "localhost" { Some(DEFAULT_BIND) } else { text.trim_matches(['[', ']']).parse().ok() }
}

fn auth(text: &str) -> Option<AuthMode> {
    match text {
        "local" => Some(AuthMode::Local),
        "required" => Some(AuthMode::Required),
        _ => None,
    }
}

/// Nothing stands for never.
fn interval(text: &str) -> Option<Duration> {
    if text == "off" {
        return Some(Duration::ZERO);
    }
    let (number, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()));
    let unit_s = match unit {
        "s" | "" => 1,
        "m" | "min" => 60,
        "h" => 3_600,
        _ => return None,
    };
    let seconds = number.parse::<u32>().ok()?.checked_mul(unit_s)?;
    Some(Duration::from_secs(seconds.into()))
}

fn mailbox(text: &str) -> Option<String> {
    crate::alerts::is_mail_address(text).then(|| text.to_owned())
}

fn collector(text: &str) -> Option<String> {
    let place = text.strip_prefix("http://").or_else(|| text.strip_prefix("https://"))?;
    (!place.is_empty()).then(|| text.to_owned())
}

/// A name as it stands in a Host header, with or without a port.
fn host(text: &str) -> Option<String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':' | '[' | ']');
    text.chars().all(plain).then(|| text.to_ascii_lowercase())
}

fn origin(text: &str) -> Option<String> {
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"))?;
    host(rest)?;
    (!rest.is_empty()).then(|| text.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn read(pairs: &[(&str, &str)]) -> Result<Settings, SettingsError> {
        let map: BTreeMap<_, _> = pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        Settings::read(&|name| map.get(name).cloned())
    }

    #[test]
    fn nothing_set_suits_a_laptop() {
        let settings = read(&[]).expect("defaults are good");
        assert_eq!(settings.address(), "127.0.0.1:3009".parse().expect("an address"));
        assert!(settings.needs_private_cluster());
        assert_eq!(settings.auth, AuthMode::Local);
    }

    #[test]
    fn every_bad_value_is_reported_and_no_password() {
        let error = read(&[
            ("MIGRATION_SERVICE_PORT", "30o9"),
            ("MIGRATION_SERVICE_BIND", "everywhere"),
            ("MIGRATION_SERVICE_AUTH", "none"),
            ("MIGRATION_SERVICE_LOG_FORMAT", "xml"),
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "grpc://ana:hunter2@collector.example.org"),
            ("MIGRATION_SERVICE_REDIS_URL", "cache://:hunter2@cache.example.org"),
            ("MIGRATION_SERVICE_ALLOWED_ORIGINS", "ftp://ana:hunter2@panel.example.org"),
            ("DATABASE_URL", "postgres://ana:hunter2@db.example.org/x?sslmode=perhaps"),
        ])
        .expect_err("eight bad values");
        assert_eq!(error.problems.len(), 8, "{error}");
        assert!(!error.to_string().contains("hunter2"), "{error}");
        let traces = read(&[("OTEL_EXPORTER_OTLP_ENDPOINT", "grpc://hunter2@collector.example.org")])
            .expect_err("no web address");
        assert!(
            !traces.to_string().contains("hunter2") && traces.to_string().contains("write one such as"),
            "{traces}"
        );
    }

    #[test]
    fn the_watch_has_an_interval_or_is_off() {
        let of = |text: &str| {
            read(&[("MIGRATION_SERVICE_WATCH_INTERVAL", text)]).map(|s| s.watch_interval.map(|d| d.as_secs()))
        };
        for (text, seconds) in
            [("", Some(300)), ("2", Some(2)), ("30s", Some(30)), ("5m", Some(300)), ("1h", Some(3600))]
        {
            assert_eq!(of(text).ok(), Some(seconds), "{text}");
        }
        for text in ["off", "0", "0s"] {
            assert_eq!(of(text).ok(), Some(None), "{text}");
        }
        for text in ["often", "-5", "m", "5 d", "99999999h"] {
            let error = of(text).expect_err(text);
            assert!(error.to_string().contains("a time such as 30s, 5m or 1h, or `off`"), "{error}");
        }
    }

    #[test]
    fn the_anchor_file_needs_its_folder() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("anchors.jsonl");
        let text = file.to_str().expect("a path in UTF-8");
        assert_eq!(read(&[("MIGRATION_SERVICE_AUDIT_ANCHOR_FILE", text)]).expect("good").audit_anchor_file, Some(file));
        let missing = folder.path().join("away/anchors.jsonl");
        let error = read(&[("MIGRATION_SERVICE_AUDIT_ANCHOR_FILE", missing.to_str().expect("a path in UTF-8"))])
            .expect_err("no such folder");
        let [problem] = error.problems.as_slice() else { panic!("{error}") };
        assert!(problem.contains("there is no folder") && problem.contains("/away;"), "{problem}");
    }

    #[test]
    fn keys_are_read_and_a_misplaced_secret_is_not_repeated() {
        const PUBLIC: &str = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p";
        let settings = read(&[("MIGRATION_SERVICE_BACKUP_RECIPIENTS", PUBLIC)]).expect("a good key");
        assert_eq!(settings.backup_keys.recipients(), [PUBLIC]);
        for (name, value, words) in [
            ("MIGRATION_SERVICE_BACKUP_RECIPIENTS", "ana", "public key"),
            (
                "MIGRATION_SERVICE_BACKUP_RECIPIENTS",
                "AGE-SECRET-KEY-1HUNTER2",
                "MIGRATION_SERVICE_BACKUP_IDENTITY_FILE",
            ),
            ("MIGRATION_SERVICE_BACKUP_IDENTITY", "AGE-SECRET-KEY-1HUNTER2", "line 1"),
        ] {
            let error = read(&[(name, value)]).expect_err(value).to_string();
            assert!(error.contains(name) && error.contains(words) && !error.contains("HUNTER2"), "{error}");
        }
    }

    #[test]
    fn lists_are_split_and_lowered() {
        let settings = read(&[
            ("MIGRATION_SERVICE_ALLOWED_HOSTS", "Migrations.Example.org, [::1]:3009,"),
            ("MIGRATION_SERVICE_ALLOWED_ORIGINS", "https://Panel.example.org"),
        ])
        .expect("good lists");
        assert_eq!(settings.allowed_hosts, ["migrations.example.org", "[::1]:3009"]);
        assert_eq!(settings.allowed_origins, ["https://panel.example.org"]);
    }

    #[test]
    fn secrets_stay_out_of_debug() {
        let settings = read(&[
            ("MIGRATION_SERVICE_REDIS_URL", "redis://:hunter2@cache.example.org"),
            ("DATABASE_URL", "postgres://a:hunter2@h/d"),
        ])
        .expect("good values");
        assert!(!format!("{settings:?}").contains("hunter2"));
    }

    #[test]
    fn a_secret_file_that_cannot_be_read_is_reported_with_the_rest() {
        let environment = Environment::of([("DATABASE_URL_FILE", "/nonexistent/url"), ("MIGRATION_SERVICE_PORT", "x")]);
        let error = Settings::from_environment(&environment).expect_err("two bad values");
        assert_eq!(error.problems.len(), 2, "{error}");
    }
}
