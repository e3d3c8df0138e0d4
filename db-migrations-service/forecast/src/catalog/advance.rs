//! What a statement has changed, as far as the next forecast needs it.
//!
//! What a statement makes of its own hurts nobody, so only the rough shape of it is kept: columns, keys, foreign keys,
//! inheritance. What it changes on relations that were there before is kept exactly. Where only the server knows – a
//! body, a procedure, an extension – the catalog says so in every forecast that follows.

use serde_json::Value;
use sql_grammar::{QualifiedName, Statement};

use super::{Catalog, Class, Column, Constraint, Id, Object, Part, Relation, RelationKind, Routine};
use crate::forecast::{named, types};
use crate::tree::{flag, list, option, range, split_name, strings, text, walk};

impl Catalog {
    /// Tells the catalog that the statement has run.
    pub fn advance(&mut self, statement: &Statement) {
        self.advance_node(&statement.node, &statement.tree);
    }

    fn advance_node(&mut self, node: &str, tree: &Value) {
        match node {
            "CreateStmt" => self.table_created(tree),
            "CreateTableAsStmt" => {
                let kind = match text(tree, "objtype") {
                    "OBJECT_MATVIEW" => RelationKind::MaterializedView,
                    _ => RelationKind::Table,
                };
                if let Some(id) = self.created(&tree["into"]["rel"], kind) {
                    self.select_columns(id, &tree["query"]);
                    if kind == RelationKind::MaterializedView {
                        self.reads(id, &tree["query"]);
                    }
                }
            }
            "ViewStmt" => {
                let (schema, name) = range(&tree["view"]);
                let id = match self.find(schema, name).map(|view| view.id) {
                    Some(id) => Some(id),
                    None => self.created(&tree["view"], RelationKind::View),
                };
                if let Some(id) = id {
                    self.reads(id, &tree["query"]);
                }
            }
            "IndexStmt" => self.index_created(tree),
            "CreateSeqStmt" => {
                self.created(&tree["sequence"], RelationKind::Sequence);
                self.sequence_owned(tree);
            }
            "AlterSeqStmt" => self.sequence_owned(tree),
            "AlterTableStmt" => self.table_altered(tree),
            "RenameStmt" => self.renamed(tree),
            "AlterObjectSchemaStmt" => {
                if let Some(id) = self.known(&tree["relation"]) {
                    self.moved(id, text(tree, "newschema"));
                }
            }
            "DropStmt" => {
                let start = named(self, tree);
                self.dropped(&start);
            }
            "TruncateStmt" => {
                for relation in list(tree, "relations") {
                    if let Some(id) = self.known(&relation["RangeVar"]) {
                        for id in self.descendants(id).into_iter().chain([id]) {
                            self.emptied(id);
                        }
                    }
                }
            }
            "CreateTrigStmt" => self.trigger_created(tree),
            "CreatePolicyStmt" => self.part_created(Class::Policy, &tree["table"], text(tree, "policy_name")),
            "RuleStmt" => self.part_created(Class::Rule, &tree["relation"], text(tree, "rulename")),
            "CreateDomainStmt" => self.domain_created(tree),
            "AlterDomainStmt" => {
                let names = strings(&tree["typeName"]);
                if matches!(text(tree, "subtype"), "C" | "O" | "AD_AddConstraint" | "AD_SetNotNull")
                    && let Some(id) = self.find_type(&names).map(|t| t.id)
                    && let Some(domain) = self.types.get_mut(&id)
                {
                    domain.constrained = true;
                }
            }
            "CreateEnumStmt" | "CompositeTypeStmt" | "CreateRangeStmt" => {
                let parts = strings(&tree["typeName"]);
                let composite = (tree["typevar"]["schemaname"].as_str(), text(&tree["typevar"], "relname"));
                let (schema, name) = if parts.is_empty() { composite } else { split_name(&parts) };
                self.type_created(schema, name, "e", 0, -1, false);
            }
            "CreateFunctionStmt" => {
                let parts = strings(&tree["funcname"]);
                let (schema, name) = split_name(&parts);
                let schema = schema.unwrap_or(self.default_schema()).to_owned();
                let volatile = option(&tree["options"], "volatility").is_none_or(|v| v == "volatile");
                let name = name.to_owned();
                self.routines.retain(|r| r.builtin || r.schema != schema || r.name != name);
                let id = self.new_id();
                self.routines.push(Routine { id, schema, name, volatile, builtin: false });
            }
            "CreateSchemaStmt" => {
                let id = self.new_id();
                let name = text(tree, "schemaname").to_owned();
                self.parts.push(Part { class: Class::Schema, id, relation: 0, schema: String::new(), name, sub: 0 });
                for element in list(tree, "schemaElts") {
                    if let Some((node, tree)) = element.as_object().and_then(|o| o.iter().next()) {
                        self.advance_node(node, tree);
                    }
                }
            }
            "VariableSetStmt" if text(tree, "name") == "search_path" => {
                self.search_path =
                    list(tree, "args").iter().map(|a| text(&a["A_Const"]["sval"], "sval").to_owned()).collect();
            }
            "SelectStmt" if tree["intoClause"].is_object() => {
                if let Some(id) = self.created(&tree["intoClause"]["rel"], RelationKind::Table) {
                    self.select_columns(id, &Value::Null);
                }
            }
            "DoStmt"
            | "CallStmt"
            | "CreateExtensionStmt"
            | "AlterExtensionStmt"
            | "ImportForeignSchemaStmt"
            | "DropOwnedStmt"
            | "ExecuteStmt" => {
                self.blind.get_or_insert_with(|| {
                    "an earlier statement of this transaction runs code that only the server reads".to_owned()
                });
            }
            _ => {}
        }
    }

