//! Every route, asked as everybody there is.

use serde_json::json;
use testkit::matrix::{Row, check};
use testkit::people::SCHOOLS;

use crate::world::World;

/// For the school's administrators; of another school it is none.
const ADMINS_OWN: [u16; 6] = [401, 403, 403, 403, 200, 404];
/// For its members.
const MEMBERS: [u16; 6] = [401, 200, 200, 200, 200, 404];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn check_17_every_route_answers_everybody_as_it_should() {
    let world = World::start().await;
    let school = |rest: &str| format!("/api/organizations/{}{rest}", SCHOOLS[0]);
    let own = "/api/organizations/admin/organization";
    let details = json!({ "name": "Escuela de Ejemplo" });
    let rows = [
        Row::new("GET /api/organizations", [401, 200, 200, 200, 200, 200]),
        Row::new("POST /api/organizations", [401, 403, 403, 403, 403, 403]).json(&details),
        Row::new("GET /api/organizations/admin/organization", [401, 403, 403, 403, 200, 200]),
        Row::new("PUT /api/organizations/admin/organization", [401, 403, 403, 403, 200, 200]).at(own).json(&json!({})),
        Row::new("GET /api/organizations/{id}", MEMBERS).at(school("")),
        Row::new("PUT /api/organizations/{id}", ADMINS_OWN).at(school("")).json(&details),
        Row::new("DELETE /api/organizations/{id}", [401, 403, 403, 403, 403, 404]).at(school("")),
        Row::new("POST /api/organizations/{id}/restore", [401, 403, 403, 403, 403, 404]).at(school("/restore")),
        Row::new("GET /api/organizations/{id}/config", ADMINS_OWN).at(school("/config")),
        Row::new("PUT /api/organizations/{id}/config", ADMINS_OWN).at(school("/config")).json(&json!({})),
        Row::new("PATCH /api/organizations/{id}/config", ADMINS_OWN).at(school("/config")).json(&json!({})),
    ];
    let document = serde_json::to_value(organizations::document()).expect("JSON");
    check(&world.served, &world.platform.issuer, &document, &rows).await;
}
