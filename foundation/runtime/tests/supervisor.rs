//! Components as a program runs them.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use runtime::{BoxError, CancellationToken, Component, Ready, State, Supervisor, SupervisorError};

/// What a test component does once it runs.
enum Act {
    /// Ready at once; sets the flag when it was told to stop.
    Serve(Arc<AtomicBool>),
    Finish,
    Fail,
    Panic,
    IgnoreTheShutdown,
    LoseReadiness,
}

struct Part(&'static str, Act);

impl Component for Part {
    fn name(&self) -> String {
        self.0.to_owned()
    }

    async fn run(self, ready: Ready, shutdown: CancellationToken) -> Result<(), BoxError> {
        match self.1 {
            Act::Serve(stopped) => {
                ready.ready();
                shutdown.cancelled().await;
                stopped.store(true, Ordering::SeqCst);
                Ok(())
            }
            Act::Finish => Ok(()),
            Act::Fail => Err("no luck".into()),
            Act::Panic => panic!("on purpose"),
            Act::IgnoreTheShutdown => std::future::pending().await,
            Act::LoseReadiness => {
                ready.ready();
                ready.not_ready();
                shutdown.cancelled().await;
                Ok(())
            }
        }
    }
}

fn serve() -> (Act, Arc<AtomicBool>) {
    let stopped = Arc::new(AtomicBool::new(false));
    (Act::Serve(Arc::clone(&stopped)), stopped)
}

async fn in_time<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(20), future).await.expect("done in time")
}

#[tokio::test]
async fn all_get_ready_and_all_stop() {
    let shutdown = CancellationToken::new();
    let mut supervisor = Supervisor::new(shutdown.clone());
    let ((one, one_stopped), (two, two_stopped)) = (serve(), serve());
    supervisor.add(Part("one", one));
    supervisor.add(Part("two", two));
    supervisor.add(Part("once", Act::Finish));
    let mut readiness = supervisor.readiness();
    assert!(!readiness.borrow().is_ready(), "nothing runs yet");
    let run = tokio::spawn(supervisor.run());
    in_time(readiness.wait_for(runtime::Readiness::is_ready)).await.expect("all get ready");
    assert_eq!(readiness.borrow().components()[0], ("one".to_owned(), State::Ready));
    shutdown.cancel();
    in_time(run).await.expect("no panic").expect("a clean end");
    assert!(one_stopped.load(Ordering::SeqCst) && two_stopped.load(Ordering::SeqCst));
}

#[tokio::test]
async fn one_that_fails_or_panics_stops_the_others() {
    for (act, says) in [(Act::Fail, "bad failed: no luck"), (Act::Panic, "bad failed: it panicked")] {
        let shutdown = CancellationToken::new();
        let mut supervisor = Supervisor::new(shutdown.clone());
        let (good, stopped) = serve();
        supervisor.add(Part("good", good));
        supervisor.add(Part("bad", act));
        let readiness = supervisor.readiness();
        let error = in_time(supervisor.run()).await.expect_err("one failed");
        assert!(error.to_string().starts_with(says), "{error}");
        assert!(stopped.load(Ordering::SeqCst), "the other was told");
        assert!(shutdown.is_cancelled());
        assert!(matches!(readiness.borrow().components()[1].1, State::Failed(_)));
    }
}

#[tokio::test(start_paused = true)]
async fn one_that_does_not_stop_is_cut_off_and_named() {
    let shutdown = CancellationToken::new();
    let mut supervisor = Supervisor::new(shutdown.clone()).stop_within(Duration::from_secs(3));
    let (good, stopped) = serve();
    supervisor.add(Part("good", good));
    supervisor.add(Part("deaf", Act::IgnoreTheShutdown));
    shutdown.cancel();
    match supervisor.run().await {
        Err(SupervisorError::StopTimeout { components, .. }) => assert_eq!(components, ["deaf"]),
        other => panic!("{other:?}"),
    }
    assert!(stopped.load(Ordering::SeqCst));
}

#[tokio::test]
async fn readiness_can_be_lost_and_an_empty_program_ends() {
    let shutdown = CancellationToken::new();
    let mut supervisor = Supervisor::new(shutdown.clone());
    supervisor.add(Part("part", Act::LoseReadiness));
    let readiness = supervisor.readiness();
    let run = tokio::spawn(supervisor.run());
    shutdown.cancel();
    in_time(run).await.expect("no panic").expect("a clean end");
    assert_eq!(readiness.borrow().components()[0].1, State::Done);
    in_time(Supervisor::new(CancellationToken::new()).run()).await.expect("nothing to do");
}
