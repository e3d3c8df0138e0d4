//! Invitations by mail: sent, accepted, sent again, withdrawn.

use http::Method;
use serde_json::json;
use testkit::Seen;
use testkit::people::{ADMIN, OTHER_STUDENT};

use crate::world::World;

async fn accept(world: &World, token: &str) -> Seen {
    Seen::of(world.served.request(Method::POST, "/api/users/invitations/accept").json(&json!({ "token": token }))).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn check_7_an_invitation_is_kept_hashed_works_once_and_leads_to_a_password() {
    let world = World::start().await;
    let email = "eva@escuela.example";
    let invited = world
        .post(&ADMIN, "/api/users/invitations", json!({ "email": email, "role": "teacher", "firstName": "Eva" }))
        .await;
    assert_eq!((invited.status, &invited.json()["status"]), (201, &json!("invited")), "{invited:?}");
    let token = world.token_to(email).await;
    let kept = world.value("SELECT string_agg(invitation_token, ',') FROM users.members").await;
    assert!(!kept.contains(&token) && kept.len() == 43, "{kept}");
    let (one, other) = tokio::join!(accept(&world, &token), accept(&world, &token));
    let mut statuses = [one.status, other.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 400], "of two at once one gets it: {one:?} {other:?}");
    let joined = if one.status == 200 { one.json() } else { other.json() };
    assert_eq!((&joined["email"], &joined["organizationId"]), (&json!(email), &json!(ADMIN.school)));
    // It is a token of the auth service now, good for ten minutes and for this address.
    let password = joined["passwordToken"].as_str().expect("a token").to_owned();
    let reset = "SELECT (r.email = u.email AND r.expires_at <= now() + interval '10 minutes' AND r.used_at IS NULL)::text || ' ' || r.token \
                 FROM auth.password_resets r JOIN auth.users u ON u.id = r.user_id WHERE u.email = 'eva@escuela.example'";
    let reset = world.value(reset).await;
    assert!(reset.starts_with("true ") && !reset.contains(&password) && password.len() == 43, "{reset}");
    assert_eq!(accept(&world, &password).await.code(), "invitation_void", "it is no invitation");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_letter_that_is_sent_again_voids_the_last_one_and_a_withdrawn_one_is_void() {
    let world = World::start().await;
    let email = "eva@escuela.example";
    let body = json!({ "email": email, "role": "parent" });
    let id = world.post(&ADMIN, "/api/users/invitations", body.clone()).await.json()["id"]
        .as_str()
        .expect("an id")
        .to_owned();
    let first = world.token_to(email).await;
    for entry in std::fs::read_dir(world.mailbox.path()).expect("a folder") {
        std::fs::remove_file(entry.expect("an entry").path()).expect("removed");
    }
    assert_eq!(world.post(&ADMIN, "/api/users/invitations", body.clone()).await.status, 201);
    let second = world.token_to(email).await;
    assert_ne!(first, second);
    assert_eq!(accept(&world, &first).await.status, 400);
    assert_eq!(world.get(&ADMIN, "/api/users/invitations").await.json()["total"], 1);
    assert_eq!(world.ask(&ADMIN, Method::DELETE, &format!("/api/users/invitations/{id}"), None).await.status, 200);
    assert_eq!(accept(&world, &second).await.status, 400);
    assert_eq!(world.get(&ADMIN, "/api/users/invitations").await.json()["total"], 0);
    assert_eq!(world.ask(&ADMIN, Method::DELETE, &format!("/api/users/invitations/{id}"), None).await.status, 404);
    // Whoever belongs to the school is not invited to it.
    let there = world
        .post(&ADMIN, "/api/users/invitations", json!({ "email": "docente1@escuela.example", "role": "parent" }))
        .await;
    assert_eq!((there.status, there.code().as_str()), (409, "already_exists"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn check_38_a_name_brings_no_header_into_a_letter() {
    let world = World::start().await;
    let body =
        json!({ "email": "eva@escuela.example", "role": "parent", "firstName": "Eva\r\nBcc: malo@malo.example" });
    let seen = world.post(&ADMIN, "/api/users/invitations", body).await;
    assert_eq!((seen.status, seen.code().as_str()), (422, "invalid_value"));
    let body = json!({ "email": "eva@escuela.example\r\nBcc: malo@malo.example", "role": "parent" });
    assert_eq!(world.post(&ADMIN, "/api/users/invitations", body).await.status, 422);
}

/// The subject of the letter to somebody.
async fn subject_to(world: &World, address: &str) -> String {
    world.token_to(address).await;
    let letters = std::fs::read_dir(world.mailbox.path()).expect("a folder").filter_map(Result::ok);
    let letters = letters.filter_map(|entry| std::fs::read_to_string(entry.path()).ok());
    let letter = letters.into_iter().find(|letter| letter.contains(&format!("To: {address}"))).expect("a letter");
    letter.lines().find_map(|line| line.strip_prefix("Subject: ")).expect("a subject").to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_letter_is_in_the_persons_language_else_in_the_schools() {
    let world = World::start().await;
    let invite = async |email: &str| {
        let body = json!({ "email": email, "role": "parent" });
        assert_eq!(world.post(&ADMIN, "/api/users/invitations", body).await.status, 201);
        subject_to(&world, email).await
    };
    assert_eq!(invite("eva@escuela.example").await, "Te han invitado a Profe", "where nobody has said anything");
    let english = "INSERT INTO organizations.organization_configs AS c (organization_id, config_key, config_value) \
                   VALUES ('{}', 'language', '\"en\"') \
                   ON CONFLICT (organization_id, config_key) DO UPDATE SET config_value = excluded.config_value RETURNING 'set'";
    world.value(&english.replace("{}", &ADMIN.school.to_string())).await;
    assert_eq!(invite("ana@escuela.example").await, "You are invited to Profe");
    // Somebody of another school, who has chosen.
    let chosen = "INSERT INTO users.user_preferences AS p (user_id, language) VALUES ('{}', 'es-CO') \
                  ON CONFLICT (user_id) DO UPDATE SET language = excluded.language RETURNING 'set'";
    world.value(&chosen.replace("{}", &OTHER_STUDENT.id.to_string())).await;
    assert_eq!(invite(OTHER_STUDENT.email).await, "Te han invitado a Profe");
}
