//! The soak itself, from the first start to the verdict.

use std::sync::Arc;
use std::sync::atomic::AtomicI64;
use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::Outcome;
use crate::ask::Asker;
use crate::director::Director;
use crate::journal::Journal;
use crate::ledger::Ledger;
use crate::listener::{Heard, Place, listen};
use crate::plan::Plan;
use crate::saboteur::Saboteur;
use crate::summary::Summary;
use crate::verdict::targets::Baseline;
use crate::verdict::{Finding, backups, events, leftovers, records, targets};
use crate::world::copy::ServiceCopy;
use crate::world::{Extent, World};

/// A copy is ready within this, on a busy machine.
const READY_WITHIN: Duration = Duration::from_mins(1);
/// What was left behind is gone on with after a minute at most, and then takes its time.
const SETTLED_WITHIN: Duration = Duration::from_mins(4);
/// What brings everything forward is tried again for so long: it is told *busy* while something else goes on.
const FORWARD_WITHIN: Duration = Duration::from_mins(4);
const LOOK_EVERY: Duration = Duration::from_millis(500);
const LISTENERS: usize = 3;
/// Three times what a copy needs, debug build and all; a leak passes it.
const MOST_KIB: u64 = 256 * 1024;
/// Sockets and files, likewise.
const MOST_FILES: usize = 400;

/// What is wanted.
pub struct Order {
    /// What everything is drawn from.
    pub seed: u64,
    /// What was drawn.
    pub plan: Plan,
    /// From the first step to the healing.
    pub length: Duration,
    /// How large.
    pub extent: Extent,
}

/// Runs it.
pub async fn run(order: Order, journal: Arc<Journal>) -> Outcome<Summary> {
    let asker = Arc::new(Asker::new()?);
    let ledger = Arc::new(Ledger::default());
    let world = Arc::new(World::start(order.extent, Arc::clone(&journal)).await?);
    let copies: Vec<_> = (0..world.copies.len()).map(|copy| keep(&world, copy)).collect();
    let summary = go_through(&order, &world, &ledger, &asker, copies).await;
    if summary.is_err() {
        // Nobody waits for a copy that is kept.
        world.copies.iter().for_each(|copy| copy.close());
        world.heal()?;
    }
    summary
}

async fn go_through(
    order: &Order,
    world: &Arc<World>,
    ledger: &Arc<Ledger>,
    asker: &Arc<Asker>,
    copies: Vec<Kept>,
) -> Outcome<Summary> {
    let journal = &world.journal;
    for copy in 0..world.copies.len() {
        ready(world, asker, copy, READY_WITHIN).await?;
    }
    bring_forward(world, asker, READY_WITHIN).await.map_err(|why| format!("before anything was broken: {why}"))?;
    let baseline = Baseline::take(world).await?;
    let begun_after = journal.begun().elapsed();
    journal.tell("", "everything is applied; from here on everything breaks");

    let stop = CancellationToken::new();
    let places: Vec<Place> = (0..LISTENERS).map(|_| Arc::new(AtomicI64::new(0))).collect();
    let listeners: Vec<_> = places
        .iter()
        .enumerate()
        .map(|(number, place)| {
            tokio::spawn(listen(Arc::clone(world), order.seed, number, Arc::clone(place), stop.clone()))
        })
        .collect();
    let measuring = measure(Arc::clone(world), stop.clone());
    walk(order, world, ledger, asker, begun_after).await?;

    journal.tell("", "everything is mended");
    let healing = Arc::clone(world);
    tokio::task::spawn_blocking(move || healing.heal()).await.map_err(|error| error.to_string())??;
    let mended = Instant::now();
    let mended_at = world.servers[0].value("postgres", "SELECT now()").await?;
    let mut findings = Vec::new();
    for copy in 0..world.copies.len() {
        if let Err(why) = ready(world, asker, copy, READY_WITHIN).await {
            findings.push(Finding::of("the copies", Err(why)));
        }
    }
    findings.push(Finding::of("what was left behind", settle(world, &mended_at).await));
    findings.push(Finding::of("bringing everything forward", forward(world, asker).await));
    findings.push(Finding::of("every target", baseline.compare(world).await));
    findings.push(Finding::of("backups", backups::verify(world, asker).await));
    findings.push(Finding::of("the record of changes", targets::audits(world).await));
    events::catch_up(world, &places).await?;
    stop.cancel();
    let mut heard: Vec<Heard> = Vec::new();
    for listener in listeners {
        heard.push(listener.await.map_err(|error| error.to_string())?);
    }
    findings.push(Finding::of("events", events::compare(world, &heard).await));
    measuring.await.map_err(|error| error.to_string())?;
    findings.push(memory(&world.copies));
    world.copies.iter().for_each(|copy| copy.close());
    findings.push(closed(world, copies).await?);
    let told = ledger.read();
    findings.push(Finding::of("every run, backup and restore", records::accounted(world, &told, &mended_at).await));
    findings.push(Finding::of("left behind", leftovers::left(world).await));
    findings.push(Finding { what: asked(&told), deviations: told.deviations });
    Ok(Summary {
        seed: order.seed,
        steps: order.plan.steps(),
        length: order.length,
        mending: mended.elapsed(),
        findings,
    })
}

