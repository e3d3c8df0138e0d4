//! Query and path parameters, with problems for what cannot be read.

use axum::extract::FromRequestParts;
use http::request::Parts;
use serde::de::DeserializeOwned;

use crate::kinds;
use crate::problem::Problem;

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
            .map_err(|error| Problem::new(kinds::INVALID_QUERY).detail(inner_text(&error)))
    }
}

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for Path<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        <axum::extract::Path<T> as FromRequestParts<S>>::from_request_parts(parts, state)
            .await
            .map(|axum::extract::Path(value)| Self(value))
            .map_err(|error| Problem::new(kinds::INVALID_PATH).detail(error.body_text()))
    }
}

/// The reason without axum's preamble.
fn inner_text(error: &axum::extract::rejection::QueryRejection) -> String {
    let text = error.body_text();
    text.strip_prefix("Failed to deserialize query string: ").map_or(text.clone(), str::to_owned)
}
