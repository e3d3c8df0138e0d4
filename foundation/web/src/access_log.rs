//! One log line per request, and a span that its other lines stand in: with the request's id, and with the trace that the
//! caller has begun (W3C trace context), which the answer names again.
//!
//! The query string is left out: people put into it what does not belong in logs.

use std::time::Instant;

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;
use http::{HeaderName, HeaderValue};
use kernel::RequestId;
use runtime::trace;
use tracing::Instrument;

use crate::problem::Code;

/// The trace that the caller has begun, <https://www.w3.org/TR/trace-context/>.
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");

pub(crate) async fn layer(request: Request, next: Next) -> Response {
    let begun = Instant::now();
    let method = request.method().clone();
    let path = request.uri().path().to_owned();
    let id = request.extensions().get::<RequestId>().map_or("", RequestId::as_str).to_owned();
    let asked = request.headers().get(TRACEPARENT).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let asked = asked.filter(|header| trace::trace_id(header).is_some());
    // With log lines of every level, so that what went wrong can be looked up.
    let trace = asked.as_deref().and_then(trace::trace_id);
    // Probes, and what services read of one another, come every few seconds: no traces, and seldom a line.
    let is_probe = matches!(path.as_str(), "/health" | "/ready") || path.starts_with("/.well-known/");
    let span = if is_probe {
        tracing::error_span!("request", id, trace)
    } else {
        tracing::error_span!(target: "profe", "request", id, trace)
    };
    if let Some(header) = &asked {
        let state = request.headers().get(TRACESTATE).and_then(|value| value.to_str().ok());
        trace::adopt(&span, header, state);
    }
    trace::attribute(&span, "http.request.method", method.as_str());
    trace::attribute(&span, "url.path", &path);
    let place = trace::traceparent(&span).or(asked);
    let named = span.clone();
    async move {
        let mut response = next.run(request).await;
        if let Some(place) = place.and_then(|place| HeaderValue::from_str(&place).ok()) {
            response.headers_mut().insert(TRACEPARENT, place);
        }
        let status = response.status().as_u16();
        let duration_ms = begun.elapsed().as_millis() as u64;
        let code = response.extensions().get::<Code>().map(|code| code.0);
        // A 503 of `/ready` is what the prober asked for.
        if is_probe {
            tracing::debug!(%method, path, status, duration_ms, code, "answered");
        } else if response.status().is_server_error() {
            trace::fail(&named);
            tracing::warn!(%method, path, status, duration_ms, code, "answered");
        } else {
            tracing::info!(%method, path, status, duration_ms, code, "answered");
        }
        response
    }
    .instrument(span)
    .await
}
