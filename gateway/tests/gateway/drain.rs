//! The end of a process.

use std::time::Duration;

use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;

use crate::world::{TABLE, World};

#[tokio::test]
async fn what_is_under_way_ends_well_and_nothing_new_is_taken() {
    let world = World::start().await;
    let mut idle = TcpStream::connect(world.address).await.expect("a connection");
    let hanging = tokio::spawn(world.http.get(world.url("/api/open/hang")).send());
    world.things.came(1).await;
    world.shutdown.cancel();
    // Who asks for nothing is not waited for.
    assert_eq!(idle.read(&mut [0; 1]).await.expect("a good end"), 0);
    assert!(TcpStream::connect(world.address).await.is_err());
    world.things.inner.gate.add_permits(1);
    let answer = hanging.await.expect("it ended").expect("an answer");
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.text().await.expect("the whole body"), "late");
    world.served.await.expect("it has ended");
}

#[tokio::test]
async fn what_does_not_end_is_closed_after_the_grace_time() {
    let world = World::with(TABLE, |settings, _| settings.times.drain = Duration::from_millis(50)).await;
    let hanging = tokio::spawn(world.http.get(world.url("/api/open/hang")).send());
    world.things.came(1).await;
    world.shutdown.cancel();
    world.served.await.expect("it has ended");
    assert!(hanging.await.expect("it ended").is_err());
}
