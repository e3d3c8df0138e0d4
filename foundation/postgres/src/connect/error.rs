//! Why no session came about, as an operator's situation.

use std::fmt;

use serde::Serialize;

use crate::options::{ConnectOptions, Endpoint, OptionsError};
use crate::sql_error::SqlError;

/// The situations; their snake_case names are stable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ConnectErrorKind {
    /// The connection string or a file it names cannot be used.
    BadOptions,
    /// The name does not resolve.
    HostNotFound,
    /// Nothing listens there.
    Refused,
    /// No answer in time.
    Timeout,
    /// The server's certificate comes from an authority that is not trusted.
    TlsUnknownIssuer,
    /// The server's certificate has expired or is not valid yet.
    TlsExpired,
    /// The server's certificate is for another host.
    TlsWrongName,
    /// The server does not speak TLS, and the sslmode asks for it.
    TlsNotOffered,
    /// The server wants a client certificate, or does not accept the one it got.
    TlsClientCertificate,
    /// Another failure of the TLS handshake.
    TlsFailed,
    /// Wrong password, or the role is not there or may not log in.
    AuthenticationFailed,
    /// No line of `pg_hba.conf` lets this client in.
    NoPgHbaEntry,
    /// The server asks for a password and none is known.
    NoPassword,
    /// The database does not exist.
    DatabaseMissing,
    /// No free connection slot.
    TooManyConnections,
    /// The server starts up, shuts down or recovers.
    StartingUp,
    /// A server of another kind than `target_session_attrs` asks for.
    WrongSession,
    /// A pooler gives each transaction another session of the server.
    TransactionPooler,
    /// A pooler has no session of the server left.
    PoolerFull,
    /// Anything else; the text says what.
    Other,
}

/// Which server, database and role; never the password.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    server: String,
    database: String,
    user: String,
}

impl Place {
    pub(crate) fn of(options: &ConnectOptions, endpoint: Option<&Endpoint>) -> Self {
        Self {
            server: endpoint.map_or_else(|| options.host_summary(), ToString::to_string),
            database: options.database.clone(),
            user: options.user.clone(),
        }
    }
}

/// One sentence with the place and the reason; [`cure`](Self::cure) says what to do.
#[derive(Debug, Clone)]
pub struct ConnectError(Box<Inner>);

#[derive(Debug, Clone)]
struct Inner {
    kind: ConnectErrorKind,
    place: Option<Place>,
    reason: String,
    sql: Option<SqlError>,
    before: Vec<String>,
}

impl ConnectError {
    pub(crate) fn new(kind: ConnectErrorKind, place: &Place, reason: String) -> Self {
        Self(Box::new(Inner { kind, place: Some(place.clone()), reason, sql: None, before: Vec::new() }))
    }

    pub(crate) fn with_sql(mut self, sql: SqlError) -> Self {
        self.0.sql = Some(sql);
        self
    }

    /// Remembers what was tried before this.
    pub(crate) fn after(mut self, earlier: Option<Self>) -> Self {
        if let Some(mut earlier) = earlier {
            let text = format!("{}: {}", earlier.server(), earlier.0.reason);
            earlier.0.before.push(text);
            earlier.0.before.append(&mut self.0.before);
            self.0.before = earlier.0.before;
        }
        self
    }

    pub(crate) fn says_the_same_as(&self, other: &Self) -> bool {
        self.0.kind == other.0.kind && self.0.reason == other.0.reason
    }

    /// Nobody was there, or not the right kind of server: another host may do.
    pub(crate) fn lets_try_the_next_host(&self) -> bool {
        use ConnectErrorKind::{HostNotFound, Refused, StartingUp, Timeout, WrongSession};
        matches!(self.0.kind, HostNotFound | Refused | StartingUp | Timeout | WrongSession)
    }

