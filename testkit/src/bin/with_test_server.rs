//! Starts one PostgreSQL for a whole test run: `with-test-server <command> …` runs the command with
//! `PROFE_TEST_SERVER` set, stops the server, and ends with the command's exit code.

use std::process::{Command, ExitCode};

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    let Some(program) = arguments.next() else {
        return fail("usage: with-test-server <command> [argument …]");
    };
    let cluster = testkit::start_cluster();
    let folder = cluster.data().parent().map(std::path::Path::to_path_buf);
    let status = Command::new(&program).args(arguments).env(testkit::VARIABLE, cluster.url("postgres")).status();
    cluster.stop();
    if let Some(folder) = folder {
        // It is a temporary folder; the next run looks for what was left.
        let _ = std::fs::remove_dir_all(folder);
    }
    match status {
        Ok(status) => ExitCode::from(u8::try_from(status.code().unwrap_or(1)).unwrap_or(1)),
        Err(error) => fail(&format!("{}: {error}", program.display())),
    }
}

#[expect(clippy::print_stderr, reason = "it is a command")]
fn fail(message: &str) -> ExitCode {
    eprintln!("{message}");
    ExitCode::from(2)
}
