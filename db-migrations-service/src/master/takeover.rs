//! What copies of the service do about each other's work: stop it, say what became of it, and go on with what nobody carries on.

use postgres_link::tokio_postgres::types::Type;
use serde_json::Value;
use uuid::Uuid;

use super::runs::RunKind;
use super::{Master, MasterError};

/// A run whose process died or handed it over.
#[derive(Debug, Clone)]
pub struct LeftRun {
    /// Its id.
    pub id: Uuid,
    /// What was asked for.
    pub order: Value,
    /// The request that asked for it.
    pub request_id: Option<String>,
}

/// A run whose process died, and that says nothing yet of what it did.
#[derive(Debug, Clone)]
pub struct UntoldRun {
    /// Its id.
    pub id: Uuid,
    /// What it did.
    pub kind: RunKind,
    /// On which environment.
    pub environment: String,
    /// Nothing of it stays.
    pub dry_run: bool,
    /// Another copy goes on with it.
    pub goes_on: bool,
    /// The process that did it: machine and number.
    pub held_by: String,
    /// It has waited for so long to be told of that what it told itself has to do: its target is away, or something of it still
    /// runs there.
    pub has_waited: bool,
    /// The migrations that it told of as done, in order.
    pub done: Vec<String>,
}

/// A backup whose process ended before it was made.
#[derive(Debug, Clone)]
pub struct LeftBackup {
    /// Its name.
    pub id: String,
    /// Of which environment.
    pub environment: String,
    /// Of which services; empty is the whole database.
    pub services: Vec<String>,
    /// What it is for.
    pub description: Option<String>,
    /// How long to keep it, days.
    pub retention_days: Option<i32>,
    /// Who asked for it.
    pub actor: String,
    /// The request that asked for it.
    pub request_id: Option<String>,
    /// How many more times it is made anew, this one included.
    pub goes_on: i32,
}

impl Master {
    /// Asks the process that does this run, wherever it is, to stop it; `false` where it is over.
    ///
    /// # Errors
    /// The master database does not answer.
    pub async fn ask_to_cancel(&self, run: Uuid) -> Result<bool, MasterError> {
        let sql =
            "UPDATE migration_service.run SET cancel_asked = true WHERE id = $1 AND state = 'running' RETURNING id";
        Ok(!self.query(sql, &[(&run, Type::UUID)]).await?.is_empty())
    }

    /// Whether somebody has asked for this run to be stopped.
    ///
    /// # Errors
    /// The master database does not answer.
    pub async fn is_asked_to_cancel(&self, run: Uuid) -> Result<bool, MasterError> {
        let sql = "SELECT FROM migration_service.run WHERE id = $1 AND cancel_asked";
        Ok(!self.query(sql, &[(&run, Type::UUID)]).await?.is_empty())
    }

    /// The same as [`ask_to_cancel`](Self::ask_to_cancel) for a run over a fleet.
    ///
    /// # Errors
    /// The master database does not answer.
    pub async fn ask_to_cancel_fleet(&self, run: Uuid) -> Result<bool, MasterError> {
        let sql = "UPDATE migration_service.fleet_run SET cancel_asked = true WHERE id = $1 AND state = 'running' RETURNING id";
        Ok(!self.query(sql, &[(&run, Type::UUID)]).await?.is_empty())
    }

    /// The same as [`is_asked_to_cancel`](Self::is_asked_to_cancel) for a run over a fleet.
    ///
    /// # Errors
    /// The master database does not answer.
    pub async fn is_fleet_asked_to_cancel(&self, run: Uuid) -> Result<bool, MasterError> {
        let sql = "SELECT FROM migration_service.fleet_run WHERE id = $1 AND cancel_asked";
        Ok(!self.query(sql, &[(&run, Type::UUID)]).await?.is_empty())
    }

    /// Takes up one run that was left behind in the last quarter of an hour, for the run `new` to go on with; each is had by one
    /// copy. `None` where there is none.
    ///
    /// # Errors
    /// The master database does not answer.
    pub async fn take_left_run(&self, new: Uuid) -> Result<Option<LeftRun>, MasterError> {
        let rows = self
            .query(
                "UPDATE migration_service.run SET continued_by = $1, taken_at = now() WHERE id = ( \
                   SELECT id FROM migration_service.run r \
                   WHERE state = 'interrupted' AND run_order IS NOT NULL AND finished_at > now() - interval '15 minutes' \
                     AND CASE WHEN continued_by IS NULL THEN coalesce(taken_at < now(), true) \
                       ELSE taken_at < now() - interval '1 minute' \
                         AND NOT EXISTS (SELECT FROM migration_service.run n WHERE n.id = r.continued_by) END \
                   ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED) \
                 RETURNING id, run_order, request_id",
                &[(&new, Type::UUID)],
            )
            .await?;
        Ok(rows.first().map(|row| LeftRun { id: row.get(0), order: row.get(1), request_id: row.get(2) }))
    }

