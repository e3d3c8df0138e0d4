//! Registering, which hands out no power.

use reqwest::Method;
use serde_json::json;
use testkit::people::{ADMIN, PASSWORD, SCHOOLS};

use crate::world::{SignedIn, World, until};

const PASS: &str = "lluvia en la montaña";

#[tokio::test(flavor = "multi_thread")]
async fn who_registers_waits_for_an_administrator() {
    let world = World::start().await;
    let join = json!({ "role": "teacher", "organizationId": SCHOOLS[0] });
    let before = json!({ "email": "nueva@escuela.example", "password": PASS, "name": "María Fernanda López Gil" });
    let seen = world.post("/api/auth/register", before).await;
    assert_eq!((seen.status, seen.json()["status"].as_str()), (202, Some("verification_sent")));
    world.letter("nueva@escuela.example", 1).await;
    assert_eq!(world.login_from("192.0.2.1", "nueva@escuela.example", PASS).await.status, 401, "not confirmed yet");

    world.register("otra@escuela.example", PASS, join).await;
    let signed_in = SignedIn::of(&world.login_from("192.0.2.1", "OTRA@escuela.example", PASS).await);
    assert_eq!(signed_in.body["user"]["name"], "Docente Nueva");
    assert_eq!(
        (&signed_in.body["user"]["role"], &signed_in.body["user"]["organizationId"]),
        (&json!(null), &json!(null))
    );
    assert_eq!(signed_in.claims().get("org"), None);
    // The administrator's own act, under the policies.
    let admin = format!(
        "BEGIN; SELECT set_config('role', 'app_user', true), set_config('request.jwt.claims', '{{\"sub\":\"{}\",\"org\":\"{}\",\"role\":\"admin\"}}', true); \
         UPDATE users.user_roles SET is_active = true WHERE user_id = (SELECT id FROM auth.users WHERE email = 'otra@escuela.example'); COMMIT",
        ADMIN.id, ADMIN.school
    );
    world.sql(&admin).await;
    let refreshed = SignedIn::of(&world.refresh(&signed_in.refresh).await);
    assert_eq!(
        (refreshed.claims()["role"].clone(), refreshed.claims()["org"].clone()),
        (json!("teacher"), json!(SCHOOLS[0]))
    );
    let names = "SELECT first_name || '|' || last_name FROM users.user_profiles p JOIN auth.users u ON u.id = p.user_id WHERE email = 'nueva@escuela.example'";
    assert_eq!(world.value(names).await, "María Fernanda|López Gil");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_school_may_let_roles_join_by_themselves() {
    let world = World::start().await;
    let open = format!(
        "INSERT INTO organizations.organization_configs (organization_id, config_key, config_value) \
         VALUES ('{}', 'self_registration', '[\"student\", \"admin\"]')",
        SCHOOLS[0]
    );
    world.sql(&open).await;
    world.register("alumna@escuela.example", PASS, json!({ "role": "student", "organizationId": SCHOOLS[0] })).await;
    let student = SignedIn::of(&world.login_from("192.0.2.1", "alumna@escuela.example", PASS).await);
    assert_eq!(student.body["user"]["role"], "student");
    world.register("docente@escuela.example", PASS, json!({ "role": "teacher", "organizationId": SCHOOLS[0] })).await;
    let teacher = SignedIn::of(&world.login_from("192.0.2.1", "docente@escuela.example", PASS).await);
    assert_eq!(teacher.body["user"]["role"], json!(null));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_registered_is_refused() {
    let world = World::start().await;
    let of = |more: serde_json::Value| {
        let mut body = json!({ "email": "x@escuela.example", "password": PASS, "name": "X" });
        for (name, value) in more.as_object().expect("members") {
            body[name] = value.clone();
        }
        body
    };
    for (more, status, code) in [
        (json!({ "role": "admin", "organizationId": SCHOOLS[0] }), 403, "forbidden"),
        (json!({ "role": "admin" }), 403, "forbidden"),
        (json!({ "role": "teacher", "organizationId": ADMIN.id }), 422, "no_such_organization"),
        (json!({ "organizationId": SCHOOLS[0] }), 422, "invalid_value"),
        (json!({ "email": "x" }), 422, "invalid_value"),
        (json!({ "email": "x@escuela.example\r\nBcc: y@escuela.example" }), 422, "invalid_value"),
        (json!({ "name": " " }), 422, "invalid_value"),
        (json!({ "role": "owner" }), 422, "invalid_body"),
    ] {
        let seen = world.post("/api/auth/register", of(more.clone())).await;
        assert_eq!((seen.status, seen.code().as_str()), (status, code), "{more}");
    }
    assert_eq!(world.value("SELECT count(*) FROM auth.errands WHERE kind = 'register'").await, "0");
    // Even the table's owner's function would not do it.
    let forced = "SELECT users.register_person(gen_random_uuid(), 'a', 'b', 'es', '00000007-0001-4000-8000-000000000001', 'admin')";
    assert!(world.platform.db.session().await.batch(forced).await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn who_registers_with_anothers_address_changes_nothing_of_theirs() {
    let world = World::start().await;
    let mine = json!({ "email": "Admin@Escuela.example", "password": PASS, "name": "Intrusa", "role": "student", "organizationId": SCHOOLS[1] });
    assert_eq!(world.post("/api/auth/register", mine).await.status, 202);
    let letter = world.letter(ADMIN.email, 1).await;
    assert!(letter.contains("que ya tiene una cuenta") && !letter.contains("Intrusa"), "{letter}");
    assert_eq!(world.login_from("192.0.2.1", ADMIN.email, PASS).await.status, 401);
    let admin = SignedIn::of(&world.login_from("192.0.2.1", ADMIN.email, PASSWORD).await);
    assert_eq!(admin.body["memberships"].as_array().map(Vec::len), Some(1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_confirming_letter_comes_again_and_only_the_last_link_works() {
    let world = World::start().await;
    let email = "nueva@escuela.example";
    world.post("/api/auth/register", json!({ "email": email, "password": PASS, "name": "Nueva" })).await;
    let first = crate::world::path_of(&crate::world::link_in(&world.letter(email, 1).await));
    assert_eq!(world.post("/api/auth/resend-verification", json!({ "email": email })).await.status, 202);
    let second = crate::world::path_of(&crate::world::link_in(&world.letter(email, 2).await));
    let follow = async |path: &str| crate::world::Seen::of(world.from("192.0.2.1", Method::GET, path)).await.status;
    assert_eq!(follow(&first).await, 400);
    assert_eq!((follow(&second).await, follow(&second).await), (200, 400), "once");
    // Confirmed, nothing is sent any more.
    world.post("/api/auth/resend-verification", json!({ "email": email })).await;
    world.settled().await;
    until(async || world.letters(email).len() == 2).await;
}
