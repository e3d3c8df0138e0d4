//! `GET /api/audit`

use axum::extract::State;
use migration_engine::audit::AuditFilter;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use utoipa::{IntoParams, ToSchema};
use web::{Json, Problem, Query};

use crate::http::Api;
use crate::http::auth::Who;
use crate::http::page;
use crate::operations::AuditOrder;

/// Entries per page, where the request does not say.
const PAGE: u32 = 50;
/// Statements can be long.
const LONGEST_PAGE: u32 = 500;

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[into_params(parameter_in = Query, rename_all = "camelCase")]
pub(in crate::http) struct AuditQuery {
    /// An environment of the catalogue. Default: the default environment.
    environment: Option<String>,
    /// At this time or later, RFC 3339.
    #[param(format = DateTime, example = "2026-09-01T00:00:00Z")]
    since: Option<String>,
    /// Before this time, RFC 3339.
    #[param(format = DateTime)]
    until: Option<String>,
    /// Signed in or acting as this database role.
    role: Option<String>,
    /// Only what touches this service's schemas.
    service: Option<String>,
    /// Only what touches this schema.
    schema: Option<String>,
    /// Only what came through the service, or only what did not.
    via_service: Option<bool>,
    /// Only this command tag.
    #[param(example = "CREATE TABLE")]
    command: Option<String>,
    /// Entries per page, 1 to 500. Default: 50.
    #[param(minimum = 1, maximum = 500)]
    limit: Option<u32>,
    /// The `next` of the page before.
    before: Option<i64>,
}

/// A page of the audit.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::http) struct AuditAnswer {
    /// The environment.
    environment: String,
    /// Why nothing is recorded here; absent where it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    off: Option<String>,
    /// Entries, newest first: id, at, event, command, sessionRole, actingRole, application, address, pid, transaction, objects,
    /// statement, statementBytes, statementSha256, context, viaService, runId, migration.
    #[schema(value_type = Vec<Object>)]
    entries: Vec<Value>,
    /// `before` of the next page; absent on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<i64>,
}

/// Who changed the schema
///
/// Every DDL command of the database, whoever ran it. Whether the record itself is whole, `POST /api/audit/verify` says.
#[utoipa::path(get, path = "/api/audit", tag = "audit", params(AuditQuery),
    responses((status = 200, description = "A page of it, newest first", body = AuditAnswer)))]
pub(in crate::http) async fn list_audit(
    State(api): State<Api>,
    Who(caller): Who,
    Query(query): Query<AuditQuery>,
) -> Result<Json<AuditAnswer>, Problem> {
    let limit = page::size(query.limit, PAGE, LONGEST_PAGE)? as usize;
    let filter = AuditFilter {
        since: time("since", query.since.as_deref())?,
        until: time("until", query.until.as_deref())?,
        role: query.role,
        schemas: query.schema.map(|schema| vec![schema]),
        via_service: query.via_service,
        command: query.command,
        before: query.before,
        limit,
    };
    let environment = api.operations.environment(query.environment.as_deref())?.environment.clone();
    let order = AuditOrder { environment: Some(environment.clone()), service: query.service, filter };
    let log = api.operations.audit(order, &caller).await?;
    let next = page::next(&log.entries, limit, |entry| entry.id);
    let entries = log.entries.iter().filter_map(|entry| serde_json::to_value(entry).ok()).collect();
    Ok(Json(AuditAnswer { environment, off: log.off, entries, next }))
}

fn time(parameter: &'static str, text: Option<&str>) -> Result<Option<OffsetDateTime>, Problem> {
    let Some(text) = text else { return Ok(None) };
    OffsetDateTime::parse(text, &Rfc3339).map(Some).map_err(|_| {
        Problem::new(web::kinds::INVALID_QUERY)
            .detail(format!("the parameter {parameter:?} is {text:?}, expected a time as in RFC 3339"))
            .cure("write it like 2026-09-01T00:00:00Z; a plus sign in an address is written %2B")
            .with("parameter", parameter)
    })
}
