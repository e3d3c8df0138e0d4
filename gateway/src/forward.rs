//! A request to a service, tried again where that can do no harm.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::response::IntoResponse as _;
use http::header::{CONTENT_TYPE, HOST, RETRY_AFTER};
use http::{Request, Response};
use hyper::body::Incoming;
use web::{Problem, kinds, problem::PROBLEM_JSON};

use crate::answer::Answer;
use crate::core::Core;
use crate::endpoint::{Endpoint, InFlight};
use crate::link::{Link, Lost};
use crate::metrics::RouteMetrics;
use crate::payload::{Fault, Payload, Progress};
use crate::problems;
use crate::upstream::Copies;

/// So often at most; one that was closed while it lay ready does not count.
const ATTEMPTS: u32 = 4;

/// What is known of a request beside itself.
pub(crate) struct Plan<'a> {
    pub(crate) core: &'a Core,
    pub(crate) copies: &'a Copies,
    pub(crate) metrics: &'a RouteMetrics,
    pub(crate) timeout: Duration,
    /// Doing it twice is as doing it once, and its body can be sent twice.
    pub(crate) again: bool,
    /// Of a body that is streamed.
    pub(crate) progress: Option<Arc<Progress>>,
}

enum Outcome {
    Answer(Response<Incoming>),
    Unsent(Box<Request<Payload>>),
    Lost(hyper::Error),
    Late,
}

impl Plan<'_> {
    /// Sends it to a copy of the service; to another one where that one cannot be reached, or does not answer and nothing can
    /// be done twice by asking again.
    pub(crate) async fn send(&self, mut request: Request<Payload>) -> Result<Response<Answer>, Problem> {
        let mut tried: Vec<Arc<Endpoint>> = Vec::new();
        let mut attempt = 0;
        while attempt < ATTEMPTS {
            attempt += 1;
            if attempt > 1 {
                self.metrics.retries.fetch_add(1, Ordering::Relaxed);
            }
            let Some(endpoint) = self.copies.choose(&tried) else { break };
            let in_flight = InFlight::new(&endpoint);
            let mut link = match endpoint.link(self.core.times.connect).await {
                Ok(link) => link,
                Err(error) => {
                    endpoint.failed(&error.to_string());
                    tried.push(endpoint);
                    continue;
                }
            };
            request.headers_mut().insert(HOST, endpoint.host.clone());
            let was_used = link.is_used;
            let copy = self.again.then(|| again(&request));
            request = match self.wait(&mut link, request).await {
                Outcome::Answer(answer) => {
                    endpoint.answered();
                    return Ok(passed_on(answer, link, in_flight));
                }
                Outcome::Late => {
                    endpoint.stumbled();
                    let seconds = self.timeout.as_secs();
                    return Err(Problem::new(problems::TOO_SLOW)
                        .detail(format!("the service did not begin to answer within {seconds} s")));
                }
                Outcome::Unsent(request) => *request,
                Outcome::Lost(error) => {
                    if let Some(problem) = self.fault() {
                        return Err(problem);
                    }
                    tracing::debug!(%error, endpoint = %endpoint.authority, "it broke off without an answer");
                    if !was_used {
                        endpoint.stumbled();
                    }
                    let Some(copy) = copy else {
                        return Err(Problem::new(problems::NO_ANSWER).detail("the service broke off without an answer"));
                    };
                    copy
                }
            };
            // Others that lay ready are as old.
            endpoint.forget_idle();
            if was_used {
                attempt -= 1;
            } else {
                tried.push(endpoint);
            }
        }
        tracing::warn!(upstream = %self.copies.name, "no copy of it can be reached");
        Err(away())
    }

    /// As long as the body is on its way, the time begins anew.
    async fn wait(&self, link: &mut Link, request: Request<Payload>) -> Outcome {
        let mut sent = std::pin::pin!(link.send(request));
        let mut bytes = 0;
        loop {
            match tokio::time::timeout(self.timeout, &mut sent).await {
                Ok(Ok(answer)) => return Outcome::Answer(answer),
                Ok(Err(Lost::Unsent(request))) => return Outcome::Unsent(request),
                Ok(Err(Lost::Sent(error))) => return Outcome::Lost(error),
                Err(_) => {
                    let now = self.progress.as_ref().map_or(0, |progress| progress.bytes());
                    if now == bytes {
                        return Outcome::Late;
                    }
                    bytes = now;
                }
            }
        }
    }

    /// What was wrong with the request's own body, where that is why there is no answer.
    fn fault(&self) -> Option<Problem> {
        self.progress.as_ref()?.fault().map(refused)
    }
}

/// No copy can be reached.
pub(crate) fn away() -> Problem {
    Problem::new(problems::SERVICE_AWAY).detail("no copy of the service can be reached").header(RETRY_AFTER, "1")
}

/// Why a body is not passed on.
pub(crate) fn refused(fault: Fault) -> Problem {
    match fault {
        Fault::TooLarge => Problem::new(kinds::BODY_TOO_LARGE).detail("the body is larger than this path takes"),
        Fault::TooSlow => Problem::new(kinds::BODY_INCOMPLETE).detail("the body came too slowly"),
        Fault::Broken => Problem::new(kinds::BODY_INCOMPLETE).detail("the body broke off"),
    }
}

/// The same once more; its body is here or there is none.
fn again(request: &Request<Payload>) -> Request<Payload> {
    let body = match request.body() {
        Payload::Whole(bytes) => Payload::Whole(bytes.clone()),
        Payload::Empty | Payload::Stream(_) => Payload::Empty,
    };
    let mut copy = Request::new(body);
    copy.method_mut().clone_from(request.method());
    copy.uri_mut().clone_from(request.uri());
    copy.headers_mut().clone_from(request.headers());
    copy
}

/// As it comes; but of an error that is none of our services' the text stays inside: it may be anything (check 31).
fn passed_on(answer: Response<Incoming>, link: Link, in_flight: InFlight) -> Response<Answer> {
    let (parts, body) = answer.into_parts();
    let is_told = !parts.status.is_server_error()
        || parts.headers.get(CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(PROBLEM_JSON.as_bytes()));
    if is_told {
        return Response::from_parts(parts, Answer::theirs(body, link, in_flight));
    }
    let problem = Problem::new(problems::SERVICE_FAILED)
        .status(parts.status)
        .detail(format!("the service answered {} without saying why", parts.status.as_u16()));
    problem.into_response().map(Answer::Ours)
}
