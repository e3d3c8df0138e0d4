//! `profe migrate …`

mod adopt;
mod history;
pub(in crate::cli) mod new;
mod plan;
mod repair;
mod rollback;
mod run;
mod status;
mod validate;

use clap::Subcommand;

use super::context::Context;
use super::exit::{self, Exit};
use super::failure::Failure;

pub(in crate::cli) use plan::heading;
pub(in crate::cli) use rollback::offer;
pub(in crate::cli) use run::{confirm, parse_override};
pub(in crate::cli) use validate::stop_on_signals;

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Where a database stands: what is applied, pending, edited, missing
    #[command(after_help = exit::HELP)]
    Status(status::Status),
    /// What a run would do, in order, without doing it
    #[command(after_help = exit::HELP)]
    Plan(plan::Plan),
    /// Look through the gates at what is pending, and rehearse it on a throwaway database
    #[command(after_help = exit::HELP)]
    Validate(validate::Validate),
    /// Apply what is pending
    #[command(after_help = exit::HELP)]
    Run(run::Run),
    /// Take applied migrations back
    #[command(after_help = exit::HELP)]
    Rollback(rollback::Rollback),
    /// What was applied and taken back here, by whom
    History(history::History),
    /// Write the files of a new migration
    New(new::New),
    /// Take over a database that another tool has migrated, with its folder as it is
    #[command(after_help = exit::HELP)]
    Adopt(adopt::Adopt),
    /// Make peace between files and database
    #[command(subcommand)]
    Repair(repair::Command),
}

impl Command {
    pub(super) fn run(self, context: &Context) -> Result<Exit, Failure> {
        match self {
            Self::Status(command) => command.run(context),
            Self::Plan(command) => command.run(context),
            Self::Validate(command) => command.run(context),
            Self::Run(command) => command.run(context),
            Self::Rollback(command) => command.run(context),
            Self::History(command) => command.run(context),
            Self::New(command) => command.run(context),
            Self::Adopt(command) => command.run(context),
            Self::Repair(command) => command.run(context),
        }
    }
}

/// `30s`, `5m`, `1h`, `250ms`, or seconds.
pub(in crate::cli) fn parse_duration(text: &str) -> Result<std::time::Duration, String> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let unit_ms = match &text[digits..] {
        "ms" => 1,
        "s" | "" => 1_000,
        "m" | "min" => 60_000,
        "h" => 3_600_000,
        _ => return Err("write a time as 250ms, 30s, 5m or 1h".to_owned()),
    };
    let number: u64 = text[..digits].parse().map_err(|_| "write a time as 250ms, 30s, 5m or 1h".to_owned())?;
    Ok(std::time::Duration::from_millis(number.saturating_mul(unit_ms)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read() {
        for (text, ms) in [("30s", 30_000), ("5m", 300_000), ("1h", 3_600_000), ("250ms", 250), ("7", 7_000), ("0s", 0)]
        {
            assert_eq!(parse_duration(text).map(|d| d.as_millis()), Ok(ms), "{text}");
        }
        assert!(parse_duration("soon").is_err());
        assert!(parse_duration("5 d").is_err());
    }
}
