//! What may stand in a file.

use crate::tree::{File, files, root};

/// Past this a source file is two rooms in one.
const MOST_LINES: usize = 500;

/// Folders of machines that this was written on; in two parts, so that this file does not name them.
const MACHINES: [&str; 2] = [concat!("/wo", "rk/"), concat!("/fa", "rm/")];

/// Where packages are fetched from is the business of each tool's own configuration.
const REGISTRIES: [&str; 6] = [
    concat!("index.", "crates.io"),
    concat!("static.", "crates.io"),
    concat!("registry.", "npmjs.org"),
    concat!("files.", "pythonhosted.org"),
    concat!("pypi.org/", "simple"),
    concat!("deb.", "debian.org"),
];

/// Words of work that was put off: an issue or an honest error is the place for it.
const PUT_OFF: [&str; 3] = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X")];
const HOLES: [&str; 2] = [concat!("to", "do!("), concat!("unimple", "mented!(")];
/// A test may be left out of a run only where another one runs it in a process of its own.
const LEFT_OUT: &str = concat!("#[ign", "ore");
const RUN_BY_ANOTHER: &str = concat!("#[ign", "ore = \"run by ");

/// All places where a condition holds, as `path:line: text`.
fn places(wanted: impl Fn(&File) -> bool, holds: impl Fn(&str) -> bool) -> Vec<String> {
    let mut found = Vec::new();
    for file in files().into_iter().filter(wanted) {
        for (index, line) in file.text.lines().enumerate().filter(|(_, line)| holds(line)) {
            found.push(format!("{}:{}: {}", file.path, index + 1, line.trim()));
        }
    }
    found
}

/// Whether `text` holds `wanted` where no character that `joins` stands before it, nor, for words, after it.
fn holds(text: &str, wanted: &str, joins: impl Fn(char) -> bool, word: bool) -> bool {
    text.match_indices(wanted).any(|(at, _)| {
        let before = text[..at].chars().next_back().is_some_and(&joins);
        let after = word && text[at + wanted.len()..].chars().next().is_some_and(&joins);
        !before && !after
    })
}

fn in_path(c: char) -> bool {
    c.is_alphanumeric() || "_./-$}".contains(c)
}

fn in_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

#[test]
fn no_file_names_a_place_on_one_machine() {
    let found = places(|_| true, |line| MACHINES.iter().any(|folder| holds(line, folder, in_path, false)));
    assert!(found.is_empty(), "paths that exist on one machine only:\n{}", found.join("\n"));
}

#[test]
fn no_file_names_a_package_registry() {
    let found = places(|_| true, |line| REGISTRIES.iter().any(|host| line.contains(host)));
    assert!(found.is_empty(), "hosts of package registries:\n{}", found.join("\n"));
}

#[test]
fn nothing_is_put_off_in_the_code() {
    let found = places(
        |file| !file.path.ends_with("Cargo.lock"),
        |line| PUT_OFF.iter().any(|word| holds(line, word, in_word, true)),
    );
    assert!(found.is_empty(), "put off:\n{}", found.join("\n"));
    let found = places(File::is_rust, |line| HOLES.iter().any(|hole| holds(line, hole, in_word, false)));
    assert!(found.is_empty(), "holes in the code:\n{}", found.join("\n"));
}

#[test]
fn every_test_runs() {
    let found = places(File::is_rust, |line| line.contains(LEFT_OUT) && !line.contains(RUN_BY_ANOTHER));
    assert!(found.is_empty(), "tests that do not run:\n{}", found.join("\n"));
}

#[test]
fn no_source_file_is_too_long() {
    let long: Vec<String> = files()
        .iter()
        .filter(|file| file.is_source())
        .map(|file| (file.own_lines().count(), &file.path))
        .filter(|(lines, _)| *lines > MOST_LINES)
        .map(|(lines, path)| format!("{path}: {lines} lines"))
        .collect();
    assert!(
        long.is_empty(),
        "longer than {MOST_LINES} lines, tests aside; each is perhaps two files:\n{}",
        long.join("\n")
    );
}

#[test]
fn every_link_in_the_documents_leads_somewhere() {
    let mut broken = Vec::new();
    for file in files().iter().filter(|file| file.is("md")) {
        let folder = file.path.rsplit_once('/').map_or("", |(folder, _)| folder);
        for target in file.text.split("](").skip(1).filter_map(|rest| rest.split([')', '#']).next()) {
            let elsewhere = target.is_empty() || target.contains("://");
            if !elsewhere && !root().join(folder).join(target).exists() {
                broken.push(format!("{}: {target}", file.path));
            }
        }
    }
    assert!(broken.is_empty(), "links to nothing:\n{}", broken.join("\n"));
}

#[test]
fn the_search_finds_what_it_looks_for() {
    let machine = MACHINES[0];
    assert!(holds(&format!("see {machine}x"), machine, in_path, false));
    assert!(!holds(&format!("a frame{machine}x"), machine, in_path, false));
    let word = PUT_OFF[0];
    assert!(holds(&format!("// {word}: later"), word, in_word, true));
    assert!(!holds(&format!("MÉ{word}"), word, in_word, true));
}
