//! What happens, in the order in which it is told.
//!
//! Whoever writes an event holds a lock from before it has its number until it is committed, so that numbers become
//! visible in their order: a reader who has seen one has missed none before it. Each is sent to `LISTEN profe_events` with
//! the same commit, whole where it fits into a notification, else as its number alone.

use postgres_link::AdminConn;
use postgres_link::tokio_postgres::types::Type;
use serde_json::Value;
use time::OffsetDateTime;

use super::runs::EventLine;
use super::{Master, MasterError};

/// The channel of `LISTEN`.
pub const CHANNEL: &str = "profe_events";

/// The turn of whoever writes events. The number is "profe evt" in ASCII.
macro_rules! turn {
    () => {
        "turn AS MATERIALIZED (SELECT pg_advisory_xact_lock(8102661165172552704))"
    };
}
pub(super) use turn;

/// Events `e` as they are told; `r` has the body where it is a run's.
macro_rules! document {
    () => {
        "jsonb_strip_nulls(jsonb_build_object('id', e.id, 'at', e.at, 'environment', e.environment, 'service', e.service, \
           'runId', e.run_id, 'seq', e.seq)) || coalesce(e.event, r.event)"
    };
}

/// Sends what the part `told` has written; `r` as in [`document`].
macro_rules! notify {
    ($r:literal) => {
        concat!(
            " SELECT pg_notify('profe_events', CASE WHEN octet_length(d.text) < 8000 THEN d.text \
               ELSE jsonb_build_object('id', d.id)::text END) FROM (SELECT e.id, (",
            $crate::master::events::document!(),
            ")::text AS text FROM told e ",
            $r,
            " ORDER BY e.id) d"
        )
    };
    () => {
        $crate::master::events::notify!("CROSS JOIN (SELECT NULL::jsonb AS event) r")
    };
}
pub(super) use {document, notify};

/// Something that happened outside of a run.
#[derive(Debug, Clone)]
pub struct NewEvent {
    /// When.
    pub at: OffsetDateTime,
    /// On which environment.
    pub environment: Option<String>,
    /// To which service; `None` where it concerns several or none.
    pub service: Option<String>,
    /// What; the member `type` says which.
    pub event: Value,
}

/// An event as it is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptEvent {
    /// Its number.
    pub id: i64,
    /// Its type.
    pub kind: String,
    /// On which environment.
    pub environment: Option<String>,
    /// To which service.
    pub service: Option<String>,
    /// All of it, one line of JSON.
    pub document: String,
}

/// What there is to read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct EventBounds {
    /// The first event that is kept; 0 without any.
    pub oldest: i64,
    /// The last one; 0 without any.
    pub latest: i64,
}

impl Master {
    /// Adds events of a run, each with the service it concerns, and with them (or without any) a sign of life.
    pub async fn append_events(
        &self,
        run: uuid::Uuid,
        events: &[(EventLine, Option<&str>)],
    ) -> Result<(), MasterError> {
        let seqs: Vec<i64> = events.iter().map(|(e, _)| e.seq as i64).collect();
        let times: Vec<OffsetDateTime> = events.iter().map(|(e, _)| e.at).collect();
        let bodies: Vec<&Value> = events.iter().map(|(e, _)| &e.event).collect();
        let services: Vec<Option<&str>> = events.iter().map(|(_, service)| *service).collect();
        self.query(
            concat!(
                "WITH alive AS (UPDATE migration_service.run SET seen_at = now() WHERE id = $1 AND state = 'running'), \
                 given AS (SELECT * FROM unnest($2::int8[], $3::timestamptz[], $4::jsonb[], $5::text[]) \
                   AS g (seq, at, event, service)), \
                 kept AS (INSERT INTO migration_service.run_event (run_id, seq, at, event) \
                   SELECT $1, seq, at, event FROM given ON CONFLICT DO NOTHING RETURNING seq), ",
                turn!(),
                ", told AS (INSERT INTO migration_service.event (at, type, environment, service, run_id, seq) \
                   SELECT g.at, g.event->>'type', run.environment, coalesce(g.service, run.service), $1, g.seq \
                   FROM given g JOIN kept USING (seq), turn, migration_service.run WHERE run.id = $1 ORDER BY g.seq RETURNING *)",
                notify!("JOIN given r USING (seq)")
            ),
            &[
                (&run, Type::UUID),
                (&seqs, Type::INT8_ARRAY),
                (&times, Type::TIMESTAMPTZ_ARRAY),
                (&bodies, Type::JSONB_ARRAY),
                (&services, Type::TEXT_ARRAY),
            ],
        )
        .await
        .map(drop)
    }

