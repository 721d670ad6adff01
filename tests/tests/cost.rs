//! The AWS requests of a job, counted as the adapters send them, so that no change makes a job dearer unseen.

use carillon_tests::bench::aws::counts::Counts;
use carillon_tests::bench::aws::ledger::{Deployment, Life};

async fn counts(life: Life, jobs: usize) -> Counts {
    Deployment::warm().await.unwrap().run(life, jobs).await.unwrap()
}

#[tokio::test]
async fn an_immediate_job_takes_four_write_units_and_one_message() {
    let counts = counts(Life::Immediate, 1).await;
    assert_eq!((counts.table_writes, counts.index_writes), (3, 1), "{counts:?}");
    assert_eq!((counts.sends, counts.schedules), (1, 0), "{counts:?}");
    // The job; a message that is sent, received and deleted.
    assert_eq!((counts.half_reads, counts.sqs_requests, counts.invocations), (2, 3, 2), "{counts:?}");
}

#[tokio::test]
async fn a_job_due_later_takes_a_schedule_and_a_message_more_and_moves_once_in_the_index() {
    let later = counts(Life::InAnHour, 1).await;
    assert_eq!((later.table_writes, later.index_writes), (3, 3), "{later:?}");
    // The schedule's message, which is early, and the one that it is sent on as.
    assert_eq!((later.schedules, later.sends), (1, 2), "{later:?}");
}

#[tokio::test]
async fn a_failed_attempt_takes_two_writes_and_the_first_one_moves_the_job_in_the_index_and_back() {
    let (now, failing) = (counts(Life::Immediate, 1).await, counts(Life::FailsOnce, 1).await);
    assert_eq!(
        (failing.table_writes, failing.index_writes),
        (now.table_writes + 2, now.index_writes + 4),
        "{failing:?}"
    );
    assert_eq!(failing.sends, 1, "a retry is the same message: {failing:?}");
}

#[tokio::test]
async fn a_job_whose_result_is_remembered_takes_three_write_units_and_two_read_units() {
    let hit = counts(Life::Cached, 1).await;
    // It is stored and settled, and never claimed: nothing is dispatched.
    assert_eq!((hit.table_writes, hit.index_writes), (2, 1), "{hit:?}");
    // The job; the result and the mark of its cache, half a unit each.
    assert_eq!((hit.half_reads, hit.sends, hit.sqs_requests), (4, 1, 3), "{hit:?}");
    let ten = counts(Life::Cached, 10).await;
    assert_eq!((ten.write_units(), ten.half_reads), (30, 40), "{ten:?}");
}

#[tokio::test]
async fn a_result_that_will_be_remembered_takes_its_lease_and_its_entry_more() {
    let (now, caching) = (counts(Life::Immediate, 1).await, counts(Life::Caches, 1).await);
    // The lease, and the result with its place in the index; a look for the result before, and for the lease after.
    assert_eq!(
        (caching.table_writes, caching.index_writes, caching.half_reads),
        (now.table_writes + 2, now.index_writes + 1, now.half_reads + 4),
        "{caching:?}"
    );
}

#[tokio::test]
async fn a_named_request_takes_a_write_unit_and_a_read_unit_more() {
    let (now, named) = (counts(Life::Immediate, 1).await, counts(Life::Named, 1).await);
    assert_eq!((named.table_writes, named.index_writes), (now.table_writes + 1, now.index_writes), "{named:?}");
    // The look whether the name stands already.
    assert_eq!((named.half_reads, named.sends), (now.half_reads + 2, now.sends), "{named:?}");
}

#[tokio::test]
async fn what_a_job_reads_does_not_grow_with_the_jobs_before_it() {
    let mut deployment = Deployment::warm().await.unwrap();
    let first = deployment.run(Life::Immediate, 1).await.unwrap();
    for _ in 0..10 {
        let ten = deployment.run(Life::Immediate, 10).await.unwrap();
        assert_eq!((ten.half_reads, ten.write_units()), (10 * first.half_reads, 10 * first.write_units()));
    }
    let last = deployment.run(Life::Immediate, 1).await.unwrap();
    assert_eq!((last.half_reads, last.write_units()), (first.half_reads, first.write_units()));
}
