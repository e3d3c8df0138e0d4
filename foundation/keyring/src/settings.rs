//! Where the auth service is, and between whom tokens are good. One place for all services, so that they agree.

use std::time::Duration;

use identity::Terms;
use reqwest::Url;
use runtime::Collector;

use crate::fetch::addresses;

/// How a keyring keeps itself up to date.
#[derive(Debug, Clone)]
pub struct Settings {
    /// `AUTH_SERVICE_URL`: where the auth service publishes, below `.well-known`; of several copies all, separated by commas.
    /// `http://localhost:3001` where nothing is said.
    pub auth: String,
    /// `AUTH_SERVICE_ISSUER`, `AUTH_SERVICE_AUDIENCE`.
    pub terms: Terms,
    /// Between two looks at the ended sessions. With a look's own patience it makes the stated ten seconds.
    pub sessions_every: Duration,
    /// Between two looks at the keys, where no unknown one is met.
    pub keys_every: Duration,
    /// No unknown key makes the keys be fetched again before this, counted from the last time.
    pub unknown_every: Duration,
}

impl Settings {
    /// The usual times, with the keys of this auth service.
    pub fn of(auth: impl Into<String>) -> Self {
        Self {
            auth: auth.into(),
            terms: Terms::platform(),
            sessions_every: Duration::from_secs(5),
            keys_every: Duration::from_hours(1),
            unknown_every: Duration::from_secs(10),
        }
    }

    /// What the environment says: `AUTH_SERVICE_URL`, `AUTH_SERVICE_ISSUER`, `AUTH_SERVICE_AUDIENCE`.
    pub fn read(values: &mut Collector<'_>) -> Self {
        let mut settings = Self::default();
        if let Some(auth) = values.optional::<String>(AUTH_URL) {
            if addresses(&auth).all(is_address) {
                settings.auth = auth;
            } else {
                values.reject(AUTH_URL, "it is no http:// or https:// URL, nor several of them, separated by commas");
            }
        }
        settings.terms = terms(values);
        settings
    }
}

fn is_address(text: &str) -> bool {
    Url::parse(text).is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
}

const AUTH_URL: &str = "AUTH_SERVICE_URL";

impl Default for Settings {
    fn default() -> Self {
        Self::of(Terms::ISSUER)
    }
}

/// Between whom tokens are good, for who issues and for who believes: `AUTH_SERVICE_ISSUER` and `AUTH_SERVICE_AUDIENCE` over
/// [`Terms::platform`].
pub fn terms(values: &mut Collector<'_>) -> Terms {
    let Terms { issuer, audience, lifetime } = Terms::platform();
    Terms {
        issuer: values.or("AUTH_SERVICE_ISSUER", issuer),
        audience: values.or("AUTH_SERVICE_AUDIENCE", audience),
        lifetime,
    }
}

#[cfg(test)]
mod tests {
    use runtime::Environment;

    use super::*;

    fn read(environment: &Environment) -> Result<Settings, runtime::ConfigErrors> {
        let mut values = environment.collector();
        let settings = Settings::read(&mut values);
        values.finish(|| Some(settings))
    }

    #[test]
    fn nothing_set_is_one_machine() {
        let settings = read(&Environment::default()).expect("good defaults");
        assert_eq!(settings.auth, "http://localhost:3001");
        assert_eq!(
            (settings.terms.issuer.as_str(), settings.terms.audience.as_str()),
            (Terms::ISSUER, Terms::AUDIENCE)
        );
    }

    #[test]
    fn an_address_that_is_none_is_refused() {
        for bad in
            ["auth", "ftp://auth.example.org", "localhost:3001", "http://auth-0:3001,", "http://auth-0:3001,auth-1"]
        {
            assert!(read(&Environment::of([("AUTH_SERVICE_URL", bad)])).is_err(), "{bad}");
        }
        let said =
            [("AUTH_SERVICE_URL", "https://auth.example.org/x"), ("AUTH_SERVICE_ISSUER", "https://id.example.org")];
        let settings = read(&Environment::of(said)).expect("good values");
        let copies = read(&Environment::of([("AUTH_SERVICE_URL", "http://auth-0:3001, http://auth-1:3001")]));
        assert_eq!(copies.expect("two copies").auth, "http://auth-0:3001, http://auth-1:3001");
        assert_eq!(settings.terms.issuer, "https://id.example.org");
    }
}
