//! What the auth service publishes.

use std::time::Duration;

use http::StatusCode;
use http::header::{ETAG, IF_NONE_MATCH};
use identity::KeySet;
use kernel::{SessionId, cause};
use reqwest::{Client, Response, Url};
use serde::Deserialize;

use crate::error::StartError;

/// For one answer. With five seconds between two looks it makes the stated ten.
const PATIENCE: Duration = Duration::from_secs(4);
/// A published document is never near it, bytes.
const LONGEST: usize = 8 << 20;

/// Asks the auth service.
pub(crate) struct Fetch {
    client: Client,
    keys: Url,
    sessions: Url,
    /// The version of the ended sessions that is known.
    etag: Option<http::HeaderValue>,
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
    pub(crate) fn new(auth: &str) -> Result<Self, StartError> {
        let auth = Url::parse(auth).map_err(|error| StartError::Address(error.to_string()))?;
        // The client takes the process's provider for TLS; there may be one already, and then it is ours.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let builder = Client::builder().timeout(PATIENCE).redirect(reqwest::redirect::Policy::none()).no_proxy();
        let client = builder.build().map_err(|error| StartError::Client(cause(&error)))?;
        let below = |name: &str| {
            let mut url = auth.clone();
            url.set_query(None);
            if let Ok(mut path) = url.path_segments_mut() {
                path.pop_if_empty().extend([".well-known", name]);
            }
            url
        };
        Ok(Self { client, keys: below("jwks.json"), sessions: below("revoked-sessions"), etag: None })
    }

    /// The keys that are published now.
    pub(crate) async fn keys(&self) -> Result<KeySet, String> {
        let answer = self.client.get(self.keys.clone()).send().await.map_err(|error| cause(&error.without_url()))?;
        let text = String::from_utf8(body(answer).await?).map_err(|_| "the keys are not UTF-8".to_owned())?;
        let keys = KeySet::from_json(&text).map_err(|error| error.to_string())?;
        if keys.ids().next().is_none() { Err("it publishes no key of ours".to_owned()) } else { Ok(keys) }
    }

    /// The sessions that were ended and until when that matters, Unix seconds; `None` where it is what was answered last.
    pub(crate) async fn ended(&mut self) -> Result<Option<Vec<(SessionId, i64)>>, String> {
        let mut request = self.client.get(self.sessions.clone());
        if let Some(etag) = &self.etag {
            request = request.header(IF_NONE_MATCH, etag);
        }
        let answer = request.send().await.map_err(|error| cause(&error.without_url()))?;
        if answer.status() == StatusCode::NOT_MODIFIED && self.etag.is_some() {
            return Ok(None);
        }
        let etag = answer.headers().get(ETAG).cloned();
        let bytes = body(answer).await?;
        let ended: Ended = serde_json::from_slice(&bytes).map_err(|error| format!("the ended sessions: {error}"))?;
        self.etag = etag;
        Ok(Some(ended.revoked.into_iter().map(|one| (one.session, one.until)).collect()))
    }
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
