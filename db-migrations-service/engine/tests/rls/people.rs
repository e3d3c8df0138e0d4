//! Who asks, and for what: the people and rows of the development seeds by the numbers their ids carry.

/// The tables, by the number that stands first in the ids of their rows.
const KINDS: [(&str, u32); 29] = [
    ("user", 1),
    ("session", 2),
    ("password_reset", 3),
    ("profile", 4),
    ("user_role", 5),
    ("preference", 6),
    ("school", 7),
    ("config", 8),
    ("subject", 9),
    ("course", 10),
    ("course_subject", 11),
    ("teacher_course", 12),
    ("plan", 13),
    ("job", 14),
    ("result", 15),
    ("plan_file", 16),
    ("conversation", 17),
    ("message", 18),
    ("chat_file", 19),
    ("user_metric", 20),
    ("plan_metric", 21),
    ("academic_metric", 22),
    ("file", 23),
    ("metadata", 24),
    ("permission", 25),
    ("guardianship", 26),
    ("enrolment", 27),
    ("sign_in_event", 32),
    ("member", 33),
];

/// `user 1.21` as the id of that row; `None` for any other words.
fn id(words: &str) -> Option<String> {
    let (kind, number) = words.split_once(' ')?;
    let (_, table) = KINDS.iter().find(|(name, _)| *name == kind)?;
    let (school, row) = number.split_once('.')?;
    Some(format!("{table:08}-{:04}-4000-8000-{:012}", school.parse::<u32>().ok()?, row.parse::<u64>().ok()?))
}

/// SQL in which literals such as `'plan 1.1'` stand for ids.
pub fn spell_out(sql: &str) -> String {
    let pieces = sql.split('\'').enumerate();
    let spelled =
        pieces.map(|(n, piece)| if n % 2 == 1 { id(piece) } else { None }.unwrap_or_else(|| piece.to_owned()));
    spelled.collect::<Vec<_>>().join("'")
}

/// `1.21` for the id of a seeded row, whatever its table; anything else as it is.
pub fn short(id: &str) -> String {
    let groups: Vec<&str> = id.split('-').collect();
    let [_, school, "4000", "8000", row] = groups.as_slice() else { return id.to_owned() };
    match (school.parse::<u32>(), row.parse::<u64>()) {
        (Ok(school), Ok(row)) => format!("{school}.{row}"),
        _ => id.to_owned(),
    }
}

/// The claims of a signed-in user; what is empty is left out.
pub fn claims(user: &str, school: &str, role: &str) -> String {
    let ids = [("sub", id(&format!("user {user}"))), ("org", id(&format!("school {school}.1")))];
    let role = (!role.is_empty()).then(|| role.to_owned());
    let members = ids.into_iter().chain([("role", role)]);
    let members = members.filter_map(|(name, value)| Some(format!("\"{name}\": \"{}\"", value?)));
    format!("{{{}}}", members.collect::<Vec<_>>().join(", "))
}

/// Somebody who asks the database.
#[derive(Clone, Copy)]
pub struct Actor {
    /// As in the matrix: role and number, and what is odd about them.
    pub name: &'static str,
    /// The database role; `{service}` is the service that the table belongs to.
    pub db_role: &'static str,
    /// Number, school and role of the claims; `None` for no claims.
    pub claims: Option<(&'static str, &'static str, &'static str)>,
}

impl Actor {
    /// The claims as JSON, empty for none.
    pub fn claims(&self) -> String {
        self.claims.map(|(user, school, role)| claims(user, school, role)).unwrap_or_default()
    }

    /// What a service sends first for this user's request.
    pub fn sign_in(&self) -> String {
        let Self { db_role, .. } = self;
        format!(
            "select set_config('request.jwt.claims', '{}', true), set_config('role', '{db_role}', true)",
            self.claims()
        )
    }

    /// The one with this name.
    pub fn named(name: &str) -> Self {
        *ACTORS.iter().find(|actor| actor.name == name).unwrap_or_else(|| panic!("nobody is called {name}"))
    }
}

const fn user(name: &'static str, user: &'static str, school: &'static str, role: &'static str) -> Actor {
    Actor { name, db_role: "app_user", claims: Some((user, school, role)) }
}

const fn database(name: &'static str, db_role: &'static str) -> Actor {
    Actor { name, db_role, claims: None }
}

/// Everybody in the matrix.
pub const ACTORS: [Actor; 26] = [
    user("admin 1.1", "1.1", "1", "admin"),
    user("teacher 1.11", "1.11", "1", "teacher"),
    user("teacher 1.12", "1.12", "1", "teacher"),
    user("teacher 1.13", "1.13", "1", "teacher"),
    user("student 1.21", "1.21", "1", "student"),
    user("parent 1.31", "1.31", "1", "parent"),
    user("parent 1.33", "1.33", "1", "parent"),
    user("admin 2.1", "2.1", "2", "admin"),
    user("teacher 2.11", "2.11", "2", "teacher"),
    user("student 2.21", "2.21", "2", "student"),
    user("parent 2.31", "2.31", "2", "parent"),
    user("student 1.21 as admin", "1.21", "1", "admin"),
    user("admin 1.1 in 2", "1.1", "2", "admin"),
    user("teacher 1.11 in 2", "1.11", "2", "teacher"),
    user("student 1.21 in 2", "1.21", "2", "student"),
    user("parent 1.31 in 2", "1.31", "2", "parent"),
    user("teacher 1.11 nowhere", "1.11", "", "teacher"),
    user("teacher 1.13 nowhere", "1.13", "", "teacher"),
    user("platform 0.1", "0.1", "", "admin"),
    user("admin 1.1 nowhere", "1.1", "", "admin"),
    user("unknown 9.9 as hacker", "9.9", "1", "hacker"),
    database("no claims", "app_user"),
    database("owner", "{service}_owner"),
    database("service", "{service}_service"),
    database("other service", "{other}_service"),
    database("other owner", "{other}_owner"),
];
