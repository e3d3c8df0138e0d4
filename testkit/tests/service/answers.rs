//! What callers are told when something goes wrong, and what nobody is told.

use reqwest::Method;
use serde_json::json;
use testkit::Seen;
use testkit::people::{ADMIN, TEACHER};

use crate::world::World;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_problem_is_worded_for_who_asks() {
    let world = World::start().await;
    let request = |language: &'static str| {
        let request = world.request(Method::GET, "/schools/0", Some(&ADMIN)).header("accept-language", language);
        Seen::of(request)
    };
    let spanish = request("es").await;
    assert_eq!(spanish.status, 400);
    assert_eq!(spanish.header("content-type"), "application/problem+json");
    assert_eq!(spanish.header("content-language"), "es");
    let english = request("en").await;
    assert_ne!(spanish.json()["message"], english.json()["message"]);
    assert_eq!(spanish.json()["code"], english.json()["code"]);
    assert!(english.json()["requestId"].as_str().is_some_and(|id| id == english.header("x-request-id")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn check_31_a_defect_is_a_500_without_particulars_and_the_process_lives_on() {
    let world = World::start().await;
    for _ in 0..3 {
        let answer = world.get("/panics", None).await;
        assert_eq!((answer.status, answer.code().as_str()), (500, "internal_error"));
        assert!(!answer.text.contains("hunter2"), "{}", answer.text);
    }
    // What only the database knows stays there: a role that may not, a value that a constraint refuses.
    let refused = Seen::of(world.request(Method::POST, "/settings", Some(&TEACHER)).json(&json!({ "key": "a" }))).await;
    assert_eq!((refused.status, refused.code().as_str()), (403, "forbidden"));
    let set = || world.request(Method::POST, "/settings", Some(&ADMIN)).json(&json!({ "key": "zz-twice" }));
    assert_eq!(Seen::of(set()).await.status, 201);
    let taken = Seen::of(set()).await;
    assert_eq!((taken.status, taken.code().as_str()), (409, "already_exists"));
    for answer in [refused, taken] {
        for word in ["SQL", "policy", "duplicate key", "organization_configs\""] {
            assert!(!answer.text.contains(word), "{word} in {}", answer.text);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_statement_that_takes_too_long_is_stopped_and_may_be_sent_again() {
    let world = World::start().await;
    let answer = world.get("/slow", Some(&ADMIN)).await;
    assert_eq!((answer.status, answer.code().as_str(), answer.header("retry-after")), (503, "took_too_long", "1"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_request_of_the_service_is_said() {
    let world = World::start().await;
    let unknown = world.get("/nothing", None).await;
    assert_eq!((unknown.status, unknown.code().as_str()), (404, "not_found"));
    let method = Seen::of(world.request(Method::DELETE, "/who", None)).await;
    assert_eq!((method.status, method.code().as_str()), (405, "method_not_allowed"));
    let body = Seen::of(world.request(Method::POST, "/settings", Some(&ADMIN)).json(&json!({ "key": 1 }))).await;
    assert_eq!((body.status, body.code().as_str()), (422, "invalid_body"));
    let large = json!({ "key": "x".repeat(2 << 20) });
    let large = Seen::of(world.request(Method::POST, "/settings", Some(&ADMIN)).json(&large)).await;
    assert_eq!((large.status, large.code().as_str()), (413, "body_too_large"));
}
