//! Who changed the schema, and whether the record of it can be trusted.

use migration_engine::audit::{AuditEntry, AuditFilter, AuditHead, AuditReport, FindingCode};
use migration_engine::request::RollbackTo;
use migration_engine::{Engine, Target};
use postgres_link::AdminConn;

use crate::help::{World, until};

const TABLE: &str = "CREATE TABLE alpha.t (id int PRIMARY KEY, v text);\nCOMMENT ON TABLE alpha.t IS 'x';";

/// A target with one migration, which is watched from now on.
async fn watched() -> World {
    let w = World::new().await;
    w.project.migration("alpha/1_t", TABLE, "DROP TABLE alpha.t;");
    assert_eq!(w.run_ok().await, ["alpha/1"]);
    w
}

/// The log, oldest first, without what runs and the installation say of themselves.
async fn log(w: &World) -> Vec<AuditEntry> {
    let mut entries = w.engine().audit(&AuditFilter::default()).await.unwrap().entries;
    entries.retain(|entry| !matches!(entry.event.as_str(), "installation" | "preparation" | "run"));
    entries.reverse();
    entries
}

/// The entries that did not come through the service.
async fn foreign(w: &World) -> Vec<AuditEntry> {
    log(w).await.into_iter().filter(|entry| !entry.via_service).collect()
}

async fn verify(w: &World, anchors: &[AuditHead]) -> AuditReport {
    w.engine().verify_audit(anchors).await.unwrap()
}

/// `Code@position` of everything found.
async fn found(w: &World, anchors: &[AuditHead]) -> Vec<String> {
    let report = verify(w, anchors).await;
    report
        .findings
        .iter()
        .map(|f| format!("{:?}{}", f.code, f.position.map(|p| format!("@{p}")).unwrap_or_default()))
        .collect()
}

async fn sent(conn: &AdminConn, sql: &str) {
    conn.batch(sql).await.unwrap_or_else(|error| panic!("{error}\nin: {sql}"));
}

#[tokio::test]
async fn what_a_person_does_is_recorded_with_who_whence_and_how() {
    let w = watched().await;
    let connect = w.db.connect().clone().with_application_name("psql");
    let person = postgres_link::connect(&connect).await.unwrap();
    let owner =
        w.db.value("SELECT relowner::regrole::text FROM pg_class WHERE oid = 'alpha.t'::regclass").await.unwrap();
    sent(&person, &format!("SET ROLE {owner}")).await;
    sent(&person, "ALTER TABLE alpha.t ADD COLUMN late int, DROP COLUMN v").await;
    let entries = foreign(&w).await;
    let told: Vec<_> = entries.iter().map(|e| (e.event.as_str(), e.command.as_str())).collect();
    assert_eq!(told, [("sql_drop", "ALTER TABLE"), ("ddl_command_end", "ALTER TABLE")]);
    assert_eq!(entries[0].objects[0]["identity"], "alpha.t.v");
    assert_eq!(entries[0].objects[0]["dropped"], true);
    let entry = &entries[1];
    assert_eq!((entry.session_role.as_str(), entry.acting_role.as_str()), (w.db.connect().user(), owner.as_str()));
    assert_eq!((entry.application.as_str(), entry.address.as_deref()), ("psql", Some("127.0.0.1")));
    assert_eq!((entry.pid, entry.run_id, entry.context.as_deref()), (person.backend_pid(), None, None));
    let text = "ALTER TABLE alpha.t ADD COLUMN late int, DROP COLUMN v";
    assert_eq!((entry.statement.as_deref(), entry.statement_bytes), (Some(text), Some(text.len() as i64)));
    assert_eq!(entry.statement_sha256, w.db.value(&format!("SELECT encode(sha256('{text}'), 'hex')")).await);
    assert_eq!(entry.objects[0]["schema"], "alpha");
}

#[tokio::test]
async fn a_long_message_is_cut_and_its_hash_kept() {
    let w = watched().await;
    let comment = format!("COMMENT ON TABLE alpha.t IS '{}'", "é".repeat(9_000));
    sent(&w.db.session().await, &comment).await;
    let entry = foreign(&w).await.remove(0);
    assert_eq!(entry.statement.map(|s| s.chars().count()), Some(8_000));
    assert_eq!(entry.statement_bytes, Some(comment.len() as i64));
    assert_eq!(entry.statement_sha256.map(|s| s.len()), Some(64));
}

