//! A set of migrations walked forward on one scratch database, and what that says of each.

use std::sync::Arc;

use postgres_link::AdminConn;
use schema_catalog::{Scope as Schemas, Snapshot, difference};

use super::certificate::Certificate;
use super::rehearse::{Leg, Walk, snapshot};
use super::report::{Finding, Gate, Severity};
use super::stage::Stage;
use super::subject::Subject;
use crate::catalogue::Service;
use crate::engine::Target;
use crate::error::{EngineError, ErrorCode};
use crate::migration::MigrationId;
use crate::project::Project;
use crate::request::RunContext;

/// How the rehearsal of a set came out.
pub(super) struct Rehearsed {
    /// In order; shorter than the set where one could not be walked on from.
    pub migrations: Vec<(MigrationId, Vec<Finding>, Option<Certificate>)>,
    /// What concerns the whole set.
    pub findings: Vec<Finding>,
    /// The managed schemas before the first.
    pub before: schema_catalog::Fingerprint,
}

/// The schemas that the project manages.
pub(super) fn managed(project: &Project) -> Schemas {
    Schemas::schemas(project.catalogue.services.values().flat_map(|s| s.schemas.iter().cloned()))
}

/// Walks `subjects` on a scratch database that begins as a replay of `live`'s history (or empty). `compare` also holds
/// the replay against `live` itself.
pub(super) async fn rehearse(
    project: &Arc<Project>,
    target: &Target,
    live: Option<&AdminConn>,
    compare: bool,
    subjects: &[Subject],
    context: &RunContext,
) -> Result<Rehearsed, EngineError> {
    let stage = match live {
        Some(live) => Stage::replayed(project, target, live, context).await?,
        None => Stage::make(project, target, context).await?,
    };
    let walked = walk_all(project, &stage, live.filter(|_| compare), subjects, context).await;
    // It is dropped whatever came out, also when the caller has given up.
    let dropped = stage.strike().await;
    let walked = walked?;
    dropped?;
    Ok(walked)
}

async fn walk_all(
    project: &Project,
    stage: &Stage,
    compared: Option<&AdminConn>,
    subjects: &[Subject],
    context: &RunContext,
) -> Result<Rehearsed, EngineError> {
    let mut walker = stage.walker();
    let mut here = walker.snapshot().await?;
    let mut rehearsed = Rehearsed { migrations: Vec::new(), findings: Vec::new(), before: here.fingerprint() };
    if let Some(live) = compared {
        rehearsed.findings = drift(&here, &snapshot(live, &managed(project)).await?);
    }
    let drifted = !rehearsed.findings.is_empty();
    for (index, subject) in subjects.iter().enumerate() {
        let service = project.catalogue.service(&subject.service)?;
        let (walk, now) = walker.walk(&subject.walked(&service.owner_role().unwrap_or_default()), here).await?;
        here = now;
        let hangs = matches!(&walk.failed, Some((_, e)) if e.code == ErrorCode::RehearsalTimeout);
        // Who cancels the whole is told so, even where it looks as if the walk had been too slow.
        if context.cancel.is_cancelled() || stage.stop().is_cancelled() && !hangs {
            return Err(EngineError::new(ErrorCode::Cancelled, "the rehearsal was cancelled").cure("start it again"));
        }
        let findings = judge(subject, service, &walk);
        let holds = !drifted && findings.iter().all(|f| f.severity != Severity::Error);
        let certificate = holds.then(|| certify(subject, &walk, stage.conn().server_version_num()));
        let went_on = !matches!(walk.failed, Some((Leg::Up | Leg::UpAgain, _))) && !stage.stop().is_cancelled();
        rehearsed.migrations.push((subject.id.clone(), findings, certificate));
        if !went_on {
            for left in &subjects[index + 1..] {
                let finding = Finding::new(
                    Gate::Rehearsed,
                    "not-rehearsed",
                    Severity::Error,
                    format!("it was not rehearsed, because {} does not go up", subject.id),
                );
                rehearsed.migrations.push((left.id.clone(), vec![finding.of(&left.id)], None));
            }
            break;
        }
    }
    Ok(rehearsed)
}

fn drift(expected: &Snapshot, live: &Snapshot) -> Vec<Finding> {
    let differences = difference(expected, live);
    differences
        .iter()
        .map(|difference| {
            Finding::new(
                Gate::Rehearsed,
                "drift",
                Severity::Error,
                format!("the live schema is not what its history makes: {difference}"),
            )
            .cure("undo it, or adopt it as a migration: profe db drift --write-migration")
        })
        .collect()
}

fn certify(subject: &Subject, walk: &Walk, server_version_num: u32) -> Certificate {
    Certificate {
        up_hash: subject.up_hash.clone(),
        down_hash: subject.down_hash.clone(),
        before: walk.before,
        after: walk.after,
        server_version_num,
        at: time::OffsetDateTime::now_utc(),
        irreversible: subject.down.directives.irreversible.clone(),
        up_ms: walk.up_ms,
        down_ms: walk.down_ms,
        walk_ms: walk.took_ms,
        statements: walk.statements.clone(),
    }
}

/// What a walk says of its migration.
fn judge(subject: &Subject, service: &Service, walk: &Walk) -> Vec<Finding> {
    let mut findings = Vec::new();
    let error =
        |code: &str, message: String| Finding::new(Gate::Rehearsed, code, Severity::Error, message).of(&subject.id);
    for difference in &walk.not_restored {
        findings.push(
            error("down-does-not-restore", format!("the way back leaves another schema: {difference}"))
                .cure("complete the down file; where there is no way back, say so: `-- irreversible: <why>`"),
        );
    }
    if let Some((leg, failure)) = &walk.failed {
        let (code, words) = match leg {
            _ if failure.code == ErrorCode::RehearsalTimeout => ("rehearsal-hangs", ""),
            Leg::Up => ("up-fails", "it fails: "),
            Leg::Down => ("down-fails", "its way back fails: "),
            Leg::UpAgain => ("up-again-fails", "after its way back it cannot be applied again: "),
        };
        let mut finding = error(code, format!("{words}{}", failure.message));
        finding.location.clone_from(&failure.location);
        finding.cure.clone_from(&failure.cure);
        findings.push(finding);
    }
    // What the way back left is found by the second way there again; it is told once.
    if walk.not_restored.is_empty() {
        for difference in &walk.not_repeated {
            findings.push(
                error("not-repeatable", format!("the second time it makes another schema: {difference}"))
                    .cure("take out what depends on the moment: now(), random names, what is there by chance"),
            );
        }
    }
    for difference in &walk.made {
        if let Some(schema) = &difference.object.schema
            && !service.schemas.contains(schema)
        {
            findings.push(
                Finding::new(
                    Gate::StaysHome,
                    "changed-elsewhere",
                    Severity::Error,
                    format!("the rehearsal saw it change another service's schema: {difference}"),
                )
                .of(&subject.id),
            );
        }
    }
    findings
}
