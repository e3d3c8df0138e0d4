//! `/api/database`: what PostgreSQL's statistics say of a database, as far as the caller may see it.

use std::sync::Arc;

use embedded_postgres::{Cluster, ClusterOptions};
use postgres_link::{AdminConn, ConnectOptions};
use reqwest::Method;
use serde_json::{Value, json};

use crate::world::{Answer, Setup, World, admin, world, world_with};

/// A table of 12,000 rows and as many megabytes, with an index that nothing uses, and foreign keys with and without one.
const LARGE: [(&str, &str); 2] = [
    (
        "migrations/cursos{s}/20260102000000_create_entrega.up.sql",
        "CREATE TABLE cursos{s}.entrega (id int PRIMARY KEY, alumno int NOT NULL REFERENCES alumnos{s}.alumno, \
           matricula int REFERENCES cursos{s}.matricula, texto text NOT NULL);\n\
         CREATE INDEX entrega_matricula ON cursos{s}.entrega (matricula) WHERE matricula IS NOT NULL;\n\
         CREATE INDEX entrega_texto ON cursos{s}.entrega (texto);",
    ),
    ("migrations/cursos{s}/20260102000000_create_entrega.down.sql", "DROP TABLE cursos{s}.entrega;"),
];

async fn large() -> World {
    let world = world_with(Setup { files: LARGE.to_vec(), ..Setup::default() }).await;
    world.post("/api/migrations/run", json!({ "wait": true })).await.is(200);
    let (session, s) = (admin(&format!("dev{}", world.suffix())).await, world.suffix());
    let fill = format!(
        "INSERT INTO alumnos{s}.alumno (id, nombre) VALUES (1, 'Ana'); \
         INSERT INTO cursos{s}.entrega SELECT n, 1, NULL, repeat(md5(n::text), 28) FROM generate_series(1, 12000) n"
    );
    for sql in [
        fill.as_str(),
        &format!("SELECT count(*) FROM cursos{s}.entrega WHERE texto LIKE '%zz%'"),
        // What it leaves is half empty pages.
        &format!("DELETE FROM cursos{s}.entrega WHERE id % 2 = 0"),
        &format!("VACUUM ANALYZE cursos{s}.entrega"),
    ] {
        session.batch(sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
    }
    // What a session has counted is seen by others at the latest when it ends.
    session.close().await;
    world
}

/// The names of a list's entries, without the world's suffix.
fn names(world: &World, body: &Value, list: &str, member: &str) -> Vec<String> {
    let entries = body[list].as_array().unwrap_or_else(|| panic!("no {list}: {body:#}"));
    entries.iter().map(|entry| entry[member].as_str().expect("a name").replace(world.suffix(), "")).collect()
}

async fn performance(world: &World, query: &str) -> Value {
    world.get(&format!("/api/database/performance{query}")).await.is(200)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_would_make_it_faster_is_told() {
    let world = large().await;
    let body = performance(&world, "").await;

    assert_eq!(names(&world, &body, "largeTableScans", "table"), ["cursos.entrega"], "{body:#}");
    let scan = &body["largeTableScans"][0];
    assert!(scan["sequentialScans"].as_i64() >= Some(1) && scan["rowsRead"].as_i64() >= Some(12_000), "{scan}");
    assert!(scan["sizeBytes"].as_i64() >= Some(8 << 20) && scan["cacheHitRatio"].is_number(), "{scan}");
    assert!(names(&world, &body, "sequentiallyRead", "table").contains(&"cursos.entrega".to_owned()), "{body:#}");

    let unused = names(&world, &body, "unusedIndexes", "index");
    assert_eq!(unused, ["cursos.entrega_texto", "cursos.entrega_matricula"], "keys are used by every insert: {body:#}");
    let serves = |n: usize| body["unusedIndexes"][n]["servesForeignKey"].clone();
    assert_eq!((serves(0), serves(1)), (json!(false), json!(true)), "{body:#}");
    let definition = body["unusedIndexes"][0]["definition"].as_str().expect("a definition");
    assert!(definition.starts_with("CREATE INDEX entrega_texto ON"), "{definition}");

    let missing = names(&world, &body, "missingIndexes", "statement");
    assert_eq!(
        missing,
        [
            "CREATE INDEX CONCURRENTLY ON cursos.entrega (alumno)",
            "CREATE INDEX CONCURRENTLY ON cursos.matricula (alumno)"
        ],
        "a partial index that leaves only NULL out will do: {body:#}"
    );
    assert_eq!(names(&world, &body, "missingIndexes", "references"), ["alumnos.alumno", "alumnos.alumno"]);

    assert_eq!(names(&world, &body, "bloat", "name"), ["cursos.entrega"], "{body:#}");
    let ratio = body["bloat"][0]["ratio"].as_f64().expect("a ratio");
    assert!((0.35..0.65).contains(&ratio), "half of the rows are gone: {ratio}");
    assert!(body["activity"]["cacheHitRatio"].as_f64().is_some_and(|ratio| (0.0..=1.0).contains(&ratio)), "{body:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_table_is_not_bloated_and_a_used_index_not_unused() {
    let world = large().await;
    let (session, s) = (admin(&format!("dev{}", world.suffix())).await, world.suffix());
    for sql in [
        format!("VACUUM FULL ANALYZE cursos{s}.entrega"),
        format!("SET enable_seqscan = off; SELECT count(*) FROM cursos{s}.entrega WHERE texto = 'x'"),
        format!("CREATE INDEX ON cursos{s}.entrega (alumno)"),
    ] {
        session.batch(&sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
    }
    session.close().await;
    let body = performance(&world, "").await;
    assert_eq!(body["bloat"], json!([]), "{body:#}");
    assert!(!names(&world, &body, "unusedIndexes", "index").contains(&"cursos.entrega_texto".to_owned()), "{body:#}");
    assert_eq!(names(&world, &body, "missingIndexes", "table"), ["cursos.matricula"], "{body:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_are_of_a_part_and_as_long_as_asked() {
    let world = large().await;
    assert_eq!(performance(&world, "?limit=1").await["missingIndexes"].as_array().map(Vec::len), Some(1));
    let part = performance(&world, "?service=alumnos-service").await;
    for list in ["largeTableScans", "unusedIndexes", "missingIndexes", "bloat"] {
        assert_eq!(part[list], json!([]), "{list}: {part:#}");
    }
    let schema = format!("cursos{}", world.suffix());
    let part = world.get(&format!("/api/database/size?schema={schema}&limit=1")).await.is(200);
    assert_eq!(names(&world, &part, "tables", "table"), ["cursos.entrega"], "{part:#}");
    assert_eq!(names(&world, &part, "schemas", "schema"), ["cursos"], "{part:#}");
    let part = world.get(&format!("/api/database/health?schema={schema}")).await.is(200);
    assert_eq!(names(&world, &part, "schemas", "schema"), ["cursos"], "{part:#}");
    // One that no service owns, and one that its service has not made yet.
    for schema in ["pg_catalog".to_owned(), format!("nada{}", world.suffix())] {
        world.get(&format!("/api/database/health?schema={schema}")).await.is(200);
    }

    for path in ["health", "connections", "performance", "size"] {
        for query in ["limit=0", "limit=501", "limit=all", "schemas=x"] {
            world.get(&format!("/api/database/{path}?{query}")).await.is_problem(400, "invalid_query");
        }
        world.get(&format!("/api/database/{path}?service=nadie")).await.is_problem(404, "unknown_service");
        for nowhere in ["nope", "a%00b", "%00"] {
            let answer = world.get(&format!("/api/database/{path}?schema={nowhere}")).await;
            let cure = answer.is_problem(404, "unknown_schema")["cure"].clone();
            assert!(cure.as_str().is_some_and(|cure| cure.contains(&schema) && cure.contains("alumnos")), "{cure}");
        }
        let other = world.get(&format!("/api/database/{path}?service=alumnos-service&schema={schema}")).await;
        let cure = other.is_problem(404, "unknown_schema")["cure"].clone();
        assert_eq!(cure, format!("use one of: {}", world.schema), "the schema is another service's");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_for_one_service_sees_its_schemas() {
    let world = large().await;
    let token = world.token(&["read"], &["alumnos-service"]).await;
    let get = async |path: &str| {
        Answer::of(world.request(Method::GET, &format!("/api/database/{path}")).bearer_auth(&token)).await
    };
    let size = get("size").await.is(200);
    assert_eq!(names(&world, &size, "schemas", "schema"), ["alumnos"], "{size:#}");
    let body = get("performance").await.is(200);
    assert_eq!(names(&world, &body, "sequentiallyRead", "table").iter().filter(|t| t.starts_with("cursos")).count(), 0);
    get("performance?service=cursos-service").await.is_problem(403, "service_not_allowed");
    get(&format!("size?schema=cursos{}", world.suffix())).await.is_problem(403, "service_not_allowed");
    get("health?schema=migration_service").await.is_problem(403, "service_not_allowed");
    let of_both = format!("size?service=cursos-service&schema={}", world.schema);
    get(&of_both).await.is_problem(403, "service_not_allowed");
}

#[tokio::test(flavor = "multi_thread")]
async fn health_tells_what_an_interrupted_change_left_behind() {
    let world = world().await;
    world.post("/api/migrations/run", json!({ "wait": true })).await.is(200);
    let (session, s) = (admin(&format!("dev{}", world.suffix())).await, world.suffix());
    session
        .batch(&format!(
            "INSERT INTO alumnos{s}.alumno VALUES (1, 'a'), (2, 'a'); \
             ALTER TABLE alumnos{s}.alumno ADD CONSTRAINT nombre_corto CHECK (length(nombre) < 9) NOT VALID"
        ))
        .await
        .expect("it may");
    let broken = session.batch(&format!("CREATE UNIQUE INDEX CONCURRENTLY dobles ON alumnos{s}.alumno (nombre)")).await;
    assert!(broken.is_err(), "two of one name");
    session.close().await;
    let body = world.get(&format!("/api/database/health?schema={}", world.schema)).await.is(200);
    assert_eq!((&body["status"], &body["problems"]), (&json!("healthy"), &json!([])), "{body:#}");
    let schema = &body["schemas"][0];
    assert_eq!(schema["invalidIndexes"], json!([format!("{}.dobles", world.schema)]), "{schema:#}");
    assert_eq!(schema["unvalidatedConstraints"], json!(["alumno.nombre_corto"]), "{schema:#}");
    assert_eq!((&schema["tables"], &schema["liveRows"], &schema["neverAnalyzed"]), (&json!(1), &json!(2), &json!(1)));
    assert!(body["transactionIdAge"].as_i64().is_some_and(|age| age > 0), "{body:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_of_a_schema_are_those_that_hold_something_in_it() {
    let world = world().await;
    world.post("/api/migrations/run", json!({ "wait": true })).await.is(200);
    let database = format!("dev{}", world.suffix());
    let (one, other) = (admin(&database).await, admin(&database).await);
    for (session, table) in
        [(&one, format!("alumnos{}.alumno", world.suffix())), (&other, format!("cursos{}.matricula", world.suffix()))]
    {
        session.batch(&format!("BEGIN; LOCK TABLE {table} IN ACCESS SHARE MODE")).await.expect("a lock");
    }
    let pids = async |query: &str| {
        let body = world.get(&format!("/api/database/connections{query}")).await.is(200);
        let sessions = body["transactions"].as_array().expect("a list").clone();
        let mut pids: Vec<_> = sessions.iter().filter_map(|session| session["pid"].as_i64()).collect();
        pids.sort_unstable();
        pids
    };
    let mut both = [i64::from(one.backend_pid()), other.backend_pid().into()];
    both.sort_unstable();
    assert_eq!(pids("").await, both);
    assert_eq!(pids("?service=alumnos-service").await, [i64::from(one.backend_pid())]);
    assert_eq!(pids("?service=nada-service").await, Vec::<i64>::new());
    assert_eq!(pids("?limit=1").await, [i64::from(one.backend_pid())], "the oldest");
}

#[tokio::test(flavor = "multi_thread")]
async fn statements_are_told_where_the_extension_is() {
    // A server of its own: the library is loaded when it starts.
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("data");
    let start = move || {
        let options = ClusterOptions::new(data).unsafe_without_fsync();
        Cluster::start(&options.setting("shared_preload_libraries", "pg_stat_statements")).expect("it starts")
    };
    std::fs::set_permissions(folder.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755))
        .expect("its owner may");
    let cluster = Arc::new(tokio::task::spawn_blocking(start).await.expect("no panic"));
    let url = cluster.url("postgres");
    let variables = vec![("DEVELOPMENT_URL", url.clone())];
    let world = world_with(Setup { variables, ..Setup::default() }).await;
    world.post("/api/migrations/run", json!({ "wait": true, "environment": "development" })).await.is(200);

    let body = performance(&world, "").await;
    assert!(body["statements"].is_null() && body["slowestStatements"].is_null(), "{body:#}");
    assert_eq!(body["howToEnableStatements"], "CREATE EXTENSION pg_stat_statements in this database");

    let options = ConnectOptions::parse_with(&url, &|_| None).expect("the cluster's own URL");
    let session: AdminConn = postgres_link::connect(&options).await.expect("it runs");
    // Where nobody would look for it, and with a name that has to be quoted.
    for sql in [
        "CREATE SCHEMA \"Extras\"".to_owned(),
        "CREATE EXTENSION pg_stat_statements SCHEMA \"Extras\"".to_owned(),
        format!("SELECT pg_sleep(0.5), count(*) FROM {}.alumno WHERE nombre = 'secreto'", world.schema),
    ] {
        session.batch(&sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
    }
    for sql in ["CREATE ROLE lector PASSWORD 'hunter2'", "alter role lector password $$hunter2$$"] {
        session.batch(sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
    }
    for _ in 0..3 {
        session.batch("SELECT 1 AS uno").await.expect("it may");
    }
    let body = performance(&world, "?limit=3").await;
    assert!(body["howToEnableStatements"].is_null(), "{body:#}");
    let slowest = &body["slowestStatements"][0];
    assert!(slowest["statement"].as_str().is_some_and(|text| text.contains("pg_sleep($1)")), "{body:#}");
    assert!(slowest["meanMs"].as_f64() >= Some(500.0) && slowest["maxMs"].as_f64() >= Some(500.0), "{slowest}");
    let id = slowest["queryId"].as_str().expect("text").to_owned();
    let known = format!("SELECT query LIKE '%pg_sleep(%' FROM \"Extras\".pg_stat_statements WHERE queryid = {id}");
    assert_eq!(session.batch(&known).await.expect("a number").value(0, 0), Some("t"), "to the last digit: {id}");
    assert!(!body.to_string().contains("secreto"), "literals are not told: {body:#}");
    assert_eq!(body["statements"].as_array().map(Vec::len), Some(3));

    let all = performance(&world, "?limit=500").await;
    for list in ["statements", "slowestStatements"] {
        let told = names(&world, &all, list, "statement");
        for sql in ["CREATE ROLE lector PASSWORD '***'", "alter role lector password $$***$$"] {
            assert!(told.iter().any(|text| text == sql), "{list}: {told:?}");
        }
    }
    assert!(!all.to_string().contains("hunter2"), "a role's password is not told: {all:#}");

    let part = performance(&world, "?service=alumnos-service&limit=500").await;
    let told = names(&world, &part, "statements", "statement");
    assert!(told.iter().any(|text| text.contains("alumnos.alumno")), "{told:?}");
    assert!(!told.iter().any(|text| text.contains("uno")), "{told:?}");
    // What they took in all is kept from look to look.
    world.operations.sample_now().await;
    session.batch("SELECT pg_sleep(0.2)").await.expect("it may");
    world.operations.sample_now().await;
    let history = world.get("/api/database/history?metric=statements").await.is(200);
    let kept = history["series"][0]["values"].as_array().expect("a series").iter().filter_map(Value::as_f64);
    assert!(kept.fold(0.0, f64::max) > 1.0, "{history:#}");
    drop(session);
    world.stop().await.expect("in good order");
    drop(Arc::into_inner(cluster));
}

#[tokio::test(flavor = "multi_thread")]
async fn where_the_library_is_not_loaded_that_is_said() {
    let world = world().await;
    world.post("/api/migrations/run", json!({ "wait": true })).await.is(200);
    let body = performance(&world, "").await;
    let how = body["howToEnableStatements"].as_str().expect("a sentence");
    assert!(
        how.contains("shared_preload_libraries")
            && how.ends_with("CREATE EXTENSION pg_stat_statements in this database"),
        "{how}"
    );
}
