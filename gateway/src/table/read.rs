//! From the text to a table that cannot be wrong.

use std::collections::BTreeMap;
use std::time::Duration;

use http::Method;
use serde::Deserialize;

use super::size::bytes;
use super::{Access, ROOT, Rate, Route, Table, UpstreamPlan};
use crate::place::Place;

/// What services expect of a body where nothing is said: as large as `web` reads, bytes.
const BODY_LIMIT: u64 = 1 << 20;
const TIMEOUT_S: u64 = 30;
/// Webhooks and the gateway's own pages.
const OURS: [&str; 3] = ["/api/health", "/api/status", "/api/webhooks"];

/// Why a table is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct TableError(String);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TableText {
    #[serde(default)]
    versions: Vec<String>,
    #[serde(default)]
    limits: LimitsText,
    upstreams: BTreeMap<String, UpstreamText>,
    routes: Vec<RouteText>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct LimitsText {
    client: Option<RateText>,
    user: Option<RateText>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RateText {
    requests: u32,
    seconds: u32,
    burst: u32,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct UpstreamText {
    addresses: String,
    #[serde(default = "ready")]
    health: String,
    webhook: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RouteText {
    name: String,
    paths: Vec<String>,
    #[serde(default)]
    exact: bool,
    to: Option<String>,
    upstream: String,
    #[serde(default = "signed_in")]
    access: Access,
    #[serde(default)]
    methods: Vec<String>,
    timeout_s: Option<u64>,
    body_limit: Option<String>,
    #[serde(default)]
    upgrade: bool,
    limit: Option<RateText>,
}

fn ready() -> String {
    "/ready".to_owned()
}

fn signed_in() -> Access {
    Access::SignedIn
}

pub(super) fn table(text: &str) -> Result<Table, TableError> {
    let text: TableText = toml::from_str(text).map_err(|error| {
        // Its message shows the line; one sentence has to do.
        let line = error.span().map(|span| text[..span.start].lines().count().max(1));
        let place = line.map(|line| format!("line {line}: ")).unwrap_or_default();
        TableError(format!("{place}{}", error.message().lines().next().unwrap_or_default()))
    })?;
    for version in &text.versions {
        path(version).map_err(|why| wrong(&format!("the version {version:?}"), why))?;
    }
    let mut upstreams = BTreeMap::new();
    for (name, upstream) in text.upstreams {
        let checked = self::upstream(upstream).map_err(|why| wrong(&format!("the upstream {name:?}"), &why))?;
        upstreams.insert(name, checked);
    }
    let mut table = Table {
        versions: text.versions,
        client: rate(text.limits.client).map_err(|why| wrong("limits.client", why))?,
        user: rate(text.limits.user).map_err(|why| wrong("limits.user", why))?,
        upstreams,
        routes: Vec::new(),
        paths: Vec::new(),
    };
    for text in text.routes {
        let name = format!("the route {:?}", text.name);
        let route = route(text, &table).map_err(|why| wrong(&name, &why))?;
        table.routes.push(route);
    }
    if table.routes.is_empty() {
        return Err(TableError("there is no route".to_owned()));
    }
    table.index();
    Ok(table)
}

fn wrong(what: &str, why: &str) -> TableError {
    TableError(format!("{what}: {why}"))
}

fn upstream(text: UpstreamText) -> Result<UpstreamPlan, String> {
    Place::parse_all(&text.addresses)?;
    path_of_any_kind(&text.health)?;
    if let Some(webhook) = &text.webhook {
        path(webhook)?;
    }
    Ok(UpstreamPlan { addresses: text.addresses, health: text.health, webhook: text.webhook })
}

fn route(text: RouteText, table: &Table) -> Result<Route, String> {
    if table.routes.iter().any(|other| other.name == text.name) {
        return Err("there are two of this name".to_owned());
    }
    if !table.upstreams.contains_key(&text.upstream) {
        return Err(format!("there is no upstream {:?}; add it under [upstreams]", text.upstream));
    }
    if text.paths.is_empty() {
        return Err("it has no paths".to_owned());
    }
    for served in &text.paths {
        path(served)?;
        if OURS.iter().any(|ours| super::below(served, ours).is_some()) {
            return Err(format!("{served:?} is the gateway's own"));
        }
        let methods = |other: &Route| other.methods.iter().map(ToString::to_string).collect::<Vec<_>>();
        let same = |other: &&Route| {
            other.paths.contains(served) && methods(other) == text.methods && other.exact == text.exact
        };
        if let Some(other) = table.routes.iter().find(same) {
            return Err(format!("{served:?} is served by the route {:?} already", other.name));
        }
    }
    if let Some(to) = &text.to {
        path(to)?;
        if text.paths.len() != 1 {
            return Err("`to` is for a route of one path; make a route of each".to_owned());
        }
    }
    let methods = text
        .methods
        .iter()
        .map(|method| crate::methods::known(method).ok_or_else(|| format!("{method:?} is no method")));
    let body_limit = match &text.body_limit {
        None => BODY_LIMIT,
        Some(size) => {
            bytes(size).ok_or_else(|| format!("body_limit is {size:?}, expected a size such as \"64 MiB\""))?
        }
    };
    Ok(Route {
        methods: methods.collect::<Result<Vec<Method>, String>>()?,
        name: text.name,
        paths: text.paths,
        exact: text.exact,
        to: text.to,
        upstream: text.upstream,
        access: text.access,
        timeout: Duration::from_secs(text.timeout_s.unwrap_or(TIMEOUT_S)),
        body_limit,
        upgrade: text.upgrade,
        limit: rate(text.limit)?,
    })
}

fn rate(text: Option<RateText>) -> Result<Option<Rate>, &'static str> {
    let Some(text) = text else { return Ok(None) };
    if text.requests == 0 || text.seconds == 0 || text.burst == 0 {
        return Err("a limit's requests, seconds and burst are at least 1");
    }
    let interval_us = i64::from(text.seconds) * 1_000_000 / i64::from(text.requests);
    Ok(Some(Rate { interval_us: interval_us.max(1), burst: i64::from(text.burst) }))
}

/// A path below /api, plain: neither a slash at its end nor anything that could be read in two ways.
fn path(text: &str) -> Result<(), &'static str> {
    let below_root = text.strip_prefix(ROOT).is_some_and(|rest| rest.starts_with('/'));
    if !below_root {
        return Err("a path begins with /api/");
    }
    path_of_any_kind(text)
}

fn path_of_any_kind(text: &str) -> Result<(), &'static str> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'/' | b'-' | b'_' | b'.');
    let good = text.starts_with('/') && text.len() > 1 && text.bytes().all(plain) && !text.ends_with('/');
    let segments = || text.split('/').skip(1);
    if good && segments().all(|segment| !segment.is_empty() && !segment.starts_with('.')) {
        Ok(())
    } else {
        Err("a path has letters, digits, `-`, `_` and `.` between single slashes, and none at its end")
    }
}
