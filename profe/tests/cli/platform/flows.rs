//! What people do, with the web client's exact calls, however the platform is run.

use std::time::Duration;

use reqwest::Method;
use serde_json::json;
use testkit::people::PASSWORD;

use super::school::{School, after};

/// One person of each role.
pub const ROLES: [(&str, &str); 5] = [
    ("admin", "admin@escuela.example"),
    ("teacher", "docente1@escuela.example"),
    ("student", "estudiante1@escuela.example"),
    ("parent", "acudiente1@escuela.example"),
    ("platform", "plataforma@profe.example"),
];
/// Within which who was signed out, blocked or removed is refused by every copy of every service.
const BOUND: Duration = Duration::from_secs(10);

/// One of each role signs in, and an administrator changes the school, which its members see and others do not.
pub fn each_role_signs_in_and_an_administrator_runs_their_school(school: &School) {
    for (role, email) in ROLES {
        let answer = school.login(email, PASSWORD);
        assert_eq!(answer.status, 200, "{email}: {answer:?}");
        let user = &answer.body["user"];
        assert_eq!(
            (&user["email"], &user["role"]),
            (&json!(email), &json!(if role == "platform" { "admin" } else { role }))
        );
        for member in ["id", "name"] {
            assert!(user[member].is_string(), "{member} of {answer:?}");
        }
        for member in ["token", "refreshToken"] {
            assert!(answer.body[member].is_string(), "{member}");
        }
        let token = answer.body["token"].as_str().expect("a token");
        let expected = if role == "admin" { 200 } else { 403 };
        assert_eq!(school.get("/admin/organization", token).status, expected, "{email}");
    }
    let wrong = school.login("admin@escuela.example", "otra-cosa-distinta");
    assert_eq!((wrong.status, wrong.body["message"].is_string()), (401, true), "{wrong:?}");
    let nobody = school.ask(Method::GET, "/admin/organization", None, None);
    assert_eq!((nobody.status, nobody.body["code"].as_str()), (401, Some("unauthenticated")));

    let admin = school.token("admin@escuela.example");
    let read = school.get("/admin/organization", &admin).body;
    let mut changed = read.clone();
    changed["name"] = json!("Escuela Renombrada");
    changed["website"] = json!("https://nueva.escuela.example");
    let answer = school.ask(Method::PUT, "/admin/organization", Some(&admin), Some(&changed));
    assert_eq!((answer.status, &answer.body["name"]), (200, &json!("Escuela Renombrada")), "{answer:?}");
    // Under its version too, and for its members.
    let id = read["id"].as_str().expect("an id");
    let teacher = school.token("docente1@escuela.example");
    let seen = school.get(&format!("/v1/organizations/{id}"), &teacher);
    assert_eq!((seen.status, &seen.body["name"]), (200, &json!("Escuela Renombrada")));
    let other = school.token("admin@colegio.example");
    assert_eq!(school.get(&format!("/organizations/{id}"), &other).status, 404);
}

/// A newcomer registers, follows the letters' links, and is signed out everywhere by their new password.
pub fn a_teacher_registers_shows_their_address_and_sets_a_new_password(school: &School) {
    let (email, password) = ("nueva.docente@escuela.example", "una-frase-larga-y-rara");
    let organization = "00000007-0001-4000-8000-000000000001";
    let body = json!({ "email": email, "password": password, "name": "Docente Nueva", "role": "teacher", "organizationId": organization });
    let registered = school.ask(Method::POST, "/auth/register", None, Some(&body));
    assert_eq!(registered.status, 202, "{registered:?}");
    let letter = school.letter(email, "/api/auth/verify-email/");
    let path = format!("/auth/verify-email/{}", after(&letter, "/api/auth/verify-email/"));
    assert_eq!(school.ask(Method::GET, &path, None, None).status, 200);
    assert_ne!(school.ask(Method::GET, &path, None, None).status, 200, "a link is good once");

    // Signed in, but nobody's teacher before an administrator says so.
    let login = school.login(email, password);
    assert_eq!(login.status, 200, "{login:?}");
    assert!(login.body["user"]["organizationId"].is_null(), "{login:?}");
    let old = login.body["token"].as_str().expect("a token").to_owned();
    assert_eq!(school.get(&format!("/organizations/{organization}"), &old).status, 404);

    let asked = school.ask(Method::POST, "/auth/reset-password", None, Some(&json!({ "email": email })));
    assert!((200..300).contains(&asked.status), "{asked:?}");
    let letter = school.letter(email, "/reset-password#token=");
    let token = after(&letter, "/reset-password#token=");
    let set = json!({ "token": token, "password": "otra-frase-larga-y-rara" });
    assert_eq!(school.ask(Method::POST, "/auth/reset-password", None, Some(&set)).status, 200);
    assert_ne!(school.ask(Method::POST, "/auth/reset-password", None, Some(&set)).status, 200, "a link is good once");
    assert_eq!(school.login(email, password).status, 401);
    assert_eq!(school.login(email, "otra-frase-larga-y-rara").status, 200);
    // Who was signed in is signed out, at every service, within the stated time.
    school.refuse_within(BOUND, &["/organizations", "/auth/sessions"], &old);
}

