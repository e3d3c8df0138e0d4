//! Claims and role end with the transaction; without readable claims there is nothing to see.
//!
//! What row level security does not defend against: somebody who can run SQL of their own in a service's session can
//! write other claims and `reset role` to the service's. That is why endpoints bind parameters and take no SQL. The
//! last test holds the line behind it: the service's role reaches its own schema and can become nobody else.

use postgres_link::AdminConn;
use testkit::{TestDb, server};

use crate::matrix::{TABLES, run};
use crate::people::{Actor, spell_out};

/// Tables of which signed-in users may read something, but not everybody everything.
fn guarded() -> impl Iterator<Item = &'static str> {
    const CLOSED: [&str; 5] =
        ["auth.password_resets", "auth.email_verifications", "auth.signing_keys", "auth.limits", "auth.errands"];
    TABLES.iter().map(|(table, ..)| *table).filter(|table| *table != "public.roles" && !CLOSED.contains(table))
}

/// How many rows of all guarded tables `app_user` sees, with claims as they are.
fn visible() -> String {
    let counts: Vec<_> = guarded().map(|table| format!("(select count(*) from {table})")).collect();
    format!("set local role app_user; select {}", counts.join(" + "))
}

async fn number(session: &AdminConn, sql: &str) -> u64 {
    let outcome = run(session, sql).await;
    let counts = outcome.statements.iter().rev().find_map(|statement| statement.rows.first());
    counts.and_then(|row| row[0].as_ref()?.parse().ok()).expect("a number")
}

#[tokio::test]
async fn claims_never_leak() {
    let db = server().platform_database().await;
    let admin = Actor::named("admin 1.1").sign_in();

    // A session that never had claims: the setting is NULL there, and empty ever after.
    let session = db.session().await;
    assert_eq!(number(&session, &format!("begin; {}; rollback", visible())).await, 0);
    let state = "select coalesce(current_setting('request.jwt.claims', true), '') = '' and current_user = session_user";

    let with_claims = number(&session, &format!("begin; {admin}; {}; rollback", visible())).await;
    assert!(with_claims > 100, "an admin sees the school, not {with_claims} rows");
    for end in ["commit", "rollback", "select 1 / 0; commit"] {
        let signed_in = format!("begin; {admin}; select count(*) from plans.plans; {end}");
        if session.batch(&signed_in).await.is_err() {
            run(&session, "rollback").await;
        }
        assert_eq!(run(&session, state).await.value(0, 0), Some("t"), "after {end}");
        assert_eq!(number(&session, &format!("begin; {}; rollback", visible())).await, 0, "after {end}");
    }

    // Without a transaction they do not reach the next message.
    run(&session, &admin).await;
    assert_eq!(run(&session, state).await.value(0, 0), Some("t"));
    // Undone with a savepoint.
    let nested = format!("begin; savepoint a; {admin}; rollback to a; {}; rollback", visible());
    assert_eq!(number(&session, &nested).await, 0);
    // Neither in another session of the pool while they are in force here.
    run(&session, &format!("begin; {admin}")).await;
    let other = db.session().await;
    assert_eq!(number(&other, &format!("begin; {}; rollback", visible())).await, 0);
    run(&session, "rollback").await;
}

