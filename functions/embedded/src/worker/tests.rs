use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use carillon_core::ids::Fire;
use carillon_core::job::Job;
use carillon_core::machine::{Trigger, decide};
use carillon_core::ports::{JobStore, Ports};
use carillon_core::time::UnixMillis;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::sync::{Semaphore, oneshot};
use tokio::task::JoinHandle;

use super::{FAULT_PAUSE_MS, Handled, PANIC_PAUSE_MS, Worker};
use crate::clock::ManualClock;
use crate::embedded::Embedded;
use crate::samples::{NOW, claim, commit, in_memory, insert, job};

/// A running worker, the fires that it handed over, and its stop signal.
struct Running {
    fires: UnboundedReceiver<(Fire, UnixMillis)>,
    stop: oneshot::Sender<()>,
    ended: JoinHandle<u32>,
}

/// Runs a worker whose handler notes each fire and then calls `handle`.
fn run<F>(
    worker: Worker,
    embedded: &Arc<Embedded<ManualClock>>,
    handle: impl Fn(Fire) -> F + Send + Sync + 'static,
) -> Running
where
    F: Future<Output = Handled> + Send + 'static,
{
    let (noted, fires) = unbounded_channel();
    let (stop, stopped) = oneshot::channel();
    let embedded = Arc::clone(embedded);
    let handler = {
        let embedded = Arc::clone(&embedded);
        move |fire| {
            noted.send((fire, carillon_core::ports::Clock::now(embedded.clock()))).unwrap();
            handle(fire)
        }
    };
    let ended = tokio::spawn(async move { worker.run(&embedded, handler, async { stopped.await.unwrap() }).await });
    Running { fires, stop, ended }
}

impl Running {
    /// Returns the next fire and the instant at which it was handed over, ms.
    async fn next(&mut self) -> (Fire, i64) {
        let (fire, at) = self.fires.recv().await.unwrap();
        (fire, at.since(NOW))
    }
}

#[tokio::test]
async fn fires_are_handed_over_when_they_are_due_and_once() {
    let clock = ManualClock::new(NOW);
    let embedded = in_memory(&clock);
    let jobs = [job(1, 0), job(2, 20_000), job(3, 100_000)];
    for job in &jobs {
        insert(&embedded, job).await;
    }
    let mut running = run(Worker::default(), &embedded, |_| async { Handled::Done });
    assert_eq!(running.next().await, (jobs[0].fire(), 0));
    // Stored while the worker runs, before and beyond its horizon.
    let (soon, late) = (job(4, 10_000), job(5, 200_000));
    insert(&embedded, &soon).await;
    insert(&embedded, &late).await;
    for (job, step_ms) in [(&soon, 10_000), (&jobs[1], 10_000), (&jobs[2], 80_000), (&late, 100_000)] {
        assert!(running.fires.try_recv().is_err());
        clock.advance(step_ms);
        assert_eq!(running.next().await, (job.fire(), job.spec.start_at.since(NOW)));
    }
    running.stop.send(()).unwrap();
    assert_eq!(running.ended.await.unwrap(), 0);
    assert!(running.fires.try_recv().is_err());
}

#[tokio::test]
async fn a_panicking_handler_takes_nobody_along_and_its_fire_comes_back() {
    let clock = ManualClock::new(NOW);
    let embedded = in_memory(&clock);
    let (bad, good) = (job(1, 0), job(2, 1));
    insert(&embedded, &bad).await;
    insert(&embedded, &good).await;
    let bad_fire = bad.fire();
    let mut running = run(Worker { concurrency: 1, ..Worker::default() }, &embedded, move |fire| async move {
        assert!(fire != bad_fire, "a handler's own fault");
        Handled::Done
    });
    assert_eq!(running.next().await.0, bad_fire);
    clock.advance(1);
    assert_eq!(running.next().await.0, good.fire());
    clock.advance(PANIC_PAUSE_MS);
    assert_eq!(running.next().await.0, bad_fire);
}

#[tokio::test]
async fn a_fire_that_panics_after_its_claim_comes_back_with_its_lease() {
    let clock = ManualClock::new(NOW);
    let embedded = in_memory(&clock);
    let job = job(1, 0);
    insert(&embedded, &job).await;
    let store = Arc::clone(&embedded);
    let mut running = run(Worker::default(), &embedded, move |fire| {
        let store = Arc::clone(&store);
        async move {
            let job = store.jobs().get(fire.job_id).await.unwrap().unwrap();
            commit(&store, &job, &claim(&job), NOW.plus(job.state.wake_at.unwrap().since(NOW))).await;
            panic!("in the middle of the attempt")
        }
    });
    assert_eq!(running.next().await, (job.fire(), 0));
    // The slot is free only after the panic.
    clock.advance(PANIC_PAUSE_MS);
    clock.advance(40_000 - PANIC_PAUSE_MS);
    assert_eq!(running.next().await, (job.fire(), 40_000));
}

