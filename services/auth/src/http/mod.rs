//! The routes, one endpoint a file.

mod change_password;
mod login;
mod logout;
mod manage;
mod origin;
mod refresh;
mod register;
mod reset_password;
mod sessions;
mod shapes;
mod sign_ins;
mod validate;
mod verify_email;
mod well_known;

use axum::extract::Request;
use axum::middleware::{Next, from_fn};
use axum::response::Response;
use http::HeaderValue;
use http::header::{CACHE_CONTROL, REFERRER_POLICY};
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::state::Auth;

/// Everything below `/api/auth` and `/.well-known`.
pub(crate) fn routes(auth: Auth) -> OpenApiRouter {
    table().layer(from_fn(private)).merge(published()).with_state(auth)
}

/// The routes' part of the OpenAPI document.
pub(crate) fn described() -> OpenApi {
    let (_, document) = table().merge(published()).split_for_parts();
    document
}

fn table() -> OpenApiRouter<Auth> {
    OpenApiRouter::new()
        .routes(routes!(login::login))
        .routes(routes!(register::register))
        .routes(routes!(logout::logout))
        .routes(routes!(logout::delete_session))
        .routes(routes!(refresh::refresh_token))
        .routes(routes!(refresh::refresh_session))
        .routes(routes!(validate::validate))
        .routes(routes!(reset_password::reset_password))
        .routes(routes!(reset_password::verify_reset_token))
        .routes(routes!(change_password::change_password))
        .routes(routes!(verify_email::verify_email))
        .routes(routes!(verify_email::resend_verification))
        .routes(routes!(sessions::list, sessions::end_others))
        .routes(routes!(sessions::end))
        .routes(routes!(sign_ins::list))
        .routes(routes!(manage::end_sessions))
        .routes(routes!(manage::start_reset))
}

/// What services read; the gateway has no route to it.
fn published() -> OpenApiRouter<Auth> {
    OpenApiRouter::new().routes(routes!(well_known::keys)).routes(routes!(well_known::revoked))
}

/// No answer here is kept by anybody on its way, and no address with a token in it is told to the next page.
async fn private(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response.headers_mut().insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    response
}
