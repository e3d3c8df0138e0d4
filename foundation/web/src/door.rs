//! Keeps web pages from reaching a service through somebody's browser.
//!
//! A page can make a browser send requests to `localhost`, and can make its own name resolve to 127.0.0.1 (DNS
//! rebinding). Names do not lie here: a rebound request carries the page's name in `Host`, a cross-site one its origin
//! in `Origin` or its kind in `Sec-Fetch-Site`. Requests that were not sent by a browser carry neither and pass.
//! Sources: <https://www.w3.org/TR/fetch-metadata/>, <https://fetch.spec.whatwg.org/#origin-header>.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_METHOD, HOST, ORIGIN, VARY,
};
use http::{HeaderMap, HeaderValue, Method, StatusCode, Uri};

use crate::kinds;
use crate::problem::Problem;

/// Whom the service answers to, and which pages may call it.
#[derive(Debug, Clone)]
pub struct Door {
    bind: IpAddr,
    hosts: Vec<String>,
    origins: Vec<String>,
    open_paths: &'static [&'static str],
    is_wide: bool,
}

impl Door {
    /// For a service that listens on `bind`: loopback names always do; `hosts` (with or without a port) and the pages
    /// of `origins` (`https://panel.example.org`) as well. Not on loopback, any address does too: an address cannot be
    /// rebound. `open_paths` are not guarded.
    pub fn new(
        bind: IpAddr,
        hosts: Vec<String>,
        origins: Vec<String>,
        open_paths: &'static [&'static str],
    ) -> Arc<Self> {
        Arc::new(Self { bind, hosts, origins, open_paths, is_wide: false })
    }

    /// For a service that believes nothing but a bearer's token, which no browser sends by itself: whoever can reach it may ask, by
    /// any name. Pages of other origins still read nothing, for none is told that it may.
    pub fn for_bearers() -> Arc<Self> {
        Arc::new(Self {
            bind: IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED),
            hosts: Vec::new(),
            origins: Vec::new(),
            open_paths: &[],
            is_wide: true,
        })
    }

    fn allows_host(&self, authority: &str) -> bool {
        let name = host_name(authority);
        let listed = |host: &String| host.eq_ignore_ascii_case(authority) || host.eq_ignore_ascii_case(name);
        let address = name.trim_matches(['[', ']']).parse::<IpAddr>();
        is_loopback_name(name)
            || self.hosts.iter().any(listed)
            || address.is_ok_and(|ip| !self.bind.is_loopback() || ip == self.bind)
    }

    fn allows_origin(&self, origin: &str, authority: &str) -> bool {
        is_own_origin(origin, authority) || self.lists_origin(origin)
    }

    fn lists_origin(&self, origin: &str) -> bool {
        self.origins.iter().any(|listed| listed.eq_ignore_ascii_case(origin))
    }

    fn check(&self, request: &Request) -> Result<(), Problem> {
        let headers = request.headers();
        let authority = authority(request.uri(), headers).ok_or_else(|| {
            Problem::new(kinds::INVALID_HEADER)
                .detail("the request has no usable Host header")
                .cure("send exactly one Host header")
        })?;
        if !self.allows_host(authority) {
            return Err(Problem::new(kinds::HOST_NOT_ALLOWED)
                .detail(format!("the Host header names {:?}", host_name(authority)))
                .cure("call it by a loopback name, or add the name to its allowed hosts"));
        }
        let origin = headers.get(ORIGIN).map(|value| value.to_str().unwrap_or("null"));
        if let Some(origin) = origin {
            if self.allows_origin(origin, authority) {
                return Ok(());
            }
            return Err(Problem::new(kinds::ORIGIN_NOT_ALLOWED)
                .detail(format!("the page is of origin {origin:?}"))
                .cure("add it to the allowed origins if it is yours"));
        }
        let fetch = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        // Following a link into the service's own pages is not a call made by the page that has the link.
        let follows_a_link = request.method() == Method::GET
            && fetch("sec-fetch-mode") == "navigate"
            && fetch("sec-fetch-dest") == "document"
            && !request.uri().path().starts_with("/api/");
        if fetch("sec-fetch-site") == "cross-site" && !follows_a_link {
            return Err(Problem::new(kinds::ORIGIN_NOT_ALLOWED)
                .detail("the browser says that another site makes this call")
                .cure("call it from a page of the service's own, or from one of the allowed origins"));
        }
        Ok(())
    }
}

/// Whether a browser says that one of the service's own pages makes the call. Pages of other listed origins are not: a
/// cookie that their requests carry may be somebody else's doing.
pub fn is_own_page(uri: &Uri, headers: &HeaderMap) -> bool {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    match text("origin") {
        Some(origin) => authority(uri, headers).is_some_and(|authority| is_own_origin(origin, authority)),
        None => text("sec-fetch-site") == Some("same-origin"),
    }
}

fn is_own_origin(origin: &str, authority: &str) -> bool {
    origin
        .split_once("://")
        .is_some_and(|(scheme, place)| matches!(scheme, "http" | "https") && place.eq_ignore_ascii_case(authority))
}

