//! What to connect to, as libpq understands it.
//!
//! A value is looked for in the connection string, then in the environment, then in libpq's defaults, once, when the
//! string is parsed; only the password file is read later, when connecting, because its answer depends on the
//! database. Not supported, and refused by name: `service`, GSSAPI, `sslpassword`, revocation lists,
//! `load_balance_hosts`, `sslnegotiation=direct`.
//! Source: <https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-PARAMKEYWORDS>.

mod conninfo;
mod defaults;
mod display;
mod keyword;
mod program;
#[cfg(test)]
mod tests;
mod types;
mod url;

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

pub use defaults::{Lookup, process_environment};
pub use types::{ChannelBinding, OptionsError, SslMode, TargetSession};
pub(crate) use types::{Endpoint, Host, Keepalive, Poolers, RootCertificate, Secret};

/// A parsed description of a server, a database and who connects.
///
/// `Debug` shows neither the password nor anything derived from it.
#[derive(Clone)]
pub struct ConnectOptions {
    pub(crate) endpoints: Vec<Endpoint>,
    pub(crate) database: String,
    pub(crate) user: String,
    pub(crate) password: Option<Secret>,
    pub(crate) passfile: Option<PathBuf>,
    pub(crate) sslmode: SslMode,
    pub(crate) sslrootcert: RootCertificate,
    pub(crate) sslcert: Option<PathBuf>,
    pub(crate) sslkey: Option<PathBuf>,
    pub(crate) channel_binding: ChannelBinding,
    pub(crate) application_name: Option<String>,
    pub(crate) options: String,
    pub(crate) connect_timeout: Option<Duration>,
    pub(crate) target_session: TargetSession,
    pub(crate) keepalive: Keepalive,
    pub(crate) poolers: Poolers,
}

impl ConnectOptions {
    /// Reads a URL (`postgres://…`, `postgresql://…`) or a `key=value` string; what it leaves out comes from this
    /// process's environment as in libpq.
    ///
    /// # Errors
    /// An unknown or unsupported parameter, or a value that cannot be read; the text never holds the password.
    pub fn parse(text: &str) -> Result<Self, OptionsError> {
        Self::parse_with(text, &process_environment)
    }

    /// As [`parse`](Self::parse), with the environment passed in.
    ///
    /// # Errors
    /// As [`parse`](Self::parse).
    pub fn parse_with(text: &str, environment: Lookup<'_>) -> Result<Self, OptionsError> {
        let text = text.trim();
        let given = match url::without_scheme(text)? {
            Some(rest) => url::parse(rest)?,
            None => conninfo::parse(text)?,
        };
        defaults::complete(given, environment)
    }

    /// The database to connect to.
    pub fn database(&self) -> &str {
        &self.database
    }

    /// The role to connect as.
    pub fn user(&self) -> &str {
        &self.user
    }

    /// How much TLS is asked for.
    pub fn sslmode(&self) -> SslMode {
        self.sslmode
    }

    /// The same server, another database.
    #[must_use]
    pub fn with_database(mut self, name: impl Into<String>) -> Self {
        self.database = name.into();
        self
    }

    /// The name under which the session shows up in `pg_stat_activity`.
    #[must_use]
    pub fn with_application_name(mut self, name: impl Into<String>) -> Self {
        self.application_name = Some(name.into());
        self
    }

    /// The same server, another role. A password given for the former role is dropped with it.
    #[must_use]
    pub fn with_user(mut self, user: impl Into<String>) -> Self {
        let user = user.into();
        if user != self.user {
            self.password = None;
        }
        self.user = user;
        self
    }

    /// Takes this password instead of one from the environment or a password file.
    #[must_use]
    pub fn with_password(mut self, password: impl Into<String>) -> Self {
        self.password = Some(Secret::new(password.into()));
        self
    }

    /// Takes poolers that give each transaction another session of the server, which are refused otherwise. For whoever
    /// needs nothing to last beyond a transaction: no setting, no lock, no LISTEN, no prepared statement.
    #[must_use]
    pub fn through_any_pooler(mut self) -> Self {
        self.poolers = Poolers::Any;
        self
    }

    /// Saves the round trip that looks for a pooler, for whoever calls
    /// [`ensure_own_server`](crate::AdminConn::ensure_own_server) before anything is to last beyond a transaction. Poolers
    /// that give themselves away at the login, as PgBouncer does, are found all the same.
    #[must_use]
    pub fn looking_for_poolers_later(mut self) -> Self {
        self.poolers = Poolers::RefusedLater;
        self
    }

    /// Sets a server setting for the session from its first moment, for example `("lock_timeout", "2s")`.
    /// A later value for the same name wins.
    #[must_use]
    pub fn with_option(mut self, name: &str, value: &str) -> Self {
        if !self.options.is_empty() {
            self.options.push(' ');
        }
        self.options.push_str("-c ");
        // The server splits `options` at blanks; a backslash protects one (libpq documentation, `options`).
        for c in name.chars().chain(['=']).chain(value.chars()) {
            if c == '\\' || c.is_whitespace() {
                self.options.push('\\');
            }
            self.options.push(c);
        }
        self
    }

    /// How long one address may take until the session is ready; `None` waits for ever.
    #[must_use]
    pub fn with_connect_timeout(mut self, timeout: Option<Duration>) -> Self {
        self.connect_timeout = timeout;
        self
    }
}

impl std::str::FromStr for ConnectOptions {
    type Err = OptionsError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

/// What a connection string said itself: absent is `None` or empty, so that the environment can fill it.
#[derive(Default)]
pub(crate) struct Given {
    hosts: Vec<Option<Host>>,
    hostaddrs: Vec<Option<IpAddr>>,
    ports: Vec<Option<u16>>,
    database: Option<String>,
    user: Option<String>,
    password: Option<Secret>,
    passfile: Option<PathBuf>,
    sslmode: Option<SslMode>,
    sslrootcert: Option<RootCertificate>,
    sslcert: Option<PathBuf>,
    sslkey: Option<PathBuf>,
    channel_binding: Option<ChannelBinding>,
    application_name: Option<String>,
    fallback_application_name: Option<String>,
    options: Option<String>,
    /// Zero is for ever.
    connect_timeout: Option<Duration>,
    target_session: Option<TargetSession>,
    keepalives: Option<bool>,
    keepalives_idle: Option<Duration>,
    keepalives_interval: Option<Duration>,
    keepalives_count: Option<u32>,
    tcp_user_timeout: Option<Duration>,
}
