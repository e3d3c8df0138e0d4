//! What fires and what did, who evaluates it, and who has still to be told.

use std::time::Duration;

use postgres_link::tokio_postgres::Row;
use postgres_link::tokio_postgres::types::Type;
use serde::Serialize;
use serde_json::Value;
use time::OffsetDateTime;
use utoipa::ToSchema;
use uuid::Uuid;

use super::events::{notify, turn};
use super::{Master, MasterError};

/// Where an alert stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum AlertState {
    /// It has not been so for as long as its rule says; nobody is told.
    Pending,
    /// It is so, and everybody is told.
    Firing,
    /// It is gone.
    Resolved,
}

impl AlertState {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Pending, Self::Firing, Self::Resolved];

    /// The word in documents and tables.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Firing => "firing",
            Self::Resolved => "resolved",
        }
    }
}

/// Something that is or was worth waking somebody for.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Alert {
    /// Grows; pages go by it.
    pub id: i64,
    /// Which rule of the catalogue's `[alerts]`.
    #[schema(example = "failed-migration")]
    pub rule: String,
    /// On which environment; null where it concerns none.
    pub environment: Option<String>,
    /// Whose; null where it concerns the whole environment.
    pub service: Option<String>,
    /// Which one of several things, such as which disk; null where there is one.
    pub subject: Option<String>,
    /// Where it stands.
    pub state: AlertState,
    /// `info`, `warning` or `critical`, by the rule.
    pub severity: String,
    /// What is wrong, one sentence.
    pub summary: String,
    /// What was measured last, in the rule's unit; null where there is nothing to measure.
    pub value: Option<f64>,
    /// When it was first seen, RFC 3339.
    #[serde(with = "time::serde::rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    pub pending_since: OffsetDateTime,
    /// When it had been so for as long as the rule says; null before.
    #[serde(with = "time::serde::rfc3339::option")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub fired_at: Option<OffsetDateTime>,
    /// When it was last seen.
    #[serde(with = "time::serde::rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    pub last_seen_at: OffsetDateTime,
    /// When it was no longer seen; null while it is there.
    #[serde(with = "time::serde::rfc3339::option")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub resolved_at: Option<OffsetDateTime>,
}

/// Something that an evaluation has seen to be wrong.
#[derive(Debug, Clone, PartialEq)]
pub struct Breach {
    /// Which rule.
    pub rule: &'static str,
    /// On which environment; empty where it concerns none.
    pub environment: String,
    /// Whose; empty where it concerns the whole environment.
    pub service: String,
    /// Which one of several things; empty where there is one.
    pub subject: &'static str,
    /// How urgent it is.
    pub severity: &'static str,
    /// What is wrong, one sentence.
    pub words: String,
    /// What was measured, where there is something to measure.
    pub value: Option<f64>,
    /// For how long it must be so before it fires, seconds.
    pub hold_s: u32,
}

/// Which alerts to read.
#[derive(Debug, Clone, Default)]
pub struct AlertFilter {
    /// Only of this rule.
    pub rule: Option<String>,
    /// Only of these databases, as environments are named.
    pub environments: Option<Vec<String>>,
    /// Only of these services.
    pub services: Option<Vec<String>>,
    /// Only in this state.
    pub state: Option<AlertState>,
    /// Older than this id.
    pub before: Option<i64>,
    /// At most so many.
    pub limit: i64,
}

/// One thing that has to be told to somebody.
#[derive(Debug, Clone)]
pub struct Delivery {
    /// By which it is known again.
    pub id: i64,
    /// Whom.
    pub receiver: String,
    /// `firing` or `resolved`.
    pub status: String,
    /// The attempt that this is, from 1.
    pub attempt: i32,
    /// Since when it is owed.
    pub created_at: OffsetDateTime,
    /// Of what.
    pub alert: Alert,
}

/// Who evaluates.
#[derive(Default)]
struct Evaluator {
    /// Whoever asked, from now on.
    is_me: bool,
    /// Who did before.
    holder: Option<Uuid>,
    /// That one's process.
    process: Option<Value>,
}

/// The columns that [`alert`] reads, in its order.
macro_rules! columns {
    () => {
        "a.id, a.rule, a.environment, a.service, a.subject, a.state, a.severity, a.words, a.value, a.pending_since, \
         a.fired_at, a.last_seen_at, a.resolved_at"
    };
}

