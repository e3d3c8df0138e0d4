//! Every answer is as the OpenAPI document says.

use testkit::Contract;
use testkit::people::{ADMIN, PLATFORM_ADMIN, SCHOOLS};

use crate::world::World;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn schemathesis_finds_no_5xx_and_nothing_unwritten() {
    let world = World::start().await;
    let document = serde_json::to_value(organizations::document()).expect("JSON");
    let base = format!("http://{}", world.served.address);
    let mut contract = Contract::new(base, document).known("id", &SCHOOLS);
    for person in [ADMIN, PLATFORM_ADMIN] {
        contract.ask_as(&world.platform.issuer.token(&person)).await;
    }
    contract.assert_seen(&[]);
}
