//! Log lines of a function: one JSON object each, on standard output, where the Lambda service takes them from.

use std::panic::{PanicHookInfo, set_hook};

use tracing::error;
use tracing::level_filters::LevelFilter;

/// Starts logging at `level`: off, error, warn, info, debug or trace; info when it is none of them.
pub fn start(level: Option<&str>) {
    let level = level.and_then(|level| level.parse().ok()).unwrap_or(LevelFilter::INFO);
    // The service stamps every line; a second time would only cost bytes.
    let lines = tracing_subscriber::fmt().json().flatten_event(true).with_current_span(false).with_span_list(false);
    lines.with_target(false).with_max_level(level).with_writer(std::io::stdout).init();
    set_hook(Box::new(panicked));
}

/// The line of a panic says where it was, and not its text: that may quote what a job carries.
fn panicked(panic: &PanicHookInfo<'_>) {
    error!(location = panic.location().map(ToString::to_string), "panicked");
}
