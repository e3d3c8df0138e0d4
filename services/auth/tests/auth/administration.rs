//! What administrators do, and who sees what happened.

use reqwest::Method;
use serde_json::json;
use testkit::people::{ADMIN, OTHER_ADMIN, OTHER_STUDENT, PARENT, PASSWORD, STUDENT, TEACHER};

use crate::world::{World, link_in, token_of};

#[tokio::test(flavor = "multi_thread")]
async fn check_8_an_administrator_starts_a_reset_and_sees_no_password() {
    let world = World::start().await;
    let admin = world.login(&ADMIN).await;
    let path = |id| format!("/api/auth/users/{id}/reset-password");
    let seen = world.call(&admin.token, Method::POST, &path(PARENT.id)).await;
    assert_eq!((seen.status, seen.json()), (202, json!({ "status": "sent" })));
    let token = token_of(&link_in(&world.letter(PARENT.email, 1).await));
    assert!(world.letters(ADMIN.email).iter().all(|letter| !letter.contains(&token)));
    assert_eq!(
        world.login_from("192.0.2.1", PARENT.email, PASSWORD).await.status,
        200,
        "it stays as it is until the link is used"
    );
    for (person, id, status) in [
        (&ADMIN, OTHER_STUDENT.id, 404),
        (&OTHER_ADMIN, PARENT.id, 404),
        (&TEACHER, PARENT.id, 403),
        (&STUDENT, STUDENT.id, 403),
    ] {
        let caller = world.login(person).await;
        assert_eq!(world.call(&caller.token, Method::POST, &path(id)).await.status, status, "{} {id}", person.email);
    }
    // Nothing that an administrator can send sets a password.
    let set = json!({ "password": "lluvia en la montaña", "newPassword": "lluvia en la montaña" });
    assert_eq!(world.call_with(&admin.token, Method::POST, &path(PARENT.id), set).await.status, 202);
    assert_eq!(world.login_from("192.0.2.1", PARENT.email, PASSWORD).await.status, 200);
}

