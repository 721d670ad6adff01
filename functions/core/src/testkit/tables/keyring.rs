//! Sealing keys.

use zeroize::Zeroizing;

use crate::session::sealing::{SealingKey, SealingKeyId};

/// Sealing keys; the last one seals.
#[derive(Clone, Debug, Default)]
pub struct Keyring(Vec<SealingKey>);

impl Keyring {
    /// [`SealingKeys::current`](crate::ports::SealingKeys::current): a first one is made when there is none.
    pub fn current(&mut self) -> SealingKey {
        if self.0.is_empty() {
            self.add("first");
        }
        self.0[self.0.len() - 1].clone()
    }

    /// [`SealingKeys::find`](crate::ports::SealingKeys::find).
    pub fn find(&self, name: &SealingKeyId) -> Option<SealingKey> {
        self.0.iter().find(|key| key.name() == name).cloned()
    }

    /// Adds a key: what is sealed from now on is sealed with it.
    pub fn add(&mut self, id: &str) {
        let number = u8::try_from(self.0.len()).unwrap_or(u8::MAX);
        let name = SealingKeyId { id: id.to_owned(), wrapped: None };
        self.0.push(SealingKey::new(name, Zeroizing::new([number; 32])));
    }

    /// Loses all keys.
    pub fn clear(&mut self) {
        self.0.clear();
    }
}
