//! The architecture's invariants, each held by a test that carries it as its name.
//!
//! - [`dependencies`]: who may depend on whom.
//! - [`supply`]: what may come from outside, by the policy in `.deny.toml`.
//! - [`sources`]: what the Rust code may do, and where.
//! - [`circles`]: modules of a crate import each other one way.
//! - [`tree`]: what the files look like, and where they are.
//!
//! They read what cargo says of the workspace ([`workspace`]) and the tokens of its sources ([`rust`]); nothing is built or
//! run. A rule that gets in the way is changed here, in the open, with its reason.

#[path = "architecture/circles.rs"]
mod circles;
#[path = "architecture/dependencies.rs"]
mod dependencies;
#[path = "architecture/rust.rs"]
mod rust;
#[path = "architecture/sources.rs"]
mod sources;
#[path = "architecture/supply.rs"]
mod supply;
#[path = "architecture/tree.rs"]
mod tree;
#[path = "architecture/workspace.rs"]
mod workspace;
