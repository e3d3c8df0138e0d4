//! A stream on its way to the store and back: hashed, compressed, encrypted; and all that undone and checked.
//!
//! Both ends block and take a processor, so they run on threads of their own; what lies between them and the store is a channel
//! that holds a few pieces, whatever the length of the stream.

use std::io::{self, Read, Write};
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::{Bytes, BytesMut};
use sha2::{Digest, Sha256};
use tokio::sync::mpsc::{Receiver, Sender};

use crate::archive::{ArchiveError, ArchiveReader, Table};
use crate::keys::Keys;

/// How much is read at once.
const READ: usize = 256 * 1024;

/// How much goes over the channel at once.
const PIECE: usize = 1024 * 1024;

/// How many pieces a channel should hold.
pub(crate) const PIECES: usize = 4;

/// zstd's level: the fastest that is not one of the negative ones, since the dump shares its processors with it.
const LEVEL: i32 = 1;

/// Why a stream did not come through.
#[derive(Debug, thiserror::Error)]
pub enum StreamError {
    /// What it comes from, or goes to.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// It is no archive.
    #[error("{0}")]
    Archive(#[from] ArchiveError),
    /// It cannot be encrypted.
    #[error("it cannot be encrypted: {0}")]
    Encrypt(String),
    /// None of the identities opens it.
    #[error(
        "it cannot be decrypted: {0}; set MIGRATION_SERVICE_BACKUP_IDENTITY_FILE to the key of one of its recipients"
    )]
    Decrypt(String),
    /// The other side of the channel is gone; why is told there.
    #[error("the store took no more")]
    Refused,
}

/// What went through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Passed {
    /// Bytes before compression.
    pub bytes: u64,
    /// Their SHA-256, in hex.
    pub sha256: String,
    /// What an archive held.
    pub tables: Vec<Table>,
}

/// How far streams have come, for whoever looks.
#[derive(Debug, Default)]
pub struct Progress {
    /// Bytes read from the database or the store, before compression or after decompression.
    pub bytes: AtomicU64,
    /// Rows among them.
    pub rows: AtomicU64,
    /// Tables that are done.
    pub tables: AtomicU64,
    /// About how many bytes there are, as the server's tables are large; 0 until that is known.
    pub expected_bytes: AtomicU64,
    /// How many tables there are.
    pub expected_tables: AtomicU64,
}

impl Progress {
    /// Tells how much there is to come: bytes of the tables at the server, and tables.
    pub(crate) fn expect(&self, bytes: u64, tables: u64) {
        self.expected_bytes.store(bytes, Ordering::Relaxed);
        self.expected_tables.store(tables, Ordering::Relaxed);
    }

    fn add(&self, bytes: usize, reader: Option<&ArchiveReader>, rows_before: u64) -> u64 {
        self.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
        let rows = reader.map_or(0, ArchiveReader::rows);
        self.rows.fetch_add(rows.saturating_sub(rows_before), Ordering::Relaxed);
        rows
    }
}

/// Reads `source` to its end, and sends what the store shall keep to `out`. With a `reader` it must be an archive.
pub(crate) fn pack(
    source: impl Read,
    reader: Option<ArchiveReader>,
    keys: &Keys,
    out: Sender<Bytes>,
    progress: &Progress,
) -> Result<Passed, StreamError> {
    let pieces = Pieces { out, piece: BytesMut::with_capacity(PIECE) };
    if keys.recipients().is_empty() {
        let (passed, pieces) = compress(source, reader, pieces, progress)?;
        pieces.end()?;
        return Ok(passed);
    }
    let encryptor =
        age::Encryptor::with_recipients(keys.encrypts_to()).map_err(|error| StreamError::Encrypt(error.to_string()))?;
    let sealed = encryptor.wrap_output(pieces)?;
    let (passed, sealed) = compress(source, reader, sealed, progress)?;
    sealed.finish()?.end()?;
    Ok(passed)
}

