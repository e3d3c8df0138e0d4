//! What a run over a fleet would do: the same in most of its databases.

use std::collections::BTreeMap;

use migration_engine::Plan;
use migration_engine::request::{RollbackRequest, Scope};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::order::FleetAim;
use super::target::{ask_all, engine};
use crate::operations::{Caller, OperationError, Operations};

/// How many databases of a group are named.
const NAMED: usize = 20;

/// What a run over a fleet would do.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct FleetPlan {
    /// The fleet.
    pub fleet: String,
    /// How many databases it has now.
    pub targets: usize,
    /// Databases with the same plan, most first.
    pub groups: Vec<FleetPlanGroup>,
    /// Databases that cannot be planned, with why.
    #[schema(value_type = Vec<Object>)]
    pub problems: Vec<Value>,
}

/// Databases with the same plan.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct FleetPlanGroup {
    /// How many.
    pub targets: usize,
    /// The first twenty of them, `host:port/database`.
    pub databases: Vec<String>,
    /// Nothing is to be done there.
    pub is_empty: bool,
    /// The plan: migrations, notes, preparesTarget.
    #[schema(value_type = Object)]
    pub plan: Value,
}

impl Operations {
    /// What a run, or a rollback, would do in each database, by plan. Takes no lock and changes nothing.
    ///
    /// # Errors
    /// An unknown fleet, one of a service that the caller may not touch, one whose databases cannot be found.
    pub async fn fleet_plan(&self, name: &str, aim: &FleetAim, caller: &Caller) -> Result<FleetPlan, OperationError> {
        let (fleet, project) = self.fleet(name, caller)?;
        let members = self.members(name, fleet).await?;
        let (project, members) = (&project.remembering(), &members);
        let plans = ask_all(members, fleet.per_server, |place: usize| async move {
            let engine = engine(project, &fleet.environment, &members[place]);
            match aim.back() {
                Some(to) => engine.plan_rollback(&RollbackRequest { scope: Scope::All, to, dry_run: true }).await,
                None => engine.plan(&Scope::All, false).await,
            }
        })
        .await;
        let mut problems = Vec::new();
        let mut groups: BTreeMap<String, (Plan, Vec<&str>)> = BTreeMap::new();
        for (member, plan) in members.iter().zip(plans) {
            match plan {
                Ok(plan) => {
                    let key = serde_json::to_string(&plan).unwrap_or_default();
                    groups.entry(key).or_insert_with(|| (plan, Vec::new())).1.push(&member.name);
                }
                Err(error) => problems.push(serde_json::json!({ "name": member.name, "error": error })),
            }
        }
        let group = |(plan, names): (Plan, Vec<&str>)| FleetPlanGroup {
            targets: names.len(),
            databases: names.iter().take(NAMED).map(|name| (*name).to_owned()).collect(),
            is_empty: plan.is_empty(),
            plan: serde_json::to_value(&plan).unwrap_or_default(),
        };
        let mut groups: Vec<FleetPlanGroup> = groups.into_values().map(group).collect();
        groups.sort_by_key(|group| std::cmp::Reverse(group.targets));
        Ok(FleetPlan { fleet: name.to_owned(), targets: members.len(), groups, problems })
    }
}
