//! Requests that are done once.

use reqwest::Method;
use serde_json::json;
use testkit::people::{ADMIN, OTHER_ADMIN};
use testkit::{Person, Seen};

use crate::world::World;

fn post(world: &World, person: &Person, idempotency_key: &str, setting: &str) -> impl Future<Output = Seen> + use<> {
    let request = world.request(Method::POST, "/settings", Some(person)).json(&json!({ "key": setting }));
    Seen::of(request.header("idempotency-key", idempotency_key))
}

async fn settings(world: &World) -> Vec<String> {
    world
        .platform
        .db
        .rows("SELECT config_key FROM organizations.organization_configs WHERE config_key LIKE 'once%' ORDER BY 1")
        .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_request_again_is_answered_again_and_not_done_again() {
    let world = World::start().await;
    let first = post(&world, &ADMIN, "k-1", "once-a").await;
    assert_eq!((first.status, first.header("idempotency-replayed")), (201, ""));
    let again = post(&world, &ADMIN, "k-1", "once-a").await;
    assert_eq!((again.status, &again.text, again.header("location")), (201, &first.text, first.header("location")));
    assert_eq!(again.header("idempotency-replayed"), "true");
    let other = post(&world, &ADMIN, "k-1", "once-b").await;
    assert_eq!((other.status, other.code().as_str()), (422, "idempotency_key_reused"));
    assert_eq!(settings(&world).await, ["once-a"]);
    // A key is its caller's: somebody else's is another one.
    assert_eq!(post(&world, &OTHER_ADMIN, "k-1", "once-c").await.status, 201);
    assert_eq!(post(&world, &ADMIN, " ", "once-d").await.code(), "invalid_header");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_refused_leaves_no_answer_and_may_be_sent_again() {
    let world = World::start().await;
    assert_eq!(post(&world, &ADMIN, "k-1", "once-a").await.status, 201);
    assert_eq!(post(&world, &ADMIN, "k-2", "once-a").await.status, 409, "the setting is there already");
    let delete = "DELETE FROM organizations.organization_configs WHERE config_key = 'once-a'";
    world.platform.db.session().await.batch(delete).await.expect("deleted");
    assert_eq!(post(&world, &ADMIN, "k-2", "once-a").await.status, 201);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_at_once_one_is_done() {
    let world = World::start().await;
    let all = (0..16).map(|_| post(&world, &ADMIN, "k-1", "once-a"));
    let answers = futures_util::future::join_all(all).await;
    let done = answers.iter().filter(|answer| answer.status == 201).count();
    assert!(done >= 1, "{answers:?}");
    for answer in &answers {
        let fine = answer.status == 201 || (answer.status == 409 && answer.code() == "idempotency_in_progress");
        assert!(fine, "{answer:?}");
    }
    let first_hand = answers.iter().filter(|a| a.status == 201 && a.header("idempotency-replayed").is_empty()).count();
    assert_eq!((first_hand, settings(&world).await), (1, vec!["once-a".to_owned()]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_is_kept_for_a_day_and_is_nobody_elses() {
    let world = World::start().await;
    assert_eq!(post(&world, &ADMIN, "k-1", "once-a").await.status, 201);
    let session = world.platform.db.session().await;
    session
        .batch("UPDATE public.idempotent_answers SET created_at = now() - interval '25 hours'")
        .await
        .expect("older");
    assert_eq!(post(&world, &ADMIN, "k-1", "once-b").await.status, 201, "the key is free again");
    session
        .batch("UPDATE public.idempotent_answers SET created_at = now() - interval '25 hours'")
        .await
        .expect("older");
    assert_eq!(post(&world, &OTHER_ADMIN, "k-9", "once-c").await.status, 201);
    session.batch("SELECT public.sweep_idempotent_answers()").await.expect("swept");
    let left = world.platform.db.rows("SELECT key FROM public.idempotent_answers").await;
    assert_eq!(left, ["k-9"]);
    let claims = format!("{{\"sub\":\"{}\"}}", ADMIN.id);
    let look = format!(
        "BEGIN; SET LOCAL ROLE app_user; SELECT set_config('request.jwt.claims', '{claims}', true); \
         SELECT count(*) FROM public.idempotent_answers"
    );
    assert_eq!(world.platform.db.value(&look).await.as_deref(), Some("0"));
}
