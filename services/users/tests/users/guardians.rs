//! Parents and the students whom they follow.

use http::Method;
use serde_json::json;
use testkit::people::{ADMIN, OTHER_ADMIN, OTHER_STUDENT, PARENT, STUDENT};

use crate::world::{World, id};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_parent_sees_their_children_and_nobody_elses() {
    let world = World::start().await;
    let own = world.get(&PARENT, &format!("/api/users/{}/children", PARENT.id)).await.json();
    assert_eq!(own["items"].as_array().map(Vec::len), Some(1), "{own}");
    assert_eq!((&own["items"][0]["id"], &own["items"][0]["firstName"]), (&json!(STUDENT.id), &json!("Estudiante")));
    assert_eq!(world.get(&PARENT, &format!("/api/users/{}", STUDENT.id)).await.status, 200);
    for number in [22, 32, 11, 1] {
        for path in ["", "/profile", "/roles", "/guardians", "/children"] {
            let seen = world.get(&PARENT, &format!("/api/users/{}{path}", id(number))).await;
            assert_eq!((seen.status, seen.code().as_str()), (404, "no_such_record"), "{number}{path}");
        }
    }
    let guardians = world.get(&STUDENT, &format!("/api/users/{}/guardians", STUDENT.id)).await.json();
    assert_eq!(guardians["items"][0]["id"], json!(PARENT.id));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_school_says_who_follows_whom() {
    let world = World::start().await;
    let path = format!("/api/users/{}/guardians", id(24));
    let add = |parent: uuid::Uuid| world.post(&ADMIN, &path, json!({ "parentId": parent, "relationship": "father" }));
    let added = add(PARENT.id).await;
    assert_eq!(
        (added.status, &added.json()["lastName"], &added.json()["relationship"]),
        (201, &json!("Uno"), &json!("father")),
        "{added:?}"
    );
    assert_eq!(world.get(&PARENT, &format!("/api/users/{}", id(24))).await.status, 200, "at once");
    assert_eq!(add(PARENT.id).await.code(), "already_exists");
    for nobody in [id(22), id(99), OTHER_STUDENT.id] {
        assert_eq!((add(nobody).await.status, add(nobody).await.code()), (422, "invalid_value".to_owned()), "{nobody}");
    }
    let other = world.post(&OTHER_ADMIN, &path, json!({ "parentId": PARENT.id })).await;
    assert_eq!(other.status, 404);
    let gone = world.ask(&ADMIN, Method::DELETE, &format!("{path}/{}", PARENT.id), None).await;
    assert_eq!(gone.status, 200);
    assert_eq!(world.get(&PARENT, &format!("/api/users/{}", id(24))).await.status, 404, "at once");
}
