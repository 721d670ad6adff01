//! Products and environments by number, as rows and indexes are narrower with a number than with two names.

use std::collections::HashMap;

use rusqlite::{Connection, OptionalExtension};

/// Finds a place's number.
pub(super) const FIND: &str = "SELECT id FROM places WHERE product = ?1 AND env = ?2";
const ADD: &str = "INSERT INTO places (product, env) VALUES (?1, ?2) RETURNING id";

/// The numbers that the writer met.
#[derive(Debug, Default)]
pub(super) struct Places(HashMap<String, HashMap<String, i64>>);

impl Places {
    /// A place's number, which is given to it now if it has none.
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

    /// Forgets them all: a number that was given in a transaction that failed was not given.
    pub(super) fn forget(&mut self) {
        self.0.clear();
    }
}

/// A place's number, if it has one.
pub(super) fn find(db: &Connection, product: &str, env: &str) -> rusqlite::Result<Option<i64>> {
    db.prepare_cached(FIND)?.query_row([product, env], |row| row.get(0)).optional()
}
