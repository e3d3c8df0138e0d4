//! One request, from the front door to a service and back.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use axum::response::IntoResponse as _;
use futures_util::FutureExt as _;
use http::header::{ACCEPT_LANGUAGE, ALLOW, AUTHORIZATION, RETRY_AFTER, UPGRADE, WWW_AUTHENTICATE};
use http::request::Parts;
use http::{HeaderValue, Request, Response, StatusCode, Uri, Version};
use http_body_util::BodyExt as _;
use hyper::body::{Body as _, Incoming};
use hyper::upgrade::OnUpgrade;
use keyring::NotBelieved;
use tracing::Instrument as _;
use web::{Asked, Problem, RequestId, kinds};

use crate::answer::Answer;
use crate::core::Core;
use crate::cors::{self, Page};
use crate::forward::{Plan, refused};
use crate::headers::{self, Client, X_REQUEST_ID};
use crate::limits::{self, Key};
use crate::metrics::RouteMetrics;
use crate::payload::{Metered, Payload};
use crate::spans::Trace;
use crate::table::{Access, Found, Rate, Route};
use crate::{ids, methods, pages, path, problems, tunnel, webhooks};

/// Bodies up to this are waited for where that makes it possible to send them twice, bytes.
const SMALL: u64 = 16 << 10;

/// A client's connection.
pub(crate) struct Visitor {
    pub(crate) peer: SocketAddr,
    /// From now on no HTTP.
    pub(crate) raw: Arc<AtomicBool>,
}

/// What a request leaves behind for the case that something goes wrong, or for the log.
struct Note {
    uri: Uri,
    language: Option<HeaderValue>,
    id: RequestId,
    metrics: Option<Arc<RouteMetrics>>,
}

/// Answers a request. Never an error: what goes wrong is an answer too.
pub(crate) async fn answer(core: &Arc<Core>, visitor: &Visitor, mut request: Request<Incoming>) -> Response<Answer> {
    let begun = Instant::now();
    let method = request.method().clone();
    let given = request.headers().get(X_REQUEST_ID).and_then(|value| value.to_str().ok()).and_then(RequestId::parse);
    let id = given.unwrap_or_else(ids::new);
    // What an id may be made of, a header may hold.
    let id_value = HeaderValue::from_str(id.as_str()).unwrap_or(HeaderValue::from_static("-"));
    let mut note = Note {
        uri: request.uri().clone(),
        language: request.headers().get(ACCEPT_LANGUAGE).cloned(),
        id,
        metrics: None,
    };
    let page = Page::of(request.headers(), &core.origins);
    let upgrade = request.headers().contains_key(UPGRADE).then(|| hyper::upgrade::on(&mut request));
    let trace = Trace::begin(note.id.as_str(), &method, note.uri.path(), request.headers_mut());
    let serving = serve(core, visitor, request, upgrade, &page, &id_value, &mut note).instrument(trace.span.clone());
    let served = std::panic::AssertUnwindSafe(serving).catch_unwind().await;
    let served =
        served.unwrap_or_else(|_| Err(Problem::new(kinds::INTERNAL).cure("look for the requestId in the log")));
    let mut response = match served {
        Ok(response) => response,
        Err(problem) => note.word(problem.into_response()),
    };
    headers::finish(response.headers_mut(), &id_value);
    page.allow(response.headers_mut());
    trace.end(response.status(), response.headers_mut());
    let took = begun.elapsed();
    if let Some(metrics) = &note.metrics {
        metrics.count(response.status(), took);
    }
    if tracing::enabled!(tracing::Level::INFO) {
        let (status, duration_ms) = (response.status().as_u16(), took.as_millis() as u64);
        trace.span.in_scope(|| tracing::info!(%method, path = note.uri.path(), status, duration_ms, "answered"));
    }
    response
}

