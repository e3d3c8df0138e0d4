//! Which copy of the service does what is due, and how far each schedule is done.
//!
//! As for the looks of the watch, a row is the lease. Time comes from the caller, by whose clock the schedule is reckoned.

use std::time::Duration;

use postgres_link::tokio_postgres::types::Type;
use time::OffsetDateTime;
use uuid::Uuid;

use super::{Master, MasterError};

/// The right to do what is due, until it is settled or lapses.
#[derive(Debug, Clone)]
pub struct DueClaim {
    id: Uuid,
    environment: String,
    schedule: String,
    due: OffsetDateTime,
}

impl Master {
    /// Claims for `lease` what was due at `due`. `None` where that is done, or another copy works on it. A schedule that is seen
    /// for the first time begins at `now`: nothing was missed before it was known.
    pub async fn claim_due(
        &self,
        (environment, schedule): (&str, &str),
        due: OffsetDateTime,
        now: OffsetDateTime,
        lease: Duration,
    ) -> Result<Option<DueClaim>, MasterError> {
        let me = self.instance();
        let (id, by) = (Uuid::now_v7(), format!("{} process {}", me.host, me.pid));
        let rows = self
            .query(
                "WITH seen AS (INSERT INTO migration_service.backup_schedule (environment, schedule, done_until) \
                   VALUES ($1, $2, $4) ON CONFLICT DO NOTHING) \
                 UPDATE migration_service.backup_schedule SET claim = $5, claimed_by = $6, claimed_until = $7 \
                 WHERE environment = $1 AND schedule = $2 AND done_until < $3 AND (claimed_until IS NULL OR claimed_until < $4) \
                 RETURNING claim",
                &[
                    (&environment, Type::TEXT),
                    (&schedule, Type::TEXT),
                    (&due, Type::TIMESTAMPTZ),
                    (&now, Type::TIMESTAMPTZ),
                    (&id, Type::UUID),
                    (&by, Type::TEXT),
                    (&(now + lease), Type::TIMESTAMPTZ),
                ],
            )
            .await?;
        let claim = DueClaim { id, environment: environment.to_owned(), schedule: schedule.to_owned(), due };
        Ok((!rows.is_empty()).then_some(claim))
    }

    /// Keeps a claim until `until`.
    pub async fn prolong_due(&self, claim: &DueClaim, until: OffsetDateTime) -> Result<(), MasterError> {
        self.query(
            "UPDATE migration_service.backup_schedule SET claimed_until = $4 \
             WHERE environment = $1 AND schedule = $2 AND claim = $3",
            &[
                (&claim.environment, Type::TEXT),
                (&claim.schedule, Type::TEXT),
                (&claim.id, Type::UUID),
                (&until, Type::TIMESTAMPTZ),
            ],
        )
        .await
        .map(drop)
    }

    /// Gives a claim back. What was due is done, unless `again` says from when on it is to be tried again.
    pub async fn settle_due(&self, claim: &DueClaim, again: Option<OffsetDateTime>) -> Result<(), MasterError> {
        self.query(
            "UPDATE migration_service.backup_schedule SET claim = NULL, claimed_until = $5, \
               done_until = CASE WHEN $5 IS NULL THEN $4 ELSE done_until END \
             WHERE environment = $1 AND schedule = $2 AND claim = $3",
            &[
                (&claim.environment, Type::TEXT),
                (&claim.schedule, Type::TEXT),
                (&claim.id, Type::UUID),
                (&claim.due, Type::TIMESTAMPTZ),
                (&again, Type::TIMESTAMPTZ),
            ],
        )
        .await
        .map(drop)
    }
}
