//! Rendering without a database: what readers and diffs rely on.

use super::Documents;
use super::model::Model;

/// Two schemas: `b` references `a` twice, once optional; names and comments hold what Markdown would trip over.
const CATALOG: &str = r#"[
 {"name":"b","comment":"Second","tables":[
  {"name":"child","kind":"r","comment":"Points at a | and more","rowSecurity":true,"forceRowSecurity":false,
   "columns":[
    {"name":"id","type":"bigint","notNull":true,"default":null,"generated":null,"identity":"always","comment":"Key"},
    {"name":"parent_id","type":"uuid","notNull":true,"default":null,"generated":null,"identity":null,"comment":null},
    {"name":"other_id","type":"uuid","notNull":false,"default":null,"generated":null,"identity":null,"comment":null},
    {"name":"score","type":"numeric(5,2)","notNull":false,"default":"0","generated":null,"identity":null,"comment":"a | b\nc"}],
   "constraints":[
    {"name":"child_pkey","kind":"p","definition":"PRIMARY KEY (id)","columns":["id"],"foreignSchema":null,"foreignTable":null,"foreignColumns":[],"onDelete":null,"comment":null},
    {"name":"child_parent_key","kind":"u","definition":"UNIQUE (parent_id)","columns":["parent_id"],"foreignSchema":null,"foreignTable":null,"foreignColumns":[],"onDelete":null,"comment":null},
    {"name":"child_parent_fkey","kind":"f","definition":"FOREIGN KEY (parent_id) REFERENCES a.parent(id) ON DELETE CASCADE","columns":["parent_id"],"foreignSchema":"a","foreignTable":"parent","foreignColumns":["id"],"onDelete":"cascade","comment":null},
    {"name":"child_other_fkey","kind":"f","definition":"FOREIGN KEY (other_id) REFERENCES a.parent(id)","columns":["other_id"],"foreignSchema":"a","foreignTable":"parent","foreignColumns":["id"],"onDelete":"no action","comment":null}],
   "indexes":[{"name":"child_pkey","definition":"CREATE UNIQUE INDEX child_pkey ON b.child USING btree (id)","unique":true,"ofConstraint":true,"comment":null}],
   "triggers":[],
   "policies":[{"name":"own","permissive":true,"command":"select","roles":["app_user"],"using":"((x = 1) OR (y = 'a|b'::text))","check":null,"comment":null}]}],
  "functions":[{"name":"f","arguments":"n integer DEFAULT 1","result":"uuid[]","kind":"f","volatility":"stable","securityDefiner":true,"language":"sql","comment":"Finds"}]},
 {"name":"a","comment":null,"tables":[
  {"name":"parent","kind":"r","comment":null,"rowSecurity":false,"forceRowSecurity":false,
   "columns":[{"name":"id","type":"uuid","notNull":true,"default":"gen_random_uuid()","generated":null,"identity":null,"comment":null}],
   "constraints":[{"name":"parent_pkey","kind":"p","definition":"PRIMARY KEY (id)","columns":["id"],"foreignSchema":null,"foreignTable":null,"foreignColumns":[],"onDelete":null,"comment":null}],
   "indexes":[],"triggers":[],"policies":[]}],"functions":[]}
]"#;

fn model() -> Model {
    let owners =
        [("b", "b-service"), ("a", "a-service")].map(|(schema, service)| (schema.to_owned(), service.to_owned()));
    Model::new("small", &owners, serde_json::from_str(CATALOG).expect("the query's form"))
}

fn rendered() -> Vec<String> {
    Documents::render(&model()).files.into_iter().map(|(_, text)| text).collect()
}

#[test]
fn what_is_referenced_comes_first() {
    let names: Vec<String> = model().schemas.iter().map(|schema| schema.name.clone()).collect();
    assert_eq!(names, ["a", "b"], "although the catalogue names b first");
}

#[test]
fn the_same_model_gives_the_same_bytes() {
    assert_eq!(rendered(), rendered());
}

#[test]
fn a_cell_stays_in_its_cell() {
    let design = &rendered()[0];
    assert!(design.contains(r"| `score` | numeric(5,2) | yes | `0` |  | a \| b c |"), "{design}");
    assert!(design.contains(r"| `own` | select | app_user | `((x = 1) OR (y = 'a\|b'::text))` |  |"), "{design}");
    let rows = design.lines().filter(|line| line.starts_with("| `"));
    for row in rows {
        let bars = row.replace(r"\|", "").matches('|').count();
        assert!(bars == 7 || bars == 6, "{row}");
    }
}

#[test]
fn both_ends_of_a_foreign_key_are_told() {
    let design = &rendered()[0];
    assert!(design.contains("| `parent_id` | uuid | no |  | unique, → [a.parent](#aparent) |"), "{design}");
    assert!(design.contains("- [b.child](#bchild) (parent_id), on delete cascade"), "{design}");
    assert!(design.contains("`b.f(n integer DEFAULT 1) → uuid[]` (sql, stable, security definer): Finds"), "{design}");
    assert!(design.contains("**Row level security**: enabled, not forced; 1 policy"), "{design}");
}

#[test]
fn mermaid_tells_one_from_many_and_may_from_must() {
    let visual = &rendered()[1];
    assert!(visual.contains(r#""a.parent" ||--o| "b.child" : "parent_id""#), "{visual}");
    assert!(visual.contains(r#""a.parent" |o--o{ "b.child" : "other_id""#), "{visual}");
    assert!(visual.contains("        numeric(5_2) score\n"), "a comma would end the attribute: {visual}");
    assert!(visual.contains("](docs/erd/small.svg)"), "{visual}");
}

#[test]
fn the_drawing_has_every_table_and_column() {
    let svg = &rendered()[2];
    assert!(svg.starts_with("<svg ") && svg.trim_end().ends_with("</svg>"));
    assert_eq!(svg.matches("<title>").count(), 1);
    for name in ["parent", "child", "parent_id", "other_id"] {
        assert!(svg.contains(&format!(">{name}</text>")), "{name}");
    }
}
