//! CSV by RFC 4180, in pieces as they come.

/// A field or a row longer than this is no person's, bytes.
const LONGEST_ROW: usize = 64 << 10;

/// What begins a formula in a spreadsheet (ASVS 1.2.10).
const FORMULA: [char; 6] = ['=', '+', '-', '@', '\t', '\r'];

/// Reads rows from pieces of a file.
#[derive(Debug, Default)]
pub(crate) struct Reader {
    /// Fields of the row so far.
    fields: Vec<String>,
    field: Vec<u8>,
    state: State,
    /// Lines ended so far.
    lines: u32,
    /// Where the row began, from 1 on.
    begun: u32,
    /// Bytes of the row so far.
    length: usize,
    at_start: usize,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Before the first byte of a field.
    #[default]
    Begin,
    Plain,
    Quoted,
    /// After a quote inside of quotes: its end, or the first of two.
    Quote,
    /// After a carriage return outside of quotes.
    Return,
}

/// A file that is none, and on which line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Malformed {
    pub(crate) line: u32,
    pub(crate) what: &'static str,
}

/// A row and the line on which it begins, from 1 on.
pub(crate) type Row = (u32, Vec<String>);

impl Reader {
    /// Takes a piece; the rows that it ends go to `rows`.
    pub(crate) fn push(&mut self, piece: &[u8], rows: &mut Vec<Row>) -> Result<(), Malformed> {
        for &byte in piece {
            // A byte order mark, which spreadsheets write.
            if self.at_start < 3 {
                self.at_start += 1;
                if byte == [0xEF, 0xBB, 0xBF][self.at_start - 1] {
                    continue;
                }
                self.at_start = 3;
            }
            self.take(byte, rows)?;
        }
        Ok(())
    }

    /// The file has ended.
    pub(crate) fn end(&mut self, rows: &mut Vec<Row>) -> Result<(), Malformed> {
        match self.state {
            State::Quoted => Err(self.malformed("a quotation mark is not closed")),
            State::Begin if self.fields.is_empty() => Ok(()),
            _ => self.end_row(rows),
        }
    }

    fn take(&mut self, byte: u8, rows: &mut Vec<Row>) -> Result<(), Malformed> {
        if self.length == 0 {
            self.begun = self.lines + 1;
        }
        self.length += 1;
        if self.length > LONGEST_ROW {
            return Err(self.malformed("a row is longer than 64 KiB"));
        }
        if byte == b'\n' {
            self.lines += 1;
        }
        match (self.state, byte) {
            (State::Quoted, b'"') => self.state = State::Quote,
            (State::Quoted, _) => self.field.push(byte),
            (State::Quote, b'"') => {
                self.field.push(byte);
                self.state = State::Quoted;
            }
            (State::Begin, b'"') => self.state = State::Quoted,
            (State::Plain, b'"') => {
                return Err(self.malformed("a quotation mark stands inside of a field without them"));
            }
            (State::Return | State::Begin | State::Plain | State::Quote, b'\n') => self.end_row(rows)?,
            (State::Return, _) => return Err(self.malformed("a carriage return ends no line")),
            (_, b'\r') => self.state = State::Return,
            (_, b',') => {
                self.end_field()?;
                self.state = State::Begin;
            }
            (State::Quote, _) => return Err(self.malformed("something follows on a closing quotation mark")),
            (State::Begin | State::Plain, _) => {
                self.field.push(byte);
                self.state = State::Plain;
            }
        }
        Ok(())
    }

    fn end_field(&mut self) -> Result<(), Malformed> {
        let bytes = std::mem::take(&mut self.field);
        let text = String::from_utf8(bytes).map_err(|_| self.malformed("the file is not in UTF-8"))?;
        if text.contains('\0') {
            return Err(self.malformed("a field holds a NUL"));
        }
        self.fields.push(text);
        Ok(())
    }

    fn end_row(&mut self, rows: &mut Vec<Row>) -> Result<(), Malformed> {
        self.end_field()?;
        self.state = State::Begin;
        self.length = 0;
        let fields = std::mem::take(&mut self.fields);
        // A line without anything is no row.
        if fields.iter().any(|field| !field.is_empty()) {
            rows.push((self.begun, fields));
        }
        Ok(())
    }

    fn malformed(&self, what: &'static str) -> Malformed {
        Malformed { line: self.begun.max(1), what }
    }
}

/// Writes a row such that no spreadsheet takes a field for a formula.
pub(crate) fn write_row<'a>(to: &mut String, fields: impl IntoIterator<Item = &'a str>) {
    for (number, field) in fields.into_iter().enumerate() {
        if number > 0 {
            to.push(',');
        }
        let is_formula = field.starts_with(FORMULA);
        if !is_formula && !field.contains(['"', ',', '\n', '\r']) {
            to.push_str(field);
            continue;
        }
        to.push('"');
        if is_formula {
            to.push('\'');
        }
        to.push_str(&field.replace('"', "\"\""));
        to.push('"');
    }
    to.push_str("\r\n");
}

/// A field as it was before [`write_row`] made it harmless.
pub(crate) fn unescape(field: &str) -> &str {
    match field.strip_prefix('\'') {
        Some(rest) if rest.starts_with(FORMULA) => rest,
        _ => field,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, piece: usize) -> Result<Vec<Row>, Malformed> {
        let (mut reader, mut rows) = (Reader::default(), Vec::new());
        for piece in text.as_bytes().chunks(piece) {
            reader.push(piece, &mut rows)?;
        }
        reader.end(&mut rows)?;
        Ok(rows)
    }

    #[test]
    fn rows_are_the_same_in_pieces_of_any_size() {
        let text = "\u{feff}a,b\r\n\"x\"\"y\",\"line\nbreak\"\n\nñ,\r\nlast,";
        let expected =
            [(1, vec!["a", "b"]), (2, vec!["x\"y", "line\nbreak"]), (5, vec!["ñ", ""]), (6, vec!["last", ""])];
        for piece in [1, 2, 3, 7, 1_000] {
            let rows = read(text, piece).expect("a file");
            let rows: Vec<_> =
                rows.iter().map(|(line, row)| (*line, row.iter().map(String::as_str).collect())).collect();
            assert_eq!(rows, expected, "in pieces of {piece}");
        }
        assert_eq!(read("", 1), Ok(Vec::new()));
    }

    #[test]
    fn what_is_no_csv_is_told_by_its_line() {
        for (text, line) in [("a\n\"b", 2), ("a\nb\"c\n", 2), ("\"a\"b", 1), ("a\rb", 1), ("a\nb\0", 2)] {
            assert_eq!(read(text, 2).map_err(|error| error.line), Err(line), "{text:?}");
        }
        let long = format!("a\n{}", "x".repeat(70_000));
        assert_eq!(read(&long, 4_096).map_err(|error| error.line), Err(2));
    }

    #[test]
    fn check_38_no_field_is_a_formula_and_each_comes_back_as_it_was() {
        for field in [
            "=1+1",
            "+1",
            "-1",
            "@SUM(A1)",
            "\tx",
            "\rx",
            "=cmd|' /C calc'!A0",
            "plain",
            "a,b",
            "q\"q",
            "'quoted",
            "'=x",
            "",
        ] {
            let mut text = String::new();
            write_row(&mut text, [field, "end"]);
            let rows = read(&text, 3).expect("a row");
            let kept = &rows[0].1[0];
            assert!(!kept.starts_with(FORMULA), "{field:?} is written as {kept:?}");
            if !field.starts_with('\'') {
                assert_eq!(unescape(kept), field);
            }
        }
    }
}
