//! To whom backups are encrypted, and with what they are read.

use std::fmt;
use std::str::FromStr;

use age::x25519;

/// Why a key cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Not a public key as `age-keygen` prints it.
    #[error("`{0}` is no recipient of age: expected the public key that `age-keygen` prints, which begins with age1")]
    Recipient(String),
    /// Not a secret key as `age-keygen` writes it. Its text is not repeated.
    #[error("line {0} of the identity is no secret key of age: expected what `age-keygen` writes, AGE-SECRET-KEY-1…")]
    Identity(usize),
}

/// The public keys that new backups are encrypted to, and the secret ones that old ones are read with.
#[derive(Clone, Default)]
pub struct Keys {
    recipients: Vec<x25519::Recipient>,
    identities: Vec<x25519::Identity>,
}

impl Keys {
    /// `recipients` are public keys, apart by commas or blanks; `identities` the content of a file of `age-keygen`: a secret key a
    /// line, lines that begin with `#` are remarks. Without recipients nothing is encrypted.
    ///
    /// # Errors
    /// What is no key.
    pub fn parse(recipients: &str, identities: &str) -> Result<Self, KeyError> {
        let words = recipients.split(|c: char| c == ',' || c.is_whitespace()).filter(|word| !word.is_empty());
        let recipients = words
            .map(|word| x25519::Recipient::from_str(word).map_err(|_| KeyError::Recipient(word.to_owned())))
            .collect::<Result<_, _>>()?;
        let lines = identities.lines().map(str::trim).enumerate();
        let identities = lines
            .filter(|(_, line)| !line.is_empty() && !line.starts_with('#'))
            .map(|(at, line)| x25519::Identity::from_str(line).map_err(|_| KeyError::Identity(at + 1)))
            .collect::<Result<_, _>>()?;
        Ok(Self { recipients, identities })
    }

    /// The public keys, as a manifest keeps them.
    pub fn recipients(&self) -> Vec<String> {
        self.recipients.iter().map(ToString::to_string).collect()
    }

    /// Whether a backup that was encrypted to these public keys can be read.
    pub fn can_read(&self, recipients: &[String]) -> bool {
        let own = |identity: &x25519::Identity| recipients.contains(&identity.to_public().to_string());
        recipients.is_empty() || self.identities.iter().any(own)
    }

    pub(crate) fn encrypts_to(&self) -> impl Iterator<Item = &dyn age::Recipient> {
        self.recipients.iter().map(|recipient| recipient as &dyn age::Recipient)
    }

    pub(crate) fn reads_with(&self) -> impl Iterator<Item = &dyn age::Identity> {
        self.identities.iter().map(|identity| identity as &dyn age::Identity)
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keys")
            .field("recipients", &self.recipients())
            .field("identities", &self.identities.len())
            .finish()
    }
}