/// An alert `a` as events tell it: the same members as [`Alert`]'s.
macro_rules! document {
    () => {
        "jsonb_build_object('id', a.id, 'rule', a.rule, 'environment', nullif(a.environment, ''), \
           'service', nullif(a.service, ''), 'subject', nullif(a.subject, ''), 'state', a.state, 'severity', a.severity, \
           'summary', a.words, 'value', a.value, 'pendingSince', a.pending_since, 'firedAt', a.fired_at, \
           'lastSeenAt', a.last_seen_at, 'resolvedAt', a.resolved_at)"
    };
}

impl Master {
    /// Takes or keeps the right to evaluate, for `lease`. Whoever has it keeps it, so that one copy's clock and one copy's
    /// look at the targets decide; who is known to be gone has it no longer.
    pub async fn hold_alerts(&self, me: Uuid, lease: Duration) -> Result<bool, MasterError> {
        match self.try_hold_alerts(me, None, lease).await? {
            Evaluator { is_me: true, .. } => Ok(true),
            Evaluator { holder: Some(dead), process, .. } if self.is_gone(process.clone()) => {
                Ok(self.try_hold_alerts(me, Some(dead), lease).await?.is_me)
            }
            _ => Ok(false),
        }
    }

    /// The same, also from `dead`. Says who had it before.
    async fn try_hold_alerts(&self, me: Uuid, dead: Option<Uuid>, lease: Duration) -> Result<Evaluator, MasterError> {
        let rows = self
            .query(
                "WITH held AS (INSERT INTO migration_service.alert_evaluation AS e (held_by, held_until, evaluated_at, process) \
                   VALUES ($1, now() + $2 * interval '1 ms', now(), $3) \
                   ON CONFLICT (single) DO UPDATE SET held_by = excluded.held_by, held_until = excluded.held_until, \
                     evaluated_at = excluded.evaluated_at, process = excluded.process \
                   WHERE e.held_by IN ($1, $4) OR e.held_until < now() RETURNING 1) \
                 SELECT EXISTS (SELECT FROM held), e.held_by, e.process \
                 FROM (SELECT) one LEFT JOIN migration_service.alert_evaluation e ON true",
                &[
                    (&me, Type::UUID),
                    (&millis(lease), Type::INT8),
                    (&self.process(), Type::JSONB),
                    (&dead, Type::UUID),
                ],
            )
            .await?;
        let Some(row) = rows.first() else { return Ok(Evaluator::default()) };
        Ok(Evaluator { is_me: row.get(0), holder: row.get(1), process: row.get(2) })
    }

    /// Keeps the right to evaluate for another `lease`, where `me` has it.
    pub async fn prolong_alerts(&self, me: Uuid, lease: Duration) -> Result<(), MasterError> {
        let sql = "UPDATE migration_service.alert_evaluation SET held_until = now() + $2 * interval '1 ms' \
                   WHERE held_by = $1";
        self.query(sql, &[(&me, Type::UUID), (&millis(lease), Type::INT8)]).await.map(drop)
    }

    /// Gives the right to evaluate back, where `me` has it: another copy need not wait until it lapses.
    pub async fn release_alerts(&self, me: Uuid) -> Result<(), MasterError> {
        let sql = "UPDATE migration_service.alert_evaluation SET held_until = '-infinity' WHERE held_by = $1";
        self.query(sql, &[(&me, Type::UUID)]).await.map(drop)
    }

