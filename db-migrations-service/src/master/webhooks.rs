//! What the services' webhooks have still to be told, and what they were told.

use std::time::Duration;

use postgres_link::tokio_postgres::Row;
use postgres_link::tokio_postgres::types::Type;
use serde::Serialize;
use serde_json::Value;
use time::OffsetDateTime;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{Master, MasterError};

/// A run that is over, as far as webhooks are concerned.
#[derive(Debug, Clone)]
pub struct EndedRun {
    /// The event that told of its end.
    pub event_id: i64,
    /// The run.
    pub id: Uuid,
    /// `run`, `rollback` or `seed`.
    pub kind: String,
    /// On which environment.
    pub environment: String,
    /// Of which service; `None` where it was of all.
    pub service: Option<String>,
    /// How it ended.
    pub state: String,
    /// Who started it.
    pub actor: String,
    /// When it ended.
    pub finished_at: Option<OffsetDateTime>,
    /// Why it did not come to its end.
    pub error: Option<Value>,
    /// Its events of migrations that were done or failed, in order.
    pub events: Vec<Value>,
}

/// Something that a service's webhook is to be told.
#[derive(Debug, Clone)]
pub struct NewDelivery {
    /// Who is told.
    pub service: String,
    /// `applied`, `rolled_back` or `failed`.
    pub event: &'static str,
    /// What is told.
    pub body: Value,
}

/// What a service's webhook was told or is to be told.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct WebhookDelivery {
    /// Grows; pages go by it, and the webhook knows by it what it was told already.
    pub id: i64,
    /// On which environment the run was.
    pub environment: String,
    /// Who is told.
    #[schema(example = "plans-service")]
    pub service: String,
    /// `applied`, `rolled_back` or `failed`.
    #[schema(example = "applied")]
    pub event: String,
    /// The run.
    pub run_id: Uuid,
    /// What is told.
    #[schema(value_type = Object)]
    pub body: Value,
    /// Since when, RFC 3339.
    #[serde(with = "time::serde::rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    pub created_at: OffsetDateTime,
    /// How often it was tried.
    pub attempts: i32,
    /// When it is tried next, RFC 3339; null where it is not.
    #[serde(with = "time::serde::rfc3339::option")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub due_at: Option<OffsetDateTime>,
    /// What was answered last, or why nothing was.
    pub answer: Option<String>,
    /// When it was taken, RFC 3339.
    #[serde(with = "time::serde::rfc3339::option")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub delivered_at: Option<OffsetDateTime>,
    /// When it had failed for too long, or nobody was to be told any more, RFC 3339.
    #[serde(with = "time::serde::rfc3339::option")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub given_up_at: Option<OffsetDateTime>,
}

/// Which deliveries to list.
#[derive(Debug, Clone, Default)]
pub struct DeliveryFilter {
    /// Only on these databases, as environments are named.
    pub environments: Option<Vec<String>>,
    /// Only to these services; `None` is all.
    pub services: Option<Vec<String>>,
    /// Only what is open (`Some(true)`) or settled.
    pub open: Option<bool>,
    /// At most so many.
    pub limit: i64,
    /// Only older ones than this.
    pub before: Option<i64>,
}

/// The columns that [`delivery`] reads.
macro_rules! columns {
    () => {
        "d.id, d.environment, d.service, d.event, d.run_id, d.body, d.created_at, d.attempts, \
         CASE WHEN d.delivered_at IS NULL AND d.given_up_at IS NULL THEN d.due_at END, d.answer, d.delivered_at, d.given_up_at"
    };
}

