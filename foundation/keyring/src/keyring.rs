//! Believing, which asks nobody.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, RwLock};
use std::time::Duration;

use http::HeaderMap;
use http::header::AUTHORIZATION;
use identity::{Access, KeySet, Refused, Terms};
use kernel::SessionId;
use time::OffsetDateTime;
use tokio::sync::{Notify, watch};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::believed::{Believed, Fingerprint, Memory};
use crate::error::{NotBelieved, StartError};
use crate::fetch::Fetch;
use crate::keep;
use crate::settings::Settings;

/// A request waits no longer for keys that are fetched because of it.
const PATIENCE: Duration = Duration::from_secs(5);

/// Believes access tokens for one process of a service. Cheap to clone; with the last clone it stops asking.
#[derive(Clone)]
pub struct Keyring(Arc<Held>);

struct Held {
    inner: Arc<Inner>,
    _stop: DropGuard,
}

/// What the tasks keep up to date.
pub(crate) struct Inner {
    terms: Terms,
    keys: RwLock<(u64, Arc<KeySet>)>,
    ended: RwLock<HashMap<SessionId, i64>>,
    memory: Memory,
    /// Says that an unknown key was met …
    pub(crate) unknown: Notify,
    /// … and what became of it.
    pub(crate) rounds: watch::Sender<keep::Rounds>,
}

impl Keyring {
    /// Begins to fetch, beside whatever else goes on, until `shutdown` or until the last clone is dropped.
    ///
    /// # Errors
    /// An address that is none, or no client for HTTP can be made.
    ///
    /// # Panics
    /// Outside of a Tokio runtime.
    pub fn start(settings: Settings, shutdown: &CancellationToken) -> Result<Self, StartError> {
        let (of_keys, of_sessions) = (Fetch::new(&settings.auth)?, Fetch::new(&settings.auth)?);
        let inner = Arc::new(Inner {
            terms: settings.terms.clone(),
            keys: RwLock::default(),
            ended: RwLock::default(),
            memory: Memory::new(),
            unknown: Notify::new(),
            rounds: watch::Sender::default(),
        });
        let stop = shutdown.child_token();
        tokio::spawn(keep::keys(Arc::clone(&inner), of_keys, settings.clone(), stop.clone()));
        tokio::spawn(keep::sessions(Arc::clone(&inner), of_sessions, settings, stop.clone()));
        Ok(Self(Arc::new(Held { inner, _stop: stop.drop_guard() })))
    }

    /// Who sends a request with these headers: of `Authorization: Bearer …`.
    ///
    /// # Errors
    /// Why that is not believed; [`NotBelieved::Anonymous`] where nothing is presented.
    pub async fn believe(&self, headers: &HeaderMap) -> Result<Access, NotBelieved> {
        self.believe_token(bearer(headers)?).await
    }

    /// Who presents this token. An unknown key is asked for once, at most every ten seconds, and waited for.
    ///
    /// # Errors
    /// As [`believe`](Self::believe).
    pub async fn believe_token(&self, token: &str) -> Result<Access, NotBelieved> {
        let inner = &self.0.inner;
        let now = OffsetDateTime::now_utc();
        match inner.believe(token, now) {
            Err(NotBelieved::Refused(Refused::UnknownKey)) if inner.fetch_again().await => inner.believe(token, now),
            answer => answer,
        }
    }

    /// As [`believe_token`](Self::believe_token) at `now`, with the keys at hand.
    ///
    /// # Errors
    /// As there.
    pub fn believe_at(&self, token: &str, now: OffsetDateTime) -> Result<Access, NotBelieved> {
        self.0.inner.believe(token, now)
    }

    /// Whether there are keys, without which nobody is believed.
    pub fn is_known(&self) -> bool {
        self.0.inner.rounds.borrow().known
    }

    /// Waits until there are.
    pub async fn known(&self) {
        // The sender is `self`'s own, so it cannot be gone.
        let _ = self.0.inner.rounds.subscribe().wait_for(|rounds| rounds.known).await;
    }

    /// How many sessions that were ended are refused now.
    pub fn ended(&self) -> usize {
        self.0.inner.ended.read().map_or(0, |ended| ended.len())
    }
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keyring").field("known", &self.is_known()).field("ended", &self.ended()).finish_non_exhaustive()
    }
}

impl Inner {
    fn believe(&self, token: &str, now: OffsetDateTime) -> Result<Access, NotBelieved> {
        let (generation, keys) = match self.keys.read() {
            Ok(keys) if keys.0 > 0 => (keys.0, Arc::clone(&keys.1)),
            _ => return Err(NotBelieved::KeysUnknown),
        };
        let print = Fingerprint::of(token);
        let remembered = self.memory.get(print, generation);
        let remembered = remembered.filter(|believed| now.unix_timestamp() < believed.over);
        let believed = if let Some(believed) = remembered {
            believed
        } else {
            let (access, over) = self.terms.believe_until(token, &keys, now)?;
            let believed = Believed { access, over };
            self.memory.put(print, generation, believed);
            believed
        };
        let is_ended = self.ended.read().is_ok_and(|ended| ended.contains_key(&believed.access.session));
        if is_ended { Err(NotBelieved::Ended) } else { Ok(believed.access) }
    }

    /// Whether keys were fetched because an unknown one was met; `false` where that was done a moment ago.
    async fn fetch_again(&self) -> bool {
        let mut rounds = self.rounds.subscribe();
        let before = {
            let rounds = rounds.borrow_and_update();
            if !rounds.may_ask() {
                return false;
            }
            rounds.done
        };
        self.unknown.notify_one();
        tokio::time::timeout(PATIENCE, rounds.wait_for(|rounds| rounds.done > before)).await.is_ok()
    }

    /// Takes published keys over.
    pub(crate) fn take_keys(&self, new: KeySet) {
        if let Ok(mut keys) = self.keys.write()
            && (keys.0 == 0 || !keys.1.ids().eq(new.ids()))
        {
            // Ids are thumbprints: another key is another id.
            *keys = (keys.0 + 1, Arc::new(new));
        }
    }

    /// Adds ended sessions, and forgets those of which no token can live any more. What was ended stays ended, also where a copy
    /// of the auth service that is behind answers.
    pub(crate) fn take_ended(&self, more: Vec<(SessionId, i64)>, now: OffsetDateTime) {
        let now = now.unix_timestamp();
        if let Ok(mut ended) = self.ended.write() {
            ended.extend(more);
            ended.retain(|_, until| *until > now);
        }
    }
}

/// The token of exactly one `Authorization: Bearer …`.
fn bearer(headers: &HeaderMap) -> Result<&str, NotBelieved> {
    let mut all = headers.get_all(AUTHORIZATION).iter();
    let first = all.next().ok_or(NotBelieved::Anonymous)?;
    let text = first.to_str().map_err(|_| NotBelieved::NoBearer)?;
    let (scheme, token) = text.split_once(' ').ok_or(NotBelieved::NoBearer)?;
    let token = token.trim();
    if all.next().is_some() || !scheme.eq_ignore_ascii_case("bearer") || token.is_empty() {
        return Err(NotBelieved::NoBearer);
    }
    Ok(token)
}
