//! Which fleets there are, and which databases each has now.

use std::collections::BTreeSet;
use std::sync::Arc;

use migration_engine::catalogue::Fleet;
use migration_engine::{EngineError, ErrorCode, Project};
use postgres_link::ConnectOptions;
use postgres_link::quote::literal;
use serde::Serialize;
use utoipa::ToSchema;

use crate::operations::{Caller, OperationError, Operations, RefusalCode};
use crate::targets::FleetPlaces;

/// A fleet of the catalogue.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct FleetView {
    /// Its name in the catalogue.
    #[schema(example = "tenants")]
    pub fleet: String,
    /// The service whose schemas each of its databases holds.
    pub service: String,
    /// The environment whose settings hold for it.
    pub environment: String,
    /// That environment is protected.
    pub protected: bool,
    /// Its servers, `host:port`; empty where each database is given by its own URL.
    pub servers: Vec<String>,
    /// How its databases are found: `databases`, `query` or `match`.
    pub found_by: &'static str,
    /// Why it cannot be used: what is missing in the settings.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

/// One of a fleet's databases.
#[derive(Debug, Clone)]
pub(super) struct Member {
    /// `host:port/database`.
    pub name: String,
    /// `host:port`.
    pub server: String,
    pub connect: ConnectOptions,
}

impl Member {
    fn of(connect: ConnectOptions) -> Self {
        let server = connect.host_summary();
        Self { name: format!("{server}/{}", connect.database()), server, connect }
    }
}

impl Operations {
    /// The fleets of the services that the caller may touch.
    pub fn fleets(&self, caller: &Caller) -> Vec<FleetView> {
        let mine = self.catalogue().fleets.iter().filter(|(_, fleet)| caller.may_touch(&fleet.service));
        mine.map(|(name, fleet)| self.fleet_view(name, fleet)).collect()
    }

    /// Whether a fleet is of a protected environment; `false` where there is no such fleet.
    pub fn is_fleet_protected(&self, name: &str) -> bool {
        let environment = self.catalogue().fleets.get(name).map(|fleet| &fleet.environment);
        environment.and_then(|name| self.targets().get(name)).is_some_and(|entry| entry.protected)
    }

    /// How many databases a fleet has now.
    ///
    /// # Errors
    /// An unknown fleet, one whose databases cannot be found.
    pub(crate) async fn count_fleet(&self, name: &str) -> Result<usize, OperationError> {
        let caller = Caller::unrestricted(kernel::Actor::system("doctor"));
        let (fleet, _) = self.fleet(name, &caller)?;
        Ok(self.members(name, fleet).await?.len())
    }

    fn fleet_view(&self, name: &str, fleet: &Fleet) -> FleetView {
        let places = self.targets().fleet(name);
        let servers = places.and_then(|places| places.as_ref().ok()).map_or(&[][..], |places| &places.servers);
        let found_by = match (&fleet.query, &fleet.pattern) {
            (Some(_), _) => "query",
            (_, Some(_)) => "match",
            _ => "databases",
        };
        FleetView {
            fleet: name.to_owned(),
            service: fleet.service.clone(),
            environment: fleet.environment.clone(),
            protected: self.is_fleet_protected(name),
            servers: servers.iter().map(ConnectOptions::host_summary).collect(),
            found_by,
            problem: places.and_then(|places| places.as_ref().err().cloned()),
        }
    }

    /// A fleet that the caller may touch, with the files as its databases see them.
    pub(super) fn fleet(&self, name: &str, caller: &Caller) -> Result<(&Fleet, Arc<Project>), OperationError> {
        let Some(fleet) = self.catalogue().fleets.get(name) else {
            let known: Vec<&str> = self.catalogue().fleets.keys().map(String::as_str).collect();
            let cure = match known.as_slice() {
                [] => "describe it in config/services.toml: [fleets.<name>]".to_owned(),
                names => format!("use one of: {}", names.join(", ")),
            };
            return Err(OperationError::refuse(RefusalCode::UnknownFleet, format!("there is no fleet {name:?}"))
                .with_cure(cure));
        };
        caller.check(Some(&fleet.service))?;
        Ok((fleet, self.project_of_fleet(name)?))
    }

