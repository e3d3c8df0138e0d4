//! Fields of an archive, out of bytes that may not be all there. `None` asks for more.

/// A text that may be absent.
#[derive(Clone, Copy)]
pub(super) struct Text<'a>(pub Option<&'a [u8]>);

pub(super) struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    pub(super) fn position(&self) -> usize {
        self.at
    }

    pub(super) fn byte(&mut self) -> Option<u8> {
        self.take(1).map(|bytes| bytes[0])
    }

    pub(super) fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let taken = self.bytes.get(self.at..self.at.checked_add(count)?)?;
        self.at += count;
        Some(taken)
    }

    /// At most so many.
    pub(super) fn up_to(&mut self, count: usize) -> &'a [u8] {
        let end = self.bytes.len().min(self.at.saturating_add(count));
        let taken = &self.bytes[self.at..end];
        self.at = end;
        taken
    }

    /// A sign, then the number's bytes, the lowest first.
    pub(super) fn int(&mut self, size: usize) -> Option<i32> {
        let sign = self.byte()?;
        let bytes = self.take(size)?;
        let number = match <[u8; 4]>::try_from(bytes) {
            Ok(bytes) => i64::from(u32::from_le_bytes(bytes)),
            Err(_) => bytes.iter().rev().fold(0, |number, &byte| (number << 8 | i64::from(byte)) & 0xFFFF_FFFF),
        };
        let number = if sign == 0 { number } else { -number };
        // A large object's number goes up to 2³²−1.
        Some(number as i32)
    }

    /// A length that is not zero, then as many bytes, where all of it is there; else nothing is taken.
    pub(super) fn chunk(&mut self, int_size: usize) -> Option<&'a [u8]> {
        let mark = self.at;
        let length = self.int(int_size).and_then(|length| usize::try_from(length).ok()).filter(|length| *length > 0);
        let chunk = length.and_then(|length| self.take(length));
        if chunk.is_none() {
            self.at = mark;
        }
        chunk
    }

    /// A length, then as many bytes; a negative length is no text.
    pub(super) fn text(&mut self, int_size: usize) -> Option<Text<'a>> {
        match usize::try_from(self.int(int_size)?) {
            Ok(length) => self.take(length).map(|bytes| Text(Some(bytes))),
            Err(_) => Some(Text(None)),
        }
    }
}
