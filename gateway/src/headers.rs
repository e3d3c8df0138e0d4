//! Which headers pass the gateway, and which it writes itself.

use std::net::IpAddr;

use http::header::{
    CACHE_CONTROL, CONNECTION, EXPECT, FORWARDED, HOST, ORIGIN, STRICT_TRANSPORT_SECURITY, TE, TRAILER,
    TRANSFER_ENCODING, UPGRADE, X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderMap, HeaderName, HeaderValue};

pub(crate) const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// Where in a trace a request stands, <https://www.w3.org/TR/trace-context/>.
pub(crate) const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
pub(crate) const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");
const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
const PROXY_CONNECTION: HeaderName = HeaderName::from_static("proxy-connection");

/// Of one connection (RFC 9110, 7.6.1), beside those that `Connection` names.
const HOP_BY_HOP: [HeaderName; 8] =
    [CONNECTION, EXPECT, KEEP_ALIVE, PROXY_CONNECTION, TE, TRAILER, TRANSFER_ENCODING, UPGRADE];

/// Beginnings of names by which something that knows its caller might tell another who that is. Nobody outside may.
const IDENTITY: [&str; 8] = ["x-user", "x-role", "x-forwarded", "x-org", "x-tenant", "x-auth", "x-remote", "x-client"];
/// Names of the same kind, and some by which frameworks take another path or method than the one that was looked at.
const IDENTITY_WHOLE: [&str; 11] = [
    "x-real-ip",
    "x-original-url",
    "x-original-host",
    "x-rewrite-url",
    "x-http-method",
    "x-http-method-override",
    "x-method-override",
    "x-host",
    "x-session-id",
    "x-cluster-client-ip",
    "x-email",
];

/// From where a request came, as those tell it who stand in front of the gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Client {
    pub(crate) address: IpAddr,
    is_https: bool,
}

impl Client {
    /// With `hops` trusted proxies in front: each has added whom it was asked by, so the client stands so many places from the
    /// right. What is further left anybody may have written.
    pub(crate) fn of(headers: &HeaderMap, peer: IpAddr, hops: usize) -> Self {
        let here = Self { address: peer.to_canonical(), is_https: false };
        if hops == 0 {
            return here;
        }
        let lines = headers.get_all(&X_FORWARDED_FOR).iter().rev();
        let mut from_right = lines.flat_map(|line| line.to_str().unwrap_or_default().rsplit(','));
        let address = from_right.nth(hops - 1).and_then(|text| text.trim().parse::<IpAddr>().ok());
        let scheme = headers.get_all(&X_FORWARDED_PROTO).iter().next_back().and_then(|value| value.to_str().ok());
        let scheme = scheme.and_then(|text| text.rsplit(',').next()).unwrap_or_default().trim();
        Self { address: address.map_or(here.address, |address| address.to_canonical()), is_https: scheme == "https" }
    }
}

/// Leaves of a request what a service may see of it, and says whose request it is. `Host` is that of the copy
/// that is chosen, and is written there.
pub(crate) fn to_service(headers: &mut HeaderMap, client: Client, request_id: &HeaderValue) {
    let host = headers.remove(HOST);
    drop_hop_by_hop(headers);
    let forged: Vec<HeaderName> = headers.keys().filter(|name| is_from_inside(name.as_str())).cloned().collect();
    for name in forged {
        headers.remove(name);
    }
    headers.insert(X_REQUEST_ID, request_id.clone());
    if let Ok(address) = HeaderValue::from_str(&client.address.to_string()) {
        headers.insert(X_FORWARDED_FOR, address);
    }
    headers.insert(X_FORWARDED_PROTO, HeaderValue::from_static(if client.is_https { "https" } else { "http" }));
    if let Some(host) = host {
        headers.insert(X_FORWARDED_HOST, host);
    }
}

