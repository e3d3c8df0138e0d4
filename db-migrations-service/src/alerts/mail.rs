//! Alerts by mail.

use std::error::Error;
use std::fs;
use std::io;
use std::path::Path;
use std::time::Duration;

use kernel::{Secret, cause};
use lettre::message::Mailbox;
use lettre::transport::smtp;
use lettre::transport::smtp::client::{Certificate, Tls, TlsParameters};
use lettre::{AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor};
use reqwest::Url;
use rustls::CertificateError;
use uuid::Uuid;

use super::ways::AlertWays;

/// For all of it: lettre itself waits without end for a server that is silent.
const PATIENCE: Duration = Duration::from_secs(10);

/// Sends one letter to all who get mail.
pub(super) async fn send(ways: &AlertWays, subject: &str, text: String) -> Result<String, String> {
    let Some(server) = &ways.smtp else { return Err("no mail server is configured".to_owned()) };
    let mailbox = |text: &str| text.parse::<Mailbox>().map_err(|error| format!("{text}: {error}"));
    let from = ways.mail_from.as_deref().or(ways.mail_to.first().map(String::as_str)).unwrap_or_default();
    let from = mailbox(from)?;
    // Servers that take letters from others refuse those that have none.
    let id = format!("<{}@{}>", Uuid::now_v7(), from.email.domain());
    let mut letter = Message::builder().message_id(Some(id)).from(from).subject(subject);
    for to in &ways.mail_to {
        letter = letter.to(mailbox(to)?);
    }
    let letter = letter.body(text).map_err(|error| cause(&error))?;
    let transport = transport(server, ways.smtp_root_cert.as_deref())?;
    match tokio::time::timeout(PATIENCE, transport.send(letter)).await {
        Ok(Ok(answer)) => Ok(format!("it answered {}", answer.code())),
        Ok(Err(error)) => Err(explained(&error)),
        Err(_) => Err(format!("it did not answer within {} s", PATIENCE.as_secs())),
    }
}

fn transport(server: &Secret, root_cert: Option<&Path>) -> Result<AsyncSmtpTransport<Tokio1Executor>, String> {
    // A wrong URL is an error without the URL, which may hold a password.
    let mut builder = AsyncSmtpTransport::<Tokio1Executor>::from_url(server.reveal()).map_err(|error| cause(&error))?;
    if let Some(path) = root_cert {
        builder = builder.tls(tls(server, path)?);
    }
    Ok(builder.timeout(Some(PATIENCE)).build())
}

/// As the URL says it, with the authority of `root_cert` beside the public ones.
fn tls(server: &Secret, root_cert: &Path) -> Result<Tls, String> {
    let name = "MIGRATION_SERVICE_SMTP_ROOT_CERT";
    let pem = fs::read(root_cert).map_err(|error| format!("{name}: {}: {error}", root_cert.display()))?;
    let authority = Certificate::from_pem(&pem).map_err(|error| format!("{name}: {}", cause(&error)))?;
    let url = Url::parse(server.reveal()).map_err(|error| error.to_string())?;
    let parameters = TlsParameters::builder(url.host_str().unwrap_or_default().to_owned());
    let parameters = parameters.add_root_certificate(authority).build().map_err(|error| cause(&error))?;
    Ok(match (url.scheme(), mode(&url).as_deref()) {
        ("smtps", _) => Tls::Wrapper(parameters),
        (_, Some("required")) => Tls::Required(parameters),
        (_, Some(_)) => Tls::Opportunistic(parameters),
        (_, None) => Tls::None,
    })
}

/// `?tls=`.
fn mode(url: &Url) -> Option<String> {
    url.query_pairs().find(|(name, _)| name == "tls").map(|(_, value)| value.into_owned())
}

/// What went wrong, and what to do where the way there was not secure.
fn explained(error: &smtp::Error) -> String {
    let words = cause(error);
    let cure = match tls_error(error) {
        Some(rustls::Error::InvalidCertificate(why)) => match why {
            // Another authority of the same name has signed it.
            CertificateError::UnknownIssuer | CertificateError::BadSignature => {
                "name the authority that signed its certificate in MIGRATION_SERVICE_SMTP_ROOT_CERT"
            }
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                "write the name that is in its certificate in MIGRATION_SERVICE_SMTP_URL"
            }
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => "have its certificate renewed",
            _ => "have its certificate corrected",
        },
        Some(rustls::Error::InvalidMessage(_)) => {
            "it does not begin with TLS there: write smtp://…?tls=required in MIGRATION_SERVICE_SMTP_URL, or another port"
        }
        _ if words.contains("STARTTLS") => {
            "write smtps:// in MIGRATION_SERVICE_SMTP_URL, or the port at which it offers STARTTLS"
        }
        _ => return words,
    };
    format!("{words}; {cure}")
}

fn tls_error<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a rustls::Error> {
    let within = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
    within
        .and_then(|inner| inner.downcast_ref())
        .or_else(|| error.downcast_ref())
        .or_else(|| error.source().and_then(tls_error))
}

/// Whether a text is an address of mail.
pub(crate) fn is_address(text: &str) -> bool {
    text.parse::<Mailbox>().is_ok()
}

/// Whether a text is the URL of a mail server.
pub(crate) fn is_server(url: &str) -> bool {
    AsyncSmtpTransport::<Tokio1Executor>::from_url(url).is_ok()
}

/// Whether a password would go over the network for everybody to read.
pub(crate) fn shows_password(url: &str) -> bool {
    let Ok(url) = Url::parse(url) else { return false };
    let is_near = matches!(url.host_str(), Some("localhost" | "127.0.0.1" | "[::1]"));
    let is_secure = url.scheme() == "smtps" || mode(&url).as_deref() == Some("required");
    url.password().is_some() && !is_near && !is_secure
}
