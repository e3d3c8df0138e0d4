//! The committed ERD.

use std::process::Command;

use crate::{program_folder, root};

#[test]
fn the_committed_erd_is_the_present_one() {
    let elsewhere = tempfile::tempdir().expect("a temporary folder");
    let output = Command::new(program_folder().join("profe"))
        .args(["db", "erd", "--check", "--folder"])
        .arg(root())
        .current_dir(elsewhere.path())
        .env_clear()
        .env("DATABASE_URL", testkit::server().url("postgres"))
        .output()
        .expect("profe runs");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "run `make generated`: {errors}");
}
