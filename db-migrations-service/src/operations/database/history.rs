//! How it was: what the sampler keeps.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::ToSchema;

use crate::monitor::history::{SESSION_STATES, Seen, Span};
use crate::operations::{Caller, OperationError, Operations, Spread};

/// Which history.
#[derive(Debug, Clone, Default)]
pub struct DatabaseHistoryOrder {
    /// Which environment; `None` is the default one.
    pub environment: Option<String>,
    /// Only the database that this service lives in.
    pub service: Option<String>,
    /// Only this one; `None` is all.
    pub metric: Option<HistoryMetric>,
    /// How far back.
    pub span: HistorySpan,
}

/// What is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum HistoryMetric {
    /// The database's size at the end of a step, bytes.
    Size,
    /// The most sessions at one look, a series for each state.
    Connections,
    /// Transactions committed per second.
    Commits,
    /// Milliseconds that statements took, per second, by `pg_stat_statements`; 1,000 is one of them running all the time.
    Statements,
}

impl HistoryMetric {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Size, Self::Connections, Self::Commits, Self::Statements];

    /// The word in requests.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Size => "size",
            Self::Connections => "connections",
            Self::Commits => "commits",
            Self::Statements => "statements",
        }
    }
}

/// How far back, and how closely.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum HistorySpan {
    /// The last hour by the minute.
    #[default]
    Hour,
    /// The last day by the quarter of an hour.
    Day,
}

impl HistorySpan {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Hour, Self::Day];

    /// The word in requests.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Hour => "1h",
            Self::Day => "24h",
        }
    }
}

/// How a target was.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct DatabaseHistory {
    /// When the first value's step begins; null where nothing is kept: before the first look of this process, and where it does not
    /// look.
    #[serde(with = "time::serde::rfc3339::option")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub from: Option<OffsetDateTime>,
    /// How long a step is, seconds.
    pub step_seconds: u64,
    /// Series by series; of `statements` none where nobody measures them.
    pub series: Vec<HistorySeries>,
}

/// A series.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct HistorySeries {
    /// What it is of.
    pub metric: HistoryMetric,
    /// Of which sessions; absent for anything but `connections`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "active")]
    pub state: Option<&'static str>,
    /// A value for each step up to now, the oldest first; null where nobody looked.
    pub values: Vec<Option<f64>>,
}

impl Operations {
    /// What this process has seen of each database since it was started, a day at the most.
    ///
    /// # Errors
    /// Unknown names, an environment without a database.
    pub async fn database_history(
        &self,
        order: &DatabaseHistoryOrder,
        caller: &Caller,
    ) -> Result<Spread<DatabaseHistory>, OperationError> {
        let service = order.service.as_deref();
        self.known_service(service)?;
        let databases = self.databases_for(order.environment.as_deref(), service, caller)?;
        let asked = databases.iter().map(|name| async move { self.history_of(name, order) }).collect();
        self.spread(&databases, asked).await
    }

    fn history_of(&self, environment: &str, order: &DatabaseHistoryOrder) -> Result<DatabaseHistory, OperationError> {
        let environment = &self.target(Some(environment))?.environment;
        let span = match order.span {
            HistorySpan::Hour => Span::Hour,
            HistorySpan::Day => Span::Day,
        };
        let past = self.monitor().history().past(environment, span, OffsetDateTime::now_utc());
        let from = past.as_ref().map(|past| past.from);
        let steps = past.map(|past| past.steps).unwrap_or_default();
        let asked = HistoryMetric::ALL.into_iter().filter(|metric| order.metric.is_none_or(|only| only == *metric));
        let series = if steps.is_empty() { Vec::new() } else { asked.flat_map(|metric| of(metric, &steps)).collect() };
        Ok(DatabaseHistory { from, step_seconds: span.step().as_secs(), series })
    }
}

/// The series of a metric.
fn of(metric: HistoryMetric, steps: &[Option<Seen>]) -> Vec<HistorySeries> {
    let values = |pick: &dyn Fn(&Seen) -> Option<f64>| steps.iter().map(|step| step.as_ref().and_then(pick)).collect();
    let one = |values: Vec<Option<f64>>| HistorySeries { metric, state: None, values };
    match metric {
        HistoryMetric::Size => vec![one(values(&|seen| Some(seen.size_bytes)))],
        HistoryMetric::Commits => vec![one(values(&|seen| seen.commits.map(rounded)))],
        HistoryMetric::Statements => {
            let measured = one(values(&|seen| seen.statement_ms.map(rounded)));
            if measured.values.iter().any(Option::is_some) { vec![measured] } else { Vec::new() }
        }
        HistoryMetric::Connections => {
            let state = |(place, name)| HistorySeries {
                state: Some(name),
                ..one(values(&|seen: &Seen| Some(f64::from(seen.sessions[place]))))
            };
            SESSION_STATES.into_iter().enumerate().map(state).collect()
        }
    }
}

/// To a thousandth: more was not measured.
fn rounded(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}
