use carillon_core::time::UnixMillis;
use futures_util::FutureExt;

use super::{DueFire, DueQueue};
use crate::clock::ManualClock;
use crate::locked;
use crate::samples::{NOW, job};

fn due_queue(capacity: usize, horizon_ms: i64) -> DueQueue {
    let due_queue = DueQueue::new(capacity);
    assert_eq!(due_queue.begin_refill(NOW.plus(horizon_ms)), Some(UnixMillis(i64::MIN)));
    due_queue
}

/// The fire of job `number`, as it is taken.
fn due(due_queue: &DueQueue, number: u32) -> DueFire {
    DueFire { fire: job(number, 0).fire(), product: locked(&due_queue.state).turns.number("shop") }
}

fn note(due_queue: &DueQueue, number: u32, due_in_ms: i64) {
    due_queue.note("shop", job(number, 0).fire(), Some(NOW.plus(due_in_ms)));
}

/// Takes the jobs that are due after this time and returns their numbers in that order.
fn taken(due_queue: &DueQueue, after_ms: i64) -> Vec<u32> {
    let known: Vec<_> = (0..100).map(|number| job(number, 0).fire()).collect();
    let number = |fire| u32::try_from(known.iter().position(|known| *known == fire).unwrap()).unwrap();
    std::iter::from_fn(|| due_queue.take_fire(NOW.plus(after_ms)).ok().map(number)).collect()
}

#[test]
fn what_is_due_is_taken_earliest_first_and_nothing_else_is() {
    let due_queue = due_queue(100, 60_000);
    for (number, due_in_ms) in [(1, 30), (2, 10), (3, 20), (4, 10)] {
        note(&due_queue, number, due_in_ms);
    }
    assert!(taken(&due_queue, 9).is_empty());
    assert_eq!(due_queue.take_fire(NOW), Err(Some(NOW.plus(10))));
    assert_eq!(taken(&due_queue, 20), [2, 4, 3]);
    assert_eq!(taken(&due_queue, 1_000), [1]);
    assert_eq!(due_queue.take_fire(NOW), Err(None));
}

#[test]
fn products_with_due_timers_take_turns_and_others_lose_none() {
    let due_queue = due_queue(100, 60_000);
    for (product, number, due_in_ms) in [
        ("busy", 1, 1),
        ("busy", 2, 2),
        ("busy", 3, 3),
        ("busy", 4, 4),
        ("quiet", 5, 9),
        ("other", 6, 8),
        ("quiet", 7, 9),
        ("later", 8, 20),
    ] {
        due_queue.note(product, job(number, 0).fire(), Some(NOW.plus(due_in_ms)));
    }
    assert_eq!(taken(&due_queue, 10), [1, 6, 5, 2, 7, 3, 4]);
    // A product that had nothing due waits for no more than one timer of each other one.
    due_queue.note("busy", job(1, 0).fire(), Some(NOW.plus(5)));
    due_queue.note("busy", job(2, 0).fire(), Some(NOW.plus(6)));
    due_queue.note("quiet", job(5, 0).fire(), Some(NOW.plus(19)));
    assert_eq!(taken(&due_queue, 20), [1, 5, 8, 2]);
    assert_eq!(due_queue.take_fire(NOW.plus(20)), Err(None));
}

#[test]
fn a_product_whose_turn_comes_with_nothing_due_is_passed_over_and_comes_back() {
    let due_queue = due_queue(100, 60_000);
    for (product, number) in [("a", 1), ("a", 2), ("b", 3), ("b", 4)] {
        due_queue.note(product, job(number, 0).fire(), Some(NOW.plus(number.into())));
    }
    assert_eq!(due_queue.take_fire(NOW.plus(10)), Ok(job(1, 0).fire()));
    // `a` is ready, but its next timer moves on.
    due_queue.note("a", job(2, 0).fire(), Some(NOW.plus(50)));
    assert_eq!(taken(&due_queue, 10), [3, 4]);
    assert_eq!(due_queue.take_fire(NOW.plus(10)), Err(Some(NOW.plus(50))));
    assert_eq!(taken(&due_queue, 50), [2]);
}

#[test]
fn the_product_with_most_timers_falls_behind_and_no_other() {
    let due_queue = due_queue(6, 60_000);
    for number in 1..=9 {
        due_queue.note("busy", job(number, 0).fire(), Some(NOW.plus(number.into())));
    }
    for number in 10..=12 {
        due_queue.note("quiet", job(number, 0).fire(), Some(NOW.plus(1_000)));
    }
    assert_eq!(taken(&due_queue, 2_000), [1, 10, 2, 11, 3, 12]);
    let (_, name, from) = due_queue.begin_catch_up().unwrap();
    assert_eq!((&*name, from), ("busy", NOW.plus(3)));
    assert_eq!(due_queue.begin_catch_up(), None);
}

#[test]
fn a_job_has_one_timer_the_one_that_was_noted_last() {
    let due_queue = due_queue(100, 60_000);
    note(&due_queue, 1, 10);
    note(&due_queue, 1, 500);
    assert!(taken(&due_queue, 499).is_empty());
    note(&due_queue, 1, 5);
    assert_eq!(taken(&due_queue, 1_000), [1]);
    note(&due_queue, 1, 5);
    due_queue.note("shop", job(1, 0).fire(), None);
    assert!(taken(&due_queue, 1_000).is_empty());
}

