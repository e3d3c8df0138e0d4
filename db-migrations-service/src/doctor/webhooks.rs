//! The services' webhooks: whether they are configured here and somebody listens there, and what has been owed for long.

use std::collections::BTreeMap;

use postgres_link::AdminConn;

use super::Check;
use crate::operations::Operations;

const AREA: &str = "webhooks";
/// What is owed longer than this has been tried about ten times, or by nobody.
const LONG_MINUTES: i64 = 10;

/// What a service is owed.
struct Owed {
    deliveries: i64,
    /// Since when the oldest is.
    minutes: i64,
    /// What was answered to it last; empty where it was never tried.
    answer: String,
}

pub(super) async fn all(operations: &Operations) -> Vec<Check> {
    let reached = operations.reach_webhooks().await;
    if reached.is_empty() {
        return Vec::new();
    }
    let mut owed = owed(operations).await;
    let mut checks = Vec::new();
    for (service, shown, reached) in reached {
        let late = owed.remove(&service).filter(|owed| owed.minutes >= LONG_MINUTES);
        match (&reached, &late) {
            (Ok(()), None) => checks.push(Check::ok(AREA, format!("{service}: {shown} listens"))),
            (Err(why), _) => checks.push(unreached(&service, &shown, why)),
            (Ok(()), Some(_)) => {}
        }
        checks.extend(late.map(|late| late.told(&service)));
    }
    let unconfigured = owed.into_iter().filter(|(_, owed)| owed.minutes >= LONG_MINUTES);
    checks.extend(unconfigured.map(|(service, owed)| owed.told(&service)));
    checks
}

fn unreached(service: &str, shown: &str, why: &str) -> Check {
    let cure = if shown.is_empty() {
        "set it where the service runs; what is owed waits for it".to_owned()
    } else {
        format!("start {service}, or correct the URL in its [services.{service}.webhooks]; what is owed waits")
    };
    let at = if shown.is_empty() { String::new() } else { format!(" at {shown}") };
    Check::warning(AREA, format!("{service}: its webhook{at} cannot be called: {why}"), cure)
}

impl Owed {
    fn told(&self, service: &str) -> Check {
        let Self { deliveries, minutes, answer } = self;
        let what = if *deliveries == 1 { "1 call".to_owned() } else { format!("{deliveries} calls") };
        let tried = if answer.is_empty() { "nobody has tried".to_owned() } else { format!("the last time {answer}") };
        let cure = "see `profe webhooks list`, and `profe webhooks test` for what it answers now; a copy of the service must run to call it";
        Check::warning(AREA, format!("{service} is owed {what}, the oldest for {minutes} minutes; {tried}"), cure)
    }
}

/// By service. A doctor makes no tables, so that where there are none nothing is owed; who cannot be asked is told of elsewhere.
async fn owed(operations: &Operations) -> BTreeMap<String, Owed> {
    let connect = operations.targets().master().connect.clone().with_application_name("profe doctor");
    match postgres_link::connect(&connect.through_any_pooler()).await {
        Ok(session) => read(&session).await.unwrap_or_default(),
        Err(_) => BTreeMap::new(),
    }
}

async fn read(session: &AdminConn) -> Option<BTreeMap<String, Owed>> {
    let sql = "SELECT service, count(*), (extract(epoch FROM now() - min(created_at)) / 60)::int8, \
                 coalesce((array_agg(answer ORDER BY id))[1], '') \
               FROM migration_service.webhook_delivery WHERE delivered_at IS NULL AND given_up_at IS NULL GROUP BY service";
    let found = session.batch(sql).await.ok()?;
    let rows = found.rows().filter_map(|row| {
        let [service, deliveries, minutes, answer] = row else { return None };
        let number = |cell: &Option<String>| cell.as_deref().and_then(|text| text.parse().ok()).unwrap_or_default();
        let owed = Owed {
            deliveries: number(deliveries),
            minutes: number(minutes),
            answer: answer.clone().unwrap_or_default(),
        };
        Some((service.clone()?, owed))
    });
    Some(rows.collect())
}
