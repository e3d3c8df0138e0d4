//! Backups: made, verified, restored into a new database, in place and table by table, deleted.

use serde_json::json;

use crate::browser::Browser;
use crate::walk;
use crate::world::{World, admin, world};

#[tokio::test(flavor = "multi_thread")]
async fn backed_up_verified_and_restored() {
    let world = world().await;
    world.post("/api/migrations/run", json!({ "wait": true })).await.is(200);
    world.post("/api/seeds/run", json!({ "wait": true })).await.is(200);
    let into = format!("vuelta{}", world.suffix());
    walk(&world, async |page| {
        page.see(".attention li", "There is no verified backup").await;
        page.press("nav a", "Backups").await;
        page.see(".empty", "There are no backups of development").await;
        page.choose("select[name=service]", "alumnos-service").await;
        page.fill("input[name=description]", "before the exam").await;
        page.press("form button.primary", "Create backup").await;
        page.see(".backup", "Ready").await;
        page.see(".backup", "before the exam").await;
        page.press(".backup button", "Verify").await;
        page.see(".backup .state", "Verified").await;

        page.press(".backup button", "Restore").await;
        page.fill("dialog input[name=into]", &into).await;
        page.fill("dialog input[name=confirm]", "something else").await;
        assert_eq!(page.run("return document.querySelector('dialog button.danger').disabled").await, true);
        let id = page.run("return document.querySelector('.backup').dataset.backup").await;
        page.fill("dialog input[name=confirm]", id.as_str().expect("an id")).await;
        page.press("dialog button.danger", "Restore").await;
        page.see(".backup .ok-note", &into).await;
        page.press(".backup summary", "What it was restored into").await;
        page.see(".restores li", &into).await;

        page.press(".backup button", "Delete").await;
        page.fill("dialog input[name=confirm]", id.as_str().expect("an id")).await;
        page.press("dialog button.danger", "Delete").await;
        page.see(".empty", "There are no backups").await;
    })
    .await;
    let count = admin(&into).await.batch(&format!("SELECT count(*) FROM {}.alumno", world.schema)).await;
    assert_eq!(count.expect("a table").value(0, 0), Some("3"));
}

const TAB: &str = "\u{e004}";
const ENTER: &str = "\u{e007}";
const ESCAPE: &str = "\u{e00c}";
const DOWN: &str = "\u{e015}";

async fn backed_up(world: &World) -> String {
    world.post("/api/migrations/run", json!({ "wait": true })).await.is(200);
    world.post("/api/seeds/run", json!({ "wait": true })).await.is(200);
    let made = world.post("/api/backup/create", json!({ "wait": true })).await.is(200);
    made["backupId"].as_str().expect("an id").to_owned()
}

/// Opens the dialog as the keyboard does, and goes to one of its ways.
async fn ask_to_restore(page: &Browser, id: &str, way: usize) {
    let button =
        format!("[...document.querySelectorAll('#backup-{id} button')].find((b) => b.textContent.includes('Restore'))");
    page.until(&button).await;
    page.run(&format!("{button}.focus()")).await;
    page.key(ENTER).await;
    page.until("document.querySelector('dialog[open]')?.contains(document.activeElement)").await;
    for _ in 0..20 {
        if page.run("return document.activeElement.name").await == "way" {
            break;
        }
        page.key(TAB).await;
    }
    for _ in 0..way {
        page.key(DOWN).await;
    }
}

/// Goes on with the tabulator key until an expression of the page is true.
async fn tab_to(page: &Browser, expression: &str) {
    for _ in 0..20 {
        if page.run(&format!("return Boolean({expression})")).await == true {
            return;
        }
        page.key(TAB).await;
    }
    panic!("the keyboard does not come to {expression}");
}

