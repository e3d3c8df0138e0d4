//! From files and history to an ordered plan. Whatever can be refused without touching the target is refused here.

mod crossing;

pub(crate) use crossing::KEEP_THE_ID;

use std::collections::BTreeSet;
use std::fmt::Write as _;

use postgres_link::AdminConn;
use sql_grammar::{ObjectKind, ObjectName, Reference};

use crate::compare::Comparison;
use crate::error::{EngineError, ErrorCode};
use crate::graph::{Graph, Node};
use crate::migration::MigrationId;
use crate::plan::{Plan, PlannedMigration};
use crate::project::{Migration, Project, Script};
use crate::request::Scope;
use crate::status::MigrationState;
use crate::target::quote::{literal, qualified};
use crate::target::session::own_statement;
use crate::target::store::{Direction, State};

/// What a run would do. `conn` is `None` where the database does not exist yet.
pub(crate) async fn plan(
    project: &Project,
    state: &State,
    comparison: &Comparison,
    scope: &Scope,
    to: Option<&MigrationId>,
    conn: Option<&AdminConn>,
) -> Result<Plan, EngineError> {
    if let Scope::Service(name) = scope {
        project.catalogue.service(name)?;
    }
    let mut plan = Plan { prepares_target: !state.is_prepared_for(&project.catalogue), ..Plan::default() };
    note_missing(comparison, &mut plan);
    crossing::note_moved(project, state, &mut plan);
    let open: Vec<(&Migration, MigrationState)> = project
        .migrations()
        .iter()
        .zip(&comparison.files)
        .zip(&comparison.open)
        .filter(|(_, open)| **open)
        .map(|((m, s), _)| (m, *s))
        .collect();
    let nodes = read_nodes(project, state, &open)?;
    let newest = crate::compare::newest_applied(state);
    let graph = Graph::build(nodes, |id| state.applied.contains_key(id) || project.is_elsewhere(id))?;
    let wanted = wanted(&graph, &open, project, state, scope, to)?;
    let chosen = graph.closure(wanted.iter().copied());
    let services: BTreeSet<&str> = chosen.iter().map(|&at| open[at].0.service.as_str()).collect();
    let concerned = |service: &str| in_scope(scope, service) || services.contains(service);
    crate::compare::refuse_edited(project, comparison, concerned)?;
    crate::compare::refuse_half_rolled_back(project, state, concerned)?;
    crossing::refuse(project, &graph, &chosen)?;
    refuse_unresolved(project, &graph, &chosen, conn).await?;
    plan.touches = graph.touched(&chosen).iter().map(|name| qualified(&name.schema, &name.name)).collect();
    for at in graph.order().into_iter().filter(|at| chosen.contains(at)) {
        let (migration, migration_state) = open[at];
        let node = &graph.nodes[at];
        let newer_applied =
            newest.get(migration.id.schema.as_str()).is_some_and(|newest| migration.id.version < *newest);
        let journal = state.journal.get(&(migration.id.clone(), Direction::Up));
        if newer_applied {
            plan.notes.push(format!(
                "{} is late: newer migrations of {} are applied already",
                migration.id, migration.id.schema
            ));
        }
        plan.migrations.push(PlannedMigration {
            migration: migration.id.clone(),
            service: migration.service.clone(),
            name: migration.name.clone(),
            statements: node.statements,
            transactional: node.transactional,
            late: newer_applied || migration_state == MigrationState::Late,
            prerequisite: !in_scope(scope, &migration.service),
            resume_after: journal.map_or(0, |j| j.values().filter(|entry| entry.done).count()),
            waits_for: graph.edges[at].iter().map(|edge| graph.nodes[edge.to].id.clone()).collect(),
            contract_of: node.contract_of.clone(),
            fills: node.fills.iter().map(ToString::to_string).collect(),
            needs_elsewhere: node.requires.iter().filter(|id| project.is_elsewhere(id)).cloned().collect(),
            sql: None,
            sets_session: node.sets_session,
            cuts: node.cuts.clone(),
        });
    }
    if let Some(conn) = conn {
        note_fills(conn, &mut plan).await?;
    }
    Ok(plan)
}

pub(crate) fn in_scope(scope: &Scope, service: &str) -> bool {
    match scope {
        Scope::All => true,
        Scope::Service(name) => name == service,
    }
}

