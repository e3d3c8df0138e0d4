//! Arguments that cannot be used, and the questions that are answered without doing anything (`--help`, `--version`).

use std::ffi::OsString;

use clap::error::{Error, ErrorKind};
use db_migrations_service::cli::{Colour, Exit, Failure, Format, Output};

/// Shows what the parser has to say, in the form that was asked for.
pub fn answer(error: &Error) -> Exit {
    let json = error.use_stderr() && wants_json(std::env::args_os());
    let output = Output::new(if json { Format::Json } else { Format::Human }, Colour::Auto);
    if json {
        output.failure(&failure(error));
    } else {
        Output::written(error.print());
    }
    let lost = output.lost();
    if error.use_stderr() { Exit::Usage } else { lost.unwrap_or(Exit::Ok) }
}

/// The parser stopped before it had read all options, so this one is looked for here.
fn wants_json(arguments: impl Iterator<Item = OsString>) -> bool {
    let options: Vec<OsString> = arguments.take_while(|argument| argument != "--").collect();
    options.iter().any(|option| option == "--output=json")
        || options.windows(2).any(|pair| pair[0] == "--output" && pair[1] == "json")
}

/// The parser's text begins with what is wrong, up to a blank line; what follows helps.
fn failure(error: &Error) -> Failure {
    if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        return Failure::usage("a command is missing", "add --help to see which there are");
    }
    let text = error.render().to_string();
    let text = text.trim_start_matches("error: ").trim();
    let (message, help) = text.split_once("\n\n").unwrap_or((text, ""));
    let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let help = help.split("\n\n").map(words).filter(|part| !part.is_empty()).collect::<Vec<_>>();
    Failure::usage(words(message), help.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_option_is_found_wherever_it_stands() {
        let wants = |line: &str| wants_json(line.split(' ').map(OsString::from));
        assert!(wants("profe --output json migrate fly"));
        assert!(wants("profe migrate fly --output=json"));
        assert!(!wants("profe migrate fly --output human"));
        assert!(!wants("profe migrate fly -- --output json"));
    }
}