    pub(super) fn new_id(&mut self) -> Id {
        self.next_id += 1;
        self.next_id
    }

    pub(super) fn known(&self, range_var: &Value) -> Option<Id> {
        let (schema, name) = range(range_var);
        self.find(schema, name).map(|relation| relation.id)
    }

    /// A new relation, or `None` where there is one of this name.
    fn created(&mut self, range_var: &Value, kind: RelationKind) -> Option<Id> {
        let (schema, name) = range(range_var);
        if self.find(Some(schema.unwrap_or(self.default_schema())), name).is_some() || name.is_empty() {
            return None;
        }
        let schema = schema.unwrap_or(self.default_schema()).to_owned();
        let id = self.new_id();
        let mut relation = Relation::new(id, &QualifiedName { schema, name: name.to_owned() }, kind);
        relation.owner.clone_from(&self.user);
        if matches!(text(range_var, "relpersistence"), "u" | "t") {
            text(range_var, "relpersistence").clone_into(&mut relation.persistence);
        }
        if let Some(schema) = self.named(Class::Schema, &relation.schema).map(|p| p.id) {
            self.depends(Object::new(Class::Relation, id), Object::new(Class::Schema, schema));
        }
        self.insert(relation);
        Some(id)
    }

    fn table_created(&mut self, tree: &Value) {
        let partitioned = !tree["partspec"].is_null();
        let kind = if partitioned { RelationKind::PartitionedTable } else { RelationKind::Table };
        let Some(id) = self.created(&tree["relation"], kind) else { return };
        let is_partition = !tree["partbound"].is_null();
        for parent in list(tree, "inhRelations") {
            let Some(parent) = self.known(&parent["RangeVar"]) else { continue };
            if flag(&tree["partbound"], "is_default")
                && let Some(parent) = self.relations.get_mut(&parent)
            {
                parent.default_partition = Some(id);
            }
            self.joined(parent, id, is_partition);
            let columns = self.relations.get(&parent).map(|p| p.columns.clone()).unwrap_or_default();
            if let Some(relation) = self.relations.get_mut(&id) {
                relation.columns.extend(columns);
            }
        }
        for element in list(tree, "tableElts") {
            if element["ColumnDef"].is_object() {
                self.column_added(id, &element["ColumnDef"]);
            }
            if let Some(source) = element["TableLikeClause"].as_object().and_then(|l| self.known(&l["relation"])) {
                let columns = self.relations.get(&source).map(|s| s.columns.clone()).unwrap_or_default();
                for column in columns {
                    self.push_column(id, column);
                }
            }
            self.constraint_added(id, &element["Constraint"], &[]);
        }
        for constraint in list(tree, "constraints") {
            self.constraint_added(id, &constraint["Constraint"], &[]);
        }
    }

