//! The calls.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use kernel::cause;
use reqwest::{Method, RequestBuilder, Response, StatusCode, Url};
use serde_json::json;
use tokio::time::Instant;

use crate::answer::{Compatibility, Problem, Verdict};
use crate::changes::Changes;
use crate::error::{ClientError, NotCompatible};
use crate::settings::Settings;
use crate::watch::Watch;

/// For an answer that waits for nothing.
const PATIENCE: Duration = Duration::from_secs(10);
/// The migration service is asked to hold an answer back for so long at most.
const LONGEST_POLL: Duration = Duration::from_secs(25);
/// The pause after the first call that got no answer; it doubles up to the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// Between two questions that were answered at once although they could have waited.
const CALM: Duration = Duration::from_secs(1);

/// Speaks with the migration service for one process of a service. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Client(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    settings: Settings,
    /// One for each copy of the migration service.
    bases: Vec<Url>,
    /// The copy that is asked: another one, when it is away.
    at: AtomicUsize,
    http: reqwest::Client,
}

impl Client {
    /// Connects nothing yet.
    ///
    /// # Errors
    /// An address that is no URL of HTTP.
    pub fn new(settings: Settings) -> Result<Self, ClientError> {
        let wrong = |why: String| ClientError::Settings(why);
        let base = |url: &str| {
            let base = Url::parse(url.trim()).map_err(|error| wrong(format!("its address: {error}")))?;
            if !matches!(base.scheme(), "http" | "https") || base.cannot_be_a_base() {
                return Err(wrong("its address is no http:// or https:// URL".to_owned()));
            }
            Ok(base)
        };
        let bases = settings.url.split(',').map(base).collect::<Result<_, _>>()?;
        // The client takes the process's provider for TLS; there may be one already, and then it is ours.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder().connect_timeout(PATIENCE).redirect(reqwest::redirect::Policy::none());
        let http = http.build().map_err(|error| wrong(cause(&error)))?;
        Ok(Self(Arc::new(Inner { settings, bases, at: AtomicUsize::new(0), http })))
    }

    /// Who it speaks for.
    pub fn settings(&self) -> &Settings {
        &self.0.settings
    }

    /// Whether the release fits; while it will when migrations are applied, the answer is held back for up to `longest` (at
    /// most 25 seconds of it).
    ///
    /// # Errors
    /// No answer, or a refusal.
    pub async fn compatibility(&self, longest: Duration) -> Result<Compatibility, ClientError> {
        let Settings { service, release, environment, needs, tolerates, .. } = self.settings();
        let wait = longest.min(LONGEST_POLL);
        let mut query =
            vec![("service", service.clone()), ("release", release.clone()), ("wait", wait.as_secs().to_string())];
        query.extend(environment.clone().map(|environment| ("environment", environment)));
        for (name, ids) in [("needs", needs), ("tolerates", tolerates)] {
            if !ids.is_empty() {
                query.push((name, ids.join(",")));
            }
        }
        let mut url = self.url(&["api", "compatibility"]);
        url.query_pairs_mut().extend_pairs(query);
        let answer = self.answered(self.request(Method::GET, url).timeout(wait + PATIENCE)).await?;
        answer.json().await.map_err(|error| away(&error))
    }

