//! Telling of alerts: webhooks, mail, and the test that shows that somebody would be told.

use std::time::Duration;

use db_migrations_service::alerts::AlertWays;
use db_migrations_service::operations::{Operations, Recording};
use migration_engine::catalogue::alerts::AlertRule;
use serde_json::{Value, json};
use time::OffsetDateTime;

use crate::alert_receivers::{MailServer, Webhook};
use crate::alerts::{WRONG, evaluate, quiet_world_with};
use crate::world::World;

const BEAT: Duration = Duration::from_secs(15);

async fn world_told_by(variables: Vec<(&'static str, String)>) -> World {
    quiet_world_with(&WRONG, "", variables).await
}

fn webhook_variables(urls: &str) -> Vec<(&'static str, String)> {
    vec![
        ("MIGRATION_SERVICE_ALERT_WEBHOOKS", urls.to_owned()),
        ("MIGRATION_SERVICE_ALERT_WEBHOOK_SECRET", "geheim".to_owned()),
    ]
}

fn at(seconds: i64) -> OffsetDateTime {
    OffsetDateTime::now_utc() + time::Duration::seconds(seconds)
}

async fn tell(operations: &Operations, seconds: i64) {
    operations.tell_alerts(at(seconds), BEAT).await.expect("the master database answers");
}

async fn fail_a_migration(world: &World) {
    world.post("/api/migrations/run", json!({ "wait": true })).await;
    assert_eq!(evaluate(world, 0).await.len(), 1);
}

async fn mend(world: &World) {
    let path = WRONG[0].0.replace("{s}", world.suffix());
    std::fs::write(world.project.path().join(path), "SELECT 1;").expect("a file");
    world.post("/api/migrations/run", json!({ "wait": true })).await.is(200);
    assert_eq!(evaluate(world, 10).await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_that_fails_twice_is_told_the_third_time_and_once() {
    let hook = Webhook::refusing(2).await;
    let world = world_told_by(webhook_variables(&hook.url)).await;
    fail_a_migration(&world).await;
    for (seconds, attempts) in [(1, 1), (2, 1), (7, 2), (10, 2), (18, 3), (4_000, 3)] {
        tell(&world.operations, seconds).await;
        assert_eq!(hook.received().len(), attempts, "after {seconds} s: the pause doubles");
    }
    let posts = hook.received();
    let ids: Vec<_> = posts.iter().map(|(headers, _)| headers["profe-delivery"].clone()).collect();
    assert!(ids.iter().all(|id| *id == ids[0]), "a receiver sees that it is the same: {ids:?}");
    let body: Value = serde_json::from_str(&posts[2].1).expect("JSON");
    assert_eq!((&body["status"], &body["alert"]["rule"]), (&json!("firing"), &json!("failed-migration")));
    assert_eq!(body["deliveryId"], ids[0].to_str().expect("text"));
    for (headers, body) in &posts {
        let timestamp = headers["profe-timestamp"].to_str().expect("text");
        assert_eq!(headers["profe-signature"], signed("geheim", timestamp, body));
    }
}

/// As somebody else would check it.
fn signed(secret: &str, timestamp: &str, body: &str) -> String {
    use hmac::{Hmac, KeyInit, Mac};
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(secret.as_bytes()).expect("any key");
    mac.update(format!("{timestamp}.{body}").as_bytes());
    let hex: Vec<String> = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("v1={}", hex.concat())
}

/// Another process, which knows only the master database, and tells these.
fn another(world: &World, hooks: &[&Webhook]) -> Operations {
    let project = db_migrations_service::project::open(Some(world.project.path())).expect("a good project");
    let other = Operations::new(project, world.operations.targets().clone(), Recording::First);
    other.tell_alerts_by(AlertWays {
        webhooks: hooks.iter().map(|hook| kernel::Secret::new(hook.url.clone())).collect(),
        webhook_secret: Some(kernel::Secret::new("geheim")),
        ..AlertWays::default()
    });
    other
}

fn statuses(hook: &Webhook) -> Vec<Value> {
    let status = |(_, body): &(_, String)| serde_json::from_str::<Value>(body).expect("JSON")["status"].clone();
    hook.received().iter().map(status).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_loses_nothing_and_the_order_is_kept() {
    let hook = Webhook::refusing(1).await;
    let world = world_told_by(webhook_variables(&hook.url)).await;
    fail_a_migration(&world).await;
    tell(&world.operations, 1).await;
    assert_eq!(statuses(&hook), ["firing"], "refused");
    let other = another(&world, &[&hook]);
    tell(&other, 20).await;
    mend(&world).await;
    tell(&other, 21).await;
    tell(&other, 22).await;
    assert_eq!(statuses(&hook), ["firing", "firing", "resolved"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_over_before_somebody_could_be_told_is_not_told() {
    let (deaf, hook) = (Webhook::refusing(1).await, Webhook::refusing(0).await);
    let world = world_told_by(webhook_variables(&format!("{},{}", deaf.url, hook.url))).await;
    fail_a_migration(&world).await;
    tell(&world.operations, 1).await;
    mend(&world).await;
    // Long after the pause that follows a refusal, and a day later.
    for seconds in [11, 60, 90_000] {
        tell(&world.operations, seconds).await;
    }
    assert_eq!(statuses(&deaf), ["firing"], "which it did not take");
    assert_eq!(statuses(&hook), ["firing", "resolved"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_being_told_while_it_ends_is_told_that_it_is_over_after_that() {
    let hook = Webhook::refusing(0).await;
    let world = world_told_by(webhook_variables(&hook.url)).await;
    fail_a_migration(&world).await;
    let master = world.operations.master();
    let sql = "SELECT receiver FROM migration_service.alert_delivery";
    let session = crate::listening::master(&world).await;
    let receiver = session.batch(sql).await.expect("a look").value(0, 0).expect("somebody is owed it").to_owned();
    // Another copy of the service has it in hand.
    let taken = master.take_deliveries(at(1), &[receiver], Duration::from_mins(1)).await.expect("it answers");
    mend(&world).await;
    tell(&world.operations, 11).await;
    assert_eq!(statuses(&hook), Vec::<Value>::new(), "not before it has heard of it");
    master.settle_delivery(taken[0].id, at(12), None, None).await.expect("it answers");
    tell(&world.operations, 13).await;
    assert_eq!(statuses(&hook), ["resolved"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_added_while_it_fires_is_told_of_it_and_of_its_end() {
    let hook = Webhook::refusing(0).await;
    let world = world_told_by(Vec::new()).await;
    fail_a_migration(&world).await;
    let other = another(&world, &[&hook]);
    let evaluate = async |seconds| {
        other.sample_now().await;
        other.evaluate_alerts(at(seconds)).await.expect("the master database answers")
    };
    for seconds in [5, 6, 7] {
        assert_eq!(evaluate(seconds).await.len(), 0, "nothing has changed");
        tell(&other, seconds).await;
    }
    assert_eq!(statuses(&hook), ["firing"], "once");
    let path = WRONG[0].0.replace("{s}", world.suffix());
    std::fs::write(world.project.path().join(path), "SELECT 1;").expect("a file");
    world.post("/api/migrations/run", json!({ "wait": true })).await.is(200);
    assert_eq!(evaluate(10).await.len(), 1);
    tell(&other, 11).await;
    assert_eq!(statuses(&hook), ["firing", "resolved"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn people_are_told_by_mail_that_it_fires_and_that_it_is_over() {
    let mail = MailServer::start().await;
    let variables = vec![
        ("MIGRATION_SERVICE_SMTP_URL", mail.url.clone()),
        ("MIGRATION_SERVICE_ALERT_MAIL_TO", "guardia@escuela.example, direccion@escuela.example".to_owned()),
        ("MIGRATION_SERVICE_ALERT_MAIL_FROM", "profe@escuela.example".to_owned()),
    ];
    let world = world_told_by(variables).await;
    fail_a_migration(&world).await;
    tell(&world.operations, 1).await;
    mend(&world).await;
    tell(&world.operations, 20).await;
    tell(&world.operations, 40).await;
    let letters = mail.letters();
    assert_eq!(letters.len(), 2, "{letters:?}");
    for part in ["FROM:<profe@escuela.example>", "TO:<guardia@escuela.example>", "TO:<direccion@escuela.example>"] {
        assert!(letters[0].contains(part), "{part}: {}", letters[0]);
    }
    let subject = "1 migration of alumnos-service failed in development";
    assert!(letters[0].contains(&format!("Subject: [critical] {subject}")), "{}", letters[0]);
    assert!(letters[1].contains(&format!("Subject: [resolved] {subject}")), "{}", letters[1]);
    let id = |letter: &str| letter.lines().find_map(|line| line.strip_prefix("Message-ID: <").map(str::to_owned));
    let (first, second) = (id(&letters[0]).expect("an id"), id(&letters[1]).expect("an id"));
    assert!(first.ends_with("@escuela.example>") && first != second, "{first} {second}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_test_alert_says_what_each_answered_and_shows_no_secret() {
    let (hook, deaf, mail) = (Webhook::refusing(0).await, Webhook::refusing(9).await, MailServer::start().await);
    let mut variables = webhook_variables(&format!("{},{}", hook.url, deaf.url));
    variables.push(("MIGRATION_SERVICE_SMTP_URL", mail.url.clone()));
    variables.push(("MIGRATION_SERVICE_ALERT_MAIL_TO", "guardia@escuela.example".to_owned()));
    variables.push(("MIGRATION_SERVICE_ALERTMANAGER_URL", "http://127.0.0.1:1".to_owned()));
    let world = world_told_by(variables).await;
    let test = world.operations.test_alerts(AlertRule::LowDisk, OffsetDateTime::now_utc()).await;
    let answers: Vec<_> = test.answers.iter().map(|answer| (answer.way, answer.taken)).collect();
    assert_eq!(answers, [("alertmanager", false), ("webhook", true), ("webhook", false), ("mail", true)]);
    assert!(test.answers[2].answer.contains("503"), "{test:?}");
    assert!(!format!("{test:?}").contains("geheim"), "{test:?}");
    let body: Value = serde_json::from_str(&hook.received()[0].1).expect("JSON");
    assert_eq!((&body["test"], &body["alert"]["rule"]), (&json!(true), &json!("low-disk")));
    assert!(mail.letters()[0].contains("Subject: [test]"), "{:?}", mail.letters());
}
