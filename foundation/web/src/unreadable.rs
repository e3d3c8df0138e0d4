//! What of a request cannot be read, in words of the API: which value, what was expected, what to send instead.
//!
//! serde speaks of Rust's types. This is the one place that knows its sentences; one that it does not know is not
//! passed on.

use serde_json::Value;

use crate::problem::{Kind, Problem};

/// Longer texts are cut where they are shown: the caller has them.
const SHOWN: usize = 60;

/// A part of a request that could not be read.
pub(crate) struct Unreadable<'a> {
    /// The problem's kind.
    pub(crate) kind: Kind,
    /// What such a part is called, and the problem's member that names it.
    pub(crate) part: &'static str,
    /// Its name, where it is known.
    pub(crate) name: Option<String>,
    /// What was sent.
    pub(crate) given: Option<&'a Value>,
    /// What serde says.
    pub(crate) said: &'a str,
}

impl Unreadable<'_> {
    pub(crate) fn problem(self) -> Problem {
        let Self { kind, part, name, given, said } = self;
        // serde names what is there and what could be in backticks.
        let mut quoted = said.split('`').skip(1).step_by(2);
        let (name, detail, cure) = if said.starts_with("unknown field") {
            let name = quoted.next().map(str::to_owned).or(name).unwrap_or_default();
            let known: Vec<_> = quoted.collect();
            let cure =
                if known.is_empty() { "leave it out".to_owned() } else { format!("use one of: {}", known.join(", ")) };
            (Some(name.clone()), format!("there is no {part} {name:?}"), cure)
        } else if said.starts_with("missing field") {
            let name = quoted.next().map(str::to_owned).or(name).unwrap_or_default();
            (Some(name.clone()), format!("the {part} {name:?} is missing"), format!("add the {part} {name:?}"))
        } else if said.starts_with("duplicate field") {
            let name = quoted.next().map(str::to_owned).or(name).unwrap_or_default();
            (Some(name.clone()), format!("the {part} {name:?} is given twice"), "give it once".to_owned())
        } else {
            let expected = expected(said);
            let subject = name.as_ref().map_or_else(|| format!("a {part}"), |name| format!("the {part} {name:?}"));
            let detail = match given {
                Some(given) => format!("{subject} is {}, expected {expected}", shown(given)),
                None => format!("{subject} cannot be read, expected {expected}"),
            };
            (name, detail, format!("give {subject} as {expected}"))
        };
        Problem::new(kind).detail(detail).cure(cure).with(part, name)
    }
}

/// What was sent, short.
pub(crate) fn shown(value: &Value) -> String {
    match value {
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "an object".to_owned(),
        Value::String(text) if text.chars().count() > SHOWN => {
            format!("{:?} …", text.chars().take(SHOWN).collect::<String>())
        }
        other => other.to_string(),
    }
}

/// What should have been sent. The words after "expected" are serde's own for its types, and ours where a type of ours
/// was read.
fn expected(said: &str) -> &str {
    const ID: &str = "a UUID such as 0198c5a2-7b1e-7c3d-9f40-5e6a7b8c9d0e";
    const NATURAL: &str = "a whole number from 0 up";
    const WHOLE: &str = "a whole number";
    // Parsers of numbers and of UUIDs do not say "expected", or mean something else by it.
    if said.contains("UUID") {
        return ID;
    }
    if said.contains("invalid digit") || said.contains("integer from empty") {
        return NATURAL;
    }
    if said.contains("fit in target type") {
        return "a number that is less far from 0";
    }
    if said.contains("not `true` or `false`") {
        return "true or false";
    }
    match said.rsplit_once("expected ").map_or("", |(_, words)| words) {
        "a string" | "a borrowed string" | "string" | "str" => "a text",
        "a boolean" | "bool" => "true or false",
        "u8" | "u16" | "u32" | "u64" | "usize" => NATURAL,
        "i8" | "i16" | "i32" | "i64" | "isize" => WHOLE,
        "f32" | "f64" => "a number",
        "a sequence" => "a list",
        "uuid" => ID,
        words if words.is_empty() || words.starts_with("struct ") || words.contains('`') => {
            "what its documentation says"
        }
        words if words.starts_with("a ") || words.starts_with("an ") => words,
        _ => "what its documentation says",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kinds;

    #[test]
    fn what_is_not_known_is_not_passed_on() {
        for said in ["invalid type: map, expected struct RunBody", "odd", "expected `Vec<u8>`", "expected fn() -> u8"] {
            assert_eq!(expected(said), "what its documentation says", "{said}");
        }
        assert_eq!(expected("invalid value: string \"x\", expected a time such as now"), "a time such as now");
    }

    #[test]
    fn a_long_text_is_cut() {
        let long = Value::from("ñ".repeat(1000));
        let unreadable = Unreadable {
            kind: kinds::INVALID_BODY,
            part: "member",
            name: Some("page".to_owned()),
            given: Some(&long),
            said: "invalid type: string, expected u32",
        };
        let problem = format!("{:?}", unreadable.problem());
        assert!(problem.len() < 800 && problem.contains("a whole number from 0 up"), "{problem}");
    }
}
