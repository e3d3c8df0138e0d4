//! A school in the eyes of its people, and of others.

use http::Method;
use serde_json::{Value, json};
use testkit::Seen;
use testkit::people::{ADMIN, OTHER_ADMIN, PARENT, PLATFORM_ADMIN, SCHOOLS, STUDENT, TEACHER};

use crate::world::World;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn members_read_their_school_and_its_administrator_changes_it() {
    let world = World::start().await;
    let path = format!("/api/organizations/{}", SCHOOLS[0]);
    for person in [ADMIN, TEACHER, STUDENT, PARENT, PLATFORM_ADMIN] {
        let school = world.get(&person, &path).await;
        assert_eq!(
            (school.status, school.json()["name"].as_str()),
            (200, Some("Escuela de Ejemplo")),
            "{}",
            person.email
        );
    }
    let said = json!({ "name": " Escuela Nueva ", "website": "https://nueva.escuela.example", "phone": "" });
    let read = world.get(&ADMIN, &path).await;
    let change = |tag: String| {
        let request = world.served.request(Method::PUT, &path).bearer_auth(world.platform.issuer.token(&ADMIN));
        Seen::of(request.header("if-match", tag).json(&said))
    };
    let changed = change(read.header("etag").to_owned()).await;
    assert_eq!(changed.status, 200, "{}", changed.text);
    let now = changed.json();
    assert_eq!(
        (now["name"].as_str(), &now["phone"], &now["email"]),
        (Some("Escuela Nueva"), &Value::Null, &Value::Null)
    );
    assert_eq!(change(read.header("etag").to_owned()).await.code(), "changed_meanwhile");
    assert_eq!(world.get(&TEACHER, &path).await.json(), now);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn check_18_another_school_is_none_for_reading_changing_and_listing() {
    let world = World::start().await;
    let path = format!("/api/organizations/{}", SCHOOLS[0]);
    for (method, path, body) in [
        (Method::GET, path.clone(), None),
        (Method::PUT, path.clone(), Some(json!({ "name": "Mía" }))),
        (Method::DELETE, path.clone(), None),
        (Method::POST, format!("{path}/restore"), None),
        (Method::GET, format!("{path}/config"), None),
        (Method::PUT, format!("{path}/config"), Some(json!({}))),
        (Method::PATCH, format!("{path}/config"), Some(json!({}))),
    ] {
        let answer = world.ask(&OTHER_ADMIN, method.clone(), &path, body).await;
        assert_eq!((answer.status, answer.code().as_str()), (404, "no_such_record"), "{method} {path}");
    }
    let names =
        |list: Value| list["items"].as_array().expect("rows").iter().map(|s| s["name"].clone()).collect::<Vec<_>>();
    assert_eq!(names(world.get(&OTHER_ADMIN, "/api/organizations").await.json()), ["Colegio de Ejemplo"]);
    let all = world.get(&PLATFORM_ADMIN, "/api/organizations?limit=1").await.json();
    assert_eq!((names(all.clone()), &all["total"]), (vec!["Colegio de Ejemplo".into()], &json!(2)));
    let next = all["next"].as_str().expect("there is another page");
    let rest = world.get(&PLATFORM_ADMIN, &format!("/api/organizations?limit=1&cursor={next}")).await.json();
    assert_eq!((names(rest.clone()), &rest["next"]), (vec!["Escuela de Ejemplo".into()], &Value::Null));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn check_19_members_that_are_not_the_callers_to_set_are_refused() {
    let world = World::start().await;
    let path = format!("/api/organizations/{}", SCHOOLS[0]);
    for member in ["id", "isActive", "createdAt", "is_active"] {
        let body = json!({ "name": "Escuela", member: "x" });
        let answer = world.ask(&ADMIN, Method::PUT, &path, Some(body)).await;
        assert_eq!((answer.status, answer.code().as_str()), (422, "invalid_body"), "{member}");
    }
    // The web client sends back what it was given: it is ignored there.
    let own = "/api/organizations/admin/organization";
    let mut school = world.get(&ADMIN, own).await.json();
    school["id"] = json!(SCHOOLS[1]);
    school["isActive"] = json!(false);
    school["phone"] = json!("+57 1");
    assert_eq!(world.ask(&ADMIN, Method::PUT, own, Some(school)).await.status, 200);
    let rows =
        world.platform.db.rows("SELECT name, is_active, phone FROM organizations.organizations ORDER BY id").await;
    assert_eq!(rows, ["Escuela de Ejemplo|t|+57 1", "Colegio de Ejemplo|t|+57 604 555 0200"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_web_client_reads_and_changes_the_callers_own_school() {
    let world = World::start().await;
    let own = "/api/organizations/admin/organization";
    let school = world.get(&ADMIN, own).await.json();
    let mut members: Vec<_> = school.as_object().expect("an object").keys().map(String::as_str).collect();
    members.sort_unstable();
    assert_eq!(members, ["address", "createdAt", "email", "id", "name", "phone", "updatedAt", "website"]);
    let body = json!({ "name": "Escuela", "address": "Calle 2", "phone": "", "email": "a@escuela.example" });
    let changed = world.ask(&ADMIN, Method::PUT, own, Some(body)).await.json();
    assert_eq!(
        (&changed["name"], &changed["phone"], &changed["website"]),
        (&json!("Escuela"), &json!(""), &school["website"])
    );
    let description =
        world.get(&ADMIN, &format!("/api/organizations/{}", SCHOOLS[0])).await.json()["description"].clone();
    assert!(description.is_string(), "what the client does not know stays");
    for person in [TEACHER, STUDENT, PARENT] {
        assert_eq!(world.get(&person, own).await.code(), "forbidden", "{}", person.email);
    }
    let wrong = world.ask(&ADMIN, Method::PUT, own, Some(json!({ "website": "javascript:alert(1)" }))).await;
    assert_eq!(
        (wrong.status, wrong.code().as_str(), &wrong.json()["member"]),
        (422, "invalid_value", &json!("website"))
    );
    assert!(wrong.json()["cure"].as_str().is_some_and(|cure| cure.contains("https://")));
}
