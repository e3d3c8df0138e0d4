//! Certificates and keys from PEM files.

use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use rustls::RootCertStore;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use crate::options::ConnectOptions;

/// Where systems keep the authorities their administrators trust, including a company's own.
const SYSTEM_BUNDLES: [&str; 3] =
    ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem"];

/// Trusted certificates, and the same ones ready for chain building.
pub(super) struct Authorities {
    certificates: Vec<CertificateDer<'static>>,
    roots: RootCertStore,
}

impl Authorities {
    pub(super) fn into_parts(self) -> (Vec<CertificateDer<'static>>, RootCertStore) {
        (self.certificates, self.roots)
    }
}

/// All certificates of one PEM file.
pub(super) fn authorities(path: &Path) -> Result<Authorities, String> {
    let certificates = certificates("sslrootcert", path)?;
    let mut roots = RootCertStore::empty();
    let (added, _) = roots.add_parsable_certificates(certificates.iter().cloned());
    if added == 0 {
        return Err(format!("sslrootcert={} holds no usable certificate", path.display()));
    }
    Ok(Authorities { certificates, roots })
}

/// The named bundle, the system's, or the public authorities built in.
pub(super) fn system_authorities(bundle: Option<&Path>) -> Result<Authorities, String> {
    if let Some(bundle) = bundle {
        return authorities(bundle);
    }
    if let Some(bundle) = SYSTEM_BUNDLES.iter().map(Path::new).find(|path| path.exists()) {
        return authorities(bundle);
    }
    let roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    Ok(Authorities { certificates: Vec::new(), roots })
}

/// The client's certificate chain and key, where there is a certificate.
pub(super) fn client_certificate(
    options: &ConnectOptions,
) -> Result<Option<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>)>, String> {
    let Some(path) = options.sslcert.as_deref() else { return Ok(None) };
    let chain = certificates("sslcert", path)?;
    let Some(key) = options.sslkey.as_deref() else {
        return Err(format!("the client certificate {} has no key; name it with sslkey=FILE", path.display()));
    };
    let meta = fs::metadata(key).map_err(|error| format!("sslkey={} cannot be read: {error}", key.display()))?;
    check_permissions(key, &meta)?;
    let bytes = fs::read(key).map_err(|error| format!("sslkey={} cannot be read: {error}", key.display()))?;
    if bytes.windows(9).any(|window| window == b"ENCRYPTED") {
        return Err(format!(
            "sslkey={0} is encrypted; decrypt it with `openssl pkey -in {0} -out PLAIN` and give it mode 0600",
            key.display()
        ));
    }
    let key = PrivateKeyDer::from_pem_slice(&bytes)
        .map_err(|error| format!("sslkey={} holds no usable private key: {error}", key.display()))?;
    Ok(Some((chain, key)))
}

/// libpq's rule: a key of one's own is for oneself only; one that belongs to root may be readable by its group.
fn check_permissions(path: &Path, meta: &Metadata) -> Result<(), String> {
    if !meta.is_file() {
        return Err(format!("sslkey={} is not a plain file", path.display()));
    }
    let ours = meta.uid() == rustix::process::geteuid().as_raw();
    let open = if ours { 0o077 } else { 0o027 };
    if meta.mode() & open != 0 {
        return Err(format!("sslkey={0} can be read by others; run `chmod 0600 {0}`", path.display()));
    }
    Ok(())
}

fn certificates(parameter: &str, path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let fails = |error: String| format!("{parameter}={} cannot be read: {error}", path.display());
    let bytes = fs::read(path).map_err(|error| fails(error.to_string()))?;
    let found = CertificateDer::pem_slice_iter(&bytes)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| fails(error.to_string()))?;
    if found.is_empty() {
        return Err(fails("it holds no PEM certificate".to_owned()));
    }
    Ok(found)
}