impl Master {
    /// Up to where the ends of runs were looked at. The first time that is now: nobody is told of what was before. `None` where
    /// another copy of the service begins in this moment.
    pub async fn webhook_cursor(&self) -> Result<Option<i64>, MasterError> {
        let rows = self
            .query(
                "WITH first AS (INSERT INTO migration_service.webhook_cursor (event_id) \
                   SELECT coalesce(max(id), 0) FROM migration_service.event ON CONFLICT DO NOTHING RETURNING event_id) \
                 SELECT event_id FROM first UNION ALL SELECT event_id FROM migration_service.webhook_cursor LIMIT 1",
                &[],
            )
            .await?;
        Ok(rows.first().map(|row| row.get(0)))
    }

    /// Takes note that all up to an event was looked at.
    pub async fn move_webhook_cursor(&self, event_id: i64) -> Result<(), MasterError> {
        let sql = "UPDATE migration_service.webhook_cursor SET event_id = greatest(event_id, $1)";
        self.query(sql, &[(&event_id, Type::INT8)]).await.map(drop)
    }

    /// The runs whose end was told after the event `after`, in order; dry runs and seeds are none of them.
    pub async fn ended_runs(&self, after: i64, limit: i64) -> Result<Vec<EndedRun>, MasterError> {
        let rows = self
            .query(
                "SELECT e.id, r.id, r.kind, r.environment, r.service, r.state, r.actor, r.finished_at, \
                   coalesce(r.report->'error', 'null'), \
                   (SELECT coalesce(jsonb_agg(v.event ORDER BY v.seq), '[]') FROM migration_service.run_event v \
                      WHERE v.run_id = r.id AND v.event->>'type' IN ('migration_finished', 'migration_failed')) \
                 FROM migration_service.event e JOIN migration_service.run r ON r.id = e.run_id \
                 WHERE e.id > $1 AND e.type = 'run_ended' AND NOT r.dry_run AND r.kind IN ('run', 'rollback') \
                 ORDER BY e.id LIMIT $2",
                &[(&after, Type::INT8), (&limit, Type::INT8)],
            )
            .await?;
        let ended = |row: &Row| EndedRun {
            event_id: row.get(0),
            id: row.get(1),
            kind: row.get(2),
            environment: row.get(3),
            service: row.get(4),
            state: row.get(5),
            actor: row.get(6),
            finished_at: row.get(7),
            error: Some(row.get::<_, Value>(8)).filter(|error| !error.is_null()),
            events: row.get::<_, Value>(9).as_array().cloned().unwrap_or_default(),
        };
        Ok(rows.iter().map(ended).collect())
    }

    /// Writes down what is to be told of a run, once, and that its end was looked at.
    pub async fn add_webhook_deliveries(
        &self,
        run: &EndedRun,
        deliveries: &[NewDelivery],
        now: OffsetDateTime,
    ) -> Result<(), MasterError> {
        let services: Vec<&str> = deliveries.iter().map(|d| d.service.as_str()).collect();
        let events: Vec<&str> = deliveries.iter().map(|d| d.event).collect();
        let bodies: Vec<&Value> = deliveries.iter().map(|d| &d.body).collect();
        self.query(
            "WITH looked AS (UPDATE migration_service.webhook_cursor SET event_id = greatest(event_id, $1)) \
             INSERT INTO migration_service.webhook_delivery (environment, service, event, run_id, body, created_at, due_at) \
             SELECT $2, g.service, g.event, $3, g.body, $4, $4 \
             FROM unnest($5::text[], $6::text[], $7::jsonb[]) WITH ORDINALITY AS g (service, event, body, place) \
             ORDER BY g.place ON CONFLICT (run_id, environment, service, event) DO NOTHING",
            &[
                (&run.event_id, Type::INT8),
                (&run.environment, Type::TEXT),
                (&run.id, Type::UUID),
                (&now, Type::TIMESTAMPTZ),
                (&services, Type::TEXT_ARRAY),
                (&events, Type::TEXT_ARRAY),
                (&bodies, Type::JSONB_ARRAY),
            ],
        )
        .await
        .map(drop)
    }

