//! The platform's own migrations, as every service and every deployment meets them.

use std::sync::Arc;

use migration_engine::request::{RollbackRequest, RollbackTo, RunContext, RunRequest, Scope};
use migration_engine::{Engine, EventSink, Target};
use testkit::{TestDb, platform_project, server};

const SCHEMAS: &str = "('public', 'auth', 'organizations', 'users', 'academic', 'files', 'plans', 'chat', 'analytics')";

fn engine(db: &TestDb) -> Engine {
    let target =
        Target { environment: "development".to_owned(), connect: db.connect().clone(), create_database: false };
    Engine::new(platform_project(), target)
}

fn context() -> RunContext {
    RunContext {
        run_id: uuid::Uuid::new_v4(),
        actor: "a test".to_owned(),
        events: EventSink::none(),
        cancel: tokio_util::sync::CancellationToken::new(),
        wait_for_lock: std::time::Duration::ZERO,
    }
}

/// Every object of the platform's schemas with everything that can be said of it. Names, not numbers: two databases
/// with the same schema give the same lines.
const CATALOG: &str = include_str!("platform/catalog.sql");

#[tokio::test]
async fn every_migration_goes_up_down_and_up_again_to_the_identical_catalog() {
    let db = server().empty_database().await;
    let engine = engine(&db);
    let all = RunRequest { scope: Scope::All, to: None, dry_run: false, overrides: Vec::new() };
    let plan = engine.plan(&Scope::All, false).await.unwrap();
    assert!(plan.migrations.len() >= 42, "{}", plan.migrations.len());
    // Roles, schemas and default privileges stand before the first migration and stay.
    let first = &plan.migrations[0].migration;
    let mut before: Option<Vec<String>> = None;
    for planned in &plan.migrations {
        let to = RunRequest { to: Some(planned.migration.clone()), ..all.clone() };
        let up = || async {
            let report = engine.prepare_run(to.clone(), context()).await.unwrap().execute().await;
            assert!(report.error.is_none(), "{:#?}", report.error);
            assert_eq!(report.done, std::slice::from_ref(&planned.migration), "one at a time");
            db.rows(CATALOG).await
        };
        let down = || async {
            let request = RollbackRequest {
                scope: Scope::All,
                to: RollbackTo::Migration(planned.migration.clone()),
                dry_run: false,
            };
            let report = engine.prepare_rollback(request, context()).await.unwrap().execute().await;
            assert!(report.error.is_none(), "{:#?}", report.error);
            db.rows(CATALOG).await
        };
        let after = up().await;
        let back = down().await;
        if planned.migration != *first {
            assert_same(&back, before.as_ref().unwrap(), &format!("{} down", planned.migration));
        }
        let again = up().await;
        assert_same(&again, &after, &format!("{} up again", planned.migration));
        assert_ne!(after, back, "{} changes nothing that the catalog query sees", planned.migration);
        before = Some(after);
    }
}

fn assert_same(actual: &[String], expected: &[String], what: &str) {
    let missing: Vec<_> = expected.iter().filter(|line| !actual.contains(line)).collect();
    let extra: Vec<_> = actual.iter().filter(|line| !expected.contains(line)).collect();
    assert!(missing.is_empty() && extra.is_empty(), "{what}: missing {missing:#?}, extra {extra:#?}");
}

#[tokio::test]
async fn the_schema_is_the_design() {
    let db = server().platform_database().await;
    let tables = db
        .rows(&format!("SELECT schemaname || '.' || tablename FROM pg_tables WHERE schemaname IN {SCHEMAS} AND schemaname <> 'public' ORDER BY 1"))
        .await;
    let design = [
        "academic.course_subjects",
        "academic.courses",
        "academic.subjects",
        "academic.teacher_courses",
        "analytics.academic_metrics",
        "analytics.plan_metrics",
        "analytics.user_metrics",
        "auth.password_resets",
        "auth.sessions",
        "auth.users",
        "chat.chat_files",
        "chat.chat_messages",
        "chat.chat_sessions",
        "files.file_metadata",
        "files.file_permissions",
        "files.files",
        "organizations.organization_configs",
        "organizations.organizations",
        "plans.plan_files",
        "plans.plan_jobs",
        "plans.plan_results",
        "plans.plans",
        "users.user_preferences",
        "users.user_profiles",
        "users.user_roles",
    ];
    let later = [
        "academic.enrolments",
        "auth.email_verifications",
        "auth.errands",
        "auth.limits",
        "auth.sign_in_events",
        "auth.signing_keys",
        "users.guardianships",
        "users.members",
    ];
    assert_eq!(design.len(), 25);
    let mut expected: Vec<&str> = design.iter().chain(&later).copied().collect();
    expected.sort_unstable();
    assert_eq!(tables, expected);
}