#[tokio::test]
async fn a_faulted_fire_comes_back_in_a_moment_and_another_when_it_says() {
    let clock = ManualClock::new(NOW);
    let embedded = in_memory(&clock);
    let job = job(1, 0);
    insert(&embedded, &job).await;
    let round = AtomicU32::new(0);
    let mut running = run(Worker { concurrency: 1, ..Worker::default() }, &embedded, move |_| {
        let handled = match round.fetch_add(1, Ordering::Relaxed) {
            0 => Handled::Faulted,
            1 => Handled::Again { at: NOW.plus(70_000) },
            _ => Handled::Done,
        };
        async move { handled }
    });
    assert_eq!(running.next().await, (job.fire(), 0));
    let mut at = 0;
    for due in [FAULT_PAUSE_MS, 70_000] {
        clock.advance(due - at);
        at = due;
        assert_eq!(running.next().await.0, job.fire());
    }
}

#[tokio::test]
async fn no_more_are_handled_at_a_time_than_allowed() {
    let embedded = in_memory(&ManualClock::new(NOW));
    for number in 0..10 {
        insert(&embedded, &job(number, 0)).await;
    }
    let gate = Arc::new(Semaphore::new(0));
    let (waiting, most) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicU32::new(0)));
    let handler = {
        let (gate, most) = (Arc::clone(&gate), Arc::clone(&most));
        move |_| {
            let (gate, waiting, most) = (Arc::clone(&gate), Arc::clone(&waiting), Arc::clone(&most));
            async move {
                most.fetch_max(waiting.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                gate.acquire().await.unwrap().forget();
                waiting.fetch_sub(1, Ordering::SeqCst);
                Handled::Done
            }
        }
    };
    let mut running = run(Worker { concurrency: 3, ..Worker::default() }, &embedded, handler);
    for _ in 0..3 {
        running.next().await;
    }
    assert!(running.fires.try_recv().is_err());
    for _ in 0..7 {
        gate.add_permits(1);
        running.next().await;
    }
    assert_eq!(most.load(Ordering::SeqCst), 3);
}

#[tokio::test]
async fn a_backlog_that_memory_cannot_hold_is_worked_off_without_a_pause() {
    let embedded = Arc::new(Embedded::in_memory_holding(10, ManualClock::new(NOW)).unwrap());
    let jobs: Vec<_> = (0..95).map(|number| job(number, 0)).collect();
    for job in &jobs {
        insert(&embedded, job).await;
    }
    let store = Arc::clone(&embedded);
    let mut running = run(Worker::default(), &embedded, move |fire| {
        let store = Arc::clone(&store);
        async move {
            let job = store.jobs().get(fire.job_id).await.unwrap().unwrap();
            if !job.state.status.is_settled() {
                let cancel = decide(&job, &Trigger::Cancel { reason: None }, NOW).unwrap();
                // A fire that is read again while it is being handled loses the race.
                let _ = store.jobs().commit(&cancel).await.unwrap();
            }
            Handled::Done
        }
    });
    let mut waiting: HashSet<_> = jobs.iter().map(Job::fire).collect();
    while !waiting.is_empty() {
        waiting.remove(&running.next().await.0);
    }
}

#[tokio::test]
async fn a_stop_waits_for_what_is_under_way_and_takes_nothing_more() {
    let clock = ManualClock::new(NOW);
    let embedded = in_memory(&clock);
    insert(&embedded, &job(1, 0)).await;
    insert(&embedded, &job(2, 1_000)).await;
    let gate = Arc::new(Semaphore::new(0));
    let handler = {
        let gate = Arc::clone(&gate);
        move |_| {
            let gate = Arc::clone(&gate);
            async move {
                gate.acquire().await.unwrap().forget();
                Handled::Done
            }
        }
    };
    let mut running = run(Worker { grace: Duration::from_mins(1), ..Worker::default() }, &embedded, handler);
    running.next().await;
    running.stop.send(()).unwrap();
    tokio::task::yield_now().await;
    clock.advance(1_000);
    assert!(!running.ended.is_finished());
    gate.add_permits(1);
    assert_eq!(running.ended.await.unwrap(), 0);
    assert!(running.fires.try_recv().is_err());
}

#[tokio::test]
async fn a_stop_says_what_was_not_done_within_its_grace() {
    let embedded = in_memory(&ManualClock::new(NOW));
    insert(&embedded, &job(1, 0)).await;
    insert(&embedded, &job(2, 0)).await;
    let mut running =
        run(Worker { grace: Duration::ZERO, ..Worker::default() }, &embedded, |_| std::future::pending::<Handled>());
    running.next().await;
    running.next().await;
    running.stop.send(()).unwrap();
    assert_eq!(running.ended.await.unwrap(), 2);
}
