//! Who did it, as the audit has them.
//!
//! The audit names commands and the objects that they touched, drift names properties that differ; a person is named only
//! where the two leave no other: nobody is to be blamed by a guess.

use migration_engine::audit::AuditEntry;
use migration_engine::proof::drift::Drifted;

/// The newest entry that made the difference; `None` where it was not recorded, or where several people touched the object
/// and none of their statements names what differs.
pub(super) fn of<'a>(drifted: &Drifted, entries: &'a [AuditEntry]) -> Option<&'a AuditEntry> {
    let names = Names::of(drifted);
    let touching: Vec<&AuditEntry> = entries.iter().filter(|entry| names.are_touched_by(entry)).collect();
    if let Some(entry) = touching.iter().find(|entry| names.are_said_in(entry)) {
        return Some(entry);
    }
    let first = *touching.first()?;
    let person = |entry: &AuditEntry| (entry.session_role.clone(), entry.application.clone());
    touching.iter().all(|entry| person(entry) == person(first)).then_some(first)
}

/// What an object is called, without quotes.
struct Names {
    /// With its schema: `plans.plans.title`, `plans.count(integer)`.
    whole: String,
    /// The table that it is part of, or itself.
    relation: String,
    /// Its own name, where it is part of a table.
    own: Option<String>,
}

impl Names {
    fn of(drifted: &Drifted) -> Self {
        let object = &drifted.difference.object;
        let whole = plain(&object.qualified_name());
        let relation = match (&object.schema, &object.of) {
            (Some(schema), Some(of)) => format!("{schema}.{of}"),
            _ => whole.clone(),
        };
        Self { whole, relation, own: object.of.as_ref().map(|_| plain(&object.name)) }
    }

    /// Whether the object or its table is among those that the command touched.
    fn are_touched_by(&self, entry: &AuditEntry) -> bool {
        let identities = entry.objects.as_array().into_iter().flatten().filter_map(|o| o["identity"].as_str());
        identities.map(plain).any(|identity| {
            let within = identity.strip_prefix(&self.relation).is_some_and(|rest| rest.starts_with('.'));
            let on = identity.strip_suffix(&self.relation).is_some_and(|rest| rest.ends_with(" on "));
            // Of functions, the servers' versions write the arguments in more than one way.
            let function = self.whole.split_once('(').zip(identity.split_once('(')).is_some_and(|(a, b)| a.0 == b.0);
            identity == self.whole || identity == self.relation || within || on || function
        })
    }

    /// Whether the command names that part of the table: as an object of its own, or in its text.
    fn are_said_in(&self, entry: &AuditEntry) -> bool {
        let Some(own) = &self.own else { return false };
        let statement = entry.statement.as_deref().unwrap_or_default();
        let objects = entry.objects.as_array().into_iter().flatten().filter_map(|o| o["identity"].as_str());
        says(statement, own) || objects.map(plain).any(|identity| says(&identity, own))
    }
}

fn plain(name: &str) -> String {
    name.replace('"', "")
}

/// Whether `name` stands in `text` as a word of its own.
fn says(text: &str, name: &str) -> bool {
    let joins = |c: char| c.is_alphanumeric() || c == '_';
    text.match_indices(name).any(|(at, found)| {
        !text[..at].chars().next_back().is_some_and(joins)
            && !text[at + found.len()..].chars().next().is_some_and(joins)
    })
}
