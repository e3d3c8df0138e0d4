//! What holds on every page: nothing serious for axe, nothing wider than the screen, no error in the console, nothing
//! from elsewhere; and both languages and themes.

use reqwest::Method;
use serde_json::{Value, json};
use time::OffsetDateTime;

use crate::browser::Browser;
use crate::fleets::{PLAN, with_a_fleet};
use crate::walk;
use crate::world::{World, world};

/// axe-core 4.14.1 as published on npm (axe.min.js): Copyright (c) Deque Systems, Inc., Mozilla Public License 2.0.
const AXE: &str = include_str!("axe.min.js");

/// A world with something on every page: applied, pending and failed migrations, a backup that was restored, an audit, samples.
pub async fn lived_in() -> (World, Vec<String>) {
    let world = with_a_fleet(PLAN, &["uno", "dos"]).await;
    // One of its databases is not there.
    let fleet = world.post("/api/fleets/inquilinos/run", json!({ "wait": true })).await.is(200);
    let register = json!({ "environment": "development", "release": "2.4.1", "needs": [] });
    let request = world.request(Method::PUT, "/api/releases/alumnos-service/alumnos-1").json(&register);
    assert!(request.send().await.expect("an answer").status().is_success());
    let to = format!("{}/20260102000000", world.schema);
    world.post("/api/migrations/run", json!({ "to": to, "wait": true })).await.is(200);
    let made = world.post("/api/backup/create", json!({ "wait": true })).await.is(200);
    let id = made["backupId"].as_str().expect("an id");
    let in_place = json!({ "confirm": id, "inPlace": true, "wait": true });
    world.post(&format!("/api/backup/restore/{id}"), in_place).await.is(200);
    for _ in 0..2 {
        world.operations.sample_now().await;
    }
    let failing = format!("migrations/{}/20260103000000_add_nothing.up.sql", world.schema);
    for (path, text) in [
        (failing.clone(), "SELECT 1;\nSELECT 1 / 0;".to_owned()),
        (failing.replace(".up.", ".down."), "SELECT 1;".to_owned()),
    ] {
        std::fs::write(world.project.path().join(path), text).expect("a file");
    }
    let failed = world.post("/api/migrations/run", json!({ "service": "alumnos-service", "wait": true })).await;
    world.operations.sample_now().await;
    world.operations.evaluate_alerts(OffsetDateTime::now_utc()).await.expect("the master database answers");
    let runs = world.get("/api/migrations/runs").await.is(200);
    let run = runs["runs"][0]["migrationId"].as_str().unwrap_or_else(|| panic!("a run: {failed:?}")).to_owned();
    let table = format!("{}.alumno", world.schema);
    let pages = vec![
        "overview".to_owned(),
        "service/alumnos-service".to_owned(),
        "service/alumnos-service?tab=history".to_owned(),
        "service/alumnos-service?tab=schema".to_owned(),
        "plan".to_owned(),
        format!("run/{run}"),
        "rollback".to_owned(),
        "backups".to_owned(),
        "fleets".to_owned(),
        format!("fleet/{}", fleet["runId"].as_str().expect("an id")),
        "releases".to_owned(),
        "database".to_owned(),
        "erd".to_owned(),
        format!("erd?table={table}"),
        "audit".to_owned(),
        "alerts".to_owned(),
        "nowhere".to_owned(),
    ];
    (world, pages)
}

pub async fn arrive(page: &Browser, place: &str) {
    page.run(&format!("location.hash = '#/{place}'")).await;
    page.until("document.querySelector('main h1, main .empty') && !document.querySelector('.bones')").await;
}

