//! How things look: streams, colours, tables, errors.

mod caret;
mod error;
mod proof;
mod table;
mod words;

use std::io::{self, ErrorKind, IsTerminal, Write};
use std::sync::OnceLock;

use anstream::{AutoStream, ColorChoice};
use clap::ValueEnum;
use owo_colors::Style;
use serde::Serialize;

pub use error::render as render_error;
pub use proof::{figures, findings, mark, verdict};
pub use table::{Table, Tone};
pub use words::{blocker, bytes, count, duration, place, state_style, time};

use super::exit::Exit;
use super::failure::Failure;

/// Why something of the answer was lost. A process has one standard output.
static LOST: OnceLock<io::Error> = OnceLock::new();

/// For whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum Format {
    /// Tables and sentences
    #[default]
    Human,
    /// One JSON document (a run: one event a line, then the report)
    Json,
}

/// When colours are used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum Colour {
    /// On a terminal, unless NO_COLOR is set
    #[default]
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

/// Good news.
pub const GOOD: Style = Style::new().green();
/// Something to know.
pub const WARN: Style = Style::new().yellow();
/// Bad news.
pub const BAD: Style = Style::new().red().bold();
/// Beside the point.
pub const DIM: Style = Style::new().dimmed();
/// What matters most.
pub const BOLD: Style = Style::new().bold();

/// Where a command writes. It goes on when that fails, so that what is in hand comes to its end; [`lost`](Self::lost)
/// tells afterwards.
#[derive(Debug, Clone, Copy)]
pub struct Output {
    format: Format,
    choice: ColorChoice,
    lines: bool,
    notes_are_logged: bool,
}

impl Output {
    /// Takes the two options.
    pub fn new(format: Format, colour: Colour) -> Self {
        let choice = match colour {
            Colour::Auto => ColorChoice::Auto,
            Colour::Always => ColorChoice::Always,
            Colour::Never => ColorChoice::Never,
        };
        Self { format, choice, lines: true, notes_are_logged: false }
    }

    /// The same without lines of the answer.
    #[must_use]
    pub fn without_lines(self) -> Self {
        Self { lines: false, ..self }
    }

    /// The same with what is said on stderr as lines of the log, for whoever reads that as JSON.
    #[must_use]
    pub fn with_logged_notes(self) -> Self {
        Self { notes_are_logged: true, ..self }
    }

    /// Whether a program reads.
    pub fn is_json(self) -> bool {
        self.format == Format::Json
    }

    /// Whether somebody can be asked.
    pub fn can_ask(self) -> bool {
        !self.is_json() && std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
    }

    /// Whether a line can be drawn over and over.
    pub fn is_live(self) -> bool {
        !self.is_json() && std::io::stderr().is_terminal()
    }

    /// A line of the answer, for people.
    pub fn line(self, text: impl AsRef<str>) {
        if self.lines && !self.is_json() {
            let mut stream = AutoStream::new(std::io::stdout(), self.choice).lock();
            Self::written(writeln!(stream, "{}", text.as_ref()));
        }
    }

    /// A line beside the answer, for people: what is being done.
    pub fn note(self, text: impl AsRef<str>) {
        if self.notes_are_logged {
            tracing::info!("{}", anstream::adapter::strip_str(text.as_ref()));
        } else if !self.is_json() {
            self.stderr(text.as_ref());
        }
    }

    fn stderr(self, text: &str) {
        let mut stream = AutoStream::new(std::io::stderr(), self.choice).lock();
        let _ = writeln!(stream, "{text}");
    }

    /// The answer as it is, for people and programs alike.
    pub fn raw(self, text: &str) {
        let mut stream = std::io::stdout().lock();
        Self::written(stream.write_all(text.as_bytes()).and_then(|()| stream.flush()));
    }

    /// The answer, for programs: one document, indented.
    pub fn document(self, value: &impl Serialize) {
        if self.is_json() {
            self.raw(&(serde_json::to_string_pretty(value).unwrap_or_default() + "\n"));
        }
    }

    /// A part of the answer, for programs: one document on one line.
    pub fn json_line(self, value: &impl Serialize) {
        if self.lines && self.is_json() {
            self.raw(&(serde_json::to_string(value).unwrap_or_default() + "\n"));
        }
    }

    /// An error: on stderr for people, on stdout for programs, which read nothing else.
    pub fn failure(self, failure: &Failure) {
        if self.is_json() {
            self.json_line(&failure.to_json());
        } else if self.notes_are_logged {
            tracing::error!(code = failure.code(), cure = failure.error.cure, "{}", failure.error.message);
        } else {
            self.stderr(render_error(&failure.error, &failure.code()).trim_end());
        }
    }

    /// Takes note of what writing a part of the answer came to.
    pub fn written(result: io::Result<()>) {
        if let Err(error) = result
            // Whoever closes a pipe has read enough.
            && error.kind() != ErrorKind::BrokenPipe
        {
            // The first reason is the one to tell.
            let _ = LOST.set(error);
        }
    }

    /// What became of the answer, where it could not be written, told on stderr: the other stream is broken.
    pub fn lost(self) -> Option<Exit> {
        let error = LOST.get()?;
        let message = format!("the answer could not be written: {error}");
        let failure =
            Failure::other(Exit::Failed, "output", message, "send it elsewhere; the command itself did its work");
        self.stderr(render_error(&failure.error, &failure.code()).trim_end());
        Some(failure.exit)
    }
}
