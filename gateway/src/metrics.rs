//! What was answered, by route, in the text format of Prometheus.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http::StatusCode;

use crate::endpoint::State;
use crate::routing::Routing;

/// Upper bounds of the histogram, seconds.
const BOUNDS: [f64; 12] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0];

/// Of all routes that were ever served since the start; a route keeps its numbers through new tables.
#[derive(Default)]
pub(crate) struct Metrics(Mutex<BTreeMap<String, Arc<RouteMetrics>>>);

/// Of one route.
pub(crate) struct RouteMetrics {
    /// No other route's, for as long as the process lives.
    pub(crate) number: usize,
    classes: [AtomicU64; 5],
    buckets: [AtomicU64; BOUNDS.len()],
    sum_us: AtomicU64,
    pub(crate) retries: AtomicU64,
}

impl Metrics {
    pub(crate) fn of(&self, route: &str) -> Arc<RouteMetrics> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let number = all.len();
        let new = || RouteMetrics {
            number,
            classes: Default::default(),
            buckets: Default::default(),
            sum_us: AtomicU64::new(0),
            retries: AtomicU64::new(0),
        };
        Arc::clone(all.entry(route.to_owned()).or_insert_with(|| Arc::new(new())))
    }

    /// The page.
    pub(crate) fn render(&self, routing: &Routing) -> String {
        let all: Vec<_> = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone().into_iter().collect();
        let mut page = String::new();
        // Writing into a String cannot fail.
        let _ = render(&mut page, &all, routing);
        page
    }
}

fn render(page: &mut String, all: &[(String, Arc<RouteMetrics>)], routing: &Routing) -> std::fmt::Result {
    writeln!(page, "# HELP gateway_requests_total Requests that were answered, by route and class of status.")?;
    writeln!(page, "# TYPE gateway_requests_total counter")?;
    for (route, metrics) in all {
        for (at, count) in metrics.classes.iter().enumerate() {
            let count = count.load(Ordering::Relaxed);
            if count > 0 {
                writeln!(page, "gateway_requests_total{{route=\"{route}\",status=\"{}xx\"}} {count}", at + 1)?;
            }
        }
    }
    writeln!(page, "# HELP gateway_request_duration_seconds Until the beginning of the answer.")?;
    writeln!(page, "# TYPE gateway_request_duration_seconds histogram")?;
    for (route, metrics) in all {
        let mut so_far = 0;
        for (bound, count) in BOUNDS.iter().zip(&metrics.buckets) {
            so_far += count.load(Ordering::Relaxed);
            writeln!(page, "gateway_request_duration_seconds_bucket{{route=\"{route}\",le=\"{bound}\"}} {so_far}")?;
        }
        let total: u64 = metrics.classes.iter().map(|count| count.load(Ordering::Relaxed)).sum();
        let sum_s = metrics.sum_us.load(Ordering::Relaxed) as f64 / 1e6;
        writeln!(page, "gateway_request_duration_seconds_bucket{{route=\"{route}\",le=\"+Inf\"}} {total}")?;
        writeln!(page, "gateway_request_duration_seconds_sum{{route=\"{route}\"}} {sum_s}")?;
        writeln!(page, "gateway_request_duration_seconds_count{{route=\"{route}\"}} {total}")?;
    }
    writeln!(page, "# HELP gateway_retries_total Attempts that were made again, by route.")?;
    writeln!(page, "# TYPE gateway_retries_total counter")?;
    for (route, metrics) in all {
        writeln!(page, "gateway_retries_total{{route=\"{route}\"}} {}", metrics.retries.load(Ordering::Relaxed))?;
    }
    writeln!(page, "# HELP gateway_copy_up Whether a copy of a service is sent requests.")?;
    writeln!(page, "# TYPE gateway_copy_up gauge")?;
    for (name, endpoint) in copies(routing) {
        let up = u8::from(endpoint.state() == State::Up);
        writeln!(page, "gateway_copy_up{{upstream=\"{name}\",copy=\"{}\"}} {up}", endpoint.authority)?;
    }
    writeln!(page, "# HELP gateway_copy_requests Requests that a copy is working on.")?;
    writeln!(page, "# TYPE gateway_copy_requests gauge")?;
    for (name, endpoint) in copies(routing) {
        writeln!(
            page,
            "gateway_copy_requests{{upstream=\"{name}\",copy=\"{}\"}} {}",
            endpoint.authority,
            endpoint.load()
        )?;
    }
    Ok(())
}

fn copies(routing: &Routing) -> impl Iterator<Item = (&str, Arc<crate::endpoint::Endpoint>)> {
    let upstreams = routing.upstreams.iter();
    upstreams.flat_map(|(name, upstream)| {
        upstream.copies().all().iter().map(|one| (name.as_str(), Arc::clone(one))).collect::<Vec<_>>()
    })
}

impl RouteMetrics {
    pub(crate) fn count(&self, status: StatusCode, took: Duration) {
        let class = usize::from(status.as_u16() / 100).clamp(1, 5) - 1;
        self.classes[class].fetch_add(1, Ordering::Relaxed);
        let seconds = took.as_secs_f64();
        if let Some(at) = BOUNDS.iter().position(|bound| seconds <= *bound) {
            self.buckets[at].fetch_add(1, Ordering::Relaxed);
        }
        self.sum_us.fetch_add(took.as_micros() as u64, Ordering::Relaxed);
    }
}
