//! Who calls, and whether they may.
//!
//! A token always counts, in the Authorization header or in a browser's cookie, and a wrong one is refused even where none
//! is needed. Without a token, a request over
//! loopback acts as the local operator unless the settings require one; a request that a proxy passed on came from
//! somewhere else, whatever its address says. Every guarded route is refused until both steps said yes.

use std::net::SocketAddr;
use std::time::Duration;

use axum::extract::{ConnectInfo, FromRequestParts, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures_util::FutureExt as _;
use http::HeaderMap;
use http::header::{AUTHORIZATION, FORWARDED, SET_COOKIE, VIA, WWW_AUTHENTICATE};
use http::request::Parts;
use kernel::{Actor, Secret};
use utoipa::openapi::extensions::Extensions;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{Components, Content, OpenApi, Ref, RefOr, Required, Response as DocumentedResponse};
use utoipa_axum::router::{UtoipaMethodRouter, UtoipaMethodRouterExt as _};
use web::{Problem, RequestId};

use super::answer::RunProblemDocument;
use super::{Api, codes, idempotency, session};
use crate::operations::{Caller, Operations};
use crate::settings::AuthMode;

/// What a token may be allowed to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scope {
    /// Look.
    Read,
    /// Say which release of a service runs, and ask whether the schemas fit it.
    Release,
    /// Bring targets forward.
    Migrate,
    /// Take them back.
    Rollback,
    /// Seed and reset.
    Seed,
    /// Make backups.
    Backup,
    /// Restore them.
    Restore,
    /// Tokens, blessings, deletions.
    Admin,
}

impl Scope {
    /// The word in tokens and documents.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Release => "release",
            Self::Migrate => "migrate",
            Self::Rollback => "rollback",
            Self::Seed => "seed",
            Self::Backup => "backup",
            Self::Restore => "restore",
            Self::Admin => "admin",
        }
    }
}

/// A caller who was recognised; a handler that takes it runs only for one.
#[derive(Debug, Clone)]
pub(super) struct Who(pub(super) Caller);

/// What they may do; `None` is everything.
#[derive(Debug, Clone)]
pub(super) struct Granted(pub(super) Option<Vec<String>>);

impl<S: Sync> FromRequestParts<S> for Who {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        parts.extensions.get::<Self>().cloned().ok_or_else(unauthenticated)
    }
}

/// How often it is asked whether the token of somebody who stays is still good.
const STAYS_GOOD: Duration = Duration::from_secs(15);

/// What a caller has shown, for answers that last: a token may expire or be revoked meanwhile.
#[derive(Debug, Clone)]
pub(super) struct Shown(Option<Secret>);

impl<S: Sync> FromRequestParts<S> for Shown {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        parts.extensions.get::<Self>().cloned().ok_or_else(unauthenticated)
    }
}

impl Shown {
    /// Waits until it is no longer good; for ever, where nothing had to be shown.
    pub(super) async fn no_longer_good(self, api: Api) {
        let Some(token) = self.0 else { return std::future::pending().await };
        let look = |token: Secret, operations: Operations| async move {
            loop {
                tokio::time::sleep(STAYS_GOOD).await;
                // That the master database is away says nothing about the token.
                if matches!(operations.master().verify_token(token.reveal()).await, Ok(None)) {
                    return;
                }
            }
        };
        api.stays.join(&token, || look(token.clone(), api.operations.clone()).boxed()).await;
    }
}

/// Whether the caller may do what only an administrator may, where that depends on the request's body.
#[derive(Debug, Clone, Copy)]
pub(super) struct IsAdmin(bool);

impl<S: Sync> FromRequestParts<S> for IsAdmin {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        Ok(Self(has(parts, Scope::Admin)?))
    }
}

impl IsAdmin {
    /// Lets an administrator do it.
    ///
    /// # Errors
    /// Anybody else, told what `what` needs.
    pub(super) fn check(self, what: &str) -> Result<(), Problem> {
        if self.0 { Ok(()) } else { Err(lacking(Scope::Admin, what)) }
    }
}

/// Whether the caller may have backups worked with, where that depends on the request's body.
#[derive(Debug, Clone, Copy)]
pub(super) struct MayBackUp(bool);

