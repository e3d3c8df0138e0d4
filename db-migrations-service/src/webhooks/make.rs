//! What a run means to each service.

use std::collections::BTreeMap;

use migration_engine::Catalogue;
use migration_engine::catalogue::WebhookEvent;
use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::master::webhooks::{EndedRun, NewDelivery};

/// What a run did to one service.
#[derive(Debug, Default)]
struct Share {
    done: Vec<String>,
    failed: bool,
    error: Option<Value>,
}

/// One document for each service and thing that its webhook is told of, in the catalogue's order.
pub(super) fn deliveries(run: &EndedRun, catalogue: &Catalogue) -> Vec<NewDelivery> {
    let mut shares = shares(run, catalogue);
    let done = if run.kind == "rollback" { WebhookEvent::RolledBack } else { WebhookEvent::Applied };
    let mut deliveries = Vec::new();
    for (name, service) in &catalogue.services {
        let (Some(webhooks), Some(share)) = (&service.webhooks, shares.remove(name.as_str())) else { continue };
        let mut tell = |event: WebhookEvent, migrations: &[String], error: Option<&Value>| {
            if webhooks.wants(catalogue.whole_of(&run.environment), event) {
                let body = body(run, name, event, migrations, error);
                deliveries.push(NewDelivery { service: name.clone(), event: event.as_str(), body });
            }
        };
        if !share.done.is_empty() {
            tell(done, &share.done, None);
        }
        if share.failed {
            tell(WebhookEvent::Failed, &[], share.error.as_ref());
        }
    }
    deliveries
}

fn shares<'a>(run: &'a EndedRun, catalogue: &'a Catalogue) -> BTreeMap<&'a str, Share> {
    let mut shares: BTreeMap<&str, Share> = BTreeMap::new();
    for event in &run.events {
        let Some(migration) = event["migration"].as_str() else { continue };
        let schema = migration.split('/').next().unwrap_or_default();
        let Some((service, _)) = catalogue.owner_of(schema) else { continue };
        let share = shares.entry(service).or_default();
        if event["type"] == "migration_finished" {
            share.done.push(migration.to_owned());
        } else {
            share.failed = true;
            share.error = event.get("error").cloned();
        }
    }
    // What came to no end without a migration that failed is still the news of the service that it was for.
    if run.state != "completed"
        && let Some(service) = run.service.as_deref()
    {
        let share = shares.entry(service).or_default();
        share.failed = true;
        share.error = share.error.take().or_else(|| run.error.clone());
    }
    shares
}

fn body(run: &EndedRun, service: &str, event: WebhookEvent, migrations: &[String], error: Option<&Value>) -> Value {
    let at = run.finished_at.unwrap_or_else(OffsetDateTime::now_utc);
    let mut body = json!({
        "type": event.as_str(),
        "test": false,
        "environment": run.environment,
        "service": service,
        "runId": run.id,
        "actor": run.actor,
        "at": at.format(&Rfc3339).unwrap_or_default(),
    });
    if event == WebhookEvent::Failed {
        let member = |name: &str| error.and_then(|error| error.get(name)).cloned().unwrap_or_default();
        body["state"] = json!(run.state);
        body["migration"] = member("migration");
        body["error"] = json!({ "code": member("code"), "message": member("message"), "cure": member("cure") });
    } else {
        body["migrations"] = json!(migrations);
    }
    body
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    const CATALOGUE: &str = "[project]\nname = \"t\"\n[environments.production]\n\
        [services.auth]\nschemas = [\"auth\"]\nwebhooks = { url = \"http://a.example.org\", secret_variable = \"S\" }\n\
        [services.plans]\nschemas = [\"plans\"]\n\
        webhooks = { url = \"http://p.example.org\", secret_variable = \"S\", on = [\"failed\"] }\n\
        [services.chat]\nschemas = [\"chat\"]\n";

    fn told(kind: &str, state: &str, service: Option<&str>, events: &[(&str, &str)]) -> Vec<String> {
        let event = |(what, migration): &(&str, &str)| json!({ "type": format!("migration_{what}"), "migration": migration, "error": { "code": "busy" } });
        let run = EndedRun {
            event_id: 1,
            id: Uuid::nil(),
            kind: kind.to_owned(),
            environment: "production".to_owned(),
            service: service.map(str::to_owned),
            state: state.to_owned(),
            actor: "local".to_owned(),
            finished_at: None,
            error: Some(json!({ "code": "backup_required" })),
            events: events.iter().map(event).collect(),
        };
        let catalogue = Catalogue::parse(CATALOGUE).expect("a good catalogue");
        let told = deliveries(&run, &catalogue);
        told.iter()
            .map(|d| {
                let what = if d.event == "failed" { &d.body["error"]["code"] } else { &d.body["migrations"] };
                format!("{} {} {what}", d.service, d.event)
            })
            .collect()
    }

    #[test]
    fn each_service_is_told_of_its_own() {
        let done = [("finished", "auth/1"), ("finished", "chat/1"), ("finished", "auth/2"), ("finished", "plans/1")];
        assert_eq!(told("run", "completed", None, &done), ["auth applied [\"auth/1\",\"auth/2\"]"]);
        assert_eq!(told("rollback", "completed", None, &done[..1]), ["auth rolled_back [\"auth/1\"]"]);
        let broke = [("finished", "auth/1"), ("failed", "plans/1")];
        assert_eq!(told("run", "failed", None, &broke), ["auth applied [\"auth/1\"]", "plans failed \"busy\""]);
    }

    #[test]
    fn a_run_of_one_service_that_came_to_nothing_is_its_news() {
        assert_eq!(told("run", "failed", Some("plans"), &[]), ["plans failed \"backup_required\""]);
        assert_eq!(told("run", "interrupted", Some("auth"), &[("finished", "auth/1")]).len(), 2);
        assert_eq!(told("run", "failed", None, &[]), Vec::<String>::new());
        assert_eq!(told("run", "completed", Some("auth"), &[]), Vec::<String>::new(), "there was nothing to do");
    }
}
