//! Parts of the platform by themselves.

use crate::support::{Running, client, free_port, open_folder, profe, run};

#[test]
fn what_a_part_needs_is_said_before_it_starts() {
    let folder = open_folder();
    let database = testkit::block_on(testkit::server().empty_database());
    let command = || {
        let mut command = profe(folder.path());
        command.env("DATABASE_URL", database.url());
        command
    };
    let only = ["serve", "--only", "organization-service"];
    let said = run(&mut command(), &only).err(1);
    assert!(said.contains("ORGANIZATION_SERVICE_DB_URL") && said.contains("organizations_service"), "{said}");
    let said = run(&mut profe(folder.path()), &["up", "--only", "auth-service"]).err(2);
    assert!(said.contains("migration-service"), "{said}");
    let said = run(command().env("ORGANIZATION_SERVICE_DB_POOL", "0"), &only).err(2);
    assert!(said.contains("ORGANIZATION_SERVICE_DB_POOL"), "{said}");
}

#[test]
fn the_gateway_alone_serves_without_any_database() {
    let folder = open_folder();
    let port = free_port();
    let mut command = profe(folder.path());
    command.env("API_GATEWAY_PORT", port.to_string());
    let mut serve = Running::start(&mut command, &["serve", "--only", "api-gateway", "--output", "json"]);
    let ready = serve.wait_for("\"ready\":true").join("\n");
    assert!(ready.contains(&format!("\"platform\":\"http://localhost:{port}/api\"")), "{ready}");
    assert!(ready.contains("\"database\":null"), "{ready}");
    let health = client().get(format!("http://localhost:{port}/api/health")).send().expect("an answer");
    assert_eq!(health.status().as_u16(), 200);
    let status = client().get(format!("http://localhost:{port}/api/status")).send().expect("an answer");
    assert!(status.text().expect("text").contains("\"auth-service\""));
    let (status, _, errors) = serve.interrupt();
    assert_eq!(status.code(), Some(0), "{errors}");
}
