//! Alerts by mail.

use std::time::Duration;

use lettre::message::Mailbox;
use lettre::{AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor};

use super::ways::{AlertWays, cause};

const PATIENCE: Duration = Duration::from_secs(10);

/// Sends one letter to all who get mail.
pub(super) async fn send(ways: &AlertWays, subject: &str, text: String) -> Result<String, String> {
    let Some(server) = &ways.smtp else { return Err("no mail server is configured".to_owned()) };
    let mailbox = |text: &str| text.parse::<Mailbox>().map_err(|error| format!("{text}: {error}"));
    let from = ways.mail_from.as_deref().or(ways.mail_to.first().map(String::as_str)).unwrap_or_default();
    let mut letter = Message::builder().from(mailbox(from)?).subject(subject);
    for to in &ways.mail_to {
        letter = letter.to(mailbox(to)?);
    }
    let letter = letter.body(text).map_err(|error| cause(&error))?;
    // A wrong URL is an error without the URL, which may hold a password.
    let transport = AsyncSmtpTransport::<Tokio1Executor>::from_url(server.reveal()).map_err(|error| cause(&error))?;
    let answer = transport.timeout(Some(PATIENCE)).build().send(letter).await.map_err(|error| cause(&error))?;
    Ok(format!("it answered {}", answer.code()))
}

/// Whether a text is an address of mail.
pub(crate) fn is_address(text: &str) -> bool {
    text.parse::<Mailbox>().is_ok()
}

/// Whether a text is the URL of a mail server.
pub(crate) fn is_server(url: &str) -> bool {
    AsyncSmtpTransport::<Tokio1Executor>::from_url(url).is_ok()
}
