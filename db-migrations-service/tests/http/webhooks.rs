//! Services are told of their migrations: in order, at least once, whatever becomes of them or of us.

use hmac::{Hmac, KeyInit as _, Mac as _};
use reqwest::Method;
use serde_json::{Value, json};
use sha2::Sha256;
use time::OffsetDateTime;
use tokio_util::sync::CancellationToken;

use crate::alert_servers::until;
use crate::alerts::{WRONG, catalogue};
use crate::listening::{Copy, master};
use crate::webhook_receivers::{Deed, Receiver, words};
use crate::world::{Answer, Setup, World, world_with};

const SECRET: &str = "hunter2";
const HOOK: &str = "[services.alumnos-service.webhooks]\nurl_variable = \"ALUMNOS_WEBHOOK_URL\"\n\
                    secret_variable = \"ALUMNOS_WEBHOOK_SECRET\"\ntimeout_s = 1\n";

/// The usual project, whose first service is told at `url`.
async fn told_at(url: &str, files: &[(&'static str, &'static str)]) -> World {
    let variables = vec![("ALUMNOS_WEBHOOK_URL", url.to_owned()), ("ALUMNOS_WEBHOOK_SECRET", SECRET.to_owned())];
    let files = catalogue(HOOK).into_iter().chain(files.iter().copied()).collect();
    world_with(Setup { files, variables, ..Setup::default() }).await
}

async fn to(world: &World, version: &str) {
    let body = json!({ "to": format!("{}/{version}", world.schema), "wait": true });
    world.post("/api/migrations/run", body).await.is(200);
}

async fn back(world: &World, steps: u32) {
    let body = json!({ "service": "alumnos-service", "steps": steps, "wait": true });
    world.post("/api/migrations/rollback", body).await.is(200);
}

