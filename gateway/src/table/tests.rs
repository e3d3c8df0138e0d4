use super::*;

fn table() -> Table {
    Table::parse(DEFAULT).expect("a good table")
}

fn served(method: &Method, path: &str) -> Option<(String, String)> {
    let table = table();
    let found = table.find(method, path)?;
    Some((found.route.upstream.clone(), found.path.unwrap_or_else(|| path.to_owned())))
}

#[test]
fn every_base_path_of_the_inventory_is_served_and_under_its_version_too() {
    let inventory = [
        ("/api/auth/sessions", "auth-service"),
        ("/api/users", "user-service"),
        ("/api/organizations/7/config", "organization-service"),
        ("/api/academic/subjects", "academic-service"),
        ("/api/plans/jobs", "plans-service"),
        ("/api/chat/sessions", "chat-service"),
        ("/api/analytics/users/activity", "analytics-service"),
        ("/api/files/upload", "file-service"),
        ("/api/migrations/status", "migration-service"),
        ("/api/schemas", "migration-service"),
        ("/api/database/health", "migration-service"),
        ("/api/backup/list", "migration-service"),
        ("/api/seeds/status", "migration-service"),
    ];
    for (path, upstream) in inventory {
        assert_eq!(served(&Method::GET, path), Some((upstream.to_owned(), path.to_owned())));
        let version = path.replacen("/api/", "/api/v1/", 1);
        assert_eq!(served(&Method::GET, &version), Some((upstream.to_owned(), path.to_owned())), "{version}");
    }
}

#[test]
fn the_web_clients_paths_lead_to_the_services() {
    for (path, upstream, there) in [
        ("/api/admin/organization", "organization-service", "/api/organizations/admin/organization"),
        ("/api/admin/teachers/7/status", "user-service", "/api/users/admin/teachers/7/status"),
        ("/api/admin/subjects", "academic-service", "/api/academic/admin/subjects"),
        ("/api/admin/courses/7", "academic-service", "/api/academic/admin/courses/7"),
        ("/api/auth/refresh", "auth-service", "/api/auth/refresh-token"),
        ("/api/v1/auth/refresh", "auth-service", "/api/auth/refresh-token"),
    ] {
        assert_eq!(served(&Method::PATCH, path), Some((upstream.to_owned(), there.to_owned())));
    }
}

#[test]
fn check_32_what_services_keep_to_themselves_is_not_served() {
    for path in [
        "/metrics",
        "/docs",
        "/openapi.json",
        "/ready",
        "/health",
        "/.well-known/jwks.json",
        "/debug",
        "/",
        "/api",
        "/api/v1",
    ] {
        assert_eq!(served(&Method::GET, path), None, "{path}");
    }
    for route in &table().routes {
        assert!(route.to.iter().chain(&route.paths).all(|path| path.starts_with("/api/")), "{}", route.name);
    }
}

#[test]
fn whole_segments_and_the_longest_path_count() {
    assert_eq!(served(&Method::GET, "/api/usersx"), None);
    assert_eq!(served(&Method::GET, "/api/adminorganization"), None);
    let table = table();
    let name = |method: &Method, path: &str| table.find(method, path).map(|found| found.route.name.clone());
    assert_eq!(name(&Method::POST, "/api/plans/generate").as_deref(), Some("plans-generate"));
    assert_eq!(
        name(&Method::GET, "/api/plans/generate").as_deref(),
        Some("plans"),
        "the limit is of the method that costs"
    );
    assert_eq!(name(&Method::POST, "/api/plans/generate/7/cancel").as_deref(), Some("plans"));
    assert_eq!(name(&Method::POST, "/api/auth/refresh/x").as_deref(), Some("auth"));
}

#[test]
fn what_is_wrong_is_said_in_one_sentence() {
    let head = "[upstreams]\na = { addresses = \"http://127.0.0.1:1\" }\n[[routes]]\nname = \"r\"\n";
    for (text, said) in [
        ("routes = [", "line"),
        ("[upstreams]\nroutes = 1", "line"),
        (&format!("{head}paths = [\"/api/x\"]\nupstream = \"b\""), "no upstream \"b\""),
        (&format!("{head}paths = [\"/metrics\"]\nupstream = \"a\""), "begins with /api/"),
        (&format!("{head}paths = [\"/api/../metrics\"]\nupstream = \"a\""), "single slashes"),
        (&format!("{head}paths = [\"/api/x\"]\nto = \"/metrics\"\nupstream = \"a\""), "begins with /api/"),
        (&format!("{head}paths = [\"/api/health\"]\nupstream = \"a\""), "own"),
        (&format!("{head}paths = [\"/api/x\"]\nupstream = \"a\"\nbody_limit = \"much\""), "body_limit"),
        (&format!("{head}paths = [\"/api/x\"]\nupstream = \"a\"\nacces = \"public\""), "acces"),
        (&format!("{head}paths = [\"/api/x\"]\nupstream = \"a\"\nmethods = [\"TRACE\"]"), "no method"),
        ("routes = []\n[upstreams]\na = { addresses = \"ftp://x\" }", "upstream"),
        ("routes = []\n[upstreams]", "no route"),
    ] {
        let error = Table::parse(text).expect_err(text).to_string();
        assert!(error.contains(said) && !error.contains('\n'), "{text}: {error}");
    }
}