    /// Makes the alerts those that an evaluation has seen: what is new is pending, or fires where its rule waits for nothing;
    /// what has been so for long enough fires; what was not seen again is resolved, or forgotten where it never fired – but
    /// for rules and environments in `unknown`, which could not be looked at. What fires is owed to every one of `receivers`, once;
    /// that it is over, to those who are told that it fires. What has changed is told to who listens for events, and returned.
    pub async fn settle_alerts(
        &self,
        now: OffsetDateTime,
        seen: &[Breach],
        unknown: &[(&str, &str)],
        receivers: &[String],
    ) -> Result<Vec<Alert>, MasterError> {
        let column = |of: fn(&Breach) -> &str| seen.iter().map(of).collect::<Vec<_>>();
        let values: Vec<Option<f64>> = seen.iter().map(|s| s.value).collect();
        let holds: Vec<i64> = seen.iter().map(|s| i64::from(s.hold_s)).collect();
        let (unknown_rules, unknown_environments): (Vec<&str>, Vec<&str>) = unknown.iter().copied().unzip();
        // All parts see the table as it was, so no row is in two of them; and it is one statement, so that nobody is told of
        // what is not written down, and what is written down is told.
        let rows = self
            .query(
                concat!(
                    "WITH seen AS (SELECT * FROM unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::text[], \
                       $7::text[], $8::float8[], $9::int8[]) \
                       AS s (rule, environment, service, subject, severity, words, value, hold_s)), \
                     unknown AS (SELECT * FROM unnest($10::text[], $11::text[]) AS u (rule, environment)), \
                     known AS (UPDATE migration_service.alert a SET last_seen_at = $1, severity = s.severity, \
                       words = s.words, value = s.value, \
                       state = CASE WHEN a.state = 'firing' OR a.pending_since <= $1 - s.hold_s * interval '1 s' \
                         THEN 'firing' ELSE 'pending' END, \
                       fired_at = CASE WHEN a.state = 'pending' AND a.pending_since <= $1 - s.hold_s * interval '1 s' \
                         THEN $1 ELSE a.fired_at END \
                       FROM seen s WHERE (a.rule, a.environment, a.service, a.subject) = \
                         (s.rule, s.environment, s.service, s.subject) AND a.state <> 'resolved' RETURNING a.*), \
                     opened AS (INSERT INTO migration_service.alert \
                         (rule, environment, service, subject, severity, words, value, state, pending_since, fired_at, last_seen_at) \
                       SELECT rule, environment, service, subject, severity, words, value, \
                         CASE WHEN hold_s = 0 THEN 'firing' ELSE 'pending' END, $1, CASE WHEN hold_s = 0 THEN $1 END, $1 \
                       FROM seen s WHERE NOT EXISTS (SELECT FROM known k WHERE (k.rule, k.environment, k.service, k.subject) = \
                         (s.rule, s.environment, s.service, s.subject)) \
                       ON CONFLICT DO NOTHING RETURNING *), \
                     gone AS (SELECT id FROM migration_service.alert a WHERE a.state <> 'resolved' \
                       AND NOT EXISTS (SELECT FROM seen s WHERE (a.rule, a.environment, a.service, a.subject) = \
                         (s.rule, s.environment, s.service, s.subject)) \
                       AND NOT EXISTS (SELECT FROM unknown u WHERE (a.rule, a.environment) = (u.rule, u.environment))), \
                     forgotten AS (DELETE FROM migration_service.alert \
                       WHERE state = 'pending' AND id IN (SELECT id FROM gone)), \
                     resolved AS (UPDATE migration_service.alert SET state = 'resolved', resolved_at = $1 \
                       WHERE state = 'firing' AND id IN (SELECT id FROM gone) RETURNING *), \
                     changed AS (SELECT * FROM known WHERE fired_at = $1 UNION ALL SELECT * FROM opened WHERE fired_at = $1 \
                       UNION ALL SELECT * FROM resolved), \
                     firing AS (SELECT id FROM known WHERE state = 'firing' UNION SELECT id FROM opened WHERE state = 'firing' \
                       UNION SELECT id FROM migration_service.alert WHERE state = 'firing' AND id NOT IN (SELECT id FROM gone)), \
                     ",
                    // Who came to be told while it fires learns of it too; that it is over, who was or will be told that it fires.
                    "owed AS (INSERT INTO migration_service.alert_delivery (alert, status, receiver, created_at, due_at) \
                       SELECT f.id, 'firing', r.receiver, $1, $1 FROM firing f, unnest($12::text[]) AS r (receiver) \
                       WHERE NOT EXISTS (SELECT FROM migration_service.alert_delivery d \
                         WHERE (d.alert, d.receiver, d.status) = (f.id, r.receiver, 'firing')) \
                       UNION ALL SELECT d.alert, 'resolved', d.receiver, $1, $1 FROM resolved o \
                       JOIN migration_service.alert_delivery d ON d.alert = o.id AND d.status = 'firing' AND d.given_up_at IS NULL \
                       ON CONFLICT DO NOTHING), ",
                    turn!(),
                    ", told AS (INSERT INTO migration_service.event (at, type, environment, service, event) \
                       SELECT $1, t.type, nullif(a.environment, ''), nullif(a.service, ''), \
                         jsonb_build_object('type', t.type, 'alert', ",
                    document!(),
                    ") FROM changed a, LATERAL (SELECT CASE a.state WHEN 'firing' THEN 'alert_fired' ELSE 'alert_resolved' END) \
                         AS t (type), turn ORDER BY a.id RETURNING *), \
                     heard AS MATERIALIZED (",
                    notify!(),
                    ") SELECT ",
                    columns!(),
                    ", (SELECT count(*) FROM heard) FROM changed a ORDER BY 1"
                ),
                &[
                    (&now, Type::TIMESTAMPTZ),
                    (&column(|s| s.rule), Type::TEXT_ARRAY),
                    (&column(|s| &s.environment), Type::TEXT_ARRAY),
                    (&column(|s| &s.service), Type::TEXT_ARRAY),
                    (&column(|s| s.subject), Type::TEXT_ARRAY),
                    (&column(|s| s.severity), Type::TEXT_ARRAY),
                    (&column(|s| &s.words), Type::TEXT_ARRAY),
                    (&values, Type::FLOAT8_ARRAY),
                    (&holds, Type::INT8_ARRAY),
                    (&unknown_rules, Type::TEXT_ARRAY),
                    (&unknown_environments, Type::TEXT_ARRAY),
                    (&receivers, Type::TEXT_ARRAY),
                ],
            )
            .await?;
        Ok(rows.iter().map(|row| alert(row, 0)).collect())
    }

