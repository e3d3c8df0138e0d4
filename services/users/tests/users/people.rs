//! People of a school: added, changed, suspended, removed and restored.

use http::Method;
use kernel::AppRole;
use serde_json::{Value, json};
use testkit::people::{ADMIN, STUDENT};
use testkit::{Person, Seen};
use uuid::Uuid;

use crate::world::{World, id, person, role_id};

fn ana() -> Value {
    json!({ "email": "Ana.Gil@escuela.example", "firstName": "Ana", "lastName": "Gil", "role": "student", "sourceId": "s-1" })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_added_has_an_account_a_profile_a_role_and_no_password() {
    let world = World::start().await;
    let seen = world.post(&ADMIN, "/api/users", ana()).await;
    let user = seen.json();
    assert_eq!(
        (seen.status, &user["status"], &user["roles"]),
        (201, &json!("invited"), &json!(["student"])),
        "{seen:?}"
    );
    let location = seen.header("location").to_owned();
    assert_eq!(world.get(&ADMIN, &location).await.json(), user);
    let hash = world.value("SELECT password_hash FROM auth.users WHERE email = 'Ana.Gil@escuela.example'").await;
    let usual = world.value("SELECT password_hash FROM auth.users WHERE email = 'admin@escuela.example'").await;
    assert_eq!(hash.len(), usual.len(), "it costs what any other does: {hash}");
    assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
    assert!(!seen.text.contains("argon2") && !seen.text.contains("token"), "{}", seen.text);
    let again = world.post(&ADMIN, "/api/users", ana()).await;
    assert_eq!((again.status, again.code().as_str()), (409, "already_exists"));
    let listed = world.get(&ADMIN, "/api/users?status=invited").await.json();
    assert_eq!((listed["total"].as_i64(), &listed["items"][0]["sourceId"]), (Some(1), &json!("s-1")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_with_a_key_adds_one_person() {
    let world = World::start().await;
    let token = world.platform.issuer.token(&ADMIN);
    let send = || {
        let request = world.served.request(Method::POST, "/api/users").bearer_auth(&token);
        Seen::of(request.header("idempotency-key", "k-1").json(&ana()))
    };
    let (first, second) = (send().await, send().await);
    assert_eq!((first.status, second.status, second.header("idempotency-replayed")), (201, 201, "true"));
    assert_eq!(first.text, second.text);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn check_19_members_that_are_not_theirs_to_set_are_refused() {
    let world = World::start().await;
    let student = format!("/api/users/{}", STUDENT.id);
    let names = json!({ "firstName": "A", "lastName": "B" });
    for (member, value) in [
        ("role", json!("admin")),
        ("roles", json!(["admin"])),
        ("organizationId", json!(id(1))),
        ("status", json!("active")),
        ("id", json!(id(1))),
        ("email", json!("x@y.example")),
        ("passwordHash", json!("x")),
    ] {
        let mut body = names.clone();
        body[member] = value.clone();
        for (person, path) in [(&ADMIN, student.clone()), (&STUDENT, format!("{student}/profile"))] {
            let seen = world.ask(person, Method::PUT, &path, Some(body.clone())).await;
            assert_eq!((seen.status, seen.code().as_str()), (422, "invalid_body"), "{member} at {path}");
        }
        if member != "role" && member != "email" {
            let mut body = ana();
            body[member] = value;
            assert_eq!(world.post(&ADMIN, "/api/users", body).await.status, 422, "{member}");
        }
    }
    assert_eq!(
        world
            .value(&format!("SELECT string_agg(role, ',') FROM users.user_roles WHERE user_id = '{}'", STUDENT.id))
            .await,
        "student"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_meets_the_version_that_was_read() {
    let world = World::start().await;
    let path = format!("/api/users/{}", id(22));
    let tag = world.get(&ADMIN, &path).await.header("etag").to_owned();
    let put = |tag: String, name: &str| {
        let request = world.served.request(Method::PUT, &path).bearer_auth(world.platform.issuer.token(&ADMIN));
        Seen::of(
            request.header("if-match", tag).json(&json!({ "firstName": name, "lastName": "Dos", "phone": "+57 1" })),
        )
    };
    let changed = put(tag.clone(), "Nueva").await;
    assert_eq!((changed.status, &changed.json()["firstName"]), (200, &json!("Nueva")), "{changed:?}");
    let late = put(tag, "Vieja").await;
    assert_eq!((late.status, late.code().as_str()), (412, "changed_meanwhile"));
    assert_eq!(put(changed.header("etag").to_owned(), "Otra").await.status, 200);
    assert_eq!(world.get(&ADMIN, "/api/users/search?q=otra").await.json()["total"], 1, "the search follows");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn check_14_who_is_suspended_or_removed_is_signed_out_and_may_come_back() {
    let world = World::start().await;
    let session = "INSERT INTO auth.sessions (user_id, token, expires_at, organization_id, role) VALUES \
                   ('{id}', gen_random_uuid()::text, now() + interval '1 day', '{school}', 'student')";
    let session = session.replace("{id}", &STUDENT.id.to_string()).replace("{school}", &STUDENT.school.to_string());
    let active = format!(
        "SELECT count(*) FROM auth.sessions WHERE user_id = '{}' AND is_active AND role = 'student'",
        STUDENT.id
    );
    let path = format!("/api/users/{}", STUDENT.id);
    let account = format!("SELECT is_active FROM auth.users WHERE id = '{}'", STUDENT.id);
    for (method, route, body, status) in [
        (Method::PATCH, format!("{path}/status"), Some(json!({ "status": "inactive" })), "inactive"),
        (Method::DELETE, path.clone(), None, "deleted"),
    ] {
        world.platform.db.session().await.batch(&session).await.expect("a session");
        let seen = world.ask(&ADMIN, method, &route, body).await;
        assert_eq!(seen.status, 200, "{seen:?}");
        assert_eq!((world.value(&active).await, world.value(&account).await), ("0".into(), "f".into()), "{status}");
        assert_eq!(world.get(&ADMIN, &path).await.json()["status"], status);
        let list = world.get(&ADMIN, &format!("/api/users?status={status}")).await;
        assert_eq!(list.json()["total"], 1, "{status}");
        let back = match status {
            "inactive" => world.ask(&ADMIN, Method::PATCH, &route, Some(json!({ "status": "active" }))).await,
            _ => world.ask(&ADMIN, Method::POST, &format!("{path}/restore"), None).await,
        };
        assert_eq!((back.status, &back.json()["status"]), (200, &json!("active")), "{back:?}");
        assert_eq!(world.value(&account).await, "t");
    }
    // Neither is done twice.
    assert_eq!(world.ask(&ADMIN, Method::POST, &format!("{path}/restore"), None).await.status, 404);
    // Roles that were suspended before a removal stay so.
    world.ask(&ADMIN, Method::PATCH, &format!("{path}/status"), Some(json!({ "status": "inactive" }))).await;
    world.ask(&ADMIN, Method::DELETE, &path, None).await;
    let restored = world.ask(&ADMIN, Method::POST, &format!("{path}/restore"), None).await;
    assert_eq!(restored.json()["status"], "inactive");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn check_20_a_role_that_is_gone_gives_no_power_at_once() {
    let world = World::start().await;
    let second = person(11, AppRole::Admin);
    let give = world.post(&ADMIN, &format!("/api/users/{}/roles", id(11)), json!({ "role": "admin" })).await;
    assert_eq!(give.status, 201, "{give:?}");
    let role = give.json()["id"].as_str().expect("an id").to_owned();
    let twice = world.post(&ADMIN, &format!("/api/users/{}/roles", id(11)), json!({ "role": "admin" })).await;
    assert_eq!((twice.status, twice.code().as_str()), (409, "already_exists"));
    let write = json!({ "firstName": "A", "lastName": "B" });
    let target = format!("/api/users/{}", id(23));
    assert_eq!(world.ask(&second, Method::PUT, &target, Some(write.clone())).await.status, 200);
    let take = world.ask(&ADMIN, Method::DELETE, &format!("/api/users/{}/roles/{role}", id(11)), None).await;
    assert_eq!(take.status, 200, "{take:?}");
    for (method, path, body) in [
        (Method::PUT, target.clone(), Some(write)),
        (Method::DELETE, target.clone(), None),
        (Method::POST, format!("{target}/roles"), Some(json!({ "role": "teacher" }))),
        (Method::POST, "/api/users".to_owned(), Some(ana())),
        (Method::PATCH, format!("{target}/status"), Some(json!({ "status": "inactive" }))),
    ] {
        let seen = world.ask(&second, method, &path, body).await;
        assert_eq!((seen.status, seen.code().as_str()), (403, "forbidden"), "{path}: a token that is still good");
    }
    assert_eq!(
        world.import(&second, "?role=student", "givenName,familyName,email\nA,B,a@b.example\n").await.status,
        403
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_does_it_to_themselves_so_a_school_keeps_an_administrator() {
    let world = World::start().await;
    let own = format!("/api/users/{}", ADMIN.id);
    for (method, path, body) in [
        (Method::DELETE, own.clone(), None),
        (Method::PATCH, format!("{own}/status"), Some(json!({ "status": "inactive" }))),
        (Method::POST, format!("{own}/roles"), Some(json!({ "role": "teacher" }))),
        (Method::DELETE, format!("{own}/roles/{}", role_id(1)), None),
    ] {
        let seen = world.ask(&ADMIN, method, &path, body).await;
        assert_eq!((seen.status, seen.code().as_str()), (409, "own_membership"), "{path}");
    }
    // Two who remove each other at once: one of them is no administrator any more when their turn comes.
    let second = person(11, AppRole::Admin);
    for _ in 0..5 {
        world.post(&ADMIN, &format!("/api/users/{}/roles", id(11)), json!({ "role": "admin" })).await;
        let (mine, theirs) = (format!("/api/users/{}", id(11)), own.clone());
        let (a, b) = tokio::join!(
            world.ask(&ADMIN, Method::DELETE, &mine, None),
            world.ask(&second, Method::DELETE, &theirs, None)
        );
        let mut statuses = [a.status, b.status];
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 403], "{a:?} {b:?}");
        let restore = |by: Person, whom: Uuid| {
            let world = &world;
            async move { world.ask(&by, Method::POST, &format!("/api/users/{whom}/restore"), None).await.status }
        };
        let restored = if a.status == 200 { restore(ADMIN, id(11)).await } else { restore(second, ADMIN.id).await };
        assert_eq!(restored, 200);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_their_last_role_somebody_leaves_the_school() {
    let world = World::start().await;
    let path = format!("/api/users/{}", id(24));
    let roles = world.get(&ADMIN, &format!("{path}/roles")).await.json();
    assert_eq!((roles["items"].as_array().map(Vec::len), &roles["items"][0]["role"]), (Some(1), &json!("student")));
    let gone = world.ask(&ADMIN, Method::DELETE, &format!("{path}/roles/{}", role_id(24)), None).await;
    assert_eq!(gone.status, 200, "{gone:?}");
    assert_eq!(world.get(&ADMIN, &path).await.status, 404);
    assert_eq!(world.ask(&ADMIN, Method::DELETE, &format!("{path}/roles/{}", role_id(24)), None).await.status, 404);
}
