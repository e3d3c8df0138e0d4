//! The walks of documents, done as they are written.
//!
//! `<!-- walk -->` before a `sh` block runs it, `<!-- walk: exit 3 -->` expects that exit code, and
//! `<!-- walk: write path -->` writes the next block into the one file that the path (with at most one `*` in its last
//! part) stands for. A `text` block after a run is what it printed, `…` standing for anything.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::{program_folder, root};

const MARK: &str = "<!-- walk";

#[derive(Debug, PartialEq, Eq)]
enum Step {
    Run { script: String, exit: i32 },
    Printed(String),
    Write { path: String, text: String },
}

/// The marked blocks in their order, each with its line.
fn steps(readme: &str) -> Vec<(usize, Step)> {
    let mut steps = Vec::new();
    let mut lines = readme.lines().enumerate();
    let mut mark: Option<String> = None;
    let mut after_run = false;
    while let Some((index, line)) = lines.next() {
        if let Some(rest) = line.strip_prefix(MARK) {
            mark = Some(rest.trim_start_matches(':').trim_end_matches("-->").trim().to_owned());
        } else if let Some(language) = line.strip_prefix("```") {
            let body: String = lines.by_ref().map(|(_, line)| line).take_while(|line| *line != "```").fold(
                String::new(),
                |mut body, line| {
                    body.push_str(line);
                    body.push('\n');
                    body
                },
            );
            let step = match mark.take() {
                Some(order) if order.starts_with("write ") => {
                    Some(Step::Write { path: order["write ".len()..].trim().to_owned(), text: body })
                }
                Some(order) => {
                    let exit = order.strip_prefix("exit ").map_or(0, |code| code.trim().parse().expect("a number"));
                    Some(Step::Run { script: body, exit })
                }
                None if language == "text" && after_run => Some(Step::Printed(body)),
                None => None,
            };
            after_run = matches!(step, Some(Step::Run { .. }));
            steps.extend(step.map(|step| (index + 1, step)));
        } else if !line.trim().is_empty() {
            after_run = false;
        }
    }
    steps
}

/// Whether `printed` is `expected`, blanks at the ends of lines aside.
fn fits(expected: &str, printed: &str) -> bool {
    let tidy = |text: &str| text.lines().map(str::trim).collect::<Vec<_>>().join("\n").trim().to_owned();
    let (expected, printed) = (tidy(expected), tidy(printed));
    let mut parts: Vec<&str> = expected.split('…').collect();
    let last = parts.pop().unwrap_or_default();
    if parts.is_empty() {
        return printed == last;
    }
    let mut rest = printed.as_str();
    for (index, part) in parts.into_iter().enumerate() {
        match rest.find(bare(part, rest, index > 0)) {
            Some(at) if at == 0 || index > 0 => rest = &rest[at + bare(part, rest, index > 0).len()..],
            _ => return false,
        }
    }
    rest.ends_with(bare(last, rest, true))
}

/// An ellipsis that has its line alone may stand for no line at all: then the line break behind it is not printed.
fn bare<'a>(part: &'a str, rest: &str, after_ellipsis: bool) -> &'a str {
    let without = part.strip_prefix('\n').filter(|_| after_ellipsis && !rest.contains(part));
    without.unwrap_or(part)
}

/// The one file that a path with at most one `*` stands for.
fn only_file(base: &Path, path: &str) -> PathBuf {
    let (folder, name) = path.rsplit_once('/').expect("a folder and a name");
    let (before, after) = name.split_once('*').unwrap_or((name, ""));
    let entries = fs::read_dir(base.join(folder)).expect("the folder is there").flatten();
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    let found: Vec<String> = names.filter(|name| name.starts_with(before) && name.ends_with(after)).collect();
    assert_eq!(found.len(), 1, "{path} stands for {found:?}");
    base.join(folder).join(&found[0])
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("made");
    for entry in fs::read_dir(from).expect("readable").flatten() {
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            let _ = fs::copy(entry.path(), target).expect("copied");
        }
    }
}