#[tokio::test]
async fn what_can_have_a_secret_is_kept_without_its_values() {
    let w = watched().await;
    let session = w.db.session().await;
    // A foreign-data wrapper needs no handler to have servers and mappings; roles and subscriptions belong to the whole server.
    sent(
        &session,
        "CREATE FOREIGN DATA WRAPPER w; CREATE SERVER s FOREIGN DATA WRAPPER w OPTIONS (host 'db', token 'Geheim')",
    )
    .await;
    sent(&session, "CREATE USER MAPPING FOR CURRENT_USER SERVER s OPTIONS (user 'ana', password 'Ge''Geheim')").await;
    let role = format!("r_{}", w.db.name());
    for sql in [
        "CREATE TABLE alpha.u (v text DEFAULT 'it''s', n int); CREATE ROLE {r} PASSWORD 'Geheim'",
        "-- it's\nCREATE VIEW alpha.\"o'clock\" AS SELECT E'\\'' AS a, -1 AS b; ALTER ROLE {r} PASSWORD E'\\'Geheim'",
        "CREATE VIEW alpha.w AS SELECT 1; ALTER ROLE {r} /* it's */ PASSWORD 'Geheim'",
        "CREATE VIEW alpha.x AS SELECT 1; ALTER ROLE {r} PASSWORD $a$Geheim$a$",
        "SET standard_conforming_strings = off",
        "CREATE VIEW alpha.y AS SELECT '\\'' AS a; ALTER ROLE {r} PASSWORD 'Geheim'",
        "SET standard_conforming_strings = on; COMMENT ON VIEW alpha.y IS 'see postgres://ana:Geheim@db/x'",
        "DROP ROLE {r}",
    ] {
        sent(&session, &sql.replace("{r}", &role)).await;
    }
    let entries = foreign(&w).await;
    let shown: Vec<_> = entries.iter().filter_map(|entry| entry.statement.as_deref()).collect();
    assert!(entries.len() == 9 && shown.len() == 9, "{entries:#?}");
    assert!(shown.iter().all(|text| !text.contains("heim") && text.contains("'***'")), "{shown:#?}");
    assert!(
        entries.iter().all(|entry| entry.statement_sha256.is_none() && entry.statement_bytes.is_some()),
        "{entries:#?}"
    );
    assert_eq!(shown[2], "CREATE USER MAPPING FOR CURRENT_USER SERVER s OPTIONS (user '***', password '***')");
    assert_eq!(
        shown[3],
        format!("CREATE TABLE alpha.u (v text DEFAULT '***', n int); CREATE ROLE {role} PASSWORD '***'")
    );
    assert!(shown[4].contains("alpha.\"o'clock\" AS SELECT '***' AS a, -1 AS b; ALTER ROLE"), "{}", shown[4]);
    assert!(verify(&w, &[]).await.findings.is_empty(), "the chain holds");
}

#[tokio::test]
async fn a_migration_is_one_row_with_its_run() {
    let w = watched().await;
    let report = w.run().await;
    assert!(report.done.is_empty());
    let entries = log(&w).await;
    assert_eq!(entries.len(), 1, "{entries:#?}");
    let entry = &entries[0];
    let run = w.db.value("SELECT run_id FROM migration_service.history").await;
    assert!(entry.via_service);
    assert_eq!((entry.event.as_str(), entry.command.as_str()), ("migration", "MIGRATE"));
    assert_eq!((entry.migration.as_deref(), entry.run_id.map(|id| id.to_string())), (Some("alpha/1"), run));
    assert_eq!(entry.statement.as_deref(), Some(TABLE));
    let objects: Vec<_> =
        entry.objects.as_array().unwrap().iter().map(|o| format!("{} {}", o["command"], o["identity"])).collect();
    assert_eq!(objects[0], "\"CREATE TABLE\" \"alpha.t\"");
    assert_eq!(objects.last().unwrap(), "\"COMMENT\" \"alpha.t\"");

    assert_eq!(w.rollback(RollbackTo::Steps(1)).await, ["alpha/1"]);
    let entry = log(&w).await.remove(1);
    assert_eq!((entry.command.as_str(), entry.statement.as_deref()), ("ROLLBACK", Some("DROP TABLE alpha.t;")));
    assert_eq!(found(&w, &[]).await, [] as [&str; 0]);
}

