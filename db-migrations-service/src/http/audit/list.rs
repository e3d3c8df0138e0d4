//! `GET /api/audit`

use std::cmp::Reverse;

use axum::extract::State;
use migration_engine::audit::{AuditFilter, AuditPage};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use utoipa::{IntoParams, ToSchema};
use web::{Json, Problem, Query};

use crate::http::Api;
use crate::http::auth::Who;
use crate::http::databases::nobody;
use crate::http::page;
use crate::operations::{AuditOrder, Spread, Unavailable};

/// Entries per page, where the request does not say.
const PAGE: u32 = 50;
/// Statements can be long.
const LONGEST_PAGE: u32 = 500;

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[into_params(parameter_in = Query, rename_all = "camelCase")]
pub(in crate::http) struct AuditQuery {
    /// An environment of the catalogue, each of its databases. Default: the default environment.
    environment: Option<String>,
    /// At this time or later, RFC 3339.
    #[param(format = DateTime, example = "2026-09-01T00:00:00Z")]
    since: Option<String>,
    /// Before this time, RFC 3339.
    #[param(format = DateTime)]
    until: Option<String>,
    /// Signed in or acting as this database role.
    role: Option<String>,
    /// Only what touches this service's schemas, in the database that it lives in.
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
    /// The environment, or the database, that this is about.
    environment: String,
    /// Why nothing is recorded here; absent where it is. Of several databases it names each that does not.
    #[serde(skip_serializing_if = "Option::is_none")]
    off: Option<String>,
    /// Entries, newest first: id, at, event, command, sessionRole, actingRole, application, address, pid, transaction, objects,
    /// statement, statementBytes, statementSha256, context, viaService, runId, migration.
    ///
    /// Of an environment with several databases each entry says which in `database`, and there is one page of the newest ones.
    #[schema(value_type = Vec<Object>)]
    entries: Vec<Value>,
    /// `before` of the next page; absent on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<i64>,
    /// Each database by itself, where the environment has several.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    databases: Vec<AuditOfDatabase>,
    /// Databases that could not be asked; their entries are missing.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    unavailable: Vec<Unavailable>,
}

/// The log of a database.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::http) struct AuditOfDatabase {
    /// Its name, as an environment is named.
    #[schema(example = "production/auth")]
    environment: String,
    /// Why nothing is recorded there; absent where it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    off: Option<String>,
    /// Asked for this database alone (the main one is `<environment>/main`), `before` of the page that follows what is shown of
    /// it; absent where that is all.
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
    let order = AuditOrder { environment: query.environment, service: query.service, filter };
    let mut spread = api.operations.audits(order, &caller).await?;
    if spread.is_several() {
        return Ok(Json(AuditAnswer::newest(spread, limit)));
    }
    spread.answers.pop().map(|(name, log)| Json(AuditAnswer::of_one(name, log, limit))).ok_or_else(nobody)
}

impl AuditAnswer {
    fn of_one(environment: String, log: AuditPage, limit: usize) -> Self {
        let next = page::next(&log.entries, limit, |entry| entry.id);
        let entries = log.entries.iter().filter_map(|entry| serde_json::to_value(entry).ok()).collect();
        let (off, databases, unavailable) = (log.off, Vec::new(), Vec::new());
        Self { environment, off, entries, next, databases, unavailable }
    }

    /// The newest entries of several databases together.
    fn newest(Spread { environment, answers, unavailable }: Spread<AuditPage>, limit: usize) -> Self {
        let mut shown = vec![0; answers.len()];
        let mut entries = Vec::new();
        // The newest of those that each database has left: of one's own they stay in their order.
        while entries.len() < limit {
            let heads = answers.iter().enumerate().filter_map(|(at, (_, log))| Some((at, log.entries.get(shown[at])?)));
            let Some((at, entry)) = heads.max_by_key(|(at, entry)| (entry.at, Reverse(*at))) else { break };
            shown[at] += 1;
            let mut value = serde_json::to_value(entry).unwrap_or_default();
            value["database"] = answers[at].0.clone().into();
            entries.push(value);
        }
        let of_database = |((name, log), shown): (&(String, AuditPage), usize)| {
            let last = log.entries[..shown].last().map(|entry| entry.id);
            let newest = log.entries.first().map(|entry| entry.id + 1);
            let next = last.or(newest).filter(|_| shown < log.entries.len() || shown == limit);
            AuditOfDatabase { environment: name.clone(), off: log.off.clone(), next }
        };
        let databases: Vec<_> = answers.iter().zip(shown).map(of_database).collect();
        let off: Vec<_> =
            databases.iter().filter_map(|one| Some(format!("{}: {}", one.environment, one.off.as_ref()?))).collect();
        Self {
            environment,
            off: (!off.is_empty()).then(|| off.join("; ")),
            entries,
            next: None,
            databases,
            unavailable,
        }
    }
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
