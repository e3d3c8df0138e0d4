//! The web client's administration of teachers, call by call.

use http::Method;
use serde_json::{Value, json};
use testkit::Seen;
use testkit::people::{ADMIN, OTHER_ADMIN};

use crate::world::{World, id};

const TEACHERS: &str = "/api/users/admin/teachers";

fn members(value: &Value) -> Vec<&str> {
    let mut members: Vec<&str> = value.as_object().expect("an object").keys().map(String::as_str).collect();
    members.sort_unstable();
    members
}

/// It parses every success as JSON.
fn json_of(seen: &Seen) -> Value {
    assert!((200..300).contains(&seen.status) && !seen.text.is_empty(), "{seen:?}");
    seen.json()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_web_client_lists_adds_changes_suspends_and_removes_teachers() {
    let world = World::start().await;
    let list = json_of(&world.get(&ADMIN, TEACHERS).await);
    let shape =
        ["createdAt", "email", "firstName", "id", "isActive", "lastName", "organizationId", "subjects", "updatedAt"];
    assert_eq!(list.as_array().map(Vec::len), Some(3));
    assert_eq!(members(&list[0]), shape);
    let body = json!({ "firstName": "Eva", "lastName": "Ruiz", "email": "eva@escuela.example", "phone": "+57 300", "subjects": ["Álgebra", "Física"] });
    let created = world.post(&ADMIN, TEACHERS, body).await;
    let teacher = json_of(&created);
    assert_eq!(
        (created.status, &teacher["isActive"], &teacher["subjects"]),
        (201, &json!(true), &json!(["Álgebra", "Física"]))
    );
    assert_eq!((&teacher["phone"], &teacher["organizationId"]), (&json!("+57 300"), &json!(ADMIN.school)));
    let path = format!("{TEACHERS}/{}", teacher["id"].as_str().expect("an id"));
    // It sends back what it was given, with what was changed.
    let mut sent = teacher.clone();
    sent["lastName"] = json!("Ruiz Gil");
    sent["subjects"] = json!(["Álgebra"]);
    sent["isActive"] = json!(false);
    sent["organizationId"] = json!(id(1));
    let changed = json_of(&world.ask(&ADMIN, Method::PUT, &path, Some(sent.clone())).await);
    assert_eq!(
        (&changed["lastName"], &changed["subjects"], &changed["phone"]),
        (&json!("Ruiz Gil"), &json!(["Álgebra"]), &json!("+57 300"))
    );
    assert_eq!(
        (&changed["isActive"], &changed["organizationId"]),
        (&json!(true), &json!(ADMIN.school)),
        "not changed here"
    );
    sent["email"] = json!("otra@escuela.example");
    let refused = world.ask(&ADMIN, Method::PUT, &path, Some(sent)).await;
    assert_eq!((refused.status, refused.json()["member"].as_str()), (422, Some("email")));
    for is_active in [false, true] {
        let seen =
            world.ask(&ADMIN, Method::PATCH, &format!("{path}/status"), Some(json!({ "isActive": is_active }))).await;
        assert_eq!(json_of(&seen)["isActive"], is_active);
    }
    assert_eq!(json_of(&world.ask(&ADMIN, Method::DELETE, &path, None).await)["deleted"], true);
    assert_eq!(json_of(&world.get(&ADMIN, TEACHERS).await).as_array().map(Vec::len), Some(3));
    assert_eq!(world.ask(&ADMIN, Method::DELETE, &path, None).await.status, 404);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_teachers_of_the_school_are_teachers() {
    let world = World::start().await;
    for (admin, number) in [(&ADMIN, 21), (&OTHER_ADMIN, 11)] {
        for (method, path, body) in [
            (Method::DELETE, format!("{TEACHERS}/{}", id(number)), None),
            (Method::PATCH, format!("{TEACHERS}/{}/status", id(number)), Some(json!({ "isActive": false }))),
        ] {
            assert_eq!(world.ask(admin, method, &path, body).await.status, 404, "{number}");
        }
    }
    // Who has another role keeps it.
    world.post(&ADMIN, &format!("/api/users/{}/roles", id(12)), json!({ "role": "parent" })).await;
    assert_eq!(world.ask(&ADMIN, Method::DELETE, &format!("{TEACHERS}/{}", id(12)), None).await.status, 200);
    assert_eq!(world.get(&ADMIN, &format!("/api/users/{}", id(12))).await.json()["roles"], json!(["parent"]));
}