/// What axe finds that is serious or worse, in words.
async fn serious(page: &Browser) -> Vec<String> {
    let found = page
        .run_async(
            "axe.run(document, { resultTypes: ['violations'] }).then((r) => done(r.violations \
             .filter((v) => ['serious', 'critical'].includes(v.impact)) \
             .flatMap((v) => v.nodes.map((n) => `${v.id}: ${n.html.slice(0, 160)} ${n.any.map((a) => a.message).join('; ')}`))), \
             (e) => done([String(e)]))",
        )
        .await;
    found.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_page_is_accessible_and_fits() {
    let (world, pages) = lived_in().await;
    walk(&world, async |page| {
        page.run(AXE).await;
        let mut wrong = Vec::new();
        for (theme, width) in
            [("light", 1280), ("dark", 1280), ("dark", 360), ("light", 360), ("light", 1920), ("dark", 2560)]
        {
            page.theme(theme).await;
            page.resize(width, 800).await;
            for place in &pages {
                arrive(page, place).await;
                let over = page
                    .run("return document.documentElement.scrollWidth - document.documentElement.clientWidth")
                    .await;
                if over.as_i64() > Some(0) {
                    wrong.push(format!("{place} at {width}: {over} pixels too wide"));
                }
                // Contrast depends on the theme, the rest on the width; three of the six see all of it.
                if [("light", 1280), ("dark", 1280), ("dark", 360)].contains(&(theme, width)) {
                    wrong
                        .extend(serious(page).await.into_iter().map(|what| format!("{place} {theme} {width}: {what}")));
                }
            }
        }
        // What lies over a page, and the page of those who are not signed in.
        for (theme, width) in [("light", 360), ("dark", 1280)] {
            page.theme(theme).await;
            page.resize(width, 800).await;
            arrive(page, "backups").await;
            page.press(".backup:has(.ok-note) summary", "What it was restored into").await;
            page.see(".restores li", "In place of what is there").await;
            page.press(".backup button", "Restore").await;
            for (way, words) in [
                ("new", "Into a new database"),
                ("in_place", "everything written since"),
                ("tables", "with their schema"),
            ] {
                page.press(&format!("dialog label:has([value={way}])"), "").await;
                page.see("dialog[open]", words).await;
                if way == "tables" {
                    page.fill("#table", "plans.plans, plans.other").await;
                    page.press("dialog button", "Add").await;
                }
                wrong.extend(serious(page).await.into_iter().map(|what| format!("restoring, {way}, {theme}: {what}")));
                let over =
                    page.run("const d = document.querySelector('dialog'); return d.scrollWidth - d.clientWidth").await;
                assert_eq!(over, 0, "the dialog, {way}, {width}");
            }
            page.key("\u{e00c}").await;
            arrive(page, "service/alumnos-service").await;
            page.press(".fold", "").await;
            page.see("[data-record]", "Gates of its run").await;
            wrong.extend(serious(page).await.into_iter().map(|what| format!("a record, {theme}: {what}")));
            arrive(page, "database").await;
            page.run("document.querySelector('.plot').focus()").await;
            page.key("\u{e012}").await;
            wrong.extend(serious(page).await.into_iter().map(|what| format!("a chart, {theme}: {what}")));
        }
        page.resize(360, 800).await;
        page.press(".menu", "").await;
        page.press(".who button", "Sign in").await;
        page.see("h1", "Sign in").await;
        wrong.extend(serious(page).await.into_iter().map(|what| format!("signing in: {what}")));
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_comes_from_elsewhere_and_the_console_is_quiet() {
    let (world, pages) = lived_in().await;
    walk(&world, async |page| {
        page.run("window.said = []; for (const k of ['error', 'warn']) console[k] = (...a) => said.push(a.join(' ')); \
                  addEventListener('error', (e) => said.push(e.message)); addEventListener('unhandledrejection', (e) => said.push(String(e.reason))); \
                  addEventListener('securitypolicyviolation', (e) => said.push(e.violatedDirective + ' ' + e.blockedURI))")
            .await;
        for place in &pages {
            arrive(page, place).await;
        }
        assert_eq!(page.run("return window.said").await, json!([]));
        let entries = "performance.getEntriesByType('resource')";
        let foreign = page.run(&format!("return {entries}.map((e) => e.name).filter((n) => !n.startsWith(location.origin))")).await;
        assert_eq!(foreign, json!([]));
        let bytes = page.run(&format!("return {entries}.filter((e) => e.name.includes('/assets/')).reduce((sum, e) => sum + e.transferSize, 0)")).await;
        let files = page.run(&format!("return {entries}.filter((e) => e.name.includes('/assets/')).length")).await;
        assert!(bytes.as_u64() < Some(120_000) && files.as_u64() > Some(20), "{bytes} bytes in {files} files");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_language_and_the_theme_are_kept() {
    let world = world().await;
    walk(&world, async |page| {
        page.see("h1", "Overview").await;
        assert_eq!(page.run("return document.documentElement.lang").await, "en");
        page.theme("light").await;
        let ground = "getComputedStyle(document.body).backgroundColor";
        let light = page.run(&format!("return {ground}")).await;
        page.press("button[aria-pressed]", "").await;
        page.until(&format!("{ground} !== {light}")).await;
        page.press("button[lang=es]", "ES").await;
        page.go(&format!("http://{}/", world.address)).await;
        page.see("h1", "Vista general").await;
        assert_eq!(page.run("return document.documentElement.lang").await, "es");
        assert_ne!(page.run(&format!("return {ground}")).await, light, "still dark");
        // A problem's own words come in that language too.
        page.run("location.hash = '#/service/nadie'").await;
        page.see(".trouble", "No existe").await;
    })
    .await;
}

/// Everything that the pointer can do on the way to a run, by keyboard alone.
#[tokio::test(flavor = "multi_thread")]
async fn the_keyboard_is_enough() {
    const TAB: &str = "\u{e004}";
    const ENTER: &str = "\u{e007}";
    let world = world().await;
    walk(&world, async |page| {
        page.see(".matrix td", "pending").await;
        page.key(TAB).await;
        page.until("document.activeElement.className === 'skip'").await;
        page.run("document.querySelector('nav a[href=\"#/plan\"]').focus()").await;
        page.key(ENTER).await;
        page.until("document.activeElement.tagName === 'H1' && document.activeElement.textContent.includes('Plan')")
            .await;
        page.see("button.primary", "Apply 3").await;
        page.run("document.querySelector('button.primary').focus()").await;
        page.key(ENTER).await;
        page.until("document.querySelector('dialog[open]')?.contains(document.activeElement)").await;
        page.key("\u{e00c}").await;
        page.until("!document.querySelector('dialog[open]')").await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn on_a_projector_the_text_grows() {
    let world = world().await;
    walk(&world, async |page| {
        page.see(".matrix td", "pending").await;
        let mut sizes = Vec::new();
        for width in [1280, 1920, 2560] {
            page.resize(width, width * 9 / 16).await;
            let size = page.run("return parseFloat(getComputedStyle(document.documentElement).fontSize)").await;
            sizes.push(size.as_f64().expect("a size"));
            // What is shown fills the screen beside the navigation.
            let unused =
                page.run("return innerWidth - document.querySelector('main').getBoundingClientRect().right").await;
            assert!(unused.as_f64() < Some(f64::from(width) / 20.0), "{unused} of {width} pixels are empty");
        }
        assert!(sizes.windows(2).all(|pair| pair[0] < pair[1]), "{sizes:?}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_page_has_a_title_and_takes_the_focus_and_escape_closes_the_menu() {
    let world = world().await;
    walk(&world, async |page| {
        page.see(".matrix td", "pending").await;
        for (place, title) in [
            ("nowhere", "There is no such page · Profe"),
            ("audit", "Audit · Profe"),
            ("service/alumnos-service", "alumnos-service · Profe"),
            ("nada/mas", "There is no such page · Profe"),
        ] {
            page.run(&format!("location.hash = '#/{place}'")).await;
            page.until(&format!("document.title === {} && document.activeElement.tagName === 'H1'", json!(title)))
                .await;
        }
        page.resize(360, 800).await;
        page.press(".menu", "").await;
        page.until("document.querySelector('nav.open')").await;
        page.run("document.querySelector('nav a').focus()").await;
        page.key("\u{e00c}").await;
        page.until("!document.querySelector('nav.open') && document.activeElement.classList.contains('menu')").await;
    })
    .await;
}

/// It tries again on its own, less and less often, and the page is there when the service is.
#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_reaches_nobody_tries_again_by_itself() {
    let world = world().await;
    walk(&world, async |page| {
        page.see(".matrix td", "pending").await;
        page.unreachable(&["*/api/*"]).await;
        page.run("location.hash = '#/audit'").await;
        page.see(".trouble", "The service cannot be reached").await;
        page.see(".trouble .again", "Trying again in").await;
        page.until("Number(document.querySelector('.again')?.dataset.attempt) >= 3").await;
        page.unreachable(&[]).await;
        page.see("h2", "Changes of the schema").await;
        page.until("!document.querySelector('.trouble')").await;
    })
    .await;
}