/// `localhost`, its subdomains, and loopback addresses.
pub fn is_loopback_name(name: &str) -> bool {
    let name = name.trim_end_matches('.').to_ascii_lowercase();
    name == "localhost"
        || name.ends_with(".localhost")
        || name.trim_matches(['[', ']']).parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// A Host header's value without its port.
pub fn host_name(authority: &str) -> &str {
    match authority.rfind(']') {
        Some(end) => &authority[..=end],
        None => match authority.rsplit_once(':') {
            Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) => name,
            _ => authority,
        },
    }
}

pub(crate) async fn layer(State(door): State<Arc<Door>>, request: Request, next: Next) -> Response {
    if door.is_wide || door.open_paths.contains(&request.uri().path()) {
        return next.run(request).await;
    }
    if let Err(problem) = door.check(&request) {
        return problem.into_response();
    }
    let listed = request
        .headers()
        .get(ORIGIN)
        .filter(|origin| origin.to_str().is_ok_and(|text| door.lists_origin(text)))
        .cloned();
    let Some(origin) = listed else { return next.run(request).await };
    let preflight =
        request.method() == Method::OPTIONS && request.headers().contains_key(ACCESS_CONTROL_REQUEST_METHOD);
    let mut response = if preflight { StatusCode::NO_CONTENT.into_response() } else { next.run(request).await };
    allow(response.headers_mut(), origin, preflight);
    response
}

/// Tells the browser that a listed page may call and read (<https://fetch.spec.whatwg.org/#http-cors-protocol>).
fn allow(headers: &mut HeaderMap, origin: HeaderValue, preflight: bool) {
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    headers.append(VARY, HeaderValue::from_name(ORIGIN));
    if preflight {
        headers.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, POST, PUT, PATCH, DELETE"));
        let accepted = "authorization, content-type, accept-language, idempotency-key, last-event-id, traceparent, \
                        tracestate, x-request-id";
        headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static(accepted));
        headers.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600"));
    } else {
        headers.insert(
            ACCESS_CONTROL_EXPOSE_HEADERS,
            HeaderValue::from_static("location, traceparent, x-request-id, idempotency-replayed"),
        );
    }
}

/// The authority of an absolute request target wins over `Host` (RFC 9112, 3.2.2); two Host headers are refused.
fn authority<'a>(uri: &'a Uri, headers: &'a HeaderMap) -> Option<&'a str> {
    if let Some(authority) = uri.authority() {
        return Some(authority.as_str());
    }
    let mut values = headers.get_all(HOST).iter();
    let first = values.next()?.to_str().ok().filter(|text| !text.is_empty())?;
    values.next().is_none().then_some(first)
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;

    fn verdict(bind: &str, headers: &[(&str, &str)]) -> Result<(), &'static str> {
        let door = Door::new(
            bind.parse().expect("an address"),
            vec!["migrations.example.org".to_owned()],
            vec!["https://panel.example.org".to_owned()],
            &[],
        );
        let mut request = Request::builder().method("POST").uri("/api/migrations/run");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        door.check(&request.body(Body::empty()).expect("a request")).map_err(|problem| problem.code())
    }

    #[test]
    fn hosts() {
        for host in [
            "localhost:3009",
            "127.0.0.1:3009",
            "[::1]:3009",
            "profe.localhost",
            "Migrations.example.org",
            "LOCALHOST.",
        ] {
            assert_eq!(verdict("127.0.0.1", &[("host", host)]), Ok(()), "{host}");
        }
        for host in ["rebound.example.org:3009", "10.0.0.7:3009", "localhost.example.org", "127.0.0.1.example.org"] {
            assert_eq!(verdict("127.0.0.1", &[("host", host)]), Err("host_not_allowed"), "{host}");
        }
        assert_eq!(verdict("0.0.0.0", &[("host", "10.0.0.7:3009")]), Ok(()));
        assert_eq!(verdict("0.0.0.0", &[("host", "rebound.example.org")]), Err("host_not_allowed"));
        assert_eq!(verdict("127.0.0.1", &[]), Err("invalid_header"));
        assert_eq!(verdict("127.0.0.1", &[("host", "localhost"), ("host", "localhost")]), Err("invalid_header"));
    }

    #[test]
    fn origins() {
        let host = ("host", "localhost:3009");
        for origin in ["http://localhost:3009", "https://panel.example.org"] {
            assert_eq!(verdict("127.0.0.1", &[host, ("origin", origin)]), Ok(()), "{origin}");
        }
        for origin in ["http://localhost:5173", "https://evil.example.org", "null", "file://localhost:3009", ""] {
            assert_eq!(verdict("127.0.0.1", &[host, ("origin", origin)]), Err("origin_not_allowed"), "{origin}");
        }
        assert_eq!(verdict("127.0.0.1", &[host, ("sec-fetch-site", "cross-site")]), Err("origin_not_allowed"));
        assert_eq!(verdict("127.0.0.1", &[host, ("sec-fetch-site", "same-origin")]), Ok(()));
    }
}
