//! Letters: in the person's language, and none lost.

use serde_json::json;
use testkit::people::{PASSWORD, STUDENT, TEACHER};

use crate::world::World;

#[tokio::test(flavor = "multi_thread")]
async fn letters_are_in_the_persons_language() {
    let world = World::start().await;
    let english = format!(
        "INSERT INTO users.user_preferences (user_id, language) VALUES ('{}', 'en') ON CONFLICT (user_id) DO UPDATE SET language = 'en'",
        STUDENT.id
    );
    world.sql(&english).await;
    for person in [&STUDENT, &TEACHER] {
        world.post("/api/auth/reset-password", json!({ "email": person.email })).await;
    }
    let (english, spanish) = (world.letter(STUDENT.email, 1).await, world.letter(TEACHER.email, 1).await);
    assert!(english.contains("Subject: Choose a new password") && english.contains("Hello, "), "{english}");
    assert!(spanish.contains("Hola, ") && spanish.contains("From: profe@escuela.example"), "{spanish}");
    // Who registers is written to in the language of the page.
    let body = json!({ "email": "new@escuela.example", "password": "rain upon the mountains", "name": "New Teacher" });
    let request = world
        .from("192.0.2.1", reqwest::Method::POST, "/api/auth/register")
        .header("accept-language", "en")
        .json(&body);
    assert_eq!(crate::world::Seen::of(request).await.status, 202);
    assert!(world.letter("new@escuela.example", 1).await.contains("Subject: Confirm your address"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sign_in_from_a_new_place_is_told_once() {
    let world = World::start().await;
    for _ in 0..2 {
        assert_eq!(world.login_from("198.51.100.77", TEACHER.email, PASSWORD).await.status, 200);
    }
    world.settled().await;
    let letters = world.letters(TEACHER.email);
    assert_eq!(letters.len(), 1);
    assert!(letters[0].contains("198.51.100.77") && letters[0].contains("Navegador de prueba"), "{}", letters[0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_promised_is_done_after_a_crash_and_when_mail_is_back() {
    let mut world = World::start().await;
    // A file stands where the folder was: no letter leaves.
    let mail = world.folder.path().join("mail");
    std::fs::write(&mail, "").expect("a file");
    assert_eq!(world.post("/api/auth/reset-password", json!({ "email": TEACHER.email })).await.status, 202);
    let failed = "SELECT count(*) FROM auth.errands WHERE last_error LIKE '%cannot be put%'";
    crate::world::until(async || world.value(failed).await == "1").await;
    std::fs::remove_file(&mail).expect("it was there");
    // A copy that died over it had taken it for a minute; that is over.
    world.sql("UPDATE auth.errands SET due_at = now() WHERE due_at < '2900-01-01'").await;
    world.restart(|_| ()).await;
    assert!(world.letter(TEACHER.email, 1).await.contains("#token="));
    world.settled().await;
}
