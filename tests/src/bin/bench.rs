//! The benchmarks, one a subcommand: `cargo run --release -p carillon-tests --bin bench -- embedded`. `aws` needs `--features
//! stack`, and `cold` needs `--features cold`.

use std::process::ExitCode;

#[cfg(feature = "aws")]
use carillon_tests::bench::aws;
#[cfg(feature = "cold")]
use carillon_tests::bench::cold;
use carillon_tests::bench::{Failure, Sizes, cadence, embedded, instructions, report, stored};

const USAGE: &str = "usage: bench embedded [--quick]
       bench stored [--quick]
       bench instructions
       bench cadence [--quick]
       bench aws                  with --features stack
       bench cold [--quick]       with --features cold

  embedded      the embedded stack in turn with BullMQ on Redis: rates, CPU time and instructions per job, lateness
  stored        the embedded stack with 2,000,000 scheduled jobs in its store, next to 1,000
  instructions  instructions per job, under callgrind
  cadence       the search for the next occurrence of cron expressions
  aws           the deployment on AWS: cost, hot keys, lateness
  cold          build the functions, and measure how fast they start and answer
  --quick       a tenth of it, and no instructions: to see that it works";

/// As in `carillon`.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let done = match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["embedded"] => measure_embedded(Sizes::FULL).map(|()| count_instructions()),
        ["embedded", "--quick"] => measure_embedded(Sizes::QUICK),
        ["stored"] => stored::run(stored::Sizes::FULL),
        ["stored", "--quick"] => stored::run(stored::Sizes::QUICK),
        // By itself, for a part of the work.
        ["stored-side", folder, jobs] => {
            jobs.parse().map_err(Failure::from).and_then(|jobs| stored::side::run(folder.as_ref(), jobs))
        }
        ["instructions"] => instructions::run(),
        ["cadence"] => cadence::run(1_000_000),
        ["cadence", "--quick"] => cadence::run(100_000),
        #[cfg(feature = "aws")]
        ["aws"] => aws::run(),
        #[cfg(feature = "cold")]
        ["cold"] => measure_cold(cold::Sizes::FULL),
        #[cfg(feature = "cold")]
        ["cold", "--quick"] => measure_cold(cold::Sizes::QUICK),
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error}");
            ExitCode::FAILURE
        }
    }
}

fn measure_embedded(sizes: Sizes) -> Result<(), Failure> {
    embedded::run(sizes).map(|figures| report::print(&figures, sizes))
}

/// Without valgrind, the other figures are still printed.
fn count_instructions() {
    println!();
    if let Err(error) = instructions::run() {
        println!("Instructions were NOT COUNTED: {error}");
    }
}

#[cfg(feature = "cold")]
fn measure_cold(sizes: cold::Sizes) -> Result<(), Failure> {
    cold::run(sizes).map(|figures| cold::report::print(&figures, sizes))
}
