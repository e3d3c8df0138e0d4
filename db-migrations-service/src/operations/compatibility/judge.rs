//! The verdict on one schema; nothing is asked here.

use migration_engine::MigrationId;
use migration_engine::status::MigrationState;

use super::{SchemaCompatibility, Verdict};

/// One migration of the schema.
#[derive(Debug, Clone)]
pub(super) struct Version {
    pub id: MigrationId,
    pub name: String,
    pub state: MigrationState,
    /// Why it failed.
    pub error: Option<String>,
    /// Expanded and filled: what it brings is there, and what is left is its contract.
    pub is_filled: bool,
}

impl Version {
    /// What it brings is there.
    pub fn is_there(&self) -> bool {
        self.is_filled || self.is_applied()
    }

    /// So is what it takes away gone.
    pub fn is_applied(&self) -> bool {
        matches!(self.state, MigrationState::Applied | MigrationState::Edited | MigrationState::Missing)
    }
}

/// What is known of a schema.
#[derive(Debug)]
pub(super) struct Schema<'a> {
    pub name: &'a str,
    /// In order.
    pub versions: &'a [Version],
    /// The applied contract that took away what the release needs.
    pub gone: Option<MigrationId>,
}

/// The worst that is to be said: what does not become better by waiting comes first.
pub(super) fn schema(
    schema: &Schema<'_>,
    least: Option<MigrationId>,
    most: Option<MigrationId>,
) -> SchemaCompatibility {
    let newest = schema.versions.iter().rev().find(|version| version.is_there());
    let trouble = too_new(newest, most.as_ref())
        .or_else(|| least.as_ref().and_then(|least| gone(schema, least).or_else(|| missing(schema, least))));
    let (verdict, reason, cure) = match trouble {
        None => (Verdict::Compatible, None, None),
        Some(Trouble { verdict, reason, cure }) => (verdict, Some(reason), Some(cure)),
    };
    SchemaCompatibility {
        schema: schema.name.to_owned(),
        needs: least.map(|id| id.to_string()),
        tolerates: most.map(|id| id.to_string()),
        at: newest.map(|version| version.id.to_string()),
        verdict,
        reason,
        cure,
    }
}

struct Trouble {
    verdict: Verdict,
    reason: String,
    cure: String,
}

fn never(reason: String, cure: String) -> Trouble {
    Trouble { verdict: Verdict::Incompatible, reason, cure }
}

fn too_new(newest: Option<&Version>, most: Option<&MigrationId>) -> Option<Trouble> {
    let (newest, most) = (newest?, most?);
    if newest.id.version <= most.version {
        return None;
    }
    Some(never(
        format!("{} is applied, and the release tolerates nothing newer than {most}", full(newest)),
        "start a release that tolerates it".to_owned(),
    ))
}

fn gone(schema: &Schema<'_>, least: &MigrationId) -> Option<Trouble> {
    let contract = schema.gone.as_ref()?;
    Some(never(
        format!("{contract} has taken away what a release needs that was made for {least}"),
        format!("start a release that needs a version of {} which is newer than {least}", schema.name),
    ))
}

fn missing(schema: &Schema<'_>, least: &MigrationId) -> Option<Trouble> {
    if !schema.versions.iter().any(|version| version.id == *least) {
        return Some(never(
            format!("{least} is neither applied nor among the migrations of the service"),
            "give the migration service the migrations that belong to this release, and run them".to_owned(),
        ));
    }
    let open = || schema.versions.iter().filter(|v| !v.is_there() && v.id.version <= least.version);
    if let Some(failed) = open().find(|version| version.state == MigrationState::Failed) {
        let why = failed.error.as_ref().map(|error| format!(": {error}")).unwrap_or_default();
        return Some(never(format!("{} failed{why}", full(failed)), "mend it and run the migrations again".to_owned()));
    }
    let first = open().next()?;
    let others = match open().count() - 1 {
        0 => String::new(),
        n => format!(" and {n} more"),
    };
    let how = if first.state == MigrationState::Interrupted { "was interrupted" } else { "is pending" };
    Some(Trouble {
        verdict: Verdict::Wait,
        reason: format!("{} {how}{others}", full(first)),
        cure: "run the migrations".to_owned(),
    })
}

