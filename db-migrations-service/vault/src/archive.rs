//! Reading a `pg_dump -Fc -Z0` archive as it passes by: which tables it holds, how many rows, and what is in them.
//!
//! The archive begins with a head and a table of contents; then come the data, one block per table, each in chunks with their
//! length before them. It is PostgreSQL's own format (`pg_backup_archiver.c`, `pg_backup_custom.c`), in the versions that
//! PostgreSQL 12 to 18 write: 1.14, 1.15 and 1.16. The rows are lines in COPY's text form. Their order is not a part of what a
//! table holds, so a table's checksum is the sum of its lines' hashes.

mod cursor;
mod frozen;
mod joined;
mod rows;
mod toc;

use std::collections::{BTreeMap, HashMap};

use postgres_link::quote::qualified;
pub use rows::Figures;
use rows::Rows;
use serde::{Deserialize, Serialize};

use self::cursor::Cursor;
pub(crate) use self::frozen::Frozen;
pub use self::joined::Joined;

/// A table, or the large objects of a database.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct TableName {
    /// Its schema; empty for the large objects.
    pub schema: String,
    /// Its name; `large objects` for those.
    pub name: String,
}

impl TableName {
    /// What stands for all large objects of a database.
    pub fn large_objects() -> Self {
        Self { schema: String::new(), name: "large objects".to_owned() }
    }

    /// As SQL has it, and pg_dump's patterns too: within quotes all signs but the quote itself stand for themselves.
    pub(crate) fn quoted(&self) -> String {
        qualified(&self.schema, &self.name)
    }
}

impl std::fmt::Display for TableName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.schema.is_empty() { f.write_str(&self.name) } else { write!(f, "{}.{}", self.schema, self.name) }
    }
}

/// A table with what it holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Table {
    /// Which.
    #[serde(flatten)]
    pub name: TableName,
    /// How much and what.
    #[serde(flatten)]
    pub figures: Figures,
}

