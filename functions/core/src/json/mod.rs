//! JSON from untrusted callers: a strict parser, and a reader that reports every fault with its pointer.
//! `document` defines types with their schemas and readers.

mod document;
mod parse;
mod place;
mod reader;
mod size;

pub use document::{Read, Required};
pub(crate) use document::{body, document, numbers, read_by, texts};
pub use parse::{MAX_DEPTH, ParseError, parse};
pub use place::child;
pub use reader::{Field, Object, closest, did_you_mean, every};
pub use size::{fits, room_left, text_within};
