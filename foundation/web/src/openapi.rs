//! The OpenAPI document: as a committed file, and as a page to browse.

use axum::Router;
use axum::response::IntoResponse;
use axum::routing::get;
use http::header::CONTENT_TYPE;
use utoipa::openapi::OpenApi;
use utoipa_swagger_ui::{Config, SwaggerUi};

/// The document as text: indented, members in a fixed order, a newline at the end. The same document always gives the
/// same text, so that a committed copy can be compared.
pub fn pretty(document: &OpenApi) -> String {
    // Through a value: its maps are sorted, those of the document partly are not.
    let text =
        serde_json::to_value(document).and_then(|value| serde_json::to_string_pretty(&value)).unwrap_or_default();
    text + "\n"
}

/// `/openapi.json`, and a page for it at `/docs` that needs nothing from elsewhere.
pub fn browsable(document: &OpenApi) -> Router {
    let text = pretty(document);
    let json = get(move || async move { ([(CONTENT_TYPE, "application/json")], text).into_response() });
    Router::new()
        .route("/openapi.json", json)
        .merge(SwaggerUi::new("/docs").config(Config::from("/openapi.json").validator_url("none")))
}
