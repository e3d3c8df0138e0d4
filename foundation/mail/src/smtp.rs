//! To a mail server, over TLS where the URL says so, by the public authorities or one of one's own.

use std::error::Error;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use kernel::{Secret, cause};
use lettre::message::Mailbox;
use lettre::transport::smtp;
use lettre::transport::smtp::client::{Certificate, Tls, TlsParameters};
use lettre::{AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor};
use rustls::CertificateError;
use url::Url;

/// For all of it: lettre itself waits without end for a server that is silent.
const PATIENCE: Duration = Duration::from_secs(10);

/// The variables that errors name, for they differ between services.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SmtpVariables {
    /// Of the server's URL.
    pub url: &'static str,
    /// Of the file with the authority.
    pub root_cert: &'static str,
}

/// A mail server.
#[derive(Debug, Clone)]
pub struct Smtp {
    url: Secret,
    root_cert: Option<PathBuf>,
    variables: SmtpVariables,
}

impl Smtp {
    /// At `smtp://host`, `smtp://host?tls=required` (STARTTLS), `smtp://host?tls=opportunistic` or `smtps://host`, believed by the
    /// public authorities and by the one in `root_cert` (PEM).
    pub fn new(url: Secret, root_cert: Option<PathBuf>, variables: SmtpVariables) -> Self {
        Self { url, root_cert, variables }
    }

    /// Hands one message over, within ten seconds. What the server answered.
    ///
    /// # Errors
    /// One sentence, with the cure where the way there was not secure.
    pub async fn send(&self, message: Message) -> Result<String, String> {
        let transport = self.transport()?;
        match tokio::time::timeout(PATIENCE, transport.send(message)).await {
            Ok(Ok(answer)) => Ok(format!("it answered {}", answer.code())),
            Ok(Err(error)) => Err(self.explained(&error)),
            Err(_) => Err(format!("it did not answer within {} s", PATIENCE.as_secs())),
        }
    }

    fn transport(&self) -> Result<AsyncSmtpTransport<Tokio1Executor>, String> {
        // A wrong URL is an error without the URL, which may hold a password.
        let mut builder =
            AsyncSmtpTransport::<Tokio1Executor>::from_url(self.url.reveal()).map_err(|error| cause(&error))?;
        if let Some(path) = &self.root_cert {
            builder = builder.tls(self.tls(path)?);
        }
        Ok(builder.timeout(Some(PATIENCE)).build())
    }

    /// As the URL says it, with the authority of `root_cert` beside the public ones.
    fn tls(&self, root_cert: &Path) -> Result<Tls, String> {
        let name = self.variables.root_cert;
        let pem = fs::read(root_cert).map_err(|error| format!("{name}: {}: {error}", root_cert.display()))?;
        let authority = Certificate::from_pem(&pem).map_err(|error| format!("{name}: {}", cause(&error)))?;
        let url = Url::parse(self.url.reveal()).map_err(|error| error.to_string())?;
        let parameters = TlsParameters::builder(url.host_str().unwrap_or_default().to_owned());
        let parameters = parameters.add_root_certificate(authority).build().map_err(|error| cause(&error))?;
        Ok(match (url.scheme(), mode(&url).as_deref()) {
            ("smtps", _) => Tls::Wrapper(parameters),
            (_, Some("required")) => Tls::Required(parameters),
            (_, Some(_)) => Tls::Opportunistic(parameters),
            (_, None) => Tls::None,
        })
    }

    /// What went wrong, and what to do where the way there was not secure.
    fn explained(&self, error: &smtp::Error) -> String {
        let words = cause(error);
        let SmtpVariables { url, root_cert } = self.variables;
        let cure = match tls_error(error) {
            Some(rustls::Error::InvalidCertificate(why)) => match why {
                // Another authority of the same name has signed it.
                CertificateError::UnknownIssuer | CertificateError::BadSignature => {
                    format!("name the authority that signed its certificate in {root_cert}")
                }
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                    format!("write the name that is in its certificate in {url}")
                }
                CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
                    "have its certificate renewed".to_owned()
                }
                _ => "have its certificate corrected".to_owned(),
            },
            Some(rustls::Error::InvalidMessage(_)) => {
                format!("it does not begin with TLS there: write smtp://…?tls=required in {url}, or another port")
            }
            _ if words.contains("STARTTLS") => {
                format!("write smtps:// in {url}, or the port at which it offers STARTTLS")
            }
            _ => return words,
        };
        format!("{words}; {cure}")
    }
}

/// `?tls=`.
fn mode(url: &Url) -> Option<String> {
    url.query_pairs().find(|(name, _)| name == "tls").map(|(_, value)| value.into_owned())
}

fn tls_error<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a rustls::Error> {
    let within = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
    within
        .and_then(|inner| inner.downcast_ref())
        .or_else(|| error.downcast_ref())
        .or_else(|| error.source().and_then(tls_error))
}

/// Whether a text is an address of mail.
pub fn is_address(text: &str) -> bool {
    text.parse::<Mailbox>().is_ok()
}

/// Whether a text is the URL of a mail server.
pub fn is_server(url: &str) -> bool {
    AsyncSmtpTransport::<Tokio1Executor>::from_url(url).is_ok()
}

/// Whether a password would go over the network for everybody to read.
pub fn shows_password(url: &str) -> bool {
    let Ok(url) = Url::parse(url) else { return false };
    let is_near = matches!(url.host_str(), Some("localhost" | "127.0.0.1" | "[::1]"));
    let is_secure = url.scheme() == "smtps" || mode(&url).as_deref() == Some("required");
    url.password().is_some() && !is_near && !is_secure
}
