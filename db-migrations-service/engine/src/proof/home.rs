//! *Stays home*: what each statement creates, changes or reads, held against the catalogue's owners and permissions.
//!
//! Told from the parse tree, before anything runs. What a body does when it runs, PostgreSQL refuses in the rehearsal.

use sql_grammar::{Facts, ObjectKind, ObjectName};

use super::report::{Finding, Gate, Severity};
use crate::catalogue::{Catalogue, Elsewhere, Service};
use crate::migration::MigrationId;
use crate::project::Script;

/// The code of a finding about a schema that another database has.
pub(super) const CROSSES: &str = "crosses-databases";
/// Schemas that everybody may read.
const COMMON: &[&str] = &["pg_catalog", "information_schema", "pg_temp"];

pub(super) fn look(script: &Script, id: &MigrationId, service: &str, catalogue: &Catalogue) -> Vec<Finding> {
    let Some(own) = catalogue.services.get(service) else { return Vec::new() };
    let house = House { catalogue, own };
    let mut findings = Vec::new();
    for (index, (range, facts)) in script.statements.iter().enumerate() {
        let mut found = house.statement(facts);
        for (byte, finding) in &mut found {
            let at = byte.unwrap_or(range.start);
            finding.migration = Some(id.clone());
            finding.location = Some(script.location(at, Some(index)));
        }
        findings.extend(found.into_iter().map(|(_, finding)| finding));
    }
    findings
}

struct House<'a> {
    catalogue: &'a Catalogue,
    own: &'a Service,
}

impl House<'_> {
    fn statement(&self, facts: &Facts) -> Vec<(Option<usize>, Finding)> {
        let mut found = Vec::new();
        let is_column = |object: &&ObjectName| object.kind != ObjectKind::Column;
        for (objects, verb, code) in [
            (&facts.creates, "creates", "creates-elsewhere"),
            (&facts.alters, "changes", "changes-elsewhere"),
            (&facts.drops, "drops", "drops-elsewhere"),
        ] {
            for object in objects.iter().filter(is_column).filter(|object| !facts.temporary.contains(object)) {
                let schema = &object.name.schema;
                if !self.is_own(schema) && !is_common(schema) {
                    let finding = Finding::new(
                        Gate::StaysHome,
                        code,
                        Severity::Error,
                        format!("it {verb} {}, which belongs to {}", name(object), self.owner(schema)),
                    );
                    let cure = format!("move the statement into a migration of {}", self.owner(schema));
                    found.push((None, finding.cure(cure)));
                }
            }
        }
        for reference in &facts.references {
            let object = &reference.object;
            let schema = &object.name.schema;
            let told = facts.alters.contains(object) || facts.drops.contains(object);
            if self.is_own(schema) || is_common(schema) || self.permits(schema) || told {
                continue;
            }
            if let Some(there) = self.catalogue.elsewhere(schema) {
                found.push((reference.byte, crossing(&format!("it uses {}", name(object)), there)));
                continue;
            }
            // A schema that nobody manages may hold an extension; PostgreSQL decides who may use it.
            let managed = self.catalogue.owner_of(schema).is_some();
            let severity = if managed { Severity::Error } else { Severity::Warning };
            let finding = Finding::new(
                Gate::StaysHome,
                "reads-elsewhere",
                severity,
                format!("it uses {}, which belongs to {}", name(object), self.owner(schema)),
            );
            let cure = format!("permit the reference to {schema:?} in config/services.toml, or do without it");
            found.push((reference.byte, finding.cure(cure)));
        }
        for mention in &facts.mentions {
            if let Some(there) = self.catalogue.elsewhere(&mention.schema) {
                found.push((None, crossing(&format!("its body names {mention}"), there)));
            }
            if self.catalogue.owner_of(&mention.schema).is_some()
                && !self.is_own(&mention.schema)
                && !self.permits(&mention.schema)
            {
                let finding = Finding::new(
                    Gate::StaysHome,
                    "mentions-elsewhere",
                    Severity::Warning,
                    format!("its body names {mention}, which belongs to {}", self.owner(&mention.schema)),
                );
                let cure =
                    format!("permit the reference to {:?} in config/services.toml, or do without it", mention.schema);
                found.push((None, finding.cure(cure)));
            }
        }
        found
    }

    fn is_own(&self, schema: &str) -> bool {
        self.own.schemas.iter().any(|own| own == schema)
    }

    fn permits(&self, schema: &str) -> bool {
        self.own.references.iter().any(|permitted| permitted == schema)
    }

    fn owner(&self, schema: &str) -> String {
        if let Some(there) = self.catalogue.elsewhere(schema) {
            return format!("{}, which lives in {}", there.service, there.place);
        }
        self.catalogue.owner_of(schema).map_or_else(|| "no service".to_owned(), |(name, _)| name.to_owned())
    }
}

fn crossing(what: &str, there: &Elsewhere) -> Finding {
    let message = format!("{what}, which is in another database: {} lives in {}", there.service, there.place);
    Finding::new(Gate::StaysHome, CROSSES, Severity::Error, message).cure(crate::planning::KEEP_THE_ID)
}

fn is_common(schema: &str) -> bool {
    COMMON.contains(&schema)
}

fn name(object: &ObjectName) -> String {
    if object.kind == ObjectKind::Schema {
        format!("the schema {}", object.name.schema)
    } else {
        object.name.to_string()
    }
}
