//! Refresh tokens: handed out, and kept as hashes only.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use service::Fault;
use sha2::{Digest as _, Sha256};

const FAMILY: usize = 16;
const SECRET: usize = 32;

/// A refresh token. Its family is of the session and stays the same; its secret is replaced at every use.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct RefreshToken {
    family: [u8; FAMILY],
    secret: [u8; SECRET],
}

impl RefreshToken {
    /// The first one of a session.
    pub(crate) fn first() -> Result<Self, Fault> {
        Ok(Self { family: random()?, secret: random()? })
    }

    /// One that was presented; `None` where it is none of ours.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        // Longer ones are not even decoded.
        let bytes = Some(text).filter(|text| text.len() == 64).and_then(|text| URL_SAFE_NO_PAD.decode(text).ok())?;
        let (family, secret) = bytes.split_at_checked(FAMILY)?;
        Some(Self { family: family.try_into().ok()?, secret: secret.try_into().ok()? })
    }

    /// The one that follows on it: by the same salt always the same.
    pub(crate) fn next(&self, salt: &[u8]) -> Self {
        // HMAC takes keys of any length.
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&self.secret) else { return self.clone() };
        mac.update(salt);
        Self { family: self.family, secret: mac.finalize().into_bytes().into() }
    }

    /// As it is handed out.
    pub(crate) fn text(&self) -> String {
        URL_SAFE_NO_PAD.encode([&self.family[..], &self.secret[..]].concat())
    }

    /// By which its session is found.
    pub(crate) fn family_hash(&self) -> String {
        hash(&self.family)
    }

    /// By which it is known among those of its session.
    pub(crate) fn secret_hash(&self) -> String {
        hash(&self.secret)
    }
}

/// A salt of a refresh token.
pub(crate) fn salt() -> Result<[u8; 16], Fault> {
    random()
}

/// Of a random secret one round is enough: there is nothing to guess.
fn hash(secret: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(secret))
}

pub(crate) fn random<const N: usize>() -> Result<[u8; N], Fault> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|_| Fault::broken("the operating system gives no randomness"))?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use service::LinkToken;

    use super::*;

    fn first() -> RefreshToken {
        RefreshToken::first().expect("randomness")
    }

    #[test]
    fn the_next_token_is_of_the_last_one_and_the_salt() {
        let token = first();
        assert!(RefreshToken::parse(&token.text()) == Some(token.clone()));
        let next = token.next(b"salt");
        assert!(next == token.next(b"salt") && next != token.next(b"other"));
        assert_eq!(next.family_hash(), token.family_hash());
        assert_ne!(next.secret_hash(), token.secret_hash());
        assert!(next != first().next(b"salt"));
        for bad in ["", "x", &"A".repeat(63), &"A".repeat(65), &"*".repeat(64), &"A".repeat(1 << 20)] {
            assert!(RefreshToken::parse(bad).is_none());
        }
    }

    #[test]
    fn check_7_a_link_holds_256_random_bits_and_only_its_hash_is_kept() {
        let token = LinkToken::new().expect("randomness");
        assert_eq!(token.text().len(), 43);
        assert_eq!(LinkToken::parse(&token.text()).map(|token| token.hash()), Some(token.hash()));
        assert_ne!(token.hash(), token.text());
        assert_ne!(token.hash(), LinkToken::new().expect("randomness").hash());
    }
}
