//! Secrets are taken out of log lines, whoever put them in.
//!
//! Types that hold a secret do not print it; this is for what comes along in texts of others: a server's message that
//! repeats a URL, a header in a library's debug line. It knows the forms that secrets of this platform have, and leaves
//! everything else as it is.

use std::io::{self, Write};

use tracing_subscriber::fmt::MakeWriter;

const HIDDEN: &str = "***";

/// The line without secrets: passwords of URLs and of connection strings, credentials of headers, API tokens, age's
/// secret keys.
pub fn redact(line: &str) -> String {
    let mut rest = line;
    let mut shown = String::with_capacity(line.len());
    while let Some((start, end)) = next_secret(rest) {
        shown.push_str(&rest[..start]);
        shown.push_str(HIDDEN);
        rest = &rest[end..];
    }
    shown.push_str(rest);
    shown
}

/// Where the first secret of the text stands, in bytes.
fn next_secret(text: &str) -> Option<(usize, usize)> {
    [url_password(text), named_password(text), header(text), token(text), age_key(text)]
        .into_iter()
        .flatten()
        .min_by_key(|(start, _)| *start)
}

/// `postgres://ana:secret@host`: from after the colon to before the last `@` of the authority.
fn url_password(text: &str) -> Option<(usize, usize)> {
    let ends = |c: char| c.is_whitespace() || matches!(c, '/' | '?' | '#' | '"' | '\'' | '`' | '<' | '>');
    text.match_indices("://").map(|(at, sign)| at + sign.len()).find_map(|begin| {
        let authority = &text[begin..];
        let authority = &authority[..authority.find(ends).unwrap_or(authority.len())];
        let end = authority.rfind('@')?;
        let start = authority[..end].find(':')? + 1;
        (&authority[start..end] != HIDDEN && start < end).then_some((begin + start, begin + end))
    })
}

/// `password=secret`, also in quotes, as libpq's connection strings and URL parameters have it.
fn named_password(text: &str) -> Option<(usize, usize)> {
    text.match_indices("password=").find_map(|(at, sign)| {
        let begin = at + sign.len();
        let value = &text[begin..];
        let quoted = value.strip_prefix('\'').and_then(|inner| inner.find('\'').map(|end| (1, end + 1)));
        let (start, end) =
            quoted.unwrap_or_else(|| (0, word_end(value, |c| matches!(c, '&' | '"' | '\\' | ',' | ')' | '\''))));
        (start < end && &value[start..end] != HIDDEN).then_some((begin + start, begin + end))
    })
}

/// `Authorization: Bearer secret`.
fn header(text: &str) -> Option<(usize, usize)> {
    const LEAST: usize = 8;
    ["Bearer ", "bearer ", "Basic "]
        .into_iter()
        .filter_map(|scheme| {
            text.match_indices(scheme).find_map(|(at, sign)| {
                let start = at + sign.len();
                let length = word_end(&text[start..], |c| !is_token(c) && !matches!(c, '.' | '~' | '+' | '/' | '='));
                (length >= LEAST).then_some((start, start + length))
            })
        })
        .min()
}

/// `profe_<id>_<secret>`: the id names it and stays.
fn token(text: &str) -> Option<(usize, usize)> {
    const ID: usize = 8;
    const SECRET: usize = 32;
    text.match_indices("profe_").find_map(|(at, sign)| {
        let id = at + sign.len();
        let start = id + ID + 1;
        let is_id = text.get(id..id + ID)?.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
        let secret = text.get(start - 1..)?.strip_prefix('_')?;
        let length = word_end(secret, |c| !is_token(c));
        (is_id && length >= SECRET).then_some((start, start + length))
    })
}

fn age_key(text: &str) -> Option<(usize, usize)> {
    const SIGN: &str = "AGE-SECRET-KEY-";
    text.match_indices(SIGN).find_map(|(at, _)| {
        let start = at + SIGN.len();
        let length = word_end(&text[start..], |c| !c.is_ascii_alphanumeric());
        (length > 0).then_some((start, start + length))
    })
}

fn word_end(text: &str, ends: impl Fn(char) -> bool) -> usize {
    text.find(|c: char| c.is_whitespace() || ends(c)).unwrap_or(text.len())
}

fn is_token(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '_')
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
            Ok(text) if next_secret(text).is_some() => self.0.write_all(redact(text).as_bytes())?,
            _ => self.0.write_all(line)?,
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_hidden_and_the_rest_stays() {
        let token = format!("profe_ab12CD34_{}", "x".repeat(43));
        for (line, shown) in [
            (
                "connecting to postgres://ana:hunter2@db.example.org:5432/x?a=b",
                "connecting to postgres://ana:***@db.example.org:5432/x?a=b",
            ),
            ("redis://:hunter2@cache.example.org", "redis://:***@cache.example.org"),
            ("two: amqp://a:hunter2@h, \"postgres://b:hunt@er2@h/d\"", "two: amqp://a:***@h, \"postgres://b:***@h/d\""),
            ("host=h password=hunter2 user=ana", "host=h password=*** user=ana"),
            ("password='hunter 2' user=ana", "password='***' user=ana"),
            ("url=\"postgresql:///d?password=hunter2&user=ana\"", "url=\"postgresql:///d?password=***&user=ana\""),
            ("authorization: Bearer eyJhbGciOi.x.y", "authorization: Bearer ***"),
            (&format!("token {token}."), "token profe_ab12CD34_***."),
            (
                "AGE-SECRET-KEY-1QQPHUNTER2, twice AGE-SECRET-KEY-1HUNTER2",
                "AGE-SECRET-KEY-***, twice AGE-SECRET-KEY-***",
            ),
        ] {
            assert_eq!(redact(line), shown);
        }
    }

    #[test]
    fn what_is_no_secret_is_left_alone() {
        for line in [
            "http://127.0.0.1:3009/docs/ at 12:30, mail ana@example.org",
            "postgres://ana@db.example.org/x",
            "the database profe_master, the role profe_migrations_owner_of_everything",
            "Bearer of bad news; the password= is missing; the Basic plan",
            "postgres://ana:***@db.example.org/x",
            "año – ñandú",
        ] {
            assert_eq!(redact(line), line);
        }
    }

    #[test]
    fn lines_are_written_without_them() {
        let mut written = Vec::new();
        let mut writer = RedactingWriter(&mut written);
        let line = b"postgres://ana:hunter2@h/d\n";
        assert_eq!(writer.write(line).expect("a vector takes all"), line.len());
        assert_eq!(written, b"postgres://ana:***@h/d\n");
    }
}
