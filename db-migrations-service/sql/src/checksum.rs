//! What makes a migration the same migration: its tokens. A formatter, an edited comment or a checkout with other
//! line endings must not stop a deployment; a changed literal must.

use sha2::{Digest, Sha256};

use crate::tokens::{TokenKind, tokens};

/// SHA-256, in hex, over the tokens of `sql` with one separator between them: comments, blanks between tokens and
/// line endings (inside string constants too) do not count, everything else does. A text that does not scan is hashed
/// whole.
pub fn checksum(sql: &str) -> String {
    let mut hash = Sha256::new();
    match tokens(sql) {
        Some(all) => {
            for token in all.iter().filter(|t| t.kind != TokenKind::Comment) {
                update_unix(&mut hash, &sql[token.start..token.end]);
                // Not a byte of any token: NUL cannot stand in SQL.
                hash.update([0]);
            }
        }
        None => update_unix(&mut hash, sql),
    }
    hex(&hash.finalize())
}

/// SHA-256 of the bytes as they are, in hex.
pub fn sha256_hex(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

fn update_unix(hash: &mut Sha256, text: &str) {
    let mut rest = text;
    while let Some(at) = rest.find("\r\n") {
        hash.update(&rest.as_bytes()[..at]);
        rest = &rest[at + 1..];
    }
    hash.update(rest.as_bytes());
}

fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        text.push(char::from(DIGITS[usize::from(byte >> 4)]));
        text.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_blanks_and_line_endings_do_not_count() {
        let one = checksum("create table a.b (id int); -- why\n");
        assert_eq!(one, checksum("/* other */ create  table a.b\r\n(id int);\r\n"));
        assert_eq!(checksum("select 'a\r\nb'"), checksum("select 'a\nb'"));
    }

    #[test]
    fn literals_names_and_the_cut_between_tokens_count() {
        assert_ne!(checksum("select 1"), checksum("select 2"));
        assert_ne!(checksum("select 'a -- b'"), checksum("select 'a -- c'"));
        assert_ne!(checksum("select ab"), checksum("select a b"));
        assert_ne!(checksum("select 'a b'"), checksum("select 'a  b'"));
    }
}
