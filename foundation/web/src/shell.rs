//! What stands around a service's routes.

use std::any::Any;
use std::sync::Arc;

use axum::Router;
use axum::response::{IntoResponse, Response};
use http::{Method, Uri};
use tower_http::catch_panic::{CatchPanicLayer, ResponseForPanic};

use crate::door::{self, Door};
use crate::problem::{self, Problem};
use crate::{access_log, headers, kinds, request_id};

/// Puts the shell around a service's routes. From the outside in: request id, access log, the caller's language,
/// panics, the door, then the routes and the answers for paths and methods that there are none for.
pub fn shell(routes: Router, door: Arc<Door>) -> Router {
    use axum::middleware::{from_fn, from_fn_with_state};
    routes
        .fallback(unknown_path)
        .method_not_allowed_fallback(wrong_method)
        .layer(from_fn_with_state(door, door::layer))
        .layer(CatchPanicLayer::custom(Panics))
        .layer(from_fn(problem::localise))
        .layer(from_fn(headers::layer))
        .layer(from_fn(access_log::layer))
        .layer(from_fn(request_id::layer))
}

async fn unknown_path(uri: Uri) -> Problem {
    Problem::new(kinds::NOT_FOUND)
        .detail(format!("there is nothing at {}", uri.path()))
        .cure("look the path up in /openapi.json")
}

/// The router adds the Allow header.
async fn wrong_method(method: Method, uri: Uri) -> Problem {
    Problem::new(kinds::METHOD_NOT_ALLOWED)
        .detail(format!("{} does not take {method}", uri.path()))
        .cure("use a method of the Allow header")
}

/// Answers for a handler that panicked. The panic's own text goes to the log: it may hold anything.
#[derive(Debug, Clone, Copy)]
pub struct Panics;

impl ResponseForPanic for Panics {
    type ResponseBody = axum::body::Body;

    fn response_for_panic(&mut self, panic: Box<dyn Any + Send + 'static>) -> Response {
        let text = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
        tracing::error!(panic = text.unwrap_or("without a text"), "a handler panicked");
        Problem::new(kinds::INTERNAL).cure("look for the requestId in the service's log").into_response()
    }
}
