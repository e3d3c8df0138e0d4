//! Spans leave as traces over OTLP (HTTP, protobuf) where an endpoint is named.
//!
//! Only spans of the target `profe` do, whatever the log level is: they are the ones that mean something to somebody who
//! looks at a whole platform.

use std::time::Duration;

use opentelemetry::trace::TracerProvider as _;
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{SdkTracerProvider, Tracer};
use tracing::{Level, Metadata};
use tracing_opentelemetry::OpenTelemetryLayer;
use tracing_subscriber::registry::LookupSpan;

use super::TelemetryError;

/// Spans of this target are traced.
pub(super) const TARGET: &str = "profe";
/// A collector that takes longer is away; what it should have had is lost, and nobody waits for it.
const PATIENCE: Duration = Duration::from_secs(3);

/// Where traces go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TraceExport {
    /// As in `OTEL_EXPORTER_OTLP_ENDPOINT`: the collector's address, to which `/v1/traces` is added.
    pub endpoint: String,
    /// What the program is called there, unless `OTEL_SERVICE_NAME` says otherwise.
    pub service: String,
}

/// Sends what is left when it is dropped, which must not happen on a thread of a runtime.
#[derive(Debug)]
pub(super) struct Exporting(SdkTracerProvider);

impl Exporting {
    pub(super) fn to(export: &TraceExport) -> Result<Self, TelemetryError> {
        // Its client speaks TLS where the endpoint does; another part of the program may have chosen before.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let endpoint = format!("{}/v1/traces", export.endpoint.trim_end_matches('/'));
        let exporter = SpanExporter::builder()
            .with_http()
            .with_protocol(Protocol::HttpBinary)
            .with_endpoint(endpoint)
            .with_timeout(PATIENCE)
            .build()
            .map_err(|error| TelemetryError::Traces(error.to_string()))?;
        let name = std::env::var("OTEL_SERVICE_NAME").ok().filter(|name| !name.is_empty());
        let resource = Resource::builder().with_service_name(name.unwrap_or_else(|| export.service.clone())).build();
        Ok(Self(SdkTracerProvider::builder().with_batch_exporter(exporter).with_resource(resource).build()))
    }

    pub(super) fn layer<S>(&self) -> OpenTelemetryLayer<S, Tracer>
    where
        S: tracing::Subscriber + for<'span> LookupSpan<'span>,
    {
        tracing_opentelemetry::layer().with_tracer(self.0.tracer("profe")).with_location(false).with_threads(false)
    }
}

impl Drop for Exporting {
    fn drop(&mut self) {
        if let Err(error) = self.0.shutdown_with_timeout(PATIENCE) {
            tracing::warn!(%error, "the last traces could not be sent");
        }
    }
}

/// What is traced.
pub(super) fn is_traced(metadata: &Metadata<'_>) -> bool {
    metadata.is_span() && metadata.target() == TARGET && *metadata.level() <= Level::INFO
}
