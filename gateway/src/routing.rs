//! The table that counts now, with the services that it names; another one takes its place as a whole.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::core::Core;
use crate::discover::Resolver;
use crate::metrics::{Metrics, RouteMetrics};
use crate::place::Place;
use crate::table::{Table, UpstreamPlan};
use crate::upstream::Upstream;

/// A table in use.
pub(crate) struct Routing {
    pub(crate) table: Table,
    pub(crate) upstreams: BTreeMap<String, Arc<Upstream>>,
    /// By the number of a route.
    pub(crate) of_route: Vec<(Arc<Upstream>, Arc<RouteMetrics>)>,
}

/// What a routing is made with, whatever the table.
pub(crate) struct Making {
    /// Addresses that stand for those of the table.
    pub(crate) addresses: BTreeMap<String, String>,
    pub(crate) check_every: Duration,
    pub(crate) resolver: Resolver,
}

impl Routing {
    /// Begins to look for the services; those that are as they were in `before` go on.
    pub(crate) fn start(
        table: Table,
        making: &Making,
        metrics: &Metrics,
        before: Option<&Self>,
    ) -> Result<Self, String> {
        let mut planned = Vec::new();
        for (name, plan) in &table.upstreams {
            let addresses = making.addresses.get(name).unwrap_or(&plan.addresses).clone();
            let places = Place::parse_all(&addresses).map_err(|why| format!("the addresses of {name}: {why}"))?;
            planned.push((name.clone(), UpstreamPlan { addresses, ..plan.clone() }, places));
        }
        let start = |(name, plan, places): (String, UpstreamPlan, Vec<Place>)| {
            let kept = before.and_then(|before| before.upstreams.get(&name)).filter(|kept| kept.copies().plan == plan);
            let new = || Arc::new(Upstream::start(&name, plan.clone(), places, making.check_every, &making.resolver));
            (name.clone(), kept.cloned().unwrap_or_else(new))
        };
        let upstreams: BTreeMap<_, _> = planned.into_iter().map(start).collect();
        let of_route = table.routes.iter().filter_map(|route| {
            let upstream = upstreams.get(&route.upstream)?;
            Some((Arc::clone(upstream), metrics.of(&route.name)))
        });
        let of_route = of_route.collect();
        Ok(Self { table, upstreams, of_route })
    }
}

/// Looks at the table's file every so often until `stop`. A text counts when it was the same at two looks, so none is read that is
/// still being written; one that is wrong is told once, and the last good one stays.
pub(crate) async fn follow(core: Arc<Core>, path: &Path, mut known: String, every: Duration, stop: CancellationToken) {
    let mut seen = known.clone();
    let mut trouble = None;
    loop {
        if stop.run_until_cancelled(tokio::time::sleep(every)).await.is_none() {
            return;
        }
        let text = match tokio::fs::read_to_string(path).await {
            Ok(text) => text,
            Err(error) => {
                note(&mut trouble, format!("it cannot be read: {error}"), path);
                continue;
            }
        };
        let is_settled = text == seen;
        seen.clone_from(&text);
        if !is_settled || text == known {
            continue;
        }
        let taken = Table::parse(&text).map_err(|error| error.to_string()).and_then(|table| core.take(table));
        known = text;
        match taken {
            Ok(()) => {
                tracing::info!(path = %path.display(), "the new route table counts from now on");
                trouble = None;
            }
            Err(error) => note(&mut trouble, error, path),
        }
    }
}

fn note(before: &mut Option<String>, now: String, path: &Path) {
    if before.as_ref() != Some(&now) {
        tracing::error!(path = %path.display(), error = now, "the route table is refused; the last good one stays");
        *before = Some(now);
    }
}
