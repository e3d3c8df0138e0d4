//! Keys: one that signs, and those that are believed.

use std::collections::BTreeMap;
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{DecodingKey, EncodingKey};
use ring::rand::SystemRandom;
use ring::signature::{Ed25519KeyPair, KeyPair as _};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// A private key that signs tokens. Printed, it is its id.
pub struct SigningKey {
    id: String,
    public: String,
    pkcs8: Vec<u8>,
    encoding: EncodingKey,
}

impl SigningKey {
    /// A new one, from the operating system's randomness.
    pub fn generate() -> Result<Self, KeyError> {
        let document = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).map_err(|_| KeyError::NoRandomness)?;
        Self::from_pkcs8(document.as_ref().to_vec())
    }

    /// One that was kept: PKCS #8 with the public key in it, as [`Self::pkcs8`] gives it.
    pub fn from_pkcs8(pkcs8: Vec<u8>) -> Result<Self, KeyError> {
        let pair = Ed25519KeyPair::from_pkcs8(&pkcs8).map_err(|_| KeyError::NotEd25519)?;
        let public = URL_SAFE_NO_PAD.encode(pair.public_key().as_ref());
        let encoding = EncodingKey::from_ed_der(&pkcs8);
        Ok(Self { id: thumbprint(&public), public, pkcs8, encoding })
    }

    /// Its id: the thumbprint of its public key (RFC 7638), which tells nothing and is the same everywhere.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The private key itself, to be kept sealed.
    pub fn pkcs8(&self) -> &[u8] {
        &self.pkcs8
    }

    /// Its public half, alone in a set.
    pub fn public(&self) -> KeySet {
        let mut set = KeySet::default();
        set.insert(self.id.clone(), self.public.clone());
        set
    }

    pub(crate) fn encoding(&self) -> &EncodingKey {
        &self.encoding
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey").field("id", &self.id).finish_non_exhaustive()
    }
}

/// Public keys that are believed, by their ids: what `/.well-known/jwks.json` holds (RFC 7517).
#[derive(Clone, Default)]
pub struct KeySet {
    keys: BTreeMap<String, (String, DecodingKey)>,
}

impl KeySet {
    /// Reads a published document. Keys of other kinds are passed over; a key whose id is not its thumbprint is refused,
    /// for nobody may publish one key under the name of another.
    pub fn from_json(document: &str) -> Result<Self, KeyError> {
        let published: Document =
            serde_json::from_str(document).map_err(|error| KeyError::NoDocument(error.to_string()))?;
        let mut set = Self::default();
        for key in published.keys {
            let (Some("OKP"), Some("Ed25519"), Some(public)) = (key.kty.as_deref(), key.crv.as_deref(), key.x) else {
                continue;
            };
            let id = thumbprint(&public);
            if key.kid.as_deref() != Some(&id) || URL_SAFE_NO_PAD.decode(&public).is_ok_and(|bytes| bytes.len() != 32) {
                return Err(KeyError::NotItsId(key.kid.unwrap_or_default()));
            }
            set.insert(id, public);
        }
        Ok(set)
    }

    /// The document.
    pub fn to_json(&self) -> String {
        let word = |text: &str| Some(text.to_owned());
        let key = |(id, (public, _)): (&String, &(String, DecodingKey))| Jwk {
            kty: word("OKP"),
            crv: word("Ed25519"),
            x: Some(public.clone()),
            kid: Some(id.clone()),
            alg: word("EdDSA"),
            usage: word("sig"),
        };
        // Words and base64: nothing of it can fail to be written.
        serde_json::to_string(&Document { keys: self.keys.iter().map(key).collect() }).unwrap_or_default()
    }

    /// Believes these too.
    #[must_use]
    pub fn and(mut self, others: Self) -> Self {
        self.keys.extend(others.keys);
        self
    }

    /// The ids of its keys.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        self.keys.keys().map(String::as_str)
    }

    pub(crate) fn get(&self, id: &str) -> Option<&DecodingKey> {
        self.keys.get(id).map(|(_, key)| key)
    }

    fn insert(&mut self, id: String, public: String) {
        if let Ok(key) = DecodingKey::from_ed_components(&public) {
            self.keys.insert(id, (public, key));
        }
    }
}

impl fmt::Debug for KeySet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.ids()).finish()
    }
}

/// Why there is no key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyError {
    /// The operating system gave no randomness.
    NoRandomness,
    /// The bytes are no Ed25519 key in PKCS #8 with its public half.
    NotEd25519,
    /// The text is no set of keys.
    NoDocument(String),
    /// A key is published under this id, which is not its thumbprint.
    NotItsId(String),
}

impl fmt::Display for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoRandomness => f.write_str("the operating system gives no randomness"),
            Self::NotEd25519 => f.write_str("the signing key is no Ed25519 key in PKCS #8 with its public half"),
            Self::NoDocument(why) => write!(f, "the published keys are no JSON Web Key Set: {why}"),
            Self::NotItsId(id) => write!(f, "the published key {id:?} is not the key that its id says"),
        }
    }
}

impl std::error::Error for KeyError {}

#[derive(Serialize, Deserialize)]
struct Document {
    keys: Vec<Jwk>,
}

#[derive(Serialize, Deserialize)]
struct Jwk {
    kty: Option<String>,
    crv: Option<String>,
    x: Option<String>,
    kid: Option<String>,
    alg: Option<String>,
    #[serde(rename = "use")]
    usage: Option<String>,
}

/// RFC 7638, with the members that RFC 8037 names, in the order of their names.
fn thumbprint(public: &str) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{public}"}}"#)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of RFC 8037, appendix A.3.
    #[test]
    fn a_thumbprint_is_the_rfcs() {
        assert_eq!(
            thumbprint("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"),
            "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"
        );
    }

    #[test]
    fn a_key_is_kept_and_published() {
        let key = SigningKey::generate().expect("randomness");
        let again = SigningKey::from_pkcs8(key.pkcs8().to_vec()).expect("a key");
        assert_eq!(again.id(), key.id());
        let both = key.public().and(SigningKey::generate().expect("randomness").public());
        let read = KeySet::from_json(&both.to_json()).expect("a document");
        assert!(read.ids().eq(both.ids()) && read.ids().count() == 2);
        assert!(!both.to_json().contains("\"d\""), "nothing private is published");
        assert!(!format!("{key:?}").contains("pkcs8"));
    }

    #[test]
    fn what_is_no_key_is_refused() {
        assert_eq!(SigningKey::from_pkcs8(vec![1, 2, 3]).map(|_| ()), Err(KeyError::NotEd25519));
        assert!(matches!(KeySet::from_json("[]"), Err(KeyError::NoDocument(_))));
        let other = r#"{"keys":[{"kty":"RSA","n":"AQAB","e":"AQAB","kid":"r"}]}"#;
        assert_eq!(KeySet::from_json(other).expect("passed over").ids().count(), 0);
        let key = SigningKey::generate().expect("randomness");
        let renamed = key.public().to_json().replace(key.id(), "another");
        assert_eq!(KeySet::from_json(&renamed).map(|_| ()), Err(KeyError::NotItsId("another".to_owned())));
    }
}
