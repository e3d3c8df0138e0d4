//! `GET /api/migrations/history`

use axum::extract::State;
use migration_engine::request::HistoryFilter;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;
use web::{Json, Problem, Query};

use crate::http::Api;
use crate::http::auth::Who;
use crate::http::{codes, page};
use crate::operations::{Caller, HistoryOrder, Spread, Unavailable, alone_of};

/// Entries per page, where the request does not say.
const PAGE: u32 = 50;
/// SQL texts can be large.
const LONGEST_PAGE: u32 = 500;

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[into_params(parameter_in = Query, rename_all = "camelCase")]
pub(in crate::http) struct HistoryQuery {
    /// An environment of the catalogue. Default: the default environment.
    environment: Option<String>,
    /// Only this service.
    service: Option<String>,
    /// Only this migration, `<schema>/<version>`.
    migration: Option<String>,
    /// Only this run.
    run_id: Option<Uuid>,
    /// Entries per page, 1 to 500. Default: 50.
    #[param(minimum = 1, maximum = 500)]
    limit: Option<u32>,
    /// The `next` of the page before.
    before: Option<i64>,
    /// Also the SQL texts.
    #[serde(default)]
    with_sql: bool,
}

/// A page of the history.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::http) struct HistoryAnswer {
    /// The environment.
    environment: String,
    /// Entries, newest first: id, service, migration, name, checksum, appliedAt, appliedBy, durationMs, runId, late,
    /// rolledBackAt, rolledBackBy, rollbackRunId, accepted (the hazards it accepts, with reasons), and upSql and downSql where asked for.
    ///
    /// Of an environment with several databases each entry says which in `database`, and there is one page of the newest ones:
    /// name a database (`development/auth`), or a service, for more.
    #[schema(value_type = Vec<Object>)]
    history: Vec<Value>,
    /// How many entries there are in all, whatever migration or run was asked for.
    total: i64,
    /// `before` of the next page; absent on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<i64>,
    /// Databases that could not be asked; their entries are missing.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    unavailable: Vec<Unavailable>,
}

/// What happened on a target
#[utoipa::path(get, path = "/api/migrations/history", tag = "migrations", params(HistoryQuery),
    responses((status = 200, description = "A page of it, newest first", body = HistoryAnswer)))]
pub(in crate::http) async fn migration_history(
    State(api): State<Api>,
    Who(caller): Who,
    Query(query): Query<HistoryQuery>,
) -> Result<Json<HistoryAnswer>, Problem> {
    let limit = page::size(query.limit, PAGE, LONGEST_PAGE)? as usize;
    let operations = &api.operations;
    let service = query.service.as_deref();
    let migration =
        query.migration.as_deref().map(|text| super::migration(&api, service, "migration", text)).transpose()?;
    let filter = HistoryFilter {
        service: query.service.clone(),
        migration,
        run_id: query.run_id,
        limit,
        before: query.before,
        with_sql: query.with_sql,
    };
    let owner =
        filter.migration.as_ref().and_then(|id| operations.catalogue().owner_of(&id.schema)).map(|(name, _)| name);
    let databases = operations.databases_for(query.environment.as_deref(), service.or(owner), &caller)?;
    let environment = match databases.as_slice() {
        [only] => only.clone(),
        several => return newest(&api, several, filter, &caller).await,
    };
    let order = HistoryOrder { environment: Some(environment.clone()), filter };
    let entries = operations.history(&order, &caller).await?;
    // Without an entry there may be no table to count in.
    let total =
        if entries.is_empty() { 0 } else { operations.history_count(Some(&environment), service, &caller).await? };
    let next = page::next(&entries, limit, |entry| entry.id);
    let history = entries.iter().filter_map(|entry| serde_json::to_value(entry).ok()).collect();
    Ok(Json(HistoryAnswer { environment, history, total, next, unavailable: Vec::new() }))
}

/// The newest entries of several databases together.
async fn newest(
    api: &Api,
    databases: &[String],
    filter: HistoryFilter,
    caller: &Caller,
) -> Result<Json<HistoryAnswer>, Problem> {
    let operations = &api.operations;
    if filter.before.is_some() {
        return Err(Problem::new(codes::INVALID_REQUEST)
            .detail("each database counts its own entries, so the newest of several have one page")
            .with("member", "before")
            .cure(format!("name one of the databases: {}", alone_of(databases))));
    }
    let Spread { environment, answers, unavailable } = operations.histories(databases, &filter, caller).await?;
    let total = answers.iter().map(|(_, (_, total))| total).sum();
    let mut entries: Vec<_> =
        answers.iter().flat_map(|(name, (entries, _))| entries.iter().map(move |entry| (name, entry))).collect();
    entries.sort_by_key(|(_, entry)| std::cmp::Reverse(entry.applied_at));
    let limit = filter.limit;
    let shown = entries.iter().take(limit).filter_map(|(name, entry)| {
        let mut value = serde_json::to_value(entry).ok()?;
        value["database"] = (*name).clone().into();
        Some(value)
    });
    Ok(Json(HistoryAnswer { environment, history: shown.collect(), total, next: None, unavailable }))
}
