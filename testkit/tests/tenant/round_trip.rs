//! What a request costs on the line.

use std::net::ToSocketAddrs as _;

use postgres_link::ConnectOptions;
use postgres_link::tenant::{Access, PoolSettings, TenantPool};

use super::gate::Gate;
use super::world::{LOOK, PASSWORD, SCHOOLS, World, admin, in_time, look};

/// A pool of one session whose line goes through a gate.
pub async fn gated(world: &World) -> (Gate, TenantPool) {
    let url = world.db.url();
    let place = url.rsplit_once('@').and_then(|(_, rest)| rest.split_once('/')).expect("a URL with a host").0;
    let server = place.to_socket_addrs().expect("a host").next().expect("an address");
    let gate = Gate::to(server).await;
    let through = url.replacen(place, &gate.addr.to_string(), 1);
    let options = ConnectOptions::parse_with(&through, &|_| None).expect("a URL");
    let options = options.with_user(&world.login.0).with_password(PASSWORD);
    (gate, TenantPool::new(options, PoolSettings { size: 1, ..PoolSettings::default() }))
}

#[tokio::test]
async fn a_request_of_one_statement_is_one_round_trip() {
    let world = World::new().await;
    let (gate, pool) = gated(&world).await;
    let read = || async {
        let row = pool.begin(&admin(0, "reads"), Access::Read).last().query_one(LOOK, &[]).await.expect("a row");
        assert_eq!(row.get::<_, Vec<String>>(0), [SCHOOLS[0]]);
    };
    read().await;
    // BEGIN, identity, statement and COMMIT ask for one answer together.
    let before = gate.asked();
    in_time(read()).await;
    assert_eq!(gate.asked(), before + 1);
}

#[tokio::test]
async fn the_head_of_a_transaction_goes_with_its_first_statement_and_the_commit_with_its_last() {
    let world = World::new().await;
    let (gate, pool) = gated(&world).await;
    for _ in 0..2 {
        let mut tx = pool.begin(&admin(0, "warms"), Access::Write);
        look(&mut tx).await.expect("in order");
        tx.last().execute("UPDATE organizations.organizations SET phone = '5'", &[]).await.expect("one's own");
    }
    let before = gate.asked();
    let mut tx = pool.begin(&admin(0, "writes"), Access::Write);
    in_time(look(&mut tx)).await.expect("in order");
    assert_eq!(gate.asked(), before + 1);
    in_time(tx.last().execute("UPDATE organizations.organizations SET phone = '5'", &[])).await.expect("one's own");
    assert_eq!(gate.asked(), before + 2);
}
