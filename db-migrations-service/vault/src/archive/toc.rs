//! An archive's head and its table of contents.

use super::cursor::{Cursor, Text};
use super::{ArchiveError, TableName};

pub(super) const BLOCK_OF_ROWS: u8 = 1;
pub(super) const BLOCK_OF_OBJECTS: u8 = 3;

/// What `-Fc` writes in the head.
const CUSTOM: u8 = 1;

#[derive(Debug, Default)]
pub(super) struct Format {
    minor: u8,
    pub int_size: usize,
    offset_size: usize,
}

/// The head, and how many entries follow.
pub(super) fn head(cursor: &mut Cursor<'_>) -> Result<Option<(Format, i32)>, ArchiveError> {
    let Some(fixed) = cursor.take(11) else { return Ok(None) };
    let [b'P', b'G', b'D', b'M', b'P', major, minor, _revision, int_size, offset_size, format] = *fixed else {
        return Err(ArchiveError::NotAnArchive("it does not begin with PGDMP"));
    };
    if major != 1 || !(14..=16).contains(&minor) {
        return Err(ArchiveError::Version(minor));
    }
    if format != CUSTOM {
        return Err(ArchiveError::NotAnArchive("it is of another format than -Fc"));
    }
    if int_size == 0 || int_size > 8 || offset_size > 8 {
        return Err(ArchiveError::Damaged("numbers of an odd size"));
    }
    let format = Format { minor, int_size: int_size.into(), offset_size: offset_size.into() };
    let compression = if minor >= 15 { cursor.byte().map(i32::from) } else { cursor.int(format.int_size) };
    match compression {
        None => return Ok(None),
        Some(0) => {}
        Some(_) => return Err(ArchiveError::Compressed),
    }
    Ok(rest_of_head(cursor, format))
}

fn rest_of_head(cursor: &mut Cursor<'_>, format: Format) -> Option<(Format, i32)> {
    // When: seconds to daylight saving.
    for _ in 0..7 {
        cursor.int(format.int_size)?;
    }
    // The database, the server's version, pg_dump's.
    for _ in 0..3 {
        cursor.text(format.int_size)?;
    }
    let count = cursor.int(format.int_size)?;
    Some((format, count))
}

/// An entry of the table of contents.
pub(super) enum Entry {
    /// It has not come as a whole.
    Begun,
    /// A definition alone.
    Definition,
    /// Data follow, in the block of this number.
    Data(i32, TableName),
}

impl Format {
    /// Writes a text as the archive has it: a sign, its length with the lowest byte first, itself.
    pub(super) fn put_text(&self, text: &str, to: &mut Vec<u8>) {
        to.push(0);
        let length = text.len().to_le_bytes();
        to.extend((0..self.int_size).map(|at| length.get(at).copied().unwrap_or(0)));
        to.extend_from_slice(text.as_bytes());
    }
}

pub(super) fn entry(cursor: &mut Cursor<'_>, format: &Format) -> Result<Entry, ArchiveError> {
    let Some(raw) = fields(cursor, format) else { return Ok(Entry::Begun) };
    if !raw.has_data {
        return Ok(Entry::Definition);
    }
    match raw.description.0 {
        Some(b"TABLE DATA") => Ok(Entry::Data(raw.id, raw.name())),
        Some(b"BLOBS") => Ok(Entry::Data(raw.id, TableName::large_objects())),
        _ => Err(ArchiveError::Damaged("data of an unknown kind")),
    }
}

pub(super) struct Raw<'a> {
    id: i32,
    has_data: bool,
    tag: Text<'a>,
    description: Text<'a>,
    schema: Text<'a>,
    pub copy: Field<'a>,
}

/// A text, and where it stands with its length.
pub(super) struct Field<'a> {
    pub start: usize,
    pub text: Text<'a>,
    pub end: usize,
}

impl Raw<'_> {
    /// It has a table's rows.
    pub(super) fn is_rows(&self) -> bool {
        self.has_data && self.description.0 == Some(b"TABLE DATA")
    }

    /// The table's name, where it is one's.
    pub(super) fn name(&self) -> TableName {
        let name = |text: Text<'_>| String::from_utf8_lossy(text.0.unwrap_or_default()).into_owned();
        TableName { schema: name(self.schema), name: name(self.tag) }
    }
}

pub(super) fn fields<'a>(cursor: &mut Cursor<'a>, format: &Format) -> Option<Raw<'a>> {
    let size = format.int_size;
    let id = cursor.int(size)?;
    let has_data = cursor.int(size)? != 0;
    // The catalog's number, the object's.
    cursor.text(size)?;
    cursor.text(size)?;
    let tag = cursor.text(size)?;
    let description = cursor.text(size)?;
    let _section = cursor.int(size)?;
    // What creates it, what drops it.
    cursor.text(size)?;
    cursor.text(size)?;
    let start = cursor.position();
    let text = cursor.text(size)?;
    let copy = Field { start, text, end: cursor.position() };
    let schema = cursor.text(size)?;
    // The tablespace, the access method.
    cursor.text(size)?;
    cursor.text(size)?;
    if format.minor >= 16 {
        let _relation_kind = cursor.int(size)?;
    }
    // The owner; whether it has oids.
    cursor.text(size)?;
    cursor.text(size)?;
    // What it depends on, up to one that is no string.
    while cursor.text(size)?.0.is_some() {}
    // Where its data are, which a stream does not know.
    cursor.take(1 + format.offset_size)?;
    Some(Raw { id, has_data, tag, description, schema, copy })
}