    /// Puts a run back that was taken up for `new`, which did not come about; nobody takes it up again for `pause_s` seconds.
    ///
    /// # Errors
    /// The master database does not answer.
    pub async fn leave_run(&self, id: Uuid, new: Uuid, pause_s: i32) -> Result<(), MasterError> {
        self.query(
            "UPDATE migration_service.run r SET continued_by = NULL, taken_at = now() + $3 * interval '1 s' \
             WHERE id = $1 AND continued_by = $2 AND NOT EXISTS (SELECT FROM migration_service.run n WHERE n.id = $2)",
            &[(&id, Type::UUID), (&new, Type::UUID), (&pause_s, Type::INT4)],
        )
        .await
        .map(drop)
    }

    /// Nobody goes on with a run that was taken: what it was to do can no longer be done.
    ///
    /// # Errors
    /// The master database does not answer.
    pub async fn give_up_run(&self, id: Uuid, new: Uuid) -> Result<(), MasterError> {
        self.query(
            "UPDATE migration_service.run SET continued_by = NULL, run_order = NULL WHERE id = $1 AND continued_by = $2",
            &[(&id, Type::UUID), (&new, Type::UUID)],
        )
        .await
        .map(drop)
    }

    /// The runs of the last day whose processes died and of which nobody has said what they did.
    ///
    /// # Errors
    /// The master database does not answer.
    pub async fn untold_runs(&self) -> Result<Vec<UntoldRun>, MasterError> {
        let rows = self
            .query(
                "SELECT id, kind, environment, dry_run, run_order IS NOT NULL, host || ', process ' || pid, finished_at < now() - interval '3 minutes', \
                   ARRAY(SELECT v.event->>'migration' FROM migration_service.run_event v \
                     WHERE v.run_id = r.id AND v.event->>'type' = 'migration_finished' ORDER BY v.seq) \
                 FROM migration_service.run r \
                 WHERE state = 'interrupted' AND report IS NULL AND finished_at > now() - interval '1 day' ORDER BY id LIMIT 100",
                &[],
            )
            .await?;
        let untold = rows.iter().filter_map(|row| {
            Some(UntoldRun {
                id: row.get(0),
                kind: RunKind::from_word(row.get(1))?,
                environment: row.get(2),
                dry_run: row.get(3),
                goes_on: row.get(4),
                held_by: row.get(5),
                has_waited: row.get(6),
                done: row.get(7),
            })
        });
        Ok(untold.collect())
    }

    /// Writes down what a run did whose process died, unless somebody has.
    ///
    /// # Errors
    /// The master database does not answer.
    pub async fn tell_of_left_run(&self, id: Uuid, report: &Value) -> Result<(), MasterError> {
        let sql =
            "UPDATE migration_service.run SET report = $2 WHERE id = $1 AND state = 'interrupted' AND report IS NULL";
        self.query(sql, &[(&id, Type::UUID), (report, Type::JSONB)]).await.map(drop)
    }

    /// Takes up one backup in this storage whose process ended in the last quarter of an hour before it was made; each is had by
    /// one copy. `None` where there is none.
    ///
    /// # Errors
    /// The master database does not answer.
    pub async fn take_left_backup(&self, storage: &str) -> Result<Option<LeftBackup>, MasterError> {
        let rows = self
            .query(
                "UPDATE migration_service.backup SET taken_at = now() WHERE id = ( \
                   SELECT id FROM migration_service.backup \
                   WHERE state = 'interrupted' AND goes_on > 0 AND continued_by IS NULL AND storage = $1 \
                     AND finished_at > now() - interval '15 minutes' \
                     AND coalesce(taken_at < now() - interval '1 minute', true) \
                   ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED) \
                 RETURNING id, environment, services, description, retention_days, actor, request_id, goes_on",
                &[(&storage, Type::TEXT)],
            )
            .await?;
        Ok(rows.first().map(|row| LeftBackup {
            id: row.get(0),
            environment: row.get(1),
            services: row.get(2),
            description: row.get(3),
            retention_days: row.get(4),
            actor: row.get(5),
            request_id: row.get(6),
            goes_on: row.get(7),
        }))
    }

    /// Takes note of the backup that is made instead of one that was left behind.
    ///
    /// # Errors
    /// The master database does not answer.
    pub async fn backup_goes_on_as(&self, id: &str, new: &str) -> Result<(), MasterError> {
        let sql = "UPDATE migration_service.backup SET continued_by = $2 WHERE id = $1";
        self.query(sql, &[(&id, Type::TEXT), (&new, Type::TEXT)]).await.map(drop)
    }
}
