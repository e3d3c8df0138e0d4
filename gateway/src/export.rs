//! The route table for whoever puts nginx or Envoy in the gateway's place: what they can do of it, written in their own terms.
//!
//! `deploy/gateway/` is made of this and committed; a test fails when it is not what the table says.

mod envoy;
mod nginx;

pub use envoy::envoy;
pub use nginx::nginx;

use crate::place::Place;
use crate::table::{Rate, Table, UpstreamPlan};

/// Requests a minute, which both can count.
fn per_minute(rate: Rate) -> i64 {
    (60_000_000 / rate.interval_us).max(1)
}

/// The hosts and ports of an upstream, as far as they can be written down: SRV records are looked up by the gateway alone.
fn servers(plan: &UpstreamPlan) -> Vec<(String, String)> {
    let places = Place::parse_all(&plan.addresses).unwrap_or_default();
    let server = |place: Place| match place {
        Place::At(authority) => authority.rsplit_once(':').map(|(host, port)| (host.to_owned(), port.to_owned())),
        Place::Dns { name, port } => Some((name, port.to_string())),
        Place::Srv(_) => None,
    };
    places.into_iter().filter_map(server).collect()
}

/// A name as both take it for a variable or a zone.
fn word(name: &str) -> String {
    name.replace(['-', '.'], "_")
}

/// A plain path inside a regular expression.
fn escaped(path: &str) -> String {
    path.replace('.', "\\.")
}

impl Table {
    /// Paths with their routes, those that are looked at first in front.
    fn in_order(&self) -> impl Iterator<Item = (&str, &crate::table::Route)> {
        self.paths.iter().map(|(path, _, at)| (path.as_str(), &self.routes[*at]))
    }
}
