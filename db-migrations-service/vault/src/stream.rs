//! A stream on its way to the store and back: hashed, compressed, encrypted; and all that undone and checked.
//!
//! Both ends block and take a processor, so they run on threads of their own; what lies between them and the store is a channel
//! that holds a few pieces, whatever the length of the stream.

use std::io::{self, Read, Write};
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::{Bytes, BytesMut};
use tokio::sync::mpsc::{Receiver, Sender};
use xxhash_rust::xxh3::Xxh3;
use zstd::zstd_safe::CParameter;

use crate::archive::{ArchiveError, ArchiveReader, Table};
use crate::keys::Keys;

/// How much is read at once.
const READ: usize = 256 * 1024;

/// How much goes over the channel at once.
const PIECE: usize = 1024 * 1024;

/// How many pieces a channel should hold.
pub(crate) const PIECES: usize = 4;

/// How much is compressed at once, in a frame of its own. zstd takes a quarter less of the processor for what lies before it as a whole
/// than for a stream, whose window is in two places most of the time.
const FRAME: usize = 1024 * 1024;

/// zstd's level: the fastest that is not one of the negative ones, since the dump shares its processors with it.
const LEVEL: i32 = 1;

/// What makes up for the frames' bounds, and a little more: a window of all the frame, and twice the table of that level.
const WINDOW_LOG: u32 = 20;
const HASH_LOG: u32 = 15;

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
    /// Their 128-bit XXH3, in hex.
    pub checksum: String,
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
    mut out: W,
    progress: &Progress,
) -> Result<(Passed, W), StreamError> {
    let mut compressor = zstd::bulk::Compressor::new(LEVEL)?;
    compressor.set_parameter(CParameter::WindowLog(WINDOW_LOG))?;
    compressor.set_parameter(CParameter::HashLog(HASH_LOG))?;
    compressor.set_parameter(CParameter::ChecksumFlag(true))?;
    let mut frame = Vec::with_capacity(zstd::zstd_safe::compress_bound(FRAME));
    let passed = pass(source, FRAME, reader, progress, |bytes| {
        frame.clear();
        compressor.compress_to_buffer(bytes, &mut frame)?;
        out.write_all(&frame)
    })?;
    Ok((passed, out))
}

/// Reads `source` to its end without keeping it: what an archive holds.
pub(crate) fn look(source: impl Read, progress: &Progress) -> Result<Passed, StreamError> {
    pass(source, READ, Some(ArchiveReader::default()), progress, |_| Ok(()))
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
        return pass(decoder, READ, reader, progress, |bytes| target.write_all(bytes));
    }
    let refused = |error: age::DecryptError| StreamError::Decrypt(error.to_string());
    let decryptor = age::Decryptor::new_buffered(io::BufReader::with_capacity(READ, input)).map_err(refused)?;
    let open = decryptor.decrypt(keys.reads_with()).map_err(refused)?;
    let decoder = zstd::Decoder::new(open)?;
    pass(decoder, READ, reader, progress, |bytes| target.write_all(bytes))
}