type Kept = tokio::task::JoinHandle<Outcome<()>>;

/// A thread of its own, for as long as the copy is kept: the kernel ends the copy with it.
fn keep(world: &Arc<World>, copy: usize) -> Kept {
    let world = Arc::clone(world);
    tokio::task::spawn_blocking(move || world.copies[copy].keep(|| world.serving(copy), &world.journal))
}

async fn ready(world: &World, asker: &Asker, copy: usize, within: Duration) -> Outcome<()> {
    let give_up = Instant::now() + within;
    loop {
        let answer = asker.once(world, copy, (Method::GET, "/ready"), (None, None), within).await;
        if answer.as_ref().is_ok_and(|answer| answer.status == 200) {
            return Ok(());
        }
        if Instant::now() >= give_up {
            return Err(format!("copy {copy} is not ready {within:?} after everything was there: {answer:?}"));
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// Both, to the newest.
async fn bring_forward(world: &World, asker: &Asker, within: Duration) -> Outcome<()> {
    for path in ["/api/migrations/run", "/api/fleets/tenants/run"] {
        until_completed(world, asker, (path, &json!({ "wait": true })), within).await?;
    }
    Ok(())
}

/// Asked again while something else is under way.
async fn until_completed(world: &World, asker: &Asker, (path, body): (&str, &Value), within: Duration) -> Outcome<()> {
    let give_up = Instant::now() + within;
    loop {
        let answer = asker.once(world, 0, (Method::POST, path), (Some(body), None), within).await;
        let answered = answer.map(|answer| (answer.status, answer.body));
        if let Ok((200, body)) = &answered
            && is_whole(body)
        {
            world.journal.tell("", &format!("{path}: {}", brief(body)));
            return Ok(());
        }
        world.journal.tell("", &format!("{path} does not come to its end: {answered:?}"));
        if Instant::now() >= give_up {
            return Err(format!("{path} does not come to its end within {within:?}: {answered:?}"));
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

fn is_whole(body: &Value) -> bool {
    let completed = body["status"] == "completed" || body["state"] == "completed";
    completed && body["counts"]["failed"].as_u64().unwrap_or_default() == 0
}

fn brief(body: &Value) -> String {
    format!("{} {}", body["counts"], body["migrationsApplied"])
}

async fn walk(
    order: &Order,
    world: &Arc<World>,
    ledger: &Arc<Ledger>,
    asker: &Arc<Asker>,
    begun_after: Duration,
) -> Outcome<()> {
    let until = world.journal.begun() + begun_after + order.length;
    let director = Arc::new(Director {
        world: Arc::clone(world),
        ledger: Arc::clone(ledger),
        asker: Arc::clone(asker),
        seed: order.seed,
    });
    let saboteur = Arc::new(Saboteur { world: Arc::clone(world) });
    let late = |at: Duration| at + begun_after;
    let mut lanes = tokio::task::JoinSet::new();
    for mut lane in order.plan.work.clone() {
        lane.steps.iter_mut().for_each(|step| step.at = late(step.at));
        lanes.spawn(Arc::clone(&director).walk(lane, until));
    }
    for mut lane in order.plan.faults.clone() {
        lane.steps.iter_mut().for_each(|step| step.at = late(step.at));
        lanes.spawn(Arc::clone(&saboteur).walk(lane, until));
    }
    while let Some(ended) = lanes.join_next().await {
        ended.map_err(|error| error.to_string())?;
    }
    Ok(())
}

/// Until nothing is under way by itself.
async fn settle(world: &World, mended: &str) -> Outcome<(String, Vec<String>)> {
    let begun = Instant::now();
    loop {
        let open = records::open(world, mended).await?;
        if open.is_empty() {
            return Ok((format!("gone on with or told within {:.0} s", begun.elapsed().as_secs_f64()), Vec::new()));
        }
        if begun.elapsed() > SETTLED_WITHIN {
            let late = open.iter().map(|open| format!("{SETTLED_WITHIN:?} after everything was mended {open}"));
            return Ok((String::new(), late.collect()));
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// As an operator does it: what was interrupted on its way back is taken back to its end, as the status says; then forward.
async fn forward(world: &World, asker: &Asker) -> Outcome<(String, Vec<String>)> {
    let begun = Instant::now();
    let halves = targets::half_back(world).await?;
    if let Some(to) = halves.iter().min() {
        let body = json!({ "to": (to - 1).to_string(), "wait": true });
        until_completed(world, asker, ("/api/fleets/tenants/rollback", &body), FORWARD_WITHIN).await?;
    }
    bring_forward(world, asker, FORWARD_WITHIN).await?;
    let seconds = begun.elapsed().as_secs_f64();
    Ok((format!("done within {seconds:.0} s; {} half taken back were finished first", halves.len()), Vec::new()))
}

fn measure(world: Arc<World>, stop: CancellationToken) -> tokio::task::JoinHandle<()> {
    tokio::spawn(async move {
        while stop.run_until_cancelled(tokio::time::sleep(LOOK_EVERY)).await.is_some() {
            world.copies.iter().for_each(|copy| copy.measure());
        }
    })
}

fn memory(copies: &[Arc<ServiceCopy>]) -> Finding {
    let (mut words, mut deviations) = (Vec::new(), Vec::new());
    for copy in copies {
        let taken = copy.measures();
        let mib = |kib: u64| kib / 1024;
        words.push(format!(
            "copy {} began with {} MiB, had {} at most and {} at the end, {} of at most {} files, {} starts",
            copy.number,
            mib(taken.first_kib),
            mib(taken.most_kib),
            mib(taken.last_kib),
            taken.last_files,
            taken.most_files,
            taken.starts
        ));
        if taken.most_kib > MOST_KIB {
            deviations.push(format!("copy {} took {} MiB", copy.number, mib(taken.most_kib)));
        }
        if taken.last_files > MOST_FILES {
            deviations.push(format!("copy {} holds {} files", copy.number, taken.last_files));
        }
    }
    Finding { what: format!("memory: {}", words.join("; ")), deviations }
}

/// All have ended, by themselves.
async fn closed(world: &World, copies: Vec<Kept>) -> Outcome<Finding> {
    let give_up = Instant::now() + READY_WITHIN;
    while world.copies.iter().any(|copy| copy.is_running()) && Instant::now() < give_up {
        tokio::time::sleep(LOOK_EVERY).await;
    }
    let mut deviations = Vec::new();
    for copy in &world.copies {
        if copy.is_running() {
            deviations.push(format!("copy {} does not end", copy.number));
            copy.kill(Duration::ZERO);
        }
    }
    for copy in copies {
        copy.await.map_err(|error| error.to_string())??;
    }
    deviations.extend(world.copies.iter().flat_map(|copy| copy.deviations()));
    Ok(Finding { what: "copies: each ended when it was told to".to_owned(), deviations })
}

fn asked(told: &crate::ledger::Inner) -> String {
    let list = |counts: &std::collections::BTreeMap<String, u64>| {
        counts.iter().map(|(name, count)| format!("{name} {count}")).collect::<Vec<_>>().join(", ")
    };
    format!(
        "requests: {} answered, {} not; refused with {}; commands ended with {}",
        told.answered,
        told.unanswered,
        list(&told.refused),
        list(&told.commands)
    )
}
