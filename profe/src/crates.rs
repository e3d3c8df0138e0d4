//! What is ours, and what came from elsewhere.

/// Our own crates, as they stand in paths: only these log more than is worth knowing.
pub const OURS: [&str; 23] = [
    "auth",
    "backup_vault",
    "dashboard",
    "db_migrations_service",
    "embedded_postgres",
    "foreign_migrations",
    "gateway",
    "identity",
    "kernel",
    "keyring",
    "lock_forecast",
    "mail",
    "migration_client",
    "migration_engine",
    "organizations",
    "postgres_link",
    "profe",
    "runtime",
    "schema_catalog",
    "service",
    "sql_grammar",
    "users",
    "web",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_are_those_of_the_workspace() {
        let manifest = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.toml")).expect("a file");
        let by_path = manifest.lines().filter(|line| line.contains("{ path = "));
        let names = by_path.filter_map(|line| line.split_whitespace().next()).filter(|name| *name != "testkit");
        let mut names: Vec<_> = names.map(|name| name.replace('-', "_")).chain(["profe".to_owned()]).collect();
        names.sort();
        assert_eq!(names, OURS);
    }
}
