//! What changes while a password is looked at: whoever signs in gets what is true at the end, not what was at the beginning.

use serde_json::json;
use testkit::people::{OTHER_ADMIN, PASSWORD, TEACHER};

use crate::world::{SignedIn, World, until};

const NEW: &str = "lluvia en la montaña";

/// So many sign-ins have looked at the password and wait for whoever holds the account.
async fn waiting(world: &World, sign_ins: usize) {
    let locks = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
    until(async || world.value(locks).await == sign_ins.to_string()).await;
}

/// Of sign-ins of this test: the seeds have one of the teacher, too.
async fn live_sessions(world: &World) -> String {
    world
        .value(&format!(
            "SELECT count(*) FROM auth.sessions WHERE user_id = '{}' AND is_active AND address = '192.0.2.1'",
            TEACHER.id
        ))
        .await
}

/// Signs the teacher in while `change` is under way, which is kept when the sign-in has come to the account: its status, and the
/// outcome that stands last in the audit.
async fn meanwhile(world: &World, change: &str, password: &str) -> (u16, String) {
    let holder = world.platform.db.session().await;
    holder.batch(&format!("BEGIN; {change}")).await.expect("the account is held");
    let keep = async {
        waiting(world, 1).await;
        holder.batch("COMMIT").await.expect("it is kept");
    };
    let (seen, ()) = tokio::join!(world.login_from("192.0.2.1", TEACHER.email, password), keep);
    let last = "SELECT outcome FROM auth.sign_in_events ORDER BY created_at DESC LIMIT 1";
    (seen.status, world.value(last).await)
}

#[tokio::test(flavor = "multi_thread")]
async fn check_14_who_is_blocked_while_their_password_is_looked_at_is_not_signed_in() {
    let world = World::start().await;
    let blocked = format!("UPDATE auth.users SET is_active = false WHERE id = '{}'", TEACHER.id);
    assert_eq!(meanwhile(&world, &blocked, PASSWORD).await, (401, "blocked".to_owned()));
    assert_eq!(live_sessions(&world).await, "0");
}

#[tokio::test(flavor = "multi_thread")]
async fn check_6_an_old_password_begins_no_session_beside_its_change() {
    let world = World::start().await;
    let hash = bcrypt::hash(NEW, 10).expect("a hash");
    let changed = format!("UPDATE auth.users SET password_hash = '{hash}' WHERE id = '{}'", TEACHER.id);
    assert_eq!(meanwhile(&world, &changed, PASSWORD).await, (401, "wrong_password".to_owned()));
    assert_eq!(live_sessions(&world).await, "0");
    // The same password under another hash is the right one.
    let hash = bcrypt::hash(NEW, 10).expect("a hash");
    let again = format!("UPDATE auth.users SET password_hash = '{hash}' WHERE id = '{}'", TEACHER.id);
    assert_eq!(meanwhile(&world, &again, NEW).await, (200, "signed_in".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn two_at_once_with_an_imported_password_both_sign_in() {
    let world = World::start().await;
    let hash = bcrypt::hash(NEW, 10).expect("a hash");
    world.sql(&format!("UPDATE auth.users SET password_hash = '{hash}' WHERE id = '{}'", TEACHER.id)).await;
    let holder = world.platform.db.session().await;
    holder.batch(&format!("BEGIN; SELECT FROM auth.users WHERE id = '{}' FOR UPDATE", TEACHER.id)).await.expect("held");
    let let_go = async {
        waiting(&world, 2).await;
        holder.batch("COMMIT").await.expect("let go");
    };
    let sign_in = || world.login_from("192.0.2.1", TEACHER.email, NEW);
    let (one, two, ()) = tokio::join!(sign_in(), sign_in(), let_go);
    assert_eq!((one.status, two.status), (200, 200), "{one:?} {two:?}");
    assert_eq!(live_sessions(&world).await, "2");
    let kept = format!("SELECT left(password_hash, 10) FROM auth.users WHERE id = '{}'", TEACHER.id);
    assert_eq!(world.value(&kept).await, "$argon2id$");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_that_goes_while_the_password_is_looked_at_is_in_no_token() {
    let world = World::start().await;
    let hash = bcrypt::hash(NEW, 10).expect("a hash");
    world.sql(&format!("UPDATE auth.users SET password_hash = '{hash}' WHERE id = '{}'", TEACHER.id)).await;
    let also = format!(
        "INSERT INTO users.user_roles (user_id, role, organization_id) VALUES ('{}', 'parent', '{}')",
        TEACHER.id, OTHER_ADMIN.school
    );
    world.sql(&also).await;
    let holder = world.platform.db.session().await;
    holder.batch(&format!("BEGIN; SELECT FROM auth.users WHERE id = '{}' FOR UPDATE", TEACHER.id)).await.expect("held");
    let suspend = async {
        // The roles have been read by then, and the hash that is to be kept is under way.
        waiting(&world, 1).await;
        let school = TEACHER.school;
        let suspended = format!(
            "UPDATE users.user_roles SET is_active = false WHERE user_id = '{}' AND organization_id = '{school}'",
            TEACHER.id
        );
        world.sql(&suspended).await;
        holder.batch("COMMIT").await.expect("let go");
    };
    let body = json!({ "email": TEACHER.email, "password": NEW });
    let (seen, ()) = tokio::join!(world.post("/api/auth/login", body), suspend);
    let signed_in = SignedIn::of(&seen);
    assert_eq!(signed_in.claims()["role"], "parent");
    assert_eq!(signed_in.body["memberships"].as_array().map(Vec::len), Some(1));
}
