//! What all processes have counted together.

use postgres_link::tokio_postgres::Row;
use postgres_link::tokio_postgres::types::Type;
use serde::Serialize;

use super::{Master, MasterError};

/// A counter, or a histogram of durations.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Metered {
    /// What was counted.
    pub name: String,
    /// Of which kind.
    pub labels: Vec<String>,
    /// How many fell between each bound and the one before.
    pub buckets: Vec<i64>,
    /// How many in all.
    pub count: i64,
    /// How long they took together, seconds.
    pub sum_s: f64,
}

impl Master {
    /// Adds what was counted to what all have counted, and answers with that.
    ///
    /// # Errors
    /// The database does not answer. Whether it was added is then not known.
    pub async fn add_meters(&self, counted: &[Metered]) -> Result<Vec<Metered>, MasterError> {
        let counted = serde_json::to_value(counted).unwrap_or_default();
        let rows = self
            .query(
                // In the order of the key, so that two who add at the same moment wait for each other and not in a circle.
                "WITH added AS (INSERT INTO migration_service.meter AS m (name, labels, buckets, count, sum_s) \
                   SELECT name, labels, buckets, count, sum_s FROM jsonb_to_recordset($1) \
                     AS c (name text, labels text[], buckets int8[], count int8, sum_s float8) ORDER BY name, labels \
                   ON CONFLICT (name, labels) DO UPDATE SET count = m.count + excluded.count, sum_s = m.sum_s + excluded.sum_s, \
                     buckets = ARRAY(SELECT coalesce(a, 0) + coalesce(b, 0) \
                       FROM unnest(m.buckets, excluded.buckets) WITH ORDINALITY AS u (a, b, n) ORDER BY n) RETURNING *) \
                 SELECT name, labels, buckets, count, sum_s FROM added UNION ALL \
                 SELECT name, labels, buckets, count, sum_s FROM migration_service.meter m \
                 WHERE NOT EXISTS (SELECT FROM added a WHERE (a.name, a.labels) = (m.name, m.labels))",
                &[(&counted, Type::JSONB)],
            )
            .await?;
        let metered = |row: &Row| Metered {
            name: row.get(0),
            labels: row.get(1),
            buckets: row.get(2),
            count: row.get(3),
            sum_s: row.get(4),
        };
        Ok(rows.iter().map(metered).collect())
    }
}
