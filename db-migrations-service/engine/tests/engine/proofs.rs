//! Proofs as their users meet them: sixty and more migrations, good and bad, each with exactly its verdict.
//!
//! Every bad one is a fault of a kind seen in public projects. The whole matrix is printed when one of them disagrees.

mod fixtures;
mod runs;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use fixtures::{BASE, FIXTURES, Fixture};

use lock_forecast::LockMode;
use migration_engine::proof::ValidateRequest;
use migration_engine::proof::report::{Report, Severity};
use migration_engine::request::Scope;

use crate::help::World;

pub async fn validate(w: &World) -> Report {
    let request = ValidateRequest { scope: Scope::All, whole: false, gates: Vec::new() };
    w.engine().validate(&request, &w.context()).await.unwrap_or_else(|error| panic!("{error:#?}"))
}

/// Errors as `gate/code`, each once, in order; `ok` where there is none.
fn verdict(report: &Report) -> String {
    let mut found: Vec<String> = report
        .all_findings()
        .filter(|f| f.severity == Severity::Error)
        .map(|f| format!("{}/{}", f.gate, f.code))
        .collect();
    found.sort();
    found.dedup();
    if found.is_empty() { "ok".to_owned() } else { found.join(" ") }
}

/// Where the forecast and what the rehearsal saw disagree, statement by statement.
///
/// Locks are held to the end of the transaction, so the strongest mode so far is compared. What only rows or bodies
/// decide is a bound from above, or none.
fn disagreements(report: &Report) -> Vec<String> {
    let mut found = Vec::new();
    for migration in &report.migrations {
        let (Some(forecast), Some(certificate)) = (&migration.forecast, &migration.certificate) else { continue };
        let (mut seen, mut sure, mut most) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        let mut unknown = false;
        for (told, figures) in forecast.statements.iter().zip(&certificate.statements) {
            let Some(locks) = &figures.locks else { continue };
            unknown |= told.unknown.is_some();
            for lock in locks {
                let mode = LockMode::from_name(&lock.mode).expect("a mode of pg_locks");
                raise(&mut seen, &lock.relation, mode);
            }
            for lock in told.locks.iter().filter(|lock| !lock.created_here) {
                let name = lock.relation.to_string();
                if lock.certain {
                    raise(&mut sure, &name, lock.mode);
                }
                raise(&mut most, &name, lock.mode);
            }
            for (relation, mode) in &sure {
                // Locks on indexes are not looked at.
                let is_index = relation.ends_with("_idx") || relation.ends_with("_pkey");
                if !is_index && seen.get(relation).is_none_or(|seen| seen < mode) {
                    found.push(format!(
                        "statement {}: forecast {mode:?} on {relation}, seen {:?}",
                        figures.statement,
                        seen.get(relation)
                    ));
                }
            }
            for (relation, mode) in &seen {
                if !unknown && most.get(relation).is_none_or(|most| most < mode) {
                    found.push(format!(
                        "statement {}: seen {mode:?} on {relation}, forecast {:?}",
                        figures.statement,
                        most.get(relation)
                    ));
                }
            }
            let rewrites: BTreeSet<String> = told
                .rewrites()
                .into_iter()
                .chain(&told.truncates)
                .filter(|name| told.locks.iter().any(|lock| lock.relation == **name && !lock.created_here))
                .map(ToString::to_string)
                .collect();
            let rewritten: BTreeSet<String> = figures.rewritten.iter().cloned().collect();
            if !unknown && rewrites != rewritten {
                found.push(format!(
                    "statement {}: forecast {rewrites:?} rewritten, seen {rewritten:?}",
                    figures.statement
                ));
            }
        }
    }
    found
}

fn raise(modes: &mut BTreeMap<String, LockMode>, relation: &str, mode: LockMode) {
    let entry = modes.entry(relation.to_owned()).or_insert(mode);
    *entry = (*entry).max(mode);
}

struct Outcome {
    disagreements: Vec<String>,
    name: &'static str,
    wanted: &'static str,
    found: String,
    told: Vec<String>,
    said: &'static str,
}

async fn judged(fixture: &'static Fixture) -> Outcome {
    let w = World::new().await;
    for (name, up, down) in BASE {
        w.project.migration(name, up, down);
    }
    w.run_ok().await;
    w.db.value(fixtures::ROWS).await;
    w.project.migration(fixture.at, fixture.up, fixture.down);
    let report = validate(&w).await;
    let found = verdict(&report);
    // A certificate is given where and only where everything but hazards holds.
    let certified = !report.migrations.is_empty() && report.migrations.iter().all(|m| m.certificate.is_some());
    let proven = !found.split(' ').any(|f| f != "ok" && !f.starts_with("hazards/"));
    assert_eq!(certified, proven, "{}: {found}", fixture.name);
    assert_eq!(report.passed, found == "ok", "{}: {found}", fixture.name);
    Outcome {
        disagreements: disagreements(&report),
        name: fixture.name,
        wanted: fixture.verdict,
        found,
        told: report.all_findings().map(|f| f.message.clone()).collect(),
        said: fixture.says,
    }
}

/// Walks are mostly waiting for the server.
const LANES: usize = 4;

fn judged_one_by_one(lane: &'static [Fixture]) -> Vec<Outcome> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    lane.iter().map(|fixture| runtime.block_on(judged(fixture))).collect()
}

#[test]
fn every_fixture_gets_exactly_its_verdict() {
    assert!(FIXTURES.len() >= 60, "{}", FIXTURES.len());
    let mut matrix = String::new();
    let mut wrong = 0;
    let outcomes: Vec<Outcome> = std::thread::scope(|scope| {
        let lanes: Vec<_> = FIXTURES
            .chunks(FIXTURES.len().div_ceil(LANES))
            .map(|lane| scope.spawn(|| judged_one_by_one(lane)))
            .collect();
        lanes.into_iter().flat_map(|lane| lane.join().expect("no panic")).collect()
    });
    for outcome in outcomes {
        let says_it = outcome.said.is_empty() || outcome.told.iter().any(|told| told.contains(outcome.said));
        let good = outcome.wanted == outcome.found && says_it && outcome.disagreements.is_empty();
        wrong += usize::from(!good);
        let mark = if good { "  " } else { "✗ " };
        let _ = writeln!(matrix, "{mark}{:<44} {}", outcome.name, outcome.found);
        if !good {
            let _ = writeln!(
                matrix,
                "    wanted {} saying {:?}\n    told {:#?}\n    {:#?}",
                outcome.wanted, outcome.said, outcome.told, outcome.disagreements
            );
        }
    }
    std::io::Write::write_all(&mut std::io::stdout(), matrix.as_bytes()).expect("a place to print");
    assert_eq!(wrong, 0, "of {} fixtures\n{matrix}", FIXTURES.len());
}
