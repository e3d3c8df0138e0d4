//! Who is told: Alertmanagers, webhooks, people by mail.

use std::fmt::Write as _;
use std::sync::OnceLock;
use std::time::Duration;

use kernel::Secret;
use sha2::{Digest, Sha256};

/// Whoever has not taken what they are told by then is told again later.
const PATIENCE: Duration = Duration::from_secs(10);
/// The receiver that stands for all who are told by mail: they share one letter.
pub(super) const MAIL: &str = "mail";

/// Who is told, and how. Addresses may hold secrets.
#[derive(Debug, Clone, Default)]
pub struct AlertWays {
    /// The URLs of Alertmanagers; of a cluster, all of its members.
    pub alertmanagers: Vec<Secret>,
    /// URLs that are posted to.
    pub webhooks: Vec<Secret>,
    /// What is posted there is signed with this.
    pub webhook_secret: Option<Secret>,
    /// The mail server, as `smtp://` or `smtps://`.
    pub smtp: Option<Secret>,
    /// Who gets mail.
    pub mail_to: Vec<String>,
    /// From whom it comes; else from the first who gets it.
    pub mail_from: Option<String>,
}

impl AlertWays {
    /// Nobody.
    pub(super) const fn none() -> Self {
        Self {
            alertmanagers: Vec::new(),
            webhooks: Vec::new(),
            webhook_secret: None,
            smtp: None,
            mail_to: Vec::new(),
            mail_from: None,
        }
    }

    /// What does not fit together, one sentence each; without values, which may be secrets.
    pub(crate) fn problems(&self) -> Vec<&'static str> {
        let mut problems = Vec::new();
        if !self.webhooks.is_empty() && self.webhook_secret.is_none() {
            problems.push("MIGRATION_SERVICE_ALERT_WEBHOOKS needs MIGRATION_SERVICE_ALERT_WEBHOOK_SECRET, with which calls are signed");
        }
        if self.smtp.as_ref().is_some_and(|url| !super::mail::is_server(url.reveal())) {
            problems.push("MIGRATION_SERVICE_SMTP_URL is no URL of a mail server; write smtp://host:25, smtp://host:587?tls=required, or smtps://user:password@host");
        }
        if self.smtp.is_some() == self.mail_to.is_empty() {
            problems.push("MIGRATION_SERVICE_SMTP_URL and MIGRATION_SERVICE_ALERT_MAIL_TO need each other");
        }
        problems
    }

    /// Those who are told each thing once, by the names under which the master database knows what they are owed.
    pub(super) fn receivers(&self) -> Vec<String> {
        let mail = self.smtp.as_ref().map(|_| MAIL.to_owned());
        self.webhooks.iter().map(webhook_name).chain(mail).collect()
    }

    /// The webhook of that name.
    pub(super) fn webhook(&self, receiver: &str) -> Option<&Secret> {
        self.webhooks.iter().find(|url| webhook_name(url) == receiver)
    }
}

/// A path may be a secret: what is kept is a hash.
fn webhook_name(url: &Secret) -> String {
    let hash = Sha256::digest(url.reveal().as_bytes());
    format!("webhook {}", hex(&hash[..8]))
}

/// Bytes as hexadecimal digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing into a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// A URL as people may see it: without user, path and query.
pub(super) fn shown(url: &Secret) -> String {
    reqwest::Url::parse(url.reveal()).map_or_else(
        |_| "?".to_owned(),
        |url| {
            let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
            format!("{}://{}{port}", url.scheme(), url.host_str().unwrap_or_default())
        },
    )
}

/// The client for all who are told over HTTP.
pub(super) fn client() -> Result<&'static reqwest::Client, String> {
    static CLIENT: OnceLock<Result<reqwest::Client, String>> = OnceLock::new();
    let made = CLIENT.get_or_init(|| {
        // The client takes the process's provider for TLS; there may be one already, and then it is ours.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let builder = reqwest::Client::builder().timeout(PATIENCE).redirect(reqwest::redirect::Policy::none());
        builder.build().map_err(|error| cause(&error))
    });
    made.as_ref().map_err(Clone::clone)
}

/// Sends, and says in one sentence why it was not taken. Never with the address, which may be a secret.
pub(super) async fn post(request: reqwest::RequestBuilder) -> Result<String, String> {
    let answer = request.send().await.map_err(|error| cause(&error.without_url()))?;
    let status = answer.status();
    if status.is_success() { Ok(format!("it answered {status}")) } else { Err(format!("it answered {status}")) }
}

/// An error down to its cause, which is what tells something.
pub(super) fn cause(error: &dyn std::error::Error) -> String {
    let mut words = error.to_string();
    let mut next = error.source();
    while let Some(error) = next {
        let more = error.to_string();
        if !words.contains(&more) {
            words = format!("{words}: {more}");
        }
        next = error.source();
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Settings;

    #[test]
    fn an_address_is_shown_and_kept_without_its_secrets() {
        let url = Secret::new("https://ana:hunter2@hooks.example.org:8443/T000/secret?key=x");
        assert_eq!(shown(&url), "https://hooks.example.org:8443");
        let ways = AlertWays { webhooks: vec![url.clone()], ..AlertWays::default() };
        let receivers = ways.receivers();
        assert!(receivers.iter().all(|name| !name.contains("secret")), "{receivers:?}");
        assert_eq!(ways.webhook(&receivers[0]), Some(&url));
    }

    #[test]
    fn what_does_not_fit_together_is_said_and_no_secret() {
        let read = |pairs: &[(&str, &str)]| {
            let get = |name: &str| pairs.iter().find(|(n, _)| *n == name).map(|(_, value)| (*value).to_owned());
            Settings::read(&get).map(|settings| settings.alert_ways)
        };
        let problems = |pairs: &[(&str, &str)]| read(pairs).expect_err("it cannot be used").problems.join("; ");
        let hooks = ("MIGRATION_SERVICE_ALERT_WEBHOOKS", "https://hooks.example.org/hunter2");
        let server = "MIGRATION_SERVICE_SMTP_URL";
        let to = ("MIGRATION_SERVICE_ALERT_MAIL_TO", "guardia@escuela.example");
        assert!(problems(&[hooks]).contains("ALERT_WEBHOOK_SECRET"));
        assert!(problems(&[to]).contains("need each other"));
        assert!(problems(&[(server, "smtp://mail.escuela.example")]).contains("need each other"));
        let mail = problems(&[(server, "mail://ana:hunter2@x"), to]);
        assert!(mail.contains("smtps://") && !mail.contains("hunter2"), "{mail}");
        let list = problems(&[("MIGRATION_SERVICE_ALERTMANAGER_URL", "https://a.example.org, hunter2")]);
        assert!(list.contains("separated by commas") && !list.contains("hunter2"), "{list}");
        let good = read(&[(server, "smtp://mail.escuela.example"), to]).expect("it fits");
        assert_eq!(good.receivers(), ["mail"]);
        assert!(read(&[]).expect("nothing fits").receivers().is_empty());
    }
}
