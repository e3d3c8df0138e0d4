//! In which organization and as what somebody acts who holds several roles.

use kernel::{AppRole, OrganizationId};

use crate::model::{Acting, Membership};

/// What a client asks for, both optional.
pub(crate) type Wish = (Option<OrganizationId>, Option<AppRole>);

/// The membership that was asked for; where nothing was asked, the one of before where it still is one, otherwise the eldest.
/// `None` where what was asked for is not held.
pub(crate) fn choose(memberships: &[Membership], wish: Wish, before: Acting) -> Option<Acting> {
    let acting =
        |membership: &Membership| Acting { organization: membership.organization_id, role: Some(membership.role) };
    let (organization, role) = wish;
    if organization.is_some() || role.is_some() {
        let fits = |held: &&Membership| {
            organization.is_none_or(|wanted| held.organization_id == Some(wanted))
                && role.is_none_or(|wanted| held.role == wanted)
        };
        return memberships.iter().find(fits).map(acting);
    }
    let as_before = memberships.iter().map(acting).find(|held| *held == before);
    Some(as_before.or_else(|| memberships.first().map(acting)).unwrap_or_default())
}

/// Given names and family names of a name in one piece, as is usual in Spanish: two and two, one and two, one and one.
pub(crate) fn split_name(name: &str) -> (String, String) {
    let words: Vec<&str> = name.split_whitespace().collect();
    let given = match words.len() {
        0..=3 => 1.min(words.len()),
        _ => 2,
    };
    let clip = |words: &[&str]| words.join(" ").chars().take(100).collect();
    (clip(&words[..given]), clip(&words[given..]))
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn held(school: u128, role: AppRole) -> Membership {
        Membership { organization_id: Some(OrganizationId::new(Uuid::from_u128(school))), role, organization: None }
    }

    fn acting(school: u128, role: AppRole) -> Acting {
        Acting { organization: Some(OrganizationId::new(Uuid::from_u128(school))), role: Some(role) }
    }

    #[test]
    fn one_acts_as_asked_or_as_before() {
        let memberships = [held(1, AppRole::Teacher), held(2, AppRole::Parent)];
        let school = |n| Some(OrganizationId::new(Uuid::from_u128(n)));
        let nothing = (None, None);
        assert_eq!(choose(&memberships, nothing, Acting::default()), Some(acting(1, AppRole::Teacher)));
        assert_eq!(choose(&memberships, nothing, acting(2, AppRole::Parent)), Some(acting(2, AppRole::Parent)));
        assert_eq!(
            choose(&memberships, nothing, acting(2, AppRole::Admin)),
            Some(acting(1, AppRole::Teacher)),
            "no longer held"
        );
        assert_eq!(choose(&memberships, (school(2), None), Acting::default()), Some(acting(2, AppRole::Parent)));
        assert_eq!(
            choose(&memberships, (None, Some(AppRole::Parent)), Acting::default()),
            Some(acting(2, AppRole::Parent))
        );
        assert_eq!(choose(&memberships, (school(1), Some(AppRole::Admin)), Acting::default()), None);
        assert_eq!(choose(&[], nothing, acting(1, AppRole::Teacher)), Some(Acting::default()), "nobody anywhere");
    }

    #[test]
    fn a_name_has_two_parts() {
        let split = |name| split_name(name);
        for (name, given, family) in [
            ("Ana", "Ana", ""),
            ("Ana Ruiz", "Ana", "Ruiz"),
            (" Ana  Ruiz Gil ", "Ana", "Ruiz Gil"),
            ("Ana María Ruiz Gil", "Ana María", "Ruiz Gil"),
        ] {
            assert_eq!(split(name), (given.to_owned(), family.to_owned()));
        }
    }
}
