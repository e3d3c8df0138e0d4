//! What people do, on `profe up`'s defaults.

use serde_json::json;
use testkit::people::PASSWORD;

use super::flows;
use super::school::Up;
use crate::support::{Running, open_folder, profe};

#[test]
fn each_role_that_it_names_signs_in_and_an_administrator_runs_their_school() {
    let up = Up::start();
    let logins = flows::ROLES.map(|(role, email)| json!({ "role": role, "email": email, "password": PASSWORD }));
    assert_eq!(up.said["logins"], json!(logins));
    flows::each_role_signs_in_and_an_administrator_runs_their_school(&up.school);
    let (code, errors) = up.stop();
    assert_eq!(code, Some(0), "{errors}");
    for level in ["ERROR", "WARN"] {
        assert!(!errors.contains(level), "nothing was wrong on the way: {errors}");
    }
}

#[test]
fn a_teacher_registers_shows_their_address_and_sets_a_new_password() {
    flows::a_teacher_registers_shows_their_address_and_sets_a_new_password(&Up::start().school);
}

#[test]
fn an_administrator_adds_a_teacher_and_blocks_another_with_the_web_clients_calls() {
    flows::an_administrator_adds_a_teacher_and_blocks_another(&Up::start().school);
}

#[test]
fn a_parent_sees_only_their_children() {
    flows::a_parent_sees_only_their_children(&Up::start().school);
}

#[test]
fn it_tells_a_person_where_everything_is() {
    let folder = open_folder();
    let mut command = profe(folder.path());
    let mut up = Running::start(command.env("MIGRATION_SERVICE_PORT", "0"), &["up"]);
    let said = up.wait_for("Ctrl-C stops everything").join("\n");
    let place = |name: &str| {
        let line = said.lines().find_map(|line| line.trim_start().strip_prefix(name));
        line.unwrap_or_else(|| panic!("{name} in: {said}")).trim().to_owned()
    };
    for name in ["auth-service", "user-service", "organization-service", "migration-service", "API docs", "Database"] {
        assert!(place(name).contains("://"), "{name} in: {said}");
    }
    let gateway = place("api-gateway");
    assert_eq!(place("Platform"), format!("{gateway}/api"), "what a newcomer needs stands first");
    assert!(said.contains(&format!("{gateway}/api/status")), "{said}");
    assert_eq!(place("Letters"), ".profe/mail");
    for (role, email) in flows::ROLES {
        assert_eq!(place(role), email);
    }
    let (status, _, log) = up.interrupt();
    assert_eq!(status.code(), Some(0), "{log}");
    let port = gateway.trim_start_matches("http://localhost");
    let serves = |line: &str| line.contains("serving service=\"api-gateway\"") && line.contains(port);
    assert!(log.lines().any(serves), "{log}");
    assert!(!log.contains("WARN"), "nothing is wrong on the way: {log}");
}