#[test]
fn the_end_of_a_lease_is_held_however_late_it_is_and_gives_way_to_what_is_noted_next() {
    let due_queue = due_queue(3, 100);
    let lease = |number| due_queue.note_unstored("shop", job(number, 0).fire(), NOW.plus(5_000));
    (1..=4).for_each(lease);
    due_queue.note("shop", job(3, 0).fire(), None);
    note(&due_queue, 2, 50);
    assert_eq!(taken(&due_queue, 4_999), [2]);
    assert_eq!(taken(&due_queue, 5_000), [1, 4]);
}

#[test]
fn no_lease_is_held_before_a_worker_fills_the_queue() {
    let due_queue = DueQueue::new(100);
    due_queue.note_unstored("shop", job(1, 0).fire(), NOW);
    assert_eq!(due_queue.take_fire(NOW), Err(None));
}

#[test]
fn what_was_noted_is_newer_than_what_a_refill_or_a_handler_knows() {
    let due_queue = due_queue(100, 60_000);
    note(&due_queue, 1, 500);
    due_queue.hold("shop", job(1, 0).fire(), NOW);
    assert!(taken(&due_queue, 499).is_empty());
    assert_eq!(taken(&due_queue, 500), [1]);
    due_queue.hold("shop", job(1, 0).fire(), NOW);
    assert_eq!(taken(&due_queue, 500), [1]);
    note(&due_queue, 1, 500);
    due_queue.bring_back(due(&due_queue, 1), NOW);
    assert!(taken(&due_queue, 499).is_empty());
}

#[test]
fn what_is_due_beyond_the_horizon_is_left_to_the_store() {
    let due_queue = due_queue(100, 60_000);
    note(&due_queue, 1, 60_000);
    note(&due_queue, 2, 60_001);
    note(&due_queue, 3, 60_000);
    note(&due_queue, 3, 60_001);
    assert_eq!(taken(&due_queue, 100_000), [1]);
    assert_eq!(due_queue.begin_refill(NOW.plus(60_000)), None);
    assert_eq!(due_queue.begin_refill(NOW.plus(90_000)), Some(NOW.plus(60_000)));
    note(&due_queue, 2, 60_001);
    assert_eq!(taken(&due_queue, 100_000), [2]);
}

#[test]
fn a_full_queue_leaves_its_latest_to_the_store() {
    let due_queue = due_queue(4, 60_000);
    for number in 1..=4 {
        note(&due_queue, number, i64::from(number) * 10);
    }
    note(&due_queue, 5, 50);
    note(&due_queue, 6, 5);
    assert_eq!(due_queue.begin_catch_up(), None, "there is enough to do");
    assert_eq!(taken(&due_queue, 20), [6, 1, 2]);
    note(&due_queue, 7, 45);
    assert!(!due_queue.hold("shop", job(4, 0).fire(), NOW.plus(40)));
    assert_eq!(taken(&due_queue, 1_000), [3], "what the product is behind with is left to the store");
    let (_, name, from) = due_queue.begin_catch_up().unwrap();
    assert_eq!((&*name, from), ("shop", NOW.plus(39)));
    assert!(due_queue.hold("shop", job(4, 0).fire(), NOW.plus(40)));
    assert_eq!(due_queue.begin_catch_up(), None, "it is not behind any more");
    assert_eq!(due_queue.begin_refill(NOW.plus(90_000)), Some(NOW.plus(60_000)));
}

#[test]
fn a_full_queue_keeps_what_no_refill_would_bring_back() {
    let due_queue = due_queue(2, 60_000);
    due_queue.bring_back(due(&due_queue, 1), NOW.plus(1_000));
    due_queue.bring_back(due(&due_queue, 2), NOW.plus(1_000));
    for number in 3..=5 {
        note(&due_queue, number, 10);
    }
    assert_eq!(taken(&due_queue, 1_000), [1, 2]);
    assert_eq!(due_queue.begin_catch_up().map(|(_, _, from)| from), Some(NOW.plus(9)));
}

#[test]
fn a_refill_that_was_put_off_is_called_for_once_there_is_room_however_that_came() {
    let due_queue = due_queue(4, 60_000);
    for number in 1..=5 {
        note(&due_queue, number, 10);
    }
    assert!(due_queue.room().now_or_never().is_none());
    // Settled before they are taken.
    for number in 1..=4 {
        due_queue.note("shop", job(number, 0).fire(), None);
    }
    assert!(due_queue.room().now_or_never().is_some());
    assert!(due_queue.room().now_or_never().is_none());
}

#[tokio::test]
async fn whoever_waits_is_woken_by_an_earlier_timer_and_by_the_clock() {
    let clock = ManualClock::new(NOW);
    let due_queue = due_queue(100, 60_000);
    let (first, ()) = tokio::join!(due_queue.next(&clock), async {
        note(&due_queue, 1, 100);
        tokio::task::yield_now().await;
        note(&due_queue, 2, 50);
        tokio::task::yield_now().await;
        clock.advance(50);
    });
    assert_eq!(first, due(&due_queue, 2));
    let (second, ()) = tokio::join!(due_queue.next(&clock), async { clock.advance(50) });
    assert_eq!(second, due(&due_queue, 1));
}
