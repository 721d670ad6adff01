//! `carillon`: the whole scheduler in one process.
//!
//! `carillon` alone serves until it is stopped; `carillon demo` runs the samples from request to effect; `carillon keys` creates,
//! lists and revokes API keys; `carillon next` prints the instants of a cron expression. This file is wiring, and the only one in
//! this crate that reads the environment.

mod aws;
mod cli;
mod curl;
mod data;
mod demo;
mod keys;
mod logging;
mod next;
mod receiver;
mod server;

use std::process::ExitCode;

use carillon_embedded::runtime;
use clap::Parser;

use crate::cli::{Cli, Command};

/// Callers and the store's writer free what the other one has allocated, for which the allocator of most systems takes a lock.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let cli = Cli::parse();
    match runtime::callers() {
        Ok(runtime) => runtime.block_on(run(cli)),
        Err(error) => {
            eprintln!("carillon: cannot start: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(cli: Cli) -> ExitCode {
    #[expect(clippy::disallowed_methods, reason = "this is the main that reads the environment")]
    let environment: Vec<(String, String)> = std::env::vars().collect();
    let outcome = match cli.command {
        None => serve(&cli.serve, environment).await,
        Some(Command::Demo) => demo::run().await,
        Some(Command::Keys(command)) => keys::run(&command).await,
        Some(Command::Next(command)) => next::run(&command),
    };
    match outcome {
        Ok(code) => code,
        Err(error) => {
            eprintln!("carillon: {error}");
            let mut cause = error.source();
            while let Some(error) = cause {
                eprintln!("  caused by: {error}");
                cause = error.source();
            }
            ExitCode::FAILURE
        }
    }
}

/// An error that ends the program, with its causes.
type Failure = Box<dyn std::error::Error + Send + Sync>;

async fn serve(options: &cli::Serve, environment: Vec<(String, String)>) -> Result<ExitCode, Failure> {
    logging::start(options.log_format);
    let directory = data::directory(options.data.as_deref())?;
    server::serve(options, &directory, environment).await?;
    Ok(ExitCode::SUCCESS)
}
