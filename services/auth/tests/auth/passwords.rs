//! Passwords: which are taken, how they are kept, how they are changed.

use reqwest::Method;
use serde_json::json;
use testkit::people::{PASSWORD, STUDENT, TEACHER};

use crate::world::{SignedIn, World, link_in, token_of};

const NEW: &str = "lluvia en la montaña";

#[tokio::test(flavor = "multi_thread")]
async fn check_1_an_imported_bcrypt_hash_is_upgraded_at_login() {
    let world = World::start().await;
    let hash = bcrypt::hash(NEW, 10).expect("a hash");
    world.sql(&format!("UPDATE auth.users SET password_hash = '{hash}' WHERE id = '{}'", TEACHER.id)).await;
    let kept =
        || world.value("SELECT left(password_hash, 30) FROM auth.users WHERE email = 'docente1@escuela.example'");
    assert_eq!(world.login_from("192.0.2.1", TEACHER.email, "otra clave cualquiera").await.status, 401);
    assert!(kept().await.starts_with("$2b$10$"), "a wrong password upgrades nothing");
    assert_eq!(world.login_from("192.0.2.1", TEACHER.email, NEW).await.status, 200);
    assert_eq!(kept().await, "$argon2id$v=19$m=19456,t=2,p=1");
    assert_eq!(world.login_from("192.0.2.1", TEACHER.email, NEW).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn check_2_any_long_password_is_taken_as_it_is_typed() {
    let world = World::start().await;
    let short = json!({ "email": "a@escuela.example", "password": "siete 7", "name": "A" });
    let seen = world.post("/api/auth/register", short).await;
    assert_eq!(
        (seen.status, seen.code().as_str(), seen.json()["reason"].clone()),
        (422, "weak_password", json!("too_short"))
    );
    let long = format!(" {} ñ\u{303}🦜 ", "abcd ".repeat(150));
    world.register("largo@escuela.example", &long, json!({})).await;
    assert_eq!(world.login_from("192.0.2.1", "largo@escuela.example", &long).await.status, 200);
    for other in [long.trim(), &long[..long.len() - 1], &long.replace("n\u{303}", "ñ").replace("ñ\u{303}", "ñ")] {
        assert_eq!(world.login_from("192.0.2.2", "largo@escuela.example", other).await.status, 401);
    }
    assert_eq!(world.login_from("192.0.2.2", "largo@escuela.example", &"x".repeat(100_000)).await.status, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn check_3_what_is_guessed_first_is_refused_wherever_a_password_is_set() {
    let world = World::start().await;
    let teacher = world.login(&TEACHER).await;
    for (password, reason) in
        [("iloveyou", "common"), ("Contraseña123", "common"), ("profe 2026", "context"), ("docente1-!", "context")]
    {
        let register = json!({ "email": "docente1.nueva@escuela.example", "password": password, "name": "X", "organizationId": TEACHER.school, "role": "teacher" });
        let at_register = world.post("/api/auth/register", register).await;
        let change = json!({ "currentPassword": PASSWORD, "newPassword": password });
        let at_change = world.call_with(&teacher.token, Method::POST, "/api/auth/change-password", change).await;
        for seen in [at_register, at_change] {
            let said = seen.json();
            assert_eq!(
                (seen.status, said["code"].as_str(), said["reason"].as_str()),
                (422, Some("weak_password"), Some(reason)),
                "{password}"
            );
        }
    }
    let of_the_school = json!({ "email": "n@escuela.example", "password": "ejemplo-2026", "name": "X", "organizationId": TEACHER.school, "role": "teacher" });
    assert_eq!(world.post("/api/auth/register", of_the_school).await.json()["reason"], "context");
}

#[tokio::test(flavor = "multi_thread")]
async fn check_3_a_breached_password_is_refused_wherever_one_is_set_where_there_is_a_list() {
    let list = tempfile::NamedTempFile::new().expect("a file");
    // Of "lluvia en la ventana" alone.
    std::fs::write(list.path(), "89F4A144DF5405C0A634C60550FFB4A050F3AFB4:7\r\n").expect("a list");
    let world = World::start_with(|settings| settings.breached = Some(list.path().to_owned())).await;
    let (breached, path) = ("lluvia en la ventana", "/api/auth/reset-password");
    world.post(path, json!({ "email": STUDENT.email })).await;
    let token = token_of(&link_in(&world.letter(STUDENT.email, 1).await));
    let here = world.login(&TEACHER).await;
    let register = |password: &str| json!({ "email": "n@escuela.example", "password": password, "name": "N" });
    let change = |password: &str| json!({ "currentPassword": PASSWORD, "newPassword": password });
    for seen in [
        world.post("/api/auth/register", register(breached)).await,
        world.post(path, json!({ "token": token, "password": breached })).await,
        world.call_with(&here.token, Method::POST, "/api/auth/change-password", change(breached)).await,
    ] {
        assert_eq!((seen.status, seen.json()["reason"].as_str()), (422, Some("breached")), "{seen:?}");
    }
    assert_eq!(world.post("/api/auth/register", register(NEW)).await.status, 202);
    assert_eq!(world.post(path, json!({ "token": token, "password": NEW })).await.status, 200);
    let changed = world.call_with(&here.token, Method::POST, "/api/auth/change-password", change(NEW)).await;
    assert_eq!(changed.status, 200);
    // A file that is none is told at the start, with the cure.
    std::fs::write(list.path(), "lluvia en la ventana\n").expect("a file");
    let mut settings = world.settings.clone();
    settings.service.port = 0;
    let refused = auth::bind(settings).await.err().expect("it does not start").to_string();
    assert!(refused.contains("AUTH_SERVICE_BREACHED_PASSWORDS") && refused.contains("downloader"), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn check_6_a_change_needs_the_current_password_ends_other_sessions_and_is_told() {
    let world = World::start().await;
    let (here, elsewhere) = (world.login(&TEACHER).await, world.login(&TEACHER).await);
    let other = world.login(&STUDENT).await;
    let change = |current: &str| json!({ "currentPassword": current, "newPassword": NEW });
    let path = "/api/auth/change-password";
    assert_eq!(world.post(path, change(PASSWORD)).await.status, 401, "nobody is signed in");
    let refused = world.call_with(&here.token, Method::POST, path, change("otra clave")).await;
    assert_eq!((refused.status, refused.code().as_str()), (403, "wrong_password"));
    let done = world.call_with(&here.token, Method::POST, path, change(PASSWORD)).await;
    assert_eq!((done.status, done.json()), (200, json!({ "ended": 1 })));
    assert_eq!(world.refresh(&elsewhere.refresh).await.status, 401, "the other one has ended");
    assert_eq!(world.refresh(&here.refresh).await.status, 200, "this one goes on");
    assert_eq!(world.refresh(&other.refresh).await.status, 200, "other people's go on");
    assert_eq!(world.login_from("192.0.2.1", TEACHER.email, PASSWORD).await.status, 401);
    SignedIn::of(&world.login_from("192.0.2.1", TEACHER.email, NEW).await);
    let letters = || world.letters(TEACHER.email).into_iter().filter(|letter| letter.contains("se cambió el")).count();
    crate::world::until(async || letters() == 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_guesses_the_current_password_is_slowed_down() {
    let world = World::start().await;
    let here = world.login(&TEACHER).await;
    let guess = json!({ "currentPassword": "no es", "newPassword": NEW });
    let mut statuses = Vec::new();
    for _ in 0..6 {
        statuses
            .push(world.call_with(&here.token, Method::POST, "/api/auth/change-password", guess.clone()).await.status);
    }
    assert_eq!(statuses, [403, 403, 403, 403, 403, 429]);
}
