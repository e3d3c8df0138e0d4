//! The values a connection string is made of.

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

/// Why a connection string was refused. The password is never part of the text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OptionsError {
    /// Not a parameter of libpq.
    #[error(
        "unknown connection parameter `{0}`; see the list at https://www.postgresql.org/docs/current/libpq-connect.html"
    )]
    Unknown(String),
    /// A parameter of libpq that this program does not have.
    #[error("connection parameter `{name}` is not supported: {instead}")]
    Unsupported {
        /// The parameter.
        name: String,
        /// What to do instead.
        instead: &'static str,
    },
    /// The value cannot be read.
    #[error("connection parameter `{name}` has the value `{value}`, expected {expected}")]
    Value {
        /// The parameter.
        name: String,
        /// What was given.
        value: String,
        /// What would be right.
        expected: &'static str,
    },
    /// The string as a whole cannot be read.
    #[error("the connection string cannot be read: {0}")]
    Syntax(String),
    /// Two parameters contradict each other.
    #[error("{0}")]
    Conflict(String),
}

/// How much TLS is asked for; the words of libpq.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SslMode {
    /// Never TLS.
    Disable,
    /// Plain first, TLS when the server refuses that.
    Allow,
    /// TLS first, plain when that does not come about. libpq's default.
    Prefer,
    /// TLS or nothing. The certificate is checked only where a root certificate file exists.
    Require,
    /// TLS, and the certificate must come from a known authority.
    VerifyCa,
    /// TLS, a known authority, and the host's name in the certificate.
    VerifyFull,
}

impl SslMode {
    /// The word in a connection string.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Disable => "disable",
            Self::Allow => "allow",
            Self::Prefer => "prefer",
            Self::Require => "require",
            Self::VerifyCa => "verify-ca",
            Self::VerifyFull => "verify-full",
        }
    }
}

/// Whether SCRAM is tied to the TLS session it runs in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ChannelBinding {
    /// Never.
    Disable,
    /// Where both sides can.
    #[default]
    Prefer,
    /// Always, or the connection fails.
    Require,
}

/// Which kind of server is wanted when several hosts are named.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TargetSession {
    /// Whichever answers.
    #[default]
    Any,
    /// One whose transactions may write.
    ReadWrite,
    /// One whose transactions may not write.
    ReadOnly,
    /// Not in recovery.
    Primary,
    /// In recovery.
    Standby,
    /// In recovery if there is one, otherwise any.
    PreferStandby,
}

impl TargetSession {
    /// The word in a connection string.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Any => "any",
            Self::ReadWrite => "read-write",
            Self::ReadOnly => "read-only",
            Self::Primary => "primary",
            Self::Standby => "standby",
            Self::PreferStandby => "prefer-standby",
        }
    }
}

/// A password, kept out of `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Secret(String);

impl Secret {
    pub(crate) fn new(text: String) -> Self {
        Self(text)
    }

    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// A name or address, or the folder of a Unix socket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Host {
    Tcp(String),
    Unix(PathBuf),
}

impl Host {
    /// A leading `/` is a folder, as in libpq.
    pub(crate) fn new(text: String) -> Self {
        if text.starts_with('/') { Self::Unix(text.into()) } else { Self::Tcp(text) }
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(name) => f.write_str(name),
            Self::Unix(folder) => write!(f, "{}", folder.display()),
        }
    }
}

/// One place to try.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Endpoint {
    pub(crate) host: Host,
    /// Saves the look-up of `host`, which then only names the certificate.
    pub(crate) address: Option<IpAddr>,
    pub(crate) port: u16,
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            Host::Tcp(name) if name.contains(':') => write!(f, "[{name}]:{}", self.port),
            host => write!(f, "{host}:{}", self.port),
        }
    }
}

/// Where the trusted authorities come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum RootCertificate {
    /// `sslrootcert=system`.
    System { bundle: Option<PathBuf> },
    /// A file somebody named: it has to exist.
    File(PathBuf),
    /// `~/.postgresql/root.crt`, used when it exists.
    Default(Option<PathBuf>),
}

/// Longer than a server under load hesitates; shorter than people wait for one that is gone.
const DEFAULT_PATIENCE: Duration = Duration::from_mins(1);

/// TCP keepalive; durations are whole seconds in the connection string.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Keepalive {
    pub(crate) on: bool,
    pub(crate) idle: Option<Duration>,
    pub(crate) interval: Option<Duration>,
    pub(crate) count: Option<u32>,
    pub(crate) user_timeout: Option<Duration>,
}

impl Keepalive {
    /// How long the server may leave a question without a sign of life; `tcp_user_timeout`, where that is given.
    pub(crate) fn patience(&self) -> Duration {
        self.user_timeout.unwrap_or(DEFAULT_PATIENCE)
    }
}

/// What is done about a pooler that keeps no sessions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Poolers {
    /// It is looked for at the login and refused.
    #[default]
    Refused,
    /// The same, where the login gives it away; the rest is looked for later.
    RefusedLater,
    /// It will do.
    Any,
}
