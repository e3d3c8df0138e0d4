//! Sqitch: the order is that of `sqitch.plan`, and a change is known by its name.

use super::{Found, Read};
use crate::fault::{Fault, FaultKind};

const PLAN: &str = "sqitch.plan";

/// A line of the plan.
#[derive(Debug, PartialEq, Eq)]
enum Entry<'a> {
    Change { name: &'a str, requires: Vec<&'a str>, conflicts: Vec<&'a str> },
    Tag(&'a str),
}

/// The changes in the plan's order; the version is the place in it. Sqitch itself lets nobody insert before what is
/// deployed, since a change's id holds that of the one before.
pub(super) fn find(files: &[&str], read: &Read<'_>) -> Result<Vec<Found>, Fault> {
    let plan = read(PLAN).ok_or_else(|| {
        Fault::new(FaultKind::Malformed, format!("there is no {PLAN} in the folder"), "name the folder that holds it")
    })?;
    let entries = entries(&plan)?;
    let is_there = |path: &str| files.contains(&path);
    let mut found: Vec<Found> = Vec::new();
    for (at, entry) in entries.iter().enumerate() {
        let Entry::Change { name, requires, conflicts } = entry else { continue };
        check_dependencies(name, requires, conflicts, &found)?;
        let stem = stem(&entries, at, name, &is_there);
        let up = format!("deploy/{stem}.sql");
        if !is_there(&up) {
            return Err(Fault::new(
                FaultKind::Unpaired,
                format!("{PLAN} has the change {name}, and there is no {up}"),
                "put the file back, or take the change out of the plan",
            ));
        }
        let down = format!("revert/{stem}.sql");
        found.push(Found {
            version: i64::try_from(found.len() + 1).unwrap_or(i64::MAX),
            theirs: (*name).to_owned(),
            name: (*name).to_owned(),
            up,
            down: is_there(&down).then_some(down),
            no_transaction: false,
        });
    }
    Ok(found)
}

/// The name of the project, which its history may share with others.
pub(crate) fn project(plan: &str) -> Option<&str> {
    plan.lines().find_map(|line| line.trim().strip_prefix("%project=")).map(str::trim)
}

fn check_dependencies(name: &str, requires: &[&str], conflicts: &[&str], earlier: &[Found]) -> Result<(), Fault> {
    let is_earlier = |wanted: &str| {
        let plain = wanted.split('@').next().unwrap_or(wanted);
        plain.is_empty() || earlier.iter().any(|found| found.theirs == plain)
    };
    for wanted in requires {
        if wanted.contains(':') {
            return Err(Fault::unsupported(
                format!("{PLAN}: {name} requires {wanted}, which is of another project"),
                "adopt that project as another service, and require its migration by a header: -- requires: <schema>/<version>",
            ));
        }
        if !is_earlier(wanted) {
            return Err(Fault::new(
                FaultKind::Malformed,
                format!("{PLAN}: {name} requires {wanted}, which does not come before it"),
                "put the changes into an order in which each follows what it requires",
            ));
        }
    }
    match conflicts.iter().find(|other| is_earlier(other)) {
        Some(other) => Err(Fault::new(
            FaultKind::Malformed,
            format!("{PLAN}: {name} conflicts with {other}, which comes before it"),
            "take one of them out of the plan",
        )),
        None => Ok(()),
    }
}

/// The name of a change's scripts: one that was reworked later lies under its name with a tag from between.
fn stem(entries: &[Entry<'_>], at: usize, name: &str, is_there: &dyn Fn(&str) -> bool) -> String {
    let later = &entries[at + 1..];
    let again = later.iter().position(|entry| matches!(entry, Entry::Change { name: other, .. } if *other == name));
    let Some(again) = again else { return name.to_owned() };
    let tags = later[..again].iter().filter_map(|entry| match entry {
        Entry::Tag(tag) => Some(format!("{name}@{tag}")),
        Entry::Change { .. } => None,
    });
    let candidates: Vec<String> = tags.collect();
    let there = candidates.iter().find(|stem| is_there(&format!("deploy/{stem}.sql")));
    there.or(candidates.last()).cloned().unwrap_or_else(|| name.to_owned())
}

fn entries(plan: &str) -> Result<Vec<Entry<'_>>, Fault> {
    let mut entries = Vec::new();
    for (index, line) in plan.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') || line.starts_with('%') {
            continue;
        }
        let malformed = |why: &str| {
            Fault::new(
                FaultKind::Malformed,
                format!("{PLAN}:{}: {why}", index + 1),
                "a line is: name [requires !conflicts] 2024-01-31T12:00:00Z Planner <address> # note",
            )
        };
        let (word, rest) = line.split_once(char::is_whitespace).ok_or_else(|| malformed("it has no time"))?;
        if let Some(tag) = word.strip_prefix('@') {
            entries.push(Entry::Tag(tag));
            continue;
        }
        if word.starts_with('-') {
            return Err(malformed("a change that is taken back within the plan is not read"));
        }
        let name = word.trim_start_matches('+');
        let (mut requires, mut conflicts) = (Vec::new(), Vec::new());
        if let Some(list) = rest.trim_start().strip_prefix('[') {
            let (list, _) = list.split_once(']').ok_or_else(|| malformed("its list of changes has no end"))?;
            for other in list.split_whitespace() {
                match other.strip_prefix('!') {
                    Some(other) => conflicts.push(other),
                    None => requires.push(other),
                }
            }
        }
        entries.push(Entry::Change { name, requires, conflicts });
    }
    Ok(entries)
}
