//! Lists and searches: what everybody sees, in order, page by page.

use serde_json::Value;
use testkit::people::{ADMIN, OTHER_ADMIN, PARENT, STUDENT, TEACHER};
use testkit::{Person, Seen};

use crate::world::{World, id};

fn names(seen: &Seen) -> Vec<String> {
    let items = seen.json()["items"].as_array().cloned().unwrap_or_default();
    let text = |item: &Value, member: &str| item[member].as_str().unwrap_or_default().to_owned();
    items.iter().map(|item| format!("{} {}", text(item, "firstName"), text(item, "lastName"))).collect()
}

async fn list(world: &World, person: &Person, query: &str) -> (Vec<String>, i64) {
    let seen = world.get(person, &format!("/api/users{query}")).await;
    assert_eq!(seen.status, 200, "{seen:?}");
    (names(&seen), seen.json()["total"].as_i64().expect("a total"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn check_18_everybody_sees_who_is_theirs_to_see() {
    let world = World::start().await;
    assert_eq!(list(&world, &ADMIN, "").await.1, 16, "the school");
    assert_eq!(list(&world, &ADMIN, "?role=teacher").await.0, ["Docente Dos", "Docente Tres", "Docente Uno"]);
    assert_eq!(list(&world, &OTHER_ADMIN, "").await.1, 4);
    assert_eq!(list(&world, &STUDENT, "").await.0, ["Estudiante Uno"]);
    assert_eq!(list(&world, &PARENT, "").await.0, ["Acudiente Uno", "Estudiante Uno"]);
    assert_eq!(list(&world, &PARENT, "?role=student").await.0, ["Estudiante Uno"]);
    let (taught, total) = list(&world, &TEACHER, "?role=student").await;
    assert_eq!(
        (taught, total),
        (["Cuatro", "Dos", "Tres", "Uno"].map(|name| format!("Estudiante {name}")).to_vec(), 4)
    );
    // Addresses are the person's and the school's.
    let seen = world.get(&TEACHER, "/api/users").await.json();
    for item in seen["items"].as_array().expect("items") {
        assert_eq!(item["email"].is_string(), item["id"] == TEACHER.id.to_string(), "{item}");
    }
    // A role that a token only claims opens nothing that is looked up, and the school's own list by the claim alone.
    let pretender = Person { role: kernel::AppRole::Teacher, ..STUDENT };
    assert_eq!(list(&world, &pretender, "").await.0, ["Estudiante Uno"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn check_18_no_filter_search_or_export_leads_into_another_school() {
    let world = World::start().await;
    let own = world.get(&ADMIN, "/api/users?limit=100").await.json();
    let ids: Vec<_> = own["items"].as_array().expect("rows").iter().map(|user| user["id"].clone()).collect();
    assert!(ids.len() > 10, "{own}");
    let school = format!("&organizationId={}", ADMIN.school);
    for path in ["/api/users/export?a=b", "/api/users/search?q=docente", "/api/users?limit=100&role=teacher"] {
        let theirs = world.get(&OTHER_ADMIN, &format!("{path}{school}")).await;
        assert_eq!(theirs.status, 200, "{theirs:?}");
        assert!(theirs.text.contains(&OTHER_ADMIN.school.to_string()), "{path}: they have people of their own");
        assert!(!theirs.text.contains(&ADMIN.school.to_string()), "{path}");
        assert!(ids.iter().all(|id| !theirs.text.contains(id.as_str().expect("an id"))), "{path}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_by_cursor_and_by_number_hold_everybody_once() {
    let world = World::start().await;
    let whole = list(&world, &ADMIN, "?limit=100").await.0;
    let (mut paged, mut cursor) = (Vec::new(), String::new());
    loop {
        let seen = world.get(&ADMIN, &format!("/api/users?limit=5{cursor}")).await;
        assert_eq!((seen.json()["total"].as_i64(), seen.json()["totalIsExact"].as_bool()), (Some(16), Some(true)));
        paged.extend(names(&seen));
        match seen.json()["next"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(paged, whole);
    let first = world.get(&TEACHER, "/api/users?limit=2").await.json();
    let next = world
        .get(&TEACHER, &format!("/api/users?limit=2&cursor={}", first["next"].as_str().expect("more")))
        .await
        .json();
    assert_eq!((first["total"].as_i64(), next["total"].as_i64()), (Some(5), Some(5)));
    assert_eq!(list(&world, &ADMIN, "?limit=5&page=2").await.0, whole[5..10]);
    assert_eq!(list(&world, &ADMIN, "?limit=5&page=9").await, (Vec::new(), 16), "past the end the total is still told");
    assert_eq!(list(&world, &ADMIN, "?status=inactive").await, (Vec::new(), 0));
    for query in ["?role=janitor", "?status=gone", "?limit=0", "?cursor=x", "?page=0"] {
        let seen = world.get(&ADMIN, &format!("/api/users{query}")).await;
        assert_eq!((seen.status, seen.code().as_str()), (400, "invalid_query"), "{query}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn more_people_than_are_counted_are_said_to_be_more() {
    let world = World::start().await;
    many(&world, 10_050).await;
    let seen = world.get(&ADMIN, "/api/users?role=student&limit=1").await.json();
    assert_eq!((seen["total"].as_i64(), seen["totalIsExact"].as_bool()), (Some(10_000), Some(false)));
    let seen = world.get(&ADMIN, "/api/users?role=teacher&limit=1").await.json();
    assert_eq!((seen["total"].as_i64(), seen["totalIsExact"].as_bool()), (Some(3), Some(true)));
}

/// So many students more, as their triggers would write them.
async fn many(world: &World, count: u32) {
    let sql = format!(
        "INSERT INTO auth.users (id, email, password_hash) SELECT ('00000099-0001-4000-8000-' || lpad(n::text, 12, '0'))::uuid, \
             'alumna' || n || '@escuela.example', 'x' FROM generate_series(1, {count}) n; \
         INSERT INTO users.members (user_id, organization_id, first_name, last_name, email, roles, is_joined) \
         SELECT ('00000099-0001-4000-8000-' || lpad(n::text, 12, '0'))::uuid, '{}', 'Alumna', 'Número ' || n, \
             'alumna' || n || '@escuela.example', '{{student}}', true FROM generate_series(1, {count}) n; ANALYZE users.members",
        ADMIN.school
    );
    world.platform.db.session().await.batch(&sql).await.expect("made");
}

/// Pitfall 11: a comparison that leaks could use no index ahead of the policy.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn under_policy_lists_and_searches_go_by_their_indexes() {
    let world = World::start().await;
    many(&world, 20_000).await;
    let session = world.platform.db.session().await;
    let claims = format!("{{\"sub\":\"{}\",\"org\":\"{}\",\"role\":\"admin\"}}", ADMIN.id, ADMIN.school);
    let school = ADMIN.school;
    for (query, index) in [
        (
            format!(
                "SELECT user_id FROM users.members m WHERE organization_id = '{school}' AND status = 'active' \
                 AND (sort_key, user_id) > ('numero 5', '{}') AND 'student' = ANY (roles) ORDER BY sort_key, user_id LIMIT 20",
                id(1)
            ),
            "members_students_idx",
        ),
        (
            format!(
                "SELECT user_id FROM users.members m WHERE organization_id = '{school}' AND word_3 >= '17' \
                 AND word_3 < '17\u{10FFFF}' AND ' ' || search_text LIKE ALL ('{{}}') ORDER BY word_3, user_id LIMIT 20"
            ),
            "members_word_3_idx",
        ),
    ] {
        let explain = format!(
            "BEGIN; SELECT set_config('request.jwt.claims', '{claims}', true), set_config('role', 'app_user', true); \
             EXPLAIN {query}; ROLLBACK"
        );
        let outcome = session.batch(&explain).await.expect("explained");
        let plan: Vec<String> = outcome.rows().filter_map(|row| row[0].clone()).collect();
        let plan = plan.join("\n");
        // In order, so that the first rows are enough.
        assert!(
            plan.contains(&format!("using {index}")) && !plan.contains("Seq Scan") && !plan.contains("Sort"),
            "{plan}"
        );
        let condition = plan.lines().find(|line| line.contains("Index Cond")).unwrap_or_default();
        assert!(condition.contains("sort_key") || condition.contains("word_3"), "{plan}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_search_finds_words_of_names_and_addresses_without_accents() {
    let world = World::start().await;
    for (person, q, found) in [
        (&ADMIN, "administracion", vec!["Administración Uno"]),
        (&ADMIN, "UNO", vec!["Acudiente Uno", "Administración Uno", "Docente Uno", "Estudiante Uno"]),
        (&ADMIN, "uno est", vec!["Estudiante Uno"]),
        (&ADMIN, "docente2", vec!["Docente Dos"]),
        (&ADMIN, "docente2@escuela.example", vec!["Docente Dos"]),
        (&ADMIN, "colegio", vec![]),
        (&ADMIN, "%", vec![]),
        (&OTHER_ADMIN, "uno", vec!["Acudiente Uno", "Docente Uno", "Estudiante Uno"]),
        (&PARENT, "uno", vec!["Acudiente Uno", "Estudiante Uno"]),
        (&STUDENT, "docente", vec![]),
        (&TEACHER, "est tr", vec!["Estudiante Tres"]),
        (&TEACHER, "estudiante1@escuela.example", vec![]),
    ] {
        let q_encoded = q.replace('%', "%25").replace(' ', "%20").replace('@', "%40");
        let seen = world.get(person, &format!("/api/users/search?q={q_encoded}")).await;
        if q == "%" {
            assert_eq!((seen.status, seen.code().as_str()), (400, "invalid_query"));
            continue;
        }
        assert_eq!((seen.status, names(&seen)), (200, found.iter().map(|name| (*name).to_owned()).collect()), "{q}");
    }
    let some = world.get(&ADMIN, "/api/users/search?q=estudiante&limit=3").await;
    assert_eq!((names(&some).len(), some.json()["totalIsExact"].as_bool()), (3, Some(false)));
    assert_eq!(world.get(&ADMIN, "/api/users/search").await.status, 400);
}
