//! Security checks 22 and 43: what the role that services sign in as could do beyond serving requests.

use postgres_link::tenant::{CheckError, TxError, check_login};
use testkit::platform_project;

use super::world::{World, sees_its_own};

/// The one error about a role, after something was done to it, as the superuser.
async fn complaint(world: &World, done: &str) -> String {
    world.run(&done.replace("LOGIN_ROLE", &world.login.0)).await;
    let error = world.pool(|_| {}).verify().await.expect_err(done);
    assert!(matches!(error, TxError::Unfit(_)), "{error}");
    let text = error.to_string().replace(&world.login.0, "LOGIN_ROLE");
    assert!(text.contains("must not sign in to the database as LOGIN_ROLE"), "{text}");
    text
}

#[tokio::test]
async fn checks_22_and_43_a_login_role_that_could_do_more_than_serve_requests_is_refused_with_the_cure() {
    let world = World::new().await;
    world.pool(|_| {}).verify().await.expect("as migrating makes it");
    let cases = [
        (
            "ALTER ROLE LOGIN_ROLE SUPERUSER",
            "LOGIN_ROLE is a superuser (cure: ALTER ROLE LOGIN_ROLE NOSUPERUSER)",
            "ALTER ROLE LOGIN_ROLE NOSUPERUSER",
        ),
        (
            "ALTER ROLE LOGIN_ROLE BYPASSRLS",
            "LOGIN_ROLE bypasses row level security (cure: ALTER ROLE LOGIN_ROLE NOBYPASSRLS)",
            "ALTER ROLE LOGIN_ROLE NOBYPASSRLS",
        ),
        (
            "ALTER ROLE LOGIN_ROLE CREATEROLE",
            "(cure: ALTER ROLE LOGIN_ROLE NOCREATEROLE)",
            "ALTER ROLE LOGIN_ROLE NOCREATEROLE",
        ),
        (
            "ALTER ROLE LOGIN_ROLE REPLICATION",
            "(cure: ALTER ROLE LOGIN_ROLE NOREPLICATION)",
            "ALTER ROLE LOGIN_ROLE NOREPLICATION",
        ),
        (
            "ALTER ROLE LOGIN_ROLE INHERIT",
            "LOGIN_ROLE inherits what its roles may do (cure: ALTER ROLE LOGIN_ROLE NOINHERIT)",
            "ALTER ROLE LOGIN_ROLE NOINHERIT",
        ),
        (
            "CREATE TABLE public.own (); ALTER TABLE public.own OWNER TO LOGIN_ROLE",
            "LOGIN_ROLE owns table public.own",
            "DROP TABLE public.own",
        ),
        (
            "GRANT TRUNCATE ON organizations.organizations TO LOGIN_ROLE",
            "(cure: REVOKE TRUNCATE ON organizations.organizations FROM LOGIN_ROLE)",
            "REVOKE TRUNCATE ON organizations.organizations FROM LOGIN_ROLE",
        ),
        (
            "GRANT TRUNCATE ON organizations.organizations TO app_user",
            "app_user may empty organizations.organizations past every policy",
            "REVOKE TRUNCATE ON organizations.organizations FROM app_user",
        ),
        (
            "GRANT organizations_owner TO LOGIN_ROLE",
            "LOGIN_ROLE may become organizations_owner, which owns",
            "REVOKE organizations_owner FROM LOGIN_ROLE",
        ),
        (
            "GRANT pg_write_all_data TO LOGIN_ROLE",
            "LOGIN_ROLE may become pg_write_all_data, which is one of the server's own roles",
            "REVOKE pg_write_all_data FROM LOGIN_ROLE",
        ),
        (
            "REVOKE app_user FROM LOGIN_ROLE",
            "LOGIN_ROLE may not become app_user (cure: GRANT app_user TO LOGIN_ROLE)",
            "GRANT app_user TO LOGIN_ROLE",
        ),
    ];
    for (done, said, cure) in cases {
        let text = complaint(&world, done).await;
        assert!(text.contains(said), "{done}\n{text}");
        assert_eq!(text.matches("(cure:").count(), 1, "one fault is one fault: {text}");
        world.run(&cure.replace("LOGIN_ROLE", &world.login.0)).await;
        world.pool(|_| {}).verify().await.expect(cure);
    }
    let text = complaint(&world, "ALTER ROLE LOGIN_ROLE BYPASSRLS INHERIT").await;
    assert_eq!(text.matches("(cure:").count(), 2, "all at once: {text}");
}

#[tokio::test]
async fn check_22_an_unfit_role_serves_nobody_also_where_nobody_asked_before() {
    let world = World::with_role("NOINHERIT BYPASSRLS").await;
    let pool = world.pool(|_| {});
    let error = sees_its_own(&pool, 0, "first").await.expect_err("it would see everything");
    assert!(matches!(error, TxError::Unfit(_)), "{error}");
    // Once it is cured the service goes on by itself.
    world.run(&format!("ALTER ROLE {} NOBYPASSRLS", world.login.0)).await;
    sees_its_own(&pool, 0, "second").await.expect("a session");
}

#[tokio::test]
async fn check_22_the_catalogues_own_roles_are_fit() {
    let db = testkit::server().platform_database().await;
    let session = db.session().await;
    let mut checked = 0;
    for (name, service) in &platform_project().catalogue.services {
        if !service.member_of.contains(&"app_user".to_owned()) {
            continue;
        }
        let login = service.runtime_role().expect("a role");
        check_login(&session, &login, "app_user").await.unwrap_or_else(|error| panic!("{name}: {error}"));
        checked += 1;
    }
    assert_eq!(checked, 8);
    let error = check_login(&session, "organizations_service", "no_such_role").await.expect_err("no role");
    assert!(matches!(&error, CheckError::Unfit(unfit) if unfit.faults[0].1.contains("profe migrate run")), "{error}");
}
