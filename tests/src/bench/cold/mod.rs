//! Cold starts: from `exec` to the function's first answer, and the answers after it.
//!
//! The real bootstraps run against a Lambda Runtime API ([`runtime`]) and an AWS ([`aws`]) on the loopback interface, both
//! of which answer at once. So what is left is what a function itself costs, and what it asks of AWS how often; not what
//! the network, TLS and a share of a core cost on top. [`bootstraps`] says what is started, [`report`] prints it.

mod aws;
mod bootstraps;
pub mod report;
mod runtime;

use std::path::PathBuf;
use std::time::Duration;

use self::bootstraps::{Bootstrap, World};
use self::runtime::Function;
use super::Failure;

/// The size of the measurement.
#[derive(Clone, Copy, Debug)]
pub struct Sizes {
    /// Starts of each bootstrap, all of them in turn.
    pub rounds: usize,
    /// Events that a function is given after its first.
    pub warm_events: usize,
}

impl Sizes {
    /// The report.
    pub const FULL: Self = Self { rounds: 200, warm_events: 20 };

    /// To see that it works.
    pub const QUICK: Self = Self { rounds: 20, ..Self::FULL };
}

/// The measurements of one bootstrap.
#[derive(Debug)]
pub struct Figures {
    /// Its name.
    pub name: &'static str,
    /// Its executable.
    pub executable: PathBuf,
    /// From `exec` to the first answer, sorted.
    pub cold: Vec<Duration>,
    /// From an event to its answer, on a process that has answered before, sorted.
    pub warm: Vec<Duration>,
}

/// Builds the bootstraps, and measures them.
///
/// # Errors
/// Whatever kept a measurement from coming about; an answer that is not as it should be is one.
pub fn run(sizes: Sizes) -> Result<Vec<Figures>, Failure> {
    let executables = bootstraps::build()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let world = World::start().await?;
        let bootstraps = world.bootstraps(&executables)?;
        let mut all: Vec<_> = bootstraps.iter().map(Figures::of).collect();
        for round in 1..=sizes.rounds {
            eprintln!("round {round} of {}", sizes.rounds);
            for (bootstrap, figures) in bootstraps.iter().zip(&mut all) {
                figures.measure(bootstrap, sizes.warm_events).await?;
            }
        }
        for figures in &mut all {
            figures.cold.sort_unstable();
            figures.warm.sort_unstable();
        }
        Ok(all)
    })
}

impl Figures {
    fn of(bootstrap: &Bootstrap) -> Self {
        let (name, executable) = (bootstrap.name, bootstrap.executable.clone());
        Self { name, executable, cold: Vec::new(), warm: Vec::new() }
    }

    async fn measure(&mut self, bootstrap: &Bootstrap, warm_events: usize) -> Result<(), Failure> {
        let named = |error: Failure| format!("{}: {error}", bootstrap.name);
        let mut function = Function::start(bootstrap).await.map_err(named)?;
        let first = function.answer().await.map_err(named)?;
        bootstrap.check(&first.body)?;
        self.cold.push(first.at - function.started_at);
        for _ in 0..warm_events {
            function.send(bootstrap.event.clone()).await?;
            let next = function.answer().await.map_err(named)?;
            bootstrap.check(&next.body)?;
            self.warm.push(next.at - next.handed_at);
        }
        Ok(())
    }
}
