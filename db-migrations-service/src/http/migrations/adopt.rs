//! `POST /api/migrations/adopt`

use axum::extract::State;
use migration_engine::adopt::AdoptedMigration;
use migration_engine::proof::report::Finding;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use web::{Json, Problem};

use crate::http::Api;
use crate::http::auth::Who;
use crate::operations::{AdoptOrder, AdoptionView};

/// What to adopt.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(in crate::http) struct AdoptBody {
    /// The service whose section in the catalogue names the folder and its tool.
    #[schema(example = "plans-service")]
    service: String,
    /// An environment of the catalogue. Default: the default environment.
    environment: Option<String>,
    /// Without a history table: everything up to this version of the folder counts as applied, once it is proven.
    #[schema(example = "20260131120000")]
    baseline: Option<String>,
    /// Prove it, do it, and take it back.
    #[serde(default)]
    dry_run: bool,
    /// The environment's name, repeated, where it is protected.
    confirm: Option<String>,
}

/// What was taken over.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::http) struct AdoptAnswer {
    /// The environment.
    environment: String,
    /// The service.
    service: String,
    /// The schema that its migrations are named by.
    schema: String,
    /// The tool.
    #[schema(example = "flyway")]
    layout: &'static str,
    /// The folder, relative to the project.
    path: String,
    /// The tool's history table; null where a baseline stands for it.
    history_table: Option<String>,
    /// Nothing was written.
    dry_run: bool,
    /// `version`, or `history` where the tool applied some after newer ones: in which order the files were proven, and are recorded.
    #[schema(example = "version")]
    order: &'static str,
    /// What the history takes over, in that order.
    adopted: Vec<AdoptedAnswer>,
    /// What it had taken over before.
    already: Vec<String>,
    /// What was rolled back here since it was adopted.
    taken_back: Vec<String>,
    /// What the next run applies.
    pending: Vec<String>,
    /// What made owners and grants those of the catalogue.
    aligned: Vec<String>,
    /// Of the service's schemas, live and as the files make them; null where there was nothing to adopt.
    fingerprint: Option<String>,
    /// What to know of it, as validations tell it: that a fresh database, which is migrated by version, comes out otherwise.
    #[schema(value_type = Vec<Object>)]
    findings: Vec<Finding>,
    /// Wall time, milliseconds.
    duration_ms: u64,
}

/// One migration that was taken over.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct AdoptedAnswer {
    /// `<schema>/<version>`.
    migration: String,
    /// As the tool calls it.
    theirs: String,
    /// Its intent.
    name: String,
    /// Its file, relative to the project.
    file: String,
    /// When the tool applied it, RFC 3339; null where it keeps no time.
    #[serde(with = "time::serde::rfc3339::option")]
    applied_at: Option<time::OffsetDateTime>,
    /// Who had it applied.
    applied_by: String,
    /// The folder has a way back for it.
    reversible: bool,
}

impl From<AdoptedMigration> for AdoptedAnswer {
    fn from(one: AdoptedMigration) -> Self {
        let AdoptedMigration { migration, theirs, name, file, applied_at, applied_by, reversible } = one;
        Self { migration: migration.to_string(), theirs, name, file, applied_at, applied_by, reversible }
    }
}

/// Take over a folder that another tool has run
///
/// The folder lies in the project that this service was started with, and its catalogue names it:
/// `[services.<name>.migrations]` with `path` and `layout`. The request takes no folder of its own: what a service runs is
/// what was deployed with it. `profe migrate adopt` writes the section.
///
/// The files are replayed on a throwaway database and must make the live schema; else `schema_differs` with the differences
/// in `findings`. What the tool's history says is taken over in one transaction, which also makes owners and grants those of
/// the catalogue. The tool's history is read only. A second request says what was adopted before.
#[utoipa::path(post, path = "/api/migrations/adopt", tag = "migrations", request_body = AdoptBody,
    responses((status = 200, description = "It is adopted, or was before", body = AdoptAnswer)))]
pub(in crate::http) async fn adopt_migrations(
    State(api): State<Api>,
    Who(caller): Who,
    Json(body): Json<AdoptBody>,
) -> Result<Json<AdoptAnswer>, Problem> {
    let order = AdoptOrder {
        environment: body.environment,
        service: body.service,
        baseline: body.baseline,
        dry_run: body.dry_run,
        confirm: body.confirm,
        ..AdoptOrder::default()
    };
    let AdoptionView { report, .. } = api.operations.adopt_folder(order, &caller, api.shutdown.clone()).await?;
    let names = |ids: Vec<migration_engine::MigrationId>| ids.iter().map(ToString::to_string).collect();
    Ok(Json(AdoptAnswer {
        environment: report.environment,
        service: report.service,
        schema: report.schema,
        layout: report.layout.as_str(),
        path: report.path,
        history_table: report.history_table,
        dry_run: report.dry_run,
        order: report.order.as_str(),
        adopted: report.adopted.into_iter().map(AdoptedAnswer::from).collect(),
        already: names(report.already),
        taken_back: names(report.taken_back),
        pending: names(report.pending),
        aligned: report.aligned,
        fingerprint: report.fingerprint.map(|fingerprint| fingerprint.to_string()),
        findings: report.findings,
        duration_ms: report.duration_ms,
    }))
}
