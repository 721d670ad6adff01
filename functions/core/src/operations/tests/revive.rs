//! Spent jobs that come back: one by its dead letter, many by a caller's wish.

use super::*;

fn spent(stack: &Stack) -> Job {
    let job = stack.scheduled(&json!({}));
    stack.answers([transient()]);
    stack.drive();
    stack.job(job.id)
}

fn revived(stack: &Stack, fire: Fire) -> Option<Job> {
    block_on(revive(&stack.memory, fire)).unwrap()
}

fn redriven(stack: &Stack, limit: usize) -> usize {
    block_on(redrive(&stack.memory, &owner_of_shop(), "shop", "prd", limit)).unwrap()
}

#[test]
fn a_dead_letter_that_comes_back_gives_its_job_a_fresh_budget_once() {
    let stack = Stack::new();
    let job = spent(&stack);
    let again = revived(&stack, job.fire()).unwrap();
    assert_eq!((again.fire(), again.state.run.attempts), (Fire { generation: 2, ..job.fire() }, 0));
    assert_eq!(revived(&stack, job.fire()), None, "the letter came twice");
    stack.drive();
    assert_eq!((stack.status(job.id), stack.dispatched()), (Status::Completed, 2));
    for fire in [job.fire(), again.fire(), Fire { job_id: JobId::new(NOW, 3), ..job.fire() }] {
        assert_eq!(revived(&stack, fire), None, "{fire}");
    }
    assert_eq!(stack.dispatched(), 2);
}

#[test]
fn a_job_that_another_retried_meanwhile_is_left_to_them() {
    let stack = Stack::new();
    let job = spent(&stack);
    let id = job.id;
    let retried = move |world: &mut Tables| happens(world, id, &Trigger::Retry { delay_ms: 3_600_000 });
    stack.script(PortCall::Commit, Fault::Overtaken(Box::new(retried)));
    assert_eq!(revived(&stack, job.fire()), None);
    assert_eq!(stack.job(id).state.run.due_at.since(stack.memory.tables().now), 3_600_000);
}

#[test]
fn a_fault_while_reviving_loses_no_letter() {
    for (call, fault) in [
        (PortCall::GetJob, Fault::Before),
        (PortCall::Arm, Fault::Before),
        (PortCall::Arm, Fault::After),
        (PortCall::Commit, Fault::Before),
    ] {
        let stack = Stack::new();
        let job = spent(&stack);
        stack.script(call, fault);
        assert!(block_on(revive(&stack.memory, job.fire())).is_err(), "{call:?}: the letter comes back");
        assert!(revived(&stack, job.fire()).is_some(), "{call:?}");
        stack.drive();
        assert_eq!((stack.status(job.id), stack.dispatched()), (Status::Completed, 2));
    }
    for fault in [Fault::After, Fault::Twice] {
        let stack = Stack::new();
        let job = spent(&stack);
        stack.script(PortCall::Commit, fault);
        assert!(revived(&stack, job.fire()).is_some(), "a lost answer is looked up");
    }
}

#[test]
fn a_redrive_takes_the_spent_jobs_of_its_environment_up_to_its_limit() {
    let stack = Stack::new();
    let jobs: Vec<Job> = (0..5).map(|_| spent(&stack)).collect();
    let sound = stack.scheduled(&json!({}));
    stack.drive();
    assert_eq!((redriven(&stack, 0), redriven(&stack, 2), redriven(&stack, 100)), (0, 2, 3));
    stack.drive();
    assert!(jobs.iter().all(|job| stack.status(job.id) == Status::Completed));
    assert_eq!((stack.job(sound.id).state.run.generation, redriven(&stack, 100)), (1, 0));
}

#[test]
fn a_redrive_begins_no_job_when_its_caller_has_waited_long_enough() {
    let stack = Stack::new();
    let jobs: Vec<Job> = (0..3).map(|_| spent(&stack)).collect();
    let slow = |world: &mut Tables| world.now = world.now.plus(15_000);
    stack.script(PortCall::GetJob, Fault::Overtaken(Box::new(slow)));
    assert_eq!(redriven(&stack, 100), 1);
    assert_eq!(jobs.iter().filter(|job| stack.status(job.id) == Status::Failed).count(), 2);
}

#[test]
fn a_redrive_of_a_product_takes_the_environments_that_the_key_opens() {
    let stack = Stack::new();
    let job = spent(&stack);
    let of = |caller: &ApiKey| block_on(redrive_product(&stack.memory, caller, "shop", 10));
    assert_eq!(of(&key("shop", "dev")).unwrap(), 0);
    for stranger in [key("bank", "*"), key("shop", "stg")] {
        assert!(matches!(of(&stranger), Err(OperationError::NotOpened)));
    }
    assert_eq!(stack.job(job.id), job);
    assert_eq!(of(&key("shop", "prd")).unwrap(), 1);
    stack.memory.tables().catalogs.clear();
    assert!(matches!(of(&owner_of_shop()), Err(OperationError::NotFound("product"))));
}

#[test]
fn only_a_key_to_everything_redrives_everything() {
    let stack = Stack::new();
    let job = spent(&stack);
    for stranger in [owner_of_shop(), key("*", "prd")] {
        let refused = block_on(redrive_all(&stack.memory, &stranger, 10));
        assert!(matches!(refused, Err(OperationError::NotOpened)));
    }
    assert_eq!(stack.job(job.id), job);
    assert_eq!(block_on(redrive_all(&stack.memory, &key("*", "*"), 10)).unwrap(), Redriving::Done(1));
}

#[test]
fn only_a_writer_of_the_environment_redrives_it() {
    let stack = Stack::new();
    let job = spent(&stack);
    for stranger in [key("bank", "*"), key("shop", "dev")] {
        let refused = block_on(redrive(&stack.memory, &stranger, "shop", "prd", 10));
        assert!(matches!(refused, Err(OperationError::NotOpened)));
    }
    let reader = ApiKey { scopes: vec![Scope::JobsRead], ..owner_of_shop() };
    let refused = block_on(redrive(&stack.memory, &reader, "shop", "prd", 10));
    assert!(matches!(refused, Err(OperationError::MissingScope(Scope::JobsWrite))));
    assert_eq!(stack.job(job.id), job);
}
