//! What the service's own runs did: the history has it already, so the log is told of it when it is sealed.
//!
//! A migration's history row is written in the migration's own transaction, and holds its SQL. Telling the log beside it would
//! write the same once more in the way of every run. So a run writes one row of its own when it begins – who, from where – and
//! the seal makes the rows of its migrations from that and from the history; they hold the SQL's hash, and are shown with the
//! SQL. Who alters the history afterwards is found by the hash.

use uuid::Uuid;

/// What a run says of itself when it begins. It needs no wait for the disk: what it tells of is committed after it.
pub(super) fn begun(run_id: Uuid, condition: &str) -> String {
    format!(
        "INSERT INTO migration_service.audit_entry (event, command, acting_role, objects, via_service, run_id) \
         SELECT 'run', 'RUN', current_user, '[]', true, '{run_id}' WHERE {condition}"
    )
}

/// What the history knows that the log was not told of.
///
/// The number of a transaction is the 32-bit one of the row's last writer, carried over to 64 bits. The row of a migration that
/// was rolled back or blessed since has another last writer.
pub(super) const TELL: &str = "INSERT INTO migration_service.audit_entry (at, event, command, session_role, acting_role, \
       application, address, pid, xid, objects, statement_bytes, statement_sha256, via_service, run_id, migration) \
     SELECT h.at, 'migration', h.command, r.session_role, coalesce(n.nspowner::regrole::text, r.acting_role), r.application, \
            r.address, r.pid, (now.xid - ((now.xid - h.xid) & 4294967295))::text::xid8, '[]', octet_length(h.sql), \
            encode(sha256(h.sql), 'hex'), true, r.run_id, h.migration \
       FROM (SELECT run_id, schema_name, format('%s/%s', schema_name, version) AS migration, 'MIGRATE' AS command, \
                    applied_at AS at, convert_to(up_sql, 'UTF8') AS sql, \
                    CASE WHEN rolled_back_at IS NULL AND blessed_at IS NULL THEN xmin::text::bigint END AS xid \
               FROM migration_service.history \
             UNION ALL \
             SELECT rollback_run_id, schema_name, format('%s/%s', schema_name, version), 'ROLLBACK', \
                    rolled_back_at, convert_to(down_sql, 'UTF8'), xmin::text::bigint \
               FROM migration_service.history WHERE rollback_run_id IS NOT NULL) h \
       JOIN migration_service.audit_entry r ON r.event = 'run' AND r.run_id = h.run_id \
       LEFT JOIN pg_namespace n ON n.nspname = h.schema_name \
      CROSS JOIN (SELECT pg_current_xact_id()::text::bigint AS xid) now \
      WHERE NOT EXISTS (SELECT FROM migration_service.audit_entry e \
                         WHERE e.event = 'migration' AND e.run_id = h.run_id AND e.migration = h.migration) \
      ORDER BY h.at";

/// The SQL of an entry `e` that tells of a migration, for a query that joins it: as the history has it.
pub(super) const SQL: &str = "coalesce(up.up_sql, down.down_sql)";

/// What [`SQL`] needs to be joined.
pub(super) const JOINED: &str = "LEFT JOIN migration_service.history up ON e.event = 'migration' AND e.command = 'MIGRATE' \
       AND up.run_id = e.run_id AND format('%s/%s', up.schema_name, up.version) = e.migration \
     LEFT JOIN migration_service.history down ON e.event = 'migration' AND e.command = 'ROLLBACK' \
       AND down.rollback_run_id = e.run_id AND format('%s/%s', down.schema_name, down.version) = e.migration";
