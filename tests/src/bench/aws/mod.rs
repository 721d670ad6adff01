//! The deployment on AWS, by the real code and AWS's rules: the cost of a job, the busiest key, and the lateness of
//! jobs. It needs no account and no emulator.
//!
//! [`ledger`] runs jobs and counts their requests to [`endpoint`], which answers for AWS's services and keeps a
//! [`table`]; [`prices`] turns the [`counts`] into dollars. [`hot_keys`] and [`lateness`] are simulations; [`report`]
//! prints everything.

mod account;
pub mod counts;
mod endpoint;
mod hot_keys;
mod lateness;
pub mod ledger;
mod prices;
mod report;
mod table;

use super::Failure;
use counts::Counts;
use ledger::{Deployment, Life};

/// Jobs in a batch, in a quiet deployment and in a busy one.
const BATCHES: [u32; 2] = [1, 10];

/// Measures and prints.
///
/// # Errors
/// Whatever kept a measurement from coming about.
pub fn run() -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    report::cost(&runtime.block_on(ledgers())?, runtime.block_on(reads_before_and_after())?);
    report::hot_keys(&hot_keys::simulate(hot_keys::JOBS));
    report::lateness(&lateness::simulate(lateness::JOBS)?);
    Ok(())
}

/// The requests of one batch of jobs.
struct Ledger {
    life: Life,
    jobs: u32,
    counts: Counts,
}

/// Jobs between the two whose reads are compared.
const JOBS_BETWEEN: usize = 1_000;

/// The reads charged for a job, in half units, in a table that is almost empty and after many jobs.
async fn reads_before_and_after() -> Result<[u32; 2], Failure> {
    let mut deployment = Deployment::warm().await?;
    let before = deployment.run(Life::Immediate, 1).await?;
    for _ in 0..JOBS_BETWEEN / 10 {
        deployment.run(Life::Immediate, 10).await?;
    }
    Ok([before.half_reads, deployment.run(Life::Immediate, 1).await?.half_reads])
}

async fn ledgers() -> Result<Vec<Ledger>, Failure> {
    let mut ledgers = Vec::new();
    for life in Life::REPORTED {
        for jobs in BATCHES {
            let counts = Deployment::warm().await?.run(life, jobs.try_into()?).await?;
            ledgers.push(Ledger { life, jobs, counts });
        }
    }
    Ok(ledgers)
}
