//! The methods that are let through. TRACE would give headers back to a page, CONNECT would make the gateway a tunnel.

use http::header::{IF_MATCH, IF_NONE_MATCH, IF_UNMODIFIED_SINCE};
use http::{HeaderMap, Method};

/// For `Allow`.
pub(crate) const ALLOW: &str = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS";

/// The method of this name, where it is let through.
pub(crate) fn known(name: &str) -> Option<Method> {
    let method = Method::from_bytes(name.as_bytes()).ok()?;
    is_known(&method).then_some(method)
}

pub(crate) fn is_known(method: &Method) -> bool {
    matches!(
        *method,
        Method::GET | Method::HEAD | Method::POST | Method::PUT | Method::PATCH | Method::DELETE | Method::OPTIONS
    )
}

/// Doing it twice is as doing it once (RFC 9110, 9.2.2), also for who hears of the second time alone: what changes something only
/// where it is of one version would be told that somebody else has changed it.
pub(crate) fn can_be_asked_again(method: &Method, headers: &HeaderMap) -> bool {
    match *method {
        Method::GET | Method::HEAD | Method::OPTIONS => true,
        Method::PUT | Method::DELETE => {
            ![IF_MATCH, IF_NONE_MATCH, IF_UNMODIFIED_SINCE].iter().any(|name| headers.contains_key(name))
        }
        _ => false,
    }
}
