//! What the environment says of this service beside what it says of every one.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use kernel::Secret;
use mail::MailSettings;
use runtime::{ConfigErrors, Environment};
use service::Settings;
use url::Url;

use crate::DEFINITION;

const SECRET: &str = "AUTH_SERVICE_JWT_SECRET";
/// Characters; a key is made of it.
const SHORTEST_SECRET: usize = 32;
/// What an environment is called in which a secret may be made up.
const DEVELOPMENT: &str = "development";
const DAY: u64 = 24 * 60 * 60;

/// How long things live.
#[derive(Debug, Clone, Copy)]
pub struct Lifetimes {
    /// `AUTH_SERVICE_SESSION_IDLE_DAYS`: a session that nobody refreshes.
    pub idle: Duration,
    /// `AUTH_SERVICE_SESSION_DAYS`: a session however much it is used.
    pub absolute: Duration,
    /// A link to set a new password (ASVS 6.5.5: ten minutes at most).
    pub reset: Duration,
    /// `AUTH_SERVICE_VERIFICATION_HOURS`: a link that shows an address to be somebody's. It signs nobody in.
    pub verification: Duration,
}

/// The settings of the auth service.
#[derive(Debug, Clone)]
pub struct AuthSettings {
    /// What all services have.
    pub service: Settings,
    /// `AUTH_SERVICE_JWT_SECRET`: what the keys that sign tokens are sealed with; the same for all copies.
    pub secret: Secret,
    /// How long things live.
    pub lifetimes: Lifetimes,
    /// `MAIL_SMTP_URL`, `MAIL_SMTP_ROOT_CERT`, `MAIL_FROM`, `MAIL_FOLDER`.
    pub mail: MailSettings,
    /// `AUTH_SERVICE_PUBLIC_URL`: where people reach the API; links that confirm an address begin with it.
    pub public_url: Url,
    /// `AUTH_SERVICE_WEB_URL`: where the web client is; links to set a new password begin with it.
    pub web_url: Url,
    /// `AUTH_SERVICE_BREACHED_PASSWORDS`: a list of passwords that are known from breaches, as the Pwned Passwords downloader writes
    /// it. None of them is taken.
    pub breached: Option<PathBuf>,
    /// `AUTH_SERVICE_HASHING_THREADS`: how many passwords are looked at at once; as many as there are cores.
    pub hashing_threads: usize,
}

/// Why there are no settings.
#[derive(Debug, thiserror::Error)]
pub enum AuthSettingsError {
    /// Values that cannot be used, all of them.
    #[error(transparent)]
    Values(#[from] ConfigErrors),
    /// A secret is missing where none may be made up.
    #[error(
        "{SECRET} is not set; set it to at least {SHORTEST_SECRET} characters, the same for all copies, such as `openssl rand -base64 48` \
         gives (only in development, on this machine, is one made up)"
    )]
    NoSecret,
    /// The secret that was made up cannot be kept.
    #[error(
        "the secret that stands in for {SECRET} cannot be kept in {path}: {source}; set {SECRET}, or make the folder writable"
    )]
    SecretFile {
        /// Where.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl AuthSettings {
    /// What the service has where nothing is said, with this secret.
    pub fn with(secret: Secret, mail: MailSettings) -> Self {
        Self {
            service: Settings::of(&DEFINITION),
            secret,
            lifetimes: Lifetimes::default(),
            mail,
            public_url: local(3000),
            web_url: local(3000),
            breached: None,
            hashing_threads: cores(),
        }
    }

    /// Reads every variable. In development, on this machine alone, a secret that is missing is made up once and kept in
    /// `.profe/auth/jwt-secret` (`AUTH_SERVICE_DATA` names another folder).
    ///
    /// # Errors
    /// All values that cannot be used, together; a secret that is missing where it must not be.
    pub fn read(environment: &Environment) -> Result<Self, AuthSettingsError> {
        let service = Settings::read(&DEFINITION, environment)?;
        let mut values = environment.collector();
        let secret: Option<String> = values.optional(SECRET);
        if secret.as_ref().is_some_and(|secret| secret.chars().count() < SHORTEST_SECRET) {
            values.reject(SECRET, "it is too short to make a key of; `openssl rand -base64 48` gives a good one");
        }
        let mail = MailSettings::read(&mut values);
        let usual = Lifetimes::default();
        let mut days =
            |name: &str, usual: Duration| Duration::from_secs(values.or(name, usual.as_secs() / DAY).max(1) * DAY);
        let lifetimes = Lifetimes {
            idle: days("AUTH_SERVICE_SESSION_IDLE_DAYS", usual.idle),
            absolute: days("AUTH_SERVICE_SESSION_DAYS", usual.absolute),
            verification: Duration::from_hours(values.or("AUTH_SERVICE_VERIFICATION_HOURS", 24).max(1)),
            ..usual
        };
        let public_url = values.or("AUTH_SERVICE_PUBLIC_URL", local(3000));
        let web_url = values.or("AUTH_SERVICE_WEB_URL", public_url.clone());
        let breached = values.optional("AUTH_SERVICE_BREACHED_PASSWORDS");
        let hashing_threads = values.or("AUTH_SERVICE_HASHING_THREADS", cores());
        let data = values.or("AUTH_SERVICE_DATA", PathBuf::from(".profe/auth"));
        let mail = values.finish(|| mail)?;
        let secret = match secret {
            Some(secret) => Secret::new(secret),
            None => made_up(&service, &data)?,
        };
        Ok(Self { service, secret, lifetimes, mail, public_url, web_url, breached, hashing_threads })
    }
}

