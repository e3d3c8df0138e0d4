//! Lists by key.

use testkit::people::{ADMIN, OTHER_ADMIN};

use crate::world::World;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_list_is_walked_by_its_cursors_and_holds_what_the_caller_may_see() {
    let world = World::start().await;
    let sql = "DELETE FROM organizations.organization_configs; \
               INSERT INTO organizations.organization_configs (organization_id, config_key, config_value) \
               SELECT o.id, 'k' || lpad(n::text, 3, '0'), 'true' FROM organizations.organizations o, generate_series(1, 25) n";
    world.platform.db.session().await.batch(sql).await.expect("settings");
    let mut path = "/settings?limit=10".to_owned();
    let mut seen = Vec::new();
    loop {
        let page = world.get(&path, Some(&ADMIN)).await.json();
        assert_eq!(page["total"], 25);
        seen.extend(page["items"].as_array().expect("rows").iter().map(|key| key.as_str().expect("text").to_owned()));
        let Some(next) = page["next"].as_str() else { break };
        path = format!("/settings?limit=10&cursor={next}");
    }
    let expected: Vec<String> = (1..=25).map(|n| format!("k{n:03}")).collect();
    assert_eq!(seen, expected);
    let third = world.get("/settings?limit=10&page=3", Some(&OTHER_ADMIN)).await.json();
    assert_eq!((third["items"].as_array().map(Vec::len), &third["next"]), (Some(5), &serde_json::Value::Null));
    let wrong = world.get("/settings?cursor=nonsense", Some(&ADMIN)).await;
    assert_eq!((wrong.status, wrong.code().as_str()), (400, "invalid_query"));
}
