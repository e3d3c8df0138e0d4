//! What was found on the targets that did not come through the service: one row from when it is found until it is gone.

use postgres_link::tokio_postgres::Row;
use postgres_link::tokio_postgres::types::Type;
use serde::Serialize;
use time::OffsetDateTime;
use utoipa::ToSchema;

use super::{Master, MasterError};

/// What kind of thing is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum FindingKind {
    /// The live schema is not what its migrations make.
    Drift,
    /// The record of who changed the schema is not whole.
    Audit,
}

impl FindingKind {
    /// The word in documents and tables.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Drift => "drift",
            Self::Audit => "audit",
        }
    }
}

/// One thing that a look has seen.
#[derive(Debug, Clone, Default)]
pub struct Sighting {
    /// By what it is known again.
    pub subject: String,
    /// What is wrong, one sentence.
    pub words: String,
    /// Whose schema.
    pub service: Option<String>,
    /// Who did it: the role that signed in.
    pub role: Option<String>,
    /// What their session called itself.
    pub application: Option<String>,
    /// When they did it.
    pub changed_at: Option<OffsetDateTime>,
}

/// Something that is or was wrong on a target.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Finding {
    /// Grows; pages go by it.
    pub id: i64,
    /// On which environment.
    pub environment: String,
    /// The database that the environment had.
    pub target: String,
    /// `drift`: the live schema is not what its migrations make; `audit`: the record of changes is not whole.
    pub kind: FindingKind,
    /// Whose schema; null where it concerns the whole target.
    pub service: Option<String>,
    /// What is wrong, one sentence; where a property of something differs: as it should be → as it is.
    pub words: String,
    /// Who did it, where the audit knows: the role that signed in.
    pub role: Option<String>,
    /// What their session called itself.
    pub application: Option<String>,
    /// When they did it, RFC 3339.
    #[serde(with = "time::serde::rfc3339::option")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub changed_at: Option<OffsetDateTime>,
    /// When a look found it.
    #[serde(with = "time::serde::rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    pub first_seen_at: OffsetDateTime,
    /// When a look last found it.
    #[serde(with = "time::serde::rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    pub last_seen_at: OffsetDateTime,
    /// When a look no longer found it; null while it is there.
    #[serde(with = "time::serde::rfc3339::option")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub resolved_at: Option<OffsetDateTime>,
}

/// Which findings to read.
#[derive(Debug, Clone, Default)]
pub struct FindingFilter {
    /// Only of these databases, as environments are named.
    pub environments: Option<Vec<String>>,
    /// Only of these services' schemas.
    pub services: Option<Vec<String>>,
    /// Only what is there (`true`), or only what is gone.
    pub open: Option<bool>,
    /// Older than this id.
    pub before: Option<i64>,
    /// At most so many.
    pub limit: i64,
}

/// What a look has changed.
#[derive(Debug, Clone, Default)]
pub struct Settled {
    /// What was not there before.
    pub opened: Vec<Finding>,
    /// What no longer is.
    pub resolved: Vec<Finding>,
}

/// The columns that [`finding`] reads, in its order.
macro_rules! columns {
    () => {
        "id, environment, target, kind, service, words, role, application, changed_at, first_seen_at, last_seen_at, resolved_at"
    };
}

