//! Entity tags: what was read is what is changed.

use reqwest::Method;
use serde_json::json;
use testkit::Seen;
use testkit::people::{ADMIN, SCHOOLS};

use crate::world::World;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_meets_the_version_that_was_read_or_nothing() {
    let world = World::start().await;
    let path = format!("/schools/{}", SCHOOLS[0]);
    let put = |tag: &str, name: &str| {
        let request = world.request(Method::PUT, &path, Some(&ADMIN)).json(&json!({ "name": name }));
        Seen::of(if tag.is_empty() { request } else { request.header("if-match", tag) })
    };
    let read = world.get(&path, Some(&ADMIN)).await;
    let tag = read.header("etag").to_owned();
    assert!(tag.starts_with('"') && tag.len() > 2, "{tag}");

    let changed = put(&tag, "Escuela Nueva").await;
    assert_eq!(changed.status, 200);
    assert_ne!(changed.header("etag"), tag);
    let late = put(&tag, "Escuela Vieja").await;
    assert_eq!((late.status, late.code().as_str()), (412, "changed_meanwhile"));
    assert_eq!(world.get(&path, Some(&ADMIN)).await.json()["name"], "Escuela Nueva", "nothing of it was kept");
    assert_eq!(put("*", "Escuela Tercera").await.status, 200);
    assert_eq!(put("", "Escuela Cuarta").await.status, 200, "who says nothing changes what is there");
    let nowhere = format!("/schools/{}", SCHOOLS[1]);
    let request =
        world.request(Method::PUT, &nowhere, Some(&ADMIN)).json(&json!({ "name": "x" })).header("if-match", &tag);
    assert_eq!(Seen::of(request).await.status, 404, "what one may not see has no version");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_has_it_is_not_sent_it_again() {
    let world = World::start().await;
    let path = format!("/schools/{}", SCHOOLS[0]);
    let tag = world.get(&path, Some(&ADMIN)).await.header("etag").to_owned();
    let again = |tag: String| Seen::of(world.request(Method::GET, &path, Some(&ADMIN)).header("if-none-match", tag));
    let same = again(tag.clone()).await;
    assert_eq!((same.status, same.text.as_str(), same.header("etag")), (304, "", tag.as_str()));
    assert_eq!(again(format!("W/\"x\", {tag}")).await.status, 304);
    assert_eq!(again("\"another\"".to_owned()).await.status, 200);
}
