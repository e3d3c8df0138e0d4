//! A set of migrations walked forward on one scratch database, and what that says of each.

use std::collections::BTreeSet;

use postgres_link::AdminConn;
use schema_catalog::{Scope as Schemas, Snapshot, difference};

use super::certificate::Certificate;
use super::data::{self, DataSource};
use super::rehearse::{Leg, Walk, snapshot};
use super::report::{Finding, Gate, Severity};
use super::stage::Stage;
use super::subject::Subject;
use super::validate::Examination;
use crate::catalogue::Service;
use crate::error::{EngineError, ErrorCode};
use crate::migration::MigrationId;
use crate::project::Project;
use crate::target::store;

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
    let services = || project.catalogue.services.values();
    let history = services().filter_map(|service| service.migrations.as_ref()?.history_table(service));
    Schemas::schemas(services().flat_map(|service| service.schemas.iter().cloned())).without_tables(history)
}

/// Walks `subjects` on a scratch database that begins as a replay of the target's history (or empty), or, where there
/// are rows to rehearse on, on those. The replay is held against the target itself.
pub(super) async fn rehearse(examination: &Examination<'_>, subjects: &[Subject]) -> Result<Rehearsed, EngineError> {
    let Examination { project, target, context, .. } = *examination;
    let compared = examination.live.filter(|_| examination.compare);
    let (stage, replay) = match (examination.live, examination.filled) {
        (Some(live), Some(filled)) => {
            let replay = if compared.is_some() { Some(replayed(examination, live).await?) } else { None };
            (Stage::filled(project, target, filled, live, context).await?, replay)
        }
        (Some(live), None) => (Stage::replayed(project, target, live, context).await?, None),
        (None, _) => (Stage::make(project, target, context).await?, None),
    };
    let walked = walk_all(examination, &stage, compared, replay, subjects).await;
    // It is dropped whatever came out, also when the caller has given up.
    let dropped = stage.strike().await;
    let walked = walked?;
    dropped?;
    Ok(walked)
}

/// Where the target's history leads.
async fn replayed(examination: &Examination<'_>, live: &AdminConn) -> Result<Snapshot, EngineError> {
    let stage = Stage::replayed(examination.project, examination.target, live, examination.context).await?;
    let snapshot = stage.snapshot().await;
    stage.strike().await?;
    snapshot
}

/// `replay` is where the history leads, where the stage itself is no replay.
async fn walk_all(
    examination: &Examination<'_>,
    stage: &Stage,
    compared: Option<&AdminConn>,
    replay: Option<Snapshot>,
    subjects: &[Subject],
) -> Result<Rehearsed, EngineError> {
    let Examination { project, context, .. } = *examination;
    let data = examination.filled.map(|filled| &filled.source);
    let mut walker = stage.walker();
    let begun: BTreeSet<MigrationId> = store::read(stage.conn()).await?.begun().map(|begun| begun.id.clone()).collect();
    let mut here = walker.snapshot().await?;
    let mut rehearsed = Rehearsed { migrations: Vec::new(), findings: Vec::new(), before: here.fingerprint() };
    if let Some(live) = compared {
        rehearsed.findings = drift(replay.as_ref().unwrap_or(&here), &snapshot(live, &managed(project)).await?);
    }
    let drifted = !rehearsed.findings.is_empty();
    for (index, subject) in subjects.iter().enumerate() {
        let service = project.catalogue.service(&subject.service)?;
        let walked = subject.walked(&service.owner_role().unwrap_or_default());
        let was_begun = begun.contains(&subject.id);
        let (walk, now) =
            if was_begun { walker.finish(&walked, here).await? } else { walker.walk(&walked, here).await? };
        here = now;
        let hangs = matches!(&walk.failed, Some((_, e)) if e.code == ErrorCode::RehearsalTimeout);
        // Who cancels the whole is told so, even where it looks as if the walk had been too slow.
        if context.cancel.is_cancelled() || stage.stop().is_cancelled() && !hangs {
            return Err(EngineError::new(ErrorCode::Cancelled, "the rehearsal was cancelled").cure("start it again"));
        }
        let findings = judge(subject, service, &walk, data);
        let holds = !drifted && findings.iter().all(|f| f.severity != Severity::Error);
        // One that was begun keeps the certificate of before that, of the whole.
        let certificate =
            (holds && !was_begun).then(|| certify(subject, &walk, stage.conn().server_version_num(), data));
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

fn certify(subject: &Subject, walk: &Walk, server_version_num: u32, data: Option<&DataSource>) -> Certificate {
    Certificate {
        up_hash: subject.up_hash.clone(),
        down_hash: subject.down_hash.clone(),
        before: walk.before,
        after: walk.after,
        server_version_num,
        at: time::OffsetDateTime::now_utc(),
        irreversible: subject.down.directives.irreversible.clone(),
        with_data: data.cloned(),
        up_ms: walk.up_ms,
        down_ms: walk.down_ms,
        walk_ms: walk.took_ms,
        statements: walk.statements.clone(),
    }
}

/// What a walk says of its migration.
fn judge(subject: &Subject, service: &Service, walk: &Walk, data: Option<&DataSource>) -> Vec<Finding> {
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
        if let Some(data) = data {
            data::tell_of_rows(&mut finding, failure, data);
        }
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
