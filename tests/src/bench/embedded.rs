//! Every measurement of the embedded stack, in turn with the same on BullMQ.

use carillon_load::{Stack, bodies, running, scheduling};

use super::bullmq::{self, BullMq, Missing};
use super::meter::{Cost, Meter};
use super::{Failure, Sizes, http, lateness};

/// The measurements of one of the two, with one value a round.
#[derive(Debug, Default)]
pub struct Figures {
    /// Jobs scheduled and stored.
    pub scheduled: Vec<Cost>,
    /// Jobs run to completion, read from the store.
    pub run: Vec<Cost>,
    /// Lateness of each job in ms, of all rounds, sorted.
    pub lateness_ms: Vec<f64>,
}

/// The measurements of both.
#[derive(Debug)]
pub struct Comparison {
    /// Carillon.
    pub carillon: Figures,
    /// Jobs scheduled over HTTP: Carillon only.
    pub posted: Vec<Cost>,
    /// BullMQ, with its version; or what is missing for it.
    pub bullmq: Result<(String, Figures), Missing>,
}

/// Measures both in turn, each round beginning with the other one. A round has an empty store.
///
/// # Errors
/// When a measurement fails.
pub fn run(sizes: Sizes) -> Result<Comparison, Failure> {
    let installed = bullmq::installed();
    let runtime = carillon_embedded::runtime::callers()?;
    runtime.block_on(async {
        let (mut ours, mut theirs, mut posted) = (Figures::default(), Figures::default(), Vec::new());
        let mut bullmq = match &installed {
            Ok(installed) => Some(BullMq::start(installed, sizes).await?),
            Err(_) => None,
        };
        for round in 1..=sizes.rounds {
            eprintln!("round {round} of {}", sizes.rounds);
            if round % 2 == 1 {
                carillon_round(&mut ours, sizes).await?;
            }
            if let Some(bullmq) = &mut bullmq {
                bullmq_round(bullmq, &mut theirs, sizes)?;
            }
            if round % 2 == 0 {
                carillon_round(&mut ours, sizes).await?;
            }
            posted.push(http::posting(sizes).await?);
        }
        ours.lateness_ms.sort_by(f64::total_cmp);
        theirs.lateness_ms.sort_by(f64::total_cmp);
        let versions = bullmq.map(|bullmq| bullmq.versions.clone()).unwrap_or_default();
        Ok(Comparison { carillon: ours, posted, bullmq: installed.map(|_| (versions, theirs)) })
    })
}

async fn carillon_round(figures: &mut Figures, sizes: Sizes) -> Result<(), Failure> {
    let stack = Stack::open().await?;
    let bodies = bodies(sizes.jobs);
    let meter = Meter::start();
    scheduling(&stack, &bodies, sizes.callers).await?;
    figures.scheduled.push(meter.stop(sizes.jobs));
    let meter = Meter::start();
    running(&stack.ports, sizes.jobs, sizes.concurrency).await?;
    figures.run.push(meter.stop(sizes.jobs));
    drop(stack);
    figures.lateness_ms.extend(lateness::lateness(sizes).await?);
    Ok(())
}

fn bullmq_round(bullmq: &mut BullMq, figures: &mut Figures, sizes: Sizes) -> Result<(), Failure> {
    bullmq.clear()?;
    figures.scheduled.push(bullmq.scheduling(sizes)?);
    figures.run.push(bullmq.running(sizes)?);
    bullmq.clear()?;
    figures.lateness_ms.extend(bullmq.lateness(sizes)?);
    Ok(())
}
