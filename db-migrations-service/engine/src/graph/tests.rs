use super::*;

/// Builds nodes from `(id, sql)`; the schema's first letter ranks its service.
fn graph(files: &[(&str, &str)]) -> Result<Graph, EngineError> {
    let nodes = files.iter().map(|(id, sql)| {
        let id: MigrationId = id.parse().unwrap();
        let script = Script::parse("f.sql", (*sql).to_owned(), &id.schema).unwrap();
        let rank = usize::from(id.schema.as_bytes()[0]);
        Node::new(id, rank, &script, |_| false)
    });
    Graph::build(nodes.collect(), |_| false)
}

fn order(files: &[(&str, &str)]) -> Vec<String> {
    let graph = graph(files).unwrap();
    graph.order().into_iter().map(|at| graph.nodes[at].id.to_string()).collect()
}

#[test]
fn what_is_referenced_comes_first_whatever_its_version() {
    let files = [
        ("a/1", "create table a.t (id int primary key, u int references b.u)"),
        ("a/2", "create view a.v as select b.f(id) from a.t"),
        ("b/5", "create table b.u (id int primary key)"),
        ("b/7", "create function b.f(int) returns int language sql return 1"),
    ];
    assert_eq!(order(&files), ["b/5", "a/1", "b/7", "a/2"]);
}

#[test]
fn the_header_and_a_later_column_are_waited_for() {
    let files = [
        ("a/1", "-- requires: b/9\nselect 1"),
        ("a/2", "create table a.t (k int references b.u (k))"),
        ("b/9", "create table b.u (id int)"),
        ("b/10", "alter table b.u add column k int unique"),
    ];
    assert_eq!(order(&files), ["b/9", "a/1", "b/10", "a/2"]);
}

#[test]
fn a_circle_is_refused_with_its_path() {
    let error = graph(&[
        ("a/1", "create table a.t (id int primary key references b.u)"),
        ("b/1", "create table b.u (id int primary key references a.t)"),
    ])
    .unwrap_err();
    assert_eq!(error.code, ErrorCode::DependencyCycle);
    assert!(error.message.contains("a/1 → b/1 → a/1"), "{}", error.message);
    assert!(error.message.contains("a/1: it references b.u, which b/1 creates"), "{}", error.message);
    // Through the order within a schema, too.
    let error = graph(&[("a/1", "-- requires: a/2\nselect 1"), ("a/2", "select 1")]).unwrap_err();
    assert_eq!(error.related.len(), 2);
}

#[test]
fn mentions_in_bodies_order_but_never_close_a_circle() {
    let body = |of: &str| {
        format!(
            "create function {of}.f() returns void language plpgsql as $$ begin perform x.y(); perform b.f(); perform a.f(); end $$"
        )
    };
    assert_eq!(order(&[("a/1", &body("a")), ("b/2", &body("b"))]), ["b/2", "a/1"]);
}

#[test]
fn nothing_is_referenced_in_silence() {
    let graph = graph(&[
        ("a/1", "create table a.t (id int generated always as identity, x text constraint t_x_key unique)"),
        ("a/2", "comment on index a.t_x_key is 'x'; select nextval('a.t_id_seq'); create view a.v as select * from b.gone, c.free, later"),
        ("a/3", "create table a.later ()"),
        ("a/4", "do $$ begin execute 'create table ' || 'a.x'; perform 'a.made'::text, a.made; end $$"),
        ("a/5", "select * from a.made; create function a.g(r a.t) returns a.t language sql return r"),
    ])
    .unwrap();
    let open: Vec<_> = graph
        .unresolved(|schema| schema != "c")
        .into_iter()
        .map(|(at, r)| format!("{} {}", graph.nodes[at].id, r.object.name))
        .collect();
    assert_eq!(open, ["a/2 a.later", "a/2 b.gone"]);
}

#[test]
fn a_missing_requirement_is_named() {
    let error = graph(&[("a/1", "-- requires: b/404\nselect 1")]).unwrap_err();
    assert!(error.message.contains("b/404"), "{}", error.message);
}

#[test]
fn the_closure_holds_what_is_needed_and_no_more() {
    let graph = graph(&[
        ("a/1", "create table a.t (id int primary key references b.u)"),
        ("b/1", "create table b.u (id int primary key)"),
        ("b/2", "create table b.other ()"),
        ("a/2", "select 1"),
    ])
    .unwrap();
    assert_eq!(graph.closure([0]).into_iter().collect::<Vec<_>>(), [0, 1]);
}
