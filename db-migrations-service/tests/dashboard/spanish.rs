//! Spanish pages speak Spanish: what the service says in English has a text by its code, and what stays English is marked.

use serde_json::json;

use crate::browser::Browser;
use crate::everywhere::{arrive, lived_in};
use crate::walk;
use crate::world::admin;

/// Starts the page anew in Spanish.
async fn in_spanish(page: &Browser) {
    page.see("h1", "Overview").await;
    page.press("button[lang=es]", "ES").await;
    page.see("h1", "Vista general").await;
}

/// What somebody reads who knows no English: without code, names, and what is marked as another language.
const READ: &str = "const quoted = '[lang=en], code, pre, q, .mono, svg, option, .who'; \
    const walker = document.createTreeWalker(document.querySelector('.shell'), NodeFilter.SHOW_TEXT); \
    const english = /\\b(the|of|is|are|was|were|and|with|this|from|cannot|there|has|have|which|before)\\b/i; \
    const found = []; \
    while (walker.nextNode()) { \
        const { data, parentElement } = walker.currentNode; \
        if (english.test(data) && !parentElement.closest(quoted)) found.push(data.trim()); \
    } \
    for (const e of document.querySelectorAll('[title], [aria-label]')) { \
        const said = e.title || e.getAttribute('aria-label'); \
        if (english.test(said) && !e.closest(quoted)) found.push(said); \
    } \
    return found";

#[tokio::test(flavor = "multi_thread")]
async fn no_page_carries_english_that_is_not_marked() {
    let (world, pages) = lived_in().await;
    let by_hand = format!("ALTER TABLE {}.alumno ADD COLUMN a_mano int", world.schema);
    admin(&format!("dev{}", world.suffix())).await.batch(&by_hand).await.expect("the superuser may");
    world.post("/api/drift/check", json!({ "environment": "development" })).await.is(200);
    walk(&world, async |page| {
        in_spanish(page).await;
        let mut found = Vec::new();
        for place in pages.iter().map(String::as_str).chain(["plan?env=prodution", "run/nada", "plan?env=staging"]) {
            arrive(page, place).await;
            page.run("document.querySelectorAll('main .fold, main summary').forEach((e) => e.click())").await;
            page.until("!document.querySelector('.bones')").await;
            let english = page.run(READ).await;
            found.extend(english.as_array().expect("a list").iter().map(|text| format!("{place}: {text}")));
        }
        assert!(found.is_empty(), "{}", found.join("\n"));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn alerts_problems_states_and_advice_are_said_in_spanish() {
    let (world, pages) = lived_in().await;
    let open = admin(&format!("dev{}", world.suffix())).await;
    open.batch("BEGIN; SELECT 1").await.expect("it may");
    walk(&world, async |page| {
        in_spanish(page).await;
        page.see(".attention-text", "1 migración ha fallado").await;
        arrive(page, "alerts").await;
        page.see("td", "1 migración de alumnos-service ha fallado en development").await;

        // A problem: what it is and what to do, and the service's own words folded, as English.
        arrive(page, "plan?env=prodution").await;
        page.see(".trouble-title", "No existe ese entorno.").await;
        page.see(".trouble .cure", "Elige uno de los entornos del catálogo.").await;
        page.see(".trouble details:not([open]) [lang=en]", "prodution").await;

        arrive(page, "database").await;
        page.see(".facts", "en reposo con transacción abierta").await;
        page.see(".empty", "Añade pg_stat_statements a shared_preload_libraries").await;
        page.see(".empty details [lang=en]", "restart the server").await;

        // A stream has the browser's language, not the page's: this one is English.
        let run = pages.iter().find(|place| place.starts_with("run/")).expect("a run");
        arrive(page, run).await;
        page.until("/[1-9]/.test(document.querySelector('.events summary')?.textContent)").await;
        page.see(".failure h2", "La migración ha fallado.").await;

        // What PostgreSQL says is quoted.
        arrive(page, "service/alumnos-service").await;
        page.press(".fold", "add nothing").await;
        page.see(".details .trouble-title", "La migración ha fallado.").await;
        page.see(".details q[lang=en]", "division by zero").await;
        page.see(".details .cure", "Corrige el SQL").await;
    })
    .await;
    open.batch("COMMIT").await.expect("it ends");
}
