//! Files of people, in and out.

use http::Method;
use serde_json::json;
use testkit::people::{ADMIN, OTHER_ADMIN, OTHER_STUDENT};

use crate::world::{World, id};

const HEADER: &str = "sourcedId,enabledUser,givenName,familyName,email,role\r\n";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_is_tried_taken_and_taken_again_without_doubles() {
    let world = World::start().await;
    let file = format!(
        "{HEADER}s-1,true,Ana,Gil,ana@escuela.example,student\r\ns-2,false,Eva,Gil,eva@escuela.example,\"teacher,parent\"\r\n"
    );
    let report = |rows: u32, created: u32, updated: u32, dry_run: bool| json!({ "dryRun": dry_run, "rows": rows, "created": created, "updated": updated });
    let before = world.value("SELECT count(*) FROM auth.users").await;
    let tried = world.import(&ADMIN, "?dryRun=true", &file).await;
    assert_eq!((tried.status, tried.json()), (200, report(2, 2, 0, true)), "{tried:?}");
    assert_eq!(world.value("SELECT count(*) FROM auth.users").await, before, "nothing of it was kept");
    assert_eq!(world.import(&ADMIN, "", &file).await.json(), report(2, 2, 0, false));
    let eva = world.get(&ADMIN, "/api/users/search?q=eva").await.json();
    assert_eq!(
        (&eva["items"][0]["roles"], &eva["items"][0]["status"]),
        (&json!(["parent", "teacher"]), &json!("inactive")),
        "{eva}"
    );
    let renamed = file.replace("Ana,Gil", "Ana María,Gil").replace("s-2,false", "s-2,true");
    assert_eq!(world.import(&ADMIN, "", &renamed).await.json(), report(2, 0, 2, false));
    assert_eq!(world.get(&ADMIN, "/api/users/search?q=ana%20mar").await.json()["total"], 1);
    // By the address, where the file has no number.
    let by_address = "givenName,familyName,email\nAna,Gil,ANA@escuela.example\n";
    assert_eq!(world.import(&ADMIN, "?role=student", by_address).await.json(), report(1, 0, 1, false));
    assert_eq!(
        world.value("SELECT count(*) FROM users.members WHERE letter_due_at IS NOT NULL").await,
        "0",
        "nobody was written to"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_with_mistakes_is_refused_whole_and_each_is_named() {
    let world = World::start().await;
    let before = world.value("SELECT count(*) FROM auth.users").await;
    let file = format!(
        "{HEADER}s-1,,Ana,Gil,ana@escuela.example,student\r\ns-2,,,Gil,nobody,janitor\r\n\r\ns-3,x,Eva,Gil,eva@escuela.example,parent\r\n"
    );
    let seen = world.import(&ADMIN, "", &file).await;
    let mistakes: Vec<_> = seen.json()["mistakes"]
        .as_array()
        .expect("mistakes")
        .iter()
        .map(|mistake| (mistake["line"].as_u64(), mistake["column"].as_str().map(str::to_owned)))
        .collect();
    assert_eq!((seen.status, seen.code().as_str()), (422, "roster_refused"));
    assert_eq!(mistakes, [(Some(3), Some("email".to_owned())), (Some(5), Some("enabledUser".to_owned()))]);
    // What only the school's data can tell is named the same way.
    world.import(&ADMIN, "", &format!("{HEADER}s-9,,Ana,Gil,ana@escuela.example,student\r\n")).await;
    world.ask(&ADMIN, Method::DELETE, &format!("/api/users/{}", id(22)), None).await;
    let file = format!(
        "{HEADER}s-1,,Uno,Gil,uno@escuela.example,student\r\ns-9,,Ana,Gil,otra@escuela.example,student\r\n,,Dos,Gil,estudiante2@escuela.example,student\r\n"
    );
    let seen = world.import(&ADMIN, "", &file).await;
    let lines: Vec<_> =
        seen.json()["mistakes"].as_array().expect("mistakes").iter().map(|mistake| mistake["line"].as_u64()).collect();
    assert_eq!((seen.status, lines), (422, vec![Some(3), Some(4)]), "{seen:?}");
    assert_eq!(world.value("SELECT count(*) FROM auth.users WHERE email LIKE 'uno@%'").await, "0");
    for (file, status, code) in
        [("", 422, "roster_refused"), ("a,b\n", 422, "roster_refused"), ("givenName,\"", 422, "roster_refused")]
    {
        let seen = world.import(&ADMIN, "?role=student", file).await;
        assert_eq!((seen.status, seen.code().as_str()), (status, code), "{file:?}");
    }
    let large = format!("{HEADER}{}", "x,,A,B,a@b.example,student\r\n".repeat(700_000));
    let seen = world.import(&ADMIN, "", &large).await;
    assert!([413, 422].contains(&seen.status), "{seen:?}");
    let typed = world.post(&ADMIN, "/api/users/import", json!({})).await;
    assert_eq!(typed.status, 415);
    let after = world.value("SELECT count(*) FROM auth.users").await.parse::<u32>().ok();
    assert_eq!(after, before.parse::<u32>().ok().map(|count| count + 1), "Ana");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn check_38_an_export_holds_no_formula_and_can_be_imported_again() {
    let world = World::start().await;
    let new = |first: &str, email: &str| json!({ "email": email, "firstName": first, "lastName": "Gil, \"la\"", "role": "student", "sourceId": "+7" });
    assert_eq!(
        world
            .post(&ADMIN, "/api/users", new("=HYPERLINK(\"http://malo.example\")", "-ana@escuela.example"))
            .await
            .status,
        201
    );
    let seen = world.get(&ADMIN, "/api/users/export").await;
    assert_eq!((seen.status, seen.header("cache-control")), (200, "no-store"));
    assert!(
        seen.header("content-type").starts_with("text/csv") && seen.header("content-disposition").contains("users.csv")
    );
    let line = seen.text.lines().find(|line| line.contains("HYPERLINK")).expect("the row");
    assert!(
        line.starts_with("\"'+7\",")
            && line.contains("\"'=HYPERLINK(\"\"http://malo.example\"\")\"")
            && line.contains("\"'-ana@escuela.example\""),
        "{line}"
    );
    assert_eq!(seen.text.lines().count(), 1 + 17, "all of the school");
    assert!(!seen.text.contains("colegio"), "and nobody else");
    let again = world.import(&ADMIN, "", &seen.text).await;
    assert_eq!(
        (again.status, &again.json()["updated"], &again.json()["created"]),
        (200, &json!(17), &json!(0)),
        "{again:?}"
    );
    assert_eq!(world.get(&ADMIN, "/api/users/export").await.text, seen.text);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_claims_nobody_of_another_school() {
    let world = World::start().await;
    let file = format!("{HEADER}s-1,true,Robado,Gil,{},student\r\n", OTHER_STUDENT.email);
    assert_eq!(world.import(&ADMIN, "", &file).await.json()["created"], 1);
    let path = format!("/api/users/{}", OTHER_STUDENT.id);
    let there = world.get(&OTHER_ADMIN, &path).await.json();
    assert_eq!((&there["firstName"], &there["status"]), (&json!("Estudiante"), &json!("active")));
    assert_eq!(world.get(&ADMIN, &path).await.json()["status"], "invited");
    assert_eq!(
        world.value(&format!("SELECT count(*) FROM users.user_roles WHERE user_id = '{}'", OTHER_STUDENT.id)).await,
        "1"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn more_people_than_are_read_at_once_are_imported_and_exported() {
    let world = World::start().await;
    let row = |n: u32| format!("n-{n},,Alumna,Número {n},alumna{n}@escuela.example,student\r\n");
    let rows = (0..1_203).map(row).collect::<Vec<_>>().concat();
    let seen = world.import(&ADMIN, "", &format!("{HEADER}{rows}")).await;
    assert_eq!((seen.status, &seen.json()["created"]), (200, &json!(1_203)), "{seen:?}");
    assert_eq!(world.get(&ADMIN, "/api/users/export").await.text.lines().count(), 1 + 16 + 1_203);
}
