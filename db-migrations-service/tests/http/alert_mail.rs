//! Mail over TLS, with a real mail server and certificates made here.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use migration_engine::catalogue::alerts::AlertRule;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use time::OffsetDateTime;

use crate::alert_servers::until;
use crate::alerts::quiet_world_with;

type Authority = CertifiedIssuer<'static, KeyPair>;

fn authority() -> Authority {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, "Escuela");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key")).expect("a certificate")
}

/// `aiosmtpd`, which puts letters into a folder; it dies with the test.
struct MailServer {
    port: u16,
    child: Child,
    folder: tempfile::TempDir,
}

impl Drop for MailServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl MailServer {
    /// Its certificate is for `name`, until then, by an authority whose certificate is `ca.pem` of its folder. `way` is
    /// `tls` for STARTTLS, which it insists on, or `smtps`.
    async fn start(way: &str, name: &str, until_year: i32) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let (authority, key) = (authority(), KeyPair::generate().expect("a key"));
        let mut params = CertificateParams::new(vec![name.to_owned()]).expect("a name");
        params.not_after = rcgen::date_time_ymd(until_year, 1, 1);
        let certificate = params.signed_by(&key, &authority).expect("a certificate");
        let path = |name: &str| folder.path().join(name);
        fs::write(path("ca.pem"), authority.pem()).expect("a file");
        fs::write(path("server.pem"), certificate.pem()).expect("a file");
        fs::write(path("server.key"), key.serialize_pem()).expect("a file");
        let port = TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).expect("a free port").port();
        let child = Command::new("aiosmtpd")
            .args(["--nosetuid", "--listen", &format!("127.0.0.1:{port}"), "--class", "aiosmtpd.handlers.Mailbox"])
            .args([format!("--{way}cert=server.pem"), format!("--{way}key=server.key"), "letters".to_owned()])
            .current_dir(folder.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("aiosmtpd: {error}; scripts/needs.sh test-database installs it"));
        let server = Self { port, child, folder };
        until("the mail server listens", async || tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_ok())
            .await;
        server
    }

    fn ca(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    fn letters(&self) -> Vec<String> {
        let Ok(folder) = fs::read_dir(self.folder.path().join("letters/new")) else { return Vec::new() };
        folder.map(|entry| fs::read_to_string(entry.expect("an entry").path()).expect("a letter")).collect()
    }
}

/// What came of a letter to this server.
async fn letter(url: &str, ca: Option<&Path>) -> (bool, String) {
    let mut variables = vec![
        ("MIGRATION_SERVICE_SMTP_URL", url.to_owned()),
        ("MIGRATION_SERVICE_ALERT_MAIL_TO", "guardia@escuela.example".to_owned()),
    ];
    variables.extend(ca.map(|ca| ("MIGRATION_SERVICE_SMTP_ROOT_CERT", ca.display().to_string())));
    let world = quiet_world_with(&[], "", variables).await;
    let test = world.operations.test_alerts(AlertRule::LowDisk, OffsetDateTime::now_utc()).await;
    let [answer] = &test.answers[..] else { panic!("{test:?}") };
    (answer.taken, answer.answer.clone())
}

#[tokio::test(flavor = "multi_thread")]
async fn letters_go_over_tls_from_the_beginning_and_by_starttls() {
    for (way, url) in [("smtps", "smtps://localhost:{}"), ("tls", "smtp://localhost:{}?tls=required")] {
        let server = MailServer::start(way, "localhost", 2100).await;
        let url = url.replace("{}", &server.port.to_string());
        assert_eq!(letter(&url, Some(&server.ca())).await, (true, "it answered 250".to_owned()), "{url}");
        let [received] = &server.letters()[..] else { panic!("{url}: {:?}", server.letters()) };
        assert!(received.contains("Subject: [test]") && received.contains("guardia@escuela.example"), "{received}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_certificate_gets_no_letter_and_what_to_do_is_said() {
    let good = MailServer::start("smtps", "localhost", 2100).await;
    let other = MailServer::start("tls", "mail.escuela.example", 2100).await;
    let old = MailServer::start("smtps", "localhost", 2001).await;
    let missing = good.folder.path().join("nada.pem");
    for (server, url, ca, cure) in [
        (
            &good,
            "smtps://localhost:{}",
            None,
            "name the authority that signed its certificate in MIGRATION_SERVICE_SMTP_ROOT_CERT",
        ),
        (&good, "smtps://localhost:{}", Some(other.ca()), "name the authority that signed its certificate"),
        (
            &other,
            "smtp://localhost:{}?tls=required",
            Some(other.ca()),
            "write the name that is in its certificate in MIGRATION_SERVICE_SMTP_URL",
        ),
        (&old, "smtps://localhost:{}", Some(old.ca()), "have its certificate renewed"),
        (&other, "smtps://localhost:{}", Some(other.ca()), "write smtp://…?tls=required"),
        (&good, "smtps://localhost:{}", Some(missing), "MIGRATION_SERVICE_SMTP_ROOT_CERT: "),
        // It insists on TLS before a letter.
        (&other, "smtp://localhost:{}", Some(other.ca()), "STARTTLS"),
    ] {
        let (is_taken, answer) = letter(&url.replace("{}", &server.port.to_string()), ca.as_deref()).await;
        assert!(!is_taken && answer.contains(cure), "{url}: {answer}");
        assert_eq!(server.letters(), Vec::<String>::new(), "{url}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mail_server_that_says_nothing_is_not_waited_for() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let url = format!("smtp://{}", listener.local_addr().expect("an address"));
    assert_eq!(letter(&url, None).await, (false, "it did not answer within 10 s".to_owned()));
}
