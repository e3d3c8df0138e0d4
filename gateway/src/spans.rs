//! Where a request stands in a trace: the gateway's span goes on in the trace of whoever asks, and the service's is a part of it.
//!
//! Without an export `traceparent` passes as it came.

use http::{HeaderMap, HeaderValue, Method, StatusCode};
use runtime::trace;
use tracing::Span;

use crate::headers::{TRACEPARENT, TRACESTATE};

/// The span of a request.
pub(crate) struct Trace {
    pub(crate) span: Span,
    /// The header that names it; `None` without an export.
    place: Option<HeaderValue>,
}

impl Trace {
    /// Begins it, and tells the service of it by the request's headers.
    pub(crate) fn begin(id: &str, method: &Method, path: &str, headers: &mut HeaderMap) -> Self {
        // Probes come every few seconds.
        if matches!(path, "/health" | "/ready" | "/api/health" | "/api/v1/health") {
            return Self { span: Span::none(), place: None };
        }
        let asked = headers.get(TRACEPARENT).and_then(|value| value.to_str().ok());
        let asked = asked.filter(|header| trace::trace_id(header).is_some());
        let span = tracing::info_span!(target: "profe", "request", id, trace = asked.and_then(trace::trace_id));
        if span.is_disabled() {
            return Self { span, place: None };
        }
        if let Some(asked) = asked {
            trace::adopt(&span, asked, headers.get(TRACESTATE).and_then(|value| value.to_str().ok()));
        }
        let place = trace::traceparent(&span).and_then(|place| HeaderValue::from_str(&place).ok());
        if let Some(place) = &place {
            trace::attribute(&span, "http.request.method", method.as_str());
            trace::attribute(&span, "url.path", path);
            headers.insert(TRACEPARENT, place.clone());
        }
        Self { span, place }
    }

    /// Names the service that the request is for.
    pub(crate) fn leads_to(upstream: &str) {
        let span = Span::current();
        if !span.is_disabled() {
            trace::attribute(&span, "server.address", upstream);
        }
    }

    /// Says how it ended, and where it stands.
    pub(crate) fn end(&self, status: StatusCode, headers: &mut HeaderMap) {
        let Some(place) = &self.place else { return };
        headers.insert(TRACEPARENT, place.clone());
        if status.is_server_error() {
            trace::fail(&self.span);
        }
    }
}
