//! JSON from strangers: a strict parser, and a reader that reports every fault with its pointer.

mod parse;
mod reader;

pub use parse::{MAX_DEPTH, ParseError, parse};
pub use reader::{Field, Object, child, did_you_mean};
