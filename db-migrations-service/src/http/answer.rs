//! How a run looks to clients.

use axum::response::{IntoResponse, Response};
use http::header::LOCATION;
use http::{HeaderValue, StatusCode};
use migration_engine::EngineError;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;
use web::{Json, Language};

use super::codes;
use crate::operations::{RunHandle, RunKind, RunRecord, RunState};

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
    /// Seconds that it will take, judged by the environment's last runs; 0 without any, and once it is over.
    pub(super) estimated_time: u64,
    /// What it set out to do, `<schema>/<version>`, in order.
    pub(super) migrations: Vec<String>,
    /// What is done of it, in order; for seeds the files that were run. Filled in when it is over.
    pub(super) done: Vec<String>,
    /// What the operator should know: late and missing migrations, parts that a dry run could not try.
    pub(super) notes: Vec<String>,
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
        let kind = code.as_deref().and_then(|code| codes::ALL.iter().find(|kind| kind.code == code));
        Self {
            migration_id: record.id,
            status: record.state,
            kind: record.kind,
            migrations_applied: counts(RunKind::Run),
            migrations_rolled_back: counts(RunKind::Rollback),
            estimated_time: 0,
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
        }
    }

    /// Of a run of this process, with what is known only here.
    pub(super) fn live(run: &RunHandle, language: Language) -> Self {
        let mut answer = Self::of(run.record(), language);
        if answer.status == RunState::Running {
            answer.estimated_time = run.estimate().map_or(0, |time| time.as_secs_f64().ceil() as u64);
            match answer.kind {
                RunKind::Run if !answer.dry_run => answer.migrations_applied = run.done(),
                RunKind::Rollback if !answer.dry_run => answer.migrations_rolled_back = run.done(),
                _ => {}
            }
        }
        answer
    }
}

/// The answer to a request that starts a run. 202 while it is under way; 200 once it is done. One that failed is not
/// 200, so that a script which looks at the status alone does not go on: it has the status of its error as a problem
/// has it (422 for a migration that PostgreSQL refused, 409 for a cancelled run), and the run's shape as its body.
pub(super) async fn started(run: RunHandle, wait: bool, language: Language) -> Response {
    if wait {
        run.finished().await;
    }
    let answer = RunAnswer::live(&run, language);
    let status = match answer.status {
        RunState::Running => StatusCode::ACCEPTED,
        RunState::Completed => StatusCode::OK,
        _ => run.end().and_then(|end| end.error().map(status_of)).unwrap_or(StatusCode::CONFLICT),
    };
    let mut response = (status, Json(&answer)).into_response();
    if let Ok(location) = HeaderValue::from_str(&format!("/api/migrations/runs/{}", run.id())) {
        response.headers_mut().insert(LOCATION, location);
    }
    response
}

fn status_of(error: &EngineError) -> StatusCode {
    codes::of_engine(error.code).status
}
