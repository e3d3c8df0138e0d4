//! Seeds: idempotent, per environment, reset where that is allowed.

use migration_engine::ErrorCode;
use migration_engine::request::Scope;
use migration_engine::status::SeedState;

use crate::help::World;

async fn seeded() -> World {
    let w = World::new().await;
    w.project
        .migration("alpha/1_t", "CREATE TABLE alpha.t (id int PRIMARY KEY, v text);", "DROP TABLE alpha.t;")
        .migration("beta/2_u", "CREATE TABLE beta.u (t int REFERENCES alpha.t);", "DROP TABLE beta.u;");
    w.project.write(
        "seeds/alpha/10_base.sql",
        "INSERT INTO alpha.t VALUES (1, 'one') ON CONFLICT (id) DO UPDATE SET v = excluded.v;",
    );
    w.project
        .write("seeds/alpha/20_demo.development.sql", "INSERT INTO alpha.t VALUES (2, 'demo') ON CONFLICT DO NOTHING;");
    w.project.write("seeds/beta/10_base.sql", "INSERT INTO beta.u SELECT 1 WHERE NOT EXISTS (SELECT 1 FROM beta.u);");
    w
}

#[tokio::test]
async fn they_run_in_order_as_often_as_wanted_each_in_its_environment() {
    let w = seeded().await;
    let error = w.engine().seed(&Scope::All, w.context()).await.unwrap_err();
    assert_eq!(error.code, ErrorCode::SeedFailed);
    w.run_ok().await;
    let report = w.engine_for("production").seed(&Scope::All, w.context()).await.unwrap();
    assert_eq!((report.applied, report.rows), (vec!["alpha/10_base".to_owned(), "beta/10_base".to_owned()], 2));
    for _ in 0..2 {
        let report = w.engine().seed(&Scope::All, w.context()).await.unwrap();
        assert_eq!(report.applied, ["alpha/10_base", "alpha/20_demo.development", "beta/10_base"]);
    }
    assert_eq!(w.db.rows("SELECT id, v FROM alpha.t ORDER BY id").await, ["1|one", "2|demo"]);
    w.project.write(
        "seeds/alpha/10_base.sql",
        "INSERT INTO alpha.t VALUES (1, 'uno') ON CONFLICT (id) DO UPDATE SET v = excluded.v;",
    );
    let states: Vec<_> = w.engine().seed_status().await.unwrap().into_iter().map(|s| (s.name, s.state)).collect();
    assert_eq!(states[0], ("10_base".to_owned(), SeedState::Changed));
    assert_eq!(states[1], ("20_demo.development".to_owned(), SeedState::Applied));
}

#[tokio::test]
async fn one_that_fails_leaves_nothing_of_itself_and_names_its_place() {
    let w = seeded().await;
    w.run_ok().await;
    w.project
        .write("seeds/alpha/10_base.sql", "INSERT INTO alpha.t VALUES (5, 'x');\nINSERT INTO alpha.t VALUES (5, 'y');");
    let error = w.engine().seed(&Scope::All, w.context()).await.unwrap_err();
    assert_eq!((error.code, error.location.unwrap().line), (ErrorCode::SeedFailed, 2));
    assert_eq!(w.db.value("SELECT count(*) FROM alpha.t").await.as_deref(), Some("0"));
}

#[tokio::test]
async fn a_reset_empties_and_seeds_again_but_not_what_is_protected_or_pointed_at() {
    let w = seeded().await;
    w.run_ok().await;
    w.engine().seed(&Scope::All, w.context()).await.unwrap();
    w.db.value("INSERT INTO alpha.t VALUES (99, 'made by hand')").await;
    let error = w.engine_for("production").seed_reset(&Scope::All, w.context()).await.unwrap_err();
    assert_eq!(error.code, ErrorCode::Protected);
    let error = w.engine().seed_reset(&Scope::Service("alpha-service".to_owned()), w.context()).await.unwrap_err();
    assert!(error.message.contains("another service's rows"), "{}", error.message);
    assert_eq!(w.db.value("SELECT count(*) FROM alpha.t").await.as_deref(), Some("3"));
    w.engine().seed_reset(&Scope::All, w.context()).await.unwrap();
    assert_eq!(w.db.rows("SELECT id FROM alpha.t ORDER BY id").await, ["1", "2"]);
    // A service that nobody points at can be reset alone.
    w.engine().seed_reset(&Scope::Service("beta-service".to_owned()), w.context()).await.unwrap();
}
