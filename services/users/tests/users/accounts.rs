//! What the database's functions refuse to whom, beneath the service.

use testkit::people::ADMIN;

use crate::world::{World, id};

/// The functions that reach accounts ask who signed in to the database: other services may call schema auth, too.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn check_21_functions_that_reach_accounts_are_for_the_services_that_write_people() {
    let world = World::start().await;
    let claims = format!("{{\"sub\":\"{}\",\"org\":\"{}\",\"role\":\"admin\"}}", ADMIN.id, ADMIN.school);
    for (role, statement, is_refused) in [
        ("plans_service", format!("SELECT * FROM auth.account('{}')", id(21)), true),
        ("plans_service", "SELECT auth.open_account('x@escuela.example')".to_owned(), true),
        ("plans_service", format!("SELECT auth.begin_reset('{}', 'x')", id(21)), true),
        ("plans_service", "SELECT * FROM users.accept_invitation('x', 'y')".to_owned(), true),
        ("auth_service", format!("SELECT auth.begin_reset('{}', 'x')", id(21)), true),
        ("users_service", "SELECT auth.open_account('x@escuela.example')".to_owned(), false),
        ("users_service", format!("SELECT * FROM auth.account('{}')", id(21)), false),
    ] {
        let session = world.platform.db.session().await;
        let sql = format!(
            "BEGIN; SET SESSION AUTHORIZATION {role}; SELECT set_config('request.jwt.claims', '{claims}', true); {statement}; ROLLBACK"
        );
        let result = session.batch(&sql).await;
        assert_eq!(result.is_err(), is_refused, "{role}: {statement}: {result:?}");
    }
}

/// Nothing of an account can be reached by somebody who is no administrator now.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_functions_for_administrators_refuse_all_others() {
    let world = World::start().await;
    let student = format!("{{\"sub\":\"{}\",\"org\":\"{}\",\"role\":\"admin\"}}", id(21), ADMIN.school);
    let school = ADMIN.school;
    for statement in [
        "SELECT users.admit_people('[]', true)".to_owned(),
        format!("SELECT users.set_member_enabled('{}', false)", id(22)),
        format!("SELECT users.remove_member('{}')", id(22)),
        format!("SELECT users.restore_member('{}')", id(22)),
        format!("SELECT users.give_role('{}', 'admin')", id(21)),
        format!("SELECT users.take_role('{}', '{}')", id(22), id(22)),
        format!("SELECT users.write_member('{}', '{{}}', NULL)", id(22)),
        format!("SELECT users.call_again('{}')", id(22)),
        format!("SELECT users.withdraw_invitation('{}')", id(22)),
        format!("SELECT users.hold_roles('{school}', '{}', '{{admin}}', '{{}}')", id(21)),
        format!("SELECT users.let_in('{school}', '{}', false)", id(22)),
        format!("SELECT users.write_names('{school}', '{}', '{{}}')", id(22)),
    ] {
        let session = world.platform.db.session().await;
        let sql = format!(
            "BEGIN; SET SESSION AUTHORIZATION users_service; \
             SELECT set_config('request.jwt.claims', '{student}', true), set_config('role', 'app_user', true); {statement}; ROLLBACK"
        );
        let error = session.batch(&sql).await.expect_err(&statement).to_string();
        assert!(error.contains("administrators") || error.contains("permission denied"), "{statement}: {error}");
    }
}