    /// Takes on what is due, of each service the oldest that is open, for as long as `lease`.
    pub async fn take_webhook_deliveries(
        &self,
        now: OffsetDateTime,
        lease: Duration,
    ) -> Result<Vec<WebhookDelivery>, MasterError> {
        let until = now + lease;
        let rows = self
            .query(
                concat!(
                    "WITH due AS (SELECT d.id FROM migration_service.webhook_delivery d \
                       WHERE d.delivered_at IS NULL AND d.given_up_at IS NULL AND d.due_at <= $1 \
                         AND NOT EXISTS (SELECT FROM migration_service.webhook_delivery e WHERE e.service = d.service \
                           AND e.id < d.id AND e.delivered_at IS NULL AND e.given_up_at IS NULL) \
                       ORDER BY d.id LIMIT 100 FOR UPDATE SKIP LOCKED), \
                     d AS (UPDATE migration_service.webhook_delivery w SET due_at = $2, attempts = attempts + 1 \
                       FROM due WHERE w.id = due.id RETURNING w.*) SELECT ",
                    columns!(),
                    " FROM d ORDER BY d.id"
                ),
                &[(&now, Type::TIMESTAMPTZ), (&until, Type::TIMESTAMPTZ)],
            )
            .await?;
        Ok(rows.iter().map(delivery).collect())
    }

    /// Writes down what became of an attempt: taken, to be tried again at `due_at`, or given up where there is no such time.
    pub async fn settle_webhook_delivery(
        &self,
        id: i64,
        now: OffsetDateTime,
        taken: bool,
        answer: &str,
        due_at: Option<OffsetDateTime>,
    ) -> Result<(), MasterError> {
        self.query(
            "UPDATE migration_service.webhook_delivery SET answer = $4, due_at = coalesce($5, due_at), \
               delivered_at = CASE WHEN $3 THEN $2 END, \
               given_up_at = CASE WHEN NOT $3 AND $5::timestamptz IS NULL THEN $2 END \
             WHERE id = $1 AND delivered_at IS NULL",
            &[
                (&id, Type::INT8),
                (&now, Type::TIMESTAMPTZ),
                (&taken, Type::BOOL),
                (&answer, Type::TEXT),
                (&due_at, Type::TIMESTAMPTZ),
            ],
        )
        .await
        .map(drop)
    }

    /// A page of deliveries, newest first.
    pub async fn webhook_deliveries(&self, filter: &DeliveryFilter) -> Result<Vec<WebhookDelivery>, MasterError> {
        let rows = self
            .query(
                concat!(
                    "SELECT ",
                    columns!(),
                    " FROM migration_service.webhook_delivery d WHERE ($1::text[] IS NULL OR d.environment = ANY ($1)) \
                       AND ($2::text[] IS NULL OR d.service = ANY ($2)) \
                       AND ($3::bool IS NULL OR $3 = (d.delivered_at IS NULL AND d.given_up_at IS NULL)) \
                       AND ($4::int8 IS NULL OR d.id < $4) ORDER BY d.id DESC LIMIT $5"
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
        Ok(rows.iter().map(delivery).collect())
    }

    /// What was told is kept for a while.
    pub(super) async fn forget_webhook_deliveries(&self) -> Result<(), MasterError> {
        self.query(
            "DELETE FROM migration_service.webhook_delivery WHERE created_at < now() - interval '90 days' \
             AND (delivered_at IS NOT NULL OR given_up_at IS NOT NULL)",
            &[],
        )
        .await
        .map(drop)
    }
}

fn delivery(row: &Row) -> WebhookDelivery {
    WebhookDelivery {
        id: row.get(0),
        environment: row.get(1),
        service: row.get(2),
        event: row.get(3),
        run_id: row.get(4),
        body: row.get(5),
        created_at: row.get(6),
        attempts: row.get(7),
        due_at: row.get(8),
        answer: row.get(9),
        delivered_at: row.get(10),
        given_up_at: row.get(11),
    }
}
