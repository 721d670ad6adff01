//! The fate of a message, by the outcome of its fire.

use std::time::Duration;

use carillon_core::cache::CacheKey;
use carillon_core::ids::{Fire, Owner};
use carillon_core::machine::Trigger;
use carillon_core::ports::{FillLease, Ports as _, ResultCache as _};
use tokio::time::sleep;

use super::*;

fn hidden(id: &str, seconds: i64) -> Carried {
    Carried::Hidden(format!("handle-{id}"), seconds)
}

/// A retry after exactly this many milliseconds.
fn retry(initial_delay: u32) -> Value {
    json!({"retries": 1, "retry": {"initialDelay": initial_delay, "jitter": false}})
}

#[tokio::test(start_paused = true)]
async fn a_failed_attempt_comes_back_after_its_backoff_in_whole_seconds_and_is_counted() {
    let stack = Stack::new();
    let job = stack.job("flaky", &retry(2_700)).await;
    assert_eq!(stack.receive(vec![stack.due("a", &job)]).await, ["a"]);
    assert_eq!(stack.queue.take(), [hidden("a", 2)]);
    let state = world::job(&stack.world, job.id).state;
    assert_eq!((state.status, state.run.attempts), (Status::Queued, 1));
    // It is back 700 ms early, which it waits out.
    tokio::time::advance(Duration::from_secs(2)).await;
    assert_eq!(stack.receive(vec![received(2, stack.due("a", &job))]).await, [""; 0]);
    assert_eq!((stack.status(&job), world::job(&stack.world, job.id).state.run.attempts), (Status::Completed, 2));
    assert_eq!(stack.target.arrivals()[1].at, world::NOW.plus(2_700));
    assert_eq!(stack.queue.take(), []);
}

