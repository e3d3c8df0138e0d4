//! Runs and their events, as they are kept.

use std::collections::BTreeMap;

use postgres_link::tokio_postgres::Row;
use postgres_link::tokio_postgres::types::{FromSql, ToSql, Type};
use serde_json::Value;
use uuid::Uuid;

use super::events::{notify, turn};
pub use super::run_record::{BackupOrigin, EventLine, RunFilter, RunKind, RunRecord, RunState};
use super::{Instance, Master, MasterError, Param};

/// What runs according to a table: its number, its process, and whether that was not seen for long.
macro_rules! select_running {
    ($table:literal) => {
        concat!(
            "SELECT id, host, boot_id, pid, process_start, seen_at < now() - interval '60 seconds' FROM migration_service.",
            $table,
            " WHERE state = 'running'"
        )
    };
}
pub(super) use select_running;

/// Tells of the runs of a part of the statement that something began or ended.
macro_rules! told_of_run {
    ($type:literal, $at:literal, $part:literal) => {
        concat!(
            "INSERT INTO migration_service.event (at, type, environment, service, run_id, event) SELECT ",
            $at,
            ", '",
            $type,
            "', run.environment, run.service, run.id, jsonb_build_object('type', '",
            $type,
            "', 'kind', run.kind, 'state', run.state, 'dryRun', run.dry_run, 'actor', run.actor) FROM ",
            $part,
            " run, turn RETURNING *"
        )
    };
}

/// The columns that [`record`] reads, in its order.
macro_rules! select_runs {
    ($rest:literal) => {
        concat!(
            "SELECT id, kind, environment, service, dry_run, state, actor, request_id, started_at, finished_at, plan, report, ",
            "backup_id, backup_origin, continued_by, (SELECT c.id FROM migration_service.run c WHERE c.continued_by = run.id) AS continues ",
            "FROM migration_service.run ",
            $rest
        )
    };
}

impl Master {
    /// Writes a run that begins. Returns how long one migration took on average in this environment's last runs, in
    /// milliseconds, for an estimate.
    pub async fn insert_run(&self, run: &RunRecord) -> Result<Option<f64>, MasterError> {
        let me = self.instance();
        let rows = self
            .query(
                concat!(
                    "WITH written AS ( \
                       INSERT INTO migration_service.run (id, kind, environment, service, dry_run, state, actor, request_id, \
                         started_at, finished_at, plan, report, host, boot_id, pid, process_start, backup_id, backup_origin, run_order) \
                       VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19) RETURNING *), ",
                    turn!(),
                    ", told AS (",
                    told_of_run!("run_started", "started_at", "written"),
                    "), recent AS ( \
                       SELECT (report->>'durationMs')::float8 AS ms, jsonb_array_length(report->'done') AS done \
                       FROM migration_service.run \
                       WHERE kind = $2 AND environment = $3 AND state = 'completed' AND report->'done' <> '[]' \
                       ORDER BY id DESC LIMIT 20), \
                     sent AS MATERIALIZED (",
                    notify!(),
                    ") SELECT sum(ms) / nullif(sum(done), 0) FROM sent LEFT JOIN recent ON true"
                ),
                &[
                    (&run.id, Type::UUID),
                    (&run.kind.as_str(), Type::TEXT),
                    (&run.environment, Type::TEXT),
                    (&run.service, Type::TEXT),
                    (&run.dry_run, Type::BOOL),
                    (&run.state.as_str(), Type::TEXT),
                    (&run.actor, Type::TEXT),
                    (&run.request_id, Type::TEXT),
                    (&run.started_at, Type::TIMESTAMPTZ),
                    (&run.finished_at, Type::TIMESTAMPTZ),
                    (&run.plan, Type::JSONB),
                    (&run.report, Type::JSONB),
                    (&me.host, Type::TEXT),
                    (&me.boot_id, Type::TEXT),
                    (&me.pid, Type::INT4),
                    (&me.process_start, Type::INT8),
                    (&run.backup_id, Type::TEXT),
                    (&run.backup_origin.map(BackupOrigin::as_str), Type::TEXT),
                    (&run.order, Type::JSONB),
                ],
            )
            .await?;
        Ok(rows.first().and_then(|row| row.get(0)))
    }

