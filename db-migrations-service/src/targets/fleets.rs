//! Where the databases of the fleets are, as far as the settings say.

use migration_engine::Catalogue;
use migration_engine::catalogue::Fleet;
use postgres_link::{ConnectOptions, Lookup};

/// What a fleet whose server nobody knows needs.
const NO_SERVER: &str = "give its environment a database, or name `servers`";

/// The servers of a fleet, and those of its databases that the catalogue lists.
#[derive(Debug, Clone)]
pub struct FleetPlaces {
    /// Each server, in one of its databases.
    pub servers: Vec<ConnectOptions>,
    /// The listed databases.
    pub listed: Vec<ConnectOptions>,
}

impl FleetPlaces {
    /// The database that a word of the catalogue or of the fleet's query means: a URL, or a name on the server `at`
    /// (`host:port`; the first one, where none is named).
    ///
    /// # Errors
    /// A URL that cannot be read, a server that the fleet does not have; one sentence.
    pub fn find(&self, word: &str, at: Option<&str>) -> Result<ConnectOptions, String> {
        if word.contains("://") {
            let url = ConnectOptions::parse(word).map_err(|error| error.to_string())?;
            let is_on =
                |server: &&ConnectOptions| server.host_summary() == url.host_summary() && server.user() == url.user();
            // The password of a server is that of its databases.
            let known = self.servers.iter().find(is_on);
            return Ok(known.map_or(url.clone(), |server| server.clone().with_database(url.database())));
        }
        let server = match at {
            None => self.servers.first(),
            Some(at) => self.servers.iter().find(|server| server.host_summary() == at),
        };
        let known = || self.servers.iter().map(ConnectOptions::host_summary).collect::<Vec<_>>().join(", ");
        let server = server.ok_or_else(|| match at {
            None => format!("nobody knows on which server {word:?} is: {NO_SERVER}"),
            Some(at) => format!("{word:?} is on {at}, which is not among the fleet's servers ({})", known()),
        })?;
        Ok(server.clone().with_database(word))
    }
}

/// The places of each fleet, or why they are not known; what is wrong with its variables goes to `problems`.
pub(super) fn places(
    catalogue: &Catalogue,
    server_of: impl Fn(&str) -> Option<ConnectOptions>,
    lookup: Lookup<'_>,
    problems: &mut Vec<String>,
) -> Vec<(String, Result<FleetPlaces, String>)> {
    let mut all = Vec::new();
    for (name, fleet) in &catalogue.fleets {
        all.push((name.clone(), places_of(name, fleet, &server_of, lookup, problems)));
    }
    all
}

fn places_of(
    name: &str,
    fleet: &Fleet,
    server_of: &impl Fn(&str) -> Option<ConnectOptions>,
    lookup: Lookup<'_>,
    problems: &mut Vec<String>,
) -> Result<FleetPlaces, String> {
    let mut read = |variable: &str| {
        let url = lookup(variable).filter(|url| !url.trim().is_empty());
        let url =
            url.ok_or_else(|| format!("the fleet {name:?} does not know where its databases are: set {variable}"))?;
        ConnectOptions::parse_with(&url, lookup).map_err(|error| {
            problems.push(format!("{variable}: {error}"));
            format!("{variable} cannot be read")
        })
    };
    let mut servers = fleet.servers.iter().map(|variable| read(variable)).collect::<Result<Vec<_>, _>>()?;
    if servers.is_empty() {
        servers.extend(server_of(&fleet.environment));
    }
    let mut places = FleetPlaces { servers, listed: Vec::new() };
    let mut listed = Vec::new();
    for word in &fleet.databases {
        listed.push(match word.strip_prefix('$') {
            Some(variable) => read(variable)?,
            None => places.find(word, None).map_err(|error| format!("the fleet {name:?}: {error}"))?,
        });
    }
    places.listed = listed;
    if places.servers.is_empty() && places.listed.is_empty() {
        return Err(format!("the fleet {name:?} has no server: {NO_SERVER}"));
    }
    Ok(places)
}
