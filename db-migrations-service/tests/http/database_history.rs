//! `/api/database/history`: what the sampler keeps of each target.

use serde_json::{Value, json};

use crate::world::{World, admin, world};

/// The values of a series, as far as they are known.
fn values(history: &Value, metric: &str, state: Option<&str>) -> Vec<f64> {
    let mut series = history["series"].as_array().expect("series").iter();
    let wanted = |series: &&Value| series["metric"] == metric && series["state"].as_str() == state;
    let series = series.find(wanted).unwrap_or_else(|| panic!("no {metric}: {history:#}"));
    series["values"].as_array().expect("values").iter().filter_map(Value::as_f64).collect()
}

async fn history(world: &World, query: &str) -> Value {
    world.get(&format!("/api/database/history{query}")).await.is(200)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_seen_is_kept_and_told_by_metric() {
    let world = world().await;
    let before = history(&world, "").await;
    assert_eq!(
        (&before["environment"], &before["from"], &before["series"]),
        (&json!("development"), &json!(null), &json!([]))
    );
    // A database that is not there yet has been nothing.
    world.operations.sample_now().await;
    assert_eq!(history(&world, "").await["from"], json!(null));

    world.post("/api/migrations/run", json!({ "wait": true })).await.is(200);
    let session = admin(&format!("dev{}", world.suffix())).await;
    session.batch("BEGIN; SELECT 1").await.expect("it may");
    world.operations.sample_now().await;
    session.batch("COMMIT").await.expect("it may");
    world.operations.sample_now().await;

    let all = history(&world, "").await;
    assert!(all["from"].is_string() && all["stepSeconds"] == 60, "{all:#}");
    assert!(values(&all, "size", None).iter().all(|bytes| *bytes > 1e6), "{all:#}");
    let most = values(&all, "connections", Some("idle in transaction")).into_iter().fold(0.0, f64::max);
    assert!((most - 1.0).abs() < f64::EPSILON, "the most at one look, though it is over: {all:#}");
    assert!(values(&all, "connections", Some("active")).iter().any(|sessions| *sessions >= 1.0), "{all:#}");
    assert!(!values(&all, "commits", None).is_empty(), "two looks make a rate: {all:#}");
    let lengths = all["series"].as_array().expect("series").iter().map(|one| one["values"].as_array().map(Vec::len));
    assert!(lengths.clone().all(|length| length.is_some() && length == lengths.clone().next().flatten()), "{all:#}");
    assert!(!all["series"].to_string().contains("statements"), "nobody measures them here: {all:#}");

    let size = history(&world, "?metric=size&span=24h&environment=development").await;
    assert_eq!((&size["stepSeconds"], size["series"].as_array().map(Vec::len)), (&json!(900), Some(1)), "{size:#}");
    let sessions = history(&world, "?metric=connections").await;
    assert_eq!(sessions["series"].as_array().map(Vec::len), Some(4), "each state: {sessions:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_there_is_not_cannot_be_asked_for() {
    let world = world().await;
    for (query, status, code) in [
        ("?metric=heat", 400, "invalid_query"),
        ("?span=1w", 400, "invalid_query"),
        ("?environment=luna", 404, "unknown_environment"),
        ("?environment=staging", 409, "environment_unconfigured"),
    ] {
        let problem = world.get(&format!("/api/database/history{query}")).await.is_problem(status, code);
        if code == "invalid_query" {
            assert!(problem["cure"].as_str().is_some_and(|cure| cure.contains("use one of")), "{problem}");
        }
    }
}