    /// The files as the databases of a fleet see them.
    pub(in crate::operations) fn project_of_fleet(&self, name: &str) -> Result<Arc<Project>, OperationError> {
        let project = self.current_project()?.of_fleet(name).ok_or_else(|| {
            let message = format!("the fleet {name:?} is gone from the catalogue");
            EngineError::new(ErrorCode::CatalogueInvalid, message).cure("start the service again")
        })?;
        Ok(project)
    }

    /// The databases that a fleet has now, in the order in which they are listed, read, or found: by server, then by name.
    pub(super) async fn members(&self, name: &str, fleet: &Fleet) -> Result<Vec<Member>, OperationError> {
        let unknown = || Err("it is not in the catalogue that was read at the start".to_owned());
        let places = self.targets().fleet(name).cloned().unwrap_or_else(unknown).map_err(|why| {
            let cure = "correct the fleet in config/services.toml, or the variables that it names";
            OperationError::refuse(RefusalCode::EnvironmentUnconfigured, why).with_cure(cure)
        })?;
        let found = match (&fleet.query, &fleet.pattern) {
            (Some(query), _) => self.read(fleet, query, &places).await?,
            (_, Some(pattern)) => self.matching(pattern, &places).await?,
            _ => places.listed,
        };
        let mut seen = BTreeSet::new();
        let members = found.into_iter().map(Member::of).filter(|member| seen.insert(member.name.clone()));
        let members: Vec<Member> = members.collect();
        if members.is_empty() {
            return Err(OperationError::refuse(
                RefusalCode::EmptyFleet,
                format!("the fleet {name:?} has no databases"),
            )
            .with_cure("see that its list, query or pattern in config/services.toml finds some"));
        }
        Ok(members)
    }

    async fn read(
        &self,
        fleet: &Fleet,
        query: &str,
        places: &FleetPlaces,
    ) -> Result<Vec<ConnectOptions>, OperationError> {
        let environment = fleet.query_on.as_deref().unwrap_or(&fleet.environment);
        let rows = self.inspect(Some(environment)).await?.rows(query).await?;
        let mut found = Vec::new();
        for row in rows {
            let (Some(Some(word)), at) = (row.first(), row.get(1).cloned().flatten()) else { continue };
            let invalid = |why: String| OperationError::refuse(RefusalCode::InvalidRequest, why);
            found.push(places.find(word, at.as_deref()).map_err(invalid)?);
        }
        Ok(found)
    }

    /// The databases of all servers whose names are like the pattern. It means what was made for the fleet: the server's own
    /// `postgres`, the master database and those of the environments are none of it unless they are listed.
    async fn matching(&self, pattern: &str, places: &FleetPlaces) -> Result<Vec<ConnectOptions>, OperationError> {
        let targets = self.targets().all().iter().filter_map(|entry| entry.target.as_ref().ok());
        let others = targets.map(|target| Member::of(target.connect.clone()).name);
        let others: BTreeSet<String> = others.chain([self.master().place()]).collect();
        let mut found = Vec::new();
        for server in &places.servers {
            let connect = server.clone().with_database("postgres").with_application_name("profe fleet");
            let session = postgres_link::connect(&connect).await?;
            let query = format!(
                "SELECT datname FROM pg_database WHERE datname LIKE {} AND datname <> 'postgres' AND datallowconn \
                 AND NOT datistemplate ORDER BY 1",
                literal(pattern)
            );
            let outcome = session.batch(&query).await?;
            let names = outcome.rows().filter_map(|row| row.first().cloned().flatten());
            let all = names.map(|name| server.clone().with_database(name));
            found.extend(all.filter(|connect| !others.contains(&Member::of(connect.clone()).name)));
            session.close().await;
        }
        Ok(found)
    }
}
