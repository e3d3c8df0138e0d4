//! Every policy is needed, and every policy restricts: without it, or without its condition, a cell of the matrix
//! changes.

use postgres_link::AdminConn;
use testkit::server;

use crate::matrix::{Cells, Rows, actor_names, committed, measurement, probe, run, table_names};

struct Policy {
    table: String,
    name: String,
    /// `alter policy` with every condition replaced by `true`; none where it is that already.
    opened: Option<String>,
}

async fn policies(session: &AdminConn) -> Vec<Policy> {
    let sql = "select schemaname || '.' || tablename, policyname,
                   case when coalesce(qual, 'true') <> 'true' or coalesce(with_check, 'true') <> 'true' then
                       format('alter policy %I on %I.%I', policyname, schemaname, tablename)
                       || case when qual is not null then ' using (true)' else '' end
                       || case when with_check is not null then ' with check (true)' else '' end
                   end
               from pg_policies
               order by 1, 2";
    let outcome = run(session, sql).await;
    outcome
        .rows()
        .map(|row| Policy {
            table: row[0].clone().expect("a table"),
            name: row[1].clone().expect("a name"),
            opened: row[2].clone(),
        })
        .collect()
}

/// Those whom a policy with such a name lets do something: asked first, since one difference is enough.
fn beneficiaries(policy: &str) -> Vec<&'static str> {
    let actors = actor_names().into_iter();
    match policy.split('_').next().unwrap_or_default() {
        "owner" => vec!["owner"],
        "service" => vec!["service"],
        "admin" => vec!["admin 1.1"],
        "platform" => vec!["platform 0.1"],
        "self" => vec!["teacher 1.11", "student 1.21"],
        role @ ("teacher" | "student" | "parent") => {
            actors.filter(|actor| actor.starts_with(&format!("{role} 1."))).collect()
        }
        _ => actors.filter(|actor| actor.starts_with("teacher 1.") || actor.starts_with("student 1.")).collect(),
    }
}

/// Whether the matrix, measured after `change` and then restored, still is the committed one. The likely cells are
/// measured first, then the others of the table, then all.
async fn unnoticed(
    session: &AdminConn,
    rows: &Rows,
    committed: &Cells,
    change: &str,
    table: &str,
    first: &[&str],
) -> bool {
    let (everybody, everything) = (actor_names(), table_names());
    for (tables, actors) in [(&[table][..], first), (&[table], &everybody), (&everything, &everybody)] {
        let outcome = run(session, &format!("begin; {change}; {}; rollback", measurement(tables, actors))).await;
        let cells = rows.cells(&outcome);
        assert!(!cells.is_empty(), "{table} is measured for {actors:?}");
        if cells.iter().any(|(place, row)| committed.get(place) != Some(row)) {
            return false;
        }
    }
    true
}

#[tokio::test]
async fn dropping_any_policy_turns_the_matrix_red() {
    let db = server().platform_database().await;
    let session = probe(&db).await;
    let (rows, committed) = (Rows::read(&session).await, committed());
    let policies = policies(&session).await;
    assert!(policies.len() >= 2 * table_names().len(), "{} policies", policies.len());
    let mut not_needed = Vec::new();
    for Policy { table, name, .. } in &policies {
        let drop = format!("drop policy {name} on {table}");
        if unnoticed(&session, &rows, &committed, &drop, table, &beneficiaries(name)).await {
            not_needed.push(format!("{name} on {table}"));
        }
    }
    assert!(
        not_needed.is_empty(),
        "policies that no cell needs, {} of {}: {not_needed:#?}",
        not_needed.len(),
        policies.len()
    );
}

/// The other way round: a policy that lost its condition must not pass for one that has it.
#[tokio::test]
async fn opening_any_policy_turns_the_matrix_red() {
    let db = server().platform_database().await;
    let session = probe(&db).await;
    let (rows, committed) = (Rows::read(&session).await, committed());
    let policies = policies(&session).await;
    let mut restricts_nothing = Vec::new();
    for Policy { table, name, opened } in &policies {
        // Open by design: the two of the service itself, and the list of roles.
        let open_by_design = matches!(name.as_str(), "owner_all" | "service_all") || table == "public.roles";
        let Some(opened) = opened else {
            assert!(open_by_design, "{name} on {table} has no condition");
            continue;
        };
        if unnoticed(&session, &rows, &committed, opened, table, &["no claims"]).await {
            restricts_nothing.push(format!("{name} on {table}"));
        }
    }
    assert!(restricts_nothing.is_empty(), "policies whose condition no cell needs: {restricts_nothing:#?}");
}