/// Leaves of an answer what is for the client, and adds what every answer has.
pub(crate) fn to_client(headers: &mut HeaderMap, request_id: &HeaderValue) {
    drop_hop_by_hop(headers);
    let cors: Vec<HeaderName> =
        headers.keys().filter(|name| name.as_str().starts_with("access-control-")).cloned().collect();
    for name in cors {
        headers.remove(name);
    }
    headers.remove(http::header::SERVER);
    finish(headers, request_id);
}

/// What every answer has, also the gateway's own.
pub(crate) fn finish(headers: &mut HeaderMap, request_id: &HeaderValue) {
    headers.insert(X_REQUEST_ID, request_id.clone());
    headers.insert(STRICT_TRANSPORT_SECURITY, HeaderValue::from_static("max-age=31536000"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
}

/// A name that only something inside may use, or that some frameworks read as such a one.
fn is_from_inside(name: &str) -> bool {
    let bytes = name.as_bytes();
    if bytes.contains(&b'_') {
        return true;
    }
    match bytes.first() {
        Some(b'x') => IDENTITY.iter().any(|start| name.starts_with(start)) || IDENTITY_WHOLE.contains(&name),
        // That a page may call, the gateway has found out; services behind it would ask for their own names.
        Some(b'o') => *name == *ORIGIN.as_str(),
        Some(b's') => name.starts_with("sec-fetch-"),
        Some(b'f') => *name == *FORWARDED.as_str(),
        Some(b't') => name == "true-client-ip",
        Some(b'c') => name == "cf-connecting-ip" || name == "client-ip",
        Some(b'p') => name.starts_with("proxy-"),
        _ => false,
    }
}

fn drop_hop_by_hop(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(CONNECTION)
        .iter()
        .flat_map(|value| value.to_str().unwrap_or_default().split(','))
        .map(str::trim)
        // The usual words, which go below anyhow.
        .filter(|word| {
            !word.is_empty() && !word.eq_ignore_ascii_case("keep-alive") && !word.eq_ignore_ascii_case("close")
        })
        .filter_map(|word| word.parse().ok())
        // Nobody may take these away from the service by calling them the connection's.
        .filter(|name: &HeaderName| *name != http::header::AUTHORIZATION && *name != http::header::CONTENT_LENGTH)
        .collect();
    for name in HOP_BY_HOP.iter().chain(&named) {
        headers.remove(name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn forwarded(lines: &[&'static str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(X_FORWARDED_FOR, HeaderValue::from_static(line));
        }
        headers
    }

    #[test]
    fn check_25_the_client_is_counted_from_the_right() {
        let peer = IpAddr::from([10, 0, 0, 9]);
        let client = |lines: &[&'static str], hops| Client::of(&forwarded(lines), peer, hops).address.to_string();
        assert_eq!(client(&["203.0.113.1"], 0), "10.0.0.9", "nobody stands in front, so nobody is believed");
        assert_eq!(client(&["198.51.100.7, 203.0.113.1"], 1), "203.0.113.1");
        assert_eq!(client(&["198.51.100.7", "203.0.113.1, 10.0.0.8"], 2), "203.0.113.1");
        assert_eq!(client(&["unknown"], 1), "10.0.0.9");
        assert_eq!(client(&[], 1), "10.0.0.9");
        assert_eq!(client(&["::ffff:203.0.113.1"], 1), "203.0.113.1");
    }

    #[test]
    fn check_25_who_somebody_is_nobody_outside_may_say() {
        for name in [
            "x-user-id",
            "x-roles",
            "x-role",
            "x-forwarded-for",
            "x-forwarded-user",
            "forwarded",
            "x_user_id",
            "x-real-ip",
        ] {
            assert!(is_from_inside(name), "{name}");
        }
        for name in [
            "authorization",
            "x-request-id",
            "traceparent",
            "idempotency-key",
            "content-type",
            "cookie",
            "profe-signature",
        ] {
            assert!(!is_from_inside(name), "{name}");
        }
    }
}