/// Each query lists offenders; there must be none.
#[tokio::test]
async fn every_table_keeps_the_house_rules() {
    let db = server().platform_database().await;
    let rules = [
        ("a table without a comment", format!("SELECT c.oid::regclass FROM pg_class c WHERE c.relkind IN ('r', 'p') AND c.relnamespace::regnamespace::text IN {SCHEMAS} AND obj_description(c.oid, 'pg_class') IS NULL")),
        ("a column without a comment", format!("SELECT a.attrelid::regclass, a.attname FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid WHERE c.relkind IN ('r', 'p') AND c.relnamespace::regnamespace::text IN {SCHEMAS} AND a.attnum > 0 AND NOT a.attisdropped AND col_description(c.oid, a.attnum) IS NULL")),
        ("row level security not enabled and forced", format!("SELECT c.oid::regclass FROM pg_class c WHERE c.relkind IN ('r', 'p') AND c.relnamespace::regnamespace::text IN {SCHEMAS} AND NOT (c.relrowsecurity AND c.relforcerowsecurity)")),
        ("a policy for everybody", format!("SELECT tablename, policyname FROM pg_policies WHERE schemaname IN {SCHEMAS} AND 'public' = ANY (roles)")),
        ("an update policy that does not check what is written", format!("SELECT tablename, policyname FROM pg_policies WHERE schemaname IN {SCHEMAS} AND cmd IN ('UPDATE', 'ALL') AND (qual IS NULL OR with_check IS NULL)")),
        ("a foreign key without an index", format!(
            "SELECT k.conrelid::regclass, k.conname FROM pg_constraint k WHERE k.contype = 'f' AND k.connamespace::regnamespace::text IN {SCHEMAS} \
             AND NOT EXISTS (SELECT 1 FROM pg_index i WHERE i.indrelid = k.conrelid AND i.indkey[0] = k.conkey[1] AND i.indpred IS NULL)")),
        ("an index that repeats the beginning of a unique one", format!(
            "SELECT i.indexrelid::regclass, u.indexrelid::regclass FROM pg_index i JOIN pg_index u ON u.indrelid = i.indrelid AND u.indexrelid <> i.indexrelid AND u.indisunique \
             JOIN pg_class c ON c.oid = i.indrelid WHERE c.relnamespace::regnamespace::text IN {SCHEMAS} AND NOT i.indisunique AND i.indpred IS NULL AND u.indpred IS NULL \
             AND i.indexprs IS NULL AND u.indexprs IS NULL AND (u.indkey::text || ' ') LIKE (i.indkey::text || ' %')")),
        ("an index without a comment that names its query", format!(
            "SELECT i.indexrelid::regclass FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid WHERE c.relnamespace::regnamespace::text IN {SCHEMAS} \
             AND NOT EXISTS (SELECT 1 FROM pg_constraint k WHERE k.conindid = i.indexrelid AND k.contype IN ('p', 'u')) AND obj_description(i.indexrelid, 'pg_class') IS NULL")),
        ("a table that its service's owner does not own", format!("SELECT schemaname, tablename, tableowner FROM pg_tables WHERE schemaname IN {SCHEMAS} AND tableowner <> CASE schemaname WHEN 'public' THEN 'platform_owner' ELSE schemaname || '_owner' END")),
        ("updated_at without its trigger", format!(
            "SELECT a.attrelid::regclass FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid WHERE c.relkind = 'r' AND a.attname = 'updated_at' AND NOT a.attisdropped \
             AND c.relnamespace::regnamespace::text IN {SCHEMAS} AND NOT EXISTS (SELECT 1 FROM pg_trigger t WHERE t.tgrelid = c.oid AND t.tgfoid = 'public.set_updated_at'::regproc)")),
        ("a right for signed-in users that no policy guards or that reaches past rows", format!(
            "SELECT table_schema, table_name, privilege_type FROM information_schema.role_table_grants WHERE grantee = 'app_user' AND table_schema IN {SCHEMAS} AND privilege_type IN ('TRUNCATE', 'REFERENCES', 'TRIGGER')")),
        ("a runtime role that could do more than its service", "SELECT rolname FROM pg_roles WHERE (rolname LIKE '%\\_service' OR rolname = 'app_user') AND (rolsuper OR rolbypassrls OR rolcreaterole OR rolcreatedb OR rolinherit AND rolname <> 'app_user')".to_owned()),
        ("a runtime role that can become an owner", "SELECT m.member::regrole FROM pg_auth_members m WHERE m.roleid::regrole::text LIKE '%\\_owner' AND m.member::regrole::text LIKE '%\\_service'".to_owned()),
    ];
    for (rule, query) in &rules {
        let offenders = db.rows(query).await;
        assert!(offenders.is_empty(), "{rule}: {offenders:#?}");
    }
}

/// One line per table with a hash of its rows, `∅` where it has none.
async fn content(db: &TestDb) -> Vec<String> {
    let tables =
        format!("SELECT schemaname || '.' || tablename FROM pg_tables WHERE schemaname IN {SCHEMAS} ORDER BY 1");
    let mut lines = Vec::new();
    for table in db.rows(&tables).await {
        let hash = db.value(&format!("SELECT md5(string_agg(t::text, chr(10) ORDER BY t::text)) FROM {table} t")).await;
        lines.push(format!("{table} {}", hash.as_deref().unwrap_or("∅")));
    }
    lines
}

#[tokio::test]
async fn seeds_can_be_run_again_without_changing_a_row() {
    let db = server().platform_database().await;
    let before = content(&db).await;
    let report = engine(&db).seed(&Scope::All, context()).await.unwrap();
    assert_eq!(report.applied.len(), 11);
    assert_eq!(content(&db).await, before);
    // The seeds leave no table of the nine schemas empty.
    let empty: Vec<_> = before.iter().filter(|line| line.ends_with('∅')).collect();
    assert_eq!((before.len(), empty.len()), (35, 0), "{before:#?}");
}

#[tokio::test]
async fn a_database_is_cloned_with_everything_in_it() {
    let db = server().platform_database().await;
    let project: Arc<_> = platform_project();
    let status = engine(&db).status().await.unwrap();
    assert!(status.prepared);
    let applied: usize =
        status.services.iter().map(|s| s.count(&[migration_engine::status::MigrationState::Applied])).sum();
    assert_eq!(applied, project.migrations().len());
}
