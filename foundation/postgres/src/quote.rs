//! Text into SQL, where a statement cannot take parameters: names, and all that is sent as one message.

/// A string constant that means the same whatever `standard_conforming_strings` is set to.
pub fn literal(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 8);
    if text.contains('\\') {
        quoted.push_str(" E");
    }
    quoted.push('\'');
    for c in text.chars() {
        if matches!(c, '\'' | '\\') {
            quoted.push(c);
        }
        quoted.push(c);
    }
    quoted.push('\'');
    quoted
}

/// An identifier.
pub fn identifier(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// An identifier with its schema before it.
pub fn qualified(schema: &str, name: &str) -> String {
    format!("{}.{}", identifier(schema), identifier(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_escapes_its_quotes() {
        assert_eq!(literal("it's"), "'it''s'");
        assert_eq!(literal(r"a\'b"), r" E'a\\''b'");
        assert_eq!(identifier(r#"a"b"#), r#""a""b""#);
        assert_eq!(qualified("a.b", r#"c"d"#), r#""a.b"."c""d""#);
    }
}
