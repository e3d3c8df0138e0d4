//! Every statement to the one that knows it, and the small ones.

use serde_json::Value;

use super::query::Depth;
use super::{Draft, WorkKind};
use crate::catalog::{Id, Relation, RelationKind};
use crate::mode::LockMode;
use crate::tree::{flag, is_on, list, range, split_name, strings, text};

impl Draft<'_> {
    pub(super) fn statement(&mut self, node: &str, tree: &Value) {
        match node {
            "CreateStmt" => self.create_table(tree),
            "CreateForeignTableStmt" => self.create_table(&tree["base"]),
            "CreateTableAsStmt" => self.create_table_as(tree),
            "ViewStmt" => self.create_view(tree),
            "IndexStmt" => self.create_index(tree),
            "AlterTableStmt" => self.alter_table(tree),
            "RenameStmt" => self.rename(tree),
            "AlterObjectSchemaStmt" => self.set_schema(tree),
            "DropStmt" => self.drop(tree),
            "TruncateStmt" => self.truncate(tree),
            "CreateTrigStmt" => self.create_trigger(tree),
            "CreatePolicyStmt" | "AlterPolicyStmt" => self.policy(tree),
            "RuleStmt" => self.rule(tree),
            "CommentStmt" | "SecLabelStmt" => self.comment(tree),
            "GrantStmt" => self.grant(tree),
            "CreateStatsStmt" => {
                for range_var in list(tree, "relations") {
                    self.lock_named(&range_var["RangeVar"], LockMode::ShareUpdateExclusive);
                }
            }
            "CreateSeqStmt" => {
                let (schema, name) = range(&tree["sequence"]);
                self.creates(schema, name);
                self.owned_by(tree);
            }
            "AlterSeqStmt" => {
                if let Some(sequence) = self.find(&tree["sequence"], flag(tree, "missing_ok")) {
                    self.lock(sequence.id, LockMode::ShareRowExclusive);
                    self.owned_by(tree);
                }
            }
            "AlterDomainStmt" => self.alter_domain(tree),
            "SelectStmt" | "InsertStmt" | "UpdateStmt" | "DeleteStmt" | "MergeStmt" => {
                let mut wrapped = serde_json::Map::new();
                wrapped.insert(node.to_owned(), tree.clone());
                self.query(&Value::Object(wrapped), Depth::Planned);
            }
            "ExplainStmt" | "DeclareCursorStmt" => self.query(&tree["query"], Depth::Planned),
            "CopyStmt" => self.copy(tree),
            "LockStmt" => self.lock_table(tree),
            "ClusterStmt" => self.cluster(tree),
            "VacuumStmt" => self.vacuum(tree),
            "ReindexStmt" => self.reindex(tree),
            "RefreshMatViewStmt" => self.refresh(tree),
            "CreateFunctionStmt" => self.create_function(tree),
            "CreateSchemaStmt" => {
                for element in list(tree, "schemaElts") {
                    if let Some((node, tree)) = element.as_object().and_then(|o| o.iter().next()) {
                        self.statement(node, tree);
                    }
                }
            }
            "CreatePublicationStmt" | "AlterPublicationStmt" => {
                for object in list(tree, "pubobjects") {
                    self.lock_named(
                        &object["PublicationObjSpec"]["pubtable"]["relation"],
                        LockMode::ShareUpdateExclusive,
                    );
                }
            }
            "DoStmt" => self.unknown("a DO block's body is read by the server only when it runs"),
            "CallStmt" => self.unknown("a procedure is called, whose body may lock anything"),
            "ExecuteStmt" => self.unknown("a prepared statement is run, which is not part of this file"),
            "CreateExtensionStmt" | "AlterExtensionStmt" => {
                self.unknown("an extension's script is read by the server only when it runs");
            }
            "DropOwnedStmt" | "ReassignOwnedStmt" | "AlterTableMoveAllStmt" => {
                self.unknown("it reaches whatever a role or tablespace has");
            }
            "ImportForeignSchemaStmt" | "LoadStmt" | "AlterObjectDependsStmt" | "AlterStatsStmt" => {
                self.unknown("this statement is not forecast");
            }
            // Objects that no table hangs on, settings, transactions.
            _ => {}
        }
    }

    fn lock_named(&mut self, range_var: &Value, mode: LockMode) {
        if let Some(relation) = self.find(range_var, false) {
            self.lock(relation.id, mode);
        }
    }

    fn lock_parts(&mut self, parts: &[String], mode: LockMode) -> Option<Id> {
        let (schema, name) = split_name(parts);
        let id = self.find_name(schema, name, false)?.id;
        self.lock(id, mode);
        Some(id)
    }

    fn owned_by(&mut self, tree: &Value) {
        let option = list(tree, "options").iter().map(|o| &o["DefElem"]).find(|o| text(o, "defname") == "owned_by");
        if let Some(option) = option {
            let parts = strings(&option["arg"]);
            if let Some((_, table)) = parts.split_last().filter(|(_, table)| !table.is_empty()) {
                self.lock_parts(table, LockMode::AccessShare);
            }
        }
    }

    fn create_trigger(&mut self, tree: &Value) {
        let Some(table) = self.find(&tree["relation"], false) else { return };
        self.lock(table.id, LockMode::ShareRowExclusive);
        if flag(tree, "row") && table.kind == RelationKind::PartitionedTable {
            self.lock_all(self.catalog.descendants(table.id), LockMode::ShareRowExclusive);
        }
        if tree["constrrel"].is_object() {
            self.lock_named(&tree["constrrel"], LockMode::AccessShare);
        }
    }

    fn policy(&mut self, tree: &Value) {
        self.lock_named(&tree["table"], LockMode::AccessExclusive);
        self.query(&tree["qual"], Depth::Named);
        self.query(&tree["with_check"], Depth::Named);
    }

    fn rule(&mut self, tree: &Value) {
        self.lock_named(&tree["relation"], LockMode::AccessExclusive);
        for action in list(tree, "actions") {
            for node in ["InsertStmt", "UpdateStmt", "DeleteStmt"] {
                if action[node].is_object() {
                    self.lock_named(&action[node]["relation"], LockMode::RowExclusive);
                }
            }
        }
    }

    fn comment(&mut self, tree: &Value) {
        let parts = strings(&tree["object"]);
        let kind = text(tree, "objtype");
        let kept = parts.len().saturating_sub(1);
        match kind {
            "OBJECT_TABLE"
            | "OBJECT_VIEW"
            | "OBJECT_MATVIEW"
            | "OBJECT_INDEX"
            | "OBJECT_SEQUENCE"
            | "OBJECT_FOREIGN_TABLE" => {
                self.lock_parts(&parts, LockMode::ShareUpdateExclusive);
            }
            "OBJECT_COLUMN" => {
                self.lock_parts(&parts[..kept], LockMode::ShareUpdateExclusive);
            }
            "OBJECT_TABCONSTRAINT" | "OBJECT_TRIGGER" | "OBJECT_POLICY" | "OBJECT_RULE" => {
                self.lock_parts(&parts[..kept], LockMode::AccessShare);
            }
            _ => {}
        }
    }

    /// Before 18, GRANT looked its relations up without a lock.
    fn grant(&mut self, tree: &Value) {
        if self.version() < 18 || text(tree, "targtype") != "ACL_TARGET_OBJECT" {
            return;
        }
        if matches!(text(tree, "objtype"), "OBJECT_TABLE" | "OBJECT_SEQUENCE") {
            for object in list(tree, "objects") {
                self.lock_named(&object["RangeVar"], LockMode::AccessShare);
            }
        }
    }

    fn alter_domain(&mut self, tree: &Value) {
        let Some(domain) = self.catalog.find_type(&strings(&tree["typeName"])) else { return };
        let definition = &tree["def"]["Constraint"];
        // The kind of change is one letter: C adds a constraint, O sets NOT NULL, V validates.
        let reads = match text(tree, "subtype") {
            "C" | "AD_AddConstraint" => !flag(definition, "skip_validation"),
            "O" | "V" | "AD_SetNotNull" | "AD_ValidateConstraint" => true,
            _ => false,
        };
        if !reads {
            return;
        }
        let types = self.catalog.domains_over(domain.id);
        let users: Vec<&Relation> = self
            .catalog
            .relations()
            .filter(|r| {
                matches!(r.kind, RelationKind::Table | RelationKind::PartitionedTable | RelationKind::MaterializedView)
            })
            .filter(|r| r.columns.iter().any(|c| types.contains(&c.r#type)))
            .collect();
        for relation in users {
            self.lock(relation.id, LockMode::Share);
            let safer = text(tree, "subtype") != "V" && !definition.is_null();
            let safer = safer.then(|| {
                format!(
                    "ALTER DOMAIN {0} ADD CONSTRAINT … CHECK (…) NOT VALID; then, in a migration of its own, ALTER \
                     DOMAIN {0} VALIDATE CONSTRAINT …;",
                    domain.name
                )
            });
            self.work(relation.id, WorkKind::Scan, "domain-constraint-scans", safer);
        }
    }

    fn cluster(&mut self, tree: &Value) {
        if tree["relation"].is_null() {
            return self.unknown("every table that has been clustered before is clustered again");
        }
        let Some(table) = self.find(&tree["relation"], false) else { return };
        self.lock(table.id, LockMode::AccessExclusive);
        self.work(table.id, WorkKind::Rewrite, "rewrite-cluster", Some("pg_repack, or leave the order alone".into()));
        let index = text(tree, "indexname");
        if !index.is_empty()
            && let Some(index) = self.catalog.find(Some(&table.schema), index)
        {
            self.lock(index.id, LockMode::AccessExclusive);
        }
    }

    fn vacuum(&mut self, tree: &Value) {
        let vacuum = flag(tree, "is_vacuumcmd");
        let full = vacuum && is_on(&tree["options"], "full");
        let mode = if full { LockMode::AccessExclusive } else { LockMode::ShareUpdateExclusive };
        if list(tree, "rels").is_empty() {
            return self.unknown("it goes over every table, one after the other");
        }
        for relation in list(tree, "rels") {
            let range_var = &relation["VacuumRelation"]["relation"];
            let Some(relation) = self.find(range_var, false) else { continue };
            self.lock(relation.id, mode);
            let below = self.catalog.descendants(relation.id);
            let partitioned = relation.kind == RelationKind::PartitionedTable;
            self.lock_all(below, if partitioned { mode } else { LockMode::AccessShare });
            if full {
                self.work(relation.id, WorkKind::Rewrite, "rewrite-vacuum-full", Some("VACUUM without FULL".into()));
            }
        }
    }

    fn reindex(&mut self, tree: &Value) {
        let concurrent = is_on(&tree["params"], "concurrently");
        let kind = text(tree, "kind");
        if !matches!(kind, "REINDEX_OBJECT_INDEX" | "REINDEX_OBJECT_TABLE") {
            return self.unknown("it goes over every table of a schema or database, one after the other");
        }
        let Some(named) = self.find(&tree["relation"], false) else { return };
        let table = named.index_of.unwrap_or(named.id);
        let mode = if concurrent { LockMode::ShareUpdateExclusive } else { LockMode::Share };
        self.lock(table, mode);
        if named.index_of.is_some() {
            self.lock(named.id, if concurrent { mode } else { LockMode::AccessExclusive });
        }
        let safer = (!concurrent).then(|| {
            let word = if named.index_of.is_some() { "INDEX" } else { "TABLE" };
            format!("REINDEX {word} CONCURRENTLY {};", named.qualified())
        });
        let mut all = self.catalog.descendants(table);
        self.lock_all(all.clone(), mode);
        all.push(table);
        for id in all {
            self.work(id, WorkKind::IndexBuild, "reindex-blocks-writers", safer.clone());
        }
    }

    fn refresh(&mut self, tree: &Value) {
        let concurrent = flag(tree, "concurrent");
        let Some(view) = self.find(&tree["relation"], false) else { return };
        self.lock(view.id, if concurrent { LockMode::Exclusive } else { LockMode::AccessExclusive });
        if !flag(tree, "skipData") {
            self.read_sources(view.id);
        }
        if !concurrent {
            let safer = format!("REFRESH MATERIALIZED VIEW CONCURRENTLY {}; (needs a unique index)", view.qualified());
            self.work(view.id, WorkKind::Rewrite, "refresh-blocks-readers", Some(safer));
        }
    }

    /// SQL bodies are analysed when the function is made, which locks what they name; other languages' are not.
    fn create_function(&mut self, tree: &Value) {
        self.query(&tree["sql_body"], Depth::Rewritten);
        let options = || list(tree, "options").iter().map(|o| &o["DefElem"]);
        let sql = options()
            .any(|o| text(o, "defname") == "language" && text(&o["arg"]["String"], "sval").eq_ignore_ascii_case("sql"));
        let body = options().find(|o| text(o, "defname") == "as").and_then(|o| strings(&o["arg"]).into_iter().next());
        if let Some(Ok(statements)) = body.filter(|_| sql).map(|body| sql_grammar::parse(&body)) {
            for statement in statements {
                let mut wrapped = serde_json::Map::new();
                let is_query =
                    matches!(statement.node.as_str(), "SelectStmt" | "InsertStmt" | "UpdateStmt" | "DeleteStmt");
                wrapped.insert(statement.node, statement.tree);
                if is_query {
                    self.query(&Value::Object(wrapped), Depth::Rewritten);
                }
            }
        }
    }

    pub(super) fn rename(&mut self, tree: &Value) {
        let (kind, missing_ok) = (text(tree, "renameType"), flag(tree, "missing_ok"));
        if kind == "OBJECT_TYPE" || kind == "OBJECT_ATTRIBUTE" {
            let parts = if kind == "OBJECT_TYPE" { strings(&tree["object"]) } else { range_parts(&tree["relation"]) };
            if let Some(relation) = self.catalog.find_type(&parts).map(|t| t.relation).filter(|id| *id != 0) {
                self.lock(relation, LockMode::AccessExclusive);
            }
            return;
        }
        if tree["relation"].is_null() {
            return;
        }
        let Some(relation) = self.find(&tree["relation"], missing_ok) else { return };
        let index = relation.kind.is_index();
        self.lock(relation.id, if index { LockMode::ShareUpdateExclusive } else { LockMode::AccessExclusive });
        let below = self.catalog.descendants(relation.id);
        let recurses = match kind {
            "OBJECT_COLUMN" => true,
            "OBJECT_TABCONSTRAINT" => self
                .catalog
                .constraint(relation.id, text(tree, "subname"))
                .is_some_and(|c| c.kind == "c" || c.kind == "n"),
            "OBJECT_TRIGGER" => relation.kind == RelationKind::PartitionedTable,
            _ => false,
        };
        if recurses && (kind == "OBJECT_TRIGGER" || flag(&tree["relation"], "inh")) {
            self.lock_all(below, LockMode::AccessExclusive);
        }
    }

    pub(super) fn set_schema(&mut self, tree: &Value) {
        if text(tree, "objectType") == "OBJECT_TYPE" {
            let of_type = self.catalog.find_type(&strings(&tree["object"]));
            if let Some(relation) = of_type.map(|t| t.relation).filter(|id| *id != 0) {
                self.lock(relation, LockMode::AccessExclusive);
            }
            return;
        }
        if tree["relation"].is_null() {
            return;
        }
        let Some(relation) = self.find(&tree["relation"], flag(tree, "missing_ok")) else { return };
        self.lock(relation.id, LockMode::AccessExclusive);
        self.owned_sequences(relation.id);
    }

    pub(super) fn owned_sequences(&mut self, table: Id) {
        let owned = self.catalog.sequences(table).into_iter().filter(|(_, owned)| *owned).map(|(id, _)| id);
        self.lock_all(owned, LockMode::AccessExclusive);
    }
}

fn range_parts(range_var: &Value) -> Vec<String> {
    let (schema, name) = range(range_var);
    schema.into_iter().chain([name]).map(str::to_owned).collect()
}
