use super::*;
use crate::parse::parse;

fn of(sql: &str) -> Facts {
    let statements = parse(sql).unwrap();
    assert_eq!(statements.len(), 1, "{sql}");
    facts(&statements[0], "a")
}

fn names(objects: &BTreeSet<ObjectName>) -> Vec<String> {
    objects.iter().map(|o| format!("{:?} {}", o.kind, o.name)).collect()
}

fn referenced(facts: &Facts) -> Vec<String> {
    let mut all: Vec<_> = facts.references.iter().map(|r| format!("{:?} {}", r.object.kind, r.object.name)).collect();
    all.dedup();
    all
}

#[test]
fn a_table_with_keys_types_defaults_and_checks() {
    let f = of("create table a.t (id int references b.u (uid), parent int references a.t, k b.kind default c.next(1))");
    assert_eq!(names(&f.creates), ["Relation a.t", "Column a.t.id", "Column a.t.k", "Column a.t.parent"]);
    assert_eq!(referenced(&f), ["Relation b.u", "Routine c.next", "Type b.kind", "Column b.u.uid"]);
}

#[test]
fn temporary_tables_and_the_servers_catalogs_are_no_references() {
    let f = of("create temp table x (a int primary key) on commit drop");
    assert_eq!(
        (names(&f.creates), referenced(&f), names(&f.temporary)),
        (vec![], vec![], vec!["Relation a.x".to_owned()])
    );
    assert!(names(&of("create temp table x as select 1").creates).is_empty());
    assert!(referenced(&of("select * from pg_class, pg_catalog.pg_type, pg_settings")).is_empty());
}

#[test]
fn a_named_key_is_an_index_too() {
    let f =
        of("create table t (id int constraint p primary key, constraint u unique (id), constraint c check (id > 0))");
    assert_eq!(names(&f.creates), ["Relation a.p", "Relation a.t", "Relation a.u", "Column a.t.id"]);
    assert!(names(&of("alter table t add constraint k unique (x)").creates).contains(&"Relation a.k".to_owned()));
}

#[test]
fn a_reference_has_its_place() {
    let f = of("create view v as select 1 from other.thing");
    let place = f.references.iter().find(|r| r.object.name.name == "thing").unwrap().byte;
    assert_eq!(place, Some("create view v as select 1 from ".len()));
}

#[test]
fn names_of_with_queries_are_no_relations() {
    let f = of("insert into t with c as (select 1 from b.u) select * from c");
    assert_eq!(referenced(&f), ["Relation a.t", "Relation b.u"]);
}

#[test]
fn policies_triggers_comments_and_grants_reach_what_they_stand_on() {
    let f = of("create policy p on a.t using (x = (select auth.uid()))");
    assert_eq!(referenced(&f), ["Relation a.t", "Routine auth.uid"]);
    assert!(f.columns.contains("x"));
    let f = of("create trigger g before update on a.t for each row execute function public.touch()");
    assert_eq!(referenced(&f), ["Relation a.t", "Routine public.touch"]);
    assert_eq!(referenced(&of("comment on column b.t.x is 'y'")), ["Relation b.t"]);
    assert_eq!(referenced(&of("comment on policy p on b.t is 'y'")), ["Relation b.t"]);
    assert_eq!(referenced(&of("grant usage on schema b to public")), ["Schema b.b"]);
    assert_eq!(referenced(&of("grant execute on function b.f() to public")), ["Routine b.f"]);
}

#[test]
fn drops_and_renames() {
    let f = of("drop table b.t");
    assert_eq!((names(&f.drops), referenced(&f)), (vec!["Relation b.t".to_owned()], vec!["Relation b.t".to_owned()]));
    assert!(of("drop table if exists b.t").references.is_empty());
    let f = of("alter table t rename column x to y");
    assert_eq!(
        (names(&f.creates), names(&f.drops)),
        (vec!["Column a.t.y".to_owned()], vec!["Column a.t.x".to_owned()])
    );
    assert_eq!(names(&of("alter function b.f() rename to g").creates), ["Routine b.g"]);
}

