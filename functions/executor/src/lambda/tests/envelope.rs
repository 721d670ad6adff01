//! Records among others: what one of them does to the rest.

use super::*;

#[tokio::test(start_paused = true)]
async fn a_record_without_a_message_id_fails_the_invocation_before_anything_is_done() {
    for id in [json!(null), json!(""), json!("absent")] {
        let stack = Stack::new();
        let job = stack.job("ok", &json!({})).await;
        let mut nameless = stack.due("x", &job);
        nameless["messageId"] = id.clone();
        if id == "absent" {
            nameless.as_object_mut().unwrap().remove("messageId");
        }
        assert!(stack.receive_within(INVOCATION_MS, vec![stack.due("a", &job), nameless]).await.is_err(), "{id}");
        assert_eq!((stack.target.arrivals().len(), stack.status(&job)), (0, Status::Queued), "{id}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_malformed_body_is_dead_lettered_once_and_forgotten() {
    let bodies = ["", "{", "hello", "7", "{}", r#"{"fire":"job_x_g1_r1","due_at":0}"#, r#"{"fire":7,"due_at":"x"}"#];
    for body in bodies {
        let stack = Stack::new();
        assert_eq!(stack.receive(vec![unreadable("a", body)]).await, [""; 0], "{body}");
        assert_eq!(stack.queue.take(), [Carried::Unreadable(body.to_owned())]);
    }
    let stack = Stack::new();
    let mut bodiless = unreadable("a", "");
    bodiless.as_object_mut().unwrap().remove("body");
    assert_eq!(stack.receive(vec![bodiless]).await, [""; 0]);
    assert_eq!(stack.queue.take(), [Carried::Unreadable(String::new())]);
}

#[tokio::test(start_paused = true)]
async fn a_malformed_body_that_cannot_be_parked_comes_back() {
    let stack = Stack::new();
    stack.queue.fails_at("dead_letter");
    assert_eq!(stack.receive(vec![unreadable("a", "hello")]).await, ["a"]);
    assert_eq!(stack.queue.take(), [Carried::Hidden("handle-a".into(), 1)]);
}

#[tokio::test(start_paused = true)]
async fn a_poisoned_record_harms_no_other() {
    let stack = Stack::new();
    let (one, other) = (stack.job("ok", &json!({})).await, stack.job("ok", &json!({})).await);
    let batch = vec![stack.due("a", &one), unreadable("poison", "{"), stack.due("b", &other)];
    assert_eq!(stack.receive(batch).await, [""; 0]);
    assert_eq!([stack.status(&one), stack.status(&other)], [Status::Completed; 2]);
    assert_eq!(stack.queue.take(), [Carried::Unreadable("{".into())]);
}

#[tokio::test(start_paused = true)]
async fn a_target_that_panics_fails_its_record_alone_and_costs_one_attempt() {
    let stack = Stack::new();
    let panics = stack.job("panic", &json!({"retries": 1})).await;
    let sound = stack.job("ok", &json!({})).await;
    assert_eq!(stack.receive(vec![stack.due("a", &panics), stack.due("b", &sound)]).await, ["a"]);
    assert_eq!(stack.status(&sound), Status::Completed);
    let state = world::job(&stack.world, panics.id).state;
    assert_eq!((state.status, state.run.attempts), (Status::Running, 1));
    assert_eq!(stack.queue.take(), [Carried::Hidden("handle-a".into(), 1)]);
    // Its lease ends, and so do its attempts.
    for count in 2..=3 {
        let lease_ms = world::job(&stack.world, panics.id).state.lease.unwrap().until.since(stack.world.now());
        tokio::time::advance(std::time::Duration::from_millis(lease_ms.unsigned_abs())).await;
        stack.receive(vec![received(count, stack.due("a", &panics))]).await;
    }
    assert_eq!((stack.status(&panics), stack.target.arrivals().len()), (Status::Failed, 3));
}

#[tokio::test(start_paused = true)]
async fn the_same_fire_twice_in_a_batch_is_dispatched_once_and_both_are_forgotten() {
    let stack = Stack::new();
    let job = stack.job("rest", &json!({})).await;
    assert_eq!(stack.receive(vec![stack.due("a", &job), stack.due("b", &job), stack.due("c", &job)]).await, [""; 0]);
    assert_eq!((stack.status(&job), stack.target.arrivals().len()), (Status::Completed, 1));
    assert_eq!(stack.queue.take(), []);
}

#[tokio::test(start_paused = true)]
async fn a_fire_twice_in_a_batch_that_fails_is_attempted_once_and_both_come_back_after_the_backoff() {
    let stack = Stack::new();
    let job = stack.job("broken", &json!({"retries": 1, "retry": {"initialDelay": 5_000, "jitter": false}})).await;
    assert_eq!(stack.receive(vec![stack.due("a", &job), stack.due("b", &job)]).await, ["a", "b"]);
    assert_eq!(stack.queue.take(), ["a", "b"].map(|id| Carried::Hidden(format!("handle-{id}"), 5)));
    assert_eq!(stack.target.arrivals().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn copies_of_an_early_message_are_sent_on_as_one() {
    let stack = Stack::new();
    let job = stack.job("ok", &json!({"start_at": world::NOW.plus(60_000).0})).await;
    assert_eq!(stack.receive(vec![stack.due("a", &job), stack.due("b", &job)]).await, [""; 0]);
    assert_eq!(stack.queue.take().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_second_copy_of_a_fire_that_is_spent_parks_nothing() {
    let stack = Stack::new();
    let job = stack.job("hopeless", &json!({})).await;
    assert_eq!(stack.receive(vec![stack.due("a", &job), stack.due("b", &job)]).await, [""; 0]);
    assert!(matches!(stack.queue.take().as_slice(), [Carried::DeadLettered(..)]));
    assert_eq!(stack.receive(vec![stack.due("c", &job)]).await, [""; 0]);
    assert_eq!(stack.queue.take(), []);
}

#[tokio::test(start_paused = true)]
async fn records_run_side_by_side() {
    let stack = Stack::new();
    // Neither target answers before both were asked.
    let (one, other) = (stack.job("meet", &json!({})).await, stack.job("meet", &json!({})).await);
    assert_eq!(stack.receive(vec![stack.due("a", &one), stack.due("b", &other)]).await, [""; 0]);
    assert_eq!([stack.status(&one), stack.status(&other)], [Status::Completed; 2]);
}

#[tokio::test(start_paused = true)]
async fn a_trace_is_passed_on_and_the_invocations_own_where_there_is_none() {
    let stack = Stack::new();
    let (own, none) = (stack.job("ok", &json!({})).await, stack.job("ok", &json!({})).await);
    let mut traced = stack.due("a", &own);
    traced["attributes"]["AWSTraceHeader"] = json!("Root=1-sender");
    stack.receive(vec![traced, stack.due("b", &none)]).await;
    let mut passed_on: Vec<_> =
        stack.target.arrivals().into_iter().map(|arrival| arrival.call.trace.unwrap()).collect();
    passed_on.sort();
    assert_eq!(passed_on, ["Root=1-invocation", "Root=1-sender"]);
}

#[tokio::test(start_paused = true)]
async fn an_empty_batch_is_done() {
    assert_eq!(Stack::new().receive(Vec::new()).await, [""; 0]);
}
