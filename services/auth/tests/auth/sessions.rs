//! Sessions: gone on with, listed, ended.

use reqwest::Method;
use serde_json::{Value, json};
use testkit::people::{ADMIN, OTHER_ADMIN, PASSWORD, STUDENT, TEACHER};
use uuid::Uuid;

use crate::world::{Seen, SignedIn, World, until};

#[tokio::test(flavor = "multi_thread")]
async fn check_11_neither_token_is_good_for_the_other() {
    let world = World::start().await;
    let teacher = world.login(&TEACHER).await;
    assert_eq!(world.call(&teacher.refresh, Method::GET, "/api/auth/sessions").await.status, 401);
    assert_eq!(world.refresh(&teacher.token).await.status, 401);
    assert_eq!(world.call(&teacher.token, Method::GET, "/api/auth/sessions").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn check_12_a_lost_answer_is_given_again_and_a_second_tab_gets_the_same() {
    let world = World::start().await;
    let first = world.login(&TEACHER).await;
    let (one, two) = tokio::join!(world.refresh(&first.refresh), world.refresh(&first.refresh));
    let (one, two) = (SignedIn::of(&one), SignedIn::of(&two));
    assert_eq!(one.refresh, two.refresh, "the chain does not fork");
    assert_ne!(one.refresh, first.refresh);
    for signed_in in [&one, &two] {
        assert_eq!(world.call(&signed_in.token, Method::GET, "/api/auth/session/validate").await.status, 200);
    }
    let again = SignedIn::of(&world.refresh(&first.refresh).await);
    assert_eq!(again.refresh, one.refresh, "lost, and asked for once more");
    let third = SignedIn::of(&world.refresh(&one.refresh).await);
    assert_ne!(third.refresh, one.refresh);
    let same = "SELECT count(*) FROM auth.sessions WHERE user_id = '00000001-0001-4000-8000-000000000011' AND is_active AND expires_at > now()";
    assert_eq!(world.value(same).await, "1");
}

#[tokio::test(flavor = "multi_thread")]
async fn check_12_a_replayed_token_ends_the_session() {
    let world = World::start().await;
    // The last one, later than the grace time.
    let first = world.login(&TEACHER).await;
    let second = SignedIn::of(&world.refresh(&first.refresh).await);
    let session = second.session();
    world
        .sql(&format!("UPDATE auth.sessions SET refreshed_at = refreshed_at - interval '31 s' WHERE id = '{session}'"))
        .await;
    let seen = world.refresh(&first.refresh).await;
    assert_eq!((seen.status, seen.code().as_str()), (401, "session_over"));
    assert_eq!(world.refresh(&second.refresh).await.status, 401, "the thief's and the owner's alike");
    // One before the last one, at once.
    let first = world.login(&TEACHER).await;
    let second = SignedIn::of(&world.refresh(&first.refresh).await);
    let third = SignedIn::of(&world.refresh(&second.refresh).await);
    assert_eq!(world.refresh(&first.refresh).await.status, 401);
    assert_eq!(world.refresh(&third.refresh).await.status, 401);
    let noted = "SELECT count(*) FROM auth.sign_in_events WHERE outcome = 'refresh_reused'";
    assert_eq!(world.value(noted).await, "2");
    // Somebody else's session is not theirs to end: of another family nothing is known.
    let other = world.login(&STUDENT).await;
    assert_eq!(world.refresh(&"A".repeat(64)).await.status, 401);
    assert_eq!(world.refresh(&other.refresh).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn check_12_a_stolen_table_refreshes_nothing() {
    let world = World::start().await;
    let signed_in = world.login(&TEACHER).await;
    let row = format!("SELECT token || ' ' || refresh_token FROM auth.sessions WHERE id = '{}'", signed_in.session());
    let hashes = world.value(&row).await;
    for part in hashes.split(' ') {
        assert!(!signed_in.refresh.contains(part));
        assert_eq!(world.refresh(part).await.status, 401);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn check_13_a_session_ends_when_it_is_idle_and_in_the_end() {
    let world = World::start().await;
    let signed_in = world.login(&TEACHER).await;
    let session = signed_in.session();
    let days = |column: &str| {
        format!(
            "SELECT round(extract(epoch FROM {column} - created_at) / 86400) FROM auth.sessions WHERE id = '{session}'"
        )
    };
    assert_eq!(
        (world.value(&days("expires_at")).await, world.value(&days("ends_at")).await),
        ("14".to_owned(), "90".to_owned())
    );
    // Used on day 89 it lives one day more and not fourteen.
    let back = format!(
        "UPDATE auth.sessions SET created_at = created_at - interval '89 days', ends_at = ends_at - interval '89 days' WHERE id = '{session}'"
    );
    world.sql(&back).await;
    let signed_in = SignedIn::of(&world.refresh(&signed_in.refresh).await);
    assert_eq!(world.value(&days("expires_at")).await, "90");
    world.sql(&format!("UPDATE auth.sessions SET expires_at = now() WHERE id = '{session}'")).await;
    assert_eq!(world.refresh(&signed_in.refresh).await.status, 401);
    assert_eq!(world.call(&signed_in.token, Method::GET, "/api/auth/session/validate").await.status, 401);
}

/// Refused by the service with a keyring of the usual kind, as by every other.
async fn is_refused(world: &World, token: &str) {
    until(async || world.call(token, Method::GET, "/api/auth/sessions").await.status == 401).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn check_14_who_signs_out_is_refused_everywhere_within_the_bound() {
    let world = World::start().await;
    for (method, path) in [(Method::POST, "/api/auth/logout"), (Method::DELETE, "/api/auth/session/logout")] {
        let signed_in = world.login(&TEACHER).await;
        let seen = world.call(&signed_in.token, method, path).await;
        assert_eq!((seen.status, seen.json()), (200, json!({ "status": "signed_out" })));
        assert_eq!(
            world.call(&signed_in.token, Method::GET, "/api/auth/session/validate").await.status,
            401,
            "here at once"
        );
        assert_eq!(world.refresh(&signed_in.refresh).await.status, 401);
        let list = Seen::of(world.client.get(format!("{}/.well-known/revoked-sessions", world.base))).await;
        let entries = list.json()["revoked"].as_array().cloned().unwrap_or_default();
        let entry = entries
            .iter()
            .find(|entry| entry["session"] == signed_in.session().as_str())
            .unwrap_or_else(|| panic!("{list:?}"));
        let until = entry["until"].as_i64().expect("seconds") - signed_in.claims()["exp"].as_i64().expect("seconds");
        assert!((30..=120).contains(&until), "as long as a token of it is believed: {until}");
        is_refused(&world, &signed_in.token).await;
        let etag = list.header("etag").to_owned();
        let same = Seen::of(
            world.client.get(format!("{}/.well-known/revoked-sessions", world.base)).header("if-none-match", &etag),
        )
        .await;
        assert_eq!((same.status, same.text.as_str()), (304, ""));
    }
    // By its refresh token, for who has no good access token any more.
    let signed_in = world.login(&TEACHER).await;
    assert_eq!(world.post("/api/auth/logout", json!({ "refreshToken": signed_in.refresh })).await.status, 200);
    is_refused(&world, &signed_in.token).await;
    assert_eq!(world.post("/api/auth/logout", json!({})).await.status, 401);
}

/// The user service's transaction, as an administrator.
fn as_admin(sql: &str) -> String {
    format!(
        "BEGIN; SELECT set_config('role', 'app_user', true), set_config('request.jwt.claims', '{{\"sub\":\"{}\",\"org\":\"{}\",\"role\":\"admin\"}}', true); {sql}; COMMIT",
        ADMIN.id, ADMIN.school
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn check_14_who_is_blocked_or_removed_is_refused_everywhere_within_the_bound() {
    let world = World::start().await;
    let membership = format!("user_id = '{}' AND organization_id = '{}'", TEACHER.id, TEACHER.school);
    for (act, undo) in [
        (
            format!("SELECT auth.set_account_active('{}', false)", TEACHER.id),
            format!("SELECT auth.set_account_active('{}', true)", TEACHER.id),
        ),
        (
            format!("UPDATE auth.users SET is_active = false WHERE id = '{}'", TEACHER.id),
            format!("UPDATE auth.users SET is_active = true WHERE id = '{}'", TEACHER.id),
        ),
        (
            format!("UPDATE users.user_roles SET is_active = false WHERE {membership}"),
            format!("UPDATE users.user_roles SET is_active = true WHERE {membership}"),
        ),
        (format!("DELETE FROM users.user_roles WHERE {membership}"), String::from("SELECT 1")),
    ] {
        let (teacher, student) = (world.login(&TEACHER).await, world.login(&STUDENT).await);
        assert_eq!(teacher.body["user"]["role"], "teacher");
        world.sql(&as_admin(&act)).await;
        assert_eq!(world.refresh(&teacher.refresh).await.status, 401, "{act}");
        is_refused(&world, &teacher.token).await;
        assert_eq!(world.refresh(&student.refresh).await.status, 200, "nobody else: {act}");
        world.sql(&as_admin(&undo)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_administrator_blocks_people_of_other_schools() {
    let world = World::start().await;
    let other = world.login(&OTHER_ADMIN).await;
    for function in ["auth.set_account_active($, false)", "auth.end_sessions($)"] {
        let call = function.replace('$', &format!("'{}'", OTHER_ADMIN.id));
        world.sql(&as_admin(&format!("SELECT {call}"))).await;
        let call = function.replace('$', &format!("'{}'", ADMIN.id));
        world.sql(&as_admin(&format!("SELECT {call}"))).await;
    }
    assert_eq!(world.refresh(&other.refresh).await.status, 200);
    assert_eq!(
        world.value(&format!("SELECT is_active FROM auth.users WHERE id = '{}'", ADMIN.id)).await,
        "t",
        "nobody blocks themselves"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn check_15_people_list_and_end_their_own_sessions() {
    let world = World::start().await;
    let (one, two, other) = (world.login(&TEACHER).await, world.login(&TEACHER).await, world.login(&STUDENT).await);
    let list = world.call(&one.token, Method::GET, "/api/auth/sessions").await.json();
    let items = list["items"].as_array().cloned().unwrap_or_default();
    assert_eq!((items.len(), list["total"].as_i64()), (2, Some(2)));
    let of = |id: &str| items.iter().find(|item| item["id"] == id).cloned().expect("listed");
    let (here, there): (Value, Value) = (of(&one.session()), of(&two.session()));
    assert_eq!((here["current"].as_bool(), there["current"].as_bool()), (Some(true), Some(false)));
    assert_eq!(
        (there["address"].as_str(), there["userAgent"].as_str()),
        (Some("192.0.2.1"), Some("Navegador de prueba"))
    );
    assert_eq!(
        (there["role"].as_str(), there["organizationId"].as_str()),
        (Some("teacher"), Some(&*TEACHER.school.to_string()))
    );

    for foreign in [other.session(), Uuid::new_v4().to_string()] {
        let seen = world.call(&one.token, Method::DELETE, &format!("/api/auth/sessions/{foreign}")).await;
        assert_eq!((seen.status, seen.code().as_str()), (404, "no_such_record"));
    }
    let end = format!("/api/auth/sessions/{}", two.session());
    assert_eq!(world.call(&one.token, Method::DELETE, &end).await.status, 200);
    assert_eq!(world.call(&one.token, Method::DELETE, &end).await.status, 404, "it has ended");
    assert_eq!((world.refresh(&two.refresh).await.status, world.refresh(&other.refresh).await.status), (401, 200));

    let three = world.login(&TEACHER).await;
    assert_eq!(world.call(&one.token, Method::DELETE, "/api/auth/sessions").await.json(), json!({ "ended": 1 }));
    assert_eq!(world.refresh(&three.refresh).await.status, 401);
    assert_eq!(world.refresh(&one.refresh).await.status, 200, "this one goes on");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_holds_several_roles_chooses_and_keeps_the_choice() {
    let world = World::start().await;
    let second = format!(
        "INSERT INTO users.user_roles (user_id, role, organization_id) VALUES ('{}', 'parent', '{}')",
        TEACHER.id, OTHER_ADMIN.school
    );
    world.sql(&second).await;
    let signed_in = world.login(&TEACHER).await;
    assert_eq!(
        (signed_in.body["user"]["role"].as_str(), signed_in.body["memberships"].as_array().map(Vec::len)),
        (Some("teacher"), Some(2))
    );
    let wish = json!({ "email": TEACHER.email, "password": PASSWORD, "organizationId": OTHER_ADMIN.school });
    let elsewhere = SignedIn::of(&world.post("/api/auth/login", wish).await);
    assert_eq!(elsewhere.claims()["role"], "parent");
    assert_eq!(SignedIn::of(&world.refresh(&elsewhere.refresh).await).claims()["role"], "parent");
    assert_eq!(world.login(&TEACHER).await.claims()["role"], "parent", "as last time");
    let unheld = json!({ "email": TEACHER.email, "password": PASSWORD, "role": "admin" });
    assert_eq!(world.post("/api/auth/login", unheld).await.status, 403);
}