fn full(version: &Version) -> String {
    if version.name.is_empty() { version.id.to_string() } else { format!("{}_{}", version.id, version.name) }
}

#[cfg(test)]
mod tests {
    use MigrationState::{Applied, Edited, Failed, Interrupted, Late, Missing, Pending};

    use super::*;

    fn id(text: &str) -> MigrationId {
        text.parse().expect("a migration")
    }

    fn judged(states: &[MigrationState], least: Option<&str>, most: Option<&str>) -> SchemaCompatibility {
        let versions: Vec<_> = (1..)
            .zip(states)
            .map(|(n, state)| Version {
                id: id(&format!("plans/{n}")),
                name: "change".to_owned(),
                state: *state,
                error: Some("division by zero".to_owned()),
                is_filled: false,
            })
            .collect();
        schema(&Schema { name: "plans", versions: &versions, gone: None }, least.map(id), most.map(id))
    }

    fn words(found: &SchemaCompatibility) -> String {
        format!("{} {}", found.verdict.as_str(), found.reason.as_deref().unwrap_or("-"))
    }

    #[test]
    fn what_is_needed_must_be_applied_with_all_before_it() {
        let of = |states: &[MigrationState], least| words(&judged(states, Some(least), None));
        assert_eq!(of(&[Applied, Edited, Missing], "plans/3"), "compatible -");
        assert_eq!(of(&[Applied, Applied, Pending], "plans/2"), "compatible -");
        assert_eq!(of(&[Applied, Pending, Pending], "plans/3"), "wait plans/2_change is pending and 1 more");
        assert_eq!(of(&[Applied, Late, Applied], "plans/3"), "wait plans/2_change is pending");
        assert_eq!(of(&[Applied, Interrupted], "plans/2"), "wait plans/2_change was interrupted");
        assert_eq!(of(&[Pending, Failed], "plans/2"), "incompatible plans/2_change failed: division by zero");
        assert_eq!(of(&[Applied, Failed], "plans/1"), "compatible -");
        assert!(of(&[Applied], "plans/9").starts_with("incompatible plans/9 is neither applied nor among"));
        assert_eq!(judged(&[Applied, Pending], Some("plans/2"), None).at.as_deref(), Some("plans/1"));
    }

    #[test]
    fn what_waits_for_its_contract_only_is_there() {
        let versions = [Version {
            id: id("plans/1"),
            name: String::new(),
            state: Failed,
            error: Some("a live release uses it".to_owned()),
            is_filled: true,
        }];
        let found = schema(&Schema { name: "plans", versions: &versions, gone: None }, Some(id("plans/1")), None);
        assert_eq!((found.verdict, found.at.as_deref()), (Verdict::Compatible, Some("plans/1")));
    }

    #[test]
    fn what_is_newer_than_tolerated_does_not_fit() {
        let of = |states: &[MigrationState], most| judged(states, Some("plans/1"), Some(most)).verdict;
        assert_eq!(of(&[Applied, Applied], "plans/2"), Verdict::Compatible);
        assert_eq!(of(&[Applied, Pending], "plans/1"), Verdict::Compatible);
        assert_eq!(of(&[Applied, Applied], "plans/1"), Verdict::Incompatible);
        assert_eq!(judged(&[], None, Some("plans/1")).verdict, Verdict::Compatible);
    }

    #[test]
    fn what_a_contract_took_away_does_not_come_back() {
        let versions: Vec<Version> = Vec::new();
        let found = schema(
            &Schema { name: "plans", versions: &versions, gone: Some(id("plans/7")) },
            Some(id("plans/2")),
            None,
        );
        assert_eq!(found.verdict, Verdict::Incompatible);
        assert!(found.reason.is_some_and(|reason| reason.starts_with("plans/7 has taken away")));
    }
}
