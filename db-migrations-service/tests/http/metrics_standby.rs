//! How far a standby is behind, as a real one tells it.

use std::time::Duration;

use serde_json::json;
use testkit::faults::OwnServer;

use crate::metrics::Scrape;
use crate::world::{Setup, World, world_with};

const CATALOGUE: &str = "[project]\nname = \"escuela\"\ndefault_environment = \"development\"\n\
                         [environments.development]\nurl_variable = \"DEVELOPMENT_URL\"\ndatabase = \"dev{s}\"\n\
                         [environments.production]\nurl_variable = \"PRODUCTION_URL\"\ndatabase = \"prod{s}\"\n\
                         [services.alumnos-service]\nschemas = [\"alumnos{s}\"]\n\
                         [services.cursos-service]\nschemas = [\"cursos{s}\"]\nreferences = [\"alumnos{s}\"]\n";

const LAG: &str = "pg_replication_lag_seconds{environment=\"production\"}";

/// Scrapes until it is so.
async fn until(world: &World, what: &str, is_so: impl Fn(&Scrape) -> bool) -> Scrape {
    let asking = async {
        loop {
            let scrape = Scrape::now(world).await;
            if is_so(&scrape) {
                break scrape;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(30), asking).await.unwrap_or_else(|_| panic!("not in time: {what}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_standby_says_how_far_it_is_behind() {
    let servers = tokio::task::spawn_blocking(|| {
        let primary = OwnServer::start(&[]);
        primary.value("CREATE DATABASE escuela");
        let standby = primary.standby();
        (primary, standby)
    });
    let (primary, standby) = servers.await.expect("no panic");
    let variables = vec![("DEVELOPMENT_URL", primary.url("escuela")), ("PRODUCTION_URL", standby.url("escuela"))];
    let files = vec![("config/services.toml", CATALOGUE)];
    let world = world_with(Setup { files, variables, ..Setup::default() }).await;
    world.post("/api/migrations/run", json!({ "wait": true })).await.is(200);

    // Nothing is written: the last transaction grows old, and the standby is not behind for that.
    let migrated =
        "profe_migration_migrations{service=\"alumnos-service\",environment=\"production\",state=\"applied\"}";
    let level = until(&world, "the standby has the migrations", |scrape| {
        scrape.values.get(migrated) == Some(&2.0) && scrape.values.get(LAG) == Some(&0.0)
    })
    .await;
    level.is("pg_replication_is_replica{environment=\"production\"}", 1.0);
    level.is("pg_replication_is_replica{environment=\"development\"}", 0.0);
    level.is("pg_replication_lag_seconds{environment=\"development\"}", 0.0);
    assert!(level.value("profe_migration_target_standby_lag_seconds{environment=\"development\"}") >= 0.0);
    assert!(!level.has("profe_migration_target_standby_lag_seconds{environment=\"production\"}"), "it has none");

    let (there, here) = (standby.session("escuela").await, primary.session("escuela").await);
    there.batch("SELECT pg_wal_replay_pause()").await.expect("a superuser may");
    here.batch("CREATE TABLE nuevo (id int)").await.expect("it may");
    let first = until(&world, "it is behind", |scrape| scrape.value(LAG) > 0.0).await.value(LAG);
    until(&world, "it is farther behind", |scrape| scrape.value(LAG) > first).await;
    there.batch("SELECT pg_wal_replay_resume()").await.expect("a superuser may");
    until(&world, "it has caught up", |scrape| scrape.values.get(LAG) == Some(&0.0)).await;
}