    /// Waits until the release fits; for as long as it may come to, but no longer than `deadline`. Meanwhile the migration
    /// service may be away.
    ///
    /// # Errors
    /// It does not fit, or not in time, or nobody could say it.
    pub async fn wait_until_compatible(&self, deadline: Duration) -> Result<Compatibility, NotCompatible> {
        let until = Instant::now() + deadline;
        let mut pause = FIRST_PAUSE;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let asked = Instant::now();
            let answer = tokio::time::timeout(left.max(PATIENCE), self.compatibility(left)).await;
            let answer = answer.unwrap_or_else(|_| Err(ClientError::Away("it did not answer in time".to_owned())));
            let late = match answer {
                Ok(found) => match found.verdict {
                    Verdict::Compatible => return Ok(found),
                    Verdict::Incompatible => return Err(NotCompatible::Incompatible(found)),
                    Verdict::Wait => {
                        pause = if asked.elapsed() < CALM { CALM } else { Duration::ZERO };
                        NotCompatible::Late(found)
                    }
                },
                Err(error @ ClientError::Away(_)) => {
                    pause = (pause * 2).clamp(FIRST_PAUSE, LONGEST_PAUSE);
                    NotCompatible::Unknown(error)
                }
                Err(error) => return Err(NotCompatible::Refused(error)),
            };
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(late);
            }
            tokio::time::sleep(pause.min(left)).await;
        }
    }

    /// Says that this process lives. [`watch`](Self::watch) does it by itself.
    ///
    /// # Errors
    /// No answer, or a refusal.
    pub async fn register(&self) -> Result<(), ClientError> {
        let Settings { release, environment, needs, tolerates, .. } = self.settings();
        let body = json!({ "environment": environment, "release": release, "needs": needs, "tolerates": tolerates,
            "ttlS": self.settings().ttl_s() });
        let request = self.request(Method::PUT, self.own_url()).json(&body).timeout(PATIENCE);
        self.answered(request).await.map(drop)
    }

    /// Says that this process ends: it holds nothing any more.
    ///
    /// # Errors
    /// No answer, or a refusal.
    pub async fn sign_off(&self) -> Result<(), ClientError> {
        let mut url = self.own_url();
        if let Some(environment) = &self.settings().environment {
            url.query_pairs_mut().append_pair("environment", environment);
        }
        self.answered(self.request(Method::DELETE, url).timeout(PATIENCE)).await.map(drop)
    }

    /// What happens to the service's migrations, from after the event `after` or from now on.
    pub fn changes(&self, after: Option<i64>) -> Changes {
        Changes::new(self.clone(), after)
    }

    /// Registers, asks, and listens beside the service until the watch is stopped or dropped.
    ///
    /// # Panics
    /// Outside of a Tokio runtime.
    pub fn watch(self) -> Watch {
        Watch::begin(self)
    }

    /// Opens the stream of events after `after`.
    pub(crate) async fn open_events(&self, after: Option<i64>) -> Result<Response, ClientError> {
        let mut url = self.url(&["api", "events"]);
        url.query_pairs_mut().append_pair("service", &self.settings().service);
        let mut request = self.request(Method::GET, url).header("accept", "text/event-stream");
        if let Some(after) = after {
            request = request.header("last-event-id", after.to_string());
        }
        // The stream has no end, but its beginning comes at once.
        let opened = tokio::time::timeout(PATIENCE, self.answered(request)).await;
        opened.unwrap_or_else(|_| Err(ClientError::Away("it did not answer in time".to_owned())))
    }

    fn own_url(&self) -> Url {
        self.url(&["api", "releases", &self.settings().service, &self.settings().instance])
    }

    /// A path below the service's address.
    fn url(&self, parts: &[&str]) -> Url {
        let mut url = self.0.bases[self.0.at.load(Ordering::Relaxed) % self.0.bases.len()].clone();
        url.set_query(None);
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(parts);
        }
        url
    }

    fn request(&self, method: Method, url: Url) -> RequestBuilder {
        let request = self.0.http.request(method, url);
        match &self.settings().token {
            Some(token) => request.bearer_auth(token.reveal()),
            None => request,
        }
    }

    /// Sends, and makes an error of what is no success. Where the copy is away, the next question is for another one.
    async fn answered(&self, request: RequestBuilder) -> Result<Response, ClientError> {
        let at = self.0.at.load(Ordering::Relaxed);
        let answered = Self::answer(request).await;
        if let Err(ClientError::Away(_)) = &answered {
            // Of several that failed at once the first one moves on.
            let _ = self.0.at.compare_exchange(at, at.wrapping_add(1), Ordering::Relaxed, Ordering::Relaxed);
        }
        answered
    }

    async fn answer(request: RequestBuilder) -> Result<Response, ClientError> {
        let answer = request.send().await.map_err(|error| away(&error))?;
        let status = answer.status();
        if status.is_success() {
            return Ok(answer);
        }
        let problem: Problem = answer.json().await.unwrap_or_default();
        let detail = if problem.detail.is_empty() { format!("it answered {status}") } else { problem.detail };
        let is_passing =
            status.is_server_error() || matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT);
        if is_passing {
            return Err(ClientError::Away(detail));
        }
        Err(ClientError::Refused { code: problem.code, detail, cure: problem.cure })
    }
}

pub(crate) fn away(error: &reqwest::Error) -> ClientError {
    ClientError::Away(cause(error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stay_within_their_part_of_the_path() {
        let mut settings = Settings::new("http://localhost:3009/migrations/", "plans-service", "2.4");
        settings.instance = "../../tokens?x".to_owned();
        let client = Client::new(settings).expect("a good address");
        let url = client.own_url().to_string();
        assert_eq!(url, "http://localhost:3009/migrations/api/releases/plans-service/..%2F..%2Ftokens%3Fx");
    }

    #[test]
    fn an_address_that_is_none_is_refused() {
        for url in ["localhost:3009", "ftp://localhost", "", "migrations", "http://localhost:3009,"] {
            let made = Client::new(Settings::new(url, "plans-service", "2.4"));
            assert!(matches!(made, Err(ClientError::Settings(_))), "{url}");
        }
    }
}
