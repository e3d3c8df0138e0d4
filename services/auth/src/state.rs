//! What handlers and workers share.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, RwLock};

use axum::extract::FromRef;
use identity::{Access, Terms};
use kernel::{Secret, SessionId, UserId};
use mail::Mailer;
use service::web::Readiness;
use service::{Fault, Platform, StartError, kinds};
use time::OffsetDateTime;
use tokio::sync::Notify;
use url::Url;

use crate::breached::Breached;
use crate::error::busy;
use crate::hashing::{Hasher, Unlooked};
use crate::keys::Keys;
use crate::model::Acting;
use crate::rules::password::{self, Weak};
use crate::seal::Seal;
use crate::settings::{AuthSettings, AuthSettingsError, Lifetimes};

/// Part of `/ready`: there is a key that signs.
pub(crate) const SIGNING: &str = "signing";

/// What handlers and workers share. A copy is the same.
#[derive(Clone)]
pub(crate) struct Auth(Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) platform: Platform,
    pub(crate) readiness: Readiness,
    pub(crate) hasher: Hasher,
    pub(crate) seal: Seal,
    pub(crate) terms: Terms,
    pub(crate) lifetimes: Lifetimes,
    pub(crate) mailer: Mailer,
    pub(crate) public_url: Url,
    pub(crate) web_url: Url,
    breached: Option<Arc<Breached>>,
    keys: RwLock<Arc<Keys>>,
    /// There is something for the worker.
    pub(crate) errands: Notify,
}

/// Why the service did not start.
#[derive(Debug, thiserror::Error)]
pub enum NotStarted {
    /// As every service.
    #[error(transparent)]
    Service(StartError),
    /// Its settings.
    #[error(transparent)]
    Settings(#[from] AuthSettingsError),
    /// No thread for hashing.
    #[error("no thread for passwords can be started: {0}")]
    Threads(#[from] io::Error),
    /// The list of breached passwords.
    #[error(
        "AUTH_SERVICE_BREACHED_PASSWORDS: {path} is no list of breached passwords that can be read: {source}; give the file that \
         the Pwned Passwords downloader writes (SHA-1, one file, in order), or leave the variable out"
    )]
    Breached {
        /// Where.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// No key of the secret.
    #[error("no key can be made of AUTH_SERVICE_JWT_SECRET")]
    Seal,
}

impl Auth {
    pub(crate) fn new(settings: AuthSettings, platform: Platform, readiness: Readiness) -> Result<Self, NotStarted> {
        readiness.report(SIGNING, false);
        let breached = settings
            .breached
            .map(|path| Breached::open(&path).map(Arc::new).map_err(|source| NotStarted::Breached { path, source }));
        Ok(Self(Arc::new(Inner {
            platform,
            readiness,
            hasher: Hasher::start(settings.hashing_threads)?,
            seal: Seal::of(&settings.secret).ok_or(NotStarted::Seal)?,
            terms: settings.service.keyring.terms,
            lifetimes: settings.lifetimes,
            mailer: Mailer::new(settings.mail),
            public_url: settings.public_url,
            web_url: settings.web_url,
            breached: breached.transpose()?,
            keys: RwLock::default(),
            errands: Notify::new(),
        })))
    }

    /// The keys as they were last read.
    pub(crate) fn keys(&self) -> Arc<Keys> {
        self.0.keys.read().map(|keys| Arc::clone(&keys)).unwrap_or_default()
    }

    pub(crate) fn take_keys(&self, keys: Keys) {
        self.readiness.report(SIGNING, !keys.is_empty());
        if let Ok(mut held) = self.0.keys.write() {
            *held = Arc::new(keys);
        }
    }

    /// Looks at a new password; `context` as for [`password::check`].
    pub(crate) async fn check_new(&self, password: &str, context: &[&str]) -> Result<(), Fault> {
        password::check(password, context)?;
        let Some(list) = self.breached.clone() else { return Ok(()) };
        let password = Secret::new(password);
        match tokio::task::spawn_blocking(move || list.holds(password.reveal())).await {
            Ok(Ok(false)) => Ok(()),
            Ok(Ok(true)) => Err(Weak::Breached.into()),
            Ok(Err(error)) => Err(Fault::broken(&format!("the list of breached passwords: {error}"))),
            Err(_) => Err(Fault::broken("the list of breached passwords was not looked at")),
        }
    }

    /// A token for somebody in a session.
    pub(crate) fn token(&self, user: UserId, session: SessionId, acting: Acting) -> Result<String, Fault> {
        let now = OffsetDateTime::now_utc();
        let access = Access { user, session, organization: acting.organization, role: acting.role };
        let keys = self.keys();
        // Before the first look at the database there is none.
        let key = keys.signer(now).ok_or_else(|| Fault::new(kinds::TRY_AGAIN))?;
        self.terms.issue(&access, key, now).ok_or_else(|| Fault::broken("the signing key signs nothing"))
    }
}

impl std::ops::Deref for Auth {
    type Target = Inner;

    fn deref(&self) -> &Inner {
        &self.0
    }
}

impl FromRef<Auth> for Platform {
    fn from_ref(auth: &Auth) -> Self {
        auth.platform.clone()
    }
}

impl fmt::Debug for Auth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Auth")
    }
}

impl From<Unlooked> for Fault {
    fn from(why: Unlooked) -> Self {
        match why {
            Unlooked::Busy => busy(),
            Unlooked::Broken => Fault::broken("no password can be looked at"),
        }
    }
}
