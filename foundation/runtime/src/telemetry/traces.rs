//! Spans leave as traces over OTLP (HTTP, protobuf) where an endpoint is named.
//!
//! Only spans of the target `profe` do, whatever the log level is: they are the ones that mean something to somebody who
//! looks at a whole platform.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use opentelemetry::trace::TracerProvider as _;
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{SdkTracerProvider, SpanData, SpanExporter as Exports, Tracer};
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
pub(super) struct Exporting {
    provider: SdkTracerProvider,
    is_away: Arc<AtomicBool>,
}

/// Says once that the collector is away, and once that it is back.
#[derive(Debug)]
struct Watched<E> {
    exporter: E,
    is_away: Arc<AtomicBool>,
}

impl<E: Exports> Exports for Watched<E> {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let sent = self.exporter.export(batch).await;
        let was_away = self.is_away.swap(sent.is_err(), Ordering::Relaxed);
        match &sent {
            Err(error) if !was_away => {
                tracing::warn!(%error, "traces cannot be sent, and are lost until they can; check OTEL_EXPORTER_OTLP_ENDPOINT");
            }
            Ok(()) if was_away => tracing::info!("traces are sent again"),
            _ => {}
        }
        sent
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.exporter.shutdown_with_timeout(timeout)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.exporter.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.exporter.set_resource(resource);
    }
}

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
        let is_away = Arc::new(AtomicBool::new(false));
        let exporter = Watched { exporter, is_away: Arc::clone(&is_away) };
        let provider = SdkTracerProvider::builder().with_batch_exporter(exporter).with_resource(resource).build();
        Ok(Self { provider, is_away })
    }

    pub(super) fn layer<S>(&self) -> OpenTelemetryLayer<S, Tracer>
    where
        S: tracing::Subscriber + for<'span> LookupSpan<'span>,
    {
        tracing_opentelemetry::layer()
            .with_tracer(self.provider.tracer("profe"))
            .with_location(false)
            .with_threads(false)
    }
}

impl Drop for Exporting {
    fn drop(&mut self) {
        if let Err(error) = self.provider.shutdown_with_timeout(PATIENCE)
            && !self.is_away.load(Ordering::Relaxed)
        {
            tracing::warn!(%error, "the last traces could not be sent");
        }
    }
}

/// What is traced.
pub(super) fn is_traced(metadata: &Metadata<'_>) -> bool {
    metadata.is_span() && metadata.target() == TARGET && *metadata.level() <= Level::INFO
}
