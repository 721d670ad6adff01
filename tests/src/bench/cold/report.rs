//! The figures as a table, next to what is aimed at.

use std::path::Path;
use std::time::Duration;

use super::{Figures, Sizes};
use crate::bench::report::{machine, percentile};

/// The bootstrap that the others are held against.
const BASELINE: &str = "minimal";

/// The aims: ratios to the baseline, and the size of the upload.
mod aims {
    pub(super) const COLD: f64 = 1.25;
    pub(super) const WARM: f64 = 1.2;
    pub(super) const ZIP_MB: f64 = 5.0;
}

/// Prints the table.
pub fn print(all: &[Figures], sizes: Sizes) {
    println!(
        "\nFunctions on {}: from exec to the first answer (cold), from an event to its answer later on (warm)",
        machine()
    );
    println!(
        "{} starts of each in turn, {} further events each; Runtime API and AWS on loopback, answering at once\n",
        sizes.rounds, sizes.warm_events
    );
    println!("{:<12}{:^30}{:^30}{:>12}{:>10}", "", "cold, ms", "warm, ms", "binary, MB", "zip, MB");
    let head = format!("{:>10}{:>10}{:>10}", "p50", "p90", "ratio");
    println!("{:<12}{head}{head}", "");
    for figures in all {
        let baseline = all.iter().find(|it| it.name == BASELINE).unwrap_or(figures);
        let cold = times(&figures.cold, &baseline.cold);
        let warm = times(&figures.warm, &baseline.warm);
        let (binary, zip) = (megabytes(&figures.executable), zip(&figures.executable).and_then(|zip| megabytes(&zip)));
        let size = |size: Option<f64>| size.map_or_else(|| "-".to_owned(), |size| format!("{size:.1}"));
        println!("{:<12}{cold}{warm}{:>12}{:>10}", figures.name, size(binary), size(zip));
    }
    let aims = format!("{:>30.2}{:>30.2}{:>12}{:>10.1}", aims::COLD, aims::WARM, "", aims::ZIP_MB);
    println!("{:<12}{aims}", "aim, at most");
    println!(
        "\nA ratio is that of the medians, to {BASELINE}: JSON in, one message, one item. Zips are those of cargo lambda build."
    );
}

fn times(sorted: &[Duration], baseline: &[Duration]) -> String {
    let (p50, p90) = (millis(sorted, 0.5), millis(sorted, 0.9));
    format!("{p50:>10.2}{p90:>10.2}{:>10.2}", p50 / millis(baseline, 0.5))
}

fn millis(sorted: &[Duration], part: f64) -> f64 {
    let millis: Vec<f64> = sorted.iter().map(|it| it.as_secs_f64() * 1e3).collect();
    percentile(&millis, part)
}

#[expect(clippy::cast_precision_loss, reason = "sizes are far below 2^53")]
fn megabytes(path: &Path) -> Option<f64> {
    std::fs::metadata(path).ok().map(|it| it.len() as f64 / 1e6)
}

/// The zip that `cargo lambda build --output-format zip` makes.
fn zip(executable: &Path) -> Option<std::path::PathBuf> {
    let (name, target) = (executable.file_name()?, executable.parent()?.parent()?);
    Some(target.join("lambda").join(name).join("bootstrap.zip"))
}
