//! Both ways in one file: dbmate and goose. What belongs to the other way becomes empty lines, so that every statement
//! keeps its line.

use crate::fault::{Fault, FaultKind};
use crate::layout::Layout;

/// The engine's own header.
pub(crate) const NO_TRANSACTION: &str = "-- transaction: none";

/// The two ways of one file.
#[derive(Debug, Default)]
pub(crate) struct Sections {
    pub up: String,
    /// Empty where the file has no way back.
    pub down: String,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Before,
    Up,
    Down,
}

/// What a line tells the tool.
enum Mark {
    Begin(Way, bool),
    NoTransaction,
    Nothing,
}

pub(crate) fn split(layout: Layout, path: &str, text: &str) -> Result<Sections, Fault> {
    let mut sections = Sections::default();
    let mut way = Way::Before;
    let mut outside_both = false;
    for (index, line) in text.split_inclusive('\n').enumerate() {
        let malformed =
            |why: &str, cure: &str| Fault::new(FaultKind::Malformed, format!("{path}:{}: {why}", index + 1), cure);
        let mark = match layout {
            Layout::Dbmate => dbmate(line),
            _ => goose(line).map_err(|(why, cure)| malformed(&why, cure))?,
        };
        let end = if line.ends_with('\n') { "\n" } else { "" };
        let (mut up, mut down) = (end.to_owned(), end.to_owned());
        match mark {
            Mark::Begin(next, outside) => {
                way = next;
                if outside {
                    let place = if next == Way::Up { &mut up } else { &mut down };
                    *place = format!("{NO_TRANSACTION}{end}");
                }
            }
            Mark::NoTransaction => outside_both = true,
            Mark::Nothing if way == Way::Down => line.clone_into(&mut down),
            Mark::Nothing => {
                let trimmed = line.trim();
                if way == Way::Before && !trimmed.is_empty() && !trimmed.starts_with("--") {
                    return Err(malformed(
                        &format!("it stands before the mark of the way there, where {layout} reads no SQL"),
                        "move it below the mark",
                    ));
                }
                line.clone_into(&mut up);
            }
        }
        sections.up.push_str(&up);
        sections.down.push_str(&down);
    }
    if way == Way::Before {
        let mark = if layout == Layout::Dbmate { "-- migrate:up" } else { "-- +goose Up" };
        return Err(Fault::new(
            FaultKind::Malformed,
            format!("{path} has no line {mark}"),
            "put it before the first statement",
        ));
    }
    if outside_both {
        sections.up = outside_transaction(&sections.up);
        sections.down = outside_transaction(&sections.down);
    }
    Ok(sections)
}

/// The same text with the header that has it run outside of a transaction; lines keep their numbers.
pub(crate) fn outside_transaction(text: &str) -> String {
    let (first, rest) = text.split_once('\n').unwrap_or((text, ""));
    let head = first.trim();
    if head.is_empty() || head.starts_with("--") && !head.contains("accept:") && !head.contains("requires:") {
        return format!("{NO_TRANSACTION}\n{rest}");
    }
    format!("/* {} */ {text}", NO_TRANSACTION.trim_start_matches("-- "))
}

/// `-- migrate:up transaction:false`
fn dbmate(line: &str) -> Mark {
    let Some(told) = line.strip_prefix("--").map(str::trim).and_then(|told| told.strip_prefix("migrate:")) else {
        return Mark::Nothing;
    };
    let mut words = told.split_whitespace();
    let way = match words.next() {
        Some("up") => Way::Up,
        Some("down") => Way::Down,
        _ => return Mark::Nothing,
    };
    Mark::Begin(way, words.any(|word| word == "transaction:false"))
}

/// `-- +goose Up`
fn goose(line: &str) -> Result<Mark, (String, &'static str)> {
    let Some(told) = line.trim().strip_prefix("--").map(str::trim).and_then(|told| told.strip_prefix("+goose")) else {
        return Ok(Mark::Nothing);
    };
    let told = told.trim();
    Ok(match told.to_ascii_lowercase().as_str() {
        "up" => Mark::Begin(Way::Up, false),
        "down" => Mark::Begin(Way::Down, false),
        "no transaction" => Mark::NoTransaction,
        // Where a statement ends the grammar knows by itself.
        "statementbegin" | "statementend" | "envsub off" => Mark::Nothing,
        "envsub on" => {
            return Err((
                "goose puts values of the environment into it, which would make it another migration in each"
                    .to_owned(),
                "write the values, and remove the mark",
            ));
        }
        _ => {
            return Err((
                format!("goose has no mark {told:?}"),
                "marks are: Up, Down, StatementBegin, StatementEnd, NO TRANSACTION",
            ));
        }
    })
}