/// Newest first: `applied taken 2`.
async fn deliveries(world: &World, query: &str) -> Vec<String> {
    let page = world.get(&format!("/api/webhooks{query}")).await.is(200);
    let seen = |delivery: &Value| {
        let state = match (&delivery["deliveredAt"], &delivery["givenUpAt"]) {
            (Value::Null, Value::Null) => "open",
            (Value::Null, _) => "given-up",
            _ => "taken",
        };
        format!("{} {state}", delivery["event"].as_str().expect("a word"))
    };
    page["deliveries"].as_array().expect("a list").iter().map(seen).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_is_told_what_was_applied_taken_back_and_failed_and_can_check_it() {
    let receiver = Receiver::new(|_| Deed::Take).await;
    let world = told_at(&receiver.url(), &WRONG).await;
    to(&world, "20260102000000").await;
    back(&world, 1).await;
    world.post("/api/migrations/run", json!({ "wait": true })).await.is_problem(422, "migration_failed");
    let all = [
        "applied 20260101000001 20260102000000",
        "rolled_back 20260102000000",
        "applied 20260102000000",
        "failed 20260103000000",
    ];
    until("all is told", async || receiver.taken() == all).await;
    until("all is settled", async || deliveries(&world, "?open=true").await.is_empty()).await;
    let calls = receiver.calls();
    assert_eq!(calls.len(), all.len(), "each once");
    let first = &calls[0];
    let body = first.json();
    assert_eq!((&body["service"], &body["environment"]), (&json!("alumnos-service"), &json!("development")));
    assert_eq!(
        (&body["actor"], &body["test"], &body["deliveryId"]),
        (&json!("local"), &json!(false), &json!(first.id()))
    );
    assert!(body["runId"].is_string() && body["at"].is_string(), "{body}");
    let failed = calls[3].json();
    assert!(failed["error"]["message"].as_str().is_some_and(|m| m.contains("division by zero")), "{failed}");
    assert_eq!((&failed["error"]["code"], &failed["state"]), (&json!("migration_failed"), &json!("failed")));
    for call in &calls {
        let timestamp = call.headers["profe-timestamp"].to_str().expect("text");
        let age = OffsetDateTime::now_utc().unix_timestamp() - timestamp.parse::<i64>().expect("a number");
        assert!((0..600).contains(&age), "{age} s old");
        let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).expect("any key will do");
        mac.update(format!("{timestamp}.{}", call.body).as_bytes());
        let signature = call.headers["profe-signature"].to_str().expect("text").strip_prefix("v1=").expect("a version");
        let bytes: Vec<u8> =
            (0..64).step_by(2).map(|at| u8::from_str_radix(&signature[at..at + 2], 16).expect("hex")).collect();
        mac.verify_slice(&bytes).expect("it is ours");
    }
    let page = world.get("/api/webhooks?service=alumnos-service&limit=1").await.is(200);
    assert_eq!(page["deliveries"][0]["event"], "failed", "newest first");
    assert!(page["next"].is_number() && !page.to_string().contains("geheim"), "{page}");
    // A dry run and a run with nothing for it are no news.
    world.post("/api/migrations/run", json!({ "service": "nada-service", "wait": true })).await;
    assert_eq!(deliveries(&world, "").await.len(), all.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn who_refuses_every_second_call_is_told_everything_in_order() {
    let receiver = Receiver::new(|n| if n % 2 == 1 { Deed::Refuse } else { Deed::Take }).await;
    let world = told_at(&receiver.url(), &[]).await;
    to(&world, "20260101000001").await;
    to(&world, "20260102000000").await;
    back(&world, 2).await;
    let all = ["applied 20260101000001", "applied 20260102000000", "rolled_back 20260102000000 20260101000001"];
    until("all is told", async || receiver.taken() == all).await;
    let tried: Vec<_> = receiver.calls().iter().map(|call| words(&call.json())).collect();
    let twice: Vec<_> = all.iter().flat_map(|one| [*one, *one]).collect();
    assert_eq!(tried, twice, "nothing overtakes what was refused");
    let ids: Vec<_> = receiver.calls().iter().map(super::webhook_receivers::Call::id).collect();
    assert!(ids[0] == ids[1] && ids[1] != ids[2], "it is known again by its number: {ids:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_does_not_answer_is_left_and_told_again() {
    let receiver = Receiver::new(|n| if n == 1 { Deed::Hang } else { Deed::Take }).await;
    let world = told_at(&receiver.url(), &[]).await;
    to(&world, "20260101000001").await;
    until("it is told", async || receiver.taken() == ["applied 20260101000001"]).await;
    assert_eq!(receiver.calls().len(), 2);
    until("it is settled", async || deliveries(&world, "").await == ["applied taken"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_away_is_told_when_they_return_also_by_another_copy() {
    let receiver = Receiver::new(|_| Deed::Take).await;
    let address = receiver.address;
    let world = told_at(&receiver.url(), &[]).await;
    drop(receiver);
    until("nobody listens there", async || tokio::net::TcpStream::connect(address).await.is_err()).await;
    to(&world, "20260101000001").await;
    to(&world, "20260102000000").await;
    until("it was tried", async || {
        let page = world.get("/api/webhooks?open=true").await.is(200);
        page["deliveries"][1]["answer"].is_string()
    })
    .await;
    // This copy of the service ends; one that begins later knows what is owed.
    let copy = Copy::of(&world, None).await;
    world.shutdown().cancel();
    let receiver = Receiver::at(address, |_| Deed::Take).await;
    let listed = async |state: &str| {
        let filter = db_migrations_service::webhooks::DeliveryFilter { limit: 10, ..Default::default() };
        let all = copy.operations.master().webhook_deliveries(&filter).await.expect("it answers");
        all.iter().all(|delivery| delivery.delivered_at.is_some() == (state == "taken"))
    };
    until("all is taken", async || listed("taken").await).await;
    assert_eq!(receiver.taken(), ["applied 20260101000001", "applied 20260102000000"]);
    copy.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn several_copies_tell_each_thing_once() {
    let receiver = Receiver::new(|_| Deed::Take).await;
    let world = told_at(&receiver.url(), &[]).await;
    let (one, two) = (Copy::of(&world, None).await, Copy::of(&world, None).await);
    let mut all = Vec::new();
    for _ in 0..3 {
        to(&world, "20260101000001").await;
        back(&world, 1).await;
        all.extend(["applied 20260101000001", "rolled_back 20260101000001"]);
    }
    until("all is told", async || receiver.taken() == all).await;
    until("all is settled", async || deliveries(&world, "?open=true").await.is_empty()).await;
    assert_eq!(receiver.calls().len(), all.len());
    one.stop().await;
    two.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redirect_is_not_followed_and_what_failed_for_a_day_is_given_up() {
    let elsewhere = Receiver::new(|_| Deed::Take).await;
    let to_there = elsewhere.url();
    let receiver = Receiver::new(move |_| Deed::Redirect(to_there.clone())).await;
    let world = told_at(&receiver.url(), &[]).await;
    to(&world, "20260101000001").await;
    until("it was tried", async || !receiver.calls().is_empty()).await;
    until("it is open", async || deliveries(&world, "").await == ["applied open"]).await;
    let tomorrow = OffsetDateTime::now_utc() + time::Duration::hours(25);
    until("it is given up", async || {
        world.operations.tell_webhooks(tomorrow, &CancellationToken::new()).await.expect("the master database answers");
        deliveries(&world, "").await == ["applied given-up"]
    })
    .await;
    let page = world.get("/api/webhooks").await.is(200);
    assert_eq!(page["deliveries"][0]["answer"], "it answered 307 Temporary Redirect", "{page}");
    assert!(elsewhere.calls().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_run_that_was_killed_the_history_tells_what_it_did() {
    let receiver = Receiver::new(|_| Deed::Take).await;
    let world = told_at(&receiver.url(), &[]).await;
    to(&world, "20260102000000").await;
    until("it is told", async || receiver.taken().len() == 1).await;
    // As if the run had been killed before it wrote down what it did, and nobody had been told.
    master(&world)
        .await
        .batch(
            "BEGIN; DELETE FROM migration_service.run_event; UPDATE migration_service.run SET state = 'interrupted', \
             report = NULL, service = 'alumnos-service'; DELETE FROM migration_service.webhook_delivery; \
             UPDATE migration_service.webhook_cursor SET event_id = 0; COMMIT",
        )
        .await
        .expect("it may");
    let all = ["applied 20260101000001 20260102000000", "applied 20260101000001 20260102000000", "failed ?"];
    until("it is told again", async || receiver.taken() == all).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_configured_here_waits_and_is_shown_only_to_whom_it_concerns() {
    let files = catalogue(HOOK);
    let variables = vec![("MIGRATION_SERVICE_AUTH", "required".to_owned())];
    let world = world_with(Setup { files, variables, ..Setup::default() }).await;
    let all = world.token(&["read", "migrate"], &[]).await;
    let run = world.request(Method::POST, "/api/migrations/run").bearer_auth(&all).json(&json!({ "wait": true }));
    Answer::of(run).await.is(200);
    let list = async |token: &str, query: &str| {
        Answer::of(world.request(Method::GET, &format!("/api/webhooks{query}")).bearer_auth(token)).await
    };
    until("it was tried", async || list(&all, "").await.is(200)["deliveries"][0]["answer"].is_string()).await;
    let page = list(&all, "").await.is(200);
    assert_eq!(page["deliveries"][0]["answer"], "ALUMNOS_WEBHOOK_URL is not set", "{page}");
    let own = world.token(&["read"], &["cursos-service"]).await;
    assert_eq!(list(&own, "").await.is(200)["deliveries"], json!([]));
    list(&own, "?service=alumnos-service").await.is_problem(403, "service_not_allowed");
    list(&all, "?limit=0").await.is_problem(400, "invalid_query");
    list(&all, "?environment=lab").await.is_problem(404, "unknown_environment");
}
