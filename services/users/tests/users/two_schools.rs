//! People who belong to another school, or will: what one school learns of them, and what it may do.

use http::Method;
use serde_json::{Value, json};
use testkit::people::{ADMIN, OTHER_ADMIN, OTHER_STUDENT};

use crate::world::World;

fn body(email: &str) -> Value {
    json!({ "email": email, "firstName": "Escrito", "lastName": "Por La Escuela", "role": "parent" })
}

fn without_particulars(mut user: Value, email: &str) -> String {
    for member in ["id", "createdAt", "updatedAt"] {
        user[member] = json!(null);
    }
    user.to_string().replace(email, "…")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_school_does_not_learn_that_somebody_has_an_account_or_what_is_in_it() {
    let world = World::start().await;
    let (known, unknown) = (OTHER_STUDENT.email, "nadie@escuela.example");
    let mut seen = Vec::new();
    for email in [known, unknown] {
        let created = world.post(&ADMIN, "/api/users", body(email)).await;
        assert_eq!(created.status, 201, "{created:?}");
        let id = created.json()["id"].as_str().expect("an id").to_owned();
        let mut answers = vec![without_particulars(created.json(), email)];
        for path in ["", "/profile", "/guardians", "/preferences"] {
            let answer = world.get(&ADMIN, &format!("/api/users/{id}{path}")).await;
            let body = if answer.status == 200 { without_particulars(answer.json(), email) } else { answer.code() };
            answers.push(format!("{path} {} {body}", answer.status));
        }
        let roles = world.get(&ADMIN, &format!("/api/users/{id}/roles")).await.json();
        answers.push(format!("{} {}", roles["items"].as_array().map_or(0, Vec::len), roles["items"][0]["role"]));
        seen.push(answers);
    }
    assert_eq!(seen[0], seen[1]);
    // The other school knows nothing of it.
    let there = world.get(&OTHER_ADMIN, &format!("/api/users/{}", OTHER_STUDENT.id)).await.json();
    assert_eq!((&there["roles"], &there["firstName"]), (&json!(["student"]), &json!("Estudiante")));
    let roles = format!(
        "SELECT string_agg(role || ' ' || is_active, ',') FROM users.user_roles WHERE user_id = '{}'",
        OTHER_STUDENT.id
    );
    assert_eq!(world.value(&roles).await, "student true", "nothing is given before they accept");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_accepts_belongs_to_both_and_their_name_is_theirs() {
    let world = World::start().await;
    world.post(&ADMIN, "/api/users", body(OTHER_STUDENT.email)).await;
    let path = format!("/api/users/{}", OTHER_STUDENT.id);
    // What the school wrote itself it may change.
    let renamed =
        world.ask(&ADMIN, Method::PUT, &path, Some(json!({ "firstName": "Otro", "lastName": "Nombre" }))).await;
    assert_eq!((renamed.status, &renamed.json()["firstName"]), (200, &json!("Otro")), "{renamed:?}");
    let token = world.token_to(OTHER_STUDENT.email).await;
    let accept = json!({ "token": token });
    let joined =
        testkit::Seen::of(world.served.request(Method::POST, "/api/users/invitations/accept").json(&accept)).await;
    assert_eq!((joined.status, &joined.json()["passwordToken"]), (200, &json!(null)), "{joined:?}");
    let here = world.get(&ADMIN, &path).await.json();
    assert_eq!(
        (&here["status"], &here["roles"], &here["lastName"]),
        (&json!("active"), &json!(["parent"]), &json!("Uno"))
    );
    for (admin, status) in [(&ADMIN, 403), (&OTHER_ADMIN, 403)] {
        let names = json!({ "firstName": "A", "lastName": "B" });
        let put = world.ask(admin, Method::PUT, &path, Some(names)).await;
        assert_eq!((put.status, put.code().as_str()), (status, "the_persons_own"));
        assert!(!put.text.contains("colegio") && !put.text.contains("school"), "{}", put.text);
    }
    // One school's suspension is that school's; the account is not one school's to close.
    let off = world.ask(&ADMIN, Method::PATCH, &format!("{path}/status"), Some(json!({ "status": "inactive" }))).await;
    assert_eq!((off.status, &off.json()["status"]), (200, &json!("inactive")), "{off:?}");
    assert_eq!(world.get(&OTHER_ADMIN, &path).await.json()["status"], "active");
    assert_eq!(world.value(&format!("SELECT is_active FROM auth.users WHERE id = '{}'", OTHER_STUDENT.id)).await, "t");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_offer_can_be_suspended_extended_and_taken_back() {
    let world = World::start().await;
    world.post(&ADMIN, "/api/users", body(OTHER_STUDENT.email)).await;
    let path = format!("/api/users/{}", OTHER_STUDENT.id);
    let token = world.token_to(OTHER_STUDENT.email).await;
    let off = world.ask(&ADMIN, Method::PATCH, &format!("{path}/status"), Some(json!({ "status": "inactive" }))).await;
    assert_eq!(off.json()["status"], "inactive", "{off:?}");
    let accept = || {
        testkit::Seen::of(
            world.served.request(Method::POST, "/api/users/invitations/accept").json(&json!({ "token": token })),
        )
    };
    assert_eq!(accept().await.code(), "invitation_void", "who is suspended does not join");
    world.ask(&ADMIN, Method::PATCH, &format!("{path}/status"), Some(json!({ "status": "active" }))).await;
    let more = world.post(&ADMIN, &format!("{path}/roles"), json!({ "role": "teacher" })).await;
    assert_eq!((more.status, &more.json()["isActive"]), (201, &json!(false)), "{more:?}");
    let roles = world.get(&ADMIN, &format!("{path}/roles")).await.json();
    let ids: Vec<String> = roles["items"]
        .as_array()
        .expect("roles")
        .iter()
        .map(|role| role["id"].as_str().expect("an id").to_owned())
        .collect();
    assert_eq!(ids.len(), 2);
    for (number, id) in ids.iter().enumerate() {
        assert_eq!(world.ask(&ADMIN, Method::DELETE, &format!("{path}/roles/{id}"), None).await.status, 200);
        assert_eq!(world.get(&ADMIN, &path).await.status, if number == 0 { 200 } else { 404 });
    }
    assert_eq!(accept().await.code(), "invitation_void", "what was offered was taken back");
}
