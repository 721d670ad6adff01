//! `cargo run --release -p carillon-tests --bin bench -- embedded`: how fast the embedded stack is, next to what BullMQ 6.7
//! on Redis 7 reaches on such a machine. With `--features stack`, `-- aws` says what the deployment on AWS costs, where its
//! table is hot, and how late its jobs are.

use std::process::ExitCode;

#[cfg(feature = "aws")]
use carillon_tests::bench::aws;
use carillon_tests::bench::{Failure, Sizes, embedded, report};

const USAGE: &str = "usage: bench embedded [--quick]
       bench aws

  embedded   measure the embedded stack: rates, CPU time per job, lateness
  --quick    a tenth of the jobs, one round: to see that it works
  aws        the deployment on AWS: cost, hot keys, lateness (built with --features stack)";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let done = match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["embedded"] => embedded(Sizes::FULL),
        ["embedded", "--quick"] => embedded(Sizes::QUICK),
        #[cfg(feature = "aws")]
        ["aws"] => aws::run(),
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

fn embedded(sizes: Sizes) -> Result<(), Failure> {
    report::print(&embedded::run(sizes)?, sizes);
    Ok(())
}
