//! Passwords that are known from breaches (ASVS 6.2.12), where the operator has a list of them.
//!
//! The list is a file as the Pwned Passwords downloader writes it: SHA-1 hashes in upper-case hexadecimal, in order, one on a line,
//! with `:` and a count behind each. It has some forty gigabytes, so nothing of it is kept: thirty-odd reads find a hash, or the
//! place where it would stand. Nothing leaves the machine.

use std::fmt::Write as _;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use sha1::{Digest as _, Sha1};

/// Of a SHA-1, in hexadecimal.
const HASH: usize = 40;
/// More than any line has.
const LONGEST_LINE: usize = 96;

/// The list.
#[derive(Debug)]
pub(crate) struct Breached {
    file: File,
    length: u64,
}

impl Breached {
    /// Opens the list, and looks whether it is one.
    ///
    /// # Errors
    /// It cannot be read, or its first or last line is no hash of that kind.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        let list = Self { length: file.metadata()?.len(), file };
        list.line(0)?;
        list.line(list.length.saturating_sub(2))?;
        Ok(list)
    }

    /// Whether this password is on the list. It reads from the disk, so it is not for an async thread.
    ///
    /// # Errors
    /// The file cannot be read any more, or is no list where it was looked at.
    pub(crate) fn holds(&self, password: &str) -> io::Result<bool> {
        let wanted = hash(password);
        // Of the lines that begin in `from..to`, one is wanted, or none.
        let (mut from, mut to) = (0, self.length);
        while from < to {
            let (begin, next, hash) = self.line(from + (to - from) / 2)?;
            match wanted.as_str().cmp(&hash) {
                std::cmp::Ordering::Equal => return Ok(true),
                std::cmp::Ordering::Less => to = begin,
                std::cmp::Ordering::Greater => from = next,
            }
        }
        Ok(false)
    }

    /// The line that the byte at `at` belongs to: where it begins, where the next one does, and its hash.
    fn line(&self, at: u64) -> io::Result<(u64, u64, String)> {
        let from = at.saturating_sub(LONGEST_LINE as u64);
        let mut around = [0; 2 * LONGEST_LINE];
        let mut length = 0;
        while length < around.len() {
            match self.file.read_at(&mut around[length..], from + length as u64)? {
                0 => break,
                read => length += read,
            }
        }
        let (around, at) = (&around[..length], usize::try_from(at - from).map_err(io::Error::other)?);
        let newline = |byte: &u8| *byte == b'\n';
        let before = around.get(..at).unwrap_or_default();
        let begin = before.iter().rposition(newline).map_or(0, |newline| newline + 1);
        let rest = around.get(begin..).unwrap_or_default();
        let end = rest.iter().position(newline).map_or(rest.len(), |newline| newline + 1);
        let hash = rest[..end].get(..HASH).and_then(|hash| std::str::from_utf8(hash).ok());
        let is_upper_hex = |hash: &&str| hash.bytes().all(|b| b.is_ascii_digit() || (b'A'..=b'F').contains(&b));
        let is_end = matches!(rest.get(HASH), Some(b':' | b'\r' | b'\n') | None);
        let hash = hash.filter(is_upper_hex).filter(|_| is_end).ok_or_else(|| {
            io::Error::new(
                io::ErrorKind::InvalidData,
                format!("at byte {} it has no SHA-1 hash in upper-case hexadecimal", from + begin as u64),
            )
        })?;
        let begin = from + begin as u64;
        Ok((begin, begin + end as u64, hash.to_owned()))
    }
}

/// As the list writes it.
fn hash(password: &str) -> String {
    let mut text = String::with_capacity(HASH);
    for byte in Sha1::digest(password) {
        // A `String` takes whatever is written into it.
        let _ = write!(text, "{byte:02X}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(words: &[String], line: impl Fn(&str) -> String) -> tempfile::NamedTempFile {
        let mut hashes: Vec<String> = words.iter().map(|word| hash(word)).collect();
        hashes.sort_unstable();
        let file = tempfile::NamedTempFile::new().expect("a file");
        let text: String = hashes.iter().map(|hash| line(hash)).collect();
        std::fs::write(file.path(), text).expect("a list");
        file
    }

    #[test]
    fn check_3_each_password_of_a_list_is_found_and_no_other() {
        let words: Vec<String> = (0..1_000).map(|number| format!("clave {number}")).collect();
        let counted = |hash: &str| format!("{hash}:{}\r\n", hash.bytes().map(u64::from).sum::<u64>() * 7_919 % 99_991);
        for file in [list(&words, counted), list(&words, |hash| format!("{hash}\n")), list(&words[..1], counted)] {
            let breached = Breached::open(file.path()).expect("a list");
            assert!(breached.holds(&words[0]).expect("it is read"));
            for other in ["", "clave", "clave 1000", "CLAVE 0"] {
                assert!(!breached.holds(other).expect("it is read"), "{other:?}");
            }
        }
        let file = list(&words, counted);
        let breached = Breached::open(file.path()).expect("a list");
        assert!(words.iter().all(|word| breached.holds(word).expect("it is read")));
    }

    #[test]
    fn what_is_no_list_is_said_at_once() {
        for text in
            ["", "contraseña\n", "5baa61e4c9b93f3f0682250b6cf8331b7ee68fd8:1\n", "A4F49C406510BDCAB6824EE7C30FD852\n"]
        {
            let file = tempfile::NamedTempFile::new().expect("a file");
            std::fs::write(file.path(), text).expect("written");
            let error = Breached::open(file.path()).expect_err(text);
            assert!(error.to_string().contains("no SHA-1 hash in upper-case"), "{text:?}: {error}");
        }
    }
}
