//! Every answer is as the OpenAPI document says.

use serde_json::json;
use testkit::Contract;
use testkit::people::{ADMIN, OTHER_ADMIN, PARENT};

use crate::world::{World, id, role_id};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn schemathesis_finds_no_5xx_and_nothing_unwritten() {
    let world = World::start().await;
    let document = serde_json::to_value(users::document()).expect("JSON");
    let mut people = vec![ADMIN.id, OTHER_ADMIN.id, id(11), id(31), id(21), id(22), id(23), id(24), id(25), id(26)];
    for number in 1..=5 {
        let body = json!({ "email": format!("invitada{number}@escuela.example"), "role": "parent" });
        let invited = world.post(&ADMIN, "/api/users/invitations", body).await.json();
        people.push(invited["id"].as_str().and_then(|id| id.parse().ok()).expect("an id"));
    }
    let mut contract = Contract::new(format!("http://{}", world.served.address), document)
        .known("id", &people)
        .known("parentId", &[id(31)])
        .known("roleId", &[role_id(11), role_id(21)]);
    for person in [ADMIN, PARENT] {
        contract.ask_as(&world.platform.issuer.token(&person)).await;
    }
    contract.assert_seen(&[
        ("POST /api/users/import", "nobody makes up a file; rosters.rs sends some"),
        ("POST /api/users/invitations/accept", "the secret stands in a letter; invitations.rs reads it"),
    ]);
}
