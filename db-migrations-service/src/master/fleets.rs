//! Runs over fleets: what became of each database, and which process does them.
//!
//! The row of a run is the lease on it, as that of a look is: it works through a pooler, is prolonged while the run goes on,
//! and lapses with its holder. Whoever has lost it writes nothing more.

use std::collections::BTreeMap;
use std::time::Duration;

use postgres_link::tokio_postgres::Row;
use postgres_link::tokio_postgres::types::Type;
use serde::Serialize;
use serde_json::Value;
use time::OffsetDateTime;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{Master, MasterError};

/// How a fleet's run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum FleetRunState {
    /// Under way; or its process died, and it waits for another one.
    Running,
    /// Every database had its turn.
    Completed,
    /// More databases failed than may.
    Stopped,
    /// Somebody called it off.
    Cancelled,
}

impl FleetRunState {
    /// The word in documents and in the table.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Completed => "completed",
            Self::Stopped => "stopped",
            Self::Cancelled => "cancelled",
        }
    }

    fn of(word: &str) -> Self {
        let all = [Self::Completed, Self::Stopped, Self::Cancelled];
        all.into_iter().find(|state| state.as_str() == word).unwrap_or(Self::Running)
    }
}

/// How one database of a run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum FleetTargetState {
    /// Its turn is still to come.
    Pending,
    /// Its turn is now; or was, when the process died.
    Running,
    /// It was brought forward.
    Applied,
    /// It was taken back.
    RolledBack,
    /// There was nothing to do.
    Skipped,
    /// It failed.
    Failed,
}

impl FleetTargetState {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Pending, Self::Running, Self::Applied, Self::RolledBack, Self::Skipped, Self::Failed];

    /// The word in documents and in the table.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Running => "running",
            Self::Applied => "applied",
            Self::RolledBack => "rolled_back",
            Self::Skipped => "skipped",
            Self::Failed => "failed",
        }
    }

    fn of(word: &str) -> Self {
        Self::ALL.into_iter().find(|state| state.as_str() == word).unwrap_or(Self::Pending)
    }

    /// Nothing is to be done there any more.
    pub fn is_done(self) -> bool {
        matches!(self, Self::Applied | Self::RolledBack | Self::Skipped)
    }
}

/// A run over a fleet.
#[derive(Debug, Clone)]
pub struct FleetRunRecord {
    /// Its number.
    pub id: Uuid,
    /// The fleet.
    pub fleet: String,
    /// The environment that it belongs to.
    pub environment: String,
    /// `run` or `rollback`.
    pub kind: String,
    /// What was asked for.
    pub orders: Value,
    /// How many databases.
    pub targets: i32,
    /// How it stands.
    pub state: FleetRunState,
    /// Who asked for it.
    pub actor: String,
    /// The request that asked for it.
    pub request_id: Option<String>,
    /// When it began.
    pub started_at: OffsetDateTime,
    /// When it was over.
    pub finished_at: Option<OffsetDateTime>,
    /// Why it was stopped.
    pub why: Option<String>,
    /// The process that has, or had, its lease.
    pub held_by: Option<String>,
    /// Somebody does it now.
    pub is_held: bool,
    /// The claim of a process that is certainly gone.
    pub dead_holder: Option<Uuid>,
    /// How many databases stand how.
    pub counts: BTreeMap<String, i64>,
}

/// One database of a run.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct FleetTargetRecord {
    /// Its place in the run, from 0.
    pub place: i32,
    /// In which wave its turn is; 0 are those that go first.
    pub wave: i32,
    /// `host:port/database`.
    #[schema(example = "db1.example.org:5432/tenant_0001")]
    pub name: String,
    /// How it stands.
    pub state: FleetTargetState,
    /// The newest migration that was applied or taken back, `<schema>/<version>`.
    pub version: Option<String>,
    /// How many were.
    pub migrations: i32,
    /// Why it failed: code, message, cure, place.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub error: Option<Value>,
}

/// So many databases of a wave and a server stand so.
#[derive(Debug, Clone)]
pub struct FleetCount {
    /// The wave; 0 are those that go first.
    pub wave: i32,
    /// `host:port`.
    pub server: String,
    /// How they stand.
    pub state: String,
    /// How many.
    pub targets: i64,
}

