//! One letter.

use std::fmt;
use std::str::FromStr;

use lettre::Message;
use lettre::message::header::ContentType;
use lettre::message::{Mailbox, MessageBuilder};
use uuid::Uuid;

/// An address that a letter can be sent to or come from; it holds nothing that could end its header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address(Mailbox);

/// A text that is no address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("it is no address such as nombre@escuela.example")]
pub struct NoAddress;

impl FromStr for Address {
    type Err = NoAddress;

    fn from_str(text: &str) -> Result<Self, NoAddress> {
        text.trim().parse().map(Self).map_err(|_| NoAddress)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.email.fmt(f)
    }
}

/// A letter of plain text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Letter {
    to: Address,
    subject: String,
    text: String,
}

impl Letter {
    /// Of a subject only one line is taken.
    pub fn new(to: Address, subject: &str, text: impl Into<String>) -> Self {
        let subject = subject.split(char::is_control).find(|line| !line.trim().is_empty()).unwrap_or_default();
        Self { to, subject: subject.trim().to_owned(), text: text.into() }
    }

    /// To whom.
    pub fn to(&self) -> &Address {
        &self.to
    }

    /// Its subject.
    pub fn subject(&self) -> &str {
        &self.subject
    }

    /// Its text.
    pub fn text(&self) -> &str {
        &self.text
    }

    pub(crate) fn message(&self, from: &Address) -> Result<Message, lettre::error::Error> {
        builder(from)
            .to(self.to.0.clone())
            .subject(&self.subject)
            .header(ContentType::TEXT_PLAIN)
            .body(self.text.clone())
    }
}

/// Servers that take letters from others refuse those that have no id.
fn builder(from: &Address) -> MessageBuilder {
    let id = format!("<{}@{}>", Uuid::now_v7(), from.0.email.domain());
    Message::builder().message_id(Some(id)).from(from.0.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> Address {
        text.parse().expect("an address")
    }

    #[test]
    fn check_38_no_header_can_be_injected() {
        for bad in ["a@escuela.example\r\nBcc: x@escuela.example", "a\n@escuela.example", "a@b c", "", "a", "a@x\0y"] {
            assert_eq!(bad.parse::<Address>(), Err(NoAddress), "{bad:?}");
        }
        let letter = Letter::new(
            address("ana@escuela.example"),
            "Invitación de Escuela\r\nBcc: otra@escuela.example",
            "Hola:\r\n.\r\nBcc: otra@escuela.example\r\n",
        );
        let bytes = letter.message(&address("profe@escuela.example")).expect("a message").formatted();
        let text = String::from_utf8_lossy(&bytes);
        let (head, _) = text.split_once("\r\n\r\n").expect("a head");
        assert!(!head.contains("Bcc"), "{head}");
        assert_eq!(head.lines().filter(|line| line.starts_with("Subject:")).count(), 1);
    }
}
