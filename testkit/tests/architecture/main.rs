//! The laws of this repository that no compiler knows: which crate may know which, what may stand in a source file,
//! and that every promise in docs/promises.md is shown by a test that exists.

mod edges;
mod files;
mod promises;
mod tree;