/// Reads all open migrations; many are shared out among the machine's cores.
fn read_nodes(
    project: &Project,
    state: &State,
    open: &[(&Migration, MigrationState)],
) -> Result<Vec<Node>, EngineError> {
    /// Below this a thread costs more than it saves.
    const WORTH_A_THREAD: usize = 50;
    let read = |part: &[(&Migration, MigrationState)]| {
        part.iter().map(|(migration, _)| read_node(project, state, migration)).collect::<Result<Vec<_>, _>>()
    };
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let share = open.len().div_ceil(cores).max(WORTH_A_THREAD);
    std::thread::scope(|scope| {
        let mut parts = open.chunks(share);
        let own = parts.next().unwrap_or_default();
        let others: Vec<_> = parts.map(|part| scope.spawn(move || read(part))).collect();
        let mut nodes = read(own)?;
        for other in others {
            let part =
                other.join().map_err(|_| EngineError::new(ErrorCode::Internal, "reading the migrations panicked"))?;
            nodes.extend(part?);
        }
        Ok(nodes)
    })
}

/// Both files of a pair are parsed: a down that cannot be read is found now, not in the night it is needed.
fn read_node(project: &Project, state: &State, migration: &Migration) -> Result<Node, EngineError> {
    let schema = &migration.id.schema;
    let journal = state.journal.get(&(migration.id.clone(), Direction::Up));
    if let Some(known) = project.known_node(&migration.id).filter(|_| journal.is_none()) {
        return Ok(known);
    }
    let named = |error: EngineError| error.migration(&migration.id);
    let up = Script::parse(&migration.up, project.up_sql(migration)?, schema).map_err(named)?;
    let down = Script::parse(&migration.down, project.down_sql(migration)?, schema).map_err(named)?;
    if down.statements.is_empty() && down.directives.irreversible.is_none() && !up.statements.is_empty() {
        return Err(EngineError::new(ErrorCode::UnpairedFile, format!("{} holds no statement", migration.down))
            .cure("write the way back; where there is none, say so: `-- irreversible: <why>`")
            .migration(&migration.id));
    }
    crate::project::check_parts(&up, &down).map_err(named)?;
    let rank = project.catalogue.services.get_index_of(&migration.service).unwrap_or(usize::MAX);
    let was_begun = |index: usize| journal.is_some_and(|j| j.contains_key(&index));
    let node = Node::new(migration.id.clone(), rank, &up, was_begun);
    if journal.is_none() {
        project.keep_node(&node);
    }
    Ok(node)
}

fn wanted(
    graph: &Graph,
    open: &[(&Migration, MigrationState)],
    project: &Project,
    state: &State,
    scope: &Scope,
    to: Option<&MigrationId>,
) -> Result<Vec<usize>, EngineError> {
    let all = (0..graph.nodes.len()).filter(|&at| in_scope(scope, &open[at].0.service));
    let Some(to) = to else { return Ok(all.collect()) };
    if project.migration(to).is_none() && !state.applied.contains_key(to) {
        return Err(EngineError::new(ErrorCode::UnknownMigration, format!("there is no migration {to}"))
            .cure("`profe migrate status` lists all of them"));
    }
    Ok(all.filter(|&at| graph.nodes[at].id == *to).collect())
}

fn note_missing(comparison: &Comparison, plan: &mut Plan) {
    if !comparison.missing.is_empty() {
        let names: Vec<String> = comparison.missing.iter().map(ToString::to_string).collect();
        plan.notes.push(format!("applied, but without a file: {}", names.join(", ")));
    }
}

/// How much there is to fill batch by batch, as far as the server knows.
async fn note_fills(conn: &AdminConn, plan: &mut Plan) -> Result<(), EngineError> {
    let mut notes = Vec::new();
    for planned in &plan.migrations {
        for table in &planned.fills {
            let Some((schema, name)) = table.split_once('.') else { continue };
            let name = literal(&qualified(schema, name));
            let query = format!(
                "SELECT sum(greatest(c.reltuples, 0))::int8 FROM pg_class c WHERE c.oid = to_regclass({name}) \
                 OR c.oid IN (SELECT relid FROM pg_partition_tree(to_regclass({name})))"
            );
            let outcome = conn.batch(&query).await.map_err(|e| own_statement(&e, "looking at what is to be filled"))?;
            let rows = outcome.value(0, 0).unwrap_or("0");
            notes.push(format!("{} fills about {rows} rows of {table} batch by batch", planned.migration));
        }
    }
    plan.notes.extend(notes);
    Ok(())
}

