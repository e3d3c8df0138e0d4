//! Who may do what: each route of a service's OpenAPI document, asked as everybody there is, with the status that each is
//! answered. A route without a row fails, and so does a row without a route (security check 17).

use std::collections::BTreeSet;

use http::Method;
use serde_json::Value;

use crate::issuer::Issuer;
use crate::people::{ADMIN, OTHER_ADMIN, PARENT, Person, STUDENT, TEACHER};
use crate::served::{Seen, Served};

/// Who asks, in the order of the statuses of a [`Row`].
pub const ACTORS: [(&str, Option<Person>); 6] = [
    ("anonymous", None),
    ("student", Some(STUDENT)),
    ("parent", Some(PARENT)),
    ("teacher", Some(TEACHER)),
    ("admin", Some(ADMIN)),
    ("other school's admin", Some(OTHER_ADMIN)),
];

/// In which order they ask: who may change something does it last, when all others have been refused it on what is there.
const ORDER: [usize; 6] = [0, 1, 2, 3, 5, 4];

/// Paths of the shell, which are everybody's.
const SHELL: [&str; 3] = ["/health", "/ready", "/metrics"];

/// A path item holds other members, too.
const METHODS: [&str; 8] = ["get", "put", "post", "delete", "options", "head", "patch", "trace"];

/// A request, and what everybody is answered to it.
#[derive(Debug, Clone)]
pub struct Row {
    route: &'static str,
    path: String,
    body: Option<(&'static str, String)>,
    expected: [u16; 6],
}

impl Row {
    /// Of a route as `METHOD /path/{template}`; the statuses in the order of [`ACTORS`].
    pub fn new(route: &'static str, expected: [u16; 6]) -> Self {
        let path = route.split_once(' ').map_or(route, |(_, path)| path).to_owned();
        Self { route, path, body: None, expected }
    }

    /// Asks for this path, for a template or a query.
    #[must_use]
    pub fn at(self, path: impl Into<String>) -> Self {
        Self { path: path.into(), ..self }
    }

    /// Sends this.
    #[must_use]
    pub fn json(self, body: &Value) -> Self {
        self.body("application/json", body.to_string())
    }

    /// Sends this.
    #[must_use]
    pub fn body(self, content_type: &'static str, body: String) -> Self {
        Self { body: Some((content_type, body)), ..self }
    }

    fn method(&self) -> Method {
        let method = self.route.split(' ').next().unwrap_or_default();
        method.parse().unwrap_or_else(|_| panic!("{:?} begins with no method", self.route))
    }
}

/// Asks all of it, row by row, and fails with every difference.
///
/// # Panics
/// A status that is not the expected one, a route without a row, a row without a route.
pub async fn check(served: &Served, issuer: &Issuer, document: &Value, rows: &[Row]) {
    check_at(&format!("http://{}", served.address), document, rows, async |person| issuer.token(person)).await;
}

/// As [`check`], of the service at `base`; `token` is asked before each request for what somebody shows there.
///
/// # Panics
/// As [`check`].
pub async fn check_at(base: &str, document: &Value, rows: &[Row], token: impl AsyncFn(&Person) -> String) {
    let client = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build();
    let client = client.expect("a client");
    let (routes, listed) = (routes(document), rows.iter().map(|row| row.route.to_owned()).collect::<BTreeSet<_>>());
    let mut wrong: Vec<String> = routes.difference(&listed).map(|route| format!("{route} has no row")).collect();
    wrong.extend(listed.difference(&routes).map(|route| format!("{route} is no route")));
    for (line, row) in rows.iter().enumerate() {
        assert!(!row.path.contains('{'), "{}: say at which path", row.route);
        for number in ORDER {
            let (name, person) = ACTORS[number];
            let mut request = client.request(row.method(), format!("{base}{}", row.path));
            // Each row comes from an address of its own, so that no limit of one answers for another.
            request = request.header("x-forwarded-for", format!("198.51.{line}.{number}"));
            if let Some((content_type, body)) = &row.body {
                request = request.header("content-type", *content_type).body(body.clone());
            }
            if let Some(person) = person {
                request = request.bearer_auth(token(&person).await);
            }
            let seen = Seen::of(request).await;
            if seen.status != row.expected[number] {
                let expected = row.expected[number];
                wrong.push(format!(
                    "{} as {name}: expected {expected}, actual {} {:.300}",
                    row.route, seen.status, seen.text
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{} cells differ:\n{}", wrong.len(), wrong.join("\n"));
}

pub(crate) fn routes(document: &Value) -> BTreeSet<String> {
    let paths = document["paths"].as_object().expect("an OpenAPI document");
    let own = paths.iter().filter(|(path, _)| !SHELL.contains(&path.as_str()));
    let methods = |(path, item): (&String, &Value)| {
        let methods = item.as_object().expect("methods").keys().filter(|name| METHODS.contains(&name.as_str()));
        methods.map(|method| format!("{} {path}", method.to_uppercase())).collect::<Vec<_>>()
    };
    own.flat_map(methods).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_routes_are_those_of_the_document() {
        let document = json!({ "paths": {
            "/health": { "get": {} },
            "/api/x": { "get": {}, "post": {}, "parameters": [] },
            "/api/x/{id}": { "delete": {} },
        } });
        let routes: Vec<String> = routes(&document).into_iter().collect();
        assert_eq!(routes, ["DELETE /api/x/{id}", "GET /api/x", "POST /api/x"]);
    }
}