/// What a body does nobody can read off the file, so it is seen by the event triggers.
#[tokio::test]
async fn what_code_of_a_migration_does_is_recorded_too() {
    let w = watched().await;
    w.project
        .migration(
            "alpha/2_body",
            "DO $$ BEGIN EXECUTE 'CREATE TABLE alpha.' || 'hidden ()'; END $$;",
            "DROP TABLE alpha.hidden;",
        )
        // No statement that is passed through the door, and a function that makes a table all the same.
        .migration(
            "alpha/3_index",
            "CREATE FUNCTION alpha.make() RETURNS int LANGUAGE plpgsql AS $$ BEGIN CREATE TABLE alpha.deep (); RETURN 1; END $$;
             CREATE FUNCTION alpha.pure(x int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN RETURN alpha.make(); END $$;
             CREATE TABLE alpha.i (a int);
             DO $$ BEGIN INSERT INTO alpha.i VALUES (1); END $$;
             CREATE INDEX ON alpha.i (alpha.pure(a));",
            "SELECT 1;",
        );
    assert_eq!(w.run_ok().await, ["alpha/2", "alpha/3"]);
    let entries = log(&w).await;
    let seen: Vec<_> = entries
        .iter()
        .filter(|e| e.event == "ddl_command_end")
        .map(|e| (e.objects[0]["identity"].as_str().unwrap_or_default(), e.via_service, e.run_id.is_some()))
        .collect();
    assert_eq!(seen, [("alpha.hidden", true, true), ("alpha.deep", true, true)], "{entries:#?}");
    assert!(entries[1].context.as_deref().unwrap().contains("inline_code_block"), "{entries:#?}");
    assert!(entries.iter().all(|e| e.via_service));
}

#[tokio::test]
async fn statement_by_statement_each_is_recorded() {
    let w = watched().await;
    w.project
        .migration("alpha/2_i", "CREATE INDEX CONCURRENTLY i ON alpha.t (v);", "DROP INDEX alpha.i;")
        .migration("alpha/3_s", "SET statement_timeout = '10s';\nCREATE TABLE alpha.s ();", "DROP TABLE alpha.s;")
        .migration("alpha/4_u", "CREATE TABLE alpha.u ();", "DROP TABLE alpha.u;");
    assert_eq!(w.run_ok().await, ["alpha/2", "alpha/3", "alpha/4"]);
    let entries = log(&w).await;
    let told: Vec<_> =
        entries.iter().skip(1).map(|e| (e.command.as_str(), e.via_service, e.run_id.is_some())).collect();
    assert_eq!(told[0], ("CREATE INDEX", true, true));
    assert_eq!(told[1..], [("MIGRATE", true, true); 3]);
}

#[tokio::test]
async fn what_did_not_happen_leaves_nothing() {
    let w = watched().await;
    let session = w.db.session().await;
    sent(&session, "BEGIN; CREATE TABLE alpha.never (); ROLLBACK").await;
    sent(
        &session,
        "CREATE TEMP TABLE mine (id serial PRIMARY KEY, n int DEFAULT 1 CHECK (n > 0));
         CREATE INDEX ON mine (n); COMMENT ON TABLE mine IS 'x'; ALTER TABLE mine DROP COLUMN n;
         CREATE TEMP VIEW seen AS SELECT id FROM mine; DROP VIEW seen; DROP TABLE mine;
         CREATE TABLE IF NOT EXISTS alpha.t ()",
    )
    .await;
    w.project.migration("alpha/2_bad", "CREATE TABLE alpha.u (); SELECT 1 / 0;", "DROP TABLE alpha.u;");
    w.run_err().await;
    assert_eq!(log(&w).await.len(), 1);
}

#[tokio::test]
async fn nobody_but_a_superuser_writes_the_log_or_passes_for_the_service() {
    let w = watched().await;
    let owner =
        w.db.value("SELECT relowner::regrole::text FROM pg_class WHERE oid = 'alpha.t'::regclass").await.unwrap();
    for sql in [
        "INSERT INTO migration_service.audit_entry (event, command, acting_role, objects, via_service) VALUES ('x', 'x', 'x', '[]', true)",
        "UPDATE migration_service.audit_entry SET via_service = true",
        "DELETE FROM migration_service.audit_entry",
        "TRUNCATE migration_service.audit_chain",
        "DROP EVENT TRIGGER migration_service_audit",
        "ALTER EVENT TRIGGER migration_service_audit DISABLE",
        "SET session_replication_role = replica",
        "SET backtrace_functions = 'profe_00000000000000000000000000000000_told'",
    ] {
        let session = w.db.session().await;
        sent(&session, &format!("SET ROLE {owner}")).await;
        let error = session.batch(sql).await.expect_err(sql);
        assert_eq!(error.sqlstate(), Some("42501"), "{sql}: {error}");
    }
    // Nor does a migration: what it sets is refused, and what it resets has more recorded.
    w.project.migration(
        "alpha/2_reset",
        "DO $$ BEGIN EXECUTE 'RESET ALL'; CREATE TABLE alpha.r (); END $$;",
        "DROP TABLE alpha.r;",
    );
    assert_eq!(w.run_ok().await, ["alpha/2"]);
    let entries = log(&w).await;
    assert_eq!((entries.len(), entries[1].via_service, entries[2].via_service), (3, false, true), "{entries:#?}");
    // A name of one's own in front of everything leads the function nowhere.
    let session = w.db.session().await;
    sent(
        &session,
        "CREATE SCHEMA trap; CREATE FUNCTION trap.current_setting(text) RETURNS text LANGUAGE sql AS $$ SELECT 'profe_00000000000000000000000000000000_told' $$;
         CREATE FUNCTION trap.eq(text, text) RETURNS bool LANGUAGE sql AS 'SELECT false'; CREATE OPERATOR trap.= (LEFTARG = text, RIGHTARG = text, FUNCTION = trap.eq);
         SET search_path = trap, pg_catalog; CREATE TABLE trap.t ()",
    )
    .await;
    assert_eq!(foreign(&w).await.last().unwrap().command, "CREATE TABLE");
}

#[tokio::test]
async fn whatever_is_done_to_the_log_is_found_and_named() {
    for (sql, wanted) in [
        (
            "UPDATE migration_service.audit_entry SET command = 'DROP' WHERE id = (SELECT entry_id FROM migration_service.audit_chain WHERE position = 4)",
            "EntryChanged@4",
        ),
        (
            "UPDATE migration_service.audit_entry SET address = NULL WHERE id = (SELECT entry_id FROM migration_service.audit_chain WHERE position = 5)",
            "EntryChanged@5",
        ),
        (
            "DELETE FROM migration_service.audit_entry WHERE id = (SELECT entry_id FROM migration_service.audit_chain WHERE position = 4)",
            "EntryMissing@4",
        ),
        (
            "WITH gone AS (DELETE FROM migration_service.audit_chain WHERE position = 4 RETURNING entry_id) DELETE FROM migration_service.audit_entry e USING gone WHERE e.id = gone.entry_id",
            "PositionMissing@4",
        ),
        (
            "WITH gone AS (DELETE FROM migration_service.audit_chain WHERE position >= 5 RETURNING entry_id) DELETE FROM migration_service.audit_entry e USING gone WHERE e.id = gone.entry_id",
            "HeadMissing@6",
        ),
        ("DELETE FROM migration_service.audit_chain; DELETE FROM migration_service.audit_entry", "HeadMissing@6"),
        (
            "ALTER TABLE migration_service.audit_chain DROP CONSTRAINT audit_chain_entry_id_key; UPDATE migration_service.audit_chain a SET entry_id = b.entry_id, digest = b.digest FROM migration_service.audit_chain b WHERE a.position + b.position = 9 AND a.position IN (4, 5)",
            "ChainBroken@4,ChainBroken@5",
        ),
        ("UPDATE migration_service.history SET up_sql = up_sql || ' '", "HistoryChanged@3"),
        ("DELETE FROM migration_service.history", "HistoryChanged@3"),
        ("ALTER EVENT TRIGGER migration_service_audit DISABLE", "TriggerDisabled"),
        ("ALTER EVENT TRIGGER migration_service_audit_drops ENABLE REPLICA", "TriggerDisabled"),
        ("DROP EVENT TRIGGER migration_service_audit_drops", "TriggerMissing"),
        (
            "DROP EVENT TRIGGER migration_service_audit; CREATE EVENT TRIGGER migration_service_audit ON ddl_command_end WHEN TAG IN ('COMMENT') EXECUTE FUNCTION migration_service.audit_ddl(); ALTER EVENT TRIGGER migration_service_audit ENABLE ALWAYS",
            "TriggerAltered",
        ),
        (
            "CREATE OR REPLACE FUNCTION migration_service.audit_ddl() RETURNS event_trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS 'BEGIN END'",
            "FunctionAltered,FunctionAltered",
        ),
        ("ALTER FUNCTION migration_service.audit_ddl() SECURITY INVOKER", "FunctionAltered,FunctionAltered"),
        ("CREATE RULE nothing AS ON INSERT TO migration_service.audit_entry DO INSTEAD NOTHING", "TableAltered"),
        ("GRANT INSERT ON migration_service.audit_entry TO PUBLIC", "TableAltered"),
        ("ALTER TABLE migration_service.audit_entry ADD CHECK (command <> 'DROP TABLE') NOT VALID", "TableAltered"),
        ("UPDATE migration_service.meta SET value = 'off' WHERE key = 'audit'", "Off"),
    ] {
        let w = watched().await;
        let session = w.db.session().await;
        for n in 1..=3 {
            sent(&session, &format!("CREATE TABLE alpha.t{n} ()")).await;
        }
        let before = verify(&w, &[]).await;
        let anchor = before.head.expect("a head");
        assert_eq!((before.findings.len(), anchor.position), (0, 6), "{:?}", before.findings);
        sent(&session, sql).await;
        let report = verify(&w, std::slice::from_ref(&anchor)).await;
        // What the triggers told of the tampering itself stands at the end and is no finding.
        let codes = found(&w, std::slice::from_ref(&anchor)).await.join(",");
        assert_eq!(codes, wanted, "{sql}: {report:#?}");
        assert!(report.findings.iter().all(|f| f.message.len() > 10));
    }
}

/// A run that is killed before it seals has written its history.
#[tokio::test]
async fn what_a_run_could_not_tell_the_log_is_told_by_the_next_seal() {
    let w = watched().await;
    assert_eq!(w.rollback(RollbackTo::Steps(1)).await, ["alpha/1"]);
    let told = log(&w).await;
    let session = w.db.session().await;
    sent(
        &session,
        "DELETE FROM migration_service.audit_chain; DELETE FROM migration_service.audit_entry WHERE event = 'migration'",
    )
    .await;
    let again = log(&w).await;
    let what = |entries: &[AuditEntry]| -> Vec<String> {
        let told = |e: &AuditEntry| format!("{} {} {} {:?} {}", e.at, e.command, e.acting_role, e.run_id, e.pid);
        entries.iter().map(told).collect()
    };
    assert_eq!(what(&again), what(&told));
    let transactions = |entries: &[AuditEntry]| entries.iter().map(|e| e.transaction.is_some()).collect::<Vec<_>>();
    assert_eq!((transactions(&told), transactions(&again)), (vec![true, true], vec![false, true]));
    assert_eq!(again[1].transaction, told[1].transaction);
    assert_eq!(found(&w, &[]).await, [] as [&str; 0]);
}

/// Whoever may do everything may also compute hashes. Then only what was written down elsewhere tells.
#[tokio::test]
async fn a_log_that_was_rewritten_as_a_whole_is_found_by_its_anchor() {
    let w = watched().await;
    let session = w.db.session().await;
    sent(&session, "CREATE TABLE alpha.secret ()").await;
    let anchor = verify(&w, &[]).await.head.unwrap();
    sent(
        &session,
        "DELETE FROM migration_service.audit_chain; UPDATE migration_service.audit_entry SET objects = '[]', statement = 'CREATE TABLE alpha.innocent ()' WHERE NOT via_service",
    )
    .await;
    assert_eq!(found(&w, &[]).await, [] as [&str; 0]);
    assert_eq!(found(&w, std::slice::from_ref(&anchor)).await, [format!("HeadDiffers@{}", anchor.position)]);
    // The head of another database says nothing about this one.
    let other = AuditHead { database: "1/1".to_owned(), ..anchor };
    assert_eq!(found(&w, &[other]).await, [] as [&str; 0]);
}

#[tokio::test]
async fn what_was_tampered_with_is_put_right_by_the_next_run_which_says_so() {
    let w = watched().await;
    sent(&w.db.session().await, "DROP EVENT TRIGGER migration_service_audit").await;
    w.project.migration("alpha/2_u", "CREATE TABLE alpha.u ();", "DROP TABLE alpha.u;");
    assert_eq!(w.run_ok().await, ["alpha/2"]);
    assert_eq!(found(&w, &[]).await, [] as [&str; 0]);
    let entries = w.engine().audit(&AuditFilter::default()).await.unwrap().entries;
    assert_eq!(entries.iter().filter(|e| e.event == "installation").count(), 2);
}

#[tokio::test]
async fn many_at_once_are_all_chained() {
    let w = watched().await;
    let busy = (0..8).map(|s| {
        let (db, engine) = (&w.db, w.engine());
        async move {
            let session = db.session().await;
            for n in 0..10 {
                sent(&session, &format!("CREATE TABLE alpha.c_{s}_{n} ()")).await;
                if n % 5 == 0 {
                    engine.seal_audit().await.unwrap();
                }
            }
        }
    });
    futures_util::future::join_all(busy).await;
    let report = verify(&w, &[]).await;
    assert!(report.findings.is_empty(), "{:#?}", report.findings);
    assert_eq!(report.checked, 83);
    assert_eq!(w.db.value("SELECT count(*) FROM migration_service.audit_entry").await.as_deref(), Some("83"));
}

#[tokio::test]
async fn a_transaction_that_was_left_open_blocks_nobody() {
    let w = watched().await;
    let idle = w.db.session().await;
    sent(&idle, "BEGIN; CREATE TABLE beta.open ()").await;
    until(
        &w.db,
        &format!("SELECT state = 'idle in transaction' FROM pg_stat_activity WHERE pid = {}", idle.backend_pid()),
    )
    .await;
    w.project.migration("alpha/2_u", "CREATE TABLE alpha.u ();", "DROP TABLE alpha.u;");
    assert_eq!(w.run_ok().await, ["alpha/2"]);
    let before = verify(&w, &[]).await;
    assert_eq!(before.findings, []);
    // It is chained when it comes, after what was sealed meanwhile.
    sent(&idle, "COMMIT").await;
    let after = verify(&w, &[before.head.clone().unwrap()]).await;
    assert_eq!((after.findings.len(), after.checked), (0, before.checked + 1));
}

/// Nobody's statement fails because it is watched.
#[tokio::test]
async fn an_audit_that_cannot_write_is_a_warning() {
    let w = watched().await;
    let session = w.db.session().await;
    sent(&session, "ALTER TABLE migration_service.audit_entry ADD CHECK (command <> 'CREATE SEQUENCE') NOT VALID")
        .await;
    sent(&session, "CREATE SEQUENCE alpha.s").await;
    sent(&session, "ALTER TABLE migration_service.audit_entry ALTER acting_role TYPE int USING 0").await;
    sent(&session, "CREATE TABLE alpha.fine ()").await;
    assert!(w.relations().await.contains(&"alpha.fine".to_owned()));
}

#[tokio::test]
async fn a_target_without_a_superuser_works_and_says_that_it_has_no_audit() {
    let w = World::new().await;
    w.project.migration("alpha/1_t", TABLE, "DROP TABLE alpha.t;");
    let name = format!("audited_{}", &w.db.name()[5..17]);
    w.db.value(&format!("CREATE ROLE {name} LOGIN PASSWORD 'pw' CREATEROLE")).await;
    w.db.value(&format!("ALTER DATABASE \"{}\" OWNER TO {name}", w.db.name())).await;
    let connect = w.db.connect().clone().with_user(&name).with_password("pw");
    let target = Target { environment: "development".to_owned(), connect, create_database: false };
    let engine = Engine::new(w.project.open(), target);
    let report = engine.prepare_run(crate::help::all(), w.context()).await.unwrap().execute().await;
    assert!(report.error.is_none(), "{:#?}", report.error);
    let off = engine.audit(&AuditFilter::default()).await.unwrap().off.unwrap();
    assert!(off.starts_with("audit is off: event triggers need a superuser"), "{off}");
    assert_eq!(engine.status().await.unwrap().audit_off, Some(off));
    let report = engine.verify_audit(&[]).await.unwrap();
    assert_eq!(report.findings.iter().map(|f| f.code).collect::<Vec<_>>(), [FindingCode::Off]);

    // A superuser does not write into what that user could replace by a trap.
    w.project.migration("alpha/2_u", "CREATE TABLE alpha.u ();", "DROP TABLE alpha.u;");
    assert_eq!(w.run_ok().await, ["alpha/2"]);
    let off = w.engine().audit(&AuditFilter::default()).await.unwrap().off.unwrap();
    assert!(off.contains("schema migration_service belongs to") && off.contains(&name), "{off}");
    w.db.value("ALTER SCHEMA migration_service OWNER TO CURRENT_USER").await;
    w.project.migration("alpha/3_v", "CREATE TABLE alpha.v ();", "DROP TABLE alpha.v;");
    assert_eq!(w.run_ok().await, ["alpha/3"]);
    assert_eq!(w.engine().status().await.unwrap().audit_off, None);
    assert_eq!(found(&w, &[]).await, [] as [&str; 0]);
}

#[tokio::test]
async fn the_log_is_filtered_and_paged() {
    let w = watched().await;
    let session = w.db.session().await;
    sent(&session, "CREATE TABLE beta.a ()").await;
    sent(&session, "CREATE VIEW gamma.b AS SELECT 1").await;
    let commands = async |filter: AuditFilter| -> Vec<String> {
        w.engine().audit(&filter).await.unwrap().entries.into_iter().map(|e| e.command).collect()
    };
    let schemas = |names: &[&str]| Some(names.iter().map(|&n| n.to_owned()).collect());
    let all = AuditFilter::default();
    assert_eq!(commands(AuditFilter { schemas: schemas(&["beta"]), ..all.clone() }).await, ["CREATE TABLE"]);
    assert_eq!(commands(AuditFilter { schemas: schemas(&["alpha"]), ..all.clone() }).await, ["MIGRATE"]);
    assert!(commands(AuditFilter { schemas: schemas(&[]), ..all.clone() }).await.is_empty());
    assert_eq!(commands(AuditFilter { command: Some("create view".to_owned()), ..all.clone() }).await, ["CREATE VIEW"]);
    assert_eq!(
        commands(AuditFilter { via_service: Some(false), ..all.clone() }).await,
        ["CREATE VIEW", "CREATE TABLE"]
    );
    assert!(commands(AuditFilter { role: Some("nobody".to_owned()), ..all.clone() }).await.is_empty());
    let page = w.engine().audit(&AuditFilter { limit: 1, ..all.clone() }).await.unwrap().entries;
    let next = AuditFilter { limit: 1, before: Some(page[0].id), ..all.clone() };
    assert_eq!(commands(next).await, ["CREATE TABLE"]);
    let at = page[0].at;
    assert_eq!(commands(AuditFilter { since: Some(at), ..all.clone() }).await, ["CREATE VIEW"]);
    assert_eq!(commands(AuditFilter { until: Some(at), via_service: Some(false), ..all }).await, ["CREATE TABLE"]);
}
