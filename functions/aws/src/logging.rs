//! The log of a function: one JSON object a line, on standard output, where the Lambda service reads it.

use std::panic::{PanicHookInfo, set_hook};

use tracing::error;
use tracing::level_filters::LevelFilter;

/// Starts logging at `level`: off, error, warn, info, debug or trace; info for any other text.
pub fn start(level: Option<&str>) {
    let level = level.and_then(|level| level.parse().ok()).unwrap_or(LevelFilter::INFO);
    // The service adds the time to every line.
    let lines = tracing_subscriber::fmt().json().flatten_event(true).with_current_span(false).with_span_list(false);
    lines.with_target(false).with_max_level(level).with_writer(std::io::stdout).init();
    set_hook(Box::new(panicked));
}

/// Logs the place of a panic without its text, which may quote a job's payload.
fn panicked(panic: &PanicHookInfo<'_>) {
    error!(location = panic.location().map(ToString::to_string), "panicked");
}
