//! Every route, asked as everybody there is.

use serde_json::json;
use testkit::matrix::{Row, check_at};
use testkit::people::{PASSWORD, TEACHER};

use crate::world::World;

/// For whoever comes.
const OPEN: [u16; 6] = [200; 6];
/// For who is signed in, about themselves.
const ALL: [u16; 6] = [401, 200, 200, 200, 200, 200];
/// For administrators, about people of their own school.
const ADMINS_OWN: [u16; 6] = [401, 403, 403, 403, 200, 404];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn check_17_every_route_answers_everybody_as_it_should() {
    let world = World::start().await;
    let session = world.login(&TEACHER).await.session();
    let (email, of) =
        (json!({ "email": TEACHER.email }), |rest: &str| format!("/api/auth/users/{}/{rest}", TEACHER.id));
    let new = json!({ "email": "nueva@escuela.example", "password": "lluvia en la montaña", "name": "Docente Nueva" });
    let wrong = json!({ "currentPassword": "otra clave", "newPassword": "lluvia en la montaña" });
    let rows = [
        Row::new("GET /.well-known/jwks.json", OPEN),
        Row::new("GET /.well-known/revoked-sessions", OPEN),
        Row::new("POST /api/auth/login", OPEN).json(&json!({ "email": TEACHER.email, "password": PASSWORD })),
        Row::new("POST /api/auth/register", [202; 6]).json(&new),
        Row::new("POST /api/auth/resend-verification", [202; 6]).json(&email),
        Row::new("POST /api/auth/reset-password", [202; 6]).json(&email),
        Row::new("POST /api/auth/verify-reset-token", [400; 6]).json(&json!({ "token": "x" })),
        Row::new("GET /api/auth/verify-email/{token}", [400; 6]).at("/api/auth/verify-email/x"),
        // What they know tells who they are, not a token of somebody else.
        Row::new("POST /api/auth/refresh-token", [401; 6]).json(&json!({ "refreshToken": "x" })),
        Row::new("POST /api/auth/session/refresh", [401; 6]).json(&json!({ "refreshToken": "x" })),
        Row::new("POST /api/auth/change-password", [401, 403, 403, 403, 403, 403]).json(&wrong),
        Row::new("GET /api/auth/session/validate", ALL),
        Row::new("GET /api/auth/sign-ins", ALL).at(format!("/api/auth/sign-ins?userId={}", TEACHER.id)),
        Row::new("GET /api/auth/sessions", ALL),
        Row::new("DELETE /api/auth/sessions/{id}", [401, 404, 404, 200, 404, 404])
            .at(format!("/api/auth/sessions/{session}")),
        Row::new("DELETE /api/auth/sessions", ALL),
        Row::new("POST /api/auth/logout", ALL),
        Row::new("DELETE /api/auth/session/logout", ALL),
        Row::new("POST /api/auth/users/{id}/reset-password", [401, 403, 403, 403, 202, 404]).at(of("reset-password")),
        Row::new("DELETE /api/auth/users/{id}/sessions", ADMINS_OWN).at(of("sessions")),
    ];
    let document = serde_json::to_value(auth::document()).expect("JSON");
    // Some end the session that asks, so each request has one of its own.
    check_at(&world.base, &document, &rows, async |person| world.login(person).await.token).await;
}
