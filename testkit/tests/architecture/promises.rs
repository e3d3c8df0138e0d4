//! docs/promises.md: each promise, and what shows that it is kept.
//!
//! A row is `| promise | shown by |`. The second cell holds, in backticks, tests as `path/of/file.rs#name_of_the_test`,
//! files, or commands that begin with `make`, `cargo` or `profe`; or it is **open**, alone or before a reason.

use crate::tree;

const PROMISES: &str = "docs/promises.md";

struct Row<'a> {
    line: usize,
    promise: &'a str,
    shown_by: &'a str,
}

fn rows(text: &str) -> Vec<Row<'_>> {
    let cells = |line: &'_ str| line.starts_with('|') && !line.starts_with("|---") && !line.starts_with("| promise");
    text.lines()
        .enumerate()
        .filter(|(_, line)| cells(line))
        .map(|(index, line)| {
            let inner = line.trim_end().trim_start_matches('|').trim_end_matches('|');
            let (promise, shown_by) = inner.rsplit_once(" | ").unwrap_or((inner, ""));
            Row { line: index + 1, promise: promise.trim(), shown_by: shown_by.trim() }
        })
        .collect()
}

fn in_backticks(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

/// Why this reference shows nothing; `None` when it does.
fn fault(reference: &str) -> Option<String> {
    if let Some(target) = reference.strip_prefix("make ") {
        let rule = format!("\n{}:", target.split_whitespace().next().unwrap_or_default());
        return (!tree::read("Makefile").contains(&rule)).then(|| format!("the Makefile has no target {target:?}"));
    }
    if reference.starts_with("cargo ") || reference.starts_with("profe ") {
        return None;
    }
    let (path, name) = reference.split_once('#').map_or((reference, None), |(path, name)| (path, Some(name)));
    let Ok(text) = std::fs::read_to_string(tree::root().join(path)) else {
        return Some(format!("there is no file {path}"));
    };
    let name = name?;
    let Some(at) = text.find(&format!("fn {name}(")) else {
        return Some(format!("{path} has no function {name}"));
    };
    // Between the end of what stands before it and the function: its attributes.
    let before = &text[..at];
    let attributes = &before[before.rfind("}\n").map_or(0, |end| end + 2)..];
    let is_test = attributes.lines().any(|line| line.trim_start().starts_with("#[") && line.contains("test"));
    (!is_test).then(|| format!("{path}: {name} is no test"))
}

#[test]
fn every_promise_names_what_shows_it_and_that_exists() {
    let text = tree::read(PROMISES);
    let rows = rows(&text);
    assert!(rows.len() > 50, "{PROMISES} has only {} rows", rows.len());
    let mut faults = Vec::new();
    for Row { line, promise, shown_by } in rows {
        let at = |what: String| format!("{PROMISES}:{line}: {what}");
        if promise.is_empty() {
            faults.push(at("a row without a promise".to_owned()));
        }
        let mut references = 0;
        for reference in in_backticks(shown_by) {
            references += 1;
            faults.extend(fault(reference).map(at));
        }
        if references == 0 && !shown_by.starts_with("**open**") {
            faults.push(at(format!("nothing shows it, and it is not said to be open: {promise}")));
        }
    }
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

#[test]
fn a_reference_to_nothing_is_found() {
    let own = "testkit/tests/architecture/promises.rs";
    assert_eq!(fault(&format!("{own}#a_reference_to_nothing_is_found")), None);
    assert_eq!(fault("make test"), None);
    for wrong in
        [format!("{own}#in_backticks"), format!("{own}#no_such_test"), "no/such/file.rs#x".into(), "make x".into()]
    {
        assert!(fault(&wrong).is_some(), "{wrong}");
    }
}