async fn confirm(page: &Browser, id: &str) {
    tab_to(page, "document.activeElement.name === 'confirm'").await;
    assert_eq!(page.run("return document.querySelector('dialog button.danger').disabled").await, true);
    page.write(id).await;
    page.until("!document.querySelector('dialog button.danger').disabled").await;
    page.key(ENTER).await;
    page.until("!document.querySelector('dialog[open]')").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn restored_in_place_by_keyboard() {
    let world = world().await;
    let id = backed_up(&world).await;
    let session = admin(&format!("dev{}", world.suffix())).await;
    let table = format!("{}.alumno", world.schema);
    session.batch(&format!("UPDATE {table} SET nombre = 'Nadie'")).await.expect("the superuser may");
    walk(&world, async |page| {
        page.press("nav a", "Backups").await;
        ask_to_restore(page, &id, 1).await;
        page.see("dialog .warn-note", "In development, everything written since").await;
        page.see("dialog .warn-note", &world.schema).await;
        page.key(ESCAPE).await;
        page.until("!document.querySelector('dialog[open]')").await;
        page.until("document.activeElement.textContent.includes('Restore')").await;

        ask_to_restore(page, &id, 1).await;
        confirm(page, &id).await;
        page.see(&format!("#backup-{id} .ok-note"), "schemas are what they were").await;
        page.see(&format!("#backup-{id} .ok-note"), "Backup of what was there before").await;
        // The safety backup is another card of the page, and one gets there from here.
        page.see(".backup", "Before the restore in place of").await;
        page.press(&format!("#backup-{id} .ok-note button"), "").await;
        page.until("document.activeElement.textContent.includes('Before the restore in place of')").await;
        page.press(&format!("#backup-{id} summary"), "What it was restored into").await;
        page.see(".restores li", "In place of what is there").await;
    })
    .await;
    let names = session.batch(&format!("SELECT string_agg(nombre, ',' ORDER BY id) FROM {table}")).await;
    assert_eq!(names.expect("a table").value(0, 0), Some("Ana,Luis,Eva"));
}

#[tokio::test(flavor = "multi_thread")]
async fn how_far_a_restore_is_shows_while_it_waits_and_it_can_be_cancelled() {
    let world = world().await;
    let id = backed_up(&world).await;
    let session = admin(&format!("dev{}", world.suffix())).await;
    walk(&world, async |page| {
        page.press("nav a", "Backups").await;
        ask_to_restore(page, &id, 1).await;
        // What somebody holds keeps the backup of what is there waiting.
        let lock = format!("BEGIN; LOCK TABLE {}.alumno IN ACCESS EXCLUSIVE MODE", world.schema);
        session.batch(&lock).await.expect("it may");
        confirm(page, &id).await;
        let card = format!("#backup-{id}");
        page.see(&format!("{card} .stages [aria-current=step]"), "What is there is backed up").await;
        page.see(&format!("{card} .job [role=status]"), "Restoring · What is there is backed up").await;
        page.see(&format!("{card} .job"), "Backup of what was there before").await;
        assert_eq!(page.run(&format!("return document.querySelectorAll('{card} .stages li').length")).await, 5);
        page.press(&format!("{card} button"), "Cancel").await;
        page.see(&format!("{card} .note"), "Restoring: cancelled").await;
        session.batch("ROLLBACK").await.expect("it ends");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn single_tables_are_restored_beside_the_live_ones() {
    let world = world().await;
    let id = backed_up(&world).await;
    let session = admin(&format!("dev{}", world.suffix())).await;
    let table = format!("{}.alumno", world.schema);
    session.batch(&format!("DELETE FROM {table}")).await.expect("the superuser may");
    walk(&world, async |page| {
        page.press("nav a", "Backups").await;
        ask_to_restore(page, &id, 2).await;
        page.until(&format!("document.querySelector('datalist option[value=\"{table}\"]')")).await;
        tab_to(page, "document.activeElement.name === 'table'").await;
        page.write(&table).await;
        page.key(ENTER).await;
        page.see("dialog .picked", &table).await;
        confirm(page, &id).await;
        page.see(&format!("#backup-{id} .ok-note"), "1 table is there beside the live one").await;
        page.see(&format!("#backup-{id} .ok-note"), &format!("{table} →")).await;
        let renamed = page.run(&format!("return document.querySelector('#backup-{id} .ok-note li').textContent")).await;
        let renamed = renamed.as_str().and_then(|text| text.split(" → ").nth(1)).expect("a name").trim().to_owned();
        let rows = session.batch(&format!("SELECT count(*) FROM {renamed}")).await.expect("it is there");
        assert_eq!(rows.value(0, 0), Some("3"));
    })
    .await;
    let rows = session.batch(&format!("SELECT count(*) FROM {table}")).await.expect("a table");
    assert_eq!(rows.value(0, 0), Some("0"), "the live one is not touched");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_others_do_with_backups_shows_by_itself() {
    let world = world().await;
    world.post("/api/migrations/run", json!({ "wait": true })).await.is(200);
    walk(&world, async |page| {
        page.press("nav a", "Backups").await;
        page.see(".empty", "There are no backups of development").await;
        world.post("/api/backup/create", json!({ "description": "from elsewhere", "wait": true })).await.is(200);
        page.see(".backup", "from elsewhere").await;
    })
    .await;
}
