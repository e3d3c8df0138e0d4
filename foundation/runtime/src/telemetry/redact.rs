//! Secrets are taken out of log lines, whoever put them in.
//!
//! Types that hold a secret do not print it; this is for what comes along in texts of others: a server's message that
//! repeats a URL, a header in a library's debug line. It knows the forms that secrets of this platform have, and leaves
//! everything else as it is.

mod secrets;
mod statements;
#[cfg(test)]
mod tests;

use std::io::{self, Write};

use tracing_subscriber::fmt::MakeWriter;

pub use statements::redact_statement;

const HIDDEN: &str = "***";

/// The line without secrets: passwords of URLs, connection strings and SQL, whatever is given under the name of a secret,
/// credentials and cookies of headers, API tokens, signed tokens, private keys.
pub fn redact(line: &str) -> String {
    let mut rest = line;
    let mut shown = String::with_capacity(line.len());
    while let Some((start, end)) = secrets::next(rest) {
        shown.push_str(&rest[..start]);
        shown.push_str(HIDDEN);
        rest = &rest[end..];
    }
    shown.push_str(rest);
    shown
}

/// Writes lines without their secrets.
#[derive(Debug, Clone)]
pub struct Redacting<M>(pub M);

impl<'a, M: MakeWriter<'a>> MakeWriter<'a> for Redacting<M> {
    type Writer = RedactingWriter<M::Writer>;

    fn make_writer(&'a self) -> Self::Writer {
        RedactingWriter(self.0.make_writer())
    }
}

/// See [`Redacting`]. A line is expected in one piece, as the formatters write it.
#[derive(Debug)]
pub struct RedactingWriter<W>(W);

impl<W: Write> Write for RedactingWriter<W> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        match std::str::from_utf8(line) {
            Ok(text) if secrets::next(text).is_some() => self.0.write_all(redact(text).as_bytes())?,
            _ => self.0.write_all(line)?,
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}