/// Why a stream of bytes is no archive that this program can read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ArchiveError {
    /// It does not begin as an archive does.
    #[error("pg_dump did not write an archive: {0}")]
    NotAnArchive(&'static str),
    /// Its format is one that this program was not written for.
    #[error("pg_dump wrote an archive of format 1.{0}, which this release does not read; use pg_dump 12 to 18")]
    Version(u8),
    /// The data are compressed.
    #[error("pg_dump compressed its archive, which was to be plain")]
    Compressed,
    /// Something within it is not as the format has it.
    #[error("pg_dump's archive is damaged: {0}")]
    Damaged(&'static str),
    /// It ended in the middle.
    #[error("pg_dump's archive ends in the middle")]
    Truncated,
}

/// Takes an archive piece by piece.
#[derive(Default)]
pub struct ArchiveReader {
    state: State,
    /// Bytes of a field that has not come as a whole.
    pending: Vec<u8>,
    format: toc::Format,
    entries: HashMap<i32, TableName>,
    figures: BTreeMap<TableName, Figures>,
    joined: Option<Joined>,
}

/// What a step came to.
enum Step {
    /// More bytes are needed, and the cursor may stand anywhere.
    Short,
    /// What was passed is kept as it is.
    Same,
    /// What was passed is kept already, joined to what came before.
    Joined,
}

#[derive(Default)]
enum State {
    #[default]
    Head,
    Toc {
        left: i32,
    },
    Between,
    /// Before a chunk's length.
    Chunk(Box<Block>),
    /// Within a chunk.
    Payload(Box<Block>, usize),
    /// Before the number of a large object, or the zero after the last one.
    Object(Box<Block>),
}

struct Block {
    table: TableName,
    rows: Rows,
}

impl ArchiveReader {
    /// One that also keeps the archive, with its rows joined.
    #[must_use]
    pub fn joining() -> Self {
        Self { joined: Some(Joined::default()), ..Self::default() }
    }

    /// What it keeps.
    pub fn joined(&mut self) -> Option<&mut Joined> {
        self.joined.as_mut()
    }

    /// Takes the next bytes.
    ///
    /// # Errors
    /// Bytes that are no archive.
    pub fn push(&mut self, bytes: &[u8]) -> Result<(), ArchiveError> {
        if self.pending.is_empty() {
            let used = self.consume(bytes)?;
            self.pending.extend_from_slice(&bytes[used..]);
            return Ok(());
        }
        let mut whole = std::mem::take(&mut self.pending);
        whole.extend_from_slice(bytes);
        let used = self.consume(&whole)?;
        whole.drain(..used);
        self.pending = whole;
        Ok(())
    }

    /// Takes the end: what each table held, in the order of their names. Tables without a row are there with none.
    ///
    /// # Errors
    /// An archive that is not whole.
    pub fn finish(self) -> Result<Vec<Table>, ArchiveError> {
        match self.state {
            State::Between if self.pending.is_empty() => {
                Ok(self.figures.into_iter().map(|(name, figures)| Table { name, figures }).collect())
            }
            _ => Err(ArchiveError::Truncated),
        }
    }

    /// How many rows have passed.
    pub fn rows(&self) -> u64 {
        let open = match &self.state {
            State::Chunk(block) | State::Payload(block, _) | State::Object(block) => block.rows.figures().rows,
            _ => 0,
        };
        open + self.figures.values().map(|figures| figures.rows).sum::<u64>()
    }

    /// Reads as much as is there; answers how many bytes it was. What is left begins a field that is not there as a whole.
    fn consume(&mut self, bytes: &[u8]) -> Result<usize, ArchiveError> {
        let mut cursor = Cursor::new(bytes);
        loop {
            let mark = cursor.position();
            match (self.step(&mut cursor)?, &mut self.joined) {
                (Step::Short, _) => return Ok(mark),
                (Step::Same, Some(joined)) => joined.same(&bytes[mark..cursor.position()]),
                (Step::Same | Step::Joined, _) => {}
            }
        }
    }

    /// One field or piece.
    fn step(&mut self, cursor: &mut Cursor<'_>) -> Result<Step, ArchiveError> {
        let int_size = self.format.int_size;
        match std::mem::take(&mut self.state) {
            State::Head => match toc::head(cursor)? {
                Some((format, count)) => {
                    self.format = format;
                    self.state = State::Toc { left: count };
                }
                None => return Ok(Step::Short),
            },
            State::Toc { left: 0 } => self.state = State::Between,
            State::Toc { left } => {
                self.state = State::Toc { left };
                match toc::entry(cursor, &self.format)? {
                    toc::Entry::Begun => return Ok(Step::Short),
                    toc::Entry::Definition => {}
                    toc::Entry::Data(id, table) => {
                        self.figures.insert(table.clone(), Figures::default());
                        self.entries.insert(id, table);
                    }
                }
                self.state = State::Toc { left: left - 1 };
            }
            State::Between => {
                self.state = State::Between;
                let (Some(kind), Some(id)) = (cursor.byte(), cursor.int(int_size)) else { return Ok(Step::Short) };
                let table = self.entries.get(&id).cloned().ok_or(ArchiveError::Damaged("a block of no table"))?;
                self.state = match kind {
                    toc::BLOCK_OF_ROWS => State::Chunk(Box::new(Block { table, rows: Rows::lines() })),
                    toc::BLOCK_OF_OBJECTS => State::Object(Box::new(Block { table, rows: Rows::objects() })),
                    _ => return Err(ArchiveError::Damaged("a block of an unknown kind")),
                };
            }
            State::Object(mut block) => {
                let Some(id) = cursor.int(int_size) else {
                    self.state = State::Object(block);
                    return Ok(Step::Short);
                };
                if id == 0 {
                    self.close(*block)?;
                } else {
                    block.rows.begin_object(id);
                    self.state = State::Chunk(block);
                }
            }
            State::Chunk(mut block) => {
                // A row is a chunk, and nearly all of an archive is rows: those that are there as a whole pass without a step of their own.
                if block.rows.pass(cursor, int_size, &mut self.joined) {
                    self.state = State::Chunk(block);
                    return Ok(Step::Joined);
                }
                let Some(length) = cursor.int(int_size) else {
                    self.state = State::Chunk(block);
                    return Ok(Step::Short);
                };
                match usize::try_from(length).map_err(|_| ArchiveError::Damaged("a chunk of a negative length"))? {
                    0 if block.rows.end_object() => self.state = State::Object(block),
                    0 => self.close(*block)?,
                    length => {
                        if let Some(joined) = &mut self.joined {
                            joined.chunk(length, int_size);
                        }
                        self.state = State::Payload(block, length);
                        return Ok(Step::Joined);
                    }
                }
            }
            State::Payload(mut block, left) => {
                let piece = cursor.up_to(left);
                block.rows.push(piece);
                if let Some(joined) = &mut self.joined {
                    joined.payload(piece);
                }
                if piece.len() < left {
                    // Nothing of it has to come again.
                    self.state = State::Payload(block, left - piece.len());
                    return Ok(if piece.is_empty() { Step::Short } else { Step::Joined });
                }
                self.state = State::Chunk(block);
                return Ok(Step::Joined);
            }
        }
        Ok(Step::Same)
    }

    fn close(&mut self, block: Block) -> Result<(), ArchiveError> {
        let figures = block.rows.finish().ok_or(ArchiveError::Damaged("rows without their end"))?;
        self.figures.insert(block.table, figures);
        self.state = State::Between;
        Ok(())
    }
}

impl std::fmt::Debug for ArchiveReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ArchiveReader").field("rows", &self.rows()).finish_non_exhaustive()
    }
}
