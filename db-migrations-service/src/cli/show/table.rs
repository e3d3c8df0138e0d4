//! Tables without lines, so that they can be read, piped and copied.

use comfy_table::{Cell, CellAlignment, Color, ContentArrangement, presets};

/// Of a terminal that does not know its size.
const WIDTH: u16 = 80;
const WIDEST: u16 = 120;
/// Who says less does not know it either.
const NARROWEST: u16 = 60;

/// A table in the making.
pub struct Table(comfy_table::Table);

/// The colour of a cell.
#[derive(Debug, Clone, Copy)]
pub enum Tone {
    /// Good news.
    Good,
    /// Something to know.
    Warn,
    /// Bad news.
    Bad,
    /// Beside the point.
    Dim,
}

impl Table {
    /// With these headings.
    pub fn new(headings: &[&str]) -> Self {
        let mut table = comfy_table::Table::new();
        if std::io::IsTerminal::is_terminal(&std::io::stdout()) {
            let width = table.width().filter(|width| *width >= NARROWEST).unwrap_or(WIDTH).min(WIDEST);
            table.set_content_arrangement(ContentArrangement::Dynamic).set_width(width);
        } else {
            // A row is a line: programs cut and count them.
            table.set_content_arrangement(ContentArrangement::Disabled);
        }
        table
            .load_style(presets::NOTHING)
            // Colours are taken out again where they are not wanted, by the stream.
            .enforce_styling()
            .set_header(headings.iter().map(|text| Cell::new(text).fg(Color::DarkGrey)));
        for (at, column) in table.column_iter_mut().enumerate() {
            column.set_padding((0, if at + 1 == headings.len() { 0 } else { 2 }));
        }
        Self(table)
    }

    /// Numbers stand to the right.
    #[must_use]
    pub fn right(mut self, columns: &[usize]) -> Self {
        for &column in columns {
            if let Some(column) = self.0.column_mut(column) {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        self
    }

    /// Adds a row.
    pub fn row(&mut self, cells: impl IntoIterator<Item = (String, Option<Tone>)>) {
        self.0.add_row(cells.into_iter().map(|(text, tone)| {
            let cell = Cell::new(text);
            match tone {
                None => cell,
                Some(Tone::Good) => cell.fg(Color::Green),
                Some(Tone::Warn) => cell.fg(Color::Yellow),
                Some(Tone::Bad) => cell.fg(Color::Red),
                Some(Tone::Dim) => cell.fg(Color::DarkGrey),
            }
        }));
    }

    /// Whether it has no rows.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl std::fmt::Display for Table {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let text = self.0.trim_fmt();
        let lines: Vec<String> = text.lines().map(trimmed).collect();
        f.write_str(&lines.join("\n"))
    }
}

/// Without blanks at the end, also where the code that ends a colour follows them.
fn trimmed(line: &str) -> String {
    match line.trim_end().rsplit_once('\x1b') {
        Some((text, code))
            if code.ends_with('m') && code.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'[' | b';' | b'm')) =>
        {
            format!("{}\x1b{code}", text.trim_end())
        }
        _ => line.trim_end().to_owned(),
    }
}
