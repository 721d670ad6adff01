//! `cargo run --release -p carillon-tests --bin bench -- embedded`: how fast the embedded stack is, next to what BullMQ 6.7
//! on Redis 7 reaches on such a machine. `-- cadence`: how fast the next occurrence of a cron expression is found. With
//! `--features stack`, `-- aws` says what the deployment on AWS costs, where its table is hot, and how late its jobs are; with
//! `--features cold`, `-- cold` how fast the functions start and answer, next to minimal ones.

use std::process::ExitCode;

#[cfg(feature = "aws")]
use carillon_tests::bench::aws;
#[cfg(feature = "cold")]
use carillon_tests::bench::cold;
use carillon_tests::bench::{Failure, Sizes, cadence, embedded, report};

const USAGE: &str = "usage: bench embedded [--quick]
       bench cadence [--quick]
       bench aws                  with --features stack
       bench cold [--quick]       with --features cold

  embedded   measure the embedded stack: rates, CPU time per job, lateness
  cadence    measure the search for the next occurrence of cron expressions
  aws        the deployment on AWS: cost, hot keys, lateness
  cold       build the functions, and measure how fast they start and answer
  --quick    a tenth of it: to see that it works";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let done = match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["embedded"] => measure_embedded(Sizes::FULL),
        ["embedded", "--quick"] => measure_embedded(Sizes::QUICK),
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

#[cfg(feature = "cold")]
fn measure_cold(sizes: cold::Sizes) -> Result<(), Failure> {
    cold::run(sizes).map(|figures| cold::report::print(&figures, sizes))
}
