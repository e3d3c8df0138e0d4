//! What every domain service promises, shown by a small one that lists and changes the schools' settings.

mod answers;
mod callers;
mod lists;
mod once;
mod ready;
mod versions;
mod world;
