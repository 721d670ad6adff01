//! The router as its clients meet it, over ports in memory.

mod access;
mod client;
mod document;
mod errors;
mod hostile;
mod jobs;
mod log;
mod preconditions;
mod redrive;
mod schemas;
mod wait;
mod world;
