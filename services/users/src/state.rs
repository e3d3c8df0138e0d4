//! What handlers and the worker share.

use std::fmt;
use std::sync::Arc;

use axum::extract::FromRef;
use mail::{MailSettings, Mailer};
use service::Platform;
use tokio::sync::Notify;
use url::Url;

/// A copy is the same.
#[derive(Clone)]
pub(crate) struct Users(Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) platform: Platform,
    pub(crate) mailer: Mailer,
    pub(crate) web_url: Url,
    /// There is an invitation to be mailed.
    pub(crate) letters: Notify,
}

impl Users {
    pub(crate) fn new(platform: Platform, mail: MailSettings, web_url: Url) -> Self {
        Self(Arc::new(Inner { platform, mailer: Mailer::new(mail), web_url, letters: Notify::new() }))
    }
}

impl std::ops::Deref for Users {
    type Target = Inner;

    fn deref(&self) -> &Inner {
        &self.0
    }
}

impl FromRef<Users> for Platform {
    fn from_ref(users: &Users) -> Self {
        users.platform.clone()
    }
}

impl fmt::Debug for Users {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Users")
    }
}
