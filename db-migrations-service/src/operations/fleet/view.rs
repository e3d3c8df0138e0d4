//! A fleet's run as it is shown.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;
use time::OffsetDateTime;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::master::fleets::{FleetRunRecord, FleetRunState, FleetTargetState};

/// A run over a fleet.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct FleetRunView {
    /// Its id, which is also the run's in the history of each database.
    pub run_id: Uuid,
    /// The fleet.
    pub fleet: String,
    /// The environment that it belongs to.
    pub environment: String,
    /// `run` or `rollback`.
    #[schema(example = "run")]
    pub kind: String,
    /// `running`, `completed`, `stopped` where more databases failed than may, `cancelled`, or `interrupted` where its process
    /// died or handed it over, and no other has taken it up yet.
    #[schema(example = "completed")]
    pub state: &'static str,
    /// How many databases.
    pub targets: i32,
    /// How many stand how: `pending`, `running`, `applied`, `rolled_back`, `skipped`, `failed`; those that are none are absent.
    pub counts: BTreeMap<String, i64>,
    /// How many have had their turn and did not fail.
    pub done: i64,
    /// What was asked for.
    #[schema(value_type = Object)]
    pub orders: Value,
    /// Who asked for it.
    pub actor: String,
    /// When it began.
    #[serde(with = "time::serde::rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    pub started_at: OffsetDateTime,
    /// When it was over.
    #[serde(with = "time::serde::rfc3339::option")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub finished_at: Option<OffsetDateTime>,
    /// Why it was stopped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// The process that does it, or did it last: machine and number.
    pub held_by: Option<String>,
}

impl From<FleetRunRecord> for FleetRunView {
    fn from(run: FleetRunRecord) -> Self {
        let done = FleetTargetState::ALL.into_iter().filter(|state| state.is_done());
        let state = match run.state {
            FleetRunState::Running if !run.is_held => "interrupted",
            state => state.as_str(),
        };
        Self {
            done: done.filter_map(|state| run.counts.get(state.as_str())).sum(),
            run_id: run.id,
            fleet: run.fleet,
            environment: run.environment,
            kind: run.kind,
            state,
            targets: run.targets,
            counts: run.counts,
            orders: run.orders,
            actor: run.actor,
            started_at: run.started_at,
            finished_at: run.finished_at,
            why: run.why,
            held_by: run.held_by,
        }
    }
}
