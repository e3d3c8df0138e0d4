//! What only this service reads: sealed with a key that is made of its secret and stands in no table.

use std::fmt;

use kernel::Secret;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::hkdf::{HKDF_SHA256, Salt};

/// Another word makes another key of the same secret.
const PURPOSE: &[u8] = b"profe auth-service signing keys 1";

/// A key for sealing.
pub(crate) struct Seal(LessSafeKey);

impl Seal {
    /// Of the service's secret (HKDF-SHA-256). `None` where the library refuses, which it has no reason to.
    pub(crate) fn of(secret: &Secret) -> Option<Self> {
        let extracted = Salt::new(HKDF_SHA256, &[]).extract(secret.reveal().as_bytes());
        let parts = [PURPOSE];
        let expanded = extracted.expand(&parts, &AES_256_GCM).ok()?;
        Some(Self(LessSafeKey::new(UnboundKey::from(expanded))))
    }

    /// Seals `text`, which is then good under this name only.
    pub(crate) fn close(&self, name: &str, text: &[u8]) -> Option<Vec<u8>> {
        let mut nonce = [0; NONCE_LEN];
        getrandom::fill(&mut nonce).ok()?;
        let mut sealed = text.to_vec();
        let nonce_used = Nonce::assume_unique_for_key(nonce);
        self.0.seal_in_place_append_tag(nonce_used, Aad::from(name.as_bytes()), &mut sealed).ok()?;
        Some([&nonce[..], &sealed].concat())
    }

    /// What was sealed under this name; `None` where it was not, or with another secret.
    pub(crate) fn open(&self, name: &str, sealed: &[u8]) -> Option<Vec<u8>> {
        let (nonce, text) = sealed.split_at_checked(NONCE_LEN)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let mut text = text.to_vec();
        self.0.open_in_place(nonce, Aad::from(name.as_bytes()), &mut text).ok().map(|text| text.to_vec())
    }
}

impl fmt::Debug for Seal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Seal")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sealed_is_opened_by_the_same_secret_under_the_same_name_only() {
        let seal = |secret: &str| Seal::of(&Secret::new(secret)).expect("a key");
        let sealed = seal("one").close("a", b"key").expect("sealed");
        assert_eq!(seal("one").open("a", &sealed).as_deref(), Some(&b"key"[..]));
        assert_eq!(seal("one").open("b", &sealed), None);
        assert_eq!(seal("two").open("a", &sealed), None);
        assert_eq!(seal("one").open("a", &[]), None);
        assert_ne!(seal("one").close("a", b"key"), Some(sealed), "a nonce is used once");
    }
}
