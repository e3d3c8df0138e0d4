//! How a run looks to clients.

use axum::response::{IntoResponse, Response};
use http::header::LOCATION;
use http::{HeaderValue, StatusCode};
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;
use uuid::Uuid;
use web::{Json, Language, Problem};

use super::{codes, problems};
use crate::operations::{BackupOrigin, RunEnd, RunHandle, RunKind, RunRecord, RunState, restore_command};

/// A run, a rollback or a seeding.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct RunAnswer {
    /// Its id; follow it at `/api/migrations/runs/{migrationId}`.
    pub(super) migration_id: Uuid,
    /// `running`, `completed`, `failed`, `cancelled`, or `interrupted` when its process died.
    #[schema(value_type = String, example = "running")]
    pub(super) status: RunState,
    /// `run`, `rollback`, `seed` or `seed_reset`.
    #[schema(value_type = String, example = "run")]
    pub(super) kind: RunKind,
    /// For which service; null is all.
    #[schema(example = "auth-service")]
    pub(super) service: Option<String>,
    /// On which environment.
    pub(super) environment: String,
    /// Nothing of it stays.
    pub(super) dry_run: bool,
    /// How many migrations it has applied so far; 0 for a dry run and for anything but a run.
    pub(super) migrations_applied: usize,
    /// How many it has taken back so far.
    pub(super) migrations_rolled_back: usize,
    /// Whole seconds that it will take in all, judged by the environment's last runs of this kind, or before the first
    /// one by the number of statements; 0 once it is over; null where nothing can be said: for seeds, and for a run of
    /// another process.
    #[schema(example = 1)]
    pub(super) estimated_time: Option<u64>,
    /// What it set out to do, `<schema>/<version>`, in order.
    pub(super) migrations: Vec<String>,
    /// What is done of it, in order; for seeds the files that were run. Filled in when it is over.
    pub(super) done: Vec<String>,
    /// What the operator should know: late and missing migrations, parts that a dry run could not try.
    pub(super) notes: Vec<String>,
    /// The backup of what it touches, as that was before; null where there is none.
    pub(super) backup_id: Option<String>,
    /// How it came by that: `made` for it, `accepted` as good enough, or `waived`, with a reason that the target keeps; null where
    /// the environment wants no backup, or nothing was there to back up.
    #[schema(value_type = Option<String>, example = "made")]
    pub(super) backup_origin: Option<BackupOrigin>,
    /// Backups that show what was there before: of a rollback, those of the runs that have applied what it takes back; of a run
    /// that failed, its own. Each with the migrations that it is from before of, and the command that restores it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(value_type = Vec<Object>)]
    pub(super) backups: Vec<Value>,
    /// The run that goes on with it, where its copy of the service died or ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) continued_by: Option<Uuid>,
    /// The run that it goes on with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) continues: Option<Uuid>,
    /// Rows written by seeds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) rows: Option<u64>,
    /// Who asked for it.
    pub(super) actor: String,
    /// The request that asked for it.
    pub(super) request_id: Option<String>,
    /// When it began.
    #[schema(value_type = String, format = DateTime)]
    #[serde(with = "time::serde::rfc3339")]
    pub(super) started_at: time::OffsetDateTime,
    /// When it was over.
    #[schema(value_type = Option<String>, format = DateTime)]
    #[serde(with = "time::serde::rfc3339::option")]
    pub(super) finished_at: Option<time::OffsetDateTime>,
    /// Why it failed: code, message, cure, migration, location, sql, blockers, related.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub(super) error: Option<Value>,
    /// The error's code, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) code: Option<String>,
    /// A sentence about the error for a person.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) message: Option<String>,
    /// Where the environment has several databases, the run in each of them, in their order. Each has an id of its own; the
    /// members above are those of the first one, or of the first that did not end well.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(no_recursion)]
    pub(super) databases: Vec<RunAnswer>,
}

impl RunAnswer {
    pub(super) fn of(record: RunRecord, language: Language) -> Self {
        let report = record.report.as_ref();
        let texts = |value: Option<&Value>| -> Vec<String> {
            let list = value.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
            list.iter().filter_map(Value::as_str).map(str::to_owned).collect()
        };
        let planned = record.plan["migrations"].as_array().map(Vec::as_slice).unwrap_or_default();
        let done =
            texts(report.map(|report| if report["done"].is_array() { &report["done"] } else { &report["applied"] }));
        let counts = |kind: RunKind| if record.kind == kind && !record.dry_run { done.len() } else { 0 };
        let mut notes = texts(record.plan.get("notes"));
        if let Some(Value::Array(parts)) = report.map(|report| &report["notTried"]) {
            notes.extend(parts.iter().map(|part| {
                format!(
                    "{} was not tried: {}",
                    part[0].as_str().unwrap_or_default(),
                    part[1].as_str().unwrap_or_default()
                )
            }));
        }
        let error = report.map(|report| &report["error"]).filter(|error| error.is_object()).cloned();
        let code = error.as_ref().and_then(|error| error["code"].as_str()).map(str::to_owned);
        let mut backups = record.plan["backups"].as_array().cloned().unwrap_or_default();
        // A run that was refused for its backup, or stopped while that was made, has nothing to restore.
        let has_begun = report.is_some_and(|report| report["outcome"].is_string());
        if record.kind == RunKind::Run
            && record.state != RunState::Completed
            && has_begun
            && let Some(backup_id) = &record.backup_id
        {
            let migrations: Vec<&Value> = planned.iter().map(|step| &step["migration"]).collect();
            let command = restore_command(backup_id);
            backups.push(json!({ "backupId": backup_id, "migrations": migrations, "command": command }));
        }
        let kind = code.as_deref().and_then(|code| codes::ALL.iter().find(|kind| kind.code == code));
        Self {
            migration_id: record.id,
            status: record.state,
            kind: record.kind,
            migrations_applied: counts(RunKind::Run),
            migrations_rolled_back: counts(RunKind::Rollback),
            estimated_time: (record.state != RunState::Running).then_some(0),
            migrations: planned.iter().filter_map(|step| step["migration"].as_str()).map(str::to_owned).collect(),
            rows: report.and_then(|report| report["rows"].as_u64()),
            message: kind.map(|kind| language.pick(kind.es, kind.en).to_owned()),
            service: record.service,
            environment: record.environment,
            dry_run: record.dry_run,
            actor: record.actor,
            request_id: record.request_id,
            started_at: record.started_at,
            finished_at: record.finished_at,
            done,
            notes,
            error,
            code,
            backups,
            backup_id: record.backup_id,
            backup_origin: record.backup_origin,
            continued_by: record.continued_by,
            continues: record.continues,
            databases: Vec::new(),
        }
    }