/// An administrator adds a teacher, changes and removes them, and blocks another one, who is refused everywhere, and opens the door again.
pub fn an_administrator_adds_a_teacher_and_blocks_another(school: &School) {
    let admin = school.token("admin@escuela.example");
    let call =
        |method: Method, path: &str, body: serde_json::Value| school.ask(method, path, Some(&admin), Some(&body));
    let body = json!({ "firstName": "Docente", "lastName": "Cuatro", "email": "docente4@escuela.example", "subjects": ["Música"] });
    let added = call(Method::POST, "/admin/teachers", body);
    assert_eq!(added.status, 201, "{added:?}");
    let id = added.body["id"].as_str().expect("an id").to_owned();
    for member in ["firstName", "lastName", "email", "organizationId", "subjects", "isActive", "createdAt", "updatedAt"]
    {
        assert!(!added.body[member].is_null(), "{member} of {added:?}");
    }
    let listed = school.get("/admin/teachers", &admin).body;
    assert!(listed.as_array().expect("a list").iter().any(|teacher| teacher["id"] == id.as_str()), "{listed}");
    let changed =
        json!({ "firstName": "Docente", "lastName": "Cinco", "email": "docente4@escuela.example", "subjects": [] });
    assert_eq!(call(Method::PUT, &format!("/admin/teachers/{id}"), changed).body["lastName"], "Cinco");
    let removed = school.ask(Method::DELETE, &format!("/admin/teachers/{id}"), Some(&admin), None);
    assert_eq!(removed.status, 200, "{removed:?}");

    // Somebody who is signed in, everywhere, within the stated time.
    let teacher = school.token("docente2@escuela.example");
    let own = "/users/00000001-0001-4000-8000-000000000012";
    assert_eq!(school.get(own, &teacher).status, 200, "own record");
    let blocked = call(
        Method::PATCH,
        "/admin/teachers/00000001-0001-4000-8000-000000000012/status",
        json!({ "isActive": false }),
    );
    assert_eq!((blocked.status, &blocked.body["isActive"]), (200, &json!(false)), "{blocked:?}");
    school.refuse_within(BOUND, &[own, "/organizations", "/auth/sessions"], &teacher);
    let refused = school.login("docente2@escuela.example", PASSWORD);
    assert!(refused.status == 401 || refused.body["user"]["organizationId"].is_null(), "{refused:?}");
    let opened =
        call(Method::PATCH, "/admin/teachers/00000001-0001-4000-8000-000000000012/status", json!({ "isActive": true }));
    assert_eq!((opened.status, &opened.body["isActive"]), (200, &json!(true)), "{opened:?}");
    assert_eq!(school.get(own, &school.token("docente2@escuela.example")).status, 200);
}

/// A parent sees their children, and neither others nor other parents' lists.
pub fn a_parent_sees_only_their_children(school: &School) {
    let parent = school.token("acudiente1@escuela.example");
    let own = "/users/00000001-0001-4000-8000-000000000031";
    let children = school.get(&format!("{own}/children"), &parent);
    assert_eq!(children.status, 200, "{children:?}");
    let text = children.body.to_string();
    assert!(text.contains("00000001-0001-4000-8000-000000000021"), "{text}");
    let others = (22..=28).map(|n| format!("00000001-0001-4000-8000-0000000000{n}"));
    for other in others {
        assert!(!text.contains(&other), "{other} in {text}");
        assert_eq!(school.get(&format!("/users/{other}/profile"), &parent).status, 404, "{other}");
    }
    let child = school.get("/users/00000001-0001-4000-8000-000000000021/profile", &parent);
    assert_eq!((child.status, child.body["firstName"].as_str()), (200, Some("Estudiante")), "{child:?}");
    let mine = school.get("/users/00000001-0001-4000-8000-000000000032/children", &parent);
    assert!(
        mine.status == 404 || !mine.body.to_string().contains("000000000022"),
        "somebody else's children: {mine:?}"
    );
}
