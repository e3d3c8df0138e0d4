//! One log line per request, and a span that its other lines stand in.
//!
//! The query string is left out: people put into it what does not belong in logs.

use std::time::Instant;

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;
use tracing::Instrument;

use crate::problem::Code;
use crate::request_id::RequestId;

pub(crate) async fn layer(request: Request, next: Next) -> Response {
    let begun = Instant::now();
    let method = request.method().clone();
    let path = request.uri().path().to_owned();
    let id = request.extensions().get::<RequestId>().map_or("", RequestId::as_str).to_owned();
    let span = tracing::info_span!("request", id);
    async move {
        let response = next.run(request).await;
        let status = response.status().as_u16();
        let duration_ms = begun.elapsed().as_millis() as u64;
        let code = response.extensions().get::<Code>().map(|code| code.0);
        // Probes come every few seconds, and a 503 of `/ready` is what the prober asked for.
        if matches!(path.as_str(), "/health" | "/ready") {
            tracing::debug!(%method, path, status, duration_ms, code, "answered");
        } else if response.status().is_server_error() {
            tracing::warn!(%method, path, status, duration_ms, code, "answered");
        } else {
            tracing::info!(%method, path, status, duration_ms, code, "answered");
        }
        response
    }
    .instrument(span)
    .await
}
