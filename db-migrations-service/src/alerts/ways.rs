//! Who is told: Alertmanagers, webhooks, people by mail.

use std::path::PathBuf;

use kernel::Secret;
use sha2::{Digest, Sha256};

pub(super) use crate::outbound::{client, hex, post, shown};

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
    /// A PEM file with the authority that signed its certificate, where that is none of the public ones.
    pub smtp_root_cert: Option<PathBuf>,
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
            smtp_root_cert: None,
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
        if self.smtp.as_ref().is_some_and(|url| super::mail::shows_password(url.reveal())) {
            problems.push(
                "MIGRATION_SERVICE_SMTP_URL would send its password in the clear; write smtps://… or add ?tls=required",
            );
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
        for (url, is_told) in [
            ("smtp://ana:hunter2@mail.escuela.example", true),
            ("smtp://ana:hunter2@mail.escuela.example:587?tls=opportunistic", true),
            ("smtp://ana:hunter2@mail.escuela.example:587?tls=required", false),
            ("smtps://ana:hunter2@mail.escuela.example", false),
            ("smtp://ana:hunter2@127.0.0.1:1025", false),
        ] {
            let told = read(&[(server, url), to]).err().map(|error| error.problems.join("; "));
            assert_eq!(told.as_ref().is_some_and(|words| words.contains("in the clear")), is_told, "{url}: {told:?}");
            assert!(told.is_none_or(|words| !words.contains("hunter2")), "{url}");
        }
        let list = problems(&[("MIGRATION_SERVICE_ALERTMANAGER_URL", "https://a.example.org, hunter2")]);
        assert!(list.contains("separated by commas") && !list.contains("hunter2"), "{list}");
        let good = read(&[(server, "smtp://mail.escuela.example"), to]).expect("it fits");
        assert_eq!(good.receivers(), ["mail"]);
        assert!(read(&[]).expect("nothing fits").receivers().is_empty());
    }
}
