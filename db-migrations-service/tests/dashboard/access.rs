//! Signing in, and what a token does not allow.

use serde_json::json;

use crate::walk;
use crate::world::{Setup, world_with};

#[tokio::test(flavor = "multi_thread")]
async fn a_scope_that_is_too_small_is_said_and_holds() {
    let strict = Setup { variables: vec![("MIGRATION_SERVICE_AUTH", "required".to_owned())], ..Setup::default() };
    let world = world_with(strict).await;
    let token = world.token(&["read"], &[]).await;
    walk(&world, async |page| {
        page.see("h1", "Sign in").await;
        page.fill("input[name=token]", "profe_wrong").await;
        page.press("form button.primary", "Sign in").await;
        page.see(".trouble", "The token is not valid").await;
        page.fill("input[name=token]", &token).await;
        page.press("form button.primary", "Sign in").await;
        page.see("h1", "Overview").await;
        page.see(".who", "read").await;
        assert_eq!(page.run("return document.cookie").await, "", "no script can read it");

        page.press("nav a", "Plan & run").await;
        page.see("[data-scope=migrate]", "This needs the scope “migrate”").await;
        let apply = "[...document.querySelectorAll('button')].find((b) => b.textContent.includes('Apply 3'))";
        page.until(&format!("{apply}?.disabled")).await;
        let title = page.run(&format!("return {apply}.title")).await;
        assert_eq!(title, "The token lacks the scope migrate");
        // Whoever goes around the page meets the service.
        let answer = page
            .run_async(
                "fetch('api/migrations/run', { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: '{}' }) \
                 .then((r) => r.json()).then((p) => done([p.code, p.scope]))",
            )
            .await;
        assert_eq!(answer, json!(["insufficient_scope", "migrate"]));
        page.press("nav a", "Backups").await;
        page.see("[data-scope=backup]", "backup").await;
        page.press(".who button", "Sign out").await;
        page.see("h1", "Sign in").await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn on_loopback_nobody_has_to_sign_in_but_may() {
    let world = world_with(Setup::default()).await;
    let token = world.token(&["read", "migrate"], &["alumnos-service"]).await;
    walk(&world, async |page| {
        page.see(".who", "local operator").await;
        page.press(".who button", "Sign in").await;
        page.fill("input[name=token]", &token).await;
        page.press("form button.primary", "Sign in").await;
        page.see(".matrix", "alumnos-service").await;
        let others = page.run("return document.querySelector('.matrix').textContent.includes('cursos-service')").await;
        assert_eq!(others, false, "the token is for one service");
        page.press(".who button", "Sign out").await;
        page.see(".who", "local operator").await;
        page.see(".matrix", "cursos-service").await;
    })
    .await;
}

/// All services together are refused to it, so that is not what it is shown first.
#[tokio::test(flavor = "multi_thread")]
async fn a_token_of_one_service_begins_with_that_service() {
    let strict = Setup { variables: vec![("MIGRATION_SERVICE_AUTH", "required".to_owned())], ..Setup::default() };
    let world = world_with(strict).await;
    let token = world.token(&["read", "migrate", "rollback", "backup"], &["alumnos-service"]).await;
    walk(&world, async |page| {
        page.fill("input[name=token]", &token).await;
        page.press("form button.primary", "Sign in").await;
        // The field that had the focus is gone.
        page.until("document.activeElement.tagName === 'H1' && document.activeElement.textContent === 'Overview'")
            .await;
        page.press("nav a", "Plan & run").await;
        page.see("button.primary", "Apply 2 migrations").await;
        let options = "[...document.querySelectorAll('#service option')].map((e) => e.value)";
        for other in ["Rollback", "Audit"] {
            assert_eq!(page.run(&format!("return {options}")).await, json!(["alumnos-service"]));
            page.press("nav a", other).await;
            page.see("h1", other).await;
            page.until("document.querySelector('#service') && !document.querySelector('.bones')").await;
            assert_eq!(page.run("return document.querySelectorAll('.trouble').length").await, 0, "{other}");
        }
        page.press("nav a", "Backups").await;
        page.until("document.querySelector('select[name=service]')?.value === 'alumnos-service'").await;
    })
    .await;
}
