//! Errors of the system, of rustls and of the server, sorted into situations.

use std::error::Error as StdError;
use std::io;

use rustls::{AlertDescription, CertificateError};

use super::dial::NameNotKnown;
use super::error::{ConnectError, ConnectErrorKind as Kind, Place};
use crate::sql_error::SqlError;
use crate::sqlstate;
use crate::tls::TlsSetup;

pub(crate) fn io(place: &Place, error: &io::Error) -> ConnectError {
    if error.get_ref().and_then(|inner| inner.downcast_ref::<NameNotKnown>()).is_some() {
        return ConnectError::new(Kind::HostNotFound, place, format!("the host name is not known ({error})"));
    }
    let (kind, reason) = match error.kind() {
        io::ErrorKind::ConnectionRefused => (Kind::Refused, format!("nothing listens there ({error})")),
        io::ErrorKind::NotFound => (Kind::Refused, format!("there is no socket file ({error})")),
        io::ErrorKind::TimedOut => (Kind::Timeout, format!("there was no answer ({error})")),
        _ => (Kind::Other, error.to_string()),
    };
    ConnectError::new(kind, place, reason)
}

/// Sorts what the driver reports while logging in; `setup` is the TLS it was done with.
pub(super) fn driver(place: &Place, error: &tokio_postgres::Error, setup: Option<&TlsSetup>) -> ConnectError {
    if let Some(sql) = SqlError::from_driver(error) {
        return server(place, sql);
    }
    let mut cause: Option<&(dyn StdError + 'static)> = error.source();
    while let Some(one) = cause {
        if let Some(found) = one.downcast_ref::<rustls::Error>() {
            return tls(place, found);
        }
        // io::Error hides what it wraps from source().
        cause = match one.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
            Some(inner) => Some(inner),
            None => one.source(),
        };
    }
    // The driver has no kinds for these; its texts are pinned by the tests in this file's crate.
    let text = full_text(error);
    if text.contains("server does not support TLS") {
        return ConnectError::new(Kind::TlsNotOffered, place, "the server does not speak TLS".to_owned());
    }
    if text.contains("password missing") {
        return ConnectError::new(
            Kind::NoPassword,
            place,
            "the server asks for a password and none is given".to_owned(),
        );
    }
    if let Some(inner) = error.source().and_then(|e| e.downcast_ref::<io::Error>()) {
        let closed = [io::ErrorKind::UnexpectedEof, io::ErrorKind::ConnectionReset, io::ErrorKind::BrokenPipe];
        if let Some(setup) = setup
            && closed.contains(&inner.kind())
        {
            // With TLS 1.3 the handshake is over for the client before the server has looked at its certificate, and
            // the alert may be lost with the connection.
            if setup.has_client_certificate() {
                let reason =
                    format!("the server closed the connection, most likely over the client certificate ({inner})");
                return ConnectError::new(Kind::TlsClientCertificate, place, reason);
            }
            let reason = format!("the server closed the connection during the TLS handshake or the login ({inner})");
            return ConnectError::new(Kind::TlsFailed, place, reason);
        }
        return io(place, inner);
    }
    ConnectError::new(Kind::Other, place, text)
}

/// The driver prints only its outermost layer.
pub(crate) fn full_text(error: &dyn StdError) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(one) = cause {
        let more = one.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        cause = one.source();
    }
    text
}

pub(super) fn server(place: &Place, sql: SqlError) -> ConnectError {
    let said = sql.message.as_str();
    let kind = match sql.sqlstate.as_str() {
        sqlstate::INVALID_AUTHORIZATION if said.contains("client certificate") => Kind::TlsClientCertificate,
        sqlstate::INVALID_AUTHORIZATION if said.contains("pg_hba.conf") => Kind::NoPgHbaEntry,
        sqlstate::INVALID_CATALOG_NAME => Kind::DatabaseMissing,
        // PgBouncer passes on the server's words without its code, or has words of its own.
        sqlstate::PROTOCOL_VIOLATION if names_no_database(said) => Kind::DatabaseMissing,
        sqlstate::TOO_MANY_CONNECTIONS => Kind::TooManyConnections,
        sqlstate::CANNOT_CONNECT_NOW => Kind::StartingUp,
        _ if sql.sqlstate_class() == sqlstate::CLASS_INVALID_AUTHORIZATION => Kind::AuthenticationFailed,
        _ => Kind::Other,
    };
    let reason = match &sql.detail {
        Some(detail) => format!("the server says: {said} ({detail})"),
        None => format!("the server says: {said}"),
    };
    ConnectError::new(kind, place, reason).with_sql(sql)
}

fn names_no_database(said: &str) -> bool {
    said.contains("no such database") || (said.contains("database \"") && said.contains("\" does not exist"))
}

fn tls(place: &Place, error: &rustls::Error) -> ConnectError {
    use CertificateError as C;
    let (kind, reason) = match error {
        rustls::Error::InvalidCertificate(C::UnknownIssuer) => {
            (Kind::TlsUnknownIssuer, "the server's certificate comes from an authority that is not trusted".to_owned())
        }
        rustls::Error::InvalidCertificate(C::BadSignature) => (
            Kind::TlsUnknownIssuer,
            "the server's certificate was not signed by the trusted authority of that name".to_owned(),
        ),
        rustls::Error::InvalidCertificate(C::Expired | C::ExpiredContext { .. }) => {
            (Kind::TlsExpired, "the server's certificate has expired".to_owned())
        }
        rustls::Error::InvalidCertificate(C::NotValidYet | C::NotValidYetContext { .. }) => {
            (Kind::TlsExpired, "the server's certificate is not valid yet".to_owned())
        }
        rustls::Error::InvalidCertificate(C::NotValidForNameContext { presented, .. }) if !presented.is_empty() => {
            (Kind::TlsWrongName, format!("the server's certificate is made for another name ({})", names(presented)))
        }
        rustls::Error::InvalidCertificate(C::NotValidForName | C::NotValidForNameContext { .. }) => {
            (Kind::TlsWrongName, "the server's certificate names no host in its subject alternative names".to_owned())
        }
        rustls::Error::AlertReceived(alert) if is_about_our_certificate(*alert) => {
            (Kind::TlsClientCertificate, format!("the server does not accept the client certificate ({alert:?})"))
        }
        other => (Kind::TlsFailed, format!("the TLS handshake failed: {other}")),
    };
    ConnectError::new(kind, place, reason)
}

/// `DnsName("db.example")`, as rustls has it, is for programmers.
fn names(presented: &[String]) -> String {
    let bare = |name: &String| {
        let inside = name.split_once('(').map_or(name.as_str(), |(_, inside)| inside);
        inside.trim_matches(['"', ')']).to_owned()
    };
    presented.iter().map(bare).collect::<Vec<_>>().join(", ")
}

fn is_about_our_certificate(alert: AlertDescription) -> bool {
    use AlertDescription as A;
    matches!(
        alert,
        A::CertificateRequired
            | A::BadCertificate
            | A::UnsupportedCertificate
            | A::CertificateRevoked
            | A::CertificateExpired
            | A::CertificateUnknown
            | A::UnknownCA
            | A::AccessDenied
            // Signed by an authority of the right name with another key.
            | A::DecryptError
    )
}