#[test]
fn bodies_are_only_mentions() {
    let f = of("create function f() returns void language plpgsql as $$ begin /* z.z */ perform c.\"H\"(); end $$");
    assert_eq!(f.mentions.iter().map(ToString::to_string).collect::<Vec<_>>(), ["c.H"]);
    assert!(f.references.is_empty());
    let f = of("create function f() returns int language sql begin atomic select x from c.t; end");
    assert_eq!(referenced(&f), ["Relation c.t"]);
}

#[test]
fn what_must_run_alone() {
    let index = |f: Facts| match f.alone {
        Some(Alone::CreateIndex { index }) => index.to_string(),
        other => panic!("{other:?}"),
    };
    assert_eq!(index(of("create index concurrently i on b.t (x)")), "b.i");
    let unnamed = of("create index concurrently on b.t (x)");
    assert!(unnamed.alone.is_none() && unnamed.forbidden.is_some());
    assert!(of("create index i on t (x)").alone.is_none());
    for sql in [
        "drop index concurrently i",
        "reindex (concurrently) table t",
        "reindex index concurrently i",
        "vacuum t",
        "alter table p detach partition q concurrently",
        "cluster",
        "reindex schema a",
    ] {
        assert!(of(sql).alone.is_some(), "{sql}");
    }
    for sql in
        ["analyze t", "alter table p detach partition q", "refresh materialized view concurrently m", "cluster t"]
    {
        assert!(of(sql).alone.is_none(), "{sql}");
    }
    assert!(of("alter type k add value 'x'").commit_before_use);
    assert!(!of("alter type k rename value 'x' to 'y'").commit_before_use);
}

#[test]
fn what_no_migration_may_contain() {
    for sql in [
        "begin",
        "commit",
        "savepoint x",
        "set role x",
        "reset role",
        "set session authorization x",
        "discard all",
        "create database x",
        "alter system set x = 1",
        "create role x",
        "copy t from '/etc/passwd'",
        "copy t to stdout",
        "create index concurrently on t (x)",
        "reset all",
        "set transaction read only",
        "set session characteristics as transaction read only",
        "set local transaction_read_only = on",
    ] {
        assert!(of(sql).forbidden.is_some(), "{sql}");
    }
    for sql in [
        "set local lock_timeout = '1s'",
        "set search_path = a",
        "select set_config('app.x', 'y', true)",
        // Said in a message, or done by a body: PostgreSQL knows which, and refuses the second when it runs.
        "do $$ begin raise notice 'please reset role later'; end $$",
        "select set_config('role', 'x', true)",
    ] {
        assert!(of(sql).forbidden.is_none(), "{sql}");
    }
    assert!(of("set search_path = a").sets_session && !of("set local search_path = a").sets_session);
}

#[test]
fn what_may_run_code_of_its_author() {
    for sql in [
        "do $$ begin end $$",
        "select f()",
        "insert into t values (1)",
        "create table p partition of q for values from (f()) to (g())",
        "create table p (a int, b int) partition by list (f(a))",
        "create table t (a int generated always as (f(1)) stored)",
        "alter table t add column a int default f()",
        "alter table t add constraint c check (f(a))",
        "alter table t drop column a, alter b type text using f(b)",
        "create function f() returns void language plperl as 'x'",
        "create schema s create table t (a int)",
        "set constraints all immediate",
        "truncate t",
        "explain select f()",
        "refresh materialized view m",
        "create domain d as int default f()",
    ] {
        assert!(of(sql).runs_code, "{sql}");
    }
    for sql in [
        "create table t (a int default f() check (f(a)))",
        "comment on table t is 'x'",
        "create index on t (f(a))",
        "create function f() returns void language plpgsql as 'begin end'",
        "set local statement_timeout = '1s'",
        "alter table t drop column a, enable row level security",
        "create view v as select f()",
        "create trigger g after insert on t execute function f()",
        "drop table t cascade",
    ] {
        assert!(!of(sql).runs_code, "{sql}");
    }
    assert!(of("insert into t values (1)").writes_rows && !of("select 1").writes_rows);
}
