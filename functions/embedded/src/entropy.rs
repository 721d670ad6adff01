//! Randomness from the operating system.

use carillon_core::ports::Entropy;

/// The operating system's generator.
#[derive(Clone, Copy, Debug, Default)]
pub struct OsEntropy;

impl Entropy for OsEntropy {
    /// # Panics
    /// When the operating system has no randomness to give: ids and secrets made without it would be worse than none.
    fn bits(&self) -> u128 {
        let mut bytes = [0; 16];
        #[expect(clippy::disallowed_methods, reason = "this is the adapter of the Entropy port")]
        let filled = getrandom::fill(&mut bytes);
        if let Err(error) = filled {
            panic!("the operating system gives no randomness: {error}");
        }
        u128::from_ne_bytes(bytes)
    }
}
