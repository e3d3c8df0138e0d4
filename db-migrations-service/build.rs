//! Cargo watches the files that were embedded, but not for new ones: these lines do.

fn main() {
    for folder in ["config", "migrations", "seeds"] {
        println!("cargo::rerun-if-changed={folder}");
    }
}