fn compress<W: Write>(
    source: impl Read,
    reader: Option<ArchiveReader>,
    out: W,
    progress: &Progress,
) -> Result<(Passed, W), StreamError> {
    let mut encoder = zstd::Encoder::new(out, LEVEL)?;
    encoder.include_checksum(true)?;
    let passed = pass(source, reader, progress, |bytes| encoder.write_all(bytes))?;
    Ok((passed, encoder.finish()?))
}

/// Reads `source` to its end without keeping it: what an archive holds.
pub(crate) fn look(source: impl Read, progress: &Progress) -> Result<Passed, StreamError> {
    pass(source, Some(ArchiveReader::default()), progress, |_| Ok(()))
}

/// Undoes [`pack`], writing to `target`. It has gone through only where this answers; who wrote to a database must not use it before.
pub(crate) fn unpack(
    input: Receiver<Result<Bytes, String>>,
    encrypted: bool,
    keys: &Keys,
    reader: Option<ArchiveReader>,
    target: &mut impl Write,
    progress: &Progress,
) -> Result<Passed, StreamError> {
    let input = Input { input, piece: Bytes::new() };
    if !encrypted {
        let decoder = zstd::Decoder::new(input)?;
        return pass(decoder, reader, progress, |bytes| target.write_all(bytes));
    }
    let refused = |error: age::DecryptError| StreamError::Decrypt(error.to_string());
    let decryptor = age::Decryptor::new_buffered(io::BufReader::with_capacity(READ, input)).map_err(refused)?;
    let open = decryptor.decrypt(keys.reads_with()).map_err(refused)?;
    let decoder = zstd::Decoder::new(open)?;
    pass(decoder, reader, progress, |bytes| target.write_all(bytes))
}

fn pass(
    mut source: impl Read,
    mut reader: Option<ArchiveReader>,
    progress: &Progress,
    mut sink: impl FnMut(&[u8]) -> io::Result<()>,
) -> Result<Passed, StreamError> {
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; READ];
    let (mut bytes, mut rows) = (0, 0);
    loop {
        let count = match source.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error.into()),
        };
        let piece = &buffer[..count];
        bytes += count as u64;
        hasher.update(piece);
        if let Some(reader) = &mut reader {
            reader.push(piece)?;
        }
        rows = progress.add(count, reader.as_ref(), rows);
        sink(piece)?;
    }
    let tables = reader.map(ArchiveReader::finish).transpose()?.unwrap_or_default();
    progress.tables.fetch_add(tables.len() as u64, Ordering::Relaxed);
    Ok(Passed { bytes, sha256: hex(&hasher.finalize()), tables })
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing into a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Collects what is written into pieces for the channel.
struct Pieces {
    out: Sender<Bytes>,
    piece: BytesMut,
}

impl Pieces {
    fn send(&mut self) -> io::Result<()> {
        let piece = std::mem::replace(&mut self.piece, BytesMut::with_capacity(PIECE));
        self.out.blocking_send(piece.freeze()).map_err(|_| io::Error::other(StreamError::Refused))
    }

    fn end(mut self) -> Result<(), StreamError> {
        if !self.piece.is_empty() {
            self.send()?;
        }
        Ok(())
    }
}

impl Write for Pieces {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.piece.extend_from_slice(bytes);
        if self.piece.len() >= PIECE {
            self.send()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Reads what comes over the channel.
struct Input {
    input: Receiver<Result<Bytes, String>>,
    piece: Bytes,
}

impl Read for Input {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.piece.is_empty() {
            match self.input.blocking_recv() {
                None => return Ok(0),
                Some(Ok(piece)) => self.piece = piece,
                Some(Err(why)) => return Err(io::Error::other(why)),
            }
        }
        let count = buffer.len().min(self.piece.len());
        buffer[..count].copy_from_slice(&self.piece.split_to(count));
        Ok(count)
    }
}
