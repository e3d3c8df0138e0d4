//! What the connection string leaves out: the environment, then libpq's own defaults.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{
    ConnectOptions, Endpoint, Given, Host, Keepalive, OptionsError, Poolers, RootCertificate, SslMode, keyword,
};

/// Where environment variables are looked up, so that tests need no global state.
pub type Lookup<'a> = &'a dyn Fn(&str) -> Option<String>;

/// The variables of this process. One that is not UTF-8 counts as not set.
pub fn process_environment(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

const DEFAULT_PORT: u16 = 5432;
/// libpq waits for ever; a tool that people watch should not.
const DEFAULT_CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Idle time, interval and number of TCP's probes: 35 s until a server that vanished is noticed, where libpq leaves it to
/// the system (two hours on Linux). Often enough, too, for firewalls that forget who is silent.
const DEFAULT_KEEPALIVE: (Duration, Duration, u32) = (Duration::from_secs(15), Duration::from_secs(5), 4);
/// Debian, Red Hat and the containers put the socket in the first, PostgreSQL's own build in the second.
const SOCKET_FOLDERS: [&str; 2] = ["/var/run/postgresql", "/tmp"];

/// Each variable and the parameter it stands in for.
const VARIABLES: [(&str, &str); 16] = [
    ("PGHOST", "host"),
    ("PGHOSTADDR", "hostaddr"),
    ("PGPORT", "port"),
    ("PGDATABASE", "dbname"),
    ("PGUSER", "user"),
    ("PGPASSWORD", "password"),
    ("PGPASSFILE", "passfile"),
    ("PGSSLMODE", "sslmode"),
    ("PGSSLROOTCERT", "sslrootcert"),
    ("PGSSLCERT", "sslcert"),
    ("PGSSLKEY", "sslkey"),
    ("PGCHANNELBINDING", "channel_binding"),
    ("PGAPPNAME", "application_name"),
    ("PGOPTIONS", "options"),
    ("PGCONNECT_TIMEOUT", "connect_timeout"),
    ("PGTARGETSESSIONATTRS", "target_session_attrs"),
];

pub(super) fn complete(given: Given, environment: Lookup<'_>) -> Result<ConnectOptions, OptionsError> {
    let set = |name: &str| environment(name).filter(|value| !value.is_empty());
    let mut outside = Given::default();
    for (variable, parameter) in VARIABLES {
        if let Some(value) = set(variable) {
            keyword::set(&mut outside, parameter, &value).map_err(|error| named_after(variable, error))?;
        }
    }
    let home = set("HOME").map(PathBuf::from);
    let in_home = |path: &str| home.as_deref().map(|home| home.join(path));

    // PGHOSTADDR beside a host from the string would send the session somewhere else than the string says.
    let (hosts, addresses) = if given.hosts.is_empty() && given.hostaddrs.is_empty() {
        (outside.hosts, outside.hostaddrs)
    } else {
        (given.hosts, given.hostaddrs)
    };
    let ports = if given.ports.is_empty() { outside.ports } else { given.ports };
    let endpoints = endpoints(&hosts, &addresses, &ports)?;

    let user = given.user.or(outside.user).or_else(|| system_user(environment)).ok_or_else(|| {
        OptionsError::Conflict("no user is named: add user=… to the connection string or set PGUSER".to_owned())
    })?;
    let mut sslrootcert = given
        .sslrootcert
        .or(outside.sslrootcert)
        .unwrap_or_else(|| RootCertificate::Default(in_home(".postgresql/root.crt")));
    let mut sslmode = given.sslmode.or(outside.sslmode);
    if let RootCertificate::System { bundle } = &mut sslrootcert {
        *bundle = set("SSL_CERT_FILE").map(PathBuf::from);
        // With the public authorities anybody can have a certificate: only the name tells the server apart.
        let mode = *sslmode.get_or_insert(SslMode::VerifyFull);
        if mode != SslMode::VerifyFull {
            let mode = mode.as_str();
            return Err(OptionsError::Conflict(format!(
                "sslmode={mode} is too weak beside sslrootcert=system; use sslmode=verify-full"
            )));
        }
    }
    let existing = |path: Option<PathBuf>| path.filter(|path| path.exists());
    let sslcert = given.sslcert.or(outside.sslcert).or_else(|| existing(in_home(".postgresql/postgresql.crt")));
    let sslkey = given.sslkey.or(outside.sslkey).or_else(|| existing(in_home(".postgresql/postgresql.key")));

    Ok(ConnectOptions {
        endpoints,
        database: given.database.or(outside.database).unwrap_or_else(|| user.clone()),
        user,
        password: given.password.or(outside.password),
        passfile: given.passfile.or(outside.passfile).or_else(|| in_home(".pgpass")),
        sslmode: sslmode.unwrap_or(SslMode::Prefer),
        sslrootcert,
        sslcert,
        sslkey,
        channel_binding: given.channel_binding.or(outside.channel_binding).unwrap_or_default(),
        application_name: given.application_name.or(outside.application_name).or(given.fallback_application_name),
        options: given.options.or(outside.options).unwrap_or_default(),
        connect_timeout: Some(given.connect_timeout.or(outside.connect_timeout).unwrap_or(DEFAULT_CONNECT_TIMEOUT))
            .filter(|limit| !limit.is_zero()),
        target_session: given.target_session.or(outside.target_session).unwrap_or_default(),
        keepalive: Keepalive {
            on: given.keepalives.unwrap_or(true),
            idle: given.keepalives_idle.or(Some(DEFAULT_KEEPALIVE.0)),
            interval: given.keepalives_interval.or(Some(DEFAULT_KEEPALIVE.1)),
            count: given.keepalives_count.or(Some(DEFAULT_KEEPALIVE.2)),
            user_timeout: given.tcp_user_timeout,
        },
        poolers: Poolers::default(),
    })
}

/// A bad value of a variable is blamed on the variable, not on a parameter nobody wrote.
fn named_after(variable: &str, error: OptionsError) -> OptionsError {
    match error {
        OptionsError::Value { value, expected, .. } => {
            OptionsError::Value { name: variable.to_owned(), value, expected }
        }
        OptionsError::Unsupported { instead, .. } => OptionsError::Unsupported { name: variable.to_owned(), instead },
        other => other,
    }
}

fn endpoints(
    hosts: &[Option<Host>],
    addresses: &[Option<std::net::IpAddr>],
    ports: &[Option<u16>],
) -> Result<Vec<Endpoint>, OptionsError> {
    let count = hosts.len().max(addresses.len()).max(1);
    if !hosts.is_empty() && !addresses.is_empty() && hosts.len() != addresses.len() {
        return Err(OptionsError::Conflict(format!(
            "{} hosts stand beside {} hostaddr values; give as many of one as of the other",
            hosts.len(),
            addresses.len()
        )));
    }
    if ports.len() > 1 && ports.len() != count {
        return Err(OptionsError::Conflict(format!(
            "{} ports stand beside {count} hosts; give one port, or one for each host",
            ports.len()
        )));
    }
    Ok((0..count)
        .map(|n| {
            let port =
                if ports.len() > 1 { ports[n] } else { ports.first().copied().flatten() }.unwrap_or(DEFAULT_PORT);
            let address = addresses.get(n).copied().flatten();
            let host = hosts
                .get(n)
                .cloned()
                .flatten()
                .or_else(|| address.map(|address| Host::Tcp(address.to_string())))
                .unwrap_or_else(|| default_host(port));
            Endpoint { host, address, port }
        })
        .collect())
}

fn default_host(port: u16) -> Host {
    SOCKET_FOLDERS
        .iter()
        .map(Path::new)
        .find(|folder| folder.join(format!(".s.PGSQL.{port}")).exists())
        .map_or_else(|| Host::Tcp("localhost".to_owned()), |folder| Host::Unix(folder.to_owned()))
}

/// The name of the account that runs this process, which is what libpq takes when nobody says who connects.
fn system_user(environment: Lookup<'_>) -> Option<String> {
    let uid = rustix::process::geteuid().as_raw().to_string();
    std::fs::read_to_string("/etc/passwd")
        .ok()
        .and_then(|passwd| {
            let mut lines = passwd.lines().map(|line| line.split(':').collect::<Vec<_>>());
            lines.find(|fields| fields.get(2) == Some(&uid.as_str())).map(|fields| fields[0].to_owned())
        })
        .or_else(|| environment("USER"))
        .or_else(|| environment("LOGNAME"))
        .filter(|name| !name.is_empty())
}
