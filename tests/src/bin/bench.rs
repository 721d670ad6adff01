//! `cargo run --release -p carillon-tests --bin bench -- embedded`: how fast the embedded stack is, next to what BullMQ 6.7
//! on Redis 7 reaches on such a machine.

use std::process::ExitCode;

use carillon_tests::bench::{Sizes, embedded, report};

const USAGE: &str = "usage: bench embedded [--quick]

  embedded   measure the embedded stack: rates, CPU time per job, lateness
  --quick    a tenth of the jobs, one round: to see that it works";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let sizes = match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["embedded"] => Sizes::FULL,
        ["embedded", "--quick"] => Sizes::QUICK,
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    match embedded::run(sizes) {
        Ok(figures) => {
            report::print(&figures, sizes);
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("bench: {error}");
            ExitCode::FAILURE
        }
    }
}
