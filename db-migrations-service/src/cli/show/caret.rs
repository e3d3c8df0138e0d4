//! A source line with a caret under the offending token.

use migration_engine::error::Location;

/// The longest piece of a line that is shown.
const WINDOW: usize = 70;

/// The place, the line and the caret.
pub fn excerpt(location: &Location) -> String {
    let number = location.line.to_string();
    let margin = " ".repeat(number.len());
    let place = format!("{margin} --> {}:{}:{}", location.file, location.line, location.column);
    let line: Vec<char> = location.line_text.trim_end().chars().collect();
    let at = location.column.saturating_sub(1).min(line.len());
    let width = token_width(&line[at..]);

    let start = if at + width > WINDOW { at.saturating_sub(WINDOW / 2) } else { 0 };
    let end = line.len().min(start + WINDOW);
    let before = if start > 0 { "…" } else { "" };
    let after = if end < line.len() { "…" } else { "" };
    let shown: String = line[start..end].iter().collect();
    // A tab stays a tab, so that the caret stands below the token however wide tabs are.
    let indent: String = line[start..at].iter().map(|c| if *c == '\t' { '\t' } else { ' ' }).collect();
    let gap = " ".repeat(before.chars().count());
    let carets = "^".repeat(width.min(end.saturating_sub(at)).max(1));
    format!("{place}\n{margin} |\n{number} | {before}{shown}{after}\n{margin} | {gap}{indent}{carets}")
}

/// How far a token reaches: a quoted text to its end, a word to its last letter, anything else one character.
fn token_width(rest: &[char]) -> usize {
    let Some(&first) = rest.first() else { return 1 };
    if first == '"' || first == '\'' {
        return rest.iter().skip(1).position(|c| *c == first).map_or(rest.len(), |n| n + 2);
    }
    let is_word = |c: &char| c.is_alphanumeric() || matches!(c, '_' | '.' | '$');
    rest.iter().take_while(|c| is_word(c)).count().max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(column: usize, line_text: &str) -> String {
        excerpt(&Location {
            file: "migrations/auth/1_create_users.up.sql".into(),
            line: 12,
            column,
            line_text: line_text.into(),
            statement: Some(2),
            statement_text: None,
        })
    }

    #[test]
    fn the_caret_stands_under_the_token() {
        insta::assert_snapshot!(at(16, "    references auth.user (id)"), @r"
           --> migrations/auth/1_create_users.up.sql:12:16
           |
        12 |     references auth.user (id)
           |                ^^^^^^^^^
        ");
        insta::assert_snapshot!(at(2, "\tadd columna text"), @r"
           --> migrations/auth/1_create_users.up.sql:12:2
           |
        12 | 	add columna text
           | 	^^^
        ");
    }

    #[test]
    fn the_end_of_a_line_has_a_caret_too() {
        assert!(at(10, "create ta").ends_with("|          ^"), "{}", at(10, "create ta"));
    }

    #[test]
    fn a_long_line_is_cut_around_the_token() {
        let line = format!("{} wrong {}", "a ".repeat(60), "b ".repeat(60));
        let shown = at(122, &line);
        let lines: Vec<&str> = shown.lines().collect();
        assert!(lines.iter().all(|line| line.chars().count() <= 80), "{shown}");
        let column = lines[3].find('^').expect("a caret");
        let chars: Vec<char> = lines[2].chars().collect();
        assert_eq!(chars[column..column + 5].iter().collect::<String>(), "wrong", "{shown}");
    }
}
