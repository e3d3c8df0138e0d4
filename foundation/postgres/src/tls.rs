//! TLS as libpq does it, on rustls with ring.
//!
//! Whether a chain is checked depends on the sslmode and on whether a root certificate file exists; libpq's rule,
//! odd as it is, is kept: `require` with a root file checks the chain.
//! Source: <https://www.postgresql.org/docs/current/libpq-ssl.html>.

mod files;
mod verifier;

use std::sync::Arc;

use rustls::ClientConfig;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier;
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::options::{ConnectOptions, Host, RootCertificate, SslMode};
use verifier::{AnyCertificate, KnownAuthority};

/// A handshake's settings, read from their files once per [`connect`](crate::connect()).
pub(crate) struct TlsSetup {
    connector: MakeRustlsConnect,
    has_client_certificate: bool,
}

impl TlsSetup {
    /// # Errors
    /// A sentence about the file that is missing or unreadable.
    pub(crate) fn load(options: &ConnectOptions) -> Result<Self, String> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(|error| format!("TLS cannot be set up: {error}"))?;
        let used = options.sslmode != SslMode::Disable
            && options.endpoints.iter().any(|endpoint| matches!(endpoint.host, Host::Tcp(_)));
        if !used {
            let builder =
                builder.dangerous().with_custom_certificate_verifier(Arc::new(AnyCertificate::new(&provider)));
            let connector = MakeRustlsConnect::new(builder.with_no_client_auth());
            return Ok(Self { connector, has_client_certificate: false });
        }

        let verifier: Arc<dyn ServerCertVerifier> = match authorities(options)? {
            None => Arc::new(AnyCertificate::new(&provider)),
            Some(authorities) => {
                let (certificates, roots) = authorities.into_parts();
                let webpki = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider)
                    .build()
                    .map_err(|error| format!("the root certificates cannot be used: {error}"))?;
                Arc::new(KnownAuthority::new(webpki, certificates, options.sslmode == SslMode::VerifyFull))
            }
        };
        let builder = builder.dangerous().with_custom_certificate_verifier(verifier);
        let client = files::client_certificate(options)?;
        let has_client_certificate = client.is_some();
        let config = match client {
            None => builder.with_no_client_auth(),
            Some((chain, key)) => builder
                .with_client_auth_cert(chain, key)
                .map_err(|error| format!("the client certificate and its key cannot be used: {error}"))?,
        };
        Ok(Self { connector: MakeRustlsConnect::new(config), has_client_certificate })
    }

    pub(crate) fn connector(&self) -> MakeRustlsConnect {
        self.connector.clone()
    }

    /// Whether the server gets to see a certificate it may dislike.
    pub(crate) fn has_client_certificate(&self) -> bool {
        self.has_client_certificate
    }
}

/// Whom to trust; `None` where any certificate will do.
fn authorities(options: &ConnectOptions) -> Result<Option<files::Authorities>, String> {
    match &options.sslrootcert {
        RootCertificate::System { bundle } => files::system_authorities(bundle.as_deref()).map(Some),
        RootCertificate::File(path) => files::authorities(path).map(Some),
        RootCertificate::Default(Some(path)) if path.exists() => files::authorities(path).map(Some),
        RootCertificate::Default(path) if matches!(options.sslmode, SslMode::VerifyCa | SslMode::VerifyFull) => {
            let path = path.as_ref().map_or_else(|| "~/.postgresql/root.crt".into(), |path| path.display().to_string());
            Err(format!(
                "sslmode={} needs a trusted authority and {path} does not exist; name one with sslrootcert=FILE, or use sslrootcert=system for the public ones",
                options.sslmode.as_str()
            ))
        }
        RootCertificate::Default(_) => Ok(None),
    }
}
