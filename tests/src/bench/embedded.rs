//! Every measurement of the embedded stack, one after the other.

use carillon_load::{Stack, bodies, running, scheduling};

use super::meter::{Cost, Meter};
use super::{Failure, Sizes, http, lateness};

/// What was measured; of each, one value a round.
#[derive(Debug, Default)]
pub struct Figures {
    /// Jobs scheduled and stored.
    pub scheduled: Vec<Cost>,
    /// Jobs run to completion, read from the store.
    pub run: Vec<Cost>,
    /// Jobs scheduled over HTTP.
    pub posted: Vec<Cost>,
    /// Lateness of each job in ms, of all rounds, sorted.
    pub lateness_ms: Vec<f64>,
}

/// Measures. Each round has a store of its own.
///
/// # Errors
/// Whatever kept a measurement from coming about.
pub fn run(sizes: Sizes) -> Result<Figures, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut figures = Figures::default();
        for round in 1..=sizes.rounds {
            eprintln!("round {round} of {}", sizes.rounds);
            let stack = Stack::open().await?;
            let bodies = bodies(sizes.jobs);
            let meter = Meter::start();
            scheduling(&stack, &bodies, sizes.callers).await?;
            figures.scheduled.push(meter.stop(sizes.jobs));
            let meter = Meter::start();
            running(&stack.ports, sizes.jobs, sizes.concurrency).await?;
            figures.run.push(meter.stop(sizes.jobs));
            figures.posted.push(http::posting(sizes).await?);
            figures.lateness_ms.extend(lateness::lateness(sizes).await?);
        }
        figures.lateness_ms.sort_by(f64::total_cmp);
        Ok(figures)
    })
}
