//! Roles and the database's own rights and settings, which `pg_dump` leaves out.

use postgres_link::AdminConn;
use serde::Deserialize;

use crate::error::VaultError;
use postgres_link::quote::{identifier, literal};

/// The part, as JSON.
pub(crate) async fn read(conn: &AdminConn) -> Result<String, VaultError> {
    let outcome =
        conn.batch(include_str!("roles.sql")).await.map_err(|error| VaultError::server(&error, "reading the roles"))?;
    Ok(outcome.value(0, 0).unwrap_or("{}").to_owned())
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Everybody {
    roles: Vec<Role>,
    memberships: Vec<Membership>,
    owner: Option<String>,
    settings: Vec<Setting>,
    /// `None` where the rights are those that every new database has.
    rights: Option<Vec<Right>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Role {
    name: String,
    login: bool,
    inherit: bool,
    #[serde(rename = "createRole")]
    makes_roles: bool,
    create_database: bool,
    bypass_rls: bool,
    connection_limit: i64,
    settings: Vec<String>,
    comment: Option<String>,
}

#[derive(Deserialize)]
struct Membership {
    role: String,
    member: String,
    admin: bool,
}

#[derive(Deserialize)]
struct Setting {
    role: Option<String>,
    setting: String,
}

#[derive(Deserialize)]
struct Right {
    /// `None` is everybody.
    grantee: Option<String>,
    privilege: String,
    grantable: bool,
}

/// What of the part is brought back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Extent {
    /// The roles that are missing: without them nothing can belong to them.
    Roles,
    /// Also the database's owner, rights and settings.
    Database,
}

/// The statements that bring the part back, for a session on `database`. Roles that are there stay as they are; a new one can sign in
/// where it could, and has no password.
pub(crate) fn statements(part: &[u8], database: &str, extent: Extent) -> Result<Vec<String>, serde_json::Error> {
    let part: Everybody = serde_json::from_slice(part)?;
    let mut out: Vec<String> = part.roles.iter().map(create).collect();
    for Membership { role, member, admin } in &part.memberships {
        let option = if *admin { " WITH ADMIN OPTION" } else { "" };
        out.push(format!(
            "DO $do$BEGIN IF NOT EXISTS (SELECT FROM pg_auth_members WHERE roleid = {}::regrole AND member = {}::regrole) THEN GRANT {} TO {}{option}; END IF; END$do$",
            literal(&identifier(role)),
            literal(&identifier(member)),
            identifier(role),
            identifier(member),
        ));
    }
    if extent == Extent::Roles {
        return Ok(out);
    }
    let database = identifier(database);
    out.extend(part.owner.iter().map(|owner| format!("ALTER DATABASE {database} OWNER TO {}", identifier(owner))));
    for Setting { role, setting } in &part.settings {
        let whose = role.as_ref().map_or_else(
            || format!("DATABASE {database}"),
            |role| format!("ROLE {} IN DATABASE {database}", identifier(role)),
        );
        out.extend(assignment(setting).map(|assignment| format!("ALTER {whose} SET {assignment}")));
    }
    if let Some(rights) = &part.rights {
        out.push(format!("REVOKE ALL ON DATABASE {database} FROM PUBLIC"));
        for Right { grantee, privilege, grantable } in rights {
            let grantee = grantee.as_ref().map_or_else(|| "PUBLIC".to_owned(), |role| identifier(role));
            let option = if *grantable { " WITH GRANT OPTION" } else { "" };
            out.push(format!("GRANT {privilege} ON DATABASE {database} TO {grantee}{option}"));
        }
    }
    Ok(out)
}

/// The roles that must be there.
pub(crate) fn names(part: &[u8]) -> Result<Vec<String>, serde_json::Error> {
    let part: Everybody = serde_json::from_slice(part)?;
    Ok(part.roles.into_iter().map(|role| role.name).collect())
}

fn create(role: &Role) -> String {
    let may = |allowed: bool, word: &str| if allowed { word.to_owned() } else { format!("NO{word}") };
    let name = identifier(&role.name);
    let mut statements = vec![format!(
        "CREATE ROLE {name} {} {} {} {} {} CONNECTION LIMIT {};",
        may(role.login, "LOGIN"),
        may(role.inherit, "INHERIT"),
        may(role.makes_roles, "CREATEROLE"),
        may(role.create_database, "CREATEDB"),
        may(role.bypass_rls, "BYPASSRLS"),
        role.connection_limit,
    )];
    let settings = role.settings.iter().filter_map(|setting| assignment(setting));
    statements.extend(settings.map(|assignment| format!("ALTER ROLE {name} SET {assignment};")));
    statements.extend(role.comment.iter().map(|comment| format!("COMMENT ON ROLE {name} IS {};", literal(comment))));
    let body = statements.join(" ");
    format!(
        "DO {} ",
        literal(&format!(
            "BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = {}) THEN {body} END IF; END",
            literal(&role.name)
        ))
    )
}

/// `name=value` as SET takes it. A list is one value here, and SET would quote it as one: those of names are taken apart.
fn assignment(setting: &str) -> Option<String> {
    let (name, value) = setting.split_once('=')?;
    let name: Vec<String> = name.split('.').map(identifier).collect();
    let is_list = matches!(
        name.last().map(String::as_str),
        Some(
            "\"search_path\""
                | "\"temp_tablespaces\""
                | "\"session_preload_libraries\""
                | "\"local_preload_libraries\""
        )
    );
    // Lists are kept with their members quoted already.
    let value = if is_list { value.to_owned() } else { literal(value) };
    Some(format!("{} TO {value}", name.join(".")))
}
