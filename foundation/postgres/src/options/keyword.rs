//! One parameter after the other: what it is called, what it may hold.

use std::time::Duration;

use super::{ChannelBinding, Given, Host, OptionsError, RootCertificate, Secret, SslMode, TargetSession};

/// Parameters of libpq that are refused, with the way round.
const UNSUPPORTED: [(&str, &str); 20] = [
    ("service", "name the host, database and user themselves"),
    ("servicefile", "name the host, database and user themselves"),
    (
        "sslpassword",
        "encrypted key files cannot be read; decrypt the key with `openssl pkey -in KEY -out PLAIN` and give it mode 0600",
    ),
    ("sslcrl", "revocation lists are not checked; leave it out"),
    ("sslcrldir", "revocation lists are not checked; leave it out"),
    ("sslkeylogfile", "leave it out"),
    ("sslcompression", "TLS compression is insecure and gone; leave it out"),
    ("sslcertmode", "leave it out; a client certificate is sent when sslcert names one"),
    ("sslsni", "leave it out; the server name is always sent"),
    ("ssl_min_protocol_version", "leave it out; TLS 1.2 and 1.3 are spoken"),
    ("ssl_max_protocol_version", "leave it out; TLS 1.2 and 1.3 are spoken"),
    ("krbsrvname", "Kerberos is not spoken; use a password or a client certificate"),
    ("gsslib", "Kerberos is not spoken; use a password or a client certificate"),
    ("gssdelegation", "Kerberos is not spoken; use a password or a client certificate"),
    ("requirepeer", "leave it out"),
    ("require_auth", "leave it out"),
    ("replication", "replication sessions are not opened here"),
    ("load_balance_hosts", "hosts are tried in the order given"),
    ("min_protocol_version", "leave it out; protocol 3.0 is spoken"),
    ("max_protocol_version", "leave it out; protocol 3.0 is spoken"),
];

/// Stores one parameter. A value that is empty counts as not given, as in libpq.
pub(super) fn set(given: &mut Given, name: &str, value: &str) -> Result<(), OptionsError> {
    let text = || (!value.is_empty()).then(|| value.to_owned());
    match name {
        "host" => given.hosts = list(value, |one| Ok(Host::new(one.to_owned())))?,
        "hostaddr" => given.hostaddrs = list(value, |one| one.parse().map_err(|_| wrong(name, one, "an IP address")))?,
        "port" => given.ports = list(value, |one| port(name, one))?,
        "dbname" => given.database = text(),
        "user" => given.user = text(),
        "password" => given.password = text().map(Secret::new),
        "passfile" => given.passfile = text().map(Into::into),
        "sslmode" => given.sslmode = optional(value, || sslmode(name, value))?,
        "sslrootcert" => given.sslrootcert = text().map(root_certificate),
        "sslcert" => given.sslcert = text().map(Into::into),
        "sslkey" => given.sslkey = text().map(Into::into),
        "channel_binding" => given.channel_binding = optional(value, || channel_binding(name, value))?,
        "application_name" => given.application_name = text(),
        "fallback_application_name" => given.fallback_application_name = text(),
        "options" => given.options = text(),
        "connect_timeout" => given.connect_timeout = optional(value, || timeout(name, value))?,
        "target_session_attrs" => given.target_session = optional(value, || target_session(name, value))?,
        "keepalives" => given.keepalives = optional(value, || number(name, value).map(|n| n != 0))?,
        "keepalives_idle" => given.keepalives_idle = optional(value, || seconds(name, value))?.flatten(),
        "keepalives_interval" => given.keepalives_interval = optional(value, || seconds(name, value))?.flatten(),
        "keepalives_count" => given.keepalives_count = optional(value, || number(name, value))?.filter(|n| *n > 0),
        "tcp_user_timeout" => {
            given.tcp_user_timeout = optional(value, || number(name, value))?
                .filter(|ms| *ms > 0)
                .map(|ms| Duration::from_millis(ms.into()));
        }
        "client_encoding" if ["", "auto", "utf8", "utf-8"].contains(&value.to_ascii_lowercase().as_str()) => {}
        "client_encoding" => return Err(wrong(name, value, "UTF8")),
        "sslnegotiation" if ["", "postgres"].contains(&value) => {}
        "sslnegotiation" => return Err(unsupported(name, "only `postgres` is spoken")),
        "gssencmode" if ["", "disable", "prefer"].contains(&value) => {}
        "gssencmode" => return Err(unsupported(name, "Kerberos is not spoken; use TLS with sslmode=verify-full")),
        _ => {
            return Err(match UNSUPPORTED.iter().find(|(known, _)| *known == name) {
                Some((_, instead)) => unsupported(name, instead),
                None => OptionsError::Unknown(name.to_owned()),
            });
        }
    }
    Ok(())
}

