//! Which copy of the service looks at an environment, and what the last look saw.
//!
//! A row is the lease, not an advisory lock: the master database is reached over one shared session, perhaps through a
//! pooler, where a session's lock is nobody's; and the row remembers between looks, so that copies whose clocks tick at
//! different moments make one look in an interval and not one each. A copy that dies leaves a claim that lapses.

use std::time::Duration;

use postgres_link::tokio_postgres::types::Type;
use serde::Serialize;
use time::OffsetDateTime;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{Master, MasterError};

/// The right to look at an environment, until it is given back or lapses.
#[derive(Debug, Clone)]
pub struct Claim {
    id: Uuid,
    environment: String,
    /// What was compared last.
    pub seen: Option<String>,
}

/// When an environment was last looked at.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct LookRecord {
    /// The environment.
    pub environment: String,
    /// Its database.
    pub target: String,
    /// When the last look that saw something began, RFC 3339; null before the first.
    #[serde(with = "time::serde::rfc3339::option")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub looked_at: Option<OffsetDateTime>,
    /// By which process: machine and number.
    pub by: Option<String>,
    /// How many looks there were.
    pub looks: i64,
    /// What the last look could not look at, and why; null where it saw all.
    pub trouble: Option<String>,
}

impl Master {
    /// Claims the look at an environment for `lease`. `None` where another look is under way, or where `interval` is given
    /// and the last look is not so old.
    pub async fn claim_look(
        &self,
        environment: &str,
        target: &str,
        interval: Option<Duration>,
        lease: Duration,
    ) -> Result<Option<Claim>, MasterError> {
        let me = self.instance();
        let (id, by) = (Uuid::now_v7(), format!("{} process {}", me.host, me.pid));
        // A timer that comes a moment early must not wait for another whole interval.
        let age_ms = interval.map(|interval| millis(interval) / 10 * 9);
        let rows = self
            .query(
                "INSERT INTO migration_service.watch_look AS l (environment, target, claim, claimed_by, claimed_at, claimed_until) \
                 VALUES ($1, $2, $3, $4, now(), now() + $5 * interval '1 ms') \
                 ON CONFLICT (environment) DO UPDATE SET target = excluded.target, claim = excluded.claim, \
                   claimed_by = excluded.claimed_by, claimed_at = excluded.claimed_at, claimed_until = excluded.claimed_until, \
                   seen = CASE WHEN l.target = excluded.target THEN l.seen END \
                 WHERE (l.claim IS NULL OR l.claimed_until < now()) \
                   AND ($6::int8 IS NULL OR l.looked_at IS NULL OR l.looked_at <= now() - $6 * interval '1 ms') \
                 RETURNING seen",
                &[
                    (&environment, Type::TEXT),
                    (&target, Type::TEXT),
                    (&id, Type::UUID),
                    (&by, Type::TEXT),
                    (&millis(lease), Type::INT8),
                    (&age_ms, Type::INT8),
                ],
            )
            .await?;
        Ok(rows.first().map(|row| Claim { id, environment: environment.to_owned(), seen: row.get(0) }))
    }

    /// Gives a claim back. `looked` says that something was seen, `seen` what was compared, `trouble` what was not seen.
    pub async fn release_look(
        &self,
        claim: &Claim,
        looked: bool,
        seen: Option<&str>,
        trouble: Option<&str>,
    ) -> Result<(), MasterError> {
        self.query(
            "UPDATE migration_service.watch_look SET claim = NULL, claimed_until = NULL, seen = $3, trouble = $4, \
               looked_at = CASE WHEN $5 THEN claimed_at ELSE looked_at END, looks = looks + $5::bool::int \
             WHERE environment = $1 AND claim = $2",
            &[
                (&claim.environment, Type::TEXT),
                (&claim.id, Type::UUID),
                (&seen, Type::TEXT),
                (&trouble, Type::TEXT),
                (&looked, Type::BOOL),
            ],
        )
        .await
        .map(drop)
    }

    /// When each of these environments was last looked at, by name; `None` is all.
    pub async fn looks(&self, environments: Option<&[String]>) -> Result<Vec<LookRecord>, MasterError> {
        let rows = self
            .query(
                "SELECT environment, target, looked_at, claimed_by, looks, trouble FROM migration_service.watch_look \
                 WHERE $1::text[] IS NULL OR environment = ANY ($1) ORDER BY environment",
                &[(&environments, Type::TEXT_ARRAY)],
            )
            .await?;
        let record = |row: &postgres_link::tokio_postgres::Row| LookRecord {
            environment: row.get(0),
            target: row.get(1),
            looked_at: row.get(2),
            by: row.get(3),
            looks: row.get(4),
            trouble: row.get(5),
        };
        Ok(rows.iter().map(record).collect())
    }
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