    /// Writes how a run ended.
    pub async fn finish_run(&self, run: &RunRecord) -> Result<(), MasterError> {
        self.query(
            concat!(
                "WITH ended AS (UPDATE migration_service.run SET state = $2, finished_at = $3, report = $4, seen_at = now() \
                   WHERE id = $1 RETURNING *), ",
                turn!(),
                ", told AS (",
                told_of_run!("run_ended", "finished_at", "ended"),
                ")",
                notify!()
            ),
            &[
                (&run.id, Type::UUID),
                (&run.state.as_str(), Type::TEXT),
                (&run.finished_at, Type::TIMESTAMPTZ),
                (&run.report, Type::JSONB),
            ],
        )
        .await
        .map(drop)
    }

    /// One run, if there is one of that id.
    pub async fn run(&self, id: Uuid) -> Result<Option<RunRecord>, MasterError> {
        let rows = self.query(select_runs!("WHERE id = $1"), &[(&id, Type::UUID)]).await?;
        Ok(rows.first().and_then(record))
    }

    /// A page of runs, newest first, and how many there are on all pages.
    pub async fn runs(&self, filter: &RunFilter) -> Result<(Vec<RunRecord>, i64), MasterError> {
        let wanted: [Param<'_>; 4] = [
            (&filter.environments, Type::TEXT_ARRAY),
            (&filter.service, Type::TEXT),
            (&filter.state, Type::TEXT),
            (&filter.services, Type::TEXT_ARRAY),
        ];
        let page = [&wanted[..], &[(&filter.before, Type::UUID), (&filter.limit, Type::INT8)]].concat();
        // Sent together: the second does not wait for the first.
        let (rows, counted) = tokio::try_join!(
            self.query(
                select_runs!(
                    "WHERE ($1::text[] IS NULL OR environment = ANY ($1)) AND ($2::text IS NULL OR service = $2) \
                       AND ($3::text IS NULL OR state = $3) AND ($4::text[] IS NULL OR service = ANY($4)) \
                       AND ($5::uuid IS NULL OR id < $5) ORDER BY id DESC LIMIT $6"
                ),
                &page,
            ),
            self.query(
                "SELECT count(*) FROM migration_service.run \
                 WHERE ($1::text[] IS NULL OR environment = ANY ($1)) AND ($2::text IS NULL OR service = $2) \
                   AND ($3::text IS NULL OR state = $3) AND ($4::text[] IS NULL OR service = ANY($4))",
                &wanted,
            ),
        )?;
        Ok((rows.iter().filter_map(record).collect(), counted.first().map_or(0, |row| row.get(0))))
    }

    /// Whether any run of `environment` is covered by a backup that was made and not deleted since.
    pub async fn has_backups_of_runs(&self, environment: &str) -> Result<bool, MasterError> {
        let rows = self
            .query(
                "SELECT EXISTS (SELECT FROM migration_service.run r JOIN migration_service.backup b ON b.id = r.backup_id \
                 WHERE r.environment = $1 AND b.state = 'ready')",
                &[(&environment, Type::TEXT)],
            )
            .await?;
        Ok(rows.first().is_some_and(|row| row.get(0)))
    }

    /// The backups that cover these runs, of those that were made and not deleted since.
    pub async fn backups_of_runs(&self, runs: &[Uuid]) -> Result<Vec<(Uuid, String)>, MasterError> {
        let rows = self
            .query(
                "SELECT r.id, b.id FROM migration_service.run r JOIN migration_service.backup b ON b.id = r.backup_id \
                 WHERE r.id = ANY($1) AND b.state = 'ready' ORDER BY r.id DESC",
                &[(&runs, Type::UUID_ARRAY)],
            )
            .await?;
        Ok(rows.iter().map(|row| (row.get(0), row.get(1))).collect())
    }

