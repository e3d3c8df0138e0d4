//! Committed OpenAPI documents.

use std::path::Path;

/// Set to write the file instead of comparing it.
const UPDATE: &str = "UPDATE_OPENAPI";

/// Fails where `openapi/<name>.json` is not this text; writes it where `UPDATE_OPENAPI` is set.
///
/// # Panics
/// A stale file, or one that cannot be written.
pub fn document(name: &str, present: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../openapi").join(format!("{name}.json"));
    if std::env::var_os(UPDATE).is_some() {
        std::fs::write(&path, present).expect("the file can be written");
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(committed == present, "openapi/{name}.json is stale; write it anew with `make generated`");
}
