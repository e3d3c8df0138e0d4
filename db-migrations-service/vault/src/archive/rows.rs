//! Counting and adding up what a table holds.

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::{Xxh3, xxh3_128};

use super::cursor::Cursor;
use super::joined::Joined;

/// A line that is longer is hashed as it comes.
const KEPT: usize = 64 * 1024;

/// How much a table holds, and what: two tables with the same figures hold the same rows, in whatever order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Figures {
    /// Rows; for large objects, how many there are.
    pub rows: u64,
    /// The sum of the rows' 128-bit XXH3 hashes, modulo 2¹²⁸; in hex.
    #[serde(with = "hex128")]
    pub checksum: u128,
}

impl Figures {
    fn add(&mut self, hash: u128) {
        self.rows += 1;
        self.checksum = self.checksum.wrapping_add(hash);
    }
}

mod hex128 {
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(sum: &u128, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{sum:032x}"))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u128, D::Error> {
        u128::from_str_radix(&String::deserialize(deserializer)?, 16).map_err(serde::de::Error::custom)
    }
}

/// A block's rows, in pieces of any length.
pub(super) struct Rows {
    figures: Figures,
    unit: Unit,
}

enum Unit {
    /// Lines, up to one that says `\.`.
    Lines { begun: Vec<u8>, long: Option<Box<Xxh3>>, ended: bool },
    /// Large objects, whose bounds the archive has.
    Objects { open: Option<Box<Xxh3>> },
}

impl Rows {
    pub(super) fn lines() -> Self {
        Self { figures: Figures::default(), unit: Unit::Lines { begun: Vec::new(), long: None, ended: false } }
    }

    pub(super) fn objects() -> Self {
        Self { figures: Figures::default(), unit: Unit::Objects { open: None } }
    }

    pub(super) fn figures(&self) -> Figures {
        self.figures
    }

    pub(super) fn begin_object(&mut self, id: i32) {
        if let Unit::Objects { open } = &mut self.unit {
            let mut hasher = Box::new(Xxh3::new());
            hasher.update(&id.to_le_bytes());
            *open = Some(hasher);
        }
    }

    /// Ends the open object; `false` where there is none.
    pub(super) fn end_object(&mut self) -> bool {
        let Unit::Objects { open: open @ Some(_) } = &mut self.unit else { return false };
        if let Some(hasher) = open.take() {
            self.figures.add(hasher.digest128());
        }
        true
    }

    /// Takes the chunks that are there as a whole; whether there was one.
    pub(super) fn pass(&mut self, cursor: &mut Cursor<'_>, int_size: usize, joined: &mut Option<Joined>) -> bool {
        let before = cursor.position();
        while let Some(chunk) = cursor.chunk(int_size) {
            self.push(chunk);
            if let Some(joined) = joined {
                joined.chunk(chunk.len(), int_size);
                joined.payload(chunk);
            }
        }
        cursor.position() > before
    }

    pub(super) fn push(&mut self, mut bytes: &[u8]) {
        match &mut self.unit {
            Unit::Objects { open } => {
                if let Some(hasher) = open {
                    hasher.update(bytes);
                }
            }
            Unit::Lines { begun, long, ended } => {
                while !*ended && !bytes.is_empty() {
                    let Some(end) = memchr::memchr(b'\n', bytes) else {
                        keep(begun, long, bytes);
                        return;
                    };
                    let (line, rest) = (&bytes[..end], &bytes[end + 1..]);
                    bytes = rest;
                    if long.is_none() && begun.is_empty() {
                        *ended = line == b"\\.";
                        if !*ended {
                            self.figures.add(xxh3_128(line));
                        }
                        continue;
                    }
                    keep(begun, long, line);
                    *ended = long.is_none() && begun == b"\\.";
                    if !*ended {
                        self.figures.add(long.take().map_or_else(|| xxh3_128(begun), |hasher| hasher.digest128()));
                    }
                    begun.clear();
                }
            }
        }
    }

    /// `None` where the end has not come.
    pub(super) fn finish(self) -> Option<Figures> {
        let whole = match self.unit {
            Unit::Lines { ended, .. } => ended,
            Unit::Objects { open } => open.is_none(),
        };
        whole.then_some(self.figures)
    }
}

/// Adds to a line whose end is not there.
fn keep(begun: &mut Vec<u8>, long: &mut Option<Box<Xxh3>>, bytes: &[u8]) {
    if let Some(hasher) = long {
        hasher.update(bytes);
    } else if begun.len() + bytes.len() <= KEPT {
        begun.extend_from_slice(bytes);
    } else {
        let mut hasher = Box::new(Xxh3::new());
        hasher.update(begun);
        hasher.update(bytes);
        begun.clear();
        *long = Some(hasher);
    }
}