/// References that nothing pending creates must stand in the target; else the run is refused before it begins.
async fn refuse_unresolved(
    project: &Project,
    graph: &Graph,
    chosen: &BTreeSet<usize>,
    conn: Option<&AdminConn>,
) -> Result<(), EngineError> {
    let managed = |schema: &str| project.catalogue.owner_of(schema).is_some();
    let open: Vec<(usize, &Reference)> =
        graph.unresolved(managed).into_iter().filter(|(at, _)| chosen.contains(at)).collect();
    if open.is_empty() {
        return Ok(());
    }
    let standing = match conn {
        Some(conn) => {
            // It is refused to whoever may not look into one of the schemas.
            if let Some(query) = all_stand(&open)
                && conn.batch(&query).await.is_ok_and(|outcome| outcome.value(0, 0) == Some("t"))
            {
                return Ok(());
            }
            standing(conn, &open).await?
        }
        None => BTreeSet::new(),
    };
    let Some((at, reference)) = open.iter().find(|(_, r)| !standing.contains(&r.object)) else { return Ok(()) };
    let id = &graph.nodes[*at].id;
    let Some(migration) = project.migration(id) else { return Ok(()) };
    let script = Script::parse(&migration.up, project.up_sql(migration)?, &id.schema)?;
    let byte = reference.byte.unwrap_or_else(|| place_of(&script, reference));
    let location = script.location(byte, script.statement_at(byte));
    let name = &reference.object.name;
    let mut message = format!(
        "{}:{}:{}: {name} does not exist, and no migration creates it",
        location.file, location.line, location.column
    );
    if let Some(later) = graph.only_later(&reference.object) {
        message = format!(
            "{}:{}:{}: {name} does not exist yet: {later} creates it, and comes later in the same schema",
            location.file, location.line, location.column
        );
    }
    Err(EngineError::new(ErrorCode::UnresolvedReference, message)
        .cure("correct the name, or add the migration that creates it; nothing was run")
        .migration(id)
        .at(location))
}

/// Where a reference stands of which the parser gives no place: at its name, in the statement that makes it.
fn place_of(script: &Script, reference: &Reference) -> usize {
    let Some((range, _)) = script.statements.iter().find(|(_, facts)| facts.references.contains(reference)) else {
        return 0;
    };
    let name = &reference.object.name;
    let text = &script.sql[range.clone()];
    let at = text.find(&name.to_string()).or_else(|| text.find(&name.name)).unwrap_or(0);
    range.start + at
}

/// The query whether the target has all of the referenced objects; `None` where not all are relations. It looks where the migration
/// is going to look, while [`standing`] makes a session read catalogs that nobody else needs.
fn all_stand(open: &[(usize, &Reference)]) -> Option<String> {
    let asks = open.iter().map(|(_, reference)| {
        let is_relation = !matches!(reference.object.kind, ObjectKind::Routine | ObjectKind::Type);
        let name = &reference.object.name;
        is_relation.then(|| format!("to_regclass({}) IS NOT NULL", literal(&qualified(&name.schema, &name.name))))
    });
    let asks: Option<Vec<String>> = asks.collect();
    asks.map(|asks| format!("SELECT {}", asks.join(" AND ")))
}

/// Which of the referenced objects the target has.
async fn standing(conn: &AdminConn, open: &[(usize, &Reference)]) -> Result<BTreeSet<ObjectName>, EngineError> {
    let mut values = String::new();
    for (index, (_, reference)) in open.iter().enumerate() {
        let kind = match reference.object.kind {
            ObjectKind::Routine => 'f',
            ObjectKind::Type => 't',
            _ => 'r',
        };
        let separator = if index == 0 { "" } else { "," };
        let name = &reference.object.name;
        // Writing into a String cannot fail.
        let _ = write!(values, "{separator}({index},'{kind}',{},{})", literal(&name.schema), literal(&name.name));
    }
    let query = format!(
        "SELECT v.i FROM (VALUES {values}) v(i, kind, s, n) JOIN pg_namespace ns ON ns.nspname = v.s WHERE \
         EXISTS (SELECT 1 FROM pg_class c WHERE v.kind <> 'f' AND c.relnamespace = ns.oid AND c.relname = v.n) OR \
         EXISTS (SELECT 1 FROM pg_type t WHERE v.kind = 't' AND t.typnamespace = ns.oid AND t.typname = v.n) OR \
         EXISTS (SELECT 1 FROM pg_proc p WHERE v.kind = 'f' AND p.pronamespace = ns.oid AND p.proname = v.n)"
    );
    let outcome = conn.batch(&query).await.map_err(|e| own_statement(&e, "looking up what migrations reference"))?;
    Ok(outcome
        .rows()
        .filter_map(|row| row[0].as_deref()?.parse::<usize>().ok())
        .filter_map(|index| open.get(index).map(|(_, r)| r.object.clone()))
        .collect())
}