#[test]
fn check_8_no_account_is_seeded_outside_of_development() {
    let seeds = concat!(env!("CARGO_MANIFEST_DIR"), "/../../db-migrations-service/seeds/auth");
    for entry in std::fs::read_dir(seeds).expect("the seeds") {
        let name = entry.expect("a file").file_name().into_string().expect("a name");
        assert!(name.ends_with(".development.sql"), "{name}");
    }
    // Nor by another schema's.
    for folder in std::fs::read_dir(format!("{seeds}/..")).expect("the seeds") {
        for entry in std::fs::read_dir(folder.expect("a folder").path()).expect("files") {
            let path = entry.expect("a file").path();
            let is_development = path.to_string_lossy().ends_with(".development.sql");
            let text = std::fs::read_to_string(&path).expect("text");
            assert!(is_development || !text.contains("auth.users"), "{}", path.display());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn check_18_people_of_another_school_are_nobody() {
    let world = World::start().await;
    let (student, other) = (world.login(&STUDENT).await, world.login(&OTHER_ADMIN).await);
    for (method, path) in [
        (Method::DELETE, format!("/api/auth/users/{}/sessions", STUDENT.id)),
        (Method::POST, format!("/api/auth/users/{}/reset-password", STUDENT.id)),
        (Method::DELETE, format!("/api/auth/sessions/{}", student.session())),
    ] {
        let seen = world.call(&other.token, method, &path).await;
        assert_eq!((seen.status, seen.code().as_str()), (404, "no_such_record"), "{path}");
    }
    let events = format!("/api/auth/sign-ins?userId={}", STUDENT.id);
    let seen = world.call(&other.token, Method::GET, &events).await.json();
    assert_eq!((&seen["items"], &seen["total"]), (&json!([]), &json!(0)));
    assert_eq!(world.refresh(&student.refresh).await.status, 200, "nothing was done to them");
}

#[tokio::test(flavor = "multi_thread")]
async fn check_20_a_role_that_is_gone_gives_no_power_at_once() {
    let world = World::start().await;
    let (admin, student) = (world.login(&ADMIN).await, world.login(&STUDENT).await);
    world.sql(&format!("UPDATE users.user_roles SET is_active = false WHERE user_id = '{}'", ADMIN.id)).await;
    // The token is good for some minutes more, and says that they are an administrator.
    for (method, rest) in [(Method::DELETE, "sessions"), (Method::POST, "reset-password")] {
        let path = format!("/api/auth/users/{}/{rest}", STUDENT.id);
        let seen = world.call(&admin.token, method, &path).await;
        // 401 as soon as the service has heard that the session ended with the role.
        assert!([401, 403, 404].contains(&seen.status), "{rest}: {seen:?}");
    }
    assert_eq!(world.refresh(&student.refresh).await.status, 200, "nothing was done to them");
    world.settled().await;
    assert!(world.letters(STUDENT.email).iter().all(|letter| !letter.contains("#token=")));
}

#[tokio::test(flavor = "multi_thread")]
async fn check_15_an_administrator_ends_the_sessions_of_their_people() {
    let world = World::start().await;
    let (admin, other) = (world.login(&ADMIN).await, world.login(&OTHER_ADMIN).await);
    let (one, two, apart) = (world.login(&STUDENT).await, world.login(&STUDENT).await, world.login(&TEACHER).await);
    let path = format!("/api/auth/users/{}/sessions", STUDENT.id);
    assert_eq!(world.call(&other.token, Method::DELETE, &path).await.status, 404);
    assert_eq!(world.call(&apart.token, Method::DELETE, &path).await.status, 403);
    assert_eq!(world.call(&admin.token, Method::DELETE, &path).await.json(), json!({ "ended": 2 }));
    assert_eq!((world.refresh(&one.refresh).await.status, world.refresh(&two.refresh).await.status), (401, 401));
    assert_eq!(world.refresh(&apart.refresh).await.status, 200);
    // Of who belongs to another school too, only the sessions in this one.
    let shared = format!(
        "INSERT INTO users.user_roles (user_id, role, organization_id) VALUES ('{}', 'parent', '{}')",
        TEACHER.id, OTHER_ADMIN.school
    );
    world.sql(&shared).await;
    let wish = json!({ "email": TEACHER.email, "password": PASSWORD, "organizationId": OTHER_ADMIN.school });
    let elsewhere = crate::world::SignedIn::of(&world.post("/api/auth/login", wish).await);
    let path = format!("/api/auth/users/{}/sessions", TEACHER.id);
    assert_eq!(world.call(&admin.token, Method::DELETE, &path).await.json(), json!({ "ended": 1 }));
    assert_eq!(world.refresh(&elsewhere.refresh).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn sign_ins_are_on_record_for_the_person_and_their_administrator() {
    let world = World::start().await;
    world.login_from("198.51.100.4", STUDENT.email, "no es").await;
    let student = world.login(&STUDENT).await;
    let own = world.call(&student.token, Method::GET, "/api/auth/sign-ins").await.json();
    let outcomes = |list: &serde_json::Value| -> Vec<String> {
        let items = list["items"].as_array().cloned().unwrap_or_default();
        items
            .iter()
            .map(|item| {
                format!("{} {}", item["outcome"].as_str().unwrap_or(""), item["address"].as_str().unwrap_or(""))
            })
            .collect()
    };
    assert_eq!(outcomes(&own), ["signed_in 192.0.2.1", "wrong_password 198.51.100.4", "signed_in 192.0.2.21"]);
    assert_eq!(own["total"], 3);
    let page = world.call(&student.token, Method::GET, "/api/auth/sign-ins?limit=2").await.json();
    let next = format!("/api/auth/sign-ins?limit=2&cursor={}", page["next"].as_str().expect("a next page"));
    let rest = world.call(&student.token, Method::GET, &next).await.json();
    assert_eq!((outcomes(&rest), rest["next"].clone()), (vec!["signed_in 192.0.2.21".to_owned()], json!(null)));
    let path = format!("/api/auth/sign-ins?userId={}", STUDENT.id);
    for (person, count) in [(&ADMIN, 3), (&OTHER_ADMIN, 0), (&TEACHER, 0), (&PARENT, 0)] {
        let caller = world.login(person).await;
        assert_eq!(
            outcomes(&world.call(&caller.token, Method::GET, &path).await.json()).len(),
            count,
            "{}",
            person.email
        );
    }
}
