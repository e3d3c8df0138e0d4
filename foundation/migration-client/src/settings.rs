//! Who asks, where, and what they need.

use std::time::Duration;

use kernel::Secret;
use uuid::Uuid;

/// What becomes of a service that starts while the migration service is away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum WhenUnknown {
    /// It is not ready until somebody can say that it fits.
    #[default]
    Wait,
    /// It is ready after this time all the same.
    ReadyAfter(Duration),
}

/// Who a client speaks for.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where the migration service is, as `http://localhost:3009`; of several copies all, separated by commas.
    pub url: String,
    /// A token with the scope `release` for the service; none is needed on the same machine.
    pub token: Option<Secret>,
    /// The service's name in the catalogue.
    pub service: String,
    /// Its release.
    pub release: String,
    /// What this process calls itself; no two that live at once may share it. A random one, where nothing better is said, such
    /// as the name of the pod.
    pub instance: String,
    /// The environment of the catalogue; `None` is the migration service's default.
    pub environment: Option<String>,
    /// Of each schema the migration that must be applied, `<schema>/<version>`. Where this and `tolerates` are empty, the
    /// catalogue says what the release needs.
    pub needs: Vec<String>,
    /// Of each schema the newest migration that the release works with; any, of one that is not named.
    pub tolerates: Vec<String>,
    /// How often the process says that it lives; it is taken to be gone after three times that. 2 seconds to 20 minutes.
    pub heartbeat: Duration,
    /// What becomes of it while nobody can say whether it fits.
    pub when_unknown: WhenUnknown,
}

impl Settings {
    /// A release of a service, with the usual settings and nothing that it needs.
    pub fn new(url: impl Into<String>, service: impl Into<String>, release: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            token: None,
            service: service.into(),
            release: release.into(),
            instance: Uuid::new_v4().to_string(),
            environment: None,
            needs: Vec::new(),
            tolerates: Vec::new(),
            heartbeat: Duration::from_secs(20),
            when_unknown: WhenUnknown::default(),
        }
    }

    /// After how long a silence the process counts as gone, seconds.
    pub(crate) fn ttl_s(&self) -> u64 {
        (self.heartbeat.as_secs() * 3).clamp(6, 3_600)
    }
}
