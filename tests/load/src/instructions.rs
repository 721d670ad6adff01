//! The instructions that a job takes, as callgrind counts them. They do not depend on the machine's speed or on what else it
//! does, so that a test can hold them.
//!
//! A path is taken twice, with twice as many jobs the second time, and the difference is what those jobs took: starting,
//! opening the store and stopping are in both. Instructions of the kernel are not counted.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use super::Failure;

/// Jobs of the first time. The second has twice as many.
const JOBS: u64 = 2_000;
/// A path may take so much more than its committed figure, and is to get a new one when it takes so much less, per cent.
pub const MARGIN_PERCENT: u64 = 10;
/// The committed figures, by architecture.
const COMMITTED: &str = include_str!("../instructions.json");
/// The file that has them, from the workspace's root.
const COMMITTED_IN: &str = "tests/load/instructions.json";
/// The two paths: argument of this program, and name.
const PATHS: [(&str, &str); 2] = [("schedule", "schedule and store"), ("run", "run to completion")];

/// A path as it was counted.
#[derive(Clone, Copy, Debug)]
pub struct Count {
    /// The path's name.
    pub path: &'static str,
    /// Instructions per job.
    pub per_job: u64,
    /// The committed figure; `None` on an architecture that has none.
    pub committed: Option<u64>,
}

/// The two paths, each counted by starting `program`, which is this package's, under callgrind.
///
/// # Errors
/// When valgrind is missing, or a run fails.
pub fn count(program: &Path) -> Result<Vec<Count>, Failure> {
    let folder = tempfile::tempdir()?;
    let committed: Value = serde_json::from_str(COMMITTED)?;
    let (small, large) = (folder.path().join("small"), folder.path().join("large"));
    let mut counts = Vec::new();
    // The second path runs the jobs that the first has stored.
    for (argument, path) in PATHS {
        let once = collect(program, argument, &small, JOBS)?;
        let per_job = collect(program, argument, &large, 2 * JOBS)?.saturating_sub(once) / JOBS;
        counts.push(Count { path, per_job, committed: committed[std::env::consts::ARCH][path].as_u64() });
    }
    Ok(counts)
}

/// Instructions of one run of `program`.
fn collect(program: &Path, argument: &str, folder: &Path, jobs: u64) -> Result<u64, Failure> {
    // On one core, and without one thread being put in place of another because it was woken: otherwise chance decides how
    // many writes share a transaction.
    let output = Command::new("chrt")
        .args(["--batch", "0", "taskset", "--cpu-list", &first_core()?, "valgrind", "--tool=callgrind"])
        .arg(format!("--callgrind-out-file={}", program.with_file_name(format!("callgrind.{argument}")).display()))
        .arg(program)
        .arg(argument)
        .arg(folder)
        .arg(jobs.to_string())
        .output()
        .map_err(|error| format!("chrt (of util-linux) does not start: {error}"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    match collected(&said) {
        Some(instructions) if output.status.success() => Ok(instructions),
        _ => Err(format!("valgrind with {argument} failed, {}: {said}", output.status).into()),
    }
}

/// The total in callgrind's last line.
fn collected(said: &str) -> Option<u64> {
    said.lines().rev().find_map(|line| line.split_once("Collected : ")?.1.trim().parse().ok())
}

/// A core that this process may use.
fn first_core() -> Result<String, Failure> {
    let status = fs::read_to_string("/proc/self/status")?;
    let cores = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:"));
    let digits = |list: &str| list.trim().chars().take_while(char::is_ascii_digit).collect();
    cores.map(digits).ok_or_else(|| "the system does not say which cores there are".into())
}

impl Count {
    /// True if the count is at most [`MARGIN_PERCENT`] above the committed figure.
    pub fn holds(&self) -> bool {
        self.committed.is_some_and(|committed| self.per_job * 100 <= committed * (100 + MARGIN_PERCENT))
    }

    /// True if the committed figure is so high that it would let a loss of what was won pass.
    fn is_far_below(&self) -> bool {
        self.committed.is_some_and(|committed| self.per_job * 100 < committed * (100 - MARGIN_PERCENT))
    }

    fn verdict(&self) -> String {
        let Some(committed) = self.committed else {
            return format!("FAILED: {COMMITTED_IN} has no figure for {}", std::env::consts::ARCH);
        };
        if !self.holds() {
            return format!(
                "FAILED: more than {MARGIN_PERCENT} % above {committed}. Make it cheaper; {COMMITTED_IN} has the figure"
            );
        }
        if self.is_far_below() {
            return format!(
                "ok, and more than {MARGIN_PERCENT} % below {committed}: LOWER the figure in {COMMITTED_IN}, to keep what was won"
            );
        }
        format!("ok, within {MARGIN_PERCENT} % of {committed}")
    }
}

/// The counts as a table, with what is to be done about each.
///
/// # Errors
/// Never: text can be written to memory.
pub fn report(counts: &[Count]) -> Result<String, Failure> {
    let mut text = String::from("instructions per job, under callgrind:");
    for count in counts {
        write!(text, "\n  {:<20}{:>10}   {}", count.path, count.per_job, count.verdict())?;
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(per_job: u64) -> Count {
        Count { path: "run to completion", per_job, committed: Some(1_000) }
    }

    #[test]
    fn a_path_holds_up_to_a_tenth_above_its_figure() {
        assert!([0, 1_000, 1_100].into_iter().all(|per_job| count(per_job).holds()));
        assert!(!count(1_101).holds());
        assert!(!Count { committed: None, ..count(1) }.holds());
    }

    #[test]
    fn a_figure_that_was_beaten_by_far_is_to_be_lowered() {
        assert!(count(899).verdict().contains("LOWER"));
        assert!(!count(900).verdict().contains("LOWER"));
        assert!(count(1_101).verdict().starts_with("FAILED"));
    }

    #[test]
    fn callgrinds_total_is_read() {
        let said = "==7== Events    : Ir\n==7== Collected : 437713885\n==7== \n==7== I   refs:      437,713,885\n";
        assert_eq!(collected(said), Some(437_713_885));
        assert_eq!(collected("valgrind: no such file"), None);
    }

    #[test]
    fn the_committed_figures_name_both_paths() {
        let committed: Value = serde_json::from_str(COMMITTED).expect("the figures are JSON");
        assert!(PATHS.iter().all(|(_, path)| committed["x86_64"][path].is_u64()), "{committed}");
    }
}
