//! The scratch database of a rehearsal: made, brought to where the target stands, walked forward, dropped.

use std::sync::Arc;
use std::time::Duration;

use postgres_link::AdminConn;
use schema_catalog::{Scope as Schemas, Snapshot, difference};
use uuid::Uuid;

use super::certificate::Certificate;
use super::rehearse::{Leg, Walk, Walked, Walker, snapshot};
use super::report::{Finding, Gate, Severity};
use super::subject::Subject;
use crate::catalogue::Service;
use crate::engine::Target;
use crate::error::{EngineError, ErrorCode};
use crate::event::EventSink;
use crate::migration::{MigrationId, Version};
use crate::project::{Project, Script};
use crate::request::RunContext;
use crate::run::attempt::Hands;
use crate::run::steps::Text;
use crate::scratch;
use crate::target::session::{self, own_statement};
use crate::target::{prepare, store};

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
    let (name, place) = stage(target);
    scratch::create_empty(&target.connect, &name).await?;
    let walked = walk_all(project, &place, live, compare, subjects, context).await;
    // It is dropped whatever came out, also when the caller has given up.
    let dropped = scratch::drop_by_name(&target.connect, &name).await;
    let walked = walked?;
    dropped?;
    Ok(walked)
}

/// A scratch database that does not exist yet, beside the target's own.
pub(super) fn stage(target: &Target) -> (String, Target) {
    let name = format!("scratch_rehearsal_{}", &Uuid::new_v4().simple().to_string()[..12]);
    let connect = target.connect.clone().with_database(&name);
    (name, Target { environment: target.environment.clone(), connect, create_database: false })
}

/// Brings the walker's database to where the history of `live` leads.
pub(super) async fn replay(walker: &Walker<'_>, live: &AdminConn, project: &Project) -> Result<(), EngineError> {
    for applied in history(live, project).await? {
        walker.replay(&applied).await.map_err(|error| not_replayed(*error))?;
    }
    Ok(())
}

async fn walk_all(
    project: &Arc<Project>,
    place: &Target,
    live: Option<&AdminConn>,
    compare: bool,
    subjects: &[Subject],
    context: &RunContext,
) -> Result<Rehearsed, EngineError> {
    // Nothing of it need outlive a crash, so nobody waits for the disk.
    let place = Target { connect: place.connect.clone().with_option("synchronous_commit", "off"), ..place.clone() };
    let (conn, guard) =
        (session::open(&place, "profe rehearsal").await?, session::open(&place, "profe rehearsal").await?);
    prepare::prepare(&conn, &project.catalogue, false, false, &context.cancel).await?;
    let stop = context.cancel.child_token();
    let context = RunContext { events: EventSink::none(), cancel: stop.clone(), ..context.clone() };
    let settings = &project.catalogue.run;
    let walker = Walker {
        hands: Hands { conn: &conn, guard: &guard, settings, context: &context },
        scope: managed(project),
        stop: &stop,
        timeout: Duration::from_secs(settings.rehearsal_timeout_s),
    };
    if let Some(live) = live {
        replay(&walker, live, project).await?;
    }
    let mut here = walker.snapshot().await?;
    let mut rehearsed = Rehearsed { migrations: Vec::new(), findings: Vec::new(), before: here.fingerprint() };
    if let Some(live) = live.filter(|_| compare) {
        rehearsed.findings = drift(&here, &snapshot(live, &walker.scope).await?);
    }
    let drifted = !rehearsed.findings.is_empty();
    for (index, subject) in subjects.iter().enumerate() {
        let service = project.catalogue.service(&subject.service)?;
        let (walk, now) = walker.walk(&subject.walked(&service.owner_role().unwrap_or_default()), here).await?;
        here = now;
        if context.cancel.is_cancelled()
            && !matches!(&walk.failed, Some((_, e)) if e.code == ErrorCode::RehearsalTimeout)
        {
            return Err(EngineError::new(ErrorCode::Cancelled, "the rehearsal was cancelled").cure("start it again"));
        }
        let findings = judge(subject, service, &walk);
        let holds = !drifted && findings.iter().all(|f| f.severity != Severity::Error);
        let certificate = holds.then(|| certify(subject, &walk, conn.server_version_num()));
        let went_on = !matches!(walk.failed, Some((Leg::Up | Leg::UpAgain, _))) && !stop.is_cancelled();
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
    conn.close().await;
    guard.close().await;
    Ok(rehearsed)
}

/// What was applied here, in order, with the SQL as applied.
async fn history(live: &AdminConn, project: &Project) -> Result<Vec<Walked>, EngineError> {
    let query = "SELECT schema_name, version, service, name, up_sql, down_sql FROM migration_service.history \
                 WHERE rolled_back_at IS NULL ORDER BY id";
    let outcome = match live.batch(query).await {
        Ok(outcome) => outcome,
        Err(error) if matches!(error.sqlstate(), Some("42P01" | "3F000")) => return Ok(Vec::new()),
        Err(error) => return Err(own_statement(&error, "reading the history")),
    };
    let rows = outcome.statements.into_iter().flat_map(|s| s.rows);
    rows.map(|row| {
        let [schema, version, service, name, up_sql, down_sql] = store::cells(row)?;
        let id = MigrationId::new(schema, Version::from_stored(store::number(&version)?));
        let up = Script::parse(&format!("{id} (up SQL from the history)"), up_sql.clone(), &id.schema)?;
        let owner = project.catalogue.services.get(&service).and_then(Service::owner_role).unwrap_or_default();
        let (up_transactional, up_sets_session) = (up.is_transactional(), up.sets_session());
        // Its way back is not walked: it stands.
        let down = Script::opaque(&format!("{id} (down SQL from the history)"), &down_sql);
        Ok(Walked {
            id,
            service,
            name,
            owner,
            up: Text::from(up),
            down: Text::from(down),
            up_sql,
            down_sql,
            up_transactional,
            down_transactional: true,
            up_sets_session,
            down_sets_session: false,
            irreversible: true,
        })
    })
    .collect()
}

fn not_replayed(error: EngineError) -> EngineError {
    let mut told = EngineError::new(
        ErrorCode::GateFailed,
        format!("what was applied here cannot be applied to an empty database: {}", error.message),
    )
    .cure("without a replay nothing can be rehearsed; the other gates remain (`--gate`)");
    told.migration = error.migration;
    told.location = error.location;
    told.sql = error.sql;
    told
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
        up_hash: sql_grammar::sha256_hex(subject.up.sql.as_bytes()),
        down_hash: sql_grammar::sha256_hex(subject.down.sql.as_bytes()),
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
