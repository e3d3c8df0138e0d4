//! Copies that come, go and fall silent.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use serde_json::Value;

use crate::service::Service;
use crate::world::{TABLE, World, until};

async fn usable(world: &World, expected: u64) {
    until(async || {
        let status: Value = world.get("/api/status").await.json().await.expect("JSON");
        (status["services"][0]["usable"] == expected).then_some(())
    })
    .await;
}

/// Two copies: the world's, and another one.
async fn two() -> (World, Service) {
    let other = Service::start();
    let address = other.url();
    let world = World::with(TABLE, |settings, things| {
        settings.addresses.insert("things".to_owned(), format!("{},{address}", things.url()));
    })
    .await;
    usable(&world, 2).await;
    (world, other)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_that_is_killed_under_load_costs_no_idempotent_request() {
    let (world, other) = two().await;
    let world = Arc::new(world);
    let (stop, done) = (Arc::<AtomicBool>::default(), Arc::<AtomicU32>::default());
    let load = (0..16).map(|n| {
        let (world, stop, done) = (Arc::clone(&world), Arc::clone(&stop), Arc::clone(&done));
        tokio::spawn(async move {
            let mut bad = Vec::new();
            while !stop.load(Ordering::Relaxed) {
                let request = match n % 4 {
                    0 => world.http.put(world.url("/api/open/7")).body("{}"),
                    1 => world.http.delete(world.url("/api/open/7")),
                    _ => world.http.get(world.url("/api/open/7")),
                };
                match request.send().await {
                    Ok(answer) if answer.status() == 200 => {}
                    other => bad.push(format!("{other:?}")),
                }
                done.fetch_add(1, Ordering::Relaxed);
            }
            bad
        })
    });
    let load: Vec<_> = load.collect();
    let after = async |count: u32| {
        let until_then = done.load(Ordering::Relaxed) + count;
        until(async || (done.load(Ordering::Relaxed) >= until_then).then_some(())).await;
    };
    after(500).await;
    let address = other.address;
    other.kill().await;
    after(500).await;
    // It comes back, and is used again.
    let back = Service::at(address);
    usable(&world, 2).await;
    after(500).await;
    stop.store(true, Ordering::Relaxed);
    for task in load {
        assert_eq!(task.await.expect("it ended"), Vec::<String>::new());
    }
    assert!(other.seen().len() > 50 && back.seen().len() > 50, "{} and {}", other.seen().len(), back.seen().len());
}

#[tokio::test]
async fn while_no_copy_is_there_it_is_503_and_afterwards_well_again() {
    let world = World::start().await;
    usable(&world, 1).await;
    world.things.kill().await;
    let answer = world.get("/api/open/7").await;
    assert_eq!((answer.status().as_u16(), &answer.headers()["retry-after"]), (503, &"1".parse().expect("a value")));
    let problem: Value = answer.json().await.expect("a problem");
    assert_eq!(problem["code"], "service_away");
    let posted = world.http.post(world.url("/api/open/7")).body("{}").send().await.expect("an answer");
    assert_eq!(posted.status(), 503, "nothing was sent, so nobody is in doubt");
    let status: Value = world.get("/api/status").await.json().await.expect("JSON");
    assert_eq!(status["status"], "down");
    let _back = Service::at(world.things.address);
    until(async || (world.get("/api/open/7").await.status() == 200).then_some(())).await;
}

#[tokio::test]
async fn who_says_that_it_is_not_ready_is_sent_nothing() {
    let (world, other) = two().await;
    other.inner.ready.store(false, Ordering::Relaxed);
    usable(&world, 1).await;
    let before = other.seen().len();
    for _ in 0..40 {
        assert_eq!(world.get("/api/open/7").await.status(), 200);
    }
    assert_eq!(other.seen().len(), before);
    other.inner.ready.store(true, Ordering::Relaxed);
    usable(&world, 2).await;
    until(async || {
        world.get("/api/open/7").await;
        (other.seen().len() > before).then_some(())
    })
    .await;
}

#[tokio::test]
async fn what_may_have_been_done_is_not_done_twice() {
    let (world, other) = two().await;
    let seen = || world.things.seen().len() + other.seen().len();
    let posted = world.http.post(world.url("/api/open/drop")).body("{}").send().await.expect("an answer");
    assert_eq!(posted.status(), 502);
    let problem: Value = posted.json().await.expect("a problem");
    assert_eq!((&problem["code"], seen()), (&Value::from("no_answer"), 1));
    // Reading can be tried again; here everybody drops it.
    let read = world.get("/api/open/drop").await;
    assert_eq!(read.status(), 503);
    assert!(!world.things.seen().is_empty() && !other.seen().is_empty() && seen() <= 6, "{}", seen());
}

#[tokio::test]
async fn a_change_of_one_version_is_not_asked_for_again() {
    let (world, other) = two().await;
    for (method, header) in [("PUT", "if-match"), ("PUT", "if-none-match"), ("DELETE", "if-match")] {
        let before = world.things.seen().len() + other.seen().len();
        let method = method.parse().expect("a method");
        let request = world.http.request(method, world.url("/api/open/drop")).header(header, "\"7\"");
        let answer = request.send().await.expect("an answer");
        // The second time would be told 412, as if somebody else had changed it.
        assert_eq!((answer.status().as_u16(), world.things.seen().len() + other.seen().len()), (502, before + 1));
    }
    assert_eq!(
        world
            .http
            .get(world.url("/api/open/drop"))
            .header("if-none-match", "\"7\"")
            .send()
            .await
            .expect("an answer")
            .status(),
        503
    );
}

#[tokio::test]
async fn a_connection_that_was_closed_while_it_lay_ready_is_not_noticed() {
    let world = World::start().await;
    usable(&world, 1).await;
    assert_eq!(world.get("/api/open/7").await.status(), 200);
    world.things.kill().await;
    let _back = Service::at(world.things.address);
    // The old connection is in the pool, and dead; nothing was sent on it.
    let posted = world.http.post(world.url("/api/open/7")).body("{}").send().await.expect("an answer");
    assert!([200, 503].contains(&posted.status().as_u16()), "{posted:?}");
    until(async || (world.get("/api/open/7").await.status() == 200).then_some(())).await;
}

#[tokio::test]
async fn who_does_not_begin_to_answer_in_time_is_not_waited_for() {
    let world = World::start().await;
    let answer = world.get("/api/quick/hang").await;
    assert_eq!(answer.status(), 504);
    let problem: Value = answer.json().await.expect("a problem");
    assert_eq!(problem["code"], "too_slow");
    world.things.inner.gone.cancelled().await;
    assert_eq!(world.things.seen().len(), 1, "it was not asked again");
}

#[tokio::test]
async fn who_is_busy_is_spared() {
    let (world, other) = two().await;
    let hang: Vec<_> = (0..4).map(|_| tokio::spawn(world.http.get(world.url("/api/open/hang")).send())).collect();
    until(async || (world.things.seen().len() + other.seen().len() == 4).then_some(())).await;
    assert_eq!((world.things.seen().len(), other.seen().len()), (2, 2), "of two the one that does less");
    world.things.inner.gate.add_permits(4);
    other.inner.gate.add_permits(4);
    for request in hang {
        assert_eq!(request.await.expect("it ended").expect("an answer").status(), 200);
    }
}
