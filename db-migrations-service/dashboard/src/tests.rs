use std::collections::{BTreeMap, BTreeSet};

use axum::body::Body;
use http::Request;
use http_body_util::BodyExt as _;
use tower::ServiceExt as _;

use super::*;

/// All that a browser fetches for all pages together, compressed; issue 5 allows 300 kB.
const MOST_BYTES: usize = 110_000;

fn text(path: &str) -> &'static str {
    std::str::from_utf8(find(path).unwrap_or_else(|| panic!("{path} is embedded")).plain).expect("text")
}

fn modules() -> impl Iterator<Item = (&'static str, &'static str)> {
    let own = |file: &&File| file.path.rsplit('.').next() == Some("js") && !file.path.starts_with("vendor/");
    FILES.iter().filter(own).map(|file| (file.path, text(file.path)))
}

/// A dictionary: one JSON object after `export default`.
fn words(language: &str) -> BTreeMap<String, String> {
    let path = format!("i18n/{language}.js");
    let body = text(&path).split_once("export default ").expect("an export").1.trim().trim_end_matches(';');
    serde_json::from_str(body).unwrap_or_else(|error| panic!("{path}: {error}"))
}

async fn ask(path: &str, headers: &[(&str, &str)]) -> (StatusCode, HeaderMap, Vec<u8>) {
    let mut request = Request::get(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(Body::empty()).expect("a request");
    let response = routes::<()>().with_state(()).oneshot(request).await.expect("it answers");
    let (status, headers) = (response.status(), response.headers().clone());
    (status, headers, response.into_body().collect().await.expect("a body").to_bytes().to_vec())
}

#[tokio::test]
async fn the_page_is_asked_for_each_time_and_sent_once() {
    let (status, headers, body) = ask("/", &[]).await;
    assert_eq!(
        (status, &headers[CACHE_CONTROL], &headers[CONTENT_TYPE]),
        (StatusCode::OK, &"no-cache".parse().expect("a value"), &"text/html; charset=utf-8".parse().expect("a value"))
    );
    let page = String::from_utf8(body).expect("text");
    assert!(page.contains(&format!("assets/{VERSION}/app.js")) && !page.contains("{version}"), "{page}");
    let policy = headers["content-security-policy"].to_str().expect("text");
    assert!(!policy.contains("unsafe") && !policy.contains("http"), "{policy}");
    let tag = headers[ETAG].to_str().expect("text");
    for sent in [tag.to_owned(), format!("\"x\", W/{tag}")] {
        let (status, _, body) = ask("/", &[("if-none-match", &sent)]).await;
        assert_eq!((status, body.len()), (StatusCode::NOT_MODIFIED, 0));
    }
    assert_eq!(ask("/", &[("if-none-match", "\"x\"")]).await.0, StatusCode::OK);
}

#[tokio::test]
async fn files_are_kept_for_ever_and_are_of_one_version() {
    let path = format!("/assets/{VERSION}/app.js");
    let (status, headers, plain) = ask(&path, &[]).await;
    assert_eq!(status, StatusCode::OK);
    assert!(
        headers[CACHE_CONTROL].to_str().expect("text").contains("immutable") && !headers.contains_key(CONTENT_ENCODING)
    );
    assert_eq!(plain, text("app.js").as_bytes());
    let (_, headers, packed) = ask(&path, &[("accept-encoding", "br, gzip;q=0.8")]).await;
    assert!(headers[CONTENT_ENCODING] == "gzip" && packed.starts_with(&[0x1f, 0x8b]) && packed.len() < plain.len());
    assert!(!ask(&path, &[("accept-encoding", "gzip;q=0")]).await.1.contains_key(CONTENT_ENCODING));
    for missing in
        ["/assets/0/app.js".to_owned(), format!("/assets/{VERSION}/../Cargo.toml"), format!("/assets/{VERSION}/no.js")]
    {
        assert_eq!(ask(&missing, &[]).await.0, StatusCode::NOT_FOUND, "{missing}");
    }
}

#[test]
fn all_of_it_is_small() {
    // Of the dictionaries one is fetched.
    let other = ["i18n/es.js", "i18n/en.js"].map(|path| find(path).expect("a dictionary").packed.len());
    let all: usize = FILES.iter().map(|file| file.packed.len()).sum();
    let fetched = all - other.into_iter().min().unwrap_or_default();
    assert!(fetched < MOST_BYTES, "{fetched} bytes compressed");
}

#[test]
fn nothing_comes_from_elsewhere_and_nothing_is_inline() {
    for file in FILES {
        let text = text(file.path).replace("http://www.w3.org/", "");
        assert!(!text.contains("http://") && !text.contains("https://"), "{} names another place", file.path);
    }
    let page = text(PAGE);
    assert!(!page.contains("<style") && !page.contains(" style=") && !page.contains(" on"), "{page}");
    assert_eq!(page.matches("<script").count(), page.matches("<script src=").count() + 1, "scripts are files: {page}");
    for (path, module) in modules() {
        assert!(!module.contains("innerHTML") && !module.contains("dangerouslySet"), "{path} makes markup out of text");
    }
}

#[test]
fn what_the_page_names_is_there() {
    for name in text(PAGE).split(&format!("assets/{VERSION}/")).skip(1).filter_map(|rest| rest.split('"').next()) {
        assert!(find(name).is_some(), "index.html names {name}");
    }
    for (path, module) in modules() {
        let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
        for name in module.split("from '").skip(1).filter_map(|rest| rest.split('\'').next()) {
            let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
            for part in name.split('/') {
                match part {
                    "." => {}
                    ".." => drop(parts.pop()),
                    part => parts.push(part),
                }
            }
            assert!(find(&parts.join("/")).is_some(), "{path} imports {name}");
        }
    }
}

#[test]
fn both_languages_say_the_same_things() {
    let (spanish, english) = (words("es"), words("en"));
    let keys = |words: &BTreeMap<String, String>| words.keys().cloned().collect::<BTreeSet<_>>();
    assert_eq!(keys(&spanish), keys(&english));
    for (key, text) in &spanish {
        let values = |text: &str| {
            text.split('{')
                .skip(1)
                .filter_map(|rest| rest.split('}').next())
                .map(str::to_owned)
                .collect::<BTreeSet<_>>()
        };
        assert_eq!(values(text), values(&english[key]), "{key}");
        assert!(!text.is_empty() && !english[key].is_empty(), "{key} says nothing");
    }
}

/// The texts that pages ask for by a key that stands there as it is.
#[test]
fn every_text_that_is_asked_for_is_there() {
    let words = words("es");
    let mut asked = 0;
    for (path, module) in modules() {
        for (call, ends) in [("t('", &[""][..]), ("tn('", &[".one", ".other"])] {
            for (at, _) in module.match_indices(call) {
                if module[..at].chars().next_back().is_some_and(|c| c.is_alphanumeric() || c == '_' || c == '.') {
                    continue;
                }
                let Some((key, _)) = module[at + call.len()..].split_once('\'') else { continue };
                for end in ends {
                    assert!(words.contains_key(&format!("{key}{end}")), "{path} asks for {key}{end}");
                    asked += 1;
                }
            }
        }
    }
    assert!(asked > 100, "the search finds only {asked}");
}
