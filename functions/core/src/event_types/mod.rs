//! The way from a job and its catalog to the requests that its targets receive.
//!
//! Each type is one module here: the shape of its input, its needs, and its request, or how a composite event is run.
//! Input is checked by one function, both when a job is scheduled and when it runs.
//!
//! - [`crate::event_type`] lists the types; [`kind`] is their interface, which [`resolved`] uses.
//! - [`tries`] runs an event, alone or as a part of another; [`context`] is the attempt that it belongs to.
//! - [`limits`] and [`timeouts`] bound its time, [`needs`] compares it with what a stack can do.

mod action;
mod checkpoints;
mod context;
mod database;
mod fallback;
mod feature;
mod filled;
mod function;
mod input;
mod job;
mod kind;
mod limits;
mod multipart;
mod needs;
pub mod notification;
mod publish;
mod quota;
mod resolved;
mod sending;
mod storage;
mod subscribe;
mod timeouts;
mod tries;

pub use context::{AttemptContext, Halt};
pub use database::sqlstate;
pub use limits::Limits;
pub use needs::Lack;
pub use resolved::ResolvedEvent;

use self::needs::Needs;

#[cfg(test)]
mod tests;
