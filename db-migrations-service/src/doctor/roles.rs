//! The roles of the catalogue: which exist, and who has to be a member of which.

use std::collections::BTreeSet;

use migration_engine::Catalogue;
use migration_engine::catalogue::Service;
use postgres_link::{AdminConn, tokio_postgres};

use super::Check;
use super::target::quoted;

/// A membership that the catalogue asks for and that is not there, although both roles are.
pub(super) struct Lacking {
    member: String,
    role: String,
    /// The user may grant it.
    grantable: bool,
}

impl Lacking {
    fn grant(&self) -> String {
        format!("GRANT {} TO {};", quoted(&self.role), quoted(&self.member))
    }
}

/// What was found of them.
pub(super) struct Roles {
    /// Those that do not exist.
    pub missing: Vec<String>,
    /// Owners, which migrations run as, that the user cannot become.
    foreign_owners: Vec<Lacking>,
    /// What runtime roles cannot take on.
    not_taken_on: Vec<Lacking>,
}

/// Looks at the roles of `catalogue`. `user` is who is signed in.
pub(super) async fn look(
    session: &AdminConn,
    catalogue: &Catalogue,
    user: &str,
) -> Result<Roles, tokio_postgres::Error> {
    let owners: BTreeSet<String> = catalogue.services.values().filter_map(Service::owner_role).collect();
    let runtime = catalogue.services.values().filter_map(Service::runtime_role);
    let all: BTreeSet<String> = catalogue.roles.keys().cloned().chain(owners.iter().cloned()).chain(runtime).collect();
    let names: Vec<&str> = all.iter().map(String::as_str).collect();
    let rows = session
        .client()
        .query(
            "SELECT n::text FROM unnest($1::text[]) n WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = n)",
            &[&names],
        )
        .await?;
    let taken_on: Vec<(String, String)> = catalogue
        .services
        .values()
        .filter_map(|service| Some((service.runtime_role()?, &service.member_of)))
        .flat_map(|(role, member_of)| member_of.iter().map(move |of| (role.clone(), of.clone())))
        .collect();
    let become_owners: Vec<(String, String)> = owners.into_iter().map(|owner| (user.to_owned(), owner)).collect();
    Ok(Roles {
        missing: rows.iter().map(|row| row.get(0)).collect(),
        foreign_owners: lacking(session, &become_owners).await?,
        not_taken_on: lacking(session, &taken_on).await?,
    })
}

/// Which of the pairs, member and role, are no membership. Superusers need none.
async fn lacking(session: &AdminConn, pairs: &[(String, String)]) -> Result<Vec<Lacking>, tokio_postgres::Error> {
    // From 16 on, being a member and being able to become the role are two things, and CREATEROLE alone cannot grant
    // somebody else's role (https://www.postgresql.org/docs/16/role-membership.html).
    let (settable, grantable) = if session.server_version_num() >= 160_000 {
        ("AND g.set_option", "pg_has_role(u.oid, r.oid, 'MEMBER WITH ADMIN OPTION')")
    } else {
        ("", "u.rolcreaterole")
    };
    let sql = format!(
        "SELECT m.rolname::text, r.rolname::text, u.rolsuper OR {grantable}
         FROM unnest($1::text[], $2::text[]) pair (member, role)
         JOIN pg_roles m ON m.rolname = pair.member JOIN pg_roles r ON r.rolname = pair.role
         JOIN pg_roles u ON u.rolname = current_user
         WHERE m.oid <> r.oid AND NOT m.rolsuper
           AND NOT EXISTS (SELECT FROM pg_auth_members g WHERE g.member = m.oid AND g.roleid = r.oid {settable})"
    );
    let (members, roles): (Vec<&str>, Vec<&str>) =
        pairs.iter().map(|(member, role)| (member.as_str(), role.as_str())).unzip();
    let rows = session.client().query(&sql, &[&members, &roles]).await?;
    Ok(rows.iter().map(|row| Lacking { member: row.get(0), role: row.get(1), grantable: row.get(2) }).collect())
}

impl Roles {
    /// The memberships that nobody but an administrator will grant. A run grants what it may, but only where it prepares
    /// the target: `prepared` says that it has nothing to prepare.
    pub(super) fn memberships(self, area: &str, user: &str, prepared: bool) -> Vec<Check> {
        let stay = |lacking: Vec<Lacking>| -> Vec<Lacking> {
            lacking.into_iter().filter(|lacking| prepared || !lacking.grantable).collect()
        };
        let mut checks = Vec::new();
        let foreign = stay(self.foreign_owners);
        if !foreign.is_empty() {
            let owners: Vec<&str> = foreign.iter().map(|lacking| lacking.role.as_str()).collect();
            let message = format!("{user} is no member of roles that migrations run as: {}", owners.join(", "));
            checks.push(check(area, message, "without it nothing can be migrated here", &foreign));
        }
        let not_taken_on = stay(self.not_taken_on);
        if !not_taken_on.is_empty() {
            let pairs: Vec<String> =
                not_taken_on.iter().map(|lacking| format!("{} of {}", lacking.member, lacking.role)).collect();
            let message = format!("roles that services sign in as lack memberships: {}", pairs.join(", "));
            checks.push(check(area, message, "without it these services cannot take on the role", &not_taken_on));
        }
        checks
    }
}

fn check(area: &str, message: String, without: &str, lacking: &[Lacking]) -> Check {
    let cure = format!("let an administrator run this once; {without}");
    Check { statements: lacking.iter().map(Lacking::grant).collect(), ..Check::error(area, message, cure) }
}