/// The right to do a run, until it is given back or lapses.
#[derive(Debug, Clone, Copy)]
pub struct FleetClaim {
    /// The run.
    pub run: Uuid,
    holder: Uuid,
}

/// The columns that [`Master::fleet_record`] reads, in its order.
macro_rules! select_fleet_runs {
    ($rest:literal) => {
        concat!(
            "SELECT r.id, r.fleet, r.environment, r.kind, r.orders, r.targets, r.state, r.actor, r.request_id, r.started_at, \
               r.finished_at, r.why, r.held_by, r.holder IS NOT NULL AND r.held_until >= now(), \
               r.holder, r.process, (SELECT jsonb_object_agg(s.state, s.n) FROM (SELECT t.state, count(*) AS n \
                 FROM migration_service.fleet_target t WHERE t.run = r.id GROUP BY t.state) s) \
             FROM migration_service.fleet_run r ",
            $rest
        )
    };
}

impl Master {
    /// Writes a run down, with its databases as `(wave, name)` in their order, and claims it. `None` where a run of the fleet is
    /// under way.
    pub async fn begin_fleet_run(
        &self,
        run: &FleetRunRecord,
        targets: &[(i32, String)],
        lease: Duration,
    ) -> Result<Option<FleetClaim>, MasterError> {
        let holder = Uuid::now_v7();
        let (waves, names): (Vec<i32>, Vec<&str>) = targets.iter().map(|(wave, name)| (*wave, name.as_str())).unzip();
        let rows = self
            .query(
                "WITH run AS (INSERT INTO migration_service.fleet_run (id, fleet, environment, kind, orders, targets, state, \
                   actor, request_id, started_at, holder, held_by, held_until, process) \
                   VALUES ($1, $2, $3, $4, $5, $6, 'running', $7, $8, $9, $10, $11, now() + $12 * interval '1 ms', $15) \
                   ON CONFLICT (fleet) WHERE state = 'running' DO NOTHING RETURNING id), \
                 targets AS (INSERT INTO migration_service.fleet_target (run, place, wave, name, state) \
                   SELECT run.id, t.place - 1, t.wave, t.name, 'pending' \
                   FROM run, unnest($13::int4[], $14::text[]) WITH ORDINALITY AS t (wave, name, place)) \
                 SELECT id FROM run",
                &[
                    (&run.id, Type::UUID),
                    (&run.fleet, Type::TEXT),
                    (&run.environment, Type::TEXT),
                    (&run.kind, Type::TEXT),
                    (&run.orders, Type::JSONB),
                    (&run.targets, Type::INT4),
                    (&run.actor, Type::TEXT),
                    (&run.request_id, Type::TEXT),
                    (&run.started_at, Type::TIMESTAMPTZ),
                    (&holder, Type::UUID),
                    (&self.holder_name(), Type::TEXT),
                    (&millis(lease), Type::INT8),
                    (&waves, Type::INT4_ARRAY),
                    (&names, Type::TEXT_ARRAY),
                    (&self.process(), Type::JSONB),
                ],
            )
            .await?;
        Ok((!rows.is_empty()).then_some(FleetClaim { run: run.id, holder }))
    }

    /// Claims a run that nobody does, or whose holder `dead` is certainly gone, and that leaves something to do. `None` where that
    /// is not so.
    pub async fn claim_fleet_run(
        &self,
        id: Uuid,
        dead: Option<Uuid>,
        lease: Duration,
    ) -> Result<Option<FleetClaim>, MasterError> {
        let holder = Uuid::now_v7();
        let rows = self
            .query(
                "UPDATE migration_service.fleet_run r SET holder = $2, held_by = $3, state = 'running', finished_at = NULL, \
                   why = NULL, process = $6, cancel_asked = false, held_until = now() + $4 * interval '1 ms' \
                 WHERE r.id = $1 AND (r.holder IS NULL OR r.held_until < now() OR r.holder = $5) \
                   AND NOT EXISTS (SELECT FROM migration_service.fleet_run o \
                     WHERE o.fleet = r.fleet AND o.state = 'running' AND o.id <> r.id) \
                   AND EXISTS (SELECT FROM migration_service.fleet_target t \
                     WHERE t.run = r.id AND t.state IN ('pending', 'running', 'failed')) \
                 RETURNING r.id",
                &[
                    (&id, Type::UUID),
                    (&holder, Type::UUID),
                    (&self.holder_name(), Type::TEXT),
                    (&millis(lease), Type::INT8),
                    (&dead, Type::UUID),
                    (&self.process(), Type::JSONB),
                ],
            )
            .await?;
        Ok((!rows.is_empty()).then_some(FleetClaim { run: id, holder }))
    }

