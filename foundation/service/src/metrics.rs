//! What a service counts: requests by method, route template and status.
//!
//! The names are OpenTelemetry's in Prometheus's spelling. A route's template has a few values, a path as many as there are ids.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use axum::extract::{ConnectInfo, MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::Method;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use kernel::Secret;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use crate::fault::Fault;

/// The specification's, seconds.
const BUCKETS: [f64; 14] = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0];
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
/// Paths that there is no route for.
const NO_ROUTE: &str = "none";

#[expect(clippy::struct_field_names, reason = "the labels that OpenTelemetry names")]
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Labels {
    http_request_method: &'static str,
    http_route: String,
    http_response_status_code: u16,
}

/// The meters of one service. A copy counts into the same.
#[derive(Clone)]
pub(crate) struct Metrics(Arc<Meters>);

struct Meters {
    registry: Registry,
    durations: Family<Labels, Histogram, fn() -> Histogram>,
    active: Gauge,
    token: Option<Secret>,
}

impl Metrics {
    /// Everything at 0. `token` lets those see it who do not call from this machine.
    pub(crate) fn new(service: &'static str, token: Option<Secret>) -> Self {
        let mut registry = Registry::with_labels([("service".into(), service.into())].into_iter());
        let durations = Family::new_with_constructor((|| Histogram::new(BUCKETS)) as fn() -> Histogram);
        let help = "How long requests took until their answer began, by route template";
        registry.register_with_unit("http_server_request_duration", help, Unit::Seconds, durations.clone());
        let active = Gauge::default();
        registry.register("http_server_active_requests", "Requests under way", active.clone());
        Self(Arc::new(Meters { registry, durations, active, token }))
    }

    fn text(&self) -> String {
        let mut text = String::new();
        if let Err(error) = encode(&mut text, &self.0.registry) {
            tracing::error!(%error, "the metrics could not be written");
            let _ = write!(text, "# EOF");
        }
        text
    }
}

pub(crate) async fn layer(State(metrics): State<Metrics>, request: Request, next: Next) -> Response {
    let begun = Instant::now();
    let http_request_method = method(request.method());
    let route = request.extensions().get::<MatchedPath>().map_or(NO_ROUTE, MatchedPath::as_str).to_owned();
    let under_way = UnderWay::begin(&metrics.0.active);
    let response = next.run(request).await;
    drop(under_way);
    let labels =
        Labels { http_request_method, http_route: route, http_response_status_code: response.status().as_u16() };
    metrics.0.durations.get_or_create(&labels).observe(begun.elapsed().as_secs_f64());
    response
}

/// `GET /metrics`: for who calls from this machine, or has the token.
pub(crate) async fn show(State(metrics): State<Metrics>, request: Request) -> Result<Response, Fault> {
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>();
    let is_near = peer.is_some_and(|ConnectInfo(peer)| peer.ip().to_canonical().is_loopback());
    let given = request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let given = given.and_then(|text| text.strip_prefix("Bearer "));
    let has_token = metrics.0.token.as_ref().zip(given).is_some_and(|(token, given)| same(token.reveal(), given));
    if !is_near && !has_token {
        return Err(Fault::unauthenticated("metrics are for this machine, or for the bearer of the metrics token"));
    }
    Ok(([(CONTENT_TYPE, OPEN_METRICS)], metrics.text()).into_response())
}

/// Takes as long for a wrong beginning as for a wrong end.
fn same(one: &str, other: &str) -> bool {
    use sha2::{Digest as _, Sha256};
    Sha256::digest(one) == Sha256::digest(other)
}

/// A request that its client left is not under way any more either.
struct UnderWay<'a>(&'a Gauge);

impl<'a> UnderWay<'a> {
    fn begin(active: &'a Gauge) -> Self {
        active.inc();
        Self(active)
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// Of methods that nobody knows there are as many as anybody likes.
fn method(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => "_OTHER",
    }
}
