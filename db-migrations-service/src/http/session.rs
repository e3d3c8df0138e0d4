//! `/api/session`: signing in from a browser.
//!
//! The cookie holds the token, out of reach of every script (`HttpOnly`) and of every other site (`SameSite=Strict`).
//! It ends with the browser's session; the token itself is revoked elsewhere. Because a browser sends a cookie whoever
//! makes it call, whatever changes something is accepted with a cookie only from a page of the service's own.

use axum::Extension;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header::{AUTHORIZATION, COOKIE, ORIGIN, SET_COOKIE};
use http::request::Parts;
use http::{HeaderMap, StatusCode};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use web::{Json, Problem, kinds};

use super::Api;
use super::auth::{self, Granted, Who};
use crate::operations::OperationError;

const NAME: &str = "profe_session";

/// A token to sign in with.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(in crate::http) struct SessionBody {
    /// A token of `profe token create`.
    token: String,
}

/// Who calls, and what they may do.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::http) struct SessionAnswer {
    /// As histories show them.
    #[schema(example = "local")]
    actor: String,
    /// What they may do; null is everything.
    scopes: Option<Vec<String>>,
    /// The services they may touch; null is all.
    services: Option<Vec<String>>,
    /// Whether a cookie says who they are, so that there is something to sign out of.
    cookie: bool,
}

/// Who calls, and what they may do
#[utoipa::path(get, path = "/api/session", tag = "session",
    responses((status = 200, description = "The caller", body = SessionAnswer)))]
pub(in crate::http) async fn get_session(
    Who(caller): Who,
    Extension(Granted(scopes)): Extension<Granted>,
    headers: HeaderMap,
) -> Json<SessionAnswer> {
    let cookie = !headers.contains_key(AUTHORIZATION) && token_of(&headers).is_some();
    Json(SessionAnswer { actor: caller.actor.to_string(), scopes, services: caller.services, cookie })
}

/// Sign in from a browser
///
/// Keeps the token in a cookie of this service, `HttpOnly` and `SameSite=Strict`, until the browser is closed. Programs
/// send the token with each request instead.
#[utoipa::path(post, path = "/api/session", tag = "session", request_body = SessionBody,
    responses((status = 200, description = "Signed in", body = SessionAnswer),
              (status = "default", description = "A problem; its `code` says which", body = web::ProblemDocument, content_type = "application/problem+json")))]
pub(in crate::http) async fn sign_in(
    State(api): State<Api>,
    headers: HeaderMap,
    Json(body): Json<SessionBody>,
) -> Result<Response, Problem> {
    let text = body.token.trim();
    let token = api.operations.master().verify_token(text).await.map_err(OperationError::from)?;
    let token = token.ok_or_else(auth::invalid_token)?;
    let actor = kernel::Actor::token(&token.name).to_string();
    let answer = SessionAnswer { actor, scopes: Some(token.scopes), services: token.services, cookie: true };
    // The page's own address says whether it came over TLS, also where a proxy ended that.
    let over_tls = headers.get(ORIGIN).is_some_and(|origin| origin.as_bytes().starts_with(b"https://"));
    let secure = if over_tls { "; Secure" } else { "" };
    let cookie = format!("{NAME}={text}; Path=/; HttpOnly; SameSite=Strict{secure}");
    Ok(([(SET_COOKIE, cookie)], Json(answer)).into_response())
}

/// Sign out in a browser
///
/// Takes the cookie away. The token stays good; revoke it where it shall not.
#[utoipa::path(delete, path = "/api/session", tag = "session",
    responses((status = 204, description = "Signed out")))]
pub(in crate::http) async fn sign_out() -> Response {
    (StatusCode::NO_CONTENT, [(SET_COOKIE, GONE)]).into_response()
}

/// Takes the cookie away.
pub(super) const GONE: &str = "profe_session=; Path=/; HttpOnly; SameSite=Strict; Max-Age=0";

/// The token in a request's cookie.
pub(super) fn token_of(headers: &HeaderMap) -> Option<&str> {
    let cookies = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = cookies.flat_map(|text| text.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(name, value)| *name == NAME && !value.is_empty()).map(|(_, value)| value)
}

/// Refuses to change anything for a page that is not the service's own.
///
/// # Errors
/// [`kinds::ORIGIN_NOT_ALLOWED`].
pub(super) fn check_page(request: &Parts) -> Result<(), Problem> {
    if request.method.is_safe() || web::is_own_page(&request.uri, &request.headers) {
        return Ok(());
    }
    Err(Problem::new(kinds::ORIGIN_NOT_ALLOWED)
        .detail("with a cookie only a page of the service's own may change something")
        .cure("call it from the dashboard, or send the token in the Authorization header"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cookie_is_found_among_others() {
        for (sent, token) in [
            (&["profe_session=a"][..], Some("a")),
            (&["x=1; profe_session=a_b-c; y=2"], Some("a_b-c")),
            (&["x=1", "profe_session=a"], Some("a")),
            (&["profe_session="], None),
            (&["xprofe_session=a; profe_session2=b; profe_session"], None),
            (&[], None),
        ] {
            let mut headers = HeaderMap::new();
            for value in sent {
                headers.append(COOKIE, value.parse().expect("a value"));
            }
            assert_eq!(token_of(&headers), token, "{sent:?}");
        }
    }
}
