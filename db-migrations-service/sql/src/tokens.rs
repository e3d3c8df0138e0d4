//! The tokens of a text, as PostgreSQL's scanner sees them.

use std::ffi::CString;

use crate::ffi;

/// What sort of token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenKind {
    /// `-- …` or `/* … */`.
    Comment,
    /// A name, quoted or not, or a keyword.
    Word,
    /// `.`
    Dot,
    /// Anything else.
    Other,
}

/// One token; the offsets are bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Token {
    /// Where it begins.
    pub start: usize,
    /// Just past its end.
    pub end: usize,
    /// Its sort.
    pub kind: TokenKind,
}

const IDENTIFIER: i32 = 258;
const SQL_COMMENT: i32 = 275;
const C_COMMENT: i32 = 276;

/// Scans `text`; `None` where it does not scan (an open quote, a NUL).
pub fn tokens(text: &str) -> Option<Vec<Token>> {
    let text = CString::new(text).ok()?;
    let scanned = ffi::scan(&text).ok()?;
    Some(
        scanned
            .into_iter()
            .map(|t| Token {
                start: t.start,
                end: t.end,
                kind: match t.token {
                    SQL_COMMENT | C_COMMENT => TokenKind::Comment,
                    IDENTIFIER => TokenKind::Word,
                    46 => TokenKind::Dot,
                    _ if t.keyword => TokenKind::Word,
                    _ => TokenKind::Other,
                },
            })
            .collect(),
    )
}

/// The name that a word token stands for: unquoted words fold to lower case, as the server folds them.
pub(crate) fn fold(word: &str) -> String {
    match word.strip_prefix('"').and_then(|w| w.strip_suffix('"')) {
        Some(quoted) => quoted.replace("\"\"", "\""),
        None => word.to_lowercase(),
    }
}
