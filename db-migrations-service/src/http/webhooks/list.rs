//! `GET /api/webhooks`

use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use web::{Json, Problem, Query};

use crate::http::Api;
use crate::http::auth::Who;
use crate::http::page;
use crate::webhooks::{DeliveryFilter, WebhookDelivery};

/// Deliveries per page, where the request does not say.
const PAGE: u32 = 50;
const LONGEST_PAGE: u32 = 500;

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[into_params(parameter_in = Query, rename_all = "camelCase")]
pub(in crate::http) struct WebhooksQuery {
    /// Only on this environment: on all its databases.
    environment: Option<String>,
    /// Only to this service.
    service: Option<String>,
    /// Only what has still to be told (`true`), or what is settled.
    open: Option<bool>,
    /// Deliveries per page, 1 to 500. Default: 50.
    #[param(minimum = 1, maximum = 500)]
    limit: Option<u32>,
    /// The `next` of the page before.
    before: Option<i64>,
}

/// A page of deliveries.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::http) struct WebhooksAnswer {
    /// Newest first.
    deliveries: Vec<WebhookDelivery>,
    /// `before` of the next page; absent on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<i64>,
}

/// What services are told of their migrations
///
/// Each service's webhook stands in the catalogue's `[services.<name>.webhooks]`. A service is told in order, at least once, for
/// up to a day; `deliveryId` in the body and the header `Profe-Delivery` say what it was told already. Kept for 90 days.
#[utoipa::path(get, path = "/api/webhooks", tag = "services", params(WebhooksQuery),
    responses((status = 200, description = "A page of it, newest first", body = WebhooksAnswer)))]
pub(in crate::http) async fn list_webhooks(
    State(api): State<Api>,
    Who(caller): Who,
    Query(query): Query<WebhooksQuery>,
) -> Result<Json<WebhooksAnswer>, Problem> {
    let limit = page::size(query.limit, PAGE, LONGEST_PAGE)?;
    let filter = DeliveryFilter {
        environments: api.operations.listed_databases(query.environment.as_deref())?,
        open: query.open,
        before: query.before,
        limit: limit.into(),
        ..DeliveryFilter::default()
    };
    let deliveries = api.operations.webhook_deliveries(query.service.as_deref(), filter, &caller).await?;
    let next = page::next(&deliveries, limit as usize, |delivery| delivery.id);
    Ok(Json(WebhooksAnswer { deliveries, next }))
}
