//! Alerts by mail.

use kernel::cause;
use lettre::Message;
use lettre::message::Mailbox;
use uuid::Uuid;

use super::ways::AlertWays;

pub(crate) use ::mail::{is_address, is_server, shows_password};

const VARIABLES: ::mail::SmtpVariables =
    ::mail::SmtpVariables { url: "MIGRATION_SERVICE_SMTP_URL", root_cert: "MIGRATION_SERVICE_SMTP_ROOT_CERT" };

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
    ::mail::Smtp::new(server.clone(), ways.smtp_root_cert.clone(), VARIABLES).send(letter).await
}
