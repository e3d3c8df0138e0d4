//! Who founds schools, suspends them and opens them again.

use http::Method;
use serde_json::json;
use testkit::Seen;
use testkit::people::{ADMIN, PLATFORM_ADMIN, SCHOOLS, TEACHER};
use uuid::Uuid;

use crate::world::World;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_platform_founds_a_school_once_and_its_founder_runs_it() {
    let world = World::start().await;
    let found = || {
        let request = world.served.request(Method::POST, "/api/organizations");
        let request = request.bearer_auth(world.platform.issuer.token(&PLATFORM_ADMIN)).header("idempotency-key", "k");
        Seen::of(request.json(&json!({ "name": "Liceo Nuevo" })))
    };
    let founded = found().await;
    assert_eq!(founded.status, 201, "{}", founded.text);
    let school = founded.json();
    assert_eq!(founded.header("location"), format!("/api/organizations/{}", school["id"].as_str().expect("an id")));
    assert_eq!((school["name"].as_str(), school["isActive"].as_bool()), (Some("Liceo Nuevo"), Some(true)));
    assert_eq!(found().await.json(), school, "sent again it is answered again");
    let sql = format!(
        "SELECT u.role, o.name FROM users.user_roles u JOIN organizations.organizations o ON o.id = u.organization_id \
         WHERE u.user_id = '{}'",
        PLATFORM_ADMIN.id
    );
    assert_eq!(world.platform.db.rows(&sql).await, ["admin|Liceo Nuevo"]);
    let bad = world.ask(&PLATFORM_ADMIN, Method::POST, "/api/organizations", Some(json!({ "name": " " }))).await;
    assert_eq!((bad.status, bad.code().as_str()), (422, "invalid_value"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn check_20_nobody_else_founds_or_suspends_also_with_an_old_token() {
    let world = World::start().await;
    let school = format!("/api/organizations/{}", SCHOOLS[0]);
    let body = || Some(json!({ "name": "Mía" }));
    for person in [ADMIN, TEACHER] {
        assert_eq!(world.ask(&person, Method::POST, "/api/organizations", body()).await.code(), "forbidden");
        assert_eq!(world.ask(&person, Method::DELETE, &school, None).await.code(), "forbidden");
    }
    // The token is good for some minutes more; the power is gone at once.
    let sql = format!("UPDATE users.user_roles SET is_active = false WHERE user_id = '{}'", PLATFORM_ADMIN.id);
    world.platform.db.session().await.batch(&sql).await.expect("suspended");
    assert_eq!(world.ask(&PLATFORM_ADMIN, Method::POST, "/api/organizations", body()).await.code(), "forbidden");
    assert_eq!(world.ask(&PLATFORM_ADMIN, Method::DELETE, &school, None).await.code(), "no_such_record");
    let rows = world.platform.db.rows("SELECT count(*), bool_and(is_active) FROM organizations.organizations").await;
    assert_eq!(rows, ["2|t"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_suspended_school_loses_its_sessions_and_nothing_else() {
    let world = World::start().await;
    let session = Uuid::new_v4();
    let sql = format!(
        "INSERT INTO auth.sessions (id, user_id, token, expires_at, organization_id, role) \
         VALUES ('{session}', '{}', '{session}', now() + interval '1 day', '{}', 'teacher')",
        TEACHER.id, TEACHER.school
    );
    world.platform.db.session().await.batch(&sql).await.expect("a session");
    let school = format!("/api/organizations/{}", SCHOOLS[0]);
    let suspended = world.ask(&PLATFORM_ADMIN, Method::DELETE, &school, None).await;
    assert_eq!((suspended.status, suspended.json()["isActive"].as_bool()), (200, Some(false)));
    let ended = format!("SELECT is_active, ended_at IS NOT NULL FROM auth.sessions WHERE id = '{session}'");
    assert_eq!(world.platform.db.rows(&ended).await, ["f|t"]);
    let opened = world.ask(&PLATFORM_ADMIN, Method::POST, &format!("{school}/restore"), None).await;
    assert_eq!((opened.status, opened.json()["isActive"].as_bool()), (200, Some(true)));
    assert_eq!(world.platform.db.rows(&ended).await, ["f|t"], "who was signed out signs in again");
    assert_eq!(world.get(&ADMIN, &school).await.status, 200);
}
