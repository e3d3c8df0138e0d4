//! The diagram: found, selected, walked along its references, saved.

use serde_json::json;

use crate::walk;
use crate::world::world;

#[tokio::test(flavor = "multi_thread")]
async fn a_table_is_found_and_its_references_are_followed() {
    let world = world().await;
    world.post("/api/migrations/run", json!({ "wait": true })).await.is(200);
    walk(&world, async |page| {
        page.press("nav a", "ERD").await;
        page.until("document.querySelectorAll('.erd-table').length === 2").await;
        assert_eq!(page.run("return document.querySelectorAll('.erd-edge').length").await, 1);
        page.fill("input[name=search]", "matri").await;
        page.see(".erd-list", "1 table").await;
        page.press(".erd-list button", "matricula").await;
        page.see(".erd-details h2", ".matricula").await;
        page.see(".erd-details", "PRIMARY KEY (id)").await;
        page.see(".erd-details", "CREATE UNIQUE INDEX").await;
        page.until("document.querySelector('.erd-table.selected').dataset.table.endsWith('.matricula')").await;
        page.press(".erd-details .columns button", ".alumno").await;
        page.see(".erd-details h2", ".alumno").await;
        page.see(".erd-details", "Referenced by").await;
        page.press(".erd-details .columns button", ".matricula").await;
        page.see(".erd-details h2", ".matricula").await;

        let before = page.run("return document.querySelector('.erd > g').getAttribute('transform')").await;
        page.run("document.querySelector('.erd').focus()").await;
        page.key("+").await;
        let script = "return document.querySelector('.erd > g').getAttribute('transform')";
        assert_ne!(page.run(script).await, before, "the plus key enlarges");
        page.press(".chip", "alumnos").await;
        page.until("document.querySelectorAll('.erd-table').length === 1").await;
        page.press(".chip", "alumnos").await;

        // Where a file would be saved, its content is kept here.
        page.run(
            "window.saved = []; URL.createObjectURL = (blob) => { window.saved.push(blob); return 'blob:none' }; \
             HTMLAnchorElement.prototype.click = function () { window.savedAs = this.download }",
        )
        .await;
        page.press("button", "SVG").await;
        page.until("window.savedAs === 'erd.svg'").await;
        let svg = page.run_async("window.saved[0].text().then(done)").await;
        let svg = svg.as_str().expect("text");
        assert!(svg.starts_with("<svg") && svg.contains("matricula") && !svg.contains("class="), "{svg}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_diagram_is_saved_as_an_image() {
    let world = world().await;
    world.post("/api/migrations/run", json!({ "wait": true })).await.is(200);
    walk(&world, async |page| {
        page.press("nav a", "ERD").await;
        page.until("document.querySelectorAll('.erd-table').length === 2").await;
        page.run(
            "const make = URL.createObjectURL; URL.createObjectURL = (blob) => { window.kind = blob.type; return make.call(URL, blob) }; \
             HTMLAnchorElement.prototype.click = function () { window.savedAs = this.download }",
        )
        .await;
        page.press("button", "PNG").await;
        page.until("window.savedAs === 'erd.png' && window.kind === 'image/png'").await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_is_gone_to_and_opened_by_keyboard() {
    let [tab, enter, escape] = ["\u{e004}", "\u{e007}", "\u{e00c}"];
    let world = world().await;
    world.post("/api/migrations/run", json!({ "wait": true })).await.is(200);
    walk(&world, async |page| {
        page.press("nav a", "ERD").await;
        page.until("document.querySelectorAll('.erd-table').length === 2").await;
        page.run("document.querySelector('.erd').focus()").await;
        page.key(tab).await;
        let first = page.run("return document.activeElement.closest('[data-table]')?.dataset.table").await;
        let beside = "document.activeElement.closest('[data-table]')?.dataset.table";
        // One of the four directions has the other table.
        for arrow in ["\u{e012}", "\u{e013}", "\u{e014}", "\u{e015}"] {
            if page.run(&format!("return {beside}")).await == first {
                page.key(arrow).await;
            }
        }
        let second = page.run(&format!("return {beside}")).await;
        assert!(second.is_string() && second != first, "{first} {second}");
        page.key(enter).await;
        page.until(&format!(
            "document.activeElement.id === 'table-name' && document.activeElement.textContent === {second}"
        ))
        .await;
        page.key(escape).await;
        page.until(&format!("!document.querySelector('.erd-details') && {beside} === {second}")).await;
        page.fill("input[name=search]", "matri").await;
        page.key(enter).await;
        page.until(
            "document.activeElement.id === 'table-name' && document.activeElement.textContent.endsWith('.matricula')",
        )
        .await;
    })
    .await;
}
