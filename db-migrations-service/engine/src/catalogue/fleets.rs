//! `[fleets.<name>]`: many databases that hold the schema of one service, each for itself.

use serde::Deserialize;

use super::{Catalogue, is_plain_name};

/// So many databases are brought forward between two looks at the failures.
const WAVE: usize = 100;
/// So many at once on one server.
const PER_SERVER: usize = 4;

/// Where the API has the runs of all fleets.
const RUNS: &str = "runs";

/// A fleet: one service, many databases.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fleet {
    /// The service whose schemas each of its databases holds.
    pub service: String,
    /// The environment whose settings hold for it: protected or not, gates.
    pub environment: String,
    /// Variables with the URL of each server that its databases are on. Default: the server of the environment.
    #[serde(default)]
    pub servers: Vec<String>,
    /// The databases, listed: a name on the first server, a URL without a password, or `$VARIABLE` that holds a URL.
    #[serde(default)]
    pub databases: Vec<String>,
    /// The databases, read: a query whose first column is what `databases` lists, and whose second, where there is one, the
    /// `host:port` of the server that a name is on.
    pub query: Option<String>,
    /// The environment, or one of its databases, that is asked. Default: the fleet's environment.
    pub query_on: Option<String>,
    /// The databases, found by name: a pattern of LIKE over the names on all servers.
    #[serde(rename = "match")]
    pub pattern: Option<String>,
    /// Which go first and must all succeed before the others begin.
    #[serde(default)]
    pub canary: Canary,
    /// How many are brought forward between two looks at the failures.
    #[serde(default = "wave")]
    pub wave: usize,
    /// How many at once on one server.
    #[serde(default = "per_server")]
    pub per_server: usize,
    /// How many may fail before a run stops. Default: none.
    #[serde(default)]
    pub failure_budget: FailureBudget,
}

fn wave() -> usize {
    WAVE
}

fn per_server() -> usize {
    PER_SERVER
}

/// The databases that go first.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum Canary {
    /// The first so many.
    First(usize),
    /// Those of these names.
    Named(Vec<String>),
}

impl Default for Canary {
    fn default() -> Self {
        Self::First(1)
    }
}

/// How many targets of a run may fail before it stops.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Written")]
pub enum FailureBudget {
    /// So many.
    Count(usize),
    /// So many of a hundred, of all targets of the run.
    Percent(u8),
}

impl Default for FailureBudget {
    fn default() -> Self {
        Self::Count(0)
    }
}

impl FailureBudget {
    /// How many of `total` may fail.
    pub fn of(self, total: usize) -> usize {
        match self {
            Self::Count(count) => count,
            Self::Percent(percent) => total * usize::from(percent) / 100,
        }
    }
}

impl std::str::FromStr for FailureBudget {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let read = match text.trim().strip_suffix('%') {
            Some(percent) => percent.trim().parse().ok().filter(|percent| *percent <= 100).map(Self::Percent),
            None => text.trim().parse().ok().map(Self::Count),
        };
        read.ok_or_else(|| format!("{text:?} is no failure budget; write a number such as 5, or a part such as \"2%\""))
    }
}

/// As it stands in the catalogue.
#[derive(Deserialize)]
#[serde(untagged)]
enum Written {
    Count(usize),
    Text(String),
}

impl TryFrom<Written> for FailureBudget {
    type Error = String;

    fn try_from(written: Written) -> Result<Self, String> {
        match written {
            Written::Count(count) => Ok(Self::Count(count)),
            Written::Text(text) => text.parse(),
        }
    }
}

impl Catalogue {
    /// The fleet of an environment in which a service lives.
    pub fn fleet_of(&self, environment: &str, service: &str) -> Option<&str> {
        let mut fleets =
            self.fleets.iter().filter(|(_, fleet)| fleet.environment == environment && fleet.service == service);
        fleets.next().map(|(name, _)| name.as_str())
    }
}

/// What cannot be, one sentence each. Where its service lives is looked at with the databases.
pub(super) fn problems(catalogue: &Catalogue) -> Vec<String> {
    let mut problems = Vec::new();
    for (name, fleet) in &catalogue.fleets {
        let mut wrong = |what: String| problems.push(format!("fleets.{name}: {what}"));
        if !is_plain_name(name) || name == RUNS {
            wrong(format!("{name:?} is not a plain lower-case name other than {RUNS:?}"));
        }
        if catalogue.services.get(&fleet.service).is_none_or(|service| service.schemas.is_empty()) {
            wrong(format!("there is no service {:?} with a schema", fleet.service));
        }
        if !catalogue.environments.contains_key(&fleet.environment) {
            wrong(format!("there is no environment {:?}", fleet.environment));
        }
        let ways = [!fleet.databases.is_empty(), fleet.query.is_some(), fleet.pattern.is_some()];
        if ways.into_iter().filter(|way| *way).count() != 1 {
            wrong("it says its databases in one of three ways: databases, query or match".to_owned());
        }
        if fleet.query_on.is_some() && fleet.query.is_none() {
            wrong("query_on has no meaning without query".to_owned());
        }
        let has_password = |text: &&String| {
            text.split_once("://")
                .and_then(|(_, rest)| rest.split_once('@'))
                .is_some_and(|(user, _)| user.contains(':'))
        };
        if fleet.databases.iter().any(|text| has_password(&text)) {
            wrong("a password stands in `databases`; keep it in a variable, and write \"$VARIABLE\"".to_owned());
        }
        if fleet.wave == 0 || fleet.per_server == 0 {
            wrong("wave and per_server must be above 0".to_owned());
        }
    }
    problems
}
