//! Carillon's HTTP face: [`router`] serves the core's operations, locally and behind `lambda_http` alike.
//!
//! Follow one request:
//! - `router` has a route for each operation of the `table`;
//! - `observe` gives it an id, catches a panic, and writes its one log line (`record`);
//! - `endpoint` finds the caller's key, checks the query's names, reads the body;
//! - `handlers` reads what the operation needs, asks the core, and makes a `wire` type of the answer;
//! - `problem` makes an `application/problem+json` document of everything that went wrong.
//!
//! `sessions` verifies and makes the tokens of sessions: the one thing besides the ports that operations need.
//!
//! `table` is the one list of operations. The routes and the OpenAPI document (`openapi`) are both made from it, so
//! no route can exist without its documentation.
//!
//! Architecture invariant: no rule of the domain stands here. Who may do what, and what becomes of a job, is decided by
//! `carillon_core::operations`.

mod caller;
mod conditional;
pub mod deadline;
mod documentation;
mod endpoint;
mod handlers;
mod observe;
mod openapi;
mod operation;
mod prefer;
mod problem;
mod query;
mod record;
mod router;
mod service;
pub mod sessions;
mod table;
mod wire;

#[cfg(test)]
mod tests;

pub use endpoint::MAX_BODY_BYTES;
pub use router::router;
pub use service::Service;