    /// What fires, and what was resolved after `resolved_after`, oldest first.
    pub async fn alerts_to_tell(&self, resolved_after: OffsetDateTime) -> Result<Vec<Alert>, MasterError> {
        let rows = self
            .query(
                concat!(
                    "SELECT ",
                    columns!(),
                    " FROM migration_service.alert a \
                      WHERE a.state = 'firing' OR (a.state = 'resolved' AND a.resolved_at > $1) ORDER BY a.id"
                ),
                &[(&resolved_after, Type::TIMESTAMPTZ)],
            )
            .await?;
        Ok(rows.iter().map(|row| alert(row, 0)).collect())
    }

    /// A page of alerts, newest first.
    pub async fn alerts(&self, filter: &AlertFilter) -> Result<Vec<Alert>, MasterError> {
        let state = filter.state.map(AlertState::as_str);
        let rows = self
            .query(
                concat!(
                    "SELECT ",
                    columns!(),
                    " FROM migration_service.alert a WHERE ($1::text IS NULL OR a.rule = $1) \
                      AND ($2::text[] IS NULL OR a.environment = ANY ($2)) AND ($3::text[] IS NULL OR a.service = ANY ($3)) \
                      AND ($4::text IS NULL OR a.state = $4) AND ($5::int8 IS NULL OR a.id < $5) ORDER BY a.id DESC LIMIT $6"
                ),
                &[
                    (&filter.rule, Type::TEXT),
                    (&filter.environments, Type::TEXT_ARRAY),
                    (&filter.services, Type::TEXT_ARRAY),
                    (&state, Type::TEXT),
                    (&filter.before, Type::INT8),
                    (&filter.limit, Type::INT8),
                ],
            )
            .await?;
        Ok(rows.iter().map(|row| alert(row, 0)).collect())
    }

    /// Takes on what is due to these receivers, for as long as `lease`; what is owed to one of the same alert comes in its
    /// order. Of an alert that was over before somebody took that it fires, that one is told nothing.
    pub async fn take_deliveries(
        &self,
        now: OffsetDateTime,
        receivers: &[String],
        lease: Duration,
    ) -> Result<Vec<Delivery>, MasterError> {
        let until = now + lease;
        self.withdraw_what_is_over(now, receivers).await?;
        let rows = self
            .query(
                concat!(
                    "WITH due AS (SELECT d.id FROM migration_service.alert_delivery d \
                       WHERE d.delivered_at IS NULL AND d.given_up_at IS NULL AND d.due_at <= $1 AND d.receiver = ANY ($2) \
                         AND NOT EXISTS (SELECT FROM migration_service.alert_delivery e WHERE e.alert = d.alert \
                           AND e.receiver = d.receiver AND e.id < d.id AND e.delivered_at IS NULL AND e.given_up_at IS NULL) \
                       ORDER BY d.id LIMIT 100 FOR UPDATE SKIP LOCKED), \
                     taken AS (UPDATE migration_service.alert_delivery d SET due_at = $3, attempts = attempts + 1 \
                       FROM due WHERE d.id = due.id RETURNING d.*) \
                     SELECT t.id, t.receiver, t.status, t.attempts, t.created_at, ",
                    columns!(),
                    " FROM taken t JOIN migration_service.alert a ON a.id = t.alert ORDER BY t.id"
                ),
                &[(&now, Type::TIMESTAMPTZ), (&receivers, Type::TEXT_ARRAY), (&until, Type::TIMESTAMPTZ)],
            )
            .await?;
        let delivery = |row: &Row| Delivery {
            id: row.get(0),
            receiver: row.get(1),
            status: row.get(2),
            attempt: row.get(3),
            created_at: row.get(4),
            alert: alert(row, 5),
        };
        Ok(rows.iter().map(delivery).collect())
    }

