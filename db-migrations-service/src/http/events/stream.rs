//! `GET /api/events`

use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::stream::{self, Stream, StreamExt as _};
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderName};
use serde::Deserialize;
use serde_json::json;
use utoipa::IntoParams;
use web::{Problem, Query};

use crate::events::kinds;
use crate::http::Api;
use crate::http::auth::{Shown, Who};
use crate::operations::{EventOrder, Events, Told};

/// Proxies close what is silent for a minute.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// A browser comes again after this, milliseconds.
const RETRY_MS: u32 = 1_000;

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[into_params(parameter_in = Query, rename_all = "camelCase")]
pub(in crate::http) struct EventsQuery {
    /// Only this environment: all of its databases.
    environment: Option<String>,
    /// Only this service.
    service: Option<String>,
    /// Only these types, separated by commas. Where none of them is known, the request is refused; where some are not, a comment
    /// at the beginning of the stream names them.
    #[param(example = "run_started,run_ended")]
    r#type: Option<String>,
    /// As the header `Last-Event-ID`, for who cannot send one; the header goes first.
    last_event_id: Option<i64>,
}

/// What happens, as it happens
///
/// Server-sent events of all runs, backups, findings and alerts, from now on or from after `Last-Event-ID`, on whichever copy of
/// the service. Each has `id`, `type` and `at`, and where it concerns one `environment`, `service` and `runId`: a run's
/// own (`run_started`, `planned`, `migration_started`, `statement_started`, `statement_finished`, `waiting`, `retrying`,
/// `migration_finished`, `migration_failed`, `finished`, `run_ended`, …), with `seq` their place in the run;
/// `backup_started`, `backup_finished`, `backup_failed`, `backup_cancelled`, and the same of `verification` and
/// `restore`; `backup_interrupted` and `restore_interrupted`, when a process that died is noticed; `drift_found`, `drift_resolved`, `audit_found`, `audit_resolved`; `alert_fired` and `alert_resolved`, with
/// `alert` as `GET /api/alerts` lists it; `release_started` and `release_ended`. Events are kept for 30 days; where some
/// after `Last-Event-ID` are gone, `gap` says so. Whoever reads too slowly is sent `resume` and disconnected, and goes on
/// with `Last-Event-ID`. Who may touch only some services is shown what concerns one of them.
#[utoipa::path(get, path = "/api/events", tag = "events",
    params(EventsQuery,
           ("Last-Event-ID" = Option<i64>, Header, description = "The `id` of the last event that was seen")),
    responses((status = 200, description = "Events, for as long as the caller listens", content_type = "text/event-stream", body = String)))]
pub(in crate::http) async fn stream_events(
    State(api): State<Api>,
    Who(caller): Who,
    shown: Shown,
    headers: HeaderMap,
    Query(query): Query<EventsQuery>,
) -> Result<Response, Problem> {
    let types = query.r#type.as_deref().unwrap_or_default().split(',');
    let types: Vec<String> = types.map(str::trim).filter(|kind| !kind.is_empty()).map(str::to_owned).collect();
    let unknown = unknown(&types)?;
    let order = EventOrder {
        environment: query.environment,
        service: query.service,
        kinds: types.into_iter().collect(),
        after: last_event_id(&headers)?.or(query.last_event_id).map(|id| id.max(0)),
    };
    let events = api.operations.listen(order, &caller).await?;
    // The number alone is no event for a browser, but it comes back with it.
    let hello = format!("{unknown}retry: {RETRY_MS}\n{}", place(&events));
    let first = stream::once(async { Ok::<_, std::convert::Infallible>(Bytes::from(hello)) });
    let stream = first
        .chain(rest(events).map(Ok))
        .take_until(api.shutdown.clone().cancelled_owned())
        .take_until(Box::pin(shown.no_longer_good(api)));
    let headers = [(CONTENT_TYPE, "text/event-stream"), (HeaderName::from_static("x-accel-buffering"), "no")];
    Ok((headers, Body::from_stream(stream)).into_response())
}

/// A type that this release does not tell may be one of a newer copy, whose page comes here for a while; it is said in a comment of
/// the stream. Whoever asks for nothing else would listen in silence, and is refused.
fn unknown(types: &[String]) -> Result<String, Problem> {
    let unknown: Vec<&str> =
        types.iter().map(String::as_str).filter(|kind| !kinds().any(|known| known == *kind)).collect();
    if unknown.is_empty() {
        return Ok(String::new());
    }
    if unknown.len() == types.len() {
        let known = kinds().collect::<Vec<_>>().join(", ");
        return Err(Problem::new(web::kinds::INVALID_QUERY)
            .detail(format!("type={}: no such event is told here", unknown.join(",")))
            .cure(format!("name some of these, or leave it out: {known}")));
    }
    // What was given has no line break: it came in a URL's query, and one that was encoded is shown as it was.
    Ok(format!(": not told here: {}\n", unknown.join(", ").escape_debug()))
}

fn last_event_id(headers: &HeaderMap) -> Result<Option<i64>, Problem> {
    let Some(value) = headers.get("last-event-id") else { return Ok(None) };
    let id = value.to_str().ok().and_then(|text| text.trim().parse::<i64>().ok());
    id.map(Some).ok_or_else(|| {
        Problem::new(web::kinds::INVALID_HEADER)
            .detail(format!("Last-Event-ID is {value:?}, expected the id of an event"))
            .cure("send the id of the last event that was seen, or leave the header out")
    })
}

/// Where a listener stands: with a filter, far behind what happened is not far from what they have seen.
fn place(events: &Events) -> String {
    format!("id: {}\n\n", events.after())
}

fn rest(events: Events) -> impl Stream<Item = Bytes> + Send {
    stream::unfold(Some(events), async |state| {
        let mut events = state?;
        match tokio::time::timeout(KEEP_ALIVE, events.next()).await {
            Err(_) => Some((place(&events).into(), Some(events))),
            Ok(Ok(Told::Messages(messages))) => Some((messages, Some(events))),
            Ok(Ok(Told::Behind)) => {
                let after = events.after();
                let body = json!({ "type": "resume", "after": after });
                Some((format!("id: {after}\nevent: resume\ndata: {body}\n\n").into(), None))
            }
            // The caller comes again with Last-Event-ID.
            Ok(Err(error)) => {
                tracing::warn!(%error, "an event stream broke off");
                None
            }
        }
    })
}
