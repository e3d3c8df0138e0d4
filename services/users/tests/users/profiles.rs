//! Profiles, pictures and preferences.

use http::Method;
use serde_json::json;
use testkit::Seen;
use testkit::people::{ADMIN, PARENT, STUDENT, TEACHER};

use crate::world::{World, id};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_person_keeps_their_own_profile() {
    let world = World::start().await;
    let path = format!("/api/users/{}/profile", STUDENT.id);
    let body = json!({ "firstName": "Ana María", "lastName": "Ñáñez", "phone": "+57 300", "dateOfBirth": "2014-02-03", "gender": null });
    let seen = world.ask(&STUDENT, Method::PUT, &path, Some(body)).await;
    assert_eq!((seen.status, &seen.json()["dateOfBirth"]), (200, &json!("2014-02-03")), "{seen:?}");
    let read = world.get(&TEACHER, &path).await;
    assert_eq!((read.json(), read.header("etag")), (seen.json(), seen.header("etag")));
    assert_eq!(
        world.get(&ADMIN, "/api/users/search?q=nan%20ana").await.json()["total"],
        1,
        "the school's list follows"
    );
    let late = world
        .served
        .request(Method::PUT, &path)
        .bearer_auth(world.platform.issuer.token(&STUDENT))
        .header("if-match", "\"1\"");
    let late = Seen::of(late.json(&json!({ "firstName": "A", "lastName": "B" }))).await;
    assert_eq!(late.status, 412, "{late:?}");
    for (person, status) in [(&PARENT, 403), (&TEACHER, 403)] {
        let seen = world.ask(person, Method::PUT, &path, Some(json!({ "firstName": "A", "lastName": "B" }))).await;
        assert_eq!((seen.status, seen.code().as_str()), (status, "the_persons_own"));
    }
    let bad = world
        .ask(
            &STUDENT,
            Method::PUT,
            &path,
            Some(json!({ "firstName": "A", "lastName": "B", "dateOfBirth": "yesterday" })),
        )
        .await;
    assert_eq!((bad.status, bad.code().as_str()), (422, "invalid_body"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_read_can_be_sent_back_and_moves_no_picture() {
    let world = World::start().await;
    let path = format!("/api/users/{}/profile", STUDENT.id);
    let mut read = world.get(&STUDENT, &path).await.json();
    read["phone"] = json!("+57 300");
    read["avatarUrl"] = json!("https://escuela.example/otra.png");
    let seen = world.ask(&STUDENT, Method::PUT, &path, Some(read)).await;
    assert_eq!((seen.status, &seen.json()["phone"], &seen.json()["avatarUrl"]), (200, &json!("+57 300"), &json!(null)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn check_31_what_the_database_cannot_keep_is_no_defect() {
    let world = World::start().await;
    let (profile, preferences) = ("profile", "preferences");
    let usual = json!({ "language": "es", "timezone": "America/Bogota", "theme": "light" });
    let with = |settings: serde_json::Value| {
        let mut body = usual.clone();
        body["notificationSettings"] = settings;
        body
    };
    for (route, body) in [
        (profile, json!({ "firstName": "A", "lastName": "B", "dateOfBirth": "-9999-12-31" })),
        (preferences, with(json!({ "a": "\0" }))),
        (preferences, with(json!({ "a\0": true }))),
    ] {
        let path = format!("/api/users/{}/{route}", STUDENT.id);
        let seen = world.ask(&STUDENT, Method::PUT, &path, Some(body)).await;
        assert_eq!((seen.status, seen.code().as_str()), (422, "invalid_value"), "{seen:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_picture_is_an_address_that_no_browser_runs() {
    let world = World::start().await;
    let path = format!("/api/users/{}/profile/avatar", STUDENT.id);
    let set =
        |address: serde_json::Value| world.ask(&STUDENT, Method::PATCH, &path, Some(json!({ "avatarUrl": address })));
    let seen = set(json!("https://escuela.example/a.png")).await;
    assert_eq!((seen.status, &seen.json()["avatarUrl"]), (200, &json!("https://escuela.example/a.png")));
    for bad in ["javascript:alert(1)", "data:text/html,x", "http://escuela.example/a.png"] {
        let seen = set(json!(bad)).await;
        assert_eq!((seen.status, seen.code().as_str()), (422, "invalid_value"), "{bad}");
    }
    assert_eq!(set(json!(null)).await.json()["avatarUrl"], json!(null));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn preferences_are_the_persons_alone_to_write() {
    let world = World::start().await;
    let nobody_said = world
        .get(&crate::world::person(22, kernel::AppRole::Student), &format!("/api/users/{}/preferences", id(22)))
        .await;
    assert_eq!((nobody_said.status, &nobody_said.json()["timezone"]), (200, &json!("America/Bogota")));
    let path = format!("/api/users/{}/preferences", STUDENT.id);
    let body = json!({ "language": "en", "timezone": "Europe/Madrid", "theme": "system", "notificationSettings": { "email": false } });
    let seen = world.ask(&STUDENT, Method::PUT, &path, Some(body.clone())).await;
    assert_eq!((seen.status, seen.json()), (200, body.clone()));
    assert_eq!(world.get(&ADMIN, &path).await.json(), body);
    let by_admin = world.ask(&ADMIN, Method::PUT, &path, Some(body.clone())).await;
    assert_eq!((by_admin.status, by_admin.code().as_str()), (403, "the_persons_own"));
    for (member, value) in [
        ("language", json!("<b>")),
        ("timezone", json!("")),
        ("theme", json!("pink")),
        ("notificationSettings", json!({ "a": "x".repeat(5_000) })),
    ] {
        let mut bad = body.clone();
        bad[member] = value;
        let seen = world.ask(&STUDENT, Method::PUT, &path, Some(bad)).await;
        assert_eq!((seen.status, seen.json()["member"].as_str()), (422, Some(member)));
    }
}