    /// Of a run of this process, with what is known only here.
    pub(super) fn live(run: &RunHandle, language: Language) -> Self {
        let mut answer = Self::of(run.record(), language);
        if answer.status == RunState::Running {
            // What is under way takes some time.
            answer.estimated_time = run.estimate().map(|time| (time.as_secs_f64().ceil() as u64).max(1));
            match answer.kind {
                RunKind::Run if !answer.dry_run => answer.migrations_applied = run.done(),
                RunKind::Rollback if !answer.dry_run => answer.migrations_rolled_back = run.done(),
                _ => {}
            }
        }
        answer
    }
}

/// A problem of a request that starts a run. Where the run had begun and was waited for, it has the run as well.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct RunProblemDocument {
    #[serde(flatten)]
    problem: web::ProblemDocument,
    /// The id of the run that failed or was cancelled; absent when the request was refused before it began.
    migration_id: Option<Uuid>,
    /// That run, as `/api/migrations/runs/{migrationId}` shows it.
    run: Option<RunAnswer>,
    /// The migration concerned, `<schema>/<version>`.
    migration: Option<String>,
    /// Where in a file: file, line, column, lineText, statement, statementText.
    #[schema(value_type = Option<Object>)]
    location: Option<Value>,
    /// What PostgreSQL said: sqlstate, message, detail, hint.
    #[schema(value_type = Option<Object>)]
    sql: Option<Value>,
    /// What was left behind in the target: nothing, unless it says so.
    left_behind: Option<String>,
    /// Who is in the way: the holder of the migration lock, or of a table.
    #[schema(value_type = Option<Vec<Object>>)]
    blockers: Option<Vec<Value>>,
    /// The migrations that a refusal lists: a circle's path, dependents, edited ones.
    related: Option<Vec<String>>,
}

/// Marks the answer to a request that was carried out, however that ended.
#[derive(Debug, Clone, Copy)]
pub(super) struct CarriedOut;

/// The answer to a request that starts a run: 202 while it is under way, and for whoever does not wait for it also
/// when it has failed by now; 200 once it is done; and for whoever waited a problem where it failed or was cancelled.
pub(super) async fn started(runs: Vec<RunHandle>, wait: bool, language: Language) -> Response {
    if wait {
        for run in &runs {
            run.finished().await;
        }
    }
    let mut answers: Vec<_> = runs.iter().map(|run| RunAnswer::live(run, language)).collect();
    let under_way = answers.iter().any(|answer| answer.status == RunState::Running);
    let ended_badly = |answer: &RunAnswer| !matches!(answer.status, RunState::Completed | RunState::Running);
    let told = answers.iter().position(ended_badly).unwrap_or_default();
    let (Some(run), Some(mut answer)) = (runs.get(told), answers.get(told).cloned()) else {
        return Problem::new(web::kinds::INTERNAL).into_response();
    };
    if answers.len() > 1 {
        answer.databases = std::mem::take(&mut answers);
    }
    let mut response = match answer.status {
        RunState::Completed if !under_way => Json(&answer).into_response(),
        RunState::Failed | RunState::Cancelled | RunState::Interrupted if wait => failed(run, &answer).into_response(),
        _ => (StatusCode::ACCEPTED, Json(&answer)).into_response(),
    };
    if let Ok(location) = HeaderValue::from_str(&format!("/api/migrations/runs/{}", run.id())) {
        response.headers_mut().insert(LOCATION, location);
    }
    response.extensions_mut().insert(CarriedOut);
    response
}

fn failed(run: &RunHandle, answer: &RunAnswer) -> Problem {
    let end = run.end();
    let problem = match end.as_ref().and_then(RunEnd::error) {
        Some(error) => problems::of_engine(error),
        None => Problem::new(codes::CANCELLED)
            .detail("the run was cancelled; what it had done stands")
            .cure("run it again to go on where it stopped"),
    };
    problem.with("migrationId", answer.migration_id).with("run", answer)
}
