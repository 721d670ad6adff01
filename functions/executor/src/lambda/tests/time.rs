//! Records and the time: early ones, jobs that are not stored yet, and the end of the invocation.

use std::time::Duration;

use carillon_core::ids::{Fire, JobId, Owner};
use carillon_core::job::RunError;
use carillon_core::machine::Trigger;
use tokio::time::sleep;

use super::*;

#[tokio::test(start_paused = true)]
async fn a_message_that_is_early_is_sent_on_with_the_delay_that_is_left() {
    for (early_ms, delay) in [(1_001, 1), (2_000, 2), (119_999, 119), (3_600_000, 3_600)] {
        let stack = Stack::new();
        let job = stack.job("ok", &json!({"start_at": world::NOW.plus(early_ms).0})).await;
        assert_eq!(stack.receive(vec![stack.due("a", &job)]).await, [""; 0]);
        let message = Message::new(job.fire(), world::NOW.plus(early_ms));
        assert_eq!(stack.queue.take(), [Carried::Sent(message, delay)]);
        assert_eq!((stack.status(&job), stack.world.now()), (Status::Scheduled, world::NOW));
    }
}

#[tokio::test(start_paused = true)]
async fn a_message_that_cannot_be_sent_on_comes_back() {
    let stack = Stack::new();
    let job = stack.job("ok", &json!({"start_at": world::NOW.plus(60_000).0})).await;
    stack.queue.fails_at("send");
    assert_eq!(stack.receive(vec![stack.due("a", &job)]).await, ["a"]);
    assert_eq!(stack.queue.take(), [Carried::Hidden("handle-a".into(), 1)]);
}

