//! Every answer is as the OpenAPI document says.

use serde_json::json;
use testkit::Contract;
use testkit::people::{ADMIN, OTHER_ADMIN, OTHER_STUDENT, PARENT, PASSWORD, STUDENT, TEACHER};

use crate::world::{World, link_in, path_of, token_of};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn schemathesis_finds_no_5xx_and_nothing_unwritten() {
    let world = World::start().await;
    let new = json!({ "email": "nueva@escuela.example", "password": "lluvia en la montaña", "name": "Docente Nueva" });
    world.post("/api/auth/register", new).await;
    let verifies = path_of(&link_in(&world.letter("nueva@escuela.example", 1).await));
    // Of each secret one for each place, for some are used up.
    let mut resets = Vec::new();
    for person in [STUDENT, PARENT] {
        world.post("/api/auth/reset-password", json!({ "email": person.email })).await;
        resets.push(token_of(&link_in(&world.letter(person.email, 1).await)));
    }
    let refreshes = [world.login(&OTHER_STUDENT).await.refresh, world.login(&OTHER_STUDENT).await.refresh];
    let document = serde_json::to_value(auth::document()).expect("JSON");
    let mut contract = Contract::new(world.base.clone(), document)
        .known("id", &[TEACHER.id, PARENT.id, OTHER_ADMIN.id, ADMIN.id])
        .known("/api/auth/refresh-token refreshToken", &refreshes[..1])
        .known("/api/auth/session/refresh refreshToken", &refreshes[1..])
        .known("/api/auth/verify-email/{token} token", &[verifies.rsplit('/').next().expect("a token")])
        .known("/api/auth/verify-reset-token token", &resets[..1])
        .known("/api/auth/reset-password token", &resets[1..]);
    for person in [ADMIN, TEACHER] {
        contract.ask_signed_in("/api/auth/login", &json!({ "email": person.email, "password": PASSWORD })).await;
    }
    contract
        .assert_seen(&[("POST /api/auth/change-password", "the one in use is no other's to know; see passwords.rs")]);
}
