//! A fleet's run as it is shown.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;
use time::OffsetDateTime;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::master::fleets::{FleetCount, FleetRunRecord, FleetRunState, FleetTargetState};

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

/// A part of a run: a wave, or what lies on one server.
#[derive(Debug, Clone, Default, Serialize, ToSchema)]
pub struct FleetPart {
    /// How many databases.
    pub targets: i64,
    /// How many stand how, as of the whole run.
    pub counts: BTreeMap<String, i64>,
}

/// A wave of a run.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct FleetWave {
    /// Its number; 0 are those that go first and must all succeed.
    pub wave: i32,
    /// How it stands.
    #[serde(flatten)]
    pub part: FleetPart,
}

/// What lies on one server.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct FleetServer {
    /// `host:port`.
    #[schema(example = "db1.example.org:5432")]
    pub server: String,
    /// How it stands.
    #[serde(flatten)]
    pub part: FleetPart,
}

/// A run over a fleet with its parts.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct FleetProgress {
    /// The run.
    #[serde(flatten)]
    pub run: FleetRunView,
    /// How many databases may fail before nothing more is begun.
    pub may_fail: Option<u64>,
    /// In the order of their turns.
    pub waves: Vec<FleetWave>,
    /// By name.
    pub servers: Vec<FleetServer>,
}

impl FleetProgress {
    pub(super) fn of(run: FleetRunView, counts: Vec<FleetCount>) -> Self {
        let (mut waves, mut servers) = (BTreeMap::<i32, FleetPart>::new(), BTreeMap::<String, FleetPart>::new());
        for FleetCount { wave, server, state, targets } in counts {
            for part in [waves.entry(wave).or_default(), servers.entry(server).or_default()] {
                part.targets += targets;
                *part.counts.entry(state.clone()).or_default() += targets;
            }
        }
        Self {
            may_fail: run.orders["failures"].as_u64(),
            run,
            waves: waves.into_iter().map(|(wave, part)| FleetWave { wave, part }).collect(),
            servers: servers.into_iter().map(|(server, part)| FleetServer { server, part }).collect(),
        }
    }
}
