//! `GET /api/migrations/runs/{migrationId}/events`

use std::time::Duration;

use axum::extract::State;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream::{self, Stream, StreamExt as _};
use http::{HeaderMap, StatusCode};
use serde_json::{Value, json};
use time::format_description::well_known::Rfc3339;
use uuid::Uuid;
use web::{Language, Path, Problem};

use crate::http::Api;
use crate::http::answer::RunAnswer;
use crate::http::auth::{Shown, Who};
use crate::operations::{Caller, EventLine, RunEvents, RunState};

/// Proxies close what is silent for a minute.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// What another process does is written down each half second, and read so often.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// A run's progress as it happens
///
/// Server-sent events from the run's beginning, or from after `Last-Event-ID`: `planned`, `preparing`,
/// `migration_started`, `statement_started`, `statement_finished`, `waiting`, `retrying`, `repaired`, `backfill_progress`,
/// `backfill_paused`, `not_tried`, `migration_finished`, `migration_failed`, `finished`, each with `seq` and `at`. Statements that take less than 50 ms are
/// not told one by one: the next event of their migration has them as `shortStatements`, each with its line, its tag, rows
/// and time. `retrying` tells that all begins again with the first statement. At last comes `end`
/// with the run. When there is nothing more to tell the answer is 204, which ends a browser's reconnecting.
#[utoipa::path(get, path = "/api/migrations/runs/{migrationId}/events", tag = "runs",
    params(("migrationId" = Uuid, Path, description = "The run's id"),
           ("Last-Event-ID" = Option<u64>, Header, description = "The `seq` of the last event that was seen")),
    responses((status = 200, description = "Events", content_type = "text/event-stream", body = String),
              (status = 204, description = "The run is over and everything was seen")))]
pub(in crate::http) async fn run_events(
    State(api): State<Api>,
    Who(caller): Who,
    shown: Shown,
    headers: HeaderMap,
    Path(id): Path<Uuid>,
) -> Result<Response, Problem> {
    let last = match headers.get("last-event-id") {
        None => None,
        Some(value) => Some(value.to_str().ok().and_then(|text| text.trim().parse::<u64>().ok()).ok_or_else(|| {
            Problem::new(web::kinds::INVALID_HEADER)
                .detail(format!("Last-Event-ID is {value:?}, expected the seq of an event"))
                .cure("send the id of the last event that was seen, or leave the header out")
        })?),
    };
    let language = Language::of(&headers);
    let record = api.operations.run(id, &caller).await?;
    let mut events = api.operations.run_events(id, last.unwrap_or(0), &caller).await?;
    let mut waiting = Vec::new();
    if record.state != RunState::Running {
        // Over: what is left can be had without waiting.
        waiting = events.next().await?.unwrap_or_default();
        if waiting.is_empty() && last.is_some() {
            return Ok(StatusCode::NO_CONTENT.into_response());
        }
    }
    let shutdown = api.shutdown.clone();
    let first = stream::iter(waiting.into_iter().map(|line| Ok(event(&line))));
    let stream = first
        .chain(rest(api.clone(), caller, id, events, language))
        .take_until(shutdown.cancelled_owned())
        .take_until(Box::pin(shown.no_longer_good(api)));
    Ok(Sse::new(stream).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)).into_response())
}

type Sent = Result<Event, axum::Error>;

/// What is still to come, and then the run itself.
fn rest(api: Api, caller: Caller, id: Uuid, events: RunEvents, language: Language) -> impl Stream<Item = Sent> + Send {
    stream::unfold(Some((api, caller, events)), move |state| async move {
        let (api, caller, mut events) = state?;
        let sent: Vec<Sent> = match events.next().await {
            Ok(Some(lines)) => {
                let sent = lines.iter().map(|line| Ok(event(line))).collect();
                return Some((stream::iter::<Vec<Sent>>(sent), Some((api, caller, events))));
            }
            Ok(None) => match api.operations.run(id, &caller).await {
                // Another process does it: the command line, or a copy of the service, which may have died.
                Ok(record) if record.state == RunState::Running && api.operations.live_run(id).is_none() => {
                    tokio::time::sleep(LOOK_AGAIN).await;
                    return Some((stream::iter(Vec::new()), Some((api, caller, events))));
                }
                Ok(record) => {
                    // What was written down before its end, and after it was read.
                    if let Ok(Some(lines)) = events.next().await {
                        let sent: Vec<Sent> = lines.iter().map(|line| Ok(event(line))).collect();
                        return Some((stream::iter(sent), Some((api, caller, events))));
                    }
                    let answer = api
                        .operations
                        .live_run(id)
                        .map_or_else(|| RunAnswer::of(record, language), |run| RunAnswer::live(&run, language));
                    vec![Event::default().event("end").json_data(answer)]
                }
                Err(_) => Vec::new(),
            },
            // The caller comes again with Last-Event-ID.
            Err(error) => {
                tracing::warn!(run = %id, %error, "an event stream broke off");
                Vec::new()
            }
        };
        Some((stream::iter(sent), None))
    })
    .flatten()
}

fn event(line: &EventLine) -> Event {
    let mut body = line.event.clone();
    if let Value::Object(members) = &mut body {
        members.insert("seq".to_owned(), json!(line.seq));
        members.insert("at".to_owned(), json!(line.at.format(&Rfc3339).unwrap_or_default()));
    }
    let name = line.event["type"].as_str().unwrap_or("event").to_owned();
    Event::default().id(line.seq.to_string()).event(name).data(body.to_string())
}
