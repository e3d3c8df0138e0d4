//! The SQL that is made of an UPDATE: a batch of it, the question what is left of it, the trigger that does it to new writes.

use std::fmt::Write as _;

use super::table::Table;
use crate::migration::MigrationId;
use crate::project::Backfill;
use crate::run::steps::Step;
use crate::target::confine::through_door;
use crate::target::quote::{identifier, literal, qualified};

/// Set for what the engine does itself, so that its trigger lets it pass.
pub(super) const OURS: &str = "SET LOCAL profe.backfill='on'";

/// A policy would hide rows in silence; this makes it an error.
pub(super) const SEE_ALL: &str = "SET LOCAL row_security=off";

/// The error of rows that are left; its message is how many, its detail the key of one.
pub(super) const ROWS_LEFT: &str = "PF002";

/// The update over the keys after `from` up to `to`, through the door.
pub(super) fn batch(step: &Step, backfill: &Backfill, table: &Table, from: Option<&[String]>, to: &[String]) -> String {
    let script = step.script();
    let range = table.range(&backfill.update.alias, from, to);
    let update = backfill.update.within(&script.sql, &script.statements[backfill.statement].0, &range);
    through_door(&step.owner, &update)
}

/// The table by the name that the update gives it, with what else it reads.
fn source(step: &Step, backfill: &Backfill, table: &str) -> String {
    let others =
        backfill.update.from.clone().map_or_else(String::new, |from| format!(", {}", &step.script().sql[from]));
    format!("{table} AS {}{others}\n", identifier(&backfill.update.alias))
}

/// The rows that are not filled: what follows FROM.
fn left(step: &Step, backfill: &Backfill, table: &Table) -> String {
    let (sql, update) = (&step.script().sql, &backfill.update);
    if let Some(remaining) = &backfill.remaining {
        return format!("{} AS {} WHERE ({remaining}\n)", table.name, identifier(&update.alias));
    }
    let condition = update.condition.clone().map(|condition| format!("({}\n)", &sql[condition]));
    // Those that the update would still change; told by their texts, since not every type can be compared.
    let differs: Vec<String> = update
        .sets
        .iter()
        .map(|set| {
            format!(
                "{}.{}::pg_catalog.text IS DISTINCT FROM ({}\n)::{}::pg_catalog.text",
                identifier(&update.alias),
                identifier(&set.column),
                &sql[set.expression.clone()],
                table.full_type(&set.column),
            )
        })
        .collect();
    let differs = format!("({})", differs.join(" OR "));
    let condition = condition.map_or_else(|| differs.clone(), |condition| format!("{condition} AND {differs}"));
    format!("{} WHERE {condition}", source(step, backfill, &table.name))
}

/// The statement that fails, with how many and one of them, where rows are left.
pub(super) fn check(step: &Step, backfill: &Backfill, table: &Table) -> String {
    let left = left(step, backfill, table);
    let count =
        format!("SELECT pg_catalog.set_config('profe.left', pg_catalog.count(*)::pg_catalog.text, true) FROM {left}");
    let sample = format!(
        "SELECT pg_catalog.set_config('profe.sample', {}, true) FROM {left} LIMIT 1",
        table.as_json(&backfill.update.alias)
    );
    let perform = |sql: &str| through_door(&step.owner, sql).replacen("SELECT ", "PERFORM ", 1);
    let body = format!(
        "BEGIN {}; IF pg_catalog.current_setting('profe.left') OPERATOR(pg_catalog.<>) '0'::pg_catalog.text THEN {}; \
         RAISE EXCEPTION USING ERRCODE = '{ROWS_LEFT}', MESSAGE = pg_catalog.current_setting('profe.left'), \
         DETAIL = pg_catalog.current_setting('profe.sample'); END IF; END",
        perform(&count),
        perform(&sample),
    );
    format!("DO {}", literal(&body))
}

/// Keeps writers out until the end of the transaction.
pub(super) fn shut(table: &Table) -> String {
    format!("LOCK TABLE {} IN SHARE ROW EXCLUSIVE MODE", table.name)
}

/// It sorts after other triggers, so that it sees what they made of the row.
pub(super) fn trigger_name(step: &Step, backfill: &Backfill) -> String {
    format!("zz_profe_sync_{}_{}", step.id.version, backfill.statement + 1)
}

fn function_name(id: &MigrationId, statement: usize) -> String {
    let name = format!("profe_sync_{}_{}", id.version, statement + 1);
    format!("{}()", qualified(&id.schema, &name))
}

/// The statement that drops the trigger with its function, wherever its table is by now.
pub(crate) fn drop_sync_of(id: &MigrationId, statement: usize) -> String {
    format!("DROP FUNCTION IF EXISTS {} CASCADE", function_name(id, statement))
}

/// The statements that fail where the update, or the trigger that is made of it, would fail on a row: they are planned on none.
/// What a trigger of ours gets wrong, every writer would be refused for.
pub(super) fn probes(step: &Step, backfill: &Backfill) -> Vec<String> {
    let (script, update) = (step.script(), &backfill.update);
    let mut probes = vec![update.within(&script.sql, &script.statements[backfill.statement].0, "false")];
    if backfill.sync {
        let values: Vec<&str> = update.sets.iter().map(|set| &script.sql[set.expression.clone()]).collect();
        let nobody = format!("(SELECT * FROM {} WHERE false)", name(backfill));
        let source = source(step, backfill, &nobody);
        let condition = update.condition.clone().map_or("true", |condition| &script.sql[condition]);
        probes.push(format!("SELECT {}\nFROM {source} WHERE ({condition}\n)", values.join("\n, ")));
    }
    probes.iter().map(|probe| through_door(&step.owner, probe)).collect()
}