/// Reads `source` to its end; `sink` takes about `at_once` bytes each time but for the last, and something even of nothing. Where the
/// reader joins rows, it is what the reader keeps.
fn pass(
    mut source: impl Read,
    at_once: usize,
    mut reader: Option<ArchiveReader>,
    progress: &Progress,
    mut sink: impl FnMut(&[u8]) -> io::Result<()>,
) -> Result<Passed, StreamError> {
    let mut hasher = Xxh3::new();
    let mut passed = 0_u64;
    let mut give = |bytes: &[u8]| {
        if bytes.is_empty() && passed > 0 {
            return Ok(());
        }
        hasher.update(bytes);
        passed += bytes.len() as u64;
        sink(bytes)
    };
    let joins = reader.as_mut().is_some_and(|reader| reader.joined().is_some());
    let mut buffer = vec![0; if joins { READ } else { at_once }];
    let (mut rows, mut filled) = (0, 0);
    loop {
        let count = match source.read(&mut buffer[filled..]) {
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error.into()),
        };
        if let Some(reader) = &mut reader {
            reader.push(&buffer[filled..filled + count])?;
        }
        rows = progress.add(count, reader.as_ref(), rows);
        if let Some(joined) = reader.as_mut().and_then(ArchiveReader::joined) {
            if joined.ready().len() >= at_once || count == 0 {
                give(joined.ready())?;
                joined.taken();
            }
        } else {
            filled += count;
            if filled == buffer.len() || count == 0 {
                give(&buffer[..filled])?;
                filled = 0;
            }
        }
        if count == 0 {
            break;
        }
    }
    let tables = reader.map(ArchiveReader::finish).transpose()?.unwrap_or_default();
    progress.tables.fetch_add(tables.len() as u64, Ordering::Relaxed);
    Ok(Passed { bytes: passed, checksum: format!("{:032x}", hasher.digest128()), tables })
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
        let fits = bytes.len().min(PIECE - self.piece.len());
        self.piece.extend_from_slice(&bytes[..fits]);
        if self.piece.len() == PIECE {
            self.send()?;
        }
        Ok(fits)
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

#[cfg(test)]
mod tests {
    use age::secrecy::ExposeSecret;
    use tokio::sync::mpsc::channel;

    use super::*;

    fn keys() -> Keys {
        let identity = age::x25519::Identity::generate();
        Keys::parse(&identity.to_public().to_string(), identity.to_string().expose_secret()).expect("keys")
    }

    /// Bytes that cannot be compressed, then bytes that can.
    fn bytes(count: usize) -> Vec<u8> {
        let mut state = 0x9E37_79B9_u32;
        let mut random = || {
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            state as u8
        };
        (0..count).map(|at| if at < count / 2 { random() } else { (at / 100) as u8 }).collect()
    }

    fn packed(plain: &[u8], keys: &Keys) -> (Passed, Vec<Bytes>) {
        let (send, mut receive) = channel(PIECES);
        std::thread::scope(|scope| {
            let packing = scope.spawn(|| pack(plain, None, keys, send, &Progress::default()).expect("packed"));
            let pieces: Vec<Bytes> = std::iter::from_fn(|| receive.blocking_recv()).collect();
            (packing.join().expect("a thread"), pieces)
        })
    }

    fn unpacked(pieces: Vec<Bytes>, keys: &Keys) -> Result<(Passed, Vec<u8>), StreamError> {
        let (send, receive) = channel(pieces.len().max(1));
        for piece in pieces {
            send.try_send(Ok(piece)).expect("room");
        }
        drop(send);
        let mut plain = Vec::new();
        let encrypted = !keys.recipients().is_empty();
        let passed = unpack(receive, encrypted, keys, None, &mut plain, &Progress::default())?;
        Ok((passed, plain))
    }

    #[test]
    fn streams_of_any_length_come_back() {
        for keys in [Keys::default(), keys()] {
            for count in [0, 1, FRAME - 1, FRAME, FRAME + 1, 5 * FRAME / 2] {
                let plain = bytes(count);
                let (put, pieces) = packed(&plain, &keys);
                assert!(!pieces.is_empty() && pieces.iter().all(|piece| piece.len() <= PIECE), "{count}");
                let (got, back) = unpacked(pieces, &keys).expect("unpacked");
                assert!(back == plain && got == put && put.bytes == count as u64, "{count}");
            }
        }
    }

    #[test]
    fn a_stream_that_ends_early_does_not_pass_for_a_whole_one() {
        let keys = Keys::default();
        let (put, pieces) = packed(&bytes(5 * FRAME / 2), &keys);
        let whole = pieces.concat();
        for end in [whole.len() / 3, whole.len() - 1] {
            match unpacked(vec![Bytes::copy_from_slice(&whole[..end])], &keys) {
                Ok((got, _)) => assert_ne!(got, put, "{end}"),
                Err(error) => assert!(matches!(error, StreamError::Io(_)), "{error}"),
            }
        }
    }
}
