//! Who takes the next step: running operations without a runtime.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

/// Lets whoever else is polled go first.
pub async fn yield_once() {
    let mut has_yielded = false;
    poll_fn(|context| {
        if std::mem::replace(&mut has_yielded, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// Runs one operation to its end. Nothing in memory ever waits for anything but its turn.
pub fn block_on<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(value) = future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            return value;
        }
    }
}

/// Runs operations at once: `pick` says which of those that are left (so many) takes its next step.
pub fn interleave<'a, T>(
    futures: Vec<Pin<Box<dyn Future<Output = T> + 'a>>>,
    mut pick: impl FnMut(usize) -> usize,
) -> Vec<T> {
    let mut values: Vec<Option<T>> = futures.iter().map(|_| None).collect();
    let mut left: Vec<_> = futures.into_iter().enumerate().collect();
    while !left.is_empty() {
        let at = pick(left.len()) % left.len();
        let (index, future) = &mut left[at];
        if let Poll::Ready(value) = future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            values[*index] = Some(value);
            drop(left.swap_remove(at));
        }
    }
    values.into_iter().flatten().collect()
}

/// Runs an operation until `is_time` says so, and then lets its process die. The value if it came to its end before.
pub fn crash_when<T>(future: impl Future<Output = T>, mut is_time: impl FnMut() -> bool) -> Option<T> {
    let mut future = pin!(future);
    while !is_time() {
        if let Poll::Ready(value) = future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            return Some(value);
        }
    }
    None
}
