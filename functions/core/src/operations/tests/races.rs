//! Several actors at once, in every order that their calls can have.

use std::future::Future;
use std::pin::Pin;

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::testkit::turns::interleave;

type Actor<'a> = Pin<Box<dyn Future<Output = ()> + 'a>>;

fn deliver(stack: &Stack, fire: Fire) -> Actor<'_> {
    Box::pin(async move {
        let execution = execute(&stack.memory, &stack.executor, fire).await.unwrap();
        if let Verdict::Redeliver { at } = execution.verdict {
            stack.memory.tables().armed.insert((at, fire));
        }
    })
}

/// Lets the actors take their turns as `turns` says, and then in order.
fn take_turns(actors: Vec<Actor<'_>>, turns: &[usize]) {
    let mut turns = turns.iter().copied();
    interleave(actors, |_| turns.next().unwrap_or_default());
}

/// The run continues under the same fire, so the timer that the pause would remove may be the new one.
#[test]
fn a_pause_that_is_slow_to_end_leaves_the_timer_to_whoever_resumes_the_job_meanwhile() {
    let stack = Stack::new();
    let job = stack.scheduled(&json!({"retries": 2}));
    stack.answers([transient()]);
    stack.execute(job.fire()).unwrap();
    // The message of the next attempt comes while the job is paused, and is void.
    stack.memory.tables().armed.clear();
    let caller = owner_of_shop();
    let pausing = async { drop(pause(&stack.memory, &caller, job.id).await.unwrap()) };
    let resuming = async { drop(resume(&stack.memory, &caller, job.id).await.unwrap()) };
    let actors: Vec<Actor<'_>> = vec![Box::pin(pausing), Box::pin(resuming)];
    interleave(actors, |left| if stack.status(job.id) == Status::Paused { left - 1 } else { 0 });
    let (status, armed) = (stack.status(job.id), stack.memory.tables().armed.clone());
    assert_eq!((status, armed.iter().map(|(_, fire)| *fire).collect::<Vec<_>>()), (Status::Queued, vec![job.fire()]));
}

/// The timer is armed before the resume is stored, and is due at once.
#[test]
fn a_message_that_is_faster_than_the_resume_that_armed_it_is_kept() {
    let stack = Stack::new();
    let job = stack.scheduled(&json!({"retries": 2}));
    stack.answers([transient()]);
    stack.execute(job.fire()).unwrap();
    let caller = owner_of_shop();
    block_on(pause(&stack.memory, &caller, job.id)).unwrap();
    assert_eq!(stack.execute(job.fire()).unwrap().verdict, Verdict::Unknown, "whoever carries it decides by its age");
    block_on(resume(&stack.memory, &caller, job.id)).unwrap();
    assert_eq!(stack.execute(job.fire()).unwrap().verdict, Verdict::Acknowledge);
    assert_eq!((stack.status(job.id), stack.dispatched()), (Status::Completed, 2));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn duplicates_of_a_message_make_one_dispatch_and_one_outcome(turns in vec(0..3_usize, 0..40)) {
        let stack = Stack::new();
        let job = stack.scheduled(&json!({"retries": 2}));
        stack.answers([transient()]);
        take_turns((0..3).map(|_| deliver(&stack, job.fire())).collect(), &turns);
        prop_assert_eq!(stack.dispatched(), 1, "the backoff holds for all of them");
        stack.drive();
        prop_assert_eq!((stack.status(job.id), stack.dispatched()), (Status::Completed, 2));
        prop_assert_eq!((stack.job(job.id).state.run.attempts, outcomes(&stack, job.fire()).len()), (2, 1));
    }

    #[test]
    fn whoever_acts_in_whatever_order_each_fire_has_one_outcome(turns in vec(0..5_usize, 0..60), fails in any::<bool>()) {
        let stack = Stack::new();
        let job = stack.scheduled(&json!({}));
        stack.answers(fails.then(transient));
        let caller = owner_of_shop();
        let cancelled = Mutex::new(false);
        let cancelling = async {
            let answer = cancel(&stack.memory, &caller, job.id, None).await;
            *cancelled.lock().unwrap() = answer.is_ok();
        };
        let retrying = async { drop(retry(&stack.memory, &caller, job.id, 0).await) };
        let retrying_too = async { drop(retry(&stack.memory, &caller, job.id, 1).await) };
        let actors: Vec<Actor<'_>> = vec![
            deliver(&stack, job.fire()),
            deliver(&stack, job.fire()),
            Box::pin(cancelling),
            Box::pin(retrying),
            Box::pin(retrying_too),
        ];
        take_turns(actors, &turns);
        stack.drive();
        let now = stack.job(job.id);
        prop_assert!(now.state.status.is_settled(), "{}", now.state.status);
        for generation in 1..=now.state.run.generation {
            prop_assert_eq!(outcomes(&stack, Fire { generation, ..job.fire() }).len(), 1);
        }
        prop_assert_eq!(now.state.status == Status::Cancelled, *cancelled.lock().unwrap(), "what was answered holds");
        prop_assert!(now.state.run.attempts <= 1);
    }
}
