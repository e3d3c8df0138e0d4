//! Which web pages may call: an exact list, and never with cookies (<https://fetch.spec.whatwg.org/#http-cors-protocol>).

use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_METHOD, HOST, ORIGIN, VARY,
};
use http::{HeaderMap, HeaderValue, Method};

const ACCEPTED: &str = "authorization, content-type, accept-language, idempotency-key, if-match, if-none-match, last-event-id, \
                        traceparent, tracestate, x-request-id";
const EXPOSED: &str = "etag, location, retry-after, traceparent, x-request-id, idempotency-replayed";

/// What the browser says about the page that calls.
pub(crate) enum Page {
    /// No browser, or a page of the gateway's own name.
    Own,
    /// One of the list.
    Listed(HeaderValue),
    /// Another one, which may not.
    Foreign,
}

impl Page {
    pub(crate) fn of(headers: &HeaderMap, listed: &[String]) -> Self {
        let Some(origin) = headers.get(ORIGIN) else { return Self::Own };
        let text = origin.to_str().unwrap_or("null");
        if listed.iter().any(|listed| listed == text) {
            return Self::Listed(origin.clone());
        }
        let host = headers.get(HOST).and_then(|host| host.to_str().ok());
        let is_own = text.split_once("://").is_some_and(|(scheme, place)| {
            matches!(scheme, "http" | "https") && host.is_some_and(|host| host.eq_ignore_ascii_case(place))
        });
        if is_own { Self::Own } else { Self::Foreign }
    }

    /// Lets the page read the answer.
    pub(crate) fn allow(&self, headers: &mut HeaderMap) {
        if let Self::Listed(origin) = self {
            headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
            headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(EXPOSED));
        }
        headers.append(VARY, HeaderValue::from_name(ORIGIN));
    }

    /// Lets it call. What every answer has is added later.
    pub(crate) fn allow_preflight(&self, headers: &mut HeaderMap) {
        if let Self::Listed(_) = self {
            headers.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, POST, PUT, PATCH, DELETE"));
            headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static(ACCEPTED));
            headers.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600"));
        }
    }
}

/// The browser asks whether a page may call.
pub(crate) fn is_preflight(method: &Method, headers: &HeaderMap) -> bool {
    *method == Method::OPTIONS && headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD)
}
