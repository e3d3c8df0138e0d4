//! What the environment says of mail: the same for all services.

use std::path::PathBuf;

use kernel::Secret;
use runtime::Collector;

use crate::letter::Address;
use crate::smtp::{Smtp, SmtpVariables, is_server, shows_password};

const URL: &str = "MAIL_SMTP_URL";
const ROOT_CERT: &str = "MAIL_SMTP_ROOT_CERT";
const FROM: &str = "MAIL_FROM";
const FOLDER: &str = "MAIL_FOLDER";

/// How letters leave.
#[derive(Debug, Clone)]
pub struct MailSettings {
    /// `MAIL_FROM`: who they come from.
    pub from: Address,
    /// `MAIL_SMTP_URL` and `MAIL_SMTP_ROOT_CERT`: the server.
    pub smtp: Option<Smtp>,
    /// `MAIL_FOLDER`: where they lie where no server is named; `.profe/mail` where nothing is said.
    pub folder: PathBuf,
}

impl MailSettings {
    /// Into a folder.
    pub fn folder(folder: impl Into<PathBuf>, from: Address) -> Self {
        Self { from, smtp: None, folder: folder.into() }
    }

    /// Reads the variables; `None` where one was bad, which the collector remembers.
    pub fn read(values: &mut Collector<'_>) -> Option<Self> {
        let url: Option<String> = values.optional(URL);
        let root_cert = values.optional::<PathBuf>(ROOT_CERT);
        let wrong = match url.as_deref() {
            Some(url) if !is_server(url) => {
                Some("it is no URL of a mail server; write smtps://host, or smtp://host?tls=required")
            }
            Some(url) if shows_password(url) => {
                Some("the password would go over the network for everybody to read; write smtps://, or ?tls=required")
            }
            _ => None,
        };
        if let Some(reason) = wrong {
            values.reject(URL, reason);
        }
        let usual = "profe@localhost";
        let from = values.optional::<Address>(FROM);
        if url.is_some() && from.is_none() {
            values.reject(
                FROM,
                "a mail server wants to know who letters come from; write an address such as profe@escuela.example",
            );
        }
        let from = from.or_else(|| usual.parse().ok())?;
        let names = SmtpVariables { url: URL, root_cert: ROOT_CERT };
        let smtp = url.map(|url| Smtp::new(Secret::new(url), root_cert, names));
        Some(Self { from, smtp, folder: values.or(FOLDER, PathBuf::from(".profe/mail")) })
    }
}

#[cfg(test)]
mod tests {
    use runtime::Environment;

    use super::*;

    fn read(environment: &Environment) -> Result<MailSettings, String> {
        let mut values = environment.collector();
        let read = MailSettings::read(&mut values);
        values.finish(|| read).map_err(|error| error.to_string())
    }

    #[test]
    fn nothing_set_is_a_folder() {
        let settings = read(&Environment::default()).expect("good defaults");
        assert_eq!((settings.smtp.is_none(), settings.folder), (true, PathBuf::from(".profe/mail")));
    }

    #[test]
    fn a_server_is_named_whole_or_not_at_all() {
        let said =
            read(&Environment::of([("MAIL_SMTP_URL", "smtp://u:hunter2@mail.escuela.example")])).expect_err("bad");
        assert!(
            said.contains("everybody to read") && said.contains("MAIL_FROM") && !said.contains("hunter2"),
            "{said}"
        );
        let good =
            [("MAIL_SMTP_URL", "smtps://u:hunter2@mail.escuela.example"), ("MAIL_FROM", "profe@escuela.example")];
        let settings = read(&Environment::of(good)).expect("good");
        assert!(settings.smtp.is_some() && !format!("{settings:?}").contains("hunter2"));
    }
}
