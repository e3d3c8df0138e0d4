//! What the auth service publishes.

use std::time::Duration;

use http::header::{ETAG, IF_NONE_MATCH};
use http::{HeaderValue, StatusCode};
use identity::KeySet;
use kernel::{SessionId, cause};
use reqwest::{Client, Response, Url};
use serde::Deserialize;

use crate::error::StartError;

/// For one answer of all copies together. With five seconds between two looks it makes the stated ten.
const PATIENCE: Duration = Duration::from_secs(4);
/// A published document is never near it, bytes.
const LONGEST: usize = 8 << 20;

/// Asks the auth service: the copy that answered last, and the others where it does not.
pub(crate) struct Fetch {
    client: Client,
    copies: Vec<Published>,
    at: usize,
    /// The version of the ended sessions that is known; the copies publish the same.
    etag: Option<HeaderValue>,
}

/// Where a copy publishes.
struct Published {
    keys: Url,
    sessions: Url,
}

/// A success, read to its end; without a body where nothing has changed.
struct Answer {
    etag: Option<HeaderValue>,
    body: Option<Vec<u8>>,
}

#[derive(Deserialize)]
struct Ended {
    revoked: Vec<EndedSession>,
}

#[derive(Deserialize)]
struct EndedSession {
    session: SessionId,
    until: i64,
}

impl Fetch {
    /// `auth`: the addresses of the copies, separated by commas.
    pub(crate) fn new(auth: &str) -> Result<Self, StartError> {
        let copies = addresses(auth).map(published).collect::<Result<Vec<_>, _>>()?;
        // The client takes the process's provider for TLS; there may be one already, and then it is ours.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let patience = PATIENCE / u32::try_from(copies.len()).unwrap_or(u32::MAX).max(1);
        let builder = Client::builder().timeout(patience).redirect(reqwest::redirect::Policy::none()).no_proxy();
        let client = builder.build().map_err(|error| StartError::Client(cause(&error)))?;
        Ok(Self { client, copies, at: 0, etag: None })
    }

    /// The keys that are published now.
    pub(crate) async fn keys(&mut self) -> Result<KeySet, String> {
        let bytes = self.ask(|copy| &copy.keys, None).await?.body.unwrap_or_default();
        let text = String::from_utf8(bytes).map_err(|_| "the keys are not UTF-8".to_owned())?;
        let keys = KeySet::from_json(&text).map_err(|error| error.to_string())?;
        if keys.ids().next().is_none() { Err("it publishes no key of ours".to_owned()) } else { Ok(keys) }
    }

    /// The sessions that were ended and until when that matters, Unix seconds; `None` where it is what was answered last.
    pub(crate) async fn ended(&mut self) -> Result<Option<Vec<(SessionId, i64)>>, String> {
        let Answer { etag, body } = self.ask(|copy| &copy.sessions, self.etag.clone()).await?;
        let Some(body) = body else { return Ok(None) };
        let ended: Ended = serde_json::from_slice(&body).map_err(|error| format!("the ended sessions: {error}"))?;
        self.etag = etag;
        Ok(Some(ended.revoked.into_iter().map(|one| (one.session, one.until)).collect()))
    }

    /// The first answer of a copy, or what the last one said.
    async fn ask(&mut self, of: fn(&Published) -> &Url, known: Option<HeaderValue>) -> Result<Answer, String> {
        let mut said = String::new();
        for _ in 0..self.copies.len() {
            match answer(&self.client, of(&self.copies[self.at]), known.as_ref()).await {
                Ok(answer) => return Ok(answer),
                Err(error) => said = error,
            }
            self.at = (self.at + 1) % self.copies.len();
        }
        Err(said)
    }
}

/// Each of a list.
pub(crate) fn addresses(list: &str) -> impl Iterator<Item = &str> {
    list.split(',').map(str::trim)
}

fn published(auth: &str) -> Result<Published, StartError> {
    let auth = Url::parse(auth).map_err(|error| StartError::Address(error.to_string()))?;
    let below = |name: &str| {
        let mut url = auth.clone();
        url.set_query(None);
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend([".well-known", name]);
        }
        url
    };
    Ok(Published { keys: below("jwks.json"), sessions: below("revoked-sessions") })
}

async fn answer(client: &Client, url: &Url, known: Option<&HeaderValue>) -> Result<Answer, String> {
    let mut request = client.get(url.clone());
    if let Some(known) = known {
        request = request.header(IF_NONE_MATCH, known);
    }
    let answer = request.send().await.map_err(|error| cause(&error.without_url()))?;
    let etag = answer.headers().get(ETAG).cloned();
    let is_known = answer.status() == StatusCode::NOT_MODIFIED && known.is_some();
    let body = if is_known { None } else { Some(body(answer).await?) };
    Ok(Answer { etag, body })
}

/// The whole body of a success.
async fn body(mut answer: Response) -> Result<Vec<u8>, String> {
    let status = answer.status();
    if status != StatusCode::OK {
        return Err(format!("it answered {status}"));
    }
    let mut bytes = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(|error| cause(&error.without_url()))? {
        bytes.extend_from_slice(&chunk);
        if bytes.len() > LONGEST {
            return Err(format!("it answered more than {LONGEST} bytes"));
        }
    }
    Ok(bytes)
}