    pub(super) fn joined(&mut self, parent: Id, child: Id, is_partition: bool) {
        self.children.entry(parent).or_default().push(child);
        if let Some(relation) = self.relations.get_mut(&child) {
            relation.is_partition = is_partition;
        }
        self.depends(Object::new(Class::Relation, child), Object::new(Class::Relation, parent));
        // The partition has its parent's foreign keys.
        let keys: Vec<Constraint> =
            self.constraints_of(parent).filter(|c| is_partition && c.kind == "f").cloned().collect();
        for mut key in keys {
            key.id = self.new_id();
            key.relation = child;
            self.depends(Object::new(Class::Constraint, key.id), Object::new(Class::Relation, child));
            self.constraints.insert(key.id, key);
        }
    }

    fn push_column(&mut self, table: Id, mut column: Column) {
        if let Some(relation) = self.relations.get_mut(&table) {
            column.relation = table;
            column.number = relation.columns.iter().map(|c| c.number).max().unwrap_or(0) + 1;
            relation.columns.push(column);
        }
    }

    pub(super) fn column_added(&mut self, table: Id, definition: &Value) {
        let name = text(definition, "colname").to_owned();
        if self.relations.get(&table).is_some_and(|t| t.column(&name).is_some()) {
            return;
        }
        let of_type = types::resolve(self, &definition["typeName"]);
        let (r#type, modifier) = of_type.map_or((0, -1), |t| (t.id, t.modifier));
        let constraints: Vec<&Value> = list(definition, "constraints").iter().map(|c| &c["Constraint"]).collect();
        let has = |kinds: &[&str]| constraints.iter().any(|c| kinds.contains(&text(c, "contype")));
        let not_null = has(&["CONSTR_NOTNULL", "CONSTR_PRIMARY", "CONSTR_IDENTITY"]);
        self.push_column(table, Column { relation: table, number: 0, name: name.clone(), r#type, modifier, not_null });
        let number = self.number(table, &name);
        if r#type != 0 {
            self.depends(Object { class: Class::Relation, id: table, sub: number }, Object::new(Class::Type, r#type));
        }
        for constraint in constraints {
            self.constraint_added(table, constraint, std::slice::from_ref(&name));
            if text(constraint, "contype") == "CONSTR_DEFAULT" {
                self.default_set(table, number, &constraint["raw_expr"]);
            }
        }
    }

    pub(super) fn number(&self, table: Id, column: &str) -> i32 {
        self.relations.get(&table).and_then(|t| t.column(column)).map_or(0, |c| c.number)
    }

    pub(super) fn default_set(&mut self, table: Id, column: i32, expression: &Value) {
        let gone: Vec<Object> = self
            .parts
            .iter()
            .filter(|p| p.class == Class::Default && p.relation == table && p.sub == column)
            .map(|p| Object::new(Class::Default, p.id))
            .collect();
        self.forget(&gone);
        if expression.is_null() {
            return;
        }
        let id = self.new_id();
        let (schema, name) = (String::new(), String::new());
        self.parts.push(Part { class: Class::Default, id, relation: table, schema, name, sub: column });
        let default = Object::new(Class::Default, id);
        self.depends(default, Object { class: Class::Relation, id: table, sub: column });
        let mut constants = Vec::new();
        walk(expression, &mut |name, field| {
            if name == "A_Const" {
                constants.extend(field["sval"]["sval"].as_str().map(|s| s.replace('"', "")));
            }
        });
        for name in constants {
            let (schema, name) = name.split_once('.').map_or((None, name.as_str()), |(s, n)| (Some(s), n));
            let sequence = self.find(schema, name).filter(|r| r.kind == RelationKind::Sequence).map(|r| r.id);
            if let Some(sequence) = sequence {
                self.depends(default, Object::new(Class::Relation, sequence));
            }
        }
    }

    pub(super) fn constraint_added(&mut self, table: Id, constraint: &Value, column: &[String]) {
        let kind = match text(constraint, "contype") {
            "CONSTR_FOREIGN" => "f",
            "CONSTR_CHECK" => "c",
            "CONSTR_PRIMARY" => "p",
            "CONSTR_UNIQUE" => "u",
            "CONSTR_EXCLUSION" => "x",
            _ => return,
        };
        let referenced = if kind == "f" { self.known(&constraint["pktable"]).unwrap_or(0) } else { 0 };
        let mut names = strings(&constraint[if kind == "f" { "fk_attrs" } else { "keys" }]);
        names.extend(column.iter().cloned());
        if kind == "c" {
            walk(&constraint["raw_expr"], &mut |node, field| {
                if node == "ColumnRef" {
                    names.extend(strings(&field["fields"]).pop());
                }
            });
        }
        let existing = self.index_for(table, text(constraint, "indexname"));
        let given = text(constraint, "conname");
        let table_name = self.relations.get(&table).map(|t| t.name.clone()).unwrap_or_default();
        // The names that the server would choose.
        let joined = names.join("_");
        let name = match (given, kind) {
            ("", "f") => format!("{table_name}_{joined}_fkey"),
            ("", "p") => format!("{table_name}_pkey"),
            ("", "u") => format!("{table_name}_{joined}_key"),
            ("", "x") => format!("{table_name}_{joined}_excl"),
            ("", _) if joined.is_empty() => format!("{table_name}_check"),
            ("", _) => format!("{table_name}_{}_check", names[0]),
            (given, _) => given.to_owned(),
        };
        let columns: Vec<i32> = names.iter().map(|n| self.number(table, n)).filter(|n| *n > 0).collect();
        let referenced_columns: Vec<i32> =
            strings(&constraint["pk_attrs"]).iter().map(|n| self.number(referenced, n)).collect();
        let writes = ["fk_del_action", "fk_upd_action"].iter().any(|f| matches!(text(constraint, f), "c" | "n" | "d"));
        let proven = crate::tree::proves_not_null(&constraint["raw_expr"]);
        let not_null: Vec<i32> = proven.iter().map(|n| self.number(table, n)).filter(|n| *n > 0).collect();
        let id = self.new_id();
        let object = Object::new(Class::Constraint, id);
        if columns.is_empty() {
            self.depends(object, Object::new(Class::Relation, table));
        }
        for column in &columns {
            self.depends(object, Object { class: Class::Relation, id: table, sub: *column });
        }
        for column in &referenced_columns {
            self.depends(object, Object { class: Class::Relation, id: referenced, sub: *column });
        }
        if kind == "f" && referenced_columns.is_empty() {
            self.depends(object, Object::new(Class::Relation, referenced));
        }
        if matches!(kind, "p" | "u" | "x") {
            let index = existing.or_else(|| self.new_index(table, &name, &columns, false));
            if let Some(index) = index {
                self.depends(Object::new(Class::Relation, index), object);
                self.renamed_relation(index, &name);
            }
            if kind == "p" {
                self.set_not_null(table, &columns, true);
            }
        }
        let validated = !flag(constraint, "skip_validation");
        let kind = kind.to_owned();
        let new = Constraint {
            id,
            name,
            relation: table,
            kind,
            validated,
            referenced,
            writes,
            columns,
            referenced_columns,
            parent: 0,
            not_null,
        };
        self.constraints.insert(id, new);
    }

    fn index_for(&self, table: Id, name: &str) -> Option<Id> {
        let schema = &self.relations.get(&table)?.schema;
        self.find(Some(schema), name).filter(|r| r.kind.is_index()).map(|r| r.id)
    }

    fn set_not_null(&mut self, table: Id, columns: &[i32], not_null: bool) {
        for id in self.descendants(table).into_iter().chain([table]) {
            if let Some(relation) = self.relations.get_mut(&id) {
                relation.columns.iter_mut().filter(|c| columns.contains(&c.number)).for_each(|c| c.not_null = not_null);
            }
        }
    }

    fn new_index(&mut self, table: Id, name: &str, columns: &[i32], expressions: bool) -> Option<Id> {
        let schema = self.relations.get(&table)?.schema.clone();
        let qualified = QualifiedName { schema, name: name.to_owned() };
        if self.relation(&qualified).is_some() {
            return None;
        }
        let id = self.new_id();
        let mut index = Relation::new(id, &qualified, RelationKind::Index);
        index.index_of = Some(table);
        index.keys = Some(columns.to_vec());
        index.expressions = Some(expressions);
        self.insert(index);
        for column in columns {
            self.depends(Object::new(Class::Relation, id), Object { class: Class::Relation, id: table, sub: *column });
        }
        if columns.is_empty() {
            self.depends(Object::new(Class::Relation, id), Object::new(Class::Relation, table));
        }
        Some(id)
    }

    fn index_created(&mut self, tree: &Value) {
        let Some(table) = self.known(&tree["relation"]) else { return };
        let mut names: Vec<String> =
            list(tree, "indexParams").iter().map(|p| text(&p["IndexElem"], "name").to_owned()).collect();
        let expressions = names.iter().any(String::is_empty) || !tree["whereClause"].is_null();
        walk(tree, &mut |node, field| {
            if node == "ColumnRef" {
                names.extend(strings(&field["fields"]).pop());
            }
        });
        let columns: Vec<i32> = names.iter().map(|n| self.number(table, n)).filter(|n| *n > 0).collect();
        let table_name = self.relations.get(&table).map(|t| t.name.clone()).unwrap_or_default();
        let name = match text(tree, "idxname") {
            "" => format!("{table_name}_{}_idx", names.join("_")),
            name => name.to_owned(),
        };
        self.new_index(table, &name, &columns, expressions);
    }

    /// What a query reads; its reader falls with it.
    fn reads(&mut self, reader: Id, query: &Value) {
        let rule = self.new_id();
        let (schema, name) = (String::new(), "_RETURN".to_owned());
        self.parts.push(Part { class: Class::Rule, id: rule, relation: reader, schema, name, sub: 0 });
        let mut sources = Vec::new();
        walk(query, &mut |_, field| sources.extend(self.known(field).filter(|_| field["relname"].is_string())));
        for source in sources {
            self.depends(Object::new(Class::Rule, rule), Object::new(Class::Relation, source));
        }
    }

    /// The columns that `SELECT` names; their types are the server's to tell.
    fn select_columns(&mut self, table: Id, query: &Value) {
        let mut names: Vec<String> = list(&query["SelectStmt"], "targetList")
            .iter()
            .filter_map(|target| {
                let target = &target["ResTarget"];
                let alias = target["name"].as_str().map(str::to_owned);
                alias.or_else(|| strings(&target["val"]["ColumnRef"]["fields"]).pop())
            })
            .collect();
        names.dedup();
        for name in names {
            let column = Column { relation: table, number: 0, name, r#type: 0, modifier: -1, not_null: false };
            self.push_column(table, column);
        }
    }
}
