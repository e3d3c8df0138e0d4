//! The same archive again, with rows joined to larger chunks.
//!
//! `pg_dump` makes a chunk of each row, and `pg_restore` a message of each chunk. Joined, they are restored with fewer of both, and compress
//! better without a length between them. What `pg_restore` does with them is the same.

/// What a chunk grows to, bytes. A row that is longer has one of its own.
const CHUNK: usize = 32 * 1024;

/// The archive so far, as it is to be kept.
#[derive(Debug, Default)]
pub struct Joined {
    bytes: Vec<u8>,
    /// Where the length of the chunk stands that more may be added to.
    open: Option<usize>,
    int_size: usize,
}

impl Joined {
    /// What will not change any more.
    pub fn ready(&self) -> &[u8] {
        &self.bytes[..self.open.unwrap_or(self.bytes.len())]
    }

    /// Forgets what is ready.
    pub fn taken(&mut self) {
        let ready = self.ready().len();
        self.bytes.drain(..ready);
        self.open = self.open.map(|_| 0);
    }

    /// Adds what stays as it is.
    pub(super) fn same(&mut self, bytes: &[u8]) {
        self.close();
        self.bytes.extend_from_slice(bytes);
    }

    /// A chunk of this length follows, as [`payload`](Self::payload).
    pub(super) fn chunk(&mut self, length: usize, int_size: usize) {
        let begun = self.open.map_or(0, |at| self.bytes.len() - at - 1 - self.int_size);
        if begun + length > CHUNK {
            self.close();
        }
        if self.open.is_none() {
            self.int_size = int_size;
            self.open = Some(self.bytes.len());
            self.bytes.resize(self.bytes.len() + 1 + int_size, 0);
        }
        if length > CHUNK {
            // Known before it is there, so that it need not be held as a whole.
            self.close_with(length);
        }
    }

    /// More of the last chunk.
    pub(super) fn payload(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    fn close(&mut self) {
        if let Some(at) = self.open {
            self.close_with(self.bytes.len() - at - 1 - self.int_size);
        }
    }

    /// Writes the open chunk's length: a sign, which is that of a positive number already, then the lowest byte first.
    fn close_with(&mut self, length: usize) {
        if let Some(at) = self.open.take() {
            let size = self.int_size.min(size_of::<usize>());
            self.bytes[at + 1..=at + size].copy_from_slice(&length.to_le_bytes()[..size]);
        }
    }
}