#[tokio::test(start_paused = true)]
async fn the_last_second_is_waited_out_and_nothing_is_dispatched_before_its_time() {
    for early_ms in [1, 250, 999, 1_000] {
        let stack = Stack::new();
        let due_at = world::NOW.plus(early_ms);
        let job = stack.job("ok", &json!({"start_at": due_at.0})).await;
        assert_eq!(stack.receive(vec![stack.due("a", &job), stack.due("b", &job)]).await, [""; 0]);
        let arrivals = stack.target.arrivals();
        assert_eq!((arrivals.len(), arrivals[0].at), (1, due_at));
        assert_eq!(stack.status(&job), Status::Completed);
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_is_claimed_when_too_little_time_is_left() {
    for left_ms in [2_999, 500, 0, -1_000] {
        let stack = Stack::new();
        let job = stack.job("ok", &json!({})).await;
        assert_eq!(stack.receive_within(left_ms, vec![stack.due("a", &job)]).await.unwrap(), ["a"]);
        let state = world::job(&stack.world, job.id).state;
        assert_eq!((state.status, state.run.attempts), (Status::Queued, 0), "{left_ms}");
    }
    let stack = Stack::new();
    let job = stack.job("ok", &json!({})).await;
    assert_eq!(stack.receive_within(3_000, vec![stack.due("a", &job)]).await.unwrap(), [""; 0]);
    assert_eq!(stack.target.arrivals()[0].call.timeout_ms, 1_000);
}

#[tokio::test(start_paused = true)]
async fn an_attempt_is_bounded_by_the_invocation_and_leaves_time_to_record_it() {
    let stack = Stack::new();
    let job = stack.job("ok", &json!({"timeout": 900_000})).await;
    stack.receive_within(60_000, vec![stack.due("a", &job)]).await.unwrap();
    assert_eq!(stack.target.arrivals()[0].call.timeout_ms, 58_000);
}

#[tokio::test(start_paused = true)]
async fn cargo_lambda_watch_says_how_long_an_invocation_has_and_is_understood() {
    let stack = Stack::new();
    let job = stack.job("ok", &json!({"timeout": 900_000})).await;
    assert_eq!(stack.receive_until(600_000, vec![stack.due("a", &job)]).await.unwrap(), [""; 0]);
    assert_eq!((stack.status(&job), stack.target.arrivals()[0].call.timeout_ms), (Status::Completed, 598_000));
}

#[tokio::test(start_paused = true)]
async fn an_attempt_that_would_be_cut_short_by_the_one_before_it_in_line_comes_back() {
    let stack = Stack::new();
    let slow = stack.job("rest", &json!({})).await;
    let other = Message::new(slow.fire(), world::NOW.plus(1_000));
    let batch = vec![stack.due("a", &slow), stack.record("b", &other), stack.record("c", &other)];
    assert_eq!(stack.receive(batch).await, ["b", "c"]);
    assert_eq!(stack.queue.take(), [Carried::Hidden("handle-b".into(), 0), Carried::Hidden("handle-c".into(), 0)]);
    assert_eq!((stack.status(&slow), stack.target.arrivals().len()), (Status::Completed, 1));
}

#[tokio::test(start_paused = true)]
async fn a_record_that_does_not_end_in_time_is_given_up_and_the_others_are_answered_for() {
    let stack = Stack::new();
    let (hangs, sound) = (stack.job("hang", &json!({})).await, stack.job("rest", &json!({})).await);
    assert_eq!(stack.receive(vec![stack.due("a", &hangs), stack.due("b", &sound)]).await, ["a"]);
    assert_eq!([stack.status(&hangs), stack.status(&sound)], [Status::Running, Status::Completed]);
    let left_ms = world::NOW.plus(INVOCATION_MS).since(stack.world.now());
    assert!((1..1_000).contains(&left_ms), "{left_ms} ms are left to answer");
    sleep(Duration::from_mins(1)).await;
    assert_eq!(Arc::strong_count(&stack.batch), 1, "what was given up has ended");
}

#[tokio::test(start_paused = true)]
async fn a_job_that_is_stored_a_moment_later_is_found_in_the_same_invocation() {
    let stack = Stack::new();
    let job = stack.job("ok", &json!({})).await;
    stack.world.tables().jobs.clear();
    let store = async {
        sleep(Duration::from_millis(60)).await;
        stack.world.tables().jobs.insert(job.id, job.clone());
    };
    let (returned, ()) = tokio::join!(stack.receive(vec![stack.due("a", &job)]), store);
    assert_eq!((returned, stack.queue.take(), stack.status(&job)), (vec![], vec![], Status::Completed));
}

#[tokio::test(start_paused = true)]
async fn a_young_message_without_a_job_is_kept_and_an_old_one_is_dropped() {
    let stack = Stack::new();
    let fire = Fire { job_id: JobId::new(world::NOW, 9), generation: 1, run_no: 1 };
    let message = Message::new(fire, world::NOW);
    assert_eq!(stack.receive(vec![stack.record("a", &message)]).await, ["a"]);
    assert_eq!(stack.queue.take(), [Carried::Hidden("handle-a".into(), 1)]);
    let mut old = stack.record("a", &message);
    sleep(Duration::from_mins(1)).await;
    assert_eq!(stack.receive(vec![received(40, old.clone())]).await, [""; 0]);
    assert_eq!(stack.queue.take(), []);
    // One that does not say its age may be young.
    old["attributes"].as_object_mut().unwrap().remove("SentTimestamp");
    assert_eq!(stack.receive(vec![old]).await, ["a"]);
}

#[tokio::test(start_paused = true)]
async fn a_fire_of_a_retry_that_is_not_stored_yet_is_waited_for() {
    let stack = Stack::new();
    let job = stack.job("ok", &json!({})).await;
    let next = Message::new(Fire { generation: 2, ..job.fire() }, world::NOW);
    assert_eq!(stack.receive(vec![stack.record("a", &next)]).await, ["a"]);
    assert_eq!((stack.status(&job), stack.queue.take().len()), (Status::Queued, 1));
}

#[tokio::test(start_paused = true)]
async fn a_message_that_is_due_before_its_job_is_waits_for_what_may_be_stored() {
    let stack = Stack::new();
    let later = world::NOW.plus(600_000);
    let job = stack.job("ok", &json!({"start_at": later.0})).await;
    // As of a run in its backoff that was just requested to run now.
    sleep(Duration::from_secs(5)).await;
    let now = Message::new(job.fire(), stack.world.now());
    let record = stack.record("a", &now);
    assert_eq!(stack.receive(vec![record.clone()]).await, ["a"]);
    assert_eq!(stack.queue.take(), [Carried::Hidden("handle-a".into(), 1)]);
    sleep(Duration::from_mins(2)).await;
    assert_eq!(stack.receive(vec![record]).await, ["a"]);
    assert_eq!(stack.queue.take(), [Carried::Hidden("handle-a".into(), 475)]);
}

#[tokio::test(start_paused = true)]
async fn the_clock_of_whoever_asks_a_run_in_its_backoff_to_go_on_may_be_behind() {
    let stack = Stack::new();
    let retry = json!({"initialDelay": 600_000, "maxDelay": 600_000, "jitter": false});
    let job = stack.job("ok", &json!({"retries": 1, "retry": retry})).await;
    let owner = Owner::new(7);
    let begun = Trigger::Claim { fire: job.fire(), owner: owner.clone(), lease_ms: 60_000 };
    let failed = Trigger::Fail { owner, error: RunError::transient("TIMEOUT", "no answer"), random: 0.0 };
    sleep(Duration::from_secs(5)).await;
    for event in [begun, failed] {
        world::happens(&stack.world, job.id, &event);
    }
    for (behind_ms, hidden_seconds) in [(0, 1), (999, 1), (1_000, 600)] {
        let now = Message::new(job.fire(), stack.world.now().plus(-behind_ms));
        assert_eq!(stack.receive(vec![stack.record("a", &now)]).await, ["a"]);
        assert_eq!(stack.queue.take(), [Carried::Hidden("handle-a".into(), hidden_seconds)], "{behind_ms}");
    }
    // A copy of the run's own message waits for the whole backoff.
    assert_eq!(stack.receive(vec![stack.due("a", &job)]).await, ["a"]);
    assert_eq!(stack.queue.take(), [Carried::Hidden("handle-a".into(), 600)]);
}

#[tokio::test(start_paused = true)]
async fn a_young_message_of_a_paused_job_is_kept_as_its_resumption_may_not_be_stored_yet() {
    let stack = Stack::new();
    let job = stack.job("ok", &json!({"retries": 1})).await;
    let owner = Owner::new(7);
    let begun = Trigger::Claim { fire: job.fire(), owner: owner.clone(), lease_ms: 60_000 };
    let failed = Trigger::Fail { owner, error: RunError::transient("TIMEOUT", "no answer"), random: 0.0 };
    for event in [begun, failed, Trigger::Pause] {
        world::happens(&stack.world, job.id, &event);
    }
    let due = stack.due("a", &job);
    assert_eq!(stack.receive(vec![due.clone()]).await, ["a"]);
    assert_eq!(stack.queue.take(), [Carried::Hidden("handle-a".into(), 1)]);
    sleep(Duration::from_mins(1)).await;
    assert_eq!(stack.receive(vec![due]).await, [""; 0]);
    assert_eq!((stack.queue.take(), stack.status(&job)), (vec![], Status::Paused));
}