#[tokio::test]
async fn unreadable_claims_show_nothing() {
    let db = server().platform_database().await;
    let session = db.session().await;
    let silent = ["", "null", "[]", "{}", "7", "\"admin\"", r#"["admin"]"#, r#"{"sub": "", "org": "", "role": ""}"#];
    let silent = silent.into_iter().chain([
        r#"{"sub": null, "org": null, "role": "admin"}"#,
        r#"{"role": "admin"}"#,
        r#"{"SUB": "'user 1.1'", "ORG": "'school 1.1'", "ROLE": "admin"}"#,
        r#"{"claims": {"sub": "'user 1.1'", "org": "'school 1.1'", "role": "admin"}}"#,
    ]);
    for claims in silent {
        let claims = spell_out(claims).replace('\'', "");
        let visible =
            format!("begin; select set_config('request.jwt.claims', '{claims}', true); {}; rollback", visible());
        assert_eq!(number(&session, &visible).await, 0, "{claims}");
    }
    let garbage =
        ["{not json", "admin", "{\"sub\": }", r#"{"sub": "x", "org": "x", "role": "admin"}"#, r#"{"sub": 1}"#];
    for claims in garbage {
        let mut refused = 0;
        for table in guarded() {
            let sql = format!(
                "begin; select set_config('request.jwt.claims', '{claims}', true), set_config('role', 'app_user', true); \
                 select 1 from {table}"
            );
            match session.batch(&sql).await {
                Ok(outcome) => assert_eq!(outcome.statements[2].rows.len(), 0, "{claims}: {table}"),
                Err(error) => {
                    assert_eq!(error.sqlstate(), Some("22P02"), "{claims}: {table}: {error}");
                    refused += 1;
                }
            }
            run(&session, "rollback").await;
        }
        assert!(refused > 0, "{claims} should not pass in silence");
    }
}

/// A session that the server takes for the service's own.
async fn session_of(db: &TestDb, role: &str) -> AdminConn {
    let session = db.session().await;
    run(&session, &format!("set session authorization {role}")).await;
    session
}

#[tokio::test]
async fn a_service_can_become_nobody_but_a_user() {
    let db = server().platform_database().await;
    let services = db
        .rows(
            "select rolname from pg_roles
             where rolname ~ '^(platform|auth|organizations|users|academic|files|plans|chat|analytics)_service$'
             order by 1",
        )
        .await;
    assert_eq!(services.len(), 9);
    let superuser = db.value("select current_user").await.expect("a name");
    for service in &services {
        let session = session_of(&db, service).await;
        let schema = service.trim_end_matches("_service").replace("platform", "public");
        let owner = service.replace("_service", "_owner");
        let others = services
            .iter()
            .filter(|other| *other != service)
            .flat_map(|other| [other.clone(), other.replace("_service", "_owner")]);
        for role in others.chain([owner, superuser.clone()]) {
            let refused = session.batch(&format!("set role {role}")).await.expect_err(&format!("{service} as {role}"));
            assert_eq!(refused.sqlstate(), Some("42501"), "{service} as {role}");
        }
        for (table, ..) in TABLES {
            // Reads of its own schema; of any other nothing, claims or not.
            let read = session.batch(&format!("select 1 from {table}")).await;
            if table.split('.').next() == Some(&schema) {
                assert!(read.is_ok_and(|outcome| !outcome.statements[0].rows.is_empty()), "{service}: {table}");
            } else {
                assert_eq!(read.expect_err(table).sqlstate(), Some("42501"), "{service}: {table}");
            }
        }
    }
}

/// Reading and writing, by a service or an owner, in a schema that is not its own: what no other test would notice, for
/// want of a policy or of the right to the schema, still is a grant too many.
#[tokio::test]
async fn no_service_holds_a_grant_in_anothers_schema() {
    let db = server().platform_database().await;
    let tables = TABLES.map(|(table, ..)| format!("('{table}')")).join(", ");
    let granted = db
        .rows(&format!(
            "select r.rolname, t.name, p.privilege
             from pg_roles r
             cross join (values {tables}) as t (name)
             cross join (values ('select'), ('insert'), ('update'), ('delete'), ('truncate'), ('trigger')) as p (privilege)
             where r.rolname ~ '^(platform|auth|organizations|users|academic|files|plans|chat|analytics)_(owner|service)$'
               and split_part(r.rolname, '_', 1) <> replace(split_part(t.name, '.', 1), 'public', 'platform')
               and (has_table_privilege(r.oid, t.name, p.privilege)
                   or p.privilege in ('select', 'insert', 'update') and has_any_column_privilege(r.oid, t.name, p.privilege))"
        ))
        .await;
    assert_eq!(granted, Vec::<String>::new());
}

/// What an injected statement could do in a user's transaction, and where that ends.
#[tokio::test]
async fn leaving_the_users_role_ends_at_the_service() {
    let db = server().platform_database().await;
    let session = session_of(&db, "plans_service").await;
    let student = Actor::named("student 1.21").sign_in();
    for escape in ["reset role", "set role none", "set local role none"] {
        let outcome =
            session.batch(&format!("begin; {student}; {escape}; select session_user, current_user; rollback")).await;
        let outcome = outcome.unwrap_or_else(|error| panic!("{escape}: {error}"));
        assert_eq!(outcome.value(3, 0), Some("plans_service"), "{escape}");
        assert_eq!(outcome.value(3, 1), Some("plans_service"), "{escape}");
    }
    for refused in [
        // A user who turns row level security off is told, and sees nothing.
        "set local row_security = off; select 1 from plans.plans",
        "set local session_replication_role = replica",
        "alter table plans.plans disable row level security",
        "alter table plans.plans no force row level security",
        "create policy mine on plans.plans using (true)",
        "drop policy teacher_select on plans.plans",
        "alter role app_user bypassrls",
        "create view plans.all_plans as select * from plans.plans",
        "create function plans.mine() returns int language sql security definer return 1",
        "create table public.mine (id int)",
        "truncate plans.plans cascade",
        "copy auth.users to stdout",
    ] {
        let error = session.batch(&format!("begin; {student}; {refused}")).await.expect_err(refused);
        assert_eq!(error.sqlstate(), Some("42501"), "{refused}: {error}");
        run(&session, "rollback").await;
    }
}