/// Does what the document says, in `place`.
fn walk(document: &str, place: &Path, variables: &[(&str, &str)]) {
    let text = fs::read_to_string(root().join(document)).expect("it is there");
    let steps = steps(&text);
    assert!(steps.len() > 5, "{document} has no walk: {steps:#?}");
    let path = format!("{}:{}", program_folder().display(), std::env::var("PATH").unwrap_or_default());

    // What one block exports holds in the next, as in a terminal.
    let mut exported = String::new();
    let mut printed = String::new();
    for (line, step) in steps {
        match step {
            Step::Write { path, text } => fs::write(only_file(place, &path), text).expect("written"),
            Step::Printed(expected) => {
                assert!(
                    fits(&expected, &printed),
                    "{document}:{line}: expected\n{expected}\nbut it printed\n{printed}"
                );
            }
            Step::Run { script, exit } => {
                let output = Command::new("sh")
                    .args(["-c", &format!("set -e\n{exported}{script}")])
                    .current_dir(place)
                    .env_clear()
                    .envs([("PATH", path.as_str()), ("HOME", place.to_str().expect("UTF-8")), ("USER", "ada")])
                    .envs(variables.iter().copied())
                    .output()
                    .expect("sh runs");
                printed = String::from_utf8_lossy(&output.stdout).into_owned();
                let mut told = printed.clone();
                let _ = write!(told, "{}", String::from_utf8_lossy(&output.stderr));
                assert_eq!(output.status.code(), Some(exit), "{document}:{line}:\n{script}\n{told}");
                for export in script.lines().filter(|line| line.starts_with("export ")) {
                    let _ = writeln!(exported, "{export}");
                }
            }
        }
    }
}

#[test]
fn the_first_migration_is_made_as_the_readme_says() {
    let place = tempfile::tempdir().expect("a temporary folder");
    for part in ["config", "migrations", "seeds"] {
        copy(&root().join("db-migrations-service").join(part), &place.path().join("db-migrations-service").join(part));
    }
    let database = testkit::block_on(testkit::server().platform_database());
    walk("README.md", place.path(), &[("DATABASE_URL", &database.url())]);
}

/// On private clusters, whose server is another account than root.
#[test]
fn a_lost_server_is_replaced_as_the_operations_guide_says() {
    use std::os::unix::fs::PermissionsExt as _;
    let place = tempfile::tempdir().expect("a temporary folder");
    fs::set_permissions(place.path(), fs::Permissions::from_mode(0o777)).expect("our own folder");
    walk("docs/operations.md", place.path(), &[]);
}

#[test]
fn a_walk_is_read() {
    let text = "<!-- walk: exit 3 -->\n```sh\na\nb\n```\n```text\nx … y\n```\n\nwords\n```text\nnot this\n```\n<!-- walk: write m/*_x.sql -->\n```sql\nselect 1;\n```\n";
    let read: Vec<Step> = steps(text).into_iter().map(|(_, step)| step).collect();
    assert_eq!(
        read,
        [
            Step::Run { script: "a\nb\n".into(), exit: 3 },
            Step::Printed("x … y\n".into()),
            Step::Write { path: "m/*_x.sql".into(), text: "select 1;\n".into() },
        ]
    );
}

#[test]
fn an_ellipsis_is_anything() {
    for (expected, printed) in [
        ("a … c", "a b c"),
        ("…\nc", "a\nb\nc"),
        ("…\nc", "c"),
        ("a\n…", "a\nb"),
        ("1 applied in ….", "1 applied in 3 ms."),
        ("a", "a  \n"),
        ("in ….", "in 3.5 ms."),
    ] {
        assert!(fits(expected, printed), "{expected:?} {printed:?}");
    }
    for (expected, printed) in [("a … c", "a b"), ("a", "a b"), ("…\nc", "c\nd"), ("b …", "a b c")] {
        assert!(!fits(expected, printed), "{expected:?} {printed:?}");
    }
}
