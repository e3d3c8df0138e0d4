//! Secrets in mailed links, as every service makes and keeps them.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};

use crate::fault::Fault;

/// As text, characters.
const LENGTH: usize = 43;

/// A secret in a mailed link, 256 random bits. What is kept of it is its hash, which one service may make and another look for.
pub struct LinkToken([u8; 32]);

impl LinkToken {
    /// A new one.
    ///
    /// # Errors
    /// The operating system gives no randomness.
    pub fn new() -> Result<Self, Fault> {
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes).map_err(|_| Fault::broken("the operating system gives no randomness"))?;
        Ok(Self(bytes))
    }

    /// One that was presented; `None` where it is none of ours.
    pub fn parse(text: &str) -> Option<Self> {
        let bytes =
            Some(text).filter(|text| text.len() == LENGTH).and_then(|text| URL_SAFE_NO_PAD.decode(text).ok())?;
        bytes.try_into().ok().map(Self)
    }

    /// For the link.
    pub fn text(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.0)
    }

    /// As it is kept. Of a random secret one round is enough: there is nothing to guess.
    pub fn hash(&self) -> String {
        URL_SAFE_NO_PAD.encode(Sha256::digest(self.0))
    }
}
