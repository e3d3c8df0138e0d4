//! Answers kept for requests that may be sent again (the `Idempotency-Key` header).
//!
//! Source: <https://datatracker.ietf.org/doc/html/draft-ietf-httpapi-idempotency-key-header>.

use postgres_link::tokio_postgres::types::Type;

use super::runs::instance_at;
use super::{Master, MasterError};

/// How far the first request with a key has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Claim {
    /// This is the first; it must end in [`Master::keep_answer`] or [`Master::release_key`].
    First,
    /// Another request with this key is being worked on.
    InProgress,
    /// The key was used for another request.
    Reused,
    /// It was answered.
    Answered(KeptAnswer),
}

/// An answer as it was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptAnswer {
    /// Its status.
    pub status: u16,
    /// Its content type.
    pub content_type: Option<String>,
    /// Its body.
    pub body: Vec<u8>,
}

impl Master {
    /// Claims `key` for a request, or says what became of the one that claimed it before.
    pub async fn claim_key(&self, actor: &str, key: &str, request_hash: &[u8]) -> Result<Claim, MasterError> {
        let me = self.instance();
        // The row that is there and the one that is written cannot both come back: the SELECT sees the table as it
        // was. Neither comes back when another request claims the key at this very moment.
        let rows = self
            .query(
                "WITH claimed AS ( \
                   INSERT INTO migration_service.idempotency_key (actor, key, request_hash, host, boot_id, pid, process_start) \
                   VALUES ($1, $2, $3, $4, $5, $6, $7) \
                   ON CONFLICT (actor, key) DO UPDATE SET request_hash = excluded.request_hash, created_at = now(), \
                     status = NULL, content_type = NULL, body = NULL, host = excluded.host, boot_id = excluded.boot_id, \
                     pid = excluded.pid, process_start = excluded.process_start \
                   WHERE idempotency_key.created_at < now() - interval '24 hours' \
                   RETURNING 1) \
                 SELECT true, NULL::bytea, NULL::int2, NULL::text, NULL::bytea FROM claimed \
                 UNION ALL \
                 SELECT false, request_hash, status, content_type, body FROM migration_service.idempotency_key \
                 WHERE actor = $1 AND key = $2 AND NOT EXISTS (SELECT FROM claimed)",
                &[
                    (&actor, Type::TEXT),
                    (&key, Type::TEXT),
                    (&request_hash, Type::BYTEA),
                    (&me.host, Type::TEXT),
                    (&me.boot_id, Type::TEXT),
                    (&me.pid, Type::INT4),
                    (&me.process_start, Type::INT8),
                ],
            )
            .await?;
        let Some(row) = rows.first() else { return Ok(Claim::InProgress) };
        if row.get(0) {
            return Ok(Claim::First);
        }
        if row.get::<_, &[u8]>(1) != request_hash {
            return Ok(Claim::Reused);
        }
        Ok(row.get::<_, Option<i16>>(2).map_or(Claim::InProgress, |status| {
            Claim::Answered(KeptAnswer {
                status: status.unsigned_abs(),
                content_type: row.get(3),
                body: row.get::<_, Option<Vec<u8>>>(4).unwrap_or_default(),
            })
        }))
    }

    /// Keeps the answer for those who ask again.
    pub async fn keep_answer(&self, actor: &str, key: &str, answer: &KeptAnswer) -> Result<(), MasterError> {
        self.query(
            "UPDATE migration_service.idempotency_key SET status = $3, content_type = $4, body = $5 \
             WHERE actor = $1 AND key = $2",
            &[
                (&actor, Type::TEXT),
                (&key, Type::TEXT),
                (&answer.status.cast_signed(), Type::INT2),
                (&answer.content_type, Type::TEXT),
                (&answer.body, Type::BYTEA),
            ],
        )
        .await
        .map(drop)
    }

    /// Lets go of a key whose request came to nothing, so that it may be tried again.
    pub async fn release_key(&self, actor: &str, key: &str) -> Result<(), MasterError> {
        self.query(
            "DELETE FROM migration_service.idempotency_key WHERE actor = $1 AND key = $2",
            &[(&actor, Type::TEXT), (&key, Type::TEXT)],
        )
        .await
        .map(drop)
    }

    /// Drops what is older than a day, and claims of processes that are gone.
    pub(super) async fn forget_answers(&self) -> Result<(), MasterError> {
        let rows = self
            .query(
                "SELECT host, boot_id, pid, process_start, actor, key FROM migration_service.idempotency_key WHERE status IS NULL",
                &[],
            )
            .await?;
        for row in rows.iter().filter(|row| self.instance().knows_dead(&instance_at(row, 0))) {
            self.release_key(row.get(4), row.get(5)).await?;
        }
        self.query("DELETE FROM migration_service.idempotency_key WHERE created_at < now() - interval '24 hours'", &[])
            .await
            .map(drop)
    }
}
