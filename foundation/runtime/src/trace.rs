//! W3C trace context: a span goes on in the trace of whoever asked, and says where it stands in it.
//!
//! Source: <https://www.w3.org/TR/trace-context/>.

use std::collections::HashMap;

use opentelemetry::propagation::TextMapPropagator as _;
use opentelemetry::trace::{Status, TraceContextExt as _};
use opentelemetry_sdk::propagation::TraceContextPropagator;
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

/// The trace's id, where the header `traceparent` is one that can be understood.
pub fn trace_id(traceparent: &str) -> Option<&str> {
    let hex = |text: &str, length: usize| {
        text.len() == length && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
    };
    let is_something = |text: &str| text.bytes().any(|b| b != b'0');
    let mut parts = traceparent.split('-');
    let (version, trace, parent, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    // Later versions may add parts; version 00 has four.
    let whole = version != "00" || parts.next().is_none();
    (whole && hex(version, 2) && version != "ff" && hex(trace, 32) && hex(parent, 16) && hex(flags, 2))
        .then_some(trace)
        .filter(|trace| is_something(trace) && is_something(parent))
}

/// Makes the span, which nobody has entered yet, a part of the trace that the headers name. Without an export nothing
/// happens.
pub fn adopt(span: &Span, traceparent: &str, tracestate: Option<&str>) {
    let mut headers = HashMap::from([("traceparent".to_owned(), traceparent.to_owned())]);
    headers.extend(tracestate.map(|state| ("tracestate".to_owned(), state.to_owned())));
    // Refused where no traces are made.
    let _ = span.set_parent(TraceContextPropagator::new().extract(&headers));
}

/// The header `traceparent` that says where the span stands; `None` without an export.
pub fn traceparent(span: &Span) -> Option<String> {
    let context = span.context();
    let context = context.span().span_context().clone();
    context
        .is_valid()
        .then(|| format!("00-{}-{}-{:02x}", context.trace_id(), context.span_id(), context.trace_flags().to_u8()))
}

/// Marks a span as one that did not end well, for whoever looks at the trace; log lines stay as they are.
pub fn fail(span: &Span) {
    span.set_status(Status::error(""));
}

/// Adds what only a trace should have.
pub fn attribute(span: &Span, name: &'static str, value: &str) {
    span.set_attribute(name, value.to_owned());
}

#[cfg(test)]
mod tests {
    use super::trace_id;

    #[test]
    fn headers_are_checked() {
        let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
        assert_eq!(trace_id(&format!("00-{trace}-00f067aa0ba902b7-01")), Some(trace));
        assert_eq!(trace_id(&format!("01-{trace}-00f067aa0ba902b7-01-more")), Some(trace));
        for bad in [
            "",
            "00",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736\n-00f067aa0ba902b7-01",
        ] {
            assert_eq!(trace_id(bad), None, "{bad}");
        }
    }
}
