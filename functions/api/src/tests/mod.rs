//! The router as its clients meet it, over ports in memory.

mod accepted;
mod access;
mod attacks;
mod caches;
mod client;
mod document;
mod errors;
mod hostile;
mod idempotency;
mod jobs;
mod key_sets;
mod log;
mod preconditions;
mod redrive;
mod schemas;
mod sessions;
mod tokens;
mod wait;
