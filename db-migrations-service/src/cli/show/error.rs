//! An error as a person reads it: what, where, what PostgreSQL says, what was left behind, what to do now.

use std::fmt::Write;

use migration_engine::EngineError;
use owo_colors::OwoColorize;

use super::{BAD, BOLD, GOOD, caret, words};

/// So many related migrations and blockers are listed.
const LISTED: usize = 10;
/// Lines after the first one of a cure stand below it.
const HELP_INDENT: &str = "\n      ";

/// Renders an error; `code` is its stable name.
pub fn render(error: &EngineError, code: &str) -> String {
    let mut out = String::new();
    // The place is shown below, with its line.
    let place =
        error.location.as_ref().map(|at| format!("{}:{}:{}: ", at.file, at.line, at.column)).unwrap_or_default();
    let message = error.message.strip_prefix(&place).unwrap_or(&error.message);
    // The code is said already.
    let message = message.strip_prefix(code).and_then(|rest| rest.strip_prefix(": ")).unwrap_or(message);
    let _ = writeln!(out, "{}{} {}", format!("error[{code}]").style(BAD), ":".style(BOLD), message.style(BOLD));
    if !error.findings.is_empty() {
        let _ = writeln!(out, "{}", super::findings(&error.findings));
    } else if let Some(location) = &error.location {
        let _ = writeln!(out, "{}", caret::excerpt(location));
    } else if let Some(migration) = &error.migration
        && !error.message.contains(&migration.to_string())
    {
        let _ = writeln!(out, "  in {migration}");
    }
    let mut say = |label: &str, text: &str| {
        let mut lines = text.lines();
        match lines.next() {
            Some(first) => writeln!(out, "  {label}: {first}"),
            None => writeln!(out, "  {label}"),
        }
        .unwrap_or_default();
        for line in lines {
            let _ = writeln!(out, "  {:width$}  {line}", "", width = label.len());
        }
    };
    if let Some(sql) = &error.sql {
        // The sentence often is the server's own already.
        let message = if error.message.contains(&sql.message) { "" } else { &sql.message };
        say(&format!("SQLSTATE {}", sql.sqlstate), message);
        for (label, text) in [("detail", &sql.detail), ("hint", &sql.hint), ("where", &sql.where_)] {
            if let Some(text) = text {
                say(label, text);
            }
        }
    }
    for migration in error.related.iter().take(LISTED) {
        say("see", &migration.to_string());
    }
    if error.related.len() > LISTED {
        say("see", &format!("… and {} more", error.related.len() - LISTED));
    }
    for blocker in error.blockers.iter().take(LISTED) {
        say("held by", &words::blocker(blocker));
    }
    if let Some(left) = &error.left_behind {
        say("left behind", left);
    } else if error.migration.is_some() && error.sql.is_some() {
        say("left behind", "nothing");
    }
    if let Some(cure) = &error.cure {
        let cure = cure.replace('\n', HELP_INDENT);
        let _ = writeln!(out, "{}{} {cure}", "help".style(GOOD), ":".style(BOLD));
    }
    out
}

#[cfg(test)]
mod tests {
    use migration_engine::ErrorCode;
    use migration_engine::error::Location;

    use super::*;

    #[test]
    fn a_cure_of_several_lines_is_indented_and_the_code_is_not_repeated() {
        let error = EngineError::new(ErrorCode::Busy, "busy: somebody works here")
            .cure("as a superuser run:\nCREATE ROLE a;\nCREATE ROLE b;");
        let plain = anstream::adapter::strip_str(&render(&error, "busy")).to_string();
        insta::assert_snapshot!(plain, @"
        error[busy]: somebody works here
        help: as a superuser run:
              CREATE ROLE a;
              CREATE ROLE b;
        ");
    }

    #[test]
    fn everything_is_said_once() {
        let sql = r#"{"severity":"ERROR","sqlstate":"42P01","message":"relation \"auth.user\" does not exist","hint":"Look again."}"#;
        let mut error = EngineError::new(
            ErrorCode::MigrationFailed,
            "migrations/auth/2_x.up.sql:3:5: relation \"auth.user\" does not exist",
        )
        .cure("correct the file and run again");
        error.migration = "auth/2".parse().ok();
        error.sql = serde_json::from_str(sql).ok();
        error.location = Some(Location {
            file: "migrations/auth/2_x.up.sql".into(),
            line: 3,
            column: 5,
            line_text: "from auth.user;".into(),
            statement: Some(1),
            statement_text: None,
        });
        let plain = anstream::adapter::strip_str(&render(&error, "migration_failed")).to_string();
        insta::assert_snapshot!(plain, @r#"
        error[migration_failed]: relation "auth.user" does not exist
          --> migrations/auth/2_x.up.sql:3:5
          |
        3 | from auth.user;
          |     ^
          SQLSTATE 42P01
          hint: Look again.
          left behind: nothing
        help: correct the file and run again
        "#);
    }
}