impl Note {
    /// In the caller's language, with the path and the request's id.
    fn word(&self, response: axum::response::Response) -> Response<Answer> {
        let mut asked = Request::new(());
        *asked.uri_mut() = self.uri.clone();
        asked.headers_mut().extend(self.language.clone().map(|value| (ACCEPT_LANGUAGE, value)));
        asked.extensions_mut().insert(self.id.clone());
        Asked::of(&asked.into_parts().0).word(response).map(Answer::Ours)
    }
}

async fn serve(
    core: &Arc<Core>,
    visitor: &Visitor,
    request: Request<Incoming>,
    upgrade: Option<OnUpgrade>,
    page: &Page,
    id: &HeaderValue,
    note: &mut Note,
) -> Result<Response<Answer>, Problem> {
    let (parts, body) = request.into_parts();
    check(&parts, page)?;
    if cors::is_preflight(&parts.method, &parts.headers) {
        let mut response = StatusCode::NO_CONTENT.into_response().map(Answer::Ours);
        page.allow_preflight(response.headers_mut());
        return Ok(response);
    }
    if let Some(page) = pages::page(core, parts.uri.path()) {
        return page.map(|page| page.map(Answer::Ours));
    }
    let routing = core.routing();
    let client = Client::of(&parts.headers, visitor.peer.ip(), core.trusted_hops);
    if let Some(rate) = routing.table.client {
        count(core, Key::address(limits::CLIENT, client.address), rate)?;
    }
    if let Some(name) = webhooks::name(parts.uri.path()).map(str::to_owned) {
        return webhooks::take(core, &routing, &name, parts, body, client, id).await;
    }
    let Some(Found { at, route, path }) = routing.table.find(&parts.method, parts.uri.path()) else {
        return Err(Problem::new(kinds::NOT_FOUND).detail(format!("there is nothing at {}", parts.uri.path())));
    };
    // The table's lists are made together.
    let Some((upstream, metrics)) = routing.of_route.get(at) else { return Err(Problem::new(kinds::INTERNAL)) };
    note.metrics = Some(Arc::clone(metrics));
    let user = admit(core, route, &parts).await?;
    if let (Some(user), Some(rate)) = (user, routing.table.user) {
        count(core, Key::user(limits::USER, user), rate)?;
    }
    if let Some(rate) = route.limit {
        let address = || Key::address(metrics.number, client.address);
        count(core, user.map_or_else(address, |user| Key::user(metrics.number, user)), rate)?;
    }
    Trace::leads_to(&route.upstream);
    let mut parts = parts;
    let wanted = parts.headers.get(UPGRADE).cloned();
    let uri = there(&parts.uri, path)?;
    headers::to_service(&mut parts.headers, client, id);
    (parts.uri, parts.version) = (uri, Version::HTTP_11);
    if let (Some(wanted), Some(upgrade), true) = (wanted, upgrade, route.upgrade) {
        let tunnel = tunnel::Tunnel { core, upstream, visitor, upgrade, timeout: route.timeout };
        return tunnel.open(parts, &body, &wanted, id).await;
    }
    let is_idempotent = methods::can_be_asked_again(&parts.method, &parts.headers);
    let (payload, progress) = payload(core, body, route.body_limit, is_idempotent).await?;
    let again = is_idempotent && !matches!(payload, Payload::Stream(_));
    let copies = upstream.copies();
    let plan = Plan { core, copies, metrics, timeout: route.timeout, again, progress };
    let response = plan.send(Request::from_parts(parts, payload)).await?;
    // An error that is ours instead of theirs is still to be worded.
    Ok(match response.extensions().get::<Problem>() {
        Some(_) => match response.into_parts() {
            (parts, Answer::Ours(body)) => note.word(Response::from_parts(parts, body)),
            (parts, body) => Response::from_parts(parts, body),
        },
        None => answered(response, id),
    })
}

fn answered(mut response: Response<Answer>, id: &HeaderValue) -> Response<Answer> {
    headers::to_client(response.headers_mut(), id);
    response
}

