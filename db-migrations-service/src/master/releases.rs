//! Which releases of the services run.
//!
//! Whoever falls silent is not gone yet: the service may have been away itself. An instance is gone when it signs off, or
//! when a copy of the service that has listened for at least as long as its time to live finds it silent for that long.

use std::time::Duration;

use migration_engine::catalogue::ReleaseNeeds;
use postgres_link::tokio_postgres::Row;
use postgres_link::tokio_postgres::types::Type;
use serde::Serialize;
use time::OffsetDateTime;
use utoipa::ToSchema;

use super::{Master, MasterError};

/// A process of a service, as it describes itself.
#[derive(Debug, Clone)]
pub struct NewInstance {
    /// On which environment it works.
    pub environment: String,
    /// Of which service.
    pub service: String,
    /// What it calls itself.
    pub instance: String,
    /// Which release it is.
    pub release: String,
    /// What it needs; `None` is what the catalogue says of the release.
    pub needs: Option<ReleaseNeeds>,
    /// Who says so.
    pub actor: String,
    /// After how long a silence it is gone, seconds.
    pub ttl_s: i32,
}

/// A process of a service that counts as alive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Instance {
    /// What it calls itself.
    #[schema(example = "plans-7d9f-x2x")]
    pub instance: String,
    /// Since when it is this release, RFC 3339.
    #[serde(with = "time::serde::rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    pub since: OffsetDateTime,
    /// When it last said that it lives, RFC 3339.
    #[serde(with = "time::serde::rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    pub seen_at: OffsetDateTime,
    /// It has been silent for longer than its time to live, and nobody has listened for so long yet.
    pub silent: bool,
    #[serde(skip)]
    pub(crate) environment: String,
    #[serde(skip)]
    pub(crate) service: String,
    #[serde(skip)]
    pub(crate) release: String,
    #[serde(skip)]
    pub(crate) needs: Option<ReleaseNeeds>,
}

/// The columns that [`instance`] reads.
macro_rules! columns {
    () => {
        "environment, service, instance, release, needs, since, seen_at, seen_at < now() - ttl_s * interval '1 s'"
    };
}

impl Master {
    /// Writes down that an instance lives. Returns whether it was not known as alive with this release.
    pub async fn instance_lives(&self, new: &NewInstance) -> Result<bool, MasterError> {
        let needs = new.needs.as_ref().and_then(|needs| serde_json::to_value(needs).ok());
        let rows = self
            .query(
                "WITH before AS (SELECT release, gone_at FROM migration_service.service_instance \
                   WHERE environment = $1 AND service = $2 AND instance = $3), \
                 written AS (INSERT INTO migration_service.service_instance AS i \
                     (environment, service, instance, release, needs, actor, ttl_s) VALUES ($1, $2, $3, $4, $5, $6, $7) \
                   ON CONFLICT (environment, service, instance) DO UPDATE SET release = excluded.release, \
                     needs = excluded.needs, actor = excluded.actor, ttl_s = excluded.ttl_s, seen_at = now(), gone_at = NULL, \
                     since = CASE WHEN i.release = excluded.release AND i.gone_at IS NULL THEN i.since ELSE now() END \
                   RETURNING 1) \
                 SELECT NOT EXISTS (SELECT FROM before WHERE release = $4 AND gone_at IS NULL) FROM written",
                &[
                    (&new.environment, Type::TEXT),
                    (&new.service, Type::TEXT),
                    (&new.instance, Type::TEXT),
                    (&new.release, Type::TEXT),
                    (&needs, Type::JSONB),
                    (&new.actor, Type::TEXT),
                    (&new.ttl_s, Type::INT4),
                ],
            )
            .await?;
        Ok(rows.first().is_some_and(|row| row.get(0)))
    }

    /// Writes down that an instance is gone; `None` where it did not count as alive.
    pub async fn instance_leaves(
        &self,
        environment: &str,
        service: &str,
        instance: &str,
    ) -> Result<Option<Instance>, MasterError> {
        let rows = self
            .query(
                concat!(
                    "UPDATE migration_service.service_instance SET gone_at = now() \
                     WHERE environment = $1 AND service = $2 AND instance = $3 AND gone_at IS NULL RETURNING ",
                    columns!()
                ),
                &[(&environment, Type::TEXT), (&service, Type::TEXT), (&instance, Type::TEXT)],
            )
            .await?;
        Ok(rows.first().map(self::instance))
    }

    /// Who counts as alive, by environment, service, release and name.
    pub async fn instances(
        &self,
        environment: Option<&str>,
        services: Option<&[String]>,
    ) -> Result<Vec<Instance>, MasterError> {
        let rows = self
            .query(
                concat!(
                    "SELECT ",
                    columns!(),
                    " FROM migration_service.service_instance WHERE gone_at IS NULL \
                       AND ($1::text IS NULL OR environment = $1) AND ($2::text[] IS NULL OR service = ANY ($2)) \
                     ORDER BY environment, service, release, instance"
                ),
                &[(&environment, Type::TEXT), (&services, Type::TEXT_ARRAY)],
            )
            .await?;
        Ok(rows.iter().map(instance).collect())
    }

    /// Writes down that those are gone who have been silent for their time to live, as far as this process has `listened`
    /// for so long; returns them.
    pub async fn find_silent_instances(&self, listened: Duration) -> Result<Vec<Instance>, MasterError> {
        let listened_s = i64::try_from(listened.as_secs()).unwrap_or(i64::MAX);
        let rows = self
            .query(
                concat!(
                    "UPDATE migration_service.service_instance SET gone_at = now() WHERE gone_at IS NULL AND ttl_s <= $1 \
                       AND seen_at < now() - ttl_s * interval '1 s' RETURNING ",
                    columns!()
                ),
                &[(&listened_s, Type::INT8)],
            )
            .await?;
        Ok(rows.iter().map(instance).collect())
    }

    /// Who is gone is kept for a while.
    pub(super) async fn forget_instances(&self) -> Result<(), MasterError> {
        self.query("DELETE FROM migration_service.service_instance WHERE gone_at < now() - interval '7 days'", &[])
            .await
            .map(drop)
    }
}

fn instance(row: &Row) -> Instance {
    // What cannot be read any more was declared to an older or newer program: the catalogue may know.
    let needs = row.get::<_, Option<serde_json::Value>>(4).and_then(|value| serde_json::from_value(value).ok());
    Instance {
        environment: row.get(0),
        service: row.get(1),
        instance: row.get(2),
        release: row.get(3),
        needs,
        since: row.get(5),
        seen_at: row.get(6),
        silent: row.get(7),
    }
}