impl Default for Lifetimes {
    fn default() -> Self {
        Self {
            idle: Duration::from_secs(14 * DAY),
            absolute: Duration::from_secs(90 * DAY),
            reset: Duration::from_mins(10),
            verification: Duration::from_hours(24),
        }
    }
}

fn cores() -> usize {
    thread::available_parallelism().map_or(2, usize::from)
}

fn local(port: u16) -> Url {
    // A URL without anything that could be wrong; the port may be any.
    let mut url = Url::parse("http://localhost").unwrap_or_else(|_| unreachable!("a URL"));
    let _ = url.set_port(Some(port));
    url
}

fn made_up(service: &Settings, folder: &Path) -> Result<Secret, AuthSettingsError> {
    let is_development = service.environment.as_deref().is_none_or(|name| name == DEVELOPMENT);
    if !is_development || !service.bind.is_loopback() {
        return Err(AuthSettingsError::NoSecret);
    }
    let path = folder.join("jwt-secret");
    kept(folder, &path).map(Secret::new).map_err(|source| AuthSettingsError::SecretFile { path, source })
}

/// The file's content; made where there is none. Of two processes that make it, one wins and both read the same.
fn kept(folder: &Path, path: &Path) -> io::Result<String> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    if !path.exists() {
        let mut bytes = [0; 48];
        getrandom::fill(&mut bytes).map_err(io::Error::other)?;
        let unfinished = folder.join(format!(".jwt-secret-{}", uuid::Uuid::new_v4()));
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&unfinished)?;
        file.write_all(URL_SAFE_NO_PAD.encode(bytes).as_bytes())?;
        file.sync_all()?;
        let linked = fs::hard_link(&unfinished, path);
        fs::remove_file(&unfinished)?;
        linked.or_else(|error| if error.kind() == io::ErrorKind::AlreadyExists { Ok(()) } else { Err(error) })?;
    }
    let secret = fs::read_to_string(path)?;
    if secret.trim().len() < SHORTEST_SECRET {
        return Err(io::Error::other("it holds no secret; remove it"));
    }
    Ok(secret.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: [(&str, &str); 3]) -> Result<AuthSettings, String> {
        AuthSettings::read(&Environment::of(variables)).map_err(|error| error.to_string())
    }

    #[test]
    fn a_secret_is_made_up_once_and_in_development_only() {
        let folder = tempfile::tempdir().expect("a folder");
        let data = folder.path().to_str().expect("a path");
        let secret = || read([("AUTH_SERVICE_DATA", data), ("A", ""), ("B", "")]).expect("settings").secret;
        assert_eq!(secret().reveal(), secret().reveal());
        assert!(secret().reveal().len() >= SHORTEST_SECRET);
        for elsewhere in [("AUTH_SERVICE_ENVIRONMENT", "production"), ("AUTH_SERVICE_BIND", "0.0.0.0")] {
            let said = read([("AUTH_SERVICE_DATA", data), elsewhere, ("B", "")]).expect_err("no secret");
            assert!(said.contains("AUTH_SERVICE_JWT_SECRET is not set") && said.contains("openssl"), "{said}");
        }
    }

    #[test]
    fn what_is_wrong_is_said_without_the_secret() {
        let said = read([("AUTH_SERVICE_JWT_SECRET", "hunter2"), ("MAIL_SMTP_URL", "nonsense"), ("B", "")])
            .expect_err("bad values");
        assert!(
            said.contains("AUTH_SERVICE_JWT_SECRET") && said.contains("MAIL_SMTP_URL") && !said.contains("hunter2"),
            "{said}"
        );
    }
}