/// What is no request for anybody.
fn check(parts: &Parts, page: &Page) -> Result<(), Problem> {
    if !methods::is_known(&parts.method) {
        let refused = Problem::new(kinds::METHOD_NOT_ALLOWED).header(ALLOW, methods::ALLOW);
        return Err(refused.detail(format!("{} is not let through", parts.method)));
    }
    if let Some(why) = path::refusal(parts.uri.path()) {
        return Err(Problem::new(kinds::INVALID_PATH).detail(format!("the path is refused: {why}")));
    }
    if matches!(page, Page::Foreign) {
        return Err(Problem::new(kinds::ORIGIN_NOT_ALLOWED)
            .detail("the page that calls is not on the list")
            .cure("add its origin to API_GATEWAY_ALLOWED_ORIGINS if it is yours"));
    }
    Ok(())
}

/// Who asks, where the route is for somebody.
async fn admit(core: &Core, route: &Route, parts: &Parts) -> Result<Option<kernel::UserId>, Problem> {
    if route.access == Access::Own {
        let presents = parts.headers.contains_key(AUTHORIZATION);
        return if presents { Ok(None) } else { Err(unauthenticated(NotBelieved::Anonymous)) };
    }
    match core.keyring.believe(&parts.headers).await {
        Ok(access) => Ok(Some(access.user)),
        Err(NotBelieved::Anonymous) if route.access == Access::Public => Ok(None),
        Err(NotBelieved::KeysUnknown) => Err(Problem::new(kinds::NOT_READY)
            .detail("the keys of the auth service are not known yet")
            .header(RETRY_AFTER, "1")),
        Err(why) => {
            tracing::debug!(%why, "not believed");
            Err(unauthenticated(why))
        }
    }
}

/// Why exactly, only the log is told.
fn unauthenticated(why: NotBelieved) -> Problem {
    let (detail, challenge) = match why {
        NotBelieved::Anonymous => ("there is no access token", "Bearer"),
        _ => ("the access token is not believed", "Bearer error=\"invalid_token\""),
    };
    Problem::new(problems::UNAUTHENTICATED).detail(detail).cure("sign in again").header(WWW_AUTHENTICATE, challenge)
}

fn count(core: &Core, key: Key, rate: Rate) -> Result<(), Problem> {
    core.limits.count(key, rate).map_err(|seconds| {
        Problem::new(problems::TOO_MANY_REQUESTS)
            .detail(format!("come again in {seconds} s"))
            .header(RETRY_AFTER, &seconds.to_string())
    })
}

/// The path at the service, with the query as it came.
fn there(uri: &Uri, path: Option<String>) -> Result<Uri, Problem> {
    let same = || uri.path_and_query().cloned().map(Uri::from);
    let uri = match path {
        None => same(),
        Some(mut path) => {
            if let Some(query) = uri.query() {
                path.push('?');
                path.push_str(query);
            }
            path.parse().ok()
        }
    };
    uri.ok_or_else(|| Problem::new(kinds::INVALID_PATH))
}

type Measured = (Payload, Option<Arc<crate::payload::Progress>>);

async fn payload(core: &Core, body: Incoming, limit: u64, can_repeat: bool) -> Result<Measured, Problem> {
    if body.is_end_stream() {
        return Ok((Payload::Empty, None));
    }
    let length = body.size_hint().exact();
    if length.is_some_and(|length| length > limit) {
        return Err(refused(crate::payload::Fault::TooLarge));
    }
    let (metered, progress) = Metered::new(body, limit, core.times.body);
    if !can_repeat || length.is_none_or(|length| length > SMALL) {
        return Ok((Payload::Stream(Box::new(metered)), Some(progress)));
    }
    match metered.collect().await {
        Ok(whole) => Ok((Payload::Whole(Some(whole.to_bytes())), None)),
        Err(_) => Err(refused(progress.fault().unwrap_or(crate::payload::Fault::Broken))),
    }
}

/// Lets what comes next on the connection be no HTTP.
pub(crate) fn let_through(visitor: &Visitor) {
    visitor.raw.store(true, Ordering::Relaxed);
}
