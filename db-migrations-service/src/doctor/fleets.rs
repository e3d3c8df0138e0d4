//! The fleets: whether their servers answer, and whether their databases are found.

use std::collections::BTreeMap;

use futures_util::future::join_all;
use postgres_link::ConnectOptions;

use super::Check;
use crate::cli::show::count;
use crate::operations::Operations;

const AREA: &str = "fleets";

pub(super) async fn all(operations: &Operations) -> Vec<Check> {
    let mut checks = Vec::new();
    for name in operations.catalogue().fleets.keys() {
        checks.extend(one(operations, name).await);
    }
    checks
}

async fn one(operations: &Operations, name: &str) -> Vec<Check> {
    let places = match operations.targets().fleet(name) {
        Some(Ok(places)) => places,
        Some(Err(why)) => {
            return vec![Check::warning(AREA, why, "set it where the service runs; until then it has no runs")];
        }
        None => return Vec::new(),
    };
    let mut servers: BTreeMap<String, ConnectOptions> = BTreeMap::new();
    for connect in places.servers.iter().chain(&places.listed) {
        servers.entry(connect.host_summary()).or_insert_with(|| connect.clone().with_database("postgres"));
    }
    let asked = servers.into_iter().map(async |(server, connect)| {
        let answer = postgres_link::connect(&connect.with_application_name("profe doctor")).await;
        answer.err().map(|error| {
            Check::error(AREA, format!("{name}: the server {server} does not answer: {error}"), error.cure())
        })
    });
    let away: Vec<Check> = join_all(asked).await.into_iter().flatten().collect();
    if !away.is_empty() {
        return away;
    }
    vec![match operations.count_fleet(name).await {
        Ok(found) => Check::ok(AREA, format!("{name}: {}, all of whose servers answer", count(found, "database"))),
        Err(error) => Check::warning(AREA, format!("{name}: {error}"), error.cure().unwrap_or_default()),
    }]
}