fn unsupported(name: &str, instead: &'static str) -> OptionsError {
    OptionsError::Unsupported { name: name.to_owned(), instead }
}

fn wrong(name: &str, value: &str, expected: &'static str) -> OptionsError {
    OptionsError::Value { name: name.to_owned(), value: value.to_owned(), expected }
}

fn optional<T>(value: &str, read: impl FnOnce() -> Result<T, OptionsError>) -> Result<Option<T>, OptionsError> {
    if value.is_empty() { Ok(None) } else { read().map(Some) }
}

/// A comma separates several servers; a place may be left empty.
fn list<T>(value: &str, read: impl Fn(&str) -> Result<T, OptionsError>) -> Result<Vec<Option<T>>, OptionsError> {
    if value.is_empty() {
        return Ok(Vec::new());
    }
    value.split(',').map(str::trim).map(|one| optional(one, || read(one))).collect()
}

fn port(name: &str, text: &str) -> Result<u16, OptionsError> {
    text.parse().ok().filter(|port| *port > 0).ok_or_else(|| wrong(name, text, "a port from 1 to 65535"))
}

fn number(name: &str, text: &str) -> Result<u32, OptionsError> {
    text.trim().parse().map_err(|_| wrong(name, text, "a whole number"))
}

fn seconds(name: &str, text: &str) -> Result<Option<Duration>, OptionsError> {
    number(name, text).map(|n| (n > 0).then(|| Duration::from_secs(n.into())))
}

/// Zero and negative wait for ever, 1 becomes 2: all as in libpq.
fn timeout(name: &str, text: &str) -> Result<Duration, OptionsError> {
    let seconds: i32 = text.trim().parse().map_err(|_| wrong(name, text, "a number of seconds"))?;
    Ok(u64::try_from(seconds).ok().filter(|s| *s > 0).map_or(Duration::ZERO, |s| Duration::from_secs(s.max(2))))
}

pub(super) fn root_certificate(text: String) -> RootCertificate {
    if text == "system" { RootCertificate::System { bundle: None } } else { RootCertificate::File(text.into()) }
}

fn sslmode(name: &str, text: &str) -> Result<SslMode, OptionsError> {
    use SslMode::{Allow, Disable, Prefer, Require, VerifyCa, VerifyFull};
    [Disable, Allow, Prefer, Require, VerifyCa, VerifyFull]
        .into_iter()
        .find(|mode| mode.as_str() == text)
        .ok_or_else(|| wrong(name, text, "disable, allow, prefer, require, verify-ca or verify-full"))
}

fn channel_binding(name: &str, text: &str) -> Result<ChannelBinding, OptionsError> {
    match text {
        "disable" => Ok(ChannelBinding::Disable),
        "prefer" => Ok(ChannelBinding::Prefer),
        "require" => Ok(ChannelBinding::Require),
        _ => Err(wrong(name, text, "disable, prefer or require")),
    }
}

fn target_session(name: &str, text: &str) -> Result<TargetSession, OptionsError> {
    use TargetSession::{Any, PreferStandby, Primary, ReadOnly, ReadWrite, Standby};
    [Any, ReadWrite, ReadOnly, Primary, Standby, PreferStandby]
        .into_iter()
        .find(|target| target.as_str() == text)
        .ok_or_else(|| wrong(name, text, "any, read-write, read-only, primary, standby or prefer-standby"))
}
