//! The client that services use, against the service itself.

use std::time::Duration;

use migration_client::{Client, ClientError, NotCompatible, Settings, Standing, WhenUnknown};
use serde_json::json;

use crate::alert_servers::until;
use crate::world::{Setup, World, world, world_with};

const LONG: Duration = Duration::from_mins(1);

fn settings(world: &World, version: &str) -> Settings {
    let mut settings = Settings::new(format!("http://{}", world.address), "alumnos-service", "2.4.1");
    settings.needs = vec![format!("{}/{version}", world.schema)];
    "alumnos-a".clone_into(&mut settings.instance);
    settings.heartbeat = Duration::from_secs(2);
    settings
}

fn client(settings: Settings) -> Client {
    Client::new(settings).expect("a good address")
}

async fn run(world: &World) {
    world.post("/api/migrations/run", json!({ "wait": true })).await.is(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn it_waits_until_the_migrations_are_applied() {
    let world = world().await;
    let client = client(settings(&world, "20260102000000"));
    let now = client.wait_until_compatible(Duration::ZERO).await;
    assert!(matches!(&now, Err(NotCompatible::Late(found)) if found.reason.is_some()), "{now:?}");
    let (found, ()) = tokio::join!(client.wait_until_compatible(LONG), run(&world));
    assert_eq!(found.expect("it fits").schemas[0].at, Some(format!("{}/20260102000000", world.schema)));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_fit_or_may_not_be_asked_is_said_at_once() {
    let variables = vec![("MIGRATION_SERVICE_AUTH", "required".to_owned())];
    let world = world_with(Setup { variables, ..Setup::default() }).await;
    let mut own = settings(&world, "20990101000000");
    let stranger = client(own.clone()).wait_until_compatible(LONG).await.expect_err("it has no token");
    assert!(
        matches!(&stranger, NotCompatible::Refused(ClientError::Refused { code, cure, .. })
        if code == "unauthenticated" && cure.is_some()),
        "{stranger:?}"
    );
    own.token = Some(kernel::Secret::new(world.token(&["release"], &["alumnos-service"]).await));
    let never = client(own.clone()).wait_until_compatible(LONG).await.expect_err("nobody has that version");
    assert!(matches!(never, NotCompatible::Incompatible(_)), "{never:?}");
    assert!(never.to_string().contains("is neither applied nor"), "{never}");
    client(own.clone()).register().await.expect("its token is for that");
    client(own).sign_off().await.expect("its token is for that");
}

#[tokio::test(flavor = "multi_thread")]
async fn readiness_follows_the_schemas_and_the_process_is_known_while_it_lives() {
    let world = world().await;
    let mut watch = client(settings(&world, "20260102000000")).watch();
    let first = watch.changed().await;
    assert_eq!((first.ready, first.standing, first.status_code()), (false, Standing::Wait, 503));
    assert!(first.to_json().contains("is pending"), "{}", first.to_json());
    run(&world).await;
    assert_eq!(watch.ready_within(LONG).await.standing, Standing::Compatible);
    let live = world.get("/api/releases").await.is(200);
    assert_eq!(live["releases"][0]["instances"][0]["instance"], "alumnos-a", "{live}");
    // What it needs is taken away under its feet.
    let despite = [json!({ "gate": "contract", "reason": "the release is broken anyway" })];
    let body = json!({ "service": "alumnos-service", "steps": 1, "wait": true, "override": despite });
    world.post("/api/migrations/rollback", body).await.is(200);
    until("it is told", async || !watch.readiness().ready).await;
    run(&world).await;
    assert!(watch.ready_within(LONG).await.ready);
    watch.stop().await;
    assert_eq!(world.get("/api/releases").await.is(200)["releases"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_was_ready_stays_ready_while_the_service_is_away() {
    let world = world().await;
    run(&world).await;
    let own = settings(&world, "20260102000000");
    let mut watch = client(own.clone()).watch();
    assert!(watch.ready_within(LONG).await.ready);
    world.stop().await.expect("in good order");
    until("it is noticed", async || watch.readiness().standing == Standing::Unknown).await;
    let away = watch.readiness();
    assert!(away.ready && away.reason.is_some_and(|reason| reason.contains("the migration service is away")));
    drop(watch);

    // Who starts now does not know, and goes on only where it was told so.
    let unknown = client(own.clone()).wait_until_compatible(Duration::from_millis(500)).await;
    assert!(matches!(unknown, Err(NotCompatible::Unknown(ClientError::Away(_)))), "{unknown:?}");
    let mut patient = client(own.clone()).watch();
    let changed = patient.changed().await;
    assert_eq!((changed.ready, changed.standing), (false, Standing::Unknown));
    let mut hasty = client(Settings { when_unknown: WhenUnknown::ReadyAfter(Duration::from_secs(1)), ..own }).watch();
    assert!(hasty.ready_within(LONG).await.ready);
    assert!(!patient.readiness().ready);
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_are_heard_in_order_and_once_over_lost_connections() {
    let world = world().await;
    let client = client(settings(&world, "20260102000000"));
    let mut changes = client.changes(Some(0));
    run(&world).await;
    let mut heard = Vec::new();
    while heard.last().is_none_or(|change: &migration_client::Change| {
        change.event["migration"] != format!("{}/20260102000000", world.schema) || change.kind != "migration_finished"
    }) {
        heard.push(tokio::time::timeout(LONG, changes.next()).await.expect("something comes"));
    }
    assert!(heard.iter().all(|change| change.event["service"] == "alumnos-service"), "{heard:?}");
    assert!(heard.windows(2).all(|pair| pair[0].id < pair[1].id), "{heard:?}");
    // One that was cut off somewhere goes on there, with the same.
    for cut in 0..heard.len() {
        let after = if cut == 0 { 0 } else { heard[cut - 1].id };
        let mut again = client.changes(Some(after));
        let next = tokio::time::timeout(LONG, again.next()).await.expect("something comes");
        assert_eq!(next, heard[cut]);
    }
}
