//! A run that is looked at while it goes on.

use std::process::{Command, Stdio};

use crate::support::{Workplace, run};

/// The second statement takes a moment and a half.
fn slow() -> Workplace {
    let place = Workplace::new();
    place.project.migration(
        "alpha/1_slow",
        "create table alpha.t (id int);\nselect pg_sleep(1.5), 'and ñandú';\ncreate table alpha.u (id int);",
        "drop table alpha.u; drop table alpha.t;",
    );
    place
}

#[test]
fn the_statement_that_lasts_is_shown_by_its_first_line_on_a_terminal_only() {
    let place = slow();
    let plain = run(&mut place.profe(), &["migrate", "run"]);
    assert!(!plain.out.contains("pg_sleep") && !plain.err.contains("pg_sleep"), "{plain:?}");
    assert!(plain.ok(0).contains("1 migration applied"));

    let place = slow();
    let profe = place.profe();
    let words = profe.get_args().map(|word| word.to_str().expect("text"));
    let line: Vec<&str> =
        [profe.get_program().to_str().expect("text")].into_iter().chain(words).chain(["migrate", "run"]).collect();
    // It gives its command a terminal.
    let mut terminal = Command::new("script");
    terminal.args(["--quiet", "--return", "--command", &line.join(" "), "/dev/null"]).stdin(Stdio::null());
    terminal.env_clear().env("TERM", "xterm").envs(profe.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let shown = run(&mut terminal, &[]).ok(0);
    assert!(shown.contains("alpha/1 slow: 2/3 SELECT"), "{shown}");
    assert!(shown.contains("2/3 line 2: select pg_sleep(1.5), 'and ñandú'"), "{shown}");
}

#[test]
fn programs_are_told_of_the_statement_that_lasts_and_not_of_every_short_one() {
    let place = slow();
    let out = run(&mut place.profe(), &["--output", "json", "migrate", "run"]).ok(0);
    let told: Vec<serde_json::Value> = out
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).expect("JSON")["event"].clone())
        .filter(|event| event["type"].as_str().is_some_and(|kind| kind.starts_with("statement_")))
        .collect();
    let second: Vec<_> = told.iter().filter(|event| event["statement"] == 2).collect();
    let [begins, ends] = second[..] else { panic!("{told:#?}") };
    assert_eq!((&begins["type"], &ends["type"]), (&"statement_started".into(), &"statement_finished".into()));
    assert_eq!((&begins["of"], &begins["line"], &begins["tag"]), (&3.into(), &2.into(), &"SELECT".into()));
    assert_eq!((&begins["through"], &ends["rows"]), (&2.into(), &1.into()));
    assert!(begins["text"].as_str().is_some_and(|text| text.starts_with("select pg_sleep")), "{begins}");
    // Its beginning is the answer to the one before, which is heard of a little later than it is given.
    assert!(ends["durationMs"].as_f64().is_some_and(|ms| ms >= 1_000.0), "{ends}");
}
