//! Who is believed, and as whom the database answers them.

use testkit::Seen;
use testkit::people::{ADMIN, OTHER_ADMIN, SCHOOLS, TEACHER};
use uuid::Uuid;

use crate::world::World;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn check_26_a_service_believes_signed_tokens_and_nothing_else() {
    let world = World::start().await;
    let school = format!("/schools/{}", SCHOOLS[0]);
    assert_eq!(world.get(&school, Some(&TEACHER)).await.status, 200);
    for (name, value) in [
        ("x-user-id", ADMIN.id.to_string()),
        ("x-roles", "admin".to_owned()),
        ("authorization", "Basic YWRtaW46YWRtaW4=".to_owned()),
        ("authorization", "Bearer ".to_owned()),
        ("authorization", format!("Bearer {}x", world.platform.issuer.token(&ADMIN))),
    ] {
        let answer = Seen::of(world.request(reqwest::Method::GET, &school, None).header(name, &value)).await;
        assert_eq!((answer.status, answer.code().as_str()), (401, "unauthenticated"), "{name}: {value}");
        assert_eq!(answer.header("www-authenticate"), "Bearer");
    }
    // In an address it would end up in logs.
    let token = world.platform.issuer.token(&ADMIN);
    assert_eq!(world.get(&format!("{school}?access_token={token}"), None).await.status, 401);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn check_18_a_row_of_another_school_is_none() {
    let world = World::start().await;
    let school = format!("/schools/{}", SCHOOLS[0]);
    assert_eq!(world.get(&school, Some(&ADMIN)).await.status, 200);
    let other = world.get(&school, Some(&OTHER_ADMIN)).await;
    let nothing = world.get(&format!("/schools/{}", Uuid::new_v4()), Some(&ADMIN)).await;
    for answer in [other, nothing] {
        assert_eq!((answer.status, answer.code().as_str()), (404, "no_such_record"));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn check_14_an_ended_session_is_refused_everywhere_within_the_stated_time() {
    let world = World::start().await;
    let session = Uuid::new_v4();
    let token = world.platform.issuer.issue(&TEACHER.access(session));
    let ask = || async {
        let request = world.served.client.get(format!("http://{}/who", world.served.address)).bearer_auth(&token);
        request.send().await.expect("an answer").status().as_u16()
    };
    assert_eq!(ask().await, 200);
    world.platform.issuer.end(session);
    let until = tokio::time::Instant::now() + std::time::Duration::from_secs(10);
    while ask().await != 401 {
        assert!(tokio::time::Instant::now() < until, "it is still believed");
        tokio::task::yield_now().await;
    }
    assert_eq!(world.get("/who", Some(&TEACHER)).await.status, 200, "another sign-in of the same person goes on");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_needs_no_sign_in_is_answered_by_the_service_itself() {
    let world = World::start().await;
    let answer = world.get("/as-service", None).await.json();
    assert_eq!(answer["role"], "organizations_service");
    assert!(answer["schools"].as_i64() >= Some(2), "{answer}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_address_of_a_caller_is_what_trusted_proxies_say() {
    let world = World::start().await;
    let forwarded = |value: &'static str| {
        let request = world.request(reqwest::Method::GET, "/who", Some(&TEACHER)).header("x-forwarded-for", value);
        async move { Seen::of(request).await.json()["address"].clone() }
    };
    assert_eq!(forwarded("1.1.1.1, 203.0.113.7").await, "203.0.113.7");
    let world = World::start_with(|settings| settings.proxies.clear()).await;
    let request = world.request(reqwest::Method::GET, "/who", Some(&TEACHER)).header("x-forwarded-for", "203.0.113.7");
    assert_eq!(Seen::of(request).await.json()["address"], "127.0.0.1");
}
