//! How a school is set up.

use http::Method;
use serde_json::json;
use testkit::people::{ADMIN, PLATFORM_ADMIN, SCHOOLS, TEACHER};

use crate::world::World;

fn path() -> String {
    format!("/api/organizations/{}/config", SCHOOLS[0])
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn settings_are_replaced_as_a_whole_or_changed_one_by_one() {
    let world = World::start().await;
    let read = world.get(&ADMIN, &path()).await;
    let seeded = json!({ "academic_year": "2026", "grading_scale": { "min": 0, "max": 100, "passing": 60 } });
    assert_eq!((read.status, read.json()), (200, seeded));
    let patch = json!({ "academic_year": null, "self_registration": ["student"] });
    let changed = world.ask(&ADMIN, Method::PATCH, &path(), Some(patch)).await;
    let expected =
        json!({ "grading_scale": { "min": 0, "max": 100, "passing": 60 }, "self_registration": ["student"] });
    assert_eq!((changed.status, changed.json()), (200, expected));
    let set = json!({ "language": "en", "timezone": null });
    let replaced = world.ask(&ADMIN, Method::PUT, &path(), Some(set)).await;
    assert_eq!((replaced.status, replaced.json()), (200, json!({ "language": "en" })));
    assert_eq!(world.get(&ADMIN, &path()).await.json(), json!({ "language": "en" }));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_setting_that_is_none_is_named_with_the_cure_and_nothing_of_the_request_is_kept() {
    let world = World::start().await;
    let before = world.get(&ADMIN, &path()).await.json();
    for (body, member) in [
        (json!({ "language": "en", "colour": "red" }), "colour"),
        (json!({ "language": "en", "grading_scale": { "min": 5, "max": 1, "passing": 3 } }), "grading_scale"),
        (json!({ "language": "en", "grading_scale": { "min": "0", "max": 1, "passing": 1 } }), "grading_scale.min"),
        (json!({ "language": "en", "self_registration": ["admin"] }), "self_registration"),
    ] {
        for method in [Method::PUT, Method::PATCH] {
            let answer = world.ask(&ADMIN, method.clone(), &path(), Some(body.clone())).await;
            assert_eq!((answer.status, answer.code().as_str()), (422, "invalid_value"), "{method} {body}");
            let problem = answer.json();
            assert_eq!(problem["member"], member, "{problem}");
            assert!(problem["cure"].as_str().is_some_and(|cure| !cure.is_empty()), "{problem}");
        }
    }
    assert_eq!(world.get(&ADMIN, &path()).await.json(), before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn settings_are_for_the_schools_own_administrators() {
    let world = World::start().await;
    assert_eq!(world.get(&TEACHER, &path()).await.code(), "forbidden");
    assert_eq!(world.get(&PLATFORM_ADMIN, &path()).await.code(), "no_such_record", "not even the platform's");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_setting_that_is_none_cannot_be_taken_away_either() {
    let world = World::start().await;
    for name in ["colour", "colour\0"] {
        let answer = world.ask(&ADMIN, Method::PATCH, &path(), Some(json!({ name: null }))).await;
        assert_eq!((answer.status, answer.code().as_str()), (422, "invalid_value"), "{answer:?}");
        assert_eq!(answer.json()["member"], name);
    }
}