    /// The other way about TLS may do better.
    pub(crate) fn depends_on_encryption(&self) -> bool {
        use ConnectErrorKind as K;
        matches!(
            self.0.kind,
            K::TlsUnknownIssuer
                | K::TlsExpired
                | K::TlsWrongName
                | K::TlsClientCertificate
                | K::TlsFailed
                | K::AuthenticationFailed
                | K::NoPgHbaEntry
        )
    }

    /// Which situation it is.
    pub fn kind(&self) -> ConnectErrorKind {
        self.0.kind
    }

    /// `host:port` of the server; empty where options did not parse.
    pub fn server(&self) -> &str {
        self.0.place.as_ref().map_or("", |place| &place.server)
    }

    /// What the server said, where it did.
    pub fn sql_error(&self) -> Option<&SqlError> {
        self.0.sql.as_ref()
    }

    /// Other servers, addresses or ways that were tried before, each with its reason.
    pub fn tried_before(&self) -> &[String] {
        &self.0.before
    }

    /// What an operator can do about it, one sentence.
    pub fn cure(&self) -> &'static str {
        use ConnectErrorKind as K;
        match self.0.kind {
            K::BadOptions => "Correct the connection string, or the file it names.",
            K::HostNotFound => {
                "Check the spelling of the host, and whether this machine can resolve it (`getent hosts NAME`)."
            }
            K::Refused => {
                "Start the server, or correct the host and port; `listen_addresses` in postgresql.conf says where it listens."
            }
            K::Timeout => {
                "Check that a firewall lets the port through, or give it longer with connect_timeout=SECONDS."
            }
            K::TlsUnknownIssuer => "Name the authority that signed the server's certificate with sslrootcert=FILE.",
            K::TlsExpired => "Renew the server's certificate and reload the server; check this machine's clock too.",
            K::TlsWrongName => {
                "Connect by a name that stands in the certificate as a subject alternative name, or have one issued for this name."
            }
            K::TlsNotOffered => "Set ssl=on at the server; sslmode=prefer would connect without encryption.",
            K::TlsClientCertificate => {
                "Name a certificate the server trusts with sslcert=FILE and its key with sslkey=FILE."
            }
            K::TlsFailed => "Check that server and client share TLS 1.2 or 1.3, and the server's log.",
            K::AuthenticationFailed => "Correct the user and password (connection string, PGPASSWORD or ~/.pgpass).",
            K::NoPgHbaEntry => {
                "Add a line for this address, database and user to pg_hba.conf and reload the server; a line `hostssl` needs sslmode=require."
            }
            K::NoPassword => {
                "Give the password in the connection string, in PGPASSWORD or in ~/.pgpass with mode 0600."
            }
            K::DatabaseMissing => "Create it with `createdb NAME`, or correct the database in the connection string.",
            K::TooManyConnections => "Close sessions that are idle, or raise max_connections.",
            K::StartingUp => "Try again in a moment; the server's log says how far it is.",
            K::WrongSession => "Name the right host, or leave target_session_attrs out.",
            K::TransactionPooler => {
                "Give the server's own address instead of the pooler's, or a pooler with pool_mode=session: locks and settings need one session."
            }
            K::PoolerFull => "Give the server's own address instead of the pooler's, or raise default_pool_size there.",
            K::Other => "See the server's log.",
        }
    }
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let reason = &self.0.reason;
        match &self.0.place {
            None => f.write_str(reason),
            Some(Place { server, database, user }) => {
                write!(f, "cannot connect to database `{database}` at {server} as user `{user}`: {reason}")?;
                if !self.0.before.is_empty() {
                    write!(f, " (tried before: {})", self.0.before.join("; "))?;
                }
                Ok(())
            }
        }
    }
}

impl std::error::Error for ConnectError {}

impl From<OptionsError> for ConnectError {
    fn from(error: OptionsError) -> Self {
        Self(Box::new(Inner {
            kind: ConnectErrorKind::BadOptions,
            place: None,
            reason: error.to_string(),
            sql: None,
            before: Vec::new(),
        }))
    }
}
