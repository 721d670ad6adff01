//! JSON from untrusted callers: a strict parser, and a reader that reports every fault with its pointer.

mod parse;
mod place;
mod reader;
mod size;

pub use parse::{MAX_DEPTH, ParseError, parse};
pub use place::child;
pub use reader::{Field, Object, closest, did_you_mean, every};
pub use size::{fits, room_left, text_within};
