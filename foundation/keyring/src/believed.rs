//! What was believed already: a signature costs some sixty microseconds to check, looking here one or two.
//!
//! Only tokens whose signature held stand here, by their SHA-256, so nothing here signs anybody in. What may have changed since – the
//! clock, the ended sessions, the keys – is looked at every time.

use std::sync::Mutex;

use identity::Access;
use sha2::{Digest as _, Sha256};

/// Of so many tokens at once the signature is remembered; a newer one takes the place of an older.
const PLACES: usize = 8_192;

/// A token, without its text.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fingerprint([u8; 32]);

/// What a good token says.
#[derive(Clone, Copy)]
pub(crate) struct Believed {
    /// Who.
    pub(crate) access: Access,
    /// Not any more from then on, Unix seconds.
    pub(crate) over: i64,
}

struct Entry {
    token: Fingerprint,
    /// Of which set its key was.
    keys: u64,
    believed: Believed,
}

/// A fixed number of places, each with a lock of its own.
pub(crate) struct Memory(Box<[Mutex<Option<Entry>>]>);

impl Fingerprint {
    pub(crate) fn of(token: &str) -> Self {
        Self(Sha256::digest(token).into())
    }

    fn place(self) -> usize {
        let [a, b, ..] = self.0;
        usize::from(u16::from_le_bytes([a, b])) % PLACES
    }
}

impl Memory {
    pub(crate) fn new() -> Self {
        Self((0..PLACES).map(|_| Mutex::new(None)).collect())
    }

    /// What was believed of it under the set of keys `keys`.
    pub(crate) fn get(&self, token: Fingerprint, keys: u64) -> Option<Believed> {
        let place = self.0[token.place()].lock().ok()?;
        place.as_ref().filter(|entry| entry.token == token && entry.keys == keys).map(|entry| entry.believed)
    }

    pub(crate) fn put(&self, token: Fingerprint, keys: u64, believed: Believed) {
        if let Ok(mut place) = self.0[token.place()].lock() {
            *place = Some(Entry { token, keys, believed });
        }
    }
}
