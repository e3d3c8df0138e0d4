//! Every sslmode against real servers with real certificates.

mod common;

use std::fs;
use std::net::{IpAddr, Ipv4Addr};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use common::{Server, options};
use postgres_link::{ConnectErrorKind as Kind, connect};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, SanType};

type Authority = CertifiedIssuer<'static, KeyPair>;

fn authority(name: &str) -> Authority {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key")).expect("a certificate")
}

fn server_params() -> CertificateParams {
    let mut params = CertificateParams::new(vec!["db.test".to_owned()]).expect("a name");
    params.subject_alt_names.push(SanType::IpAddress(IpAddr::V4(Ipv4Addr::LOCALHOST)));
    params
}

fn client_params(user: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, user);
    params
}

/// Writes `NAME.crt` and `NAME.key` signed by `authority`.
fn issue(folder: &Path, name: &str, params: &CertificateParams, authority: &Authority) {
    let key = KeyPair::generate().expect("a key");
    let certificate = params.signed_by(&key, authority).expect("a certificate");
    write_pair(folder, name, &certificate.pem(), &key.serialize_pem());
}

fn write_pair(folder: &Path, name: &str, certificate: &str, key: &str) {
    fs::write(folder.join(format!("{name}.crt")), certificate).expect("written");
    let path = folder.join(format!("{name}.key"));
    fs::write(&path, key).expect("written");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("own file");
}

/// A server that speaks TLS with `server.crt` from the folder.
fn tls_server(hba: &str, certificates: impl FnOnce(&Path)) -> Server {
    Server::start_with(|folder, options| {
        certificates(folder);
        fs::write(folder.join("hba"), hba).expect("written");
        // PostgreSQL insists on owning its key; as root it runs as the account that owns its data.
        if rustix::process::geteuid().is_root() {
            let (uid, gid) = server_account();
            std::os::unix::fs::chown(folder.join("server.key"), Some(uid), Some(gid)).expect("root may");
        }
        let path = |name: &str| folder.join(name).to_str().expect("UTF-8").to_owned();
        options
            .setting("ssl", "on")
            .setting("ssl_cert_file", path("server.crt"))
            .setting("ssl_key_file", path("server.key"))
            .setting("ssl_ca_file", path("ca.crt"))
            .setting("hba_file", path("hba"))
    })
}

/// The owner of a cluster's data, learned from one.
fn server_account() -> (u32, u32) {
    let server = Server::start();
    let meta = fs::metadata(server.cluster.data()).expect("it is there");
    (meta.uid(), meta.gid())
}

/// Whether a session came about and was encrypted, or why not.
async fn outcome(server: &Server, database: &str, rest: &str) -> Result<bool, Kind> {
    let (port, password) = (server.cluster.port(), server.cluster.password());
    let host = if rest.contains("host=") { "" } else { "host=db.test" };
    let rest = rest.replace('@', &format!("{}/", server.folder.path().display()));
    let user = if rest.contains("user=") { "" } else { "user=postgres" };
    let text = format!("{host} hostaddr=127.0.0.1 port={port} {user} dbname={database} password={password} {rest}");
    let session = connect(&options(&text)).await.map_err(|error| {
        assert!(!error.to_string().contains(password), "{error}");
        error.kind()
    })?;
    let outcome =
        session.batch("select ssl, pid from pg_stat_ssl where pid = pg_backend_pid()").await.expect("a query");
    assert_eq!(outcome.value(0, 1), Some(session.backend_pid().to_string().as_str()), "{rest}");
    session.cancel().await.expect("cancelling goes the same way");
    Ok(outcome.value(0, 0) == Some("t"))
}

