//! Every route, asked as everybody there is.

use serde_json::{Value, json};
use testkit::matrix::{Row, check};
use testkit::people::ADMIN;

use crate::world::{World, id, role_id};

/// For administrators, about people of their own school.
const ADMINS_OWN: [u16; 6] = [401, 403, 403, 403, 200, 404];
/// For administrators of any school.
const ADMINS: [u16; 6] = [401, 403, 403, 403, 200, 200];
const ADMINS_CREATE: [u16; 6] = [401, 403, 403, 403, 201, 201];
/// For everybody, about what they see.
const ALL: [u16; 6] = [401, 200, 200, 200, 200, 200];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn check_17_every_route_answers_everybody_as_it_should() {
    let world = World::start().await;
    let new = |email: &str| json!({ "email": email, "firstName": "Ana", "lastName": "Gil", "role": "student" });
    let invited = world.post(&ADMIN, "/api/users", new("invitada@escuela.example")).await;
    let invited = invited.json()["id"].as_str().expect("an id").to_owned();
    let teacher = |number: u32| {
        let email = format!("docente{}@escuela.example", number - 10);
        json!({ "firstName": "Docente", "lastName": "Cambiado", "email": email, "subjects": ["Álgebra"] })
    };
    let profile = json!({ "firstName": "Estudiante", "lastName": "Uno", "phone": "+57 1" });
    let preferences = json!({ "language": "es", "timezone": "America/Bogota", "theme": "dark" });
    let csv = "givenName,familyName,email,role\r\nEva,Gil,eva@escuela.example,student\r\n";
    let of = |number: u32, rest: &str| format!("/api/users/{}{rest}", id(number));
    let rows = [
        Row::new("GET /api/users", ALL),
        Row::new("POST /api/users", ADMINS_CREATE).json(&new("nueva@escuela.example")),
        Row::new("GET /api/users/search", ALL).at("/api/users/search?q=est"),
        Row::new("GET /api/users/export", ADMINS),
        Row::new("POST /api/users/import", ADMINS).at("/api/users/import?dryRun=true").body("text/csv", csv.to_owned()),
        Row::new("GET /api/users/{id}", [401, 200, 200, 200, 200, 404]).at(of(21, "")),
        Row::new("PUT /api/users/{id}", ADMINS_OWN).at(of(22, "")).json(&json!({ "firstName": "A", "lastName": "B" })),
        Row::new("DELETE /api/users/{id}", ADMINS_OWN).at(of(28, "")),
        Row::new("POST /api/users/{id}/restore", ADMINS_OWN).at(of(28, "/restore")),
        Row::new("PATCH /api/users/{id}/status", ADMINS_OWN)
            .at(of(27, "/status"))
            .json(&json!({ "status": "inactive" })),
        Row::new("GET /api/users/{id}/roles", [401, 200, 200, 200, 200, 404]).at(of(21, "/roles")),
        Row::new("POST /api/users/{id}/roles", [401, 403, 403, 403, 201, 404])
            .at(of(26, "/roles"))
            .json(&json!({ "role": "parent" })),
        Row::new("DELETE /api/users/{id}/roles/{roleId}", ADMINS_OWN).at(of(26, &format!("/roles/{}", role_id(26)))),
        Row::new("GET /api/users/{id}/profile", [401, 200, 200, 200, 200, 404]).at(of(21, "/profile")),
        Row::new("PUT /api/users/{id}/profile", [401, 200, 403, 403, 200, 404]).at(of(21, "/profile")).json(&profile),
        Row::new("PATCH /api/users/{id}/profile/avatar", [401, 200, 403, 403, 200, 404])
            .at(of(21, "/profile/avatar"))
            .json(&json!({ "avatarUrl": "https://escuela.example/a.png" })),
        Row::new("GET /api/users/{id}/preferences", [401, 200, 404, 404, 200, 404]).at(of(21, "/preferences")),
        Row::new("PUT /api/users/{id}/preferences", [401, 200, 404, 404, 403, 404])
            .at(of(21, "/preferences"))
            .json(&preferences),
        Row::new("GET /api/users/{id}/guardians", [401, 200, 200, 200, 200, 404]).at(of(21, "/guardians")),
        Row::new("POST /api/users/{id}/guardians", [401, 403, 403, 403, 201, 404])
            .at(of(24, "/guardians"))
            .json(&json!({ "parentId": id(31), "relationship": "mother" })),
        Row::new("DELETE /api/users/{id}/guardians/{parentId}", ADMINS_OWN)
            .at(of(24, &format!("/guardians/{}", id(31)))),
        Row::new("GET /api/users/{id}/children", [401, 404, 200, 404, 200, 404]).at(of(31, "/children")),
        Row::new("GET /api/users/invitations", ADMINS),
        Row::new("POST /api/users/invitations", ADMINS_CREATE)
            .json(&json!({ "email": "otra@escuela.example", "role": "parent" })),
        Row::new("DELETE /api/users/invitations/{id}", ADMINS_OWN).at(format!("/api/users/invitations/{invited}")),
        Row::new("POST /api/users/invitations/accept", [400; 6]).json(&json!({ "token": "x" })),
        Row::new("GET /api/users/admin/teachers", ADMINS),
        Row::new("POST /api/users/admin/teachers", ADMINS_CREATE).json(
            &json!({ "firstName": "Eva", "lastName": "Ruiz", "email": "eva.ruiz@escuela.example", "subjects": [] }),
        ),
        Row::new("PUT /api/users/admin/teachers/{id}", ADMINS_OWN)
            .at(format!("/api/users/admin/teachers/{}", id(13)))
            .json(&teacher(13)),
        Row::new("PATCH /api/users/admin/teachers/{id}/status", ADMINS_OWN)
            .at(format!("/api/users/admin/teachers/{}/status", id(12)))
            .json(&json!({ "isActive": false })),
        Row::new("DELETE /api/users/admin/teachers/{id}", ADMINS_OWN)
            .at(format!("/api/users/admin/teachers/{}", id(13))),
    ];
    let document: Value = serde_json::to_value(users::document()).expect("JSON");
    check(&world.served, &world.platform.issuer, &document, &rows).await;
}