/// The table, quoted.
pub(super) fn name(backfill: &Backfill) -> String {
    let relation = &backfill.update.relation;
    qualified(&relation.schema, &relation.name)
}

/// What stands for the default of the column that is set as the `nth`, until the server puts it in.
fn unset(nth: usize) -> String {
    format!("profe$unset${nth}$")
}

/// The statements that make the trigger: one waits for those who write at the moment, all who come later are seen by it.
///
/// A row that is inserted, or updated, so that the update's condition holds for it is filled. A row that was filled by the update
/// and is updated by somebody who does not know the columns follows; a value that somebody chose is left alone.
pub(super) fn make_sync(step: &Step, backfill: &Backfill) -> [String; 2] {
    let function = function_name(&step.id, backfill.statement);
    let table = name(backfill);
    let mut block = format!("DECLARE body pg_catalog.text := {}; BEGIN ", literal(&sync_body(step, backfill)));
    for (nth, set) in backfill.update.sets.iter().enumerate() {
        // A default that counts on is none that could be asked for; every name is qualified, as it runs under the owner's path.
        let _ = write!(
            block,
            "body := pg_catalog.replace(body, '{}', COALESCE((SELECT CASE WHEN pg_catalog.strpos(e, 'nextval(') \
             OPERATOR(pg_catalog.>) 0 THEN NULL ELSE e END FROM pg_catalog.pg_attribute a, pg_catalog.pg_attrdef d, \
             pg_catalog.pg_get_expr(d.adbin, d.adrelid) e WHERE a.attrelid OPERATOR(pg_catalog.=) \
             pg_catalog.to_regclass({})::pg_catalog.oid AND a.attname OPERATOR(pg_catalog.=) {}::pg_catalog.name \
             AND d.adrelid OPERATOR(pg_catalog.=) a.attrelid AND d.adnum OPERATOR(pg_catalog.=) a.attnum \
             AND a.attgenerated OPERATOR(pg_catalog.=) ''::pg_catalog.\"char\"), 'NULL')); ",
            unset(nth),
            literal(&table),
            literal(&set.column),
        );
    }
    let create = format!(
        "CREATE OR REPLACE FUNCTION {function} RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER \
         SET search_path = {}, pg_catalog, pg_temp AS %L",
        identifier(&step.id.schema)
    );
    let _ = write!(block, "EXECUTE pg_catalog.format({}, body); END", literal(&create));
    // The last argument keeps a missing setting from being an error.
    let trigger = format!(
        "CREATE OR REPLACE TRIGGER {} BEFORE INSERT OR UPDATE ON {table} FOR EACH ROW \
         WHEN (pg_catalog.current_setting('profe.backfill', true) IS DISTINCT FROM 'on') EXECUTE FUNCTION {function}",
        identifier(&trigger_name(step, backfill)),
    );
    [format!("DO {}", literal(&block)), trigger]
}

fn sync_body(step: &Step, backfill: &Backfill) -> String {
    let (sql, update) = (&step.script().sql, &backfill.update);
    let knows = update.names_a_target(&update.condition_columns);
    let itself = update.sets.iter().any(|set| update.names_a_target(&set.columns));
    let targets: Vec<String> = update.sets.iter().map(|set| identifier(&set.column)).collect();
    let values: Vec<String> = update
        .sets
        .iter()
        .zip(&targets)
        .map(|(set, target)| format!("({}\n) AS {target}", &sql[set.expression.clone()]))
        .collect();
    let condition =
        update.condition.clone().map_or_else(String::new, |condition| format!(" WHERE ({}\n)", &sql[condition]));
    let ask = |row: &str| {
        let source = source(step, backfill, &format!("(SELECT {row}.*)"));
        format!("SELECT {} INTO filled FROM {source}{condition} LIMIT 1;", values.join(", "))
    };
    let take = |row: &str| targets.iter().fold(String::new(), |text, t| format!("{text} {row}.{t} := filled.{t};"));
    let unset = targets
        .iter()
        .enumerate()
        .fold(String::new(), |text, (nth, target)| format!("{text} row_then.{target} := {};", unset(nth)));
    let same = |one: &str, other: &str| {
        let pairs: Vec<String> = targets
            .iter()
            .map(|t| format!("{one}.{t}::pg_catalog.text IS NOT DISTINCT FROM {other}.{t}::pg_catalog.text"))
            .collect();
        pairs.join(" AND ")
    };
    let mut body = "\n#variable_conflict use_column\nDECLARE filled record; row_then record;\nBEGIN\n".to_owned();
    let fill = format!("{} IF FOUND THEN{} RETURN NEW; END IF;", ask("NEW"), take("NEW"));
    // Writing into a String cannot fail.
    let _ = if knows {
        writeln!(body, "{fill}")
    } else {
        // Whoever names the column in an INSERT means what he says.
        writeln!(
            body,
            "IF TG_OP = 'INSERT' THEN row_then := NEW;{unset}\nIF {} THEN {fill} END IF; END IF;",
            same("row_then", "NEW")
        )
    };
    if !itself {
        let _ = writeln!(
            body,
            "IF TG_OP = 'UPDATE' THEN IF {} THEN\nrow_then := OLD;{unset}\n{}\nIF FOUND THEN{}\nIF {} THEN\n\
             row_then := NEW;{unset}\n{}\nIF FOUND THEN{} END IF;\nEND IF; END IF; END IF; END IF;",
            same("NEW", "OLD"),
            ask("row_then"),
            take("row_then"),
            same("row_then", "OLD"),
            ask("row_then"),
            take("NEW"),
        );
    }
    body.push_str("RETURN NEW;\nEND");
    body
}