    /// Prolongs a claim; `false` where it is another's by now.
    pub async fn prolong_fleet_run(&self, claim: FleetClaim, lease: Duration) -> Result<bool, MasterError> {
        let rows = self
            .query(
                "UPDATE migration_service.fleet_run SET held_until = now() + $3 * interval '1 ms' \
                 WHERE id = $1 AND holder = $2 RETURNING id",
                &[(&claim.run, Type::UUID), (&claim.holder, Type::UUID), (&millis(lease), Type::INT8)],
            )
            .await?;
        Ok(!rows.is_empty())
    }

    /// Gives a claim back: with how the run ended, or without for somebody else to go on. What a process that died was working on is
    /// `pending` again: nobody works on it now.
    pub async fn release_fleet_run(
        &self,
        claim: FleetClaim,
        end: Option<FleetRunState>,
        why: Option<&str>,
    ) -> Result<(), MasterError> {
        let state = end.unwrap_or(FleetRunState::Running).as_str();
        self.query(
            "WITH freed AS (UPDATE migration_service.fleet_run SET holder = NULL, held_until = NULL, state = $3, why = $4, \
               finished_at = CASE $3 WHEN 'running' THEN NULL ELSE now() END \
             WHERE id = $1 AND holder = $2 RETURNING id) \
             UPDATE migration_service.fleet_target t SET state = 'pending' FROM freed \
             WHERE t.run = freed.id AND t.state = 'running'",
            &[(&claim.run, Type::UUID), (&claim.holder, Type::UUID), (&state, Type::TEXT), (&why, Type::TEXT)],
        )
        .await
        .map(drop)
    }

    /// Writes down how databases stand; `false` where the claim is another's by now, and nothing was written.
    pub async fn keep_fleet_targets(
        &self,
        claim: FleetClaim,
        targets: &[FleetTargetRecord],
    ) -> Result<bool, MasterError> {
        let places: Vec<i32> = targets.iter().map(|target| target.place).collect();
        let states: Vec<&str> = targets.iter().map(|target| target.state.as_str()).collect();
        let versions: Vec<Option<&str>> = targets.iter().map(|target| target.version.as_deref()).collect();
        let migrations: Vec<i32> = targets.iter().map(|target| target.migrations).collect();
        let errors: Vec<Option<&Value>> = targets.iter().map(|target| target.error.as_ref()).collect();
        let rows = self
            .query(
                "WITH held AS (SELECT id FROM migration_service.fleet_run WHERE id = $1 AND holder = $2 FOR KEY SHARE), \
                 kept AS (UPDATE migration_service.fleet_target t SET state = c.state, version = c.version, \
                   migrations = c.migrations, error = c.error, \
                   finished_at = CASE WHEN c.state IN ('pending', 'running') THEN NULL ELSE now() END \
                   FROM held, unnest($3::int4[], $4::text[], $5::text[], $6::int4[], $7::jsonb[]) \
                     AS c (place, state, version, migrations, error) \
                   WHERE t.run = held.id AND t.place = c.place) \
                 SELECT id FROM held",
                &[
                    (&claim.run, Type::UUID),
                    (&claim.holder, Type::UUID),
                    (&places, Type::INT4_ARRAY),
                    (&states, Type::TEXT_ARRAY),
                    (&versions, Type::TEXT_ARRAY),
                    (&migrations, Type::INT4_ARRAY),
                    (&errors, Type::JSONB_ARRAY),
                ],
            )
            .await?;
        Ok(!rows.is_empty())
    }

