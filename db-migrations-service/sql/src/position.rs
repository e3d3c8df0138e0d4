//! Places in a text as people name them.

/// A place: 1-based line, and 1-based column in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// 1-based.
    pub line: usize,
    /// 1-based, in characters.
    pub column: usize,
    /// Byte offset from the start of the text.
    pub byte: usize,
}

/// The place of the byte at `byte`; past the end it is the end.
pub fn position_at_byte(text: &str, byte: usize) -> Position {
    let mut byte = byte.min(text.len());
    while !text.is_char_boundary(byte) {
        byte -= 1;
    }
    let before = &text[..byte];
    let line_start = before.rfind('\n').map_or(0, |at| at + 1);
    Position { line: before.matches('\n').count() + 1, column: before[line_start..].chars().count() + 1, byte }
}

/// The place of the character at `index`, counted from 1 as PostgreSQL does.
pub fn position_at_char(text: &str, index: usize) -> Position {
    let byte = text.char_indices().nth(index.saturating_sub(1)).map_or(text.len(), |(byte, _)| byte);
    position_at_byte(text, byte)
}

impl Position {
    /// The line that holds it, without its line break.
    pub fn line_of(self, text: &str) -> &str {
        text.lines().nth(self.line - 1).unwrap_or("")
    }
}