    /// Events of a run after `seq`, in order.
    pub async fn run_events(&self, run: Uuid, after: u64, limit: i64) -> Result<Vec<EventLine>, MasterError> {
        let rows = self
            .query(
                "SELECT seq, at, event FROM migration_service.run_event WHERE run_id = $1 AND seq > $2 ORDER BY seq LIMIT $3",
                &[(&run, Type::UUID), (&i64::try_from(after).unwrap_or(i64::MAX), Type::INT8), (&limit, Type::INT8)],
            )
            .await?;
        Ok(rows
            .iter()
            .map(|row| EventLine { seq: row.get::<_, i64>(0) as u64, at: row.get(1), event: row.get(2) })
            .collect())
    }

    /// The gates that each of these runs went through, as its event has them; absent where it went through none.
    pub async fn gates_of(&self, runs: &[Uuid]) -> Result<BTreeMap<Uuid, Vec<Value>>, MasterError> {
        if runs.is_empty() {
            return Ok(BTreeMap::new());
        }
        let rows = self
            .query(
                "SELECT DISTINCT ON (run_id) run_id, event -> 'gates' FROM migration_service.run_event \
                 WHERE run_id = ANY ($1) AND event ->> 'type' = 'validated' ORDER BY run_id, seq DESC",
                &[(&runs, Type::UUID_ARRAY)],
            )
            .await?;
        let gates = |row: &Row| match row.get(1) {
            Some(Value::Array(gates)) => gates,
            _ => Vec::new(),
        };
        Ok(rows.iter().map(|row| (row.get(0), gates(row))).collect())
    }

    /// Of what [`select_running`] answers, the numbers of what ran in processes that are gone.
    pub(super) async fn left_running<Id>(&self, running: &'static str) -> Result<Vec<Id>, MasterError>
    where
        Id: for<'a> FromSql<'a>,
    {
        let running = self.query(running, &[]).await?;
        let dead =
            running.iter().filter(|row| row.get::<_, bool>(5) || self.instance().knows_dead(&instance_at(row, 1)));
        Ok(dead.map(|row| row.get(0)).collect())
    }

    /// Marks what [`left_running`](Self::left_running) finds by `running` with `mark`; returns how many.
    pub(super) async fn settle_left<Id>(
        &self,
        running: &'static str,
        mark: &'static str,
        ids: Type,
    ) -> Result<usize, MasterError>
    where
        Id: for<'a> FromSql<'a> + ToSql + Sync,
    {
        let dead: Vec<Id> = self.left_running(running).await?;
        if !dead.is_empty() {
            self.query(mark, &[(&dead, ids)]).await?;
        }
        Ok(dead.len())
    }

    /// Marks the runs of processes that are gone as interrupted; returns how many.
    ///
    /// # Errors
    /// The master database does not answer.
    pub async fn settle_runs(&self) -> Result<usize, MasterError> {
        let told = concat!(
            "WITH ended AS (UPDATE migration_service.run SET state = 'interrupted', finished_at = seen_at \
               WHERE id = ANY($1) AND state = 'running' RETURNING *), ",
            turn!(),
            ", told AS (",
            told_of_run!("run_ended", "now()", "ended"),
            ")",
            notify!()
        );
        self.settle_left::<Uuid>(select_running!("run"), told, Type::UUID_ARRAY).await
    }
}

/// Four columns from `first` on.
pub(super) fn instance_at(row: &Row, first: usize) -> Instance {
    Instance {
        host: row.get(first),
        boot_id: row.get(first + 1),
        pid: row.get(first + 2),
        process_start: row.get(first + 3),
    }
}

/// A word that this program does not know was written by a newer one; such a run is left out.
fn record(row: &Row) -> Option<RunRecord> {
    Some(RunRecord {
        id: row.get(0),
        kind: RunKind::from_word(row.get(1))?,
        environment: row.get(2),
        service: row.get(3),
        dry_run: row.get(4),
        state: RunState::from_word(row.get(5))?,
        actor: row.get(6),
        request_id: row.get(7),
        started_at: row.get(8),
        finished_at: row.get(9),
        plan: row.get(10),
        report: row.get(11),
        backup_id: row.get(12),
        backup_origin: row.get::<_, Option<&str>>(13).and_then(BackupOrigin::from_word),
        continued_by: row.get(14),
        continues: row.get(15),
        order: None,
    })
}
