//! Versions of a record: entity tags, and changes that are made only to what was read.

use axum::extract::{FromRequestParts, Request};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::header::{ETAG, IF_MATCH, IF_NONE_MATCH};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use postgres_link::tenant::Row;
use web::{Json, Problem};

use crate::fault::Fault;
use crate::kinds;

/// The version of a row: its `xmin`, which every change gives another one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version(String);

/// A body with its version, which goes into `ETag`.
#[derive(Debug, Clone)]
pub struct Versioned<T>(pub Version, pub T);

/// `If-Match`: the version that the caller has read and wants changed, where they say one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct IfMatch(Option<Vec<String>>);

impl Version {
    /// Of a row that was selected with `xmin::text AS version`.
    pub fn of(row: &Row) -> Self {
        Self(row.get("version"))
    }
}

impl IfMatch {
    /// For `$n::text[] IS NULL OR xmin::text = ANY ($n)`: the versions that may be changed; `None` is any.
    pub fn versions(&self) -> Option<&[String]> {
        self.0.as_deref()
    }

    /// Whether this version may be changed.
    pub fn allows(&self, version: &Version) -> bool {
        self.0.as_ref().is_none_or(|versions| versions.contains(&version.0))
    }

    /// Why a change met no row: there is none, or it has another version.
    pub fn missed(&self, what: &str, is_there: bool) -> Fault {
        if !is_there || self.0.is_none() {
            return Fault::no_such(what);
        }
        let problem =
            Problem::new(kinds::CHANGED_MEANWHILE).detail(format!("the {what} has another version than If-Match says"));
        problem.cure("read it again, and send the change with its ETag").into()
    }
}

impl<S: Sync> FromRequestParts<S> for IfMatch {
    type Rejection = Fault;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Fault> {
        let tags = tags(&parts.headers, &IF_MATCH);
        // `*` is any version, as long as there is one (RFC 9110, 13.1.1).
        Ok(Self(tags.filter(|tags| !tags.iter().any(|tag| tag == "*"))))
    }
}

impl<T: serde::Serialize> IntoResponse for Versioned<T> {
    fn into_response(self) -> Response {
        let Self(Version(version), body) = self;
        let mut response = Json(body).into_response();
        if let Ok(tag) = HeaderValue::from_str(&format!("\"{version}\"")) {
            response.headers_mut().insert(ETAG, tag);
        }
        response
    }
}

/// Answers 304 where the caller has what would be sent (RFC 9110, 13.1.2).
pub(crate) async fn not_modified(request: Request, next: Next) -> Response {
    let reads = matches!(*request.method(), Method::GET | Method::HEAD);
    let known = if reads { tags(request.headers(), &IF_NONE_MATCH) } else { None };
    let response = next.run(request).await;
    let Some(known) = known else { return response };
    let tag = response.headers().get(ETAG).and_then(|tag| tag.to_str().ok()).map(opaque);
    let has_it = response.status() == StatusCode::OK
        && tag.is_some_and(|tag| known.iter().any(|known| known == tag || known == "*"));
    if !has_it {
        return response;
    }
    let (mut head, _) = response.into_parts();
    head.status = StatusCode::NOT_MODIFIED;
    head.headers.remove(http::header::CONTENT_TYPE);
    head.headers.remove(http::header::CONTENT_LENGTH);
    Response::from_parts(head, axum::body::Body::empty())
}

/// The tags of a header, without quotes and marks of weakness: a row that is the same is the same in every form.
fn tags(headers: &HeaderMap, name: &HeaderName) -> Option<Vec<String>> {
    let mut lines = headers.get_all(name).iter().filter_map(|line| line.to_str().ok()).peekable();
    lines.peek()?;
    Some(lines.flat_map(|line| line.split(',')).map(|tag| opaque(tag.trim()).to_owned()).collect())
}

fn opaque(tag: &str) -> &str {
    tag.strip_prefix("W/").unwrap_or(tag).trim_matches('"')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_read_as_they_are_written() {
        let mut headers = HeaderMap::new();
        assert_eq!(tags(&headers, &IF_MATCH), None);
        headers.append(IF_MATCH, HeaderValue::from_static("\"1\", W/\"2\""));
        headers.append(IF_MATCH, HeaderValue::from_static("*"));
        assert_eq!(tags(&headers, &IF_MATCH), Some(vec!["1".to_owned(), "2".to_owned(), "*".to_owned()]));
    }

    #[test]
    fn a_missed_change_says_why() {
        let asked = IfMatch(Some(vec!["7".to_owned()]));
        assert_eq!(asked.missed("course", true).code(), "changed_meanwhile");
        assert_eq!(asked.missed("course", false).code(), "no_such_record");
        assert_eq!(IfMatch::default().missed("course", false).code(), "no_such_record");
        assert!(asked.allows(&Version("7".to_owned())) && !asked.allows(&Version("8".to_owned())));
        assert!(IfMatch::default().allows(&Version("8".to_owned())));
    }
}
