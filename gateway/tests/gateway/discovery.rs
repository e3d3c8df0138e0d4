//! Copies that are found by DNS: a name server of the test's own, whose answers live a second.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};

use serde_json::Value;
use tokio::net::UdpSocket;

use crate::service::Service;
use crate::world::{TABLE, World, until};

/// What the name server says: addresses of `things.test.`, ports of `_http._tcp.things.test.`.
#[derive(Clone, Default)]
struct Zone(Arc<Mutex<Records>>);

type Records = (Vec<Ipv4Addr>, Vec<(u16, u16)>);

async fn serve(zone: Zone) -> SocketAddr {
    let socket = UdpSocket::bind("127.0.0.1:0").await.expect("a port");
    let address = socket.local_addr().expect("an address");
    tokio::spawn(async move {
        let mut buffer = [0; 1500];
        while let Ok((length, peer)) = socket.recv_from(&mut buffer).await {
            let _ = socket.send_to(&answer(&buffer[..length], &zone), peer).await;
        }
    });
    address
}

/// RFC 1035, 4.1: the question again, and the records of its type.
fn answer(query: &[u8], zone: &Zone) -> Vec<u8> {
    let end = 12 + query[12..].iter().position(|b| *b == 0).expect("a name") + 1;
    let kind = u16::from_be_bytes([query[end], query[end + 1]]);
    let zone = zone.0.lock().expect("a lock").clone();
    let target = b"\x06things\x04test\x00";
    let records: Vec<Vec<u8>> = match kind {
        1 => zone.0.iter().map(|ip| ip.octets().to_vec()).collect(),
        33 => {
            let record = |(priority, port): &(u16, u16)| {
                let numbers = [priority.to_be_bytes(), 0u16.to_be_bytes(), port.to_be_bytes()].concat();
                [&numbers[..], target].concat()
            };
            zone.1.iter().map(record).collect()
        }
        _ => Vec::new(),
    };
    let mut answer = query[..2].to_vec();
    answer.extend([0x81, 0x80, 0, 1, 0, records.len() as u8, 0, 0, 0, 0]);
    answer.extend(&query[12..end + 4]);
    for record in records {
        answer.extend([0xC0, 12]);
        answer.extend(kind.to_be_bytes());
        answer.extend([0, 1, 0, 0, 0, 1]);
        answer.extend((record.len() as u16).to_be_bytes());
        answer.extend(record);
    }
    answer
}

async fn copies(world: &World, expected: u64) {
    until(async || {
        let status: Value = world.get("/api/status").await.json().await.expect("JSON");
        let service = &status["services"][0];
        (service["copies"] == expected && service["usable"] == expected).then_some(())
    })
    .await;
}

#[tokio::test]
async fn addresses_are_followed_by_their_time_to_live() {
    let zone = Zone::default();
    zone.0.lock().expect("a lock").0 = vec![Ipv4Addr::LOCALHOST];
    let server = serve(zone.clone()).await;
    let world = World::with(TABLE, |settings, things| {
        settings.dns_server = Some(server);
        settings.addresses.insert("things".to_owned(), format!("dns://things.test.:{}", things.address.port()));
    })
    .await;
    copies(&world, 1).await;
    assert_eq!(world.get("/api/open/7").await.status(), 200);
    // Another copy at the same port of another address.
    let other = Service::at(SocketAddr::from(([127, 0, 0, 2], world.things.address.port())));
    zone.0.lock().expect("a lock").0 = vec![Ipv4Addr::LOCALHOST, Ipv4Addr::new(127, 0, 0, 2)];
    copies(&world, 2).await;
    until(async || {
        assert_eq!(world.get("/api/open/7").await.status(), 200);
        (!other.seen().is_empty()).then_some(())
    })
    .await;
    zone.0.lock().expect("a lock").0 = vec![Ipv4Addr::new(127, 0, 0, 2)];
    copies(&world, 1).await;
    let before = world.things.seen().len();
    for _ in 0..10 {
        assert_eq!(world.get("/api/open/7").await.status(), 200);
    }
    assert_eq!(world.things.seen().len(), before, "who is no longer named is sent nothing");
}

#[tokio::test]
async fn services_are_followed_by_srv_records_of_the_first_priority() {
    let zone = Zone::default();
    zone.0.lock().expect("a lock").0 = vec![Ipv4Addr::LOCALHOST];
    let server = serve(zone.clone()).await;
    let (other, spare) = (Service::start(), Service::start());
    let filled = zone.clone();
    let (other_port, spare_port) = (other.address.port(), spare.address.port());
    let world = World::with(TABLE, move |settings, things| {
        settings.dns_server = Some(server);
        filled.0.lock().expect("a lock").1 = vec![(1, things.address.port()), (1, other_port), (5, spare_port)];
        settings.addresses.insert("things".to_owned(), "srv://_http._tcp.things.test.".to_owned());
    })
    .await;
    copies(&world, 2).await;
    until(async || {
        assert_eq!(world.get("/api/open/7").await.status(), 200);
        (!other.seen().is_empty() && !world.things.seen().is_empty()).then_some(())
    })
    .await;
    assert!(spare.seen().is_empty());
    zone.0.lock().expect("a lock").1 = vec![(5, spare_port)];
    copies(&world, 1).await;
    until(async || {
        assert_eq!(world.get("/api/open/7").await.status(), 200);
        (!spare.seen().is_empty()).then_some(())
    })
    .await;
}
