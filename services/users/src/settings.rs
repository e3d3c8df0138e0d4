//! What the environment says of this service beside what it says of all.

use mail::MailSettings;
use runtime::{ConfigErrors, Environment};
use service::Settings;
use url::Url;

use crate::DEFINITION;

/// Where the web client is looked for where nothing is said: the gateway's address, as for the auth service.
const USUAL_WEB_URL: &str = "http://localhost:3000";

/// Everything that the service is told.
#[derive(Debug, Clone)]
pub struct UsersSettings {
    /// As of every service.
    pub service: Settings,
    /// How invitations leave.
    pub mail: MailSettings,
    /// `USER_SERVICE_WEB_URL`, else `AUTH_SERVICE_WEB_URL`: the web client, whose page `/invitation` links in letters lead to.
    pub web_url: Url,
}

impl UsersSettings {
    /// What it has where nothing is said, with this mail.
    ///
    /// # Panics
    /// Never: the usual address is one.
    pub fn with(mail: MailSettings) -> Self {
        Self { service: Settings::of(&DEFINITION), mail, web_url: usual() }
    }

    /// Reads every variable.
    ///
    /// # Errors
    /// All values that cannot be used, together.
    pub fn read(environment: &Environment) -> Result<Self, ConfigErrors> {
        let service = Settings::read(&DEFINITION, environment)?;
        let mut values = environment.collector();
        let mail = MailSettings::read(&mut values);
        let shared = values.or("AUTH_SERVICE_WEB_URL", usual());
        let web_url = values.or("USER_SERVICE_WEB_URL", shared);
        values.finish(|| mail.map(|mail| Self { service, mail, web_url }))
    }
}

fn usual() -> Url {
    Url::parse(USUAL_WEB_URL).unwrap_or_else(|_| unreachable!("a constant that is a URL"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_web_client_is_where_the_auth_service_says_unless_said_otherwise() {
        let url = |pairs: [(&str, &str); 2]| {
            UsersSettings::read(&Environment::of(pairs)).expect("good values").web_url.to_string()
        };
        assert_eq!(url([("A", ""), ("B", "")]), "http://localhost:3000/");
        let auths = ("AUTH_SERVICE_WEB_URL", "https://a.example.org");
        assert_eq!(url([auths, ("B", "")]), "https://a.example.org/");
        assert_eq!(url([auths, ("USER_SERVICE_WEB_URL", "https://b.example.org")]), "https://b.example.org/");
        let said = UsersSettings::read(&Environment::of([("USER_SERVICE_WEB_URL", "nowhere")])).expect_err("no URL");
        assert!(said.to_string().contains("USER_SERVICE_WEB_URL"), "{said}");
    }
}