    /// What nobody tells at this moment of alerts that are over and that the receiver did not take.
    async fn withdraw_what_is_over(&self, now: OffsetDateTime, receivers: &[String]) -> Result<(), MasterError> {
        self.query(
            "WITH missed AS (UPDATE migration_service.alert_delivery d SET given_up_at = $1, trouble = 'it was over before' \
               FROM migration_service.alert a WHERE a.id = d.alert AND a.state = 'resolved' AND d.status = 'firing' \
                 AND d.delivered_at IS NULL AND d.given_up_at IS NULL AND d.due_at <= $1 AND d.receiver = ANY ($2) \
               RETURNING d.alert, d.receiver) \
             UPDATE migration_service.alert_delivery d SET given_up_at = $1, trouble = 'nobody was told that it fires' \
             WHERE d.status = 'resolved' AND d.delivered_at IS NULL AND d.given_up_at IS NULL AND d.receiver = ANY ($2) \
               AND (EXISTS (SELECT FROM missed m WHERE (m.alert, m.receiver) = (d.alert, d.receiver)) \
                 OR EXISTS (SELECT FROM migration_service.alert_delivery e WHERE (e.alert, e.receiver, e.status) = \
                   (d.alert, d.receiver, 'firing') AND e.given_up_at IS NOT NULL))",
            &[(&now, Type::TIMESTAMPTZ), (&receivers, Type::TEXT_ARRAY)],
        )
        .await
        .map(drop)
    }

    /// Writes down what became of an attempt: taken, to be tried again at `due_at`, or given up where there is no such time.
    pub async fn settle_delivery(
        &self,
        id: i64,
        now: OffsetDateTime,
        trouble: Option<&str>,
        due_at: Option<OffsetDateTime>,
    ) -> Result<(), MasterError> {
        self.query(
            "UPDATE migration_service.alert_delivery SET trouble = $3, due_at = coalesce($4, due_at), \
               delivered_at = CASE WHEN $3::text IS NULL THEN $2 END, \
               given_up_at = CASE WHEN $3::text IS NOT NULL AND $4::timestamptz IS NULL THEN $2 END WHERE id = $1",
            &[(&id, Type::INT8), (&now, Type::TIMESTAMPTZ), (&trouble, Type::TEXT), (&due_at, Type::TIMESTAMPTZ)],
        )
        .await
        .map(drop)
    }

    /// What is over is kept for a while.
    pub(super) async fn forget_alerts(&self) -> Result<(), MasterError> {
        self.query("DELETE FROM migration_service.alert WHERE resolved_at < now() - interval '90 days'", &[])
            .await
            .map(drop)
    }
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

fn alert(row: &Row, at: usize) -> Alert {
    let text = |n: usize| Some(row.get::<_, String>(at + n)).filter(|text| !text.is_empty());
    let state = row.get::<_, &str>(at + 5);
    Alert {
        id: row.get(at),
        rule: row.get(at + 1),
        environment: text(2),
        service: text(3),
        subject: text(4),
        // The table allows no other.
        state: AlertState::ALL.into_iter().find(|s| s.as_str() == state).unwrap_or(AlertState::Firing),
        severity: row.get(at + 6),
        summary: row.get(at + 7),
        value: row.get(at + 8),
        pending_since: row.get(at + 9),
        fired_at: row.get(at + 10),
        last_seen_at: row.get(at + 11),
        resolved_at: row.get(at + 12),
    }
}
