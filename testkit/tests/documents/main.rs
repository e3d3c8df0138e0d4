//! The documents say what is so: the README's walk is done, and the ERD is that of the migrated database.

use std::path::{Path, PathBuf};

mod erd;
mod walks;

/// The repository.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("testkit is a folder of the repository").to_owned()
}

/// Where the same build put `profe`: two folders above this test's program.
fn program_folder() -> PathBuf {
    let own = std::env::current_exe().expect("this program has a path");
    let folder = own.parent().and_then(Path::parent).expect("target/debug/deps").to_owned();
    let program = folder.join("profe");
    assert!(program.is_file(), "there is no {}; run `cargo build -p profe`", program.display());
    folder
}
