//! When a service is ready, what it counts, and how it ends.

use testkit::people::ADMIN;
use testkit::server;

use crate::world::{DEFINITION, World};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_is_alive_before_it_is_ready_and_says_what_is_missing() {
    // Its login role is a superuser, its migration service and its keys are nowhere.
    let world = World::start_unready(|settings| {
        settings.database = Some(server().connect().clone());
        settings.migrations = "http://127.0.0.1:9".to_owned();
        settings.keyring.auth = "http://127.0.0.1:9".parse().expect("a URL");
    })
    .await;
    assert_eq!(world.get("/health", None).await.status, 200);
    let answer = world.get("/ready", None).await;
    assert_eq!((answer.status, answer.code().as_str()), (503, "not_ready"));
    assert_eq!(answer.json()["missing"], serde_json::json!(["database", "keys", "schema"]));
    let asked = world.get("/who", Some(&ADMIN)).await;
    assert_eq!((asked.status, asked.code().as_str(), asked.header("retry-after")), (503, "try_again", "1"));
    world.served.stop().await.expect("it ends all the same");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_schema_that_is_not_what_it_needs_keeps_it_from_being_ready() {
    static NEEDS_MORE: service::Definition =
        service::Definition { needs: &["organizations/20991231000000"], ..DEFINITION };
    let platform = testkit::Platform::start().await;
    let settings = platform.settings(&NEEDS_MORE).await;
    let service = service::Service::bind(&NEEDS_MORE, settings).await.expect("it starts");
    let readiness = service.readiness();
    let shutdown = tokio_util::sync::CancellationToken::new();
    let mut supervisor = runtime::Supervisor::new(shutdown.clone());
    supervisor.add(service);
    let running = tokio::spawn(supervisor.run());
    // Three parts, each reported once.
    let is_all_but_one = async {
        while readiness.missing() != ["schema"] {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_mins(2), is_all_but_one).await.expect("the rest is in place");
    shutdown.cancel();
    running.await.expect("no panic").expect("it ends well");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_of_another_service_that_is_away_is_stood_in_for() {
    World::start_with(|settings| {
        settings.migrations = format!("http://127.0.0.1:9,{}", settings.migrations);
        settings.keyring.auth = format!("http://127.0.0.1:9,{}", settings.keyring.auth);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_are_counted_by_the_template_of_their_route() {
    let world = World::start().await;
    for school in testkit::people::SCHOOLS {
        world.get(&format!("/schools/{school}"), Some(&ADMIN)).await;
    }
    world.get("/no/such/path", None).await;
    let answer = world.get("/metrics", None).await;
    assert_eq!(answer.status, 200);
    let count = |labels: &str| {
        let line = answer.text.lines().find(|line| {
            line.starts_with("http_server_request_duration_seconds_count{")
                && labels.split('&').all(|label| line.contains(label))
        });
        line.and_then(|line| line.rsplit(' ').next()).map(str::to_owned)
    };
    assert_eq!(count("http_route=\"/schools/{id}\"&status_code=\"200\"").as_deref(), Some("1"), "{}", answer.text);
    assert_eq!(count("http_route=\"/schools/{id}\"&status_code=\"404\"").as_deref(), Some("1"));
    assert_eq!(count("http_route=\"none\"&status_code=\"404\"").as_deref(), Some("1"));
    assert!(answer.text.contains("service=\"organization-service\""));
    for id in testkit::people::SCHOOLS {
        assert!(!answer.text.contains(&id.to_string()), "a path is no label");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn its_openapi_document_says_who_must_sign_in_and_how_problems_look() {
    let world = World::start().await;
    let document = world.get("/openapi.json", None).await.json();
    assert_eq!(document["security"], serde_json::json!([{ "bearer": [] }]));
    assert_eq!(document["paths"]["/as-service"]["get"]["security"], serde_json::json!([{}]));
    assert_eq!(document["paths"]["/health"]["get"]["security"], serde_json::json!([{}]));
    // What follows from a record's path and a body, each by its status, so that nothing is answered that is not written down.
    let responses = &document["paths"]["/schools/{id}"]["put"]["responses"];
    for status in ["400", "401", "404", "413", "415", "422", "503"] {
        let problem = &responses[status]["content"]["application/problem+json"];
        assert_eq!(problem["schema"]["$ref"], "#/components/schemas/ProblemDocument", "{status}");
    }
    assert!(responses["default"].is_null());
    assert!(document["components"]["schemas"]["ProblemDocument"].is_object());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_database_it_says_which_variable_names_one() {
    let settings = service::Settings { port: 0, ..service::Settings::of(&DEFINITION) };
    let Err(error) = service::Service::bind(&DEFINITION, settings).await else { panic!("it has no database") };
    let said = error.to_string();
    assert!(said.contains("ORGANIZATION_SERVICE_DB_URL") && said.contains("organizations_service"), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_under_way_is_answered_before_it_ends() {
    let world = World::start().await;
    let (address, client) = (world.served.address, world.served.client.clone());
    let token = world.platform.issuer.token(&ADMIN);
    // It holds the row that the request wants, until the service was told to end.
    let holder = world.platform.db.session().await;
    holder.batch("BEGIN; LOCK TABLE organizations.organizations IN ACCESS EXCLUSIVE MODE").await.expect("locked");
    let url = format!("http://{address}/schools/{}", ADMIN.school);
    let asked = tokio::spawn(async move { client.get(url).bearer_auth(token).send().await });
    while world.platform.db.value("SELECT count(*) FROM pg_locks WHERE NOT granted").await.as_deref() != Some("1") {}
    let stopped = tokio::spawn(world.served.stop());
    while tokio::net::TcpStream::connect(address).await.is_ok() {}
    holder.batch("COMMIT").await.expect("released");
    assert_eq!(asked.await.expect("no panic").expect("an answer").status().as_u16(), 200);
    stopped.await.expect("no panic").expect("it ends well");
}
