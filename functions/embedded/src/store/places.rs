//! Numbers for products and environments, which make rows and indexes narrower than two names.

use std::collections::HashMap;

use rusqlite::{Connection, OptionalExtension};

/// Finds a place's number.
pub(super) const FIND: &str = "SELECT id FROM places WHERE product = ?1 AND env = ?2";
const ADD: &str = "INSERT INTO places (product, env) VALUES (?1, ?2) RETURNING id";

/// A cache of the numbers that the writer has used.
#[derive(Debug, Default)]
pub(super) struct Places(HashMap<String, HashMap<String, i64>>);

impl Places {
    /// Returns the number of a place. Assigns one if it has none.
    pub(super) fn number(&mut self, db: &Connection, product: &str, env: &str) -> rusqlite::Result<i64> {
        if let Some(number) = self.0.get(product).and_then(|envs| envs.get(env)) {
            return Ok(*number);
        }
        let number = match find(db, product, env)? {
            Some(number) => number,
            None => db.prepare_cached(ADD)?.query_row([product, env], |row| row.get(0))?,
        };
        self.0.entry(product.to_owned()).or_default().insert(env.to_owned(), number);
        Ok(number)
    }

    /// Forgets all numbers, because those assigned in a failed transaction are not stored.
    pub(super) fn forget(&mut self) {
        self.0.clear();
    }
}

/// Returns the number of a place, if it has one.
pub(super) fn find(db: &Connection, product: &str, env: &str) -> rusqlite::Result<Option<i64>> {
    db.prepare_cached(FIND)?.query_row([product, env], |row| row.get(0)).optional()
}
