//! The auth service as its clients meet it: over HTTP, on the platform's migrated database, with letters in a folder.
//! Security checks carry their number in the test's name.

mod administration;
mod answers;
mod contract;
mod document;
mod keys;
mod letters;
mod limits;
mod matrix;
mod meanwhile;
mod passwords;
mod registering;
mod resets;
mod sessions;
mod tokens;
mod world;
