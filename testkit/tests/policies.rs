//! Security check 23: every table that a service or a signed-in person may touch is under forced policies, one at least for each
//! command that they were granted. That each policy is needed and restricts is for migration-engine's `rls` to show.

use testkit::server;

/// Tables of the platform's schemas.
const TABLES: &str = "\
    SELECT c.oid, c.relnamespace::regnamespace || '.' || c.relname AS name, c.relrowsecurity AND c.relforcerowsecurity AS is_forced \
    FROM pg_class c WHERE c.relkind IN ('r', 'p') \
        AND c.relnamespace::regnamespace::text NOT IN ('pg_catalog', 'information_schema', 'migration_service') \
        AND c.relnamespace::regnamespace::text !~ '^pg_(toast|temp)'";

#[tokio::test(flavor = "multi_thread")]
async fn check_23_every_table_is_under_forced_policies_for_each_command_that_is_granted() {
    let db = server().platform_database().await;
    let count = db.value(&format!("SELECT count(*) FROM ({TABLES}) t")).await.expect("a number");
    assert!(count.parse::<u32>().is_ok_and(|count| count > 30), "{count} tables were looked at");
    let open = db.rows(&format!("SELECT name FROM ({TABLES}) t WHERE NOT is_forced ORDER BY 1")).await;
    assert_eq!(open, [""; 0], "without enabled and forced row level security");
    let granted = format!(
        "SELECT r.rolname, lower(g.command), t.name FROM ({TABLES}) t \
         CROSS JOIN pg_roles r CROSS JOIN (VALUES ('SELECT', 'r'), ('INSERT', 'a'), ('UPDATE', 'w'), ('DELETE', 'd')) g(command, letter) \
         WHERE (r.rolname = 'app_user' OR r.rolname IN ('auth_service', 'users_service', 'organizations_service')) \
             AND (has_table_privilege(r.oid, t.oid, g.command) \
                 OR (g.letter <> 'd' AND has_any_column_privilege(r.oid, t.oid, g.command))) \
             AND NOT EXISTS (SELECT FROM pg_policy p WHERE p.polrelid = t.oid AND p.polpermissive AND p.polcmd IN ('*', g.letter::\"char\") \
                 AND (0 = ANY (p.polroles) OR r.oid = ANY (p.polroles))) \
         ORDER BY 1, 3, 2"
    );
    assert_eq!(db.rows(&granted).await, [""; 0], "granted, and allowed by no policy: role|command|table");
    let emptied = format!(
        "SELECT r.rolname, t.name FROM ({TABLES}) t CROSS JOIN pg_roles r \
         WHERE (r.rolname = 'app_user' OR r.rolname IN ('auth_service', 'users_service', 'organizations_service')) \
             AND has_table_privilege(r.oid, t.oid, 'TRUNCATE') ORDER BY 1, 2"
    );
    assert_eq!(db.rows(&emptied).await, [""; 0], "TRUNCATE asks no policy");
}
