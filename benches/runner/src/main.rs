//! The migration engine alone, for the benchmark: no command line worth the name, no colours, no HTTP.
//!
//! `engine-runner run PROJECT URL` applies what is pending, `rollback PROJECT URL STEPS` takes back the newest, `plan PROJECT URL` only plans it, `validate PROJECT URL`
//! rehearses the whole set through every gate, `clone PROJECT URL
//! COUNT` makes scratch databases. Each prints one line of JSON with its times; failures go to standard error.

use std::path::Path;
use std::process::ExitCode;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use migration_engine::event::{EventSink, Outcome};
use migration_engine::proof::ValidateRequest;
use migration_engine::request::{RollbackRequest, RollbackTo, RunContext, RunRequest, Scope};
use migration_engine::scratch::Scratch;
use migration_engine::{Engine, Event, Project, Target};
use postgres_link::ConnectOptions;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

type Failure = Box<dyn std::error::Error>;

fn main() -> ExitCode {
    let begun = Instant::now();
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match start(&words, begun) {
        Ok(line) => {
            println!("{line}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("engine-runner: {error}");
            ExitCode::FAILURE
        }
    }
}

fn start(words: &[&str], begun: Instant) -> Result<Value, Failure> {
    // As the command line has it: one thread, and what blocks beside it.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        match *words {
            ["run", project, url] => run(project, url, None, begun).await,
            ["rollback", project, url, steps] => run(project, url, Some(steps.parse()?), begun).await,
            ["plan", project, url] => plan(project, url, begun).await,
            ["validate", project, url] => validate(project, url).await,
            ["clone", project, url, count] => clone(project, url, count.parse()?).await,
            _ => Err("usage: engine-runner run|plan|validate PROJECT URL, or rollback|clone PROJECT URL COUNT".into()),
        }
    })
}

fn engine(project: &str, url: &str) -> Result<(Arc<Project>, Engine), Failure> {
    let project = Arc::new(Project::open(Path::new(project))?);
    let environment = environment(&project);
    let target = Target { environment, connect: ConnectOptions::parse(url)?, create_database: false };
    Ok((Arc::clone(&project), Engine::new(project, target)))
}

fn environment(project: &Project) -> String {
    project.catalogue.project.default_environment.clone().unwrap_or_else(|| "development".to_owned())
}

/// When the first migration was announced and the last one was done, since `begun`.
#[derive(Default, Clone, Copy)]
struct Applying {
    first: Option<Duration>,
    last: Option<Duration>,
}

/// Applies what is pending, or takes the newest `back` migrations back.
async fn run(project: &str, url: &str, back: Option<usize>, begun: Instant) -> Result<Value, Failure> {
    let (_, engine) = engine(project, url)?;
    let opened = begun.elapsed();
    let seen = Arc::new(Mutex::new(Applying::default()));
    let events = {
        let seen = Arc::clone(&seen);
        EventSink::new(move |event| {
            let now = begun.elapsed();
            let Ok(mut seen) = seen.lock() else { return };
            match event {
                Event::MigrationStarted { .. } => _ = seen.first.get_or_insert(now),
                Event::MigrationFinished { .. } => seen.last = Some(now),
                _ => {}
            }
        })
    };
    let context = RunContext {
        run_id: Uuid::new_v4(),
        actor: "benchmark".to_owned(),
        events,
        cancel: CancellationToken::new(),
        wait_for_lock: Duration::ZERO,
    };
    let prepared = match back {
        None => {
            let request = RunRequest { scope: Scope::All, to: None, dry_run: false, overrides: Vec::new() };
            engine.prepare_run(request, context).await?
        }
        Some(steps) => {
            let request = RollbackRequest { scope: Scope::All, to: RollbackTo::Steps(steps), dry_run: false };
            engine.prepare_rollback(request, context).await?
        }
    };
    let planned = begun.elapsed();
    let report = prepared.execute().await;
    if report.outcome != Outcome::Completed {
        return Err(report
            .error
            .map_or_else(|| "the run did not complete".into(), |error| format!("{error:#?}").into()));
    }
    let seen = seen.lock().map_or_else(|_| Applying::default(), |seen| *seen);
    let applying = seen.last.zip(seen.first).map_or(Duration::ZERO, |(last, first)| last.saturating_sub(first));
    Ok(json!({
        "done": report.done.len(),
        "opened_ms": ms(opened),
        "planned_ms": ms(planned),
        "applying_ms": ms(applying),
        "whole_ms": ms(begun.elapsed()),
    }))
}

async fn plan(project: &str, url: &str, begun: Instant) -> Result<Value, Failure> {
    let (_, engine) = engine(project, url)?;
    let plan = engine.plan(&Scope::All, false).await?;
    let order: Vec<String> = plan.migrations.iter().map(|m| m.migration.to_string()).collect();
    Ok(json!({ "migrations": order, "whole_ms": ms(begun.elapsed()) }))
}

async fn clone(project: &str, url: &str, count: usize) -> Result<Value, Failure> {
    let project = Arc::new(Project::open(Path::new(project))?);
    let environment = environment(&project);
    let scratch = Scratch::new(&ConnectOptions::parse(url)?, project, &environment, false);
    let template = scratch.template().await?;
    let mut times = Vec::with_capacity(count);
    let mut made = Vec::with_capacity(count);
    for _ in 0..count {
        let begun = Instant::now();
        let database = scratch.clone_of(&template, "bench").await?;
        times.push(ms(begun.elapsed()));
        made.push(database.database().to_owned());
    }
    for name in made {
        scratch.drop(&name).await?;
    }
    Ok(json!({ "clone_ms": times }))
}

fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1_000.0
}

async fn validate(project: &str, url: &str) -> Result<Value, Failure> {
    let (_, engine) = engine(project, url)?;
    let request = ValidateRequest { scope: Scope::All, whole: true, gates: Vec::new() };
    let context = RunContext {
        run_id: Uuid::now_v7(),
        actor: "benchmark".to_owned(),
        events: EventSink::none(),
        cancel: CancellationToken::new(),
        wait_for_lock: Duration::ZERO,
    };
    let report = engine.validate(&request, &context).await?;
    if !report.passed {
        let first = report.all_findings().next().map(|f| f.message.clone()).unwrap_or_default();
        return Err(format!("a gate does not hold: {first}").into());
    }
    let mut walks: Vec<u64> = report.migrations.iter().filter_map(|m| Some(m.certificate.as_ref()?.walk_ms)).collect();
    walks.sort_unstable();
    Ok(json!({
        "total_ms": report.duration_ms,
        "migrations": walks.len(),
        "median_ms": walks.get(walks.len() / 2),
        "slowest_ms": walks.last(),
    }))
}