impl Master {
    /// Makes the open findings of a kind those that a look has seen: new ones are opened, known ones kept up to date, and
    /// what was not seen again is resolved – also what an environment's former database had.
    pub async fn settle_findings(
        &self,
        environment: &str,
        target: &str,
        kind: FindingKind,
        seen: &[Sighting],
    ) -> Result<Settled, MasterError> {
        let column = |of: fn(&Sighting) -> Option<&str>| seen.iter().map(of).collect::<Vec<_>>();
        let times: Vec<Option<OffsetDateTime>> = seen.iter().map(|s| s.changed_at).collect();
        // All parts see the table as it was, so no row is in two of them.
        let rows = self
            .query(
                concat!(
                    "WITH seen AS (SELECT * FROM unnest($4::text[], $5::text[], $6::text[], $7::text[], $8::text[], \
                       $9::timestamptz[]) AS s (subject, words, service, role, application, changed_at)), \
                     known AS (UPDATE migration_service.watch_finding f SET last_seen_at = now(), words = s.words, \
                       service = s.service, role = coalesce(s.role, f.role), \
                       application = CASE WHEN s.role IS NULL THEN f.application ELSE s.application END, \
                       changed_at = coalesce(s.changed_at, f.changed_at) \
                       FROM seen s WHERE f.environment = $1 AND f.target = $2 AND f.kind = $3 AND f.subject = s.subject \
                         AND f.resolved_at IS NULL RETURNING f.subject), \
                     opened AS (INSERT INTO migration_service.watch_finding \
                         (environment, target, kind, subject, words, service, role, application, changed_at) \
                       SELECT $1, $2, $3, s.* FROM seen s WHERE s.subject NOT IN (SELECT subject FROM known) \
                       ON CONFLICT DO NOTHING RETURNING ",
                    columns!(),
                    "), resolved AS (UPDATE migration_service.watch_finding SET resolved_at = now() \
                       WHERE environment = $1 AND kind = $3 AND resolved_at IS NULL \
                         AND (target <> $2 OR subject NOT IN (SELECT subject FROM seen)) RETURNING ",
                    columns!(),
                    ") SELECT * FROM opened UNION ALL SELECT * FROM resolved ORDER BY 1"
                ),
                &[
                    (&environment, Type::TEXT),
                    (&target, Type::TEXT),
                    (&kind.as_str(), Type::TEXT),
                    (&column(|s| Some(&s.subject)), Type::TEXT_ARRAY),
                    (&column(|s| Some(&s.words)), Type::TEXT_ARRAY),
                    (&column(|s| s.service.as_deref()), Type::TEXT_ARRAY),
                    (&column(|s| s.role.as_deref()), Type::TEXT_ARRAY),
                    (&column(|s| s.application.as_deref()), Type::TEXT_ARRAY),
                    (&times, Type::TIMESTAMPTZ_ARRAY),
                ],
            )
            .await?;
        let (resolved, opened) = rows.iter().filter_map(finding).partition(|finding| finding.resolved_at.is_some());
        Ok(Settled { opened, resolved })
    }

    /// Notes that what was found of a kind is still there.
    pub async fn findings_stay(&self, environment: &str, target: &str, kind: FindingKind) -> Result<(), MasterError> {
        self.query(
            "UPDATE migration_service.watch_finding SET last_seen_at = now() \
             WHERE environment = $1 AND kind = $3 AND target = $2 AND resolved_at IS NULL",
            &[(&environment, Type::TEXT), (&target, Type::TEXT), (&kind.as_str(), Type::TEXT)],
        )
        .await
        .map(drop)
    }

    /// A page of findings, newest first.
    pub async fn findings(&self, filter: &FindingFilter) -> Result<Vec<Finding>, MasterError> {
        let rows = self
            .query(
                concat!(
                    "SELECT ",
                    columns!(),
                    " FROM migration_service.watch_finding WHERE ($1::text[] IS NULL OR environment = ANY ($1)) \
                      AND ($2::text[] IS NULL OR service = ANY ($2)) AND ($3::bool IS NULL OR (resolved_at IS NULL) = $3) \
                      AND ($4::int8 IS NULL OR id < $4) ORDER BY id DESC LIMIT $5"
                ),
                &[
                    (&filter.environments, Type::TEXT_ARRAY),
                    (&filter.services, Type::TEXT_ARRAY),
                    (&filter.open, Type::BOOL),
                    (&filter.before, Type::INT8),
                    (&filter.limit, Type::INT8),
                ],
            )
            .await?;
        Ok(rows.iter().filter_map(finding).collect())
    }
}

/// A kind that this program does not know was written by a newer one; such a row is left out.
fn finding(row: &Row) -> Option<Finding> {
    let kind = match row.get(3) {
        "drift" => FindingKind::Drift,
        "audit" => FindingKind::Audit,
        _ => return None,
    };
    Some(Finding {
        id: row.get(0),
        environment: row.get(1),
        target: row.get(2),
        kind,
        service: row.get(4),
        words: row.get(5),
        role: row.get(6),
        application: row.get(7),
        changed_at: row.get(8),
        first_seen_at: row.get(9),
        last_seen_at: row.get(10),
        resolved_at: row.get(11),
    })
}
