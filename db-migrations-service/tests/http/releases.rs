//! Which releases run, and what is held because of them.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use crate::alerts::catalogue;
use crate::compatibility::CHANGE;
use crate::listening::{kept, master};
use crate::world::{Answer, Setup, World, admin, world, world_with};

async fn lives(world: &World, instance: &str, body: Value) -> Answer {
    let path = format!("/api/releases/alumnos-service/{instance}");
    Answer::of(world.request(Method::PUT, &path).json(&body)).await
}

async fn leaves(world: &World, instance: &str) -> Answer {
    Answer::of(world.request(Method::DELETE, &format!("/api/releases/alumnos-service/{instance}"))).await
}

/// A release that needs this version of its schema.
fn needing(world: &World, release: &str, version: &str) -> Value {
    json!({ "release": release, "needs": [format!("{}/{version}", world.schema)] })
}

async fn run(world: &World) -> Answer {
    world.post("/api/migrations/run", json!({ "wait": true })).await
}

async fn changing() -> World {
    world_with(Setup { files: CHANGE.to_vec(), ..Setup::default() }).await
}

async fn applied(world: &World) -> Option<String> {
    let sql = format!("SELECT count(*) FROM migration_service.history WHERE schema_name = '{}'", world.schema);
    let session = admin(&format!("dev{}", world.suffix())).await;
    session.batch(&sql).await.expect("it has a history").value(0, 0).map(str::to_owned)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_release_lives_until_its_processes_sign_off() {
    let world = world().await;
    let first = lives(&world, "alumnos-a", needing(&world, "2.3.1", "20260102000000")).await.is(200);
    assert_eq!((&first["release"], &first["environment"]), (&json!("2.3.1"), &json!("development")));
    lives(&world, "alumnos-b", needing(&world, "2.3.1", "20260102000000")).await.is(200);
    lives(&world, "alumnos-b", needing(&world, "2.3.1", "20260102000000")).await.is(200);
    lives(&world, "alumnos-c", json!({ "release": "2.4.0", "environment": "production" })).await.is(200);
    let all = world.get("/api/releases").await.is(200);
    let seen = |entry: &Value| {
        let names = entry["instances"].as_array().expect("a list").iter().map(|i| i["instance"].to_string());
        format!("{} {} {} {}", entry["environment"], entry["release"], entry["needs"], names.collect::<String>())
    };
    let seen: Vec<_> = all["releases"].as_array().expect("a list").iter().map(seen).collect();
    let needs = format!("[\"{}/20260102000000\"]", world.schema);
    assert_eq!(
        seen,
        [
            format!("\"development\" \"2.3.1\" {needs} \"alumnos-a\"\"alumnos-b\""),
            "\"production\" \"2.4.0\" null \"alumnos-c\"".to_owned()
        ]
    );
    // A new release under the old name is another one.
    lives(&world, "alumnos-b", needing(&world, "2.5.0", "20260102000000")).await.is(200);
    assert_eq!(leaves(&world, "alumnos-a").await.status, 204);
    leaves(&world, "alumnos-a").await.is_problem(404, "unknown_instance");
    let left = world.get("/api/releases?environment=development&service=alumnos-service").await.is(200);
    assert_eq!(left["releases"][0]["release"], "2.5.0", "{left}");
    assert_eq!(left["releases"].as_array().map(Vec::len), Some(1), "{left}");
    let told: Vec<_> = kept(&world).await.into_iter().map(|(_, kind)| kind).collect();
    let started = ["release_started"; 4];
    assert_eq!(told, [&started[..], &["release_ended"]].concat(), "a sign of life is no news");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_contract_is_held_while_a_live_release_uses_the_old_shape() {
    let world = changing().await;
    lives(&world, "alumnos-a", needing(&world, "2.3.1", "20260102000000")).await.is(200);
    lives(&world, "alumnos-b", needing(&world, "2.3.1", "20260102000000")).await.is(200);
    let refused = run(&world).await.is_problem(409, "contract_held");
    let words = refused["detail"].as_str().expect("a sentence");
    for part in ["20260104000000 takes away what", "alumnos-service 2.3.1", "alumnos-a, alumnos-b", "it needs only"] {
        assert!(words.contains(part), "{part}: {words}");
    }
    let cure = refused["cure"].as_str().expect("a sentence");
    assert!(cure.contains("profe release list") && cure.contains("--despite-releases"), "{cure}");
    assert_eq!(refused["migration"], format!("{}/20260104000000", world.schema));
    let plan = world.get("/api/migrations/plan").await.is(200);
    assert!(plan["notes"].to_string().contains("which live releases still use"), "{plan:#}");

    // What comes before it is nobody's harm, and neither is a dry run.
    let to = format!("{}/20260103000000", world.schema);
    world.post("/api/migrations/run", json!({ "to": to, "wait": true })).await.is(200);
    world.post("/api/migrations/run", json!({ "dryRun": true, "wait": true })).await.is(200);
    assert_eq!(applied(&world).await.as_deref(), Some("3"));

    lives(&world, "alumnos-b", needing(&world, "2.4.0", "20260103000000")).await.is(200);
    let still = run(&world).await.is_problem(409, "contract_held");
    let words = still["detail"].as_str().expect("a sentence");
    assert!(words.contains("instance alumnos-a)") && !words.contains("2.4.0"), "{words}");
    leaves(&world, "alumnos-a").await;
    run(&world).await.is(200);
    assert_eq!(applied(&world).await.as_deref(), Some("4"));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_silent_holds_until_somebody_has_listened_for_as_long() {
    let world = changing().await;
    let mut body = needing(&world, "2.3.1", "20260102000000");
    body["ttlS"] = json!(3_600);
    lives(&world, "alumnos-a", body).await.is(200);
    let back = "UPDATE migration_service.service_instance SET seen_at = now() - interval '2 hours'";
    master(&world).await.batch(back).await.expect("it may");
    let gone = async |listened_s: u64| {
        let listened = Duration::from_secs(listened_s);
        world.operations.find_silent_releases(listened).await.expect("the master database answers")
    };
    assert_eq!(gone(3_599).await, 0, "it may have had nobody to talk to");
    let held = run(&world).await.is_problem(409, "contract_held");
    assert!(held["detail"].as_str().is_some_and(|words| words.contains("alumnos-a, silent since")), "{held}");
    let listed = world.get("/api/releases").await.is(200);
    assert_eq!(listed["releases"][0]["instances"][0]["silent"], true, "{listed}");
    assert_eq!(gone(3_600).await, 1);
    assert_eq!(gone(3_600).await, 0);
    run(&world).await.is(200);
    let ended = kept(&world).await.into_iter().filter(|(_, kind)| kind == "release_ended").count();
    assert_eq!(ended, 1);
    // Who comes back is alive again.
    lives(&world, "alumnos-a", needing(&world, "2.3.1", "20260102000000")).await.is(200);
    assert_eq!(world.get("/api/releases").await.is(200)["releases"].as_array().map(Vec::len), Some(1));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_does_not_say_what_they_need_is_taken_to_need_the_old_shape() {
    let releases = "[services.alumnos-service.releases.\"2.4\"]\nneeds = [\"alumnos{s}/20260103000000\"]\n\
                    [services.cursos-service.releases.\"7\"]\nneeds = [\"cursos{s}/20260101000001\"]\n";
    let files = catalogue(releases).into_iter().chain(CHANGE).collect();
    let world = world_with(Setup { files, ..Setup::default() }).await;
    let held = async || {
        let answer = run(&world).await.is_problem(409, "contract_held");
        answer["detail"].as_str().expect("a sentence").to_owned()
    };
    lives(&world, "alumnos-a", json!({ "release": "1.9" })).await.is(200);
    assert!(held().await.contains("1.9 (nobody says what it needs; instance alumnos-a)"));
    lives(&world, "alumnos-a", json!({ "release": "2.4.7" })).await.is(200);
    // Another service that references the schema.
    let other = |release: &str| {
        let request = world.request(Method::PUT, "/api/releases/cursos-service/cursos-a");
        Answer::of(request.json(&json!({ "release": release })))
    };
    other("6.0").await.is(200);
    assert!(held().await.contains("cursos-service 6.0 (nobody says what it needs"));
    other("7.1").await.is(200);
    let tolerates = format!("{}/20260103000000", world.schema);
    lives(&world, "alumnos-b", json!({ "release": "2.4.7", "tolerates": [tolerates] })).await.is(200);
    assert!(held().await.contains("it tolerates nothing newer than"));
    leaves(&world, "alumnos-b").await;
    run(&world).await.is(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn with_a_reason_it_is_taken_all_the_same_and_the_reason_is_kept() {
    let world = changing().await;
    lives(&world, "alumnos-a", needing(&world, "2.3.1", "20260102000000")).await.is(200);
    let with = |reason: &str| json!({ "wait": true, "override": [{ "gate": "contract", "reason": reason }] });
    world.post("/api/migrations/run", with(" ")).await.is_problem(422, "invalid_request");
    let token = world.token(&["migrate"], &[]).await;
    let request = world.request(Method::POST, "/api/migrations/run").bearer_auth(token).json(&with("now"));
    Answer::of(request).await.is_problem(403, "insufficient_scope");
    world.post("/api/migrations/run", with("2.3.1 is out of rotation")).await.is(200);
    let session = admin(&format!("dev{}", world.suffix())).await;
    let kept = session.batch("SELECT gate, reason, by_whom FROM migration_service.gate_override").await.expect("a row");
    let row: Vec<_> = kept.rows().flatten().map(|cell| cell.as_deref().unwrap_or("-")).collect();
    assert_eq!(row, ["contract", "2.3.1 is out of rotation", "local"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_registered_is_refused_with_a_cure() {
    let variables = vec![("MIGRATION_SERVICE_AUTH", "required".to_owned())];
    let world = world_with(Setup { variables, ..Setup::default() }).await;
    let token = world.token(&["release"], &["alumnos-service"]).await;
    let put = async |path: &str, body: Value| {
        Answer::of(world.request(Method::PUT, path).bearer_auth(&token).json(&body)).await
    };
    let own = "/api/releases/alumnos-service/a";
    put(own, needing(&world, "2.3.1", "20260102000000")).await.is(200);
    put("/api/releases/cursos-service/a", json!({ "release": "1" })).await.is_problem(403, "service_not_allowed");
    put(own, json!({ "release": "1", "ttlS": 4 })).await.is_problem(422, "invalid_request");
    put(own, json!({ "release": "" })).await.is_problem(422, "invalid_request");
    put(own, json!({ "release": "a b" })).await.is_problem(422, "invalid_request");
    put("/api/releases/alumnos-service/a%20b", json!({ "release": "1" })).await.is_problem(422, "invalid_request");
    put(own, json!({ "release": "1", "needs": ["nowhere/1"] })).await.is_problem(422, "invalid_request");
    put(own, json!({ "release": "1", "environment": "lab" })).await.is_problem(404, "unknown_environment");
    let all = world.token(&["release"], &[]).await;
    let request = world.request(Method::PUT, "/api/releases/nadie-service/a").bearer_auth(all);
    Answer::of(request.json(&json!({ "release": "1" }))).await.is_problem(404, "unknown_service");
    // It sees nothing that is not its own business.
    let list = world.request(Method::GET, "/api/releases").bearer_auth(&token);
    Answer::of(list).await.is_problem(403, "insufficient_scope");
}

/// Takes the newest migration back.
async fn back(world: &World, more: Value) -> Answer {
    let mut body = json!({ "steps": 1, "service": "alumnos-service", "wait": true });
    body.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
    world.post("/api/migrations/rollback", body).await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_live_release_needs_is_not_taken_back() {
    let world = world().await;
    run(&world).await.is(200);
    lives(&world, "alumnos-a", needing(&world, "2.3.1", "20260102000000")).await.is(200);
    let refused = back(&world, json!({})).await.is_problem(409, "contract_held");
    let words = refused["detail"].as_str().expect("a sentence");
    let needed = format!("{}/20260102000000", world.schema);
    assert!(words.starts_with(&format!("{needed} cannot be taken back, because live releases need it")), "{words}");
    assert!(words.contains(&format!("alumnos-service 2.3.1 (it needs {needed}; instance alumnos-a)")), "{words}");
    assert!(refused["cure"].as_str().is_some_and(|cure| cure.contains("--despite-releases REASON")), "{refused}");
    assert_eq!(applied(&world).await.as_deref(), Some("2"), "nothing was taken back");
    // A look at it says so, too.
    let plan = back(&world, json!({ "dryRun": true })).await.is(200);
    assert_eq!(applied(&world).await.as_deref(), Some("2"), "{plan}");
    // Who needs less does not mind, and who says nothing does.
    lives(&world, "alumnos-a", needing(&world, "2.2.0", "20260101000001")).await.is(200);
    lives(&world, "alumnos-b", json!({ "release": "1.9" })).await.is(200);
    let silent = back(&world, json!({})).await.is_problem(409, "contract_held");
    assert!(
        silent["detail"].as_str().is_some_and(|words| words.contains("1.9 (nobody says what it needs")),
        "{silent}"
    );
    leaves(&world, "alumnos-b").await;
    back(&world, json!({})).await.is(200);
    let stand = "SELECT count(*) FROM migration_service.history WHERE rolled_back_at IS NULL";
    let session = admin(&format!("dev{}", world.suffix())).await;
    assert_eq!(session.batch(stand).await.expect("it has a history").value(0, 0), Some("2"), "one of each service");
}

#[tokio::test(flavor = "multi_thread")]
async fn with_a_reason_it_is_taken_back_all_the_same_and_the_reason_is_kept() {
    let world = world().await;
    run(&world).await.is(200);
    lives(&world, "alumnos-a", needing(&world, "2.3.1", "20260102000000")).await.is(200);
    let with = |gate: &str, reason: &str| json!({ "override": [{ "gate": gate, "reason": reason }] });
    back(&world, with("contract", " ")).await.is_problem(422, "invalid_request");
    back(&world, with("hazards", "no")).await.is_problem(422, "invalid_request");
    let token = world.token(&["migrate"], &[]).await;
    let body = json!({ "steps": 1, "override": [{ "gate": "contract", "reason": "now" }] });
    let request = world.request(Method::POST, "/api/migrations/rollback").bearer_auth(token).json(&body);
    Answer::of(request).await.is_problem(403, "insufficient_scope");
    back(&world, with("contract", "2.3.1 is broken anyway")).await.is(200);
    let session = admin(&format!("dev{}", world.suffix())).await;
    let kept = session.batch("SELECT gate, reason, by_whom FROM migration_service.gate_override").await.expect("a row");
    let row: Vec<_> = kept.rows().flatten().map(|cell| cell.as_deref().unwrap_or("-")).collect();
    assert_eq!(row, ["contract", "2.3.1 is broken anyway", "local"]);
}
