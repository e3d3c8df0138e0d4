//! Two commands at once on the private database, without an `up`.

use std::path::Path;
use std::process::Command;

use rustix::process::Signal;
use testkit::TestProject;

use crate::support::{Running, open_folder, profe, run};

/// Two environments with a database each, and a migration that goes on until somebody ends it.
fn project() -> TestProject {
    let project = TestProject::new();
    let catalogue = project.read("config/services.toml");
    let (head, services) = catalogue.split_once("[services").expect("services");
    let head = head.split_once("[environments").expect("environments").0;
    project.write(
        "config/services.toml",
        &format!(
            "{head}[environments.development]\ndatabase = \"one\"\n\n[environments.other]\ndatabase = \"two\"\n\n[services{services}"
        ),
    );
    project.migration("alpha/1_sleep", "select pg_sleep(600);", "select 1;");
    project
}

fn command(folder: &Path, project: &TestProject, arguments: &[&str]) -> Command {
    let mut command = profe(folder);
    command.arg("--project").arg(project.path()).args(["--output", "json"]).args(arguments);
    command
}

/// A run that holds the server, and one of the other environment that uses it.
fn owner_and_guest(folder: &Path, project: &TestProject) -> (Running, Running) {
    let mut owner = Running::start(profe(folder).arg("--project").arg(project.path()), &["migrate", "run"]);
    owner.wait_for("Applying");
    let mut guest = Running::start(&mut command(folder, project, &["migrate", "run", "-e", "other"]), &[]);
    guest.wait_for("migration_started");
    (owner, guest)
}

#[test]
fn whoever_started_the_server_waits_for_those_who_use_it() {
    let (folder, project) = (open_folder(), project());
    let (mut owner, guest) = owner_and_guest(folder.path(), &project);
    owner.signal(Signal::INT);
    owner.wait_for("Cancelled:");
    // Its work is over; the server is there for the others, also for new ones.
    run(&mut command(folder.path(), &project, &["migrate", "status"]), &[]).ok(0);
    let (status, lines, said) = guest.interrupt();
    assert_eq!(status.code(), Some(130), "it lost its server: {lines:#?} {said}");
    let (status, ..) = owner.end();
    assert_eq!(status.code(), Some(130));
    run(&mut command(folder.path(), &project, &["migrate", "status"]), &[]).ok(0);
}

#[test]
fn a_second_ctrl_c_waits_for_nobody() {
    let (folder, project) = (open_folder(), project());
    let (mut owner, guest) = owner_and_guest(folder.path(), &project);
    owner.signal(Signal::INT);
    owner.wait_for_error("waiting for them");
    owner.signal(Signal::INT);
    assert_eq!(owner.end().0.code(), Some(130));
    let (status, lines, _) = guest.end();
    assert!(matches!(status.code(), Some(1 | 6)), "its server is gone: {status} {lines:#?}");
}

#[test]
fn kill_9_of_either_blocks_nobody() {
    let (folder, project) = (open_folder(), project());
    let (mut owner, guest) = owner_and_guest(folder.path(), &project);
    guest.signal(Signal::KILL);
    guest.end();
    owner.signal(Signal::INT);
    owner.wait_for("Cancelled:");
    assert_eq!(owner.end().0.code(), Some(130), "nobody is left to wait for");

    let (owner, guest) = owner_and_guest(folder.path(), &project);
    owner.signal(Signal::KILL);
    owner.end();
    let (status, lines, _) = guest.end();
    assert!(matches!(status.code(), Some(1 | 6)), "its server died with its supervisor: {status} {lines:#?}");
    run(&mut command(folder.path(), &project, &["migrate", "status"]), &[]).ok(0);
}
