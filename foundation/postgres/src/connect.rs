//! From options to a session: which server, which address, with TLS or without, in libpq's order.
//!
//! Source for the order: <https://www.postgresql.org/docs/current/libpq-ssl.html#LIBPQ-SSL-PROTECTION> and
//! <https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-MULTIPLE-HOSTS>. Nothing is retried later: a
//! server that starts up is an error with that name, and the caller decides whether to wait.

mod attempt;
mod classify;
mod dial;
mod error;
mod merging;
mod pooler;
mod settings;
mod socket;
mod standing;

use std::sync::Arc;

use tokio_postgres::Config;
use tokio_postgres::config::{ChannelBinding as DriverBinding, SslMode as DriverSslMode};

pub(crate) use attempt::{Login, Wire};
pub(crate) use classify::full_text;
pub(crate) use dial::Route;
pub(crate) use error::Place as ServerPlace;
pub use error::{ConnectError, ConnectErrorKind};
pub(crate) use merging::Switch;
pub(crate) use pooler::Opener;
pub(crate) use socket::{Signs, Socket};

use crate::options::{ChannelBinding, ConnectOptions, Endpoint, SslMode, TargetSession};
use crate::passfile;
use crate::session::AdminConn;
use crate::tls::TlsSetup;
use attempt::Encryption;
use error::Place;

/// Opens one session.
///
/// Hosts and their addresses are tried in order; the next one only when nobody was there or the server takes no
/// sessions of this kind now. A refused login is final, as in libpq. The timeout of the options holds for each address.
///
/// # Errors
/// [`ConnectError`] says what stood in the way at the last server tried, and names those tried before.
pub async fn connect(options: &ConnectOptions) -> Result<AdminConn, ConnectError> {
    let tls = Arc::new(
        TlsSetup::load(options)
            .map_err(|reason| ConnectError::new(ConnectErrorKind::BadOptions, &Place::of(options, None), reason))?,
    );
    if options.target_session == TargetSession::PreferStandby {
        match Box::pin(connect_to(options, &tls, TargetSession::Standby)).await {
            Err(error) if error.lets_try_the_next_host() => {}
            result => return result,
        }
        return Box::pin(connect_to(options, &tls, TargetSession::Any)).await;
    }
    Box::pin(connect_to(options, &tls, options.target_session)).await
}

async fn connect_to(
    options: &ConnectOptions,
    tls: &Arc<TlsSetup>,
    target: TargetSession,
) -> Result<AdminConn, ConnectError> {
    let mut failed: Option<ConnectError> = None;
    for endpoint in &options.endpoints {
        match connect_endpoint(options, endpoint, tls, target).await {
            Ok(session) => return Ok(session),
            Err(error) => {
                let goes_on = error.lets_try_the_next_host();
                failed = Some(error.after(failed));
                if !goes_on {
                    break;
                }
            }
        }
    }
    // `endpoints` holds at least one entry by construction; without any there is simply nobody to ask.
    Err(failed.unwrap_or_else(|| {
        ConnectError::new(ConnectErrorKind::BadOptions, &Place::of(options, None), "no host is named".to_owned())
    }))
}

async fn connect_endpoint(
    options: &ConnectOptions,
    endpoint: &Endpoint,
    tls: &Arc<TlsSetup>,
    target: TargetSession,
) -> Result<AdminConn, ConnectError> {
    let place = Place::of(options, Some(endpoint));
    let addresses = dial::resolve(endpoint, options.connect_timeout).await.map_err(|e| classify::io(&place, &e))?;
    let mut failed: Option<ConnectError> = None;
    for address in addresses {
        let route = Arc::new(Route {
            address,
            server_name: endpoint.host.to_string(),
            tls: Arc::clone(tls),
            keepalive: options.keepalive.clone(),
            timeout: options.connect_timeout,
            place: place.clone(),
        });
        match connect_address(options, endpoint, &place, &route, target).await {
            Ok(session) => return Ok(session),
            Err(error) => {
                let goes_on = error.lets_try_the_next_host();
                failed = Some(error.after(failed));
                if !goes_on {
                    break;
                }
            }
        }
    }
    Err(failed.unwrap_or_else(|| {
        ConnectError::new(ConnectErrorKind::HostNotFound, &place, "the name has no address".to_owned())
    }))
}

/// With and without TLS, in the order the sslmode asks for.
async fn connect_address(
    options: &ConnectOptions,
    endpoint: &Endpoint,
    place: &Place,
    route: &Arc<Route>,
    target: TargetSession,
) -> Result<AdminConn, ConnectError> {
    use Encryption::{Opportunistic, Plain, Required};
    let tries: &[Encryption] = match options.sslmode {
        // PostgreSQL has no TLS on Unix sockets; libpq ignores the sslmode there.
        _ if route.is_unix() => &[Plain],
        SslMode::Disable => &[Plain],
        SslMode::Allow => &[Plain, Required],
        SslMode::Prefer => &[Opportunistic, Plain],
        SslMode::Require | SslMode::VerifyCa | SslMode::VerifyFull => &[Required],
    };
    let mut failed: Option<ConnectError> = None;
    for encryption in tries {
        let opener = Opener {
            config: driver_config(options, endpoint, *encryption),
            options: options.options.clone(),
            poolers: options.poolers,
            route: Arc::clone(route),
            encryption: *encryption,
        };
        let result = attempt::open(opener, target).await;
        match result {
            Ok(session) => {
                if let Some(error) = failed {
                    tracing::debug!(encryption = ?encryption, "connected the second way, because before: {error}");
                }
                return Ok(session);
            }
            Err(error) => {
                let goes_on = error.depends_on_encryption();
                failed = Some(match failed {
                    // "no pg_hba.conf line without encryption" hides what went wrong with it.
                    Some(first) if error.kind() == ConnectErrorKind::NoPgHbaEntry => first,
                    // The same refusal either way, such as a wrong password, is one refusal.
                    Some(first) if error.says_the_same_as(&first) => first,
                    first => error.after(first),
                });
                if !goes_on {
                    break;
                }
            }
        }
    }
    Err(failed.unwrap_or_else(|| ConnectError::new(ConnectErrorKind::Other, place, "nothing was tried".to_owned())))
}

fn driver_config(options: &ConnectOptions, endpoint: &Endpoint, encryption: Encryption) -> Config {
    let mut config = Config::new();
    config.user(&options.user).dbname(&options.database);
    config.ssl_mode(match encryption {
        Encryption::Plain => DriverSslMode::Disable,
        Encryption::Opportunistic => DriverSslMode::Prefer,
        Encryption::Required => DriverSslMode::Require,
    });
    config.channel_binding(match options.channel_binding {
        ChannelBinding::Disable => DriverBinding::Disable,
        ChannelBinding::Prefer => DriverBinding::Prefer,
        ChannelBinding::Require => DriverBinding::Require,
    });
    if let Some(name) = &options.application_name {
        config.application_name(name);
    }
    let from_file = || {
        let path = options.passfile.as_deref()?;
        passfile::look_up(path, endpoint, &options.database, &options.user)
    };
    if let Some(password) = options.password.clone().or_else(from_file) {
        config.password(password.reveal());
    }
    config
}
