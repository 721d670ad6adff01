//! Randomness from the operating system.

use std::cell::RefCell;

use carillon_core::ports::Entropy;

/// Numbers of 16 bytes that a thread draws at a time: a system call costs more than making all of them.
const DRAWN: usize = 32;

thread_local! {
    static POOL: RefCell<Pool> = const { RefCell::new(Pool { numbers: [0; DRAWN], left: 0 }) };
}

/// Numbers that were drawn and not given out yet. The place of one that was given out is zero, as it may be a secret now.
struct Pool {
    numbers: [u128; DRAWN],
    left: usize,
}

impl Pool {
    fn next(&mut self) -> u128 {
        if self.left == 0 {
            self.numbers = drawn();
            self.left = DRAWN;
        }
        self.left -= 1;
        std::mem::take(&mut self.numbers[self.left])
    }
}

fn drawn() -> [u128; DRAWN] {
    let mut bytes = [0; 16 * DRAWN];
    #[expect(clippy::disallowed_methods, reason = "this is the adapter of the Entropy port")]
    let filled = getrandom::fill(&mut bytes);
    if let Err(error) = filled {
        panic!("the operating system gives no randomness: {error}");
    }
    let (numbers, _) = bytes.as_chunks();
    std::array::from_fn(|index| u128::from_ne_bytes(numbers[index]))
}

/// The random number generator of the operating system.
#[derive(Clone, Copy, Debug, Default)]
pub struct OsEntropy;

impl Entropy for OsEntropy {
    /// # Panics
    /// If the operating system has no randomness, because ids and secrets without it would be unsafe.
    fn bits(&self) -> u128 {
        POOL.with_borrow_mut(Pool::next)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn no_number_is_given_out_twice_and_none_stays_behind() {
        let numbers: Vec<u128> = (0..=3 * DRAWN).map(|_| OsEntropy.bits()).collect();
        assert_eq!(numbers.iter().collect::<HashSet<_>>().len(), numbers.len());
        POOL.with_borrow(|pool| {
            assert_eq!(pool.left, DRAWN - 1);
            assert_eq!(pool.numbers[pool.left..], [0]);
        });
    }
}
