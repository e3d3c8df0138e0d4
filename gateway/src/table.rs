//! The route table: read from TOML, checked whole, and looked up.

mod read;
mod size;

use std::collections::BTreeMap;
use std::time::Duration;

use http::Method;

pub use read::TableError;

/// The inventory's table, in the binary.
pub const DEFAULT: &str = include_str!("../routes.toml");

/// What everything outside lies below, at services too.
pub(crate) const ROOT: &str = "/api";

/// A table that was checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    /// Prefixes that are read as `/api`.
    pub versions: Vec<String>,
    /// Of one client address, in all.
    pub client: Option<Rate>,
    /// Of one user, in all.
    pub user: Option<Rate>,
    /// By name.
    pub upstreams: BTreeMap<String, UpstreamPlan>,
    /// In the order of the text.
    pub routes: Vec<Route>,
    /// Every path of every route, the longest first: path, whether nothing below it counts, route.
    pub(crate) paths: Vec<(String, bool, usize)>,
}

/// Where a service is, and what it has beside its routes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpstreamPlan {
    /// As it stands in the text; [`crate::Place`] reads it.
    pub addresses: String,
    /// What is asked whether it may be sent requests.
    pub health: String,
    /// Where its webhooks arrive, for one that has any.
    pub webhook: Option<String>,
}

/// Who may use a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Access {
    /// Anybody.
    Public,
    /// Who presents an access token that is believed.
    SignedIn,
    /// Who presents any token: the service believes its own.
    Own,
}

/// So many requests in so much time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// Between two requests of a steady flow, microseconds.
    pub interval_us: i64,
    /// So many at once, of who has not asked for a while.
    pub burst: i64,
}

/// A path, and what becomes of requests for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// For people and metrics.
    pub name: String,
    /// What it serves.
    pub paths: Vec<String>,
    /// Only these paths, nothing below them.
    pub exact: bool,
    /// The path at the service, for the one path of the route.
    pub to: Option<String>,
    /// The service.
    pub upstream: String,
    /// For whom.
    pub access: Access,
    /// Only these methods; all where it is empty.
    pub methods: Vec<Method>,
    /// For the beginning of an answer, after the request has been sent.
    pub timeout: Duration,
    /// Of the request's body, bytes.
    pub body_limit: u64,
    /// WebSockets are let through.
    pub upgrade: bool,
    /// Of one user, or of one address where nobody has signed in.
    pub limit: Option<Rate>,
}

/// A route that was found, and the path that the service is asked for; `None` is the path as it came.
pub(crate) struct Found<'a> {
    pub(crate) at: usize,
    pub(crate) route: &'a Route,
    pub(crate) path: Option<String>,
}

impl Table {
    /// Reads and checks a text.
    ///
    /// # Errors
    /// The first thing that is wrong with it, in one sentence.
    pub fn parse(text: &str) -> Result<Self, TableError> {
        read::table(text)
    }

    /// Who serves `method` at `path`. Where the longest path that fits is for other methods, the next one counts.
    pub(crate) fn find(&self, method: &Method, path: &str) -> Option<Found<'_>> {
        let version = self.versions.iter().find_map(|version| below(path, version));
        let plain = match version {
            Some(rest) => std::borrow::Cow::Owned(format!("{ROOT}{rest}")),
            None => std::borrow::Cow::Borrowed(path),
        };
        self.paths.iter().find_map(|(prefix, exact, at)| {
            let rest = below(&plain, prefix)?;
            let route = &self.routes[*at];
            let fits = (!exact || rest.is_empty()) && (route.methods.is_empty() || route.methods.contains(method));
            let to = || match &route.to {
                Some(to) => Some(format!("{to}{rest}")),
                None => version.map(|_| plain.clone().into_owned()),
            };
            fits.then(|| Found { at: *at, route, path: to() })
        })
    }

    fn index(&mut self) {
        let all = self.routes.iter().enumerate();
        let all = all.flat_map(|(at, route)| route.paths.iter().map(move |path| (path.clone(), route.exact, at)));
        self.paths = all.collect();
        // Of two that are as long the exact one, and the one for fewer methods, is looked at first.
        let routes = &self.routes;
        self.paths
            .sort_by_key(|(path, exact, at)| (std::cmp::Reverse(path.len()), !exact, routes[*at].methods.is_empty()));
    }
}

/// What of `path` is left below `prefix`, empty or beginning with a slash.
fn below<'a>(path: &'a str, prefix: &str) -> Option<&'a str> {
    path.strip_prefix(prefix).filter(|rest| rest.is_empty() || rest.starts_with('/'))
}

#[cfg(test)]
mod tests;
