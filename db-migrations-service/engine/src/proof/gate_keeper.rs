//! What stands between a run and an environment that requires proofs.

use std::collections::BTreeSet;

use super::certificate::{self, Certificate};
use super::rehearsal::managed;
use super::rehearse::snapshot;
use super::report::{Finding, Gate, Report, Severity};
use super::subject::Subject;
use super::validate::{Examination, keep};
use crate::error::{EngineError, ErrorCode};
use crate::event::Event;
use crate::migration::MigrationId;
use crate::run::attempt::Hands;
use crate::run::execute::PreparedRun;
use crate::target::quote::literal;
use crate::target::session::own_statement;
use crate::target::store;

/// Lets the run go on, or refuses it with what was found. The target is prepared and its lock is held.
pub(crate) async fn require(run: &PreparedRun, hands: &Hands<'_>) -> Result<(), Box<EngineError>> {
    let environment = run.project.catalogue.environment(&run.target.environment)?;
    let mut gates: BTreeSet<Gate> = environment.required_gates().into_iter().collect();
    for passed_by in &run.overrides {
        if gates.remove(&passed_by.gate) {
            remember(hands, passed_by.gate.as_str(), &passed_by.reason).await?;
        }
    }
    if gates.is_empty() || run.plan.migrations.is_empty() {
        return Ok(());
    }
    let order: Vec<MigrationId> = run.plan.migrations.iter().map(|m| m.migration.clone()).collect();
    let (subjects, unreadable) = Subject::read_all(&run.project, &order);
    let mut turn = None;
    if gates.contains(&Gate::Rehearsed) && unreadable.is_empty() {
        let mut proven = is_proven(run, hands, &subjects).await?;
        if let Some(shared) = run.shared_proofs.as_ref().filter(|_| !proven) {
            let here = snapshot(hands.quiet(), &managed(&run.project)).await?.fingerprint();
            proven = shared.lend(hands.quiet(), &subjects, here).await?;
            if !proven {
                turn = Some(shared.turn().await);
                // Somebody else may have rehearsed it meanwhile.
                proven = shared.lend(hands.quiet(), &subjects, here).await?;
            }
        }
        if proven {
            gates.remove(&Gate::Rehearsed);
            turn = None;
        }
    }
    hands.context.events.send(Event::Validating { gates: gates.iter().copied().collect() });
    let examination = Examination {
        project: &run.project,
        target: &run.target,
        live: Some(hands.quiet()),
        compare: true,
        gates: gates.clone(),
        filled: None,
        context: hands.context,
    };
    let report = examination.examine(&subjects, unreadable).await?;
    keep(hands.quiet(), &report).await;
    if let Some(shared) = &run.shared_proofs {
        shared.learn(&report);
    }
    drop(turn);
    hands.context.events.send(Event::Validated { passed: report.passed, gates: report.gates.clone() });
    if report.passed { Ok(()) } else { Err(Box::new(refused(&report))) }
}

/// Every migration has a certificate for its present files and the schema that it will find.
async fn is_proven(run: &PreparedRun, hands: &Hands<'_>, subjects: &[Subject]) -> Result<bool, EngineError> {
    let certificates = certificate::read(hands.quiet()).await?;
    if subjects.iter().any(|subject| !certificates.contains_key(&subject.id)) {
        return Ok(false);
    }
    let mut here = snapshot(hands.quiet(), &managed(&run.project)).await?.fingerprint();
    let server_version_num = hands.quiet().server_version_num();
    let state = store::read(hands.quiet()).await?;
    // The chain begins at the live schema, and each begins where the one before ends.
    Ok(subjects.iter().all(|subject| {
        let holds = |c: &&Certificate| c.holds_for(&subject.up_hash, &subject.down_hash, here, server_version_num);
        // One that was begun was proven from where it began; it leads to the same end.
        let was_begun = state.begun().any(|begun| begun.id == subject.id);
        let goes_on = |c: &&Certificate| was_begun && c.up_hash == subject.up_hash && c.down_hash == subject.down_hash;
        certificates.get(&subject.id).filter(|c| goes_on(c) || holds(c)).is_some_and(|certificate| {
            here = certificate.after;
            true
        })
    }))
}

fn refused(report: &Report) -> EngineError {
    let errors: Vec<&Finding> = report.all_findings().filter(|f| f.severity == Severity::Error).collect();
    let names: Vec<&str> = report.gates.iter().filter(|g| g.fails()).map(|g| g.gate.as_str()).collect();
    let first = errors.first().map_or_else(
        || report.gates.iter().find_map(|g| g.skipped.clone()).unwrap_or_default(),
        |finding| match &finding.migration {
            Some(id) => format!("{id}: {}", finding.message),
            None => finding.message.clone(),
        },
    );
    let more = match errors.len() {
        0 | 1 => String::new(),
        n => format!(" (and {} more)", n - 1),
    };
    let mut error = EngineError::new(
        ErrorCode::GateFailed,
        format!("{} requires what does not hold – {}: {first}{more}", report.environment, names.join(", ")),
    )
    .cure("mend the files (`profe migrate validate` shows all of it); nothing was applied");
    if let Some(finding) = errors.first() {
        error.migration.clone_from(&finding.migration);
        error.location.clone_from(&finding.location);
    }
    error.findings = report.all_findings().cloned().collect();
    error
}

/// That somebody passed a gate by stays with the target, whatever becomes of the run.
pub(crate) async fn remember(hands: &Hands<'_>, gate: &str, reason: &str) -> Result<(), EngineError> {
    let statement = format!(
        "{};INSERT INTO migration_service.gate_override (run_id, gate, reason, by_whom) VALUES ('{}', {}, {}, {})",
        include_str!("override.sql"),
        hands.context.run_id,
        literal(gate),
        literal(reason),
        literal(&hands.context.actor)
    );
    hands.quiet().batch(&statement).await.map(|_| ()).map_err(|e| own_statement(&e, "recording the override"))
}