#[tokio::test]
async fn every_sslmode() {
    let (ca, stranger) = (authority("ca"), authority("ca"));
    let hba = "hostssl ssldb all all scram-sha-256\nhostnossl plaindb all all scram-sha-256\nhostssl certdb all all cert\nhost postgres all all scram-sha-256\n";
    let server = tls_server(hba, |folder| {
        issue(folder, "server", &server_params(), &ca);
        issue(folder, "ada", &client_params("ada"), &ca);
        issue(folder, "open", &client_params("ada"), &ca);
        fs::set_permissions(folder.join("open.key"), fs::Permissions::from_mode(0o644)).expect("own file");
        issue(folder, "impostor", &client_params("ada"), &stranger);
        fs::write(folder.join("ca.crt"), ca.pem()).expect("written");
        fs::write(folder.join("stranger.crt"), stranger.pem()).expect("written");
    });
    let session = server.connect().await;
    for sql in ["create database ssldb", "create database plaindb", "create database certdb", "create role ada login"] {
        session.batch(sql).await.expect("superuser");
    }
    let cases = [
        ("postgres", "sslmode=disable", Ok(false)),
        ("ssldb", "sslmode=disable", Err(Kind::NoPgHbaEntry)),
        ("postgres", "sslmode=allow", Ok(false)),
        ("ssldb", "sslmode=allow", Ok(true)),
        ("postgres", "sslmode=prefer", Ok(true)),
        ("plaindb", "sslmode=prefer", Ok(false)),
        ("postgres", "sslmode=prefer sslrootcert=@stranger.crt", Ok(false)),
        ("ssldb", "sslmode=prefer sslrootcert=@stranger.crt", Err(Kind::TlsUnknownIssuer)),
        ("postgres", "sslmode=require", Ok(true)),
        ("plaindb", "sslmode=require", Err(Kind::NoPgHbaEntry)),
        ("postgres", "sslmode=require sslrootcert=@ca.crt host=other.test", Ok(true)),
        ("postgres", "sslmode=require sslrootcert=@stranger.crt", Err(Kind::TlsUnknownIssuer)),
        ("postgres", "sslmode=verify-ca sslrootcert=@ca.crt host=other.test", Ok(true)),
        ("postgres", "sslmode=verify-ca sslrootcert=@stranger.crt", Err(Kind::TlsUnknownIssuer)),
        ("postgres", "sslmode=verify-full sslrootcert=@ca.crt", Ok(true)),
        ("postgres", "sslmode=verify-full sslrootcert=@ca.crt host=127.0.0.1", Ok(true)),
        ("postgres", "sslmode=verify-full sslrootcert=@ca.crt host=other.test", Err(Kind::TlsWrongName)),
        ("postgres", "sslmode=verify-full sslrootcert=@ca.crt host=127.0.0.2", Err(Kind::TlsWrongName)),
        ("postgres", "sslmode=verify-full sslrootcert=@stranger.crt", Err(Kind::TlsUnknownIssuer)),
        ("postgres", "sslrootcert=system", Err(Kind::TlsUnknownIssuer)),
        ("postgres", "sslmode=verify-full sslrootcert=@hba", Err(Kind::BadOptions)),
        ("postgres", "sslmode=require channel_binding=require", Ok(true)),
        ("certdb", "sslmode=require user=ada", Err(Kind::TlsClientCertificate)),
        ("certdb", "sslmode=require user=ada sslcert=@ada.crt sslkey=@ada.key", Ok(true)),
        ("certdb", "sslmode=verify-full sslrootcert=@ca.crt user=ada sslcert=@ada.crt sslkey=@ada.key", Ok(true)),
        ("certdb", "sslmode=require user=postgres sslcert=@ada.crt sslkey=@ada.key", Err(Kind::AuthenticationFailed)),
        (
            "certdb",
            "sslmode=require user=ada sslcert=@impostor.crt sslkey=@impostor.key",
            Err(Kind::TlsClientCertificate),
        ),
        ("certdb", "sslmode=require user=ada sslcert=@open.crt sslkey=@open.key", Err(Kind::BadOptions)),
        ("certdb", "sslmode=require user=ada sslcert=@ada.crt", Err(Kind::BadOptions)),
        ("certdb", "sslmode=require user=ada sslcert=@ada.crt sslkey=@open.crt", Err(Kind::BadOptions)),
        ("certdb", "sslmode=prefer user=ada", Err(Kind::TlsClientCertificate)),
    ];
    for (database, rest, expected) in cases {
        assert_eq!(outcome(&server, database, rest).await, expected, "{database} {rest}");
    }
}

#[tokio::test]
async fn an_expired_certificate_is_named() {
    let ca = authority("ca");
    let server = tls_server("host all all all scram-sha-256\n", |folder| {
        let mut params = server_params();
        params.not_before = rcgen::date_time_ymd(2020, 1, 1);
        params.not_after = rcgen::date_time_ymd(2021, 1, 1);
        issue(folder, "server", &params, &ca);
        fs::write(folder.join("ca.crt"), ca.pem()).expect("written");
    });
    assert_eq!(outcome(&server, "postgres", "sslmode=require").await, Ok(true), "nothing is checked");
    for mode in ["require", "verify-ca", "verify-full"] {
        let rest = format!("sslmode={mode} sslrootcert=@ca.crt");
        assert_eq!(outcome(&server, "postgres", &rest).await, Err(Kind::TlsExpired), "{mode}");
    }
}

/// PostgreSQL's manual makes such a certificate and lets the client trust the very same file.
#[tokio::test]
async fn a_self_signed_certificate_can_be_trusted_itself() {
    let mut params = server_params();
    params.distinguished_name.push(DnType::CommonName, "db.test");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let own = CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key")).expect("a certificate");
    let server = tls_server("host all all all scram-sha-256\n", |folder| {
        write_pair(folder, "server", &own.pem(), &own.key().serialize_pem());
        fs::write(folder.join("ca.crt"), own.pem()).expect("written");
        fs::write(folder.join("stranger.crt"), authority("stranger").pem()).expect("written");
    });
    let cases = [
        ("sslmode=verify-ca sslrootcert=@server.crt host=other.test", Ok(true)),
        ("sslmode=verify-full sslrootcert=@server.crt", Ok(true)),
        ("sslmode=verify-full sslrootcert=@server.crt host=other.test", Err(Kind::TlsWrongName)),
        ("sslmode=verify-ca sslrootcert=@stranger.crt", Err(Kind::TlsUnknownIssuer)),
    ];
    for (rest, expected) in cases {
        assert_eq!(outcome(&server, "postgres", rest).await, expected, "{rest}");
    }
}
