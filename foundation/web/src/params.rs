//! Query and path parameters, with problems for what cannot be read.

use std::error::Error as _;

use axum::extract::path::ErrorKind;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{FromRequestParts, RawPathParams};
use http::Uri;
use http::request::Parts;
use serde::de::DeserializeOwned;
use serde::de::value::Error as ValueError;
use serde_json::Value;

use crate::kinds;
use crate::problem::Problem;
use crate::unreadable::Unreadable;

/// What problems call both kinds.
const PART: &str = "parameter";

/// The query string as a value.
#[derive(Debug, Clone, Copy)]
pub struct Query<T>(pub T);

/// The path's parameters as a value.
#[derive(Debug, Clone, Copy)]
pub struct Path<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        axum::extract::Query::try_from_uri(&parts.uri)
            .map(|axum::extract::Query(value)| Self(value))
            .map_err(|error| unreadable_query(&error, &parts.uri))
    }
}

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for Path<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        match <axum::extract::Path<T> as FromRequestParts<S>>::from_request_parts(parts, state).await {
            Ok(axum::extract::Path(value)) => Ok(Self(value)),
            Err(error) => {
                let names = RawPathParams::from_request_parts(parts, state).await;
                Err(unreadable_path(error, names.ok().as_ref()))
            }
        }
    }
}

fn unreadable_query(error: &QueryRejection, uri: &Uri) -> Problem {
    // The rejection holds axum's error, that holds the reader's.
    let inner = error.source().and_then(std::error::Error::source);
    let inner = inner.and_then(|inner| inner.downcast_ref::<serde_path_to_error::Error<ValueError>>());
    let (name, said) = match inner {
        Some(inner) => (inner.path().to_string(), inner.inner().to_string()),
        None => (String::new(), error.body_text()),
    };
    let pairs = axum::extract::Query::<Vec<(String, String)>>::try_from_uri(uri).map(|pairs| pairs.0);
    let given = pairs.unwrap_or_default().into_iter().find(|(given, _)| *given == name);
    let given = given.map(|(_, value)| Value::String(value));
    let name = given.is_some().then_some(name);
    Unreadable { kind: kinds::INVALID_QUERY, part: PART, name, given: given.as_ref(), said: &said }.problem()
}

fn unreadable_path(error: PathRejection, names: Option<&RawPathParams>) -> Problem {
    let PathRejection::FailedToDeserializePathParams(error) = error else {
        tracing::error!(%error, "a route without its parameters");
        return Problem::new(kinds::INTERNAL);
    };
    let (name, given, said) = match error.into_kind() {
        ErrorKind::DeserializeError { key, value, message } => (Some(key), Some(value), message),
        ErrorKind::ParseErrorAtKey { key, value, expected_type } => {
            (Some(key), Some(value), format!("expected {expected_type}"))
        }
        ErrorKind::ParseError { value, expected_type } => (None, Some(value), format!("expected {expected_type}")),
        ErrorKind::InvalidUtf8InPathParam { key } => (Some(key), None, "expected a text in UTF-8".to_owned()),
        other => (None, None, other.to_string()),
    };
    let mut only = names.into_iter().flat_map(|names| names.iter());
    let only = only.next().filter(|_| only.next().is_none());
    let name = name.or_else(|| only.map(|(name, _)| name.to_owned()));
    let given = given.or_else(|| only.map(|(_, value)| value.to_owned())).map(Value::String);
    Unreadable { kind: kinds::INVALID_PATH, part: PART, name, given: given.as_ref(), said: &said }.problem()
}
