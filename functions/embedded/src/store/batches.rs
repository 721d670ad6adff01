//! A channel whose receiver takes all waiting items as one batch.
//!
//! A COMMIT costs as much as five to ten small writes. A fast receiver that never waits would take few items at a time, and pay
//! that price for nearly every write. So while writes keep coming, it waits briefly until a batch is as large as the one before.
//! A single write does not wait.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::locked;

/// A batch of this size does not wait to grow.
const LARGE: usize = 64;

/// Creates a channel. A batch waits at most for `patience` to become as large as the one before.
pub(super) fn channel<T>(patience: Duration) -> (Sender<T>, Receiver<T>) {
    let queue = Queue { waiting: Vec::new(), wanted: usize::MAX, is_closed: false };
    let shared = Arc::new(Shared { queue: Mutex::new(queue), enough: Condvar::new() });
    (Sender(Arc::clone(&shared)), Receiver { shared, patience, last: 1 })
}

struct Shared<T> {
    queue: Mutex<Queue<T>>,
    /// Notified when enough items wait, or the channel is closed.
    enough: Condvar,
}

struct Queue<T> {
    waiting: Vec<T>,
    /// The number of items for which the receiver sleeps.
    wanted: usize,
    is_closed: bool,
}

/// The sending end. Dropping it closes the channel; sent items are still received.
pub(super) struct Sender<T>(Arc<Shared<T>>);

impl<T> Sender<T> {
    /// Sends an item, which is dropped if the receiver is gone.
    pub(super) fn send(&self, sent: T) {
        let mut queue = locked(&self.0.queue);
        if queue.is_closed {
            return;
        }
        queue.waiting.push(sent);
        if queue.waiting.len() == queue.wanted {
            drop(queue);
            self.0.enough.notify_one();
        }
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        locked(&self.0.queue).is_closed = true;
        self.0.enough.notify_one();
    }
}

impl<T> std::fmt::Debug for Sender<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Sender").finish_non_exhaustive()
    }
}

/// The receiving end. Dropping it drops the waiting items.
pub(super) struct Receiver<T> {
    shared: Arc<Shared<T>>,
    patience: Duration,
    /// The size of the batch before.
    last: usize,
}

impl<T> Receiver<T> {
    /// Waits for the next batch, of at most `most` items; `None` if the channel is closed and empty.
    pub(super) fn receive(&mut self, most: usize) -> Option<Vec<T>> {
        let wanted = self.last.min(LARGE).min(most);
        let mut queue = self.wait(locked(&self.shared.queue), 1, None);
        if queue.waiting.len() < wanted {
            queue = self.wait(queue, wanted, Some(self.patience));
        }
        queue.wanted = usize::MAX;
        let later = if queue.waiting.len() > most { queue.waiting.split_off(most) } else { Vec::with_capacity(wanted) };
        let batch = std::mem::replace(&mut queue.waiting, later);
        drop(queue);
        self.last = batch.len();
        (!batch.is_empty()).then_some(batch)
    }

    fn wait<'q>(
        &self,
        mut queue: MutexGuard<'q, Queue<T>>,
        wanted: usize,
        patience: Option<Duration>,
    ) -> MutexGuard<'q, Queue<T>> {
        queue.wanted = wanted;
        let too_few = |queue: &mut Queue<T>| queue.waiting.len() < wanted && !queue.is_closed;
        let enough = &self.shared.enough;
        match patience {
            None => enough.wait_while(queue, too_few).unwrap_or_else(PoisonError::into_inner),
            Some(patience) => {
                enough.wait_timeout_while(queue, patience, too_few).unwrap_or_else(PoisonError::into_inner).0
            }
        }
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        let mut queue = locked(&self.shared.queue);
        queue.is_closed = true;
        let dropped = std::mem::take(&mut queue.waiting);
        drop(queue);
        drop(dropped);
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    const FOREVER: Duration = Duration::from_hours(1);

    fn sent(sender: &Sender<u32>, numbers: std::ops::Range<u32>) {
        numbers.for_each(|number| sender.send(number));
    }

    #[test]
    fn what_comes_alone_waits_for_nothing_and_what_comes_together_is_one_batch() {
        let (sender, mut receiver) = channel(FOREVER);
        for number in 0..3 {
            sender.send(number);
            assert_eq!(receiver.receive(8), Some(vec![number]));
        }
        sent(&sender, 0..5);
        assert_eq!(receiver.receive(8), Some((0..5).collect()));
    }

    #[test]
    fn a_batch_waits_until_it_is_as_large_as_the_one_before() {
        let (sender, mut receiver) = channel(FOREVER);
        sent(&sender, 0..3);
        assert_eq!(receiver.receive(8).map(|batch| batch.len()), Some(3));
        let sending = thread::spawn(move || {
            sent(&sender, 0..3);
            sender
        });
        assert_eq!(receiver.receive(8), Some((0..3).collect()));
        drop(sending.join().unwrap());
        assert_eq!(receiver.receive(8), None);
    }

    #[test]
    fn a_batch_that_does_not_grow_is_received_all_the_same() {
        let (sender, mut receiver) = channel(Duration::from_millis(1));
        sent(&sender, 0..3);
        assert_eq!(receiver.receive(8).map(|batch| batch.len()), Some(3));
        sender.send(7);
        assert_eq!(receiver.receive(8), Some(vec![7]));
        // From here on it is expected to be alone.
        assert_eq!(receiver.last, 1);
    }

    #[test]
    fn a_batch_has_no_more_than_the_most_and_the_rest_comes_next() {
        let (sender, mut receiver) = channel(FOREVER);
        sent(&sender, 0..5);
        assert_eq!(receiver.receive(2), Some(vec![0, 1]));
        assert_eq!(receiver.receive(2), Some(vec![2, 3]));
        // A channel that is closed has nothing to wait for.
        drop(sender);
        assert_eq!(receiver.receive(2), Some(vec![4]));
        assert_eq!(receiver.receive(2), None);
    }

    #[test]
    fn what_waits_is_dropped_with_the_receiver_and_what_comes_then_too() {
        let (sender, receiver) = channel(FOREVER);
        let [before, after] = [Arc::new(()), Arc::new(())];
        sender.send(Arc::clone(&before));
        drop(receiver);
        sender.send(Arc::clone(&after));
        assert_eq!([before, after].map(|it| Arc::strong_count(&it)), [1, 1]);
    }
}
