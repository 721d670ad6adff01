//! A product's catalog: the document that defines the meaning of event tags.
//!
//! [`Catalog::from_document`] reads and checks a whole document and names everything that is wrong with it;
//! [`Catalog::resolve`] finds the event of a tag.

mod check;
mod cycles;
mod decimal;
mod document;
mod event;
mod events;
mod headers;
mod leaf;
mod mailbox;
mod messages;
mod resolve;
mod statement;
mod tag;
mod template;

use std::cell::RefCell;
use std::fmt;

use serde_json::Value;
use sha2::{Digest, Sha256};

pub use decimal::Decimal;
pub use document::*;
pub use event::EventRef;
pub use events::*;
pub use headers::*;
pub use leaf::*;
pub use mailbox::{Mailbox, is_email_address};
pub use resolve::{Target, Unresolved};
pub use statement::{Kind, Placeholder, Statement};
pub use tag::{PerEnv, Tag, Tagged};
pub use template::{Piece, pieces};

use crate::error::FieldError;
use crate::hash::hex;
use crate::json::{Field, Read as _};

/// A catalog document may have this many bytes, so that it fits one stored item with room to spare.
pub const MAX_DOCUMENT_BYTES: usize = 256 * 1024;

impl Catalog {
    /// Reads a document and checks it as a whole.
    ///
    /// # Errors
    /// Every fault, each with its pointer (at most [`crate::error::Faults::MAX`]).
    ///
    /// ```
    /// use carillon_core::catalog::Catalog;
    /// let faults = Catalog::from_document(&serde_json::json!({
    ///     "envs": ["prd"],
    ///     "caches": {"short": {"expiry": 0}},
    ///     "jobs": {"nightly": {"event": "user.sigup"}},
    /// })).unwrap_err();
    /// let pointers: Vec<_> = faults.iter().map(|fault| fault.pointer.as_str()).collect();
    /// assert_eq!(pointers, ["/caches/short/expiry", "/jobs/nightly/event"]);
    /// ```
    pub fn from_document(document: &Value) -> Result<Self, Vec<FieldError>> {
        let faults = RefCell::default();
        let catalog = Self::read(&Field::root(document, &faults));
        let mut faults = faults.into_inner();
        if let Some(catalog) = &catalog {
            check::check(catalog, &mut faults);
        }
        match (catalog, faults.into_vec()) {
            (Some(catalog), faults) if faults.is_empty() => Ok(catalog),
            (_, faults) => Err(faults),
        }
    }
}

/// Names the content of a document: equal documents have equal revisions. An ETag is its quoted form.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Revision(String);

impl Revision {
    /// The revision of a document.
    pub fn of(document: &Value) -> Self {
        let digest = Sha256::digest(document.to_string().as_bytes());
        Self(hex(&digest[..16]))
    }

    /// A revision named by a caller; it may not exist.
    pub fn named(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests;
