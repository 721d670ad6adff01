//! One line for each job: redrawn in a terminal, otherwise printed again at each change.

use std::cell::RefCell;
use std::time::Duration;

use console::{Style, style};
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use super::samples::Sample;

/// The shown state of a job.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Look {
    pub(super) status: String,
    pub(super) has_ended: bool,
    pub(super) is_as_expected: bool,
    /// Attempts so far over all runs.
    pub(super) attempts: u64,
    /// The attempt or the run, with the maximum.
    pub(super) progress: String,
    pub(super) lateness_ms: Option<i64>,
    pub(super) result: Option<String>,
}

/// The screen of the demonstration.
pub(super) struct Screen {
    bars: MultiProgress,
    rows: Vec<Row>,
    is_live: bool,
}

struct Row {
    title: &'static str,
    bar: ProgressBar,
    shown: RefCell<Option<Look>>,
}

impl Screen {
    pub(super) fn new(address: &str, samples: &[Sample]) -> Self {
        let is_live = console::user_attended();
        println!("\n  {}  the scheduler listens on http://{address}\n", style("Carillon").bold());
        let bars = MultiProgress::new();
        let spinner = ProgressStyle::with_template("  {spinner:.cyan} {wide_msg}")
            .unwrap_or_else(|_| ProgressStyle::default_spinner());
        let spinner = spinner.tick_strings(&["◐", "◓", "◑", "◒", " "]);
        let row = |sample: &Sample| {
            let bar = if is_live { bars.add(ProgressBar::new_spinner()) } else { ProgressBar::hidden() };
            bar.set_style(spinner.clone());
            if is_live {
                bar.enable_steady_tick(Duration::from_millis(120));
            }
            Row { title: sample.title, bar, shown: RefCell::new(None) }
        };
        let rows = samples.iter().map(row).collect();
        Self { bars, rows, is_live }
    }

    /// Shows the current state of a job.
    pub(super) fn show(&self, row: usize, look: &Look) {
        let row = &self.rows[row];
        if row.shown.borrow().as_ref() == Some(look) {
            return;
        }
        let line = line(row.title, look);
        match (self.is_live, look.has_ended) {
            (false, _) => println!("  {line}"),
            (true, false) => row.bar.set_message(line),
            (true, true) => {
                let mark = if look.is_as_expected { style("●").green() } else { style("●").red() };
                if let Ok(ended) = ProgressStyle::with_template("  {prefix} {wide_msg}") {
                    row.bar.set_style(ended);
                }
                row.bar.set_prefix(mark.to_string());
                row.bar.finish_with_message(line);
            }
        }
        row.shown.replace(Some(look.clone()));
    }

    /// Leaves the lines in place and prints the verdict.
    pub(super) fn close(&self, verdict: &str) {
        for row in &self.rows {
            row.bar.abandon();
        }
        // Without an empty line, the output below would overwrite the last line.
        let _ = self.bars.println("");
        println!("\n  {verdict}\n");
    }
}

fn line(title: &str, look: &Look) -> String {
    let shade = match look.status.as_str() {
        "completed" => Style::new().green(),
        "failed" => Style::new().red(),
        "running" => Style::new().cyan(),
        _ => Style::new().yellow(),
    };
    let status = shade.apply_to(format!("{:<9}", look.status));
    let lateness = look.lateness_ms.map_or(String::new(), |late| format!("{late} ms late"));
    let result: String = look.result.as_deref().unwrap_or_default().chars().take(60).collect();
    format!("{title:<27}{status}  {:<12}  {:>10}  {}", look.progress, lateness, style(result).dim())
}
