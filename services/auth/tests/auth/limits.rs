//! Limits, which slow attackers down and lock no owner out.

use serde_json::json;
use testkit::people::{PASSWORD, STUDENT, TEACHER};

use crate::world::{World, link_in, token_of};

#[tokio::test(flavor = "multi_thread")]
async fn check_5_twenty_wrong_logins_from_one_address_are_enough() {
    let world = World::start().await;
    for n in 0..20 {
        let seen = world.login_from("198.51.100.9", &format!("nadie{n}@escuela.example"), "x").await;
        assert_eq!(seen.status, 401, "{n}");
    }
    let seen = world.login_from("198.51.100.9", TEACHER.email, PASSWORD).await;
    assert_eq!((seen.status, seen.code().as_str()), (429, "too_many_requests"));
    let wait: u64 = seen.header("retry-after").parse().expect("seconds");
    assert!((1..=15).contains(&wait), "{wait}");
    // Others are not at fault, and what the client writes itself changes nothing.
    world.login(&TEACHER).await;
    assert_eq!(world.login_from("203.0.113.1, 198.51.100.9", STUDENT.email, PASSWORD).await.status, 429);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_school_behind_one_address_signs_in_unhindered() {
    let world = World::start().await;
    for _ in 0..4 {
        for n in 1..=8 {
            let seen = world.login_from("198.51.100.7", &format!("estudiante{n}@escuela.example"), PASSWORD).await;
            assert_eq!(seen.status, 200, "{seen:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn check_5_an_attack_from_everywhere_does_not_lock_the_owner_out() {
    let world = World::start().await;
    world.login(&TEACHER).await;
    let mut refused = None;
    for n in 0..120 {
        let seen = world.login_from(&format!("198.51.100.{}", n % 100), TEACHER.email, "una clave").await;
        if seen.status == 429 {
            refused = Some(n);
            break;
        }
        assert_eq!(seen.status, 401);
    }
    assert!(refused.is_some_and(|n| n >= 90), "strangers are stopped: {refused:?}");
    // From where they have signed in before, the owner passes.
    world.login(&TEACHER).await;
    // From elsewhere they wait, or set a password by mail, which makes the place known.
    assert_eq!(world.login_from("203.0.113.5", TEACHER.email, PASSWORD).await.status, 429);
    let reset = json!({ "email": TEACHER.email });
    world.post("/api/auth/reset-password", reset).await;
    world.settled().await;
    let letters = world.letters(TEACHER.email);
    let letter = letters.iter().find(|letter| letter.contains("#token=")).expect("a link");
    let done = json!({ "token": token_of(&link_in(letter)), "password": "lluvia en la montaña" });
    let request = world.from("203.0.113.5", reqwest::Method::POST, "/api/auth/reset-password").json(&done);
    assert_eq!(crate::world::Seen::of(request).await.status, 200);
    assert_eq!(world.login_from("203.0.113.5", TEACHER.email, "lluvia en la montaña").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn check_31_a_text_that_the_database_cannot_keep_is_no_defect() {
    let world = World::start().await;
    let seen = world.login_from("192.0.2.1", "docente\0@escuela.example", testkit::people::PASSWORD).await;
    assert_eq!((seen.status, seen.code().as_str()), (422, "invalid_value"), "{seen:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn letters_are_limited_for_who_asks_and_silently_for_who_gets_them() {
    let world = World::start().await;
    let ask = json!({ "email": TEACHER.email });
    let mut statuses = Vec::new();
    for _ in 0..11 {
        statuses.push(world.post("/api/auth/reset-password", ask.clone()).await.status);
    }
    assert_eq!((statuses[..10].to_vec(), statuses[10]), (vec![202; 10], 429));
    world.settled().await;
    assert_eq!(world.letters(TEACHER.email).len(), 3, "nobody's mailbox is filled");
}
