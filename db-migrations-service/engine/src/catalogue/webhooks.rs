//! `[services.<name>.webhooks]`: who is told when migrations of a service were applied, taken back, or failed.

use serde::{Deserialize, Serialize};

use super::Catalogue;

/// What somebody is told of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum WebhookEvent {
    /// A run has applied migrations of the service.
    Applied,
    /// A rollback has taken migrations of the service back.
    RolledBack,
    /// A migration of the service failed, or a run of the service did not come to its end.
    Failed,
}

impl WebhookEvent {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Applied, Self::RolledBack, Self::Failed];

    /// The word in documents and tables.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Applied => "applied",
            Self::RolledBack => "rolled_back",
            Self::Failed => "failed",
        }
    }
}

/// One service's webhook. Where it is called may differ between deployments, so it can stand in a variable; the secret
/// always does.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Webhooks {
    /// Where it is called.
    pub url: Option<String>,
    /// The variable that holds where it is called.
    pub url_variable: Option<String>,
    /// The variable that holds what calls are signed with.
    pub secret_variable: String,
    /// Of what it is told. Default: everything.
    #[serde(default = "everything")]
    pub on: Vec<WebhookEvent>,
    /// Of which environments. Default: all.
    #[serde(default)]
    pub environments: Vec<String>,
    /// How long one call may take, seconds.
    #[serde(default = "usual_timeout_s")]
    pub timeout_s: u32,
}

fn everything() -> Vec<WebhookEvent> {
    WebhookEvent::ALL.to_vec()
}

fn usual_timeout_s() -> u32 {
    10
}

/// Longer than that nobody is waited for.
const LONGEST_TIMEOUT_S: u32 = 60;

impl Webhooks {
    /// Whether it is told of that.
    pub fn wants(&self, environment: &str, event: WebhookEvent) -> bool {
        self.on.contains(&event)
            && (self.environments.is_empty() || self.environments.iter().any(|name| name == environment))
    }
}

/// What of all services' webhooks cannot be.
pub(super) fn problems(catalogue: &Catalogue) -> Vec<String> {
    let mut problems = Vec::new();
    for (name, webhooks) in catalogue.services.iter().filter_map(|(name, s)| Some((name, s.webhooks.as_ref()?))) {
        let mut problem = |what: String| problems.push(format!("[services.{name}.webhooks] {what}"));
        if webhooks.url.is_some() == webhooks.url_variable.is_some() {
            problem("needs one of url and url_variable".to_owned());
        }
        let is_address = |url: &String| url.starts_with("http://") || url.starts_with("https://");
        if webhooks.url.as_ref().is_some_and(|url| !is_address(url)) {
            problem("url is no http:// or https:// URL".to_owned());
        }
        if webhooks.on.is_empty() {
            problem("on is empty; name some of applied, rolled_back, failed, or leave it out".to_owned());
        }
        if webhooks.timeout_s == 0 || webhooks.timeout_s > LONGEST_TIMEOUT_S {
            problem(format!("timeout_s must be 1 to {LONGEST_TIMEOUT_S}"));
        }
        for environment in webhooks.environments.iter().filter(|name| !catalogue.environments.contains_key(*name)) {
            problem(format!("there is no environment {environment:?}"));
        }
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(webhooks: &str) -> Result<Webhooks, String> {
        let text = format!(
            "[project]\nname = \"t\"\n[environments.production]\n[services.plans]\nschemas = [\"plans\"]\n\
             [services.plans.webhooks]\nsecret_variable = \"S\"\n{webhooks}"
        );
        let catalogue = Catalogue::parse(&text).map_err(|error| error.message)?;
        Ok(catalogue.services["plans"].webhooks.clone().expect("it is there"))
    }

    #[test]
    fn everything_is_told_unless_it_says_otherwise() {
        let all = read("url = \"http://plans.example.org:3005/hook\"").expect("good");
        assert!(WebhookEvent::ALL.into_iter().all(|event| all.wants("production", event)) && all.timeout_s == 10);
        let some = read("url_variable = \"U\"\non = [\"failed\"]\nenvironments = [\"production\"]").expect("good");
        assert!(some.wants("production", WebhookEvent::Failed));
        assert!(!some.wants("production", WebhookEvent::Applied) && !some.wants("staging", WebhookEvent::Failed));
    }

    #[test]
    fn what_cannot_be_is_told() {
        for (webhooks, says) in [
            ("", "needs one of url and url_variable"),
            ("url = \"http://a.example.org\"\nurl_variable = \"U\"", "needs one of url and url_variable"),
            ("url = \"ftp://a.example.org\"", "url is no http:// or https:// URL"),
            ("url_variable = \"U\"\non = []", "on is empty"),
            ("url_variable = \"U\"\non = [\"planned\"]", "unknown variant `planned`"),
            ("url_variable = \"U\"\ntimeout_s = 61", "timeout_s must be 1 to 60"),
            ("url_variable = \"U\"\nenvironments = [\"lab\"]", "there is no environment \"lab\""),
        ] {
            let told = read(webhooks).expect_err(webhooks);
            assert!(told.contains(says), "{told}");
        }
    }
}