impl<S: Sync> FromRequestParts<S> for MayBackUp {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        Ok(Self(has(parts, Scope::Backup)?))
    }
}

impl MayBackUp {
    /// Lets them do it.
    ///
    /// # Errors
    /// They may not, and are told what `what` needs.
    pub(super) fn check(self, what: &str) -> Result<(), Problem> {
        if self.0 { Ok(()) } else { Err(lacking(Scope::Backup, what)) }
    }
}

fn has(parts: &Parts, scope: Scope) -> Result<bool, Problem> {
    let Granted(scopes) = parts.extensions.get::<Granted>().ok_or_else(unauthenticated)?;
    Ok(scopes.as_ref().is_none_or(|scopes| scopes.iter().any(|own| own == scope.as_str())))
}

fn lacking(scope: Scope, what: &str) -> Problem {
    let name = scope.as_str();
    Problem::new(codes::INSUFFICIENT_SCOPE)
        .detail(format!("{what} needs the scope {name:?}"))
        .with("scope", name)
        .cure(format!("use a token with the scope {name}"))
}

/// Finds out who calls, and leaves it with the request.
pub(super) async fn authenticate(State(api): State<Api>, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    match recognise(&api, &parts).await {
        Ok((who, granted, shown)) => {
            parts.extensions.insert(who);
            parts.extensions.insert(shown);
            parts.extensions.insert(granted);
            parts.extensions.insert(api);
            next.run(Request::from_parts(parts, body)).await
        }
        Err(problem) => problem.into_response(),
    }
}

async fn recognise(api: &Api, request: &Parts) -> Result<(Who, Granted, Shown), Problem> {
    let request_id = request.extensions.get::<RequestId>().map(|id| id.as_str().to_owned());
    if let Some(header) = request.headers.get(AUTHORIZATION) {
        let text = header.to_str().unwrap_or_default();
        let (scheme, token) = text.split_once(' ').unwrap_or((text, ""));
        if !scheme.eq_ignore_ascii_case("bearer") {
            return Err(invalid_token());
        }
        return by_token(api, token.trim(), request_id).await;
    }
    if let Some(token) = session::token_of(&request.headers) {
        session::check_page(request)?;
        // A cookie that is no good any more would stay in the way of everything.
        return by_token(api, token, request_id).await.map_err(|problem| problem.header(SET_COOKIE, session::GONE));
    }
    if api.auth == AuthMode::Local && is_local(request) {
        let caller = Caller { request_id, ..Caller::unrestricted(Actor::local()) };
        return Ok((Who(caller), Granted(None), Shown(None)));
    }
    Err(unauthenticated())
}

async fn by_token(api: &Api, text: &str, request_id: Option<String>) -> Result<(Who, Granted, Shown), Problem> {
    let token = api.operations.master().verify_token(text).await.map_err(crate::operations::OperationError::from)?;
    let token = token.ok_or_else(invalid_token)?;
    let caller = Caller { actor: Actor::token(&token.name), request_id, services: token.services };
    Ok((Who(caller), Granted(Some(token.scopes)), Shown(Some(Secret::new(text)))))
}

fn is_local(request: &Parts) -> bool {
    let passed_on = |headers: &HeaderMap| {
        headers.contains_key(FORWARDED)
            || headers.contains_key(VIA)
            || headers.keys().any(|name| name.as_str().starts_with("x-forwarded-"))
            || headers.contains_key("x-real-ip")
    };
    let peer = request.extensions.get::<ConnectInfo<SocketAddr>>();
    peer.is_some_and(|ConnectInfo(address)| address.ip().to_canonical().is_loopback()) && !passed_on(&request.headers)
}