#[tokio::test(start_paused = true)]
async fn a_message_that_is_back_long_before_its_backoff_ends_is_hidden_again() {
    let stack = Stack::new();
    let job = stack.job("flaky", &retry(9_500)).await;
    stack.receive(vec![stack.due("a", &job)]).await;
    assert_eq!(stack.receive(vec![received(2, stack.due("b", &job))]).await, ["b"]);
    assert_eq!(stack.queue.take(), [hidden("a", 9), hidden("b", 9)]);
    assert_eq!(stack.target.arrivals().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_spent_fire_is_dead_lettered_with_its_reason_and_forgotten() {
    for (what, code) in [("hopeless", "FORBIDDEN"), ("broken", "TIMEOUT")] {
        let stack = Stack::new();
        let job = stack.job(what, &json!({})).await;
        assert_eq!(stack.receive(vec![stack.due("a", &job)]).await, [""; 0]);
        let message = Message::new(job.fire(), job.state.run.due_at);
        assert_eq!(stack.queue.take(), [Carried::DeadLettered(message, code.into())]);
        assert_eq!(stack.status(&job), Status::Failed);
    }
}

#[tokio::test(start_paused = true)]
async fn a_fire_whose_parking_fails_comes_back_and_is_dead_lettered_then() {
    let stack = Stack::new();
    let job = stack.job("hopeless", &json!({})).await;
    stack.queue.fails_at("dead_letter");
    assert_eq!(stack.receive(vec![stack.due("a", &job)]).await, ["a"]);
    assert_eq!((stack.queue.take(), stack.status(&job)), (vec![hidden("a", 1)], Status::Failed));
    assert_eq!(stack.receive(vec![received(2, stack.due("a", &job))]).await, [""; 0]);
    assert!(matches!(stack.queue.take().as_slice(), [Carried::DeadLettered(_, code)] if code == "FORBIDDEN"));
    assert_eq!(stack.target.arrivals().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_old_message_of_a_job_that_failed_again_since_is_not_parked_in_its_place() {
    let stack = Stack::new();
    let job = stack.job("hopeless", &json!({})).await;
    stack.receive(vec![stack.due("a", &job)]).await;
    world::happens(&stack.world, job.id, &Trigger::Retry { delay_ms: 0 });
    let again = world::job(&stack.world, job.id);
    stack.receive(vec![stack.due("b", &again)]).await;
    assert_eq!((stack.queue.take().len(), stack.status(&job)), (2, Status::Failed));
    assert_eq!(stack.receive(vec![received(2, stack.due("a", &job))]).await, [""; 0]);
    assert_eq!(stack.queue.take(), []);
}

#[tokio::test(start_paused = true)]
async fn settled_cancelled_and_superseded_fires_are_forgotten() {
    let stack = Stack::new();
    let done = stack.job("ok", &json!({})).await;
    stack.receive(vec![stack.due("a", &done)]).await;
    let cancelled = stack.job("ok", &json!({})).await;
    world::happens(&stack.world, cancelled.id, &Trigger::Cancel { reason: None });
    let superseded = stack.job("hopeless", &json!({})).await;
    stack.receive(vec![stack.due("b", &superseded)]).await;
    world::happens(&stack.world, superseded.id, &Trigger::Retry { delay_ms: 60_000 });
    stack.queue.take();
    let batch = [&done, &cancelled, &superseded].map(|job| received(3, stack.due(&job.id.to_string(), job)));
    assert_eq!(stack.receive(batch.to_vec()).await, [""; 0]);
    assert_eq!((stack.queue.take(), stack.target.arrivals().len()), (vec![], 2));
}

#[tokio::test(start_paused = true)]
async fn a_parked_message_that_comes_back_revives_its_job_once() {
    let stack = Stack::new();
    let job = stack.job("hopeless", &json!({})).await;
    stack.receive(vec![stack.due("a", &job)]).await;
    stack.queue.take();
    let letter = Message { dead_lettered: true, ..Message::new(job.fire(), job.state.run.due_at) };
    let copies = vec![stack.record("a", &letter), stack.record("b", &letter)];
    assert_eq!(stack.receive(copies).await, [""; 0]);
    let revived = world::job(&stack.world, job.id);
    assert_eq!(revived.fire(), Fire { generation: 2, ..job.fire() });
    assert_eq!((revived.state.status, revived.state.run.attempts), (Status::Queued, 0));
    let armed = stack.world.tables().armed.clone();
    assert_eq!(armed.last(), Some(&(stack.world.now(), revived.fire())));
    assert_eq!(armed.len(), 2, "armed once at first, and once by the letter");
    // A copy that comes later, when the new fire is at work or has ended, does nothing either.
    stack.receive(vec![stack.due("c", &revived)]).await;
    stack.queue.take();
    assert_eq!(stack.receive(vec![stack.record("d", &letter)]).await, [""; 0]);
    assert_eq!((world::job(&stack.world, job.id).fire(), stack.queue.take()), (revived.fire(), vec![]));
    assert_eq!(stack.target.arrivals().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_parked_message_comes_back_when_its_job_cannot_be_revived_now() {
    let stack = Stack::new();
    let job = stack.job("hopeless", &json!({})).await;
    stack.receive(vec![stack.due("a", &job)]).await;
    stack.queue.take();
    let letter = Message { dead_lettered: true, ..Message::new(job.fire(), job.state.run.due_at) };
    world::fails_once(&stack.world);
    assert_eq!(stack.receive(vec![stack.record("a", &letter)]).await, ["a"]);
    assert_eq!(stack.queue.take(), [hidden("a", 1)]);
    assert_eq!(stack.receive(vec![received(2, stack.record("a", &letter))]).await, [""; 0]);
    assert_eq!(stack.status(&job), Status::Queued);
}

#[tokio::test(start_paused = true)]
async fn a_fault_of_a_dependency_brings_the_message_back_later_each_time() {
    let stack = Stack::new();
    let job = stack.job("ok", &json!({})).await;
    for (count, seconds) in [(1, 1), (2, 2), (3, 4), (5, 16), (6, 30), (1_000, 30)] {
        world::fails_once(&stack.world);
        assert_eq!(stack.receive(vec![received(count, stack.due("a", &job))]).await, ["a"]);
        assert_eq!(stack.queue.take(), [hidden("a", seconds)], "received {count} times");
    }
    assert_eq!(stack.receive(vec![stack.due("a", &job)]).await, [""; 0]);
    assert_eq!(stack.status(&job), Status::Completed);
}

#[tokio::test(start_paused = true)]
async fn a_message_of_a_fire_that_another_works_on_comes_back_when_the_lease_ends() {
    let stack = Stack::new();
    let job = stack.job("ok", &json!({})).await;
    let claim = Trigger::Claim { fire: job.fire(), owner: Owner::new(99), lease_ms: 40_900 };
    world::happens(&stack.world, job.id, &claim);
    assert_eq!(stack.receive(vec![stack.due("a", &job)]).await, ["a"]);
    assert_eq!((stack.queue.take(), stack.target.arrivals().len()), (vec![hidden("a", 40)], 0));
}

#[tokio::test(start_paused = true)]
async fn a_message_that_cannot_be_hidden_is_reported_all_the_same() {
    let stack = Stack::new();
    let job = stack.job("broken", &retry(5_000)).await;
    stack.queue.fails_at("defer");
    assert_eq!(stack.receive(vec![stack.due("a", &job)]).await, ["a"]);
    assert_eq!((stack.queue.take(), stack.status(&job)), (vec![], Status::Queued));
}

/// SQS takes a message to the dead letters that was received too often, whatever for. A job may wait for hundreds of others that
/// ask the same of a target that is down, one after the other.
#[tokio::test(start_paused = true)]
async fn a_message_that_waits_for_anothers_result_does_not_use_its_receives_up() {
    let stack = Stack::new();
    let job = stack.job("ok", &json!({"cache": "c"})).await;
    let key = CacheKey::of(&job.spec, &job.spec.input).unwrap();
    let lead = FillLease { leader: Owner::new(9), began_at: world::NOW, until: world::NOW.plus(60_000) };
    stack.world.result_cache().lookup(&key, &lead, world::NOW).await.unwrap();
    sleep(Duration::from_secs(20)).await;
    let due = stack.due("a", &job);
    assert_eq!(stack.receive(vec![received(3, due.clone())]).await, ["a"]);
    assert_eq!(stack.queue.take(), [Carried::Hidden("handle-a".into(), 10)]);
    assert_eq!(stack.receive(vec![received(20, due.clone())]).await, [""; 0]);
    assert_eq!(stack.queue.take(), [Carried::Sent(Message::new(job.fire(), job.state.run.due_at), 10)]);
    stack.queue.fails_at("send");
    assert_eq!(stack.receive(vec![received(20, due)]).await, ["a"], "it is let go only once it is sent on");
    assert_eq!((stack.status(&job), stack.target.arrivals().len()), (Status::Queued, 0));
}
