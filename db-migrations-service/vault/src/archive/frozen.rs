//! An archive on its way into a database, whose large tables are to come in frozen.
//!
//! `COPY … WITH (FREEZE)` writes rows that every transaction sees and no vacuum has to visit again. Without it, whoever reads a table
//! first – the indexes, here – marks each row as committed, and where pages have checksums the server then logs each page as a whole: twice
//! the log for the same restore, and as much again when the tables are vacuumed against wraparound, all of them at the same time.
//!
//! The server wants the table to be made or emptied by the same transaction. So where the archive's table of contents says
//! `COPY t (…) FROM stdin`, what passes says `TRUNCATE ONLY t; COPY t (…) FROM stdin WITH (FREEZE)`, which `pg_restore` sends in one
//! message, and a message is a transaction.

use std::collections::HashSet;
use std::io::{self, Write};

use super::cursor::Cursor;
use super::{TableName, toc};

/// What pg_dump ends a COPY with.
const END: &str = " FROM stdin;\n";

/// Passes an archive on to `target`; the COPY of `tables` freezes.
pub(crate) struct Frozen<'a, W> {
    target: W,
    tables: &'a HashSet<TableName>,
    state: State,
}

enum State {
    Head(Vec<u8>),
    Toc(Box<Toc>),
    /// The rows, and archives that this program does not know; whoever reads them says so.
    Rest,
}

struct Toc {
    format: toc::Format,
    left: i32,
    pending: Vec<u8>,
}

impl<'a, W: Write> Frozen<'a, W> {
    /// `tables` are there, hold nothing, and belong to no extension.
    pub(crate) fn new(target: W, tables: &'a HashSet<TableName>) -> Self {
        Self { target, tables, state: if tables.is_empty() { State::Rest } else { State::Head(Vec::new()) } }
    }

    /// Takes the head out of `pending`, once it is there.
    fn head(&mut self, mut pending: Vec<u8>) -> io::Result<State> {
        let mut cursor = Cursor::new(&pending);
        match toc::head(&mut cursor) {
            Ok(None) => Ok(State::Head(pending)),
            Ok(Some((format, left))) => {
                let end = cursor.position();
                self.target.write_all(&pending[..end])?;
                pending.drain(..end);
                self.entries(Box::new(Toc { format, left, pending }))
            }
            Err(_) => self.rest(&pending),
        }
    }

    /// Takes the entries that are there.
    fn entries(&mut self, mut toc: Box<Toc>) -> io::Result<State> {
        let (mut changed, mut taken) = (Vec::with_capacity(toc.pending.len()), 0);
        let mut cursor = Cursor::new(&toc.pending);
        while toc.left > 0 {
            let Some(fields) = toc::fields(&mut cursor, &toc.format) else { break };
            match self.freezing(&fields) {
                Some(copy) => {
                    let (before, after) = (fields.copy.start, fields.copy.end);
                    changed.extend_from_slice(&toc.pending[taken..before]);
                    toc.format.put_text(&copy, &mut changed);
                    changed.extend_from_slice(&toc.pending[after..cursor.position()]);
                }
                None => changed.extend_from_slice(&toc.pending[taken..cursor.position()]),
            }
            taken = cursor.position();
            toc.left -= 1;
        }
        self.target.write_all(&changed)?;
        toc.pending.drain(..taken);
        if toc.left > 0 { Ok(State::Toc(toc)) } else { self.rest(&toc.pending) }
    }

    fn rest(&mut self, bytes: &[u8]) -> io::Result<State> {
        self.target.write_all(bytes)?;
        Ok(State::Rest)
    }

    /// The COPY of one of the tables, so that it freezes.
    fn freezing(&self, fields: &toc::Raw<'_>) -> Option<String> {
        if !fields.is_rows() || !self.tables.contains(&fields.name()) {
            return None;
        }
        let copy = std::str::from_utf8(fields.copy.text.0?).ok()?.strip_suffix(END)?;
        let table = fields.name().quoted();
        Some(format!("TRUNCATE ONLY {table}; {copy} FROM stdin WITH (FREEZE);\n"))
    }
}

impl<W: Write> Write for Frozen<'_, W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.state = match std::mem::replace(&mut self.state, State::Rest) {
            State::Rest => return self.target.write(bytes),
            State::Head(pending) => self.head([pending, bytes.to_vec()].concat())?,
            State::Toc(mut toc) => {
                toc.pending.extend_from_slice(bytes);
                self.entries(toc)?
            }
        };
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.target.flush()
    }
}