fn unauthenticated() -> Problem {
    Problem::new(codes::UNAUTHENTICATED)
        .detail("the request has no token")
        .cure("send Authorization: Bearer <token>; make a token with `profe token create`")
        .header(WWW_AUTHENTICATE, r#"Bearer realm="profe""#)
}

/// Unknown, expired and revoked tokens are not told apart.
pub(super) fn invalid_token() -> Problem {
    Problem::new(codes::INVALID_TOKEN)
        .detail("the token is unknown, has expired or was revoked")
        .cure("use a token that was not revoked and has not expired; make one with `profe token create`")
        .header(WWW_AUTHENTICATE, r#"Bearer realm="profe", error="invalid_token""#)
}

/// Lets a route be called with any of these scopes, and puts them into its documentation.
pub(super) fn needs(
    scopes: &'static [Scope],
    (schemas, mut paths, methods): UtoipaMethodRouter<Api>,
) -> UtoipaMethodRouter<Api> {
    let starts_runs = matches!(scopes, [Scope::Migrate | Scope::Rollback | Scope::Seed]);
    // A backup is work that must not be done twice by mistake, but no run.
    let is_repeatable = starts_runs || matches!(scopes, [Scope::Backup | Scope::Restore]);
    for item in paths.paths.values_mut() {
        let operations = [&mut item.get, &mut item.post, &mut item.put, &mut item.patch, &mut item.delete]
            .into_iter()
            .filter_map(Option::as_mut);
        for operation in operations {
            let words: Vec<&str> = scopes.iter().map(|scope| scope.as_str()).collect();
            operation.security = Some(words.iter().map(|word| SecurityRequirement::new("token", [*word])).collect());
            operation.extensions = Some(Extensions::builder().add("x-accepted-scopes", words).build());
            let mut document = "ProblemDocument";
            if let Some(RefOr::T(body)) = operation.request_body.as_mut().filter(|_| is_repeatable) {
                // What is started so has a default for everything: see `JsonOrNothing`.
                body.required = Some(Required::False);
                if starts_runs {
                    document = "RunProblemDocument";
                }
            }
            let problem = || RefOr::T(problem_response(document));
            operation.responses.responses.entry("default".to_owned()).or_insert_with(problem);
        }
    }
    let methods = (schemas, paths, methods);
    let methods = if is_repeatable { methods.layer(axum::middleware::from_fn(idempotency::layer)) } else { methods };
    methods.layer(axum::middleware::from_fn(move |request: Request, next: Next| check(scopes, request, next)))
}

/// The same for routes without documentation.
pub(super) async fn reads(request: Request, next: Next) -> Response {
    check(&[Scope::Read], request, next).await
}

/// The first scope is the one that is named as missing: it allows the least else.
async fn check(accepted: &[Scope], request: Request, next: Next) -> Response {
    match request.extensions().get::<Granted>() {
        None => unauthenticated().into_response(),
        Some(Granted(Some(scopes))) if !accepted.iter().any(|scope| scopes.iter().any(|own| own == scope.as_str())) => {
            let name = accepted.first().map_or("", |scope| scope.as_str());
            let words: Vec<_> = accepted.iter().map(|scope| scope.as_str()).collect();
            let cure = format!("use a token with the scope {}", words.join(" or "));
            Problem::new(codes::INSUFFICIENT_SCOPE)
                .detail(format!("{} {} needs the scope {name:?}", request.method(), request.uri().path()))
                .with("scope", name)
                .cure(cure)
                .header(
                    WWW_AUTHENTICATE,
                    &format!(r#"Bearer realm="profe", error="insufficient_scope", scope="{name}""#),
                )
                .into_response()
        }
        Some(_) => next.run(request).await,
    }
}

fn problem_response(document: &str) -> DocumentedResponse {
    let mut response = DocumentedResponse::new("A problem; its `code` says which");
    let content = Content::new(Some(Ref::from_schema_name(document)));
    response.content.insert(web::problem::PROBLEM_JSON.to_owned(), content.into());
    response
}

/// Adds what all routes share to the document.
pub(super) fn describe(document: &mut OpenApi) {
    let components = document.components.get_or_insert_with(Components::new);
    let mut schemas = Vec::new();
    <web::ProblemDocument as utoipa::ToSchema>::schemas(&mut schemas);
    <RunProblemDocument as utoipa::ToSchema>::schemas(&mut schemas);
    components.schemas.extend(schemas);
    components.schemas.insert("ProblemDocument".to_owned(), <web::ProblemDocument as utoipa::PartialSchema>::schema());
    components.schemas.insert("RunProblemDocument".to_owned(), <RunProblemDocument as utoipa::PartialSchema>::schema());
    let token = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .description(Some(
            "A token of `profe token create`. On loopback none is needed unless MIGRATION_SERVICE_AUTH is `required`.",
        ))
        .build();
    components.add_security_scheme("token", SecurityScheme::Http(token));
}