    /// How many databases of a run stand how, by wave and server.
    pub async fn fleet_counts(&self, run: Uuid) -> Result<Vec<FleetCount>, MasterError> {
        let rows = self
            .query(
                "SELECT wave, regexp_replace(name, '/[^/]*$', '') AS server, state, count(*) \
                 FROM migration_service.fleet_target WHERE run = $1 GROUP BY 1, 2, 3 ORDER BY 1, 2, 3",
                &[(&run, Type::UUID)],
            )
            .await?;
        let count =
            |row: &Row| FleetCount { wave: row.get(0), server: row.get(1), state: row.get(2), targets: row.get(3) };
        Ok(rows.iter().map(count).collect())
    }

    /// The runs that nobody does although they are not over.
    pub async fn lapsed_fleet_runs(&self) -> Result<Vec<Uuid>, MasterError> {
        let rows = self
            .query(
                "SELECT id, holder IS NOT NULL AND held_until >= now(), process FROM migration_service.fleet_run \
                 WHERE state = 'running' ORDER BY id",
                &[],
            )
            .await?;
        let lapsed = rows.iter().filter(|row| !row.get::<_, bool>(1) || self.is_gone(row.get(2)));
        Ok(lapsed.map(|row| row.get(0)).collect())
    }

    /// One run.
    pub async fn fleet_run(&self, id: Uuid) -> Result<Option<FleetRunRecord>, MasterError> {
        let rows = self.query(select_fleet_runs!("WHERE r.id = $1"), &[(&id, Type::UUID)]).await?;
        Ok(rows.first().map(|row| self.fleet_record(row)))
    }

    /// The runs of a fleet, or of all, newest first; older than `before`, at most `limit`.
    pub async fn fleet_runs(
        &self,
        fleet: Option<&str>,
        before: Option<Uuid>,
        limit: i64,
    ) -> Result<Vec<FleetRunRecord>, MasterError> {
        let rows = self
            .query(
                select_fleet_runs!(
                    "WHERE ($1::text IS NULL OR r.fleet = $1) AND ($2::uuid IS NULL OR r.id < $2) ORDER BY r.id DESC LIMIT $3"
                ),
                &[(&fleet, Type::TEXT), (&before, Type::UUID), (&limit, Type::INT8)],
            )
            .await?;
        Ok(rows.iter().map(|row| self.fleet_record(row)).collect())
    }

    /// The databases of a run in their order, those of a state or all; after the place `after`, at most `limit`.
    pub async fn fleet_targets(
        &self,
        run: Uuid,
        state: Option<FleetTargetState>,
        after: i32,
        limit: i64,
    ) -> Result<Vec<FleetTargetRecord>, MasterError> {
        let rows = self
            .query(
                "SELECT place, wave, name, state, version, migrations, error FROM migration_service.fleet_target \
                 WHERE run = $1 AND ($2::text IS NULL OR state = $2) AND place > $3 ORDER BY place LIMIT $4",
                &[
                    (&run, Type::UUID),
                    (&state.map(FleetTargetState::as_str), Type::TEXT),
                    (&after, Type::INT4),
                    (&limit, Type::INT8),
                ],
            )
            .await?;
        let target = |row: &Row| FleetTargetRecord {
            place: row.get(0),
            wave: row.get(1),
            name: row.get(2),
            state: FleetTargetState::of(row.get(3)),
            version: row.get(4),
            migrations: row.get(5),
            error: row.get(6),
        };
        Ok(rows.iter().map(target).collect())
    }

    fn fleet_record(&self, row: &Row) -> FleetRunRecord {
        let counts: Option<Value> = row.get(16);
        let is_gone = self.is_gone(row.get(15));
        FleetRunRecord {
            id: row.get(0),
            fleet: row.get(1),
            environment: row.get(2),
            kind: row.get(3),
            orders: row.get(4),
            targets: row.get(5),
            state: FleetRunState::of(row.get(6)),
            actor: row.get(7),
            request_id: row.get(8),
            started_at: row.get(9),
            finished_at: row.get(10),
            why: row.get(11),
            held_by: row.get(12),
            is_held: row.get::<_, bool>(13) && !is_gone,
            dead_holder: row.get::<_, Option<Uuid>>(14).filter(|_| is_gone),
            counts: counts.and_then(|counts| serde_json::from_value(counts).ok()).unwrap_or_default(),
        }
    }

    fn holder_name(&self) -> String {
        let me = self.instance();
        format!("{} process {}", me.host, me.pid)
    }
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