    /// Adds events that are no run's.
    pub async fn add_events(&self, events: &[NewEvent]) -> Result<(), MasterError> {
        let times: Vec<OffsetDateTime> = events.iter().map(|e| e.at).collect();
        let environments: Vec<Option<&str>> = events.iter().map(|e| e.environment.as_deref()).collect();
        let services: Vec<Option<&str>> = events.iter().map(|e| e.service.as_deref()).collect();
        let bodies: Vec<&Value> = events.iter().map(|e| &e.event).collect();
        self.query(
            concat!(
                "WITH ",
                turn!(),
                ", told AS (INSERT INTO migration_service.event (at, type, environment, service, event) \
                   SELECT g.at, g.event->>'type', g.environment, g.service, g.event \
                   FROM unnest($1::timestamptz[], $2::text[], $3::text[], $4::jsonb[]) \
                     WITH ORDINALITY AS g (at, environment, service, event, place), turn ORDER BY g.place RETURNING *)",
                notify!()
            ),
            &[
                (&times, Type::TIMESTAMPTZ_ARRAY),
                (&environments, Type::TEXT_ARRAY),
                (&services, Type::TEXT_ARRAY),
                (&bodies, Type::JSONB_ARRAY),
            ],
        )
        .await
        .map(drop)
    }

    /// Events after `after`, in order.
    pub async fn events_after(&self, after: i64, limit: i64) -> Result<Vec<KeptEvent>, MasterError> {
        let rows = self
            .query(
                concat!(
                    "SELECT e.id, e.type, e.environment, e.service, (",
                    document!(),
                    ")::text FROM migration_service.event e \
                     LEFT JOIN migration_service.run_event r ON r.run_id = e.run_id AND r.seq = e.seq \
                     WHERE e.id > $1 ORDER BY e.id LIMIT $2"
                ),
                &[(&after, Type::INT8), (&limit, Type::INT8)],
            )
            .await?;
        Ok(rows
            .iter()
            .map(|row| KeptEvent {
                id: row.get(0),
                kind: row.get(1),
                environment: row.get(2),
                service: row.get(3),
                document: row.get::<_, Option<String>>(4).unwrap_or_else(|| "{}".to_owned()),
            })
            .collect())
    }

    /// The first and the last event that are kept.
    pub async fn event_bounds(&self) -> Result<EventBounds, MasterError> {
        let rows =
            self.query("SELECT coalesce(min(id), 0), coalesce(max(id), 0) FROM migration_service.event", &[]).await?;
        Ok(rows.first().map_or_else(EventBounds::default, |row| EventBounds { oldest: row.get(0), latest: row.get(1) }))
    }

    /// A session of its own that calls `wake` whenever events were written, until it is dropped.
    pub async fn listen(&self, wake: impl Fn() + Send + Sync + 'static) -> Result<AdminConn, MasterError> {
        // Where the database is made by its first use, this is it.
        self.session().await?;
        let connect = self.0.target.connect.clone().with_application_name("profe events");
        let session = postgres_link::connect(&connect).await?;
        session.on_notification(move |_| wake());
        session.batch(&format!("LISTEN {CHANNEL}")).await?;
        Ok(session)
    }

    /// The newest is kept in any case: its number says how far the others have come.
    pub(super) async fn forget_events(&self) -> Result<(), MasterError> {
        self.query(
            "DELETE FROM migration_service.event WHERE at < now() - interval '30 days' \
             AND id < (SELECT max(id) FROM migration_service.event)",
            &[],
        )
        .await
        .map(drop)
    }
}
