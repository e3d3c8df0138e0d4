//! SHA-256 over the canonical form: of an object, of a schema, of everything.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};
use std::str::FromStr;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest as _, Sha256};

use crate::object::{ObjectId, Properties};
use crate::snapshot::Snapshot;

/// A SHA-256. Displayed, parsed and serialised as 64 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint([u8; 32]);

/// A text that is no [`Fingerprint`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a fingerprint has 64 hexadecimal digits")]
pub struct ParseFingerprintError;

impl Snapshot {
    /// The fingerprint of everything in it.
    pub fn fingerprint(&self) -> Fingerprint {
        Fingerprint::over(self.schema_fingerprints().into_values().collect())
    }

    /// The fingerprint of some of its schemas, for example of those of one service. Schemas that it does not hold
    /// count as nothing.
    pub fn fingerprint_of(&self, schemas: &[impl AsRef<str>]) -> Fingerprint {
        let mut all = self.schema_fingerprints();
        all.retain(|schema, _| schemas.iter().any(|name| *schema == Some(name.as_ref())));
        Fingerprint::over(all.into_values().collect())
    }

    /// The fingerprint of each schema; under `None` that of the objects that belong to the database.
    pub fn schema_fingerprints(&self) -> BTreeMap<Option<&str>, Fingerprint> {
        let mut schemas: BTreeMap<Option<&str>, Vec<Fingerprint>> = BTreeMap::new();
        for (id, object) in &self.objects {
            schemas.entry(id.schema.as_deref()).or_default().push(object.fingerprint);
        }
        schemas.into_iter().map(|(schema, children)| (schema, Fingerprint::over(children))).collect()
    }

    /// The fingerprint of each object, sorted by object.
    pub fn object_fingerprints(&self) -> impl Iterator<Item = (&ObjectId, Fingerprint)> {
        self.objects.iter().map(|(id, object)| (&**id, object.fingerprint))
    }
}

impl Fingerprint {
    /// The bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    pub(crate) fn of_object(id: &ObjectId, properties: &Properties) -> Self {
        let mut hash = Sha256::new();
        let mut feed = |text: &str| {
            // With its length before it, no text can be mistaken for two others.
            hash.update((text.len() as u64).to_be_bytes());
            hash.update(text);
        };
        for part in [id.schema.as_deref(), Some(id.kind.as_str()), id.of.as_deref(), Some(&id.name)] {
            feed(part.unwrap_or_default());
        }
        for (name, value) in properties {
            feed(name);
            feed(value);
        }
        Self(hash.finalize().into())
    }

    /// A node of the tree: its children in sorted order, so that the order in which objects were made says nothing.
    fn over(mut children: Vec<Self>) -> Self {
        children.sort_unstable();
        let mut hash = Sha256::new();
        for child in &children {
            hash.update(child.0);
        }
        Self(hash.finalize().into())
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Fingerprint {
    type Err = ParseFingerprintError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.len() != 64 || !text.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return Err(ParseFingerprintError);
        }
        let mut bytes = [0; 32];
        for (at, byte) in bytes.iter_mut().enumerate() {
            *byte = u8::from_str_radix(&text[2 * at..2 * at + 2], 16).map_err(|_| ParseFingerprintError)?;
        }
        Ok(Self(bytes))
    }
}

impl Serialize for Fingerprint {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut hex = String::with_capacity(64);
        // Writing to a String cannot fail.
        let _ = write!(hex, "{self}");
        serializer.serialize_str(&hex)
    }
}

impl<'de> Deserialize<'de> for Fingerprint {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}
