//! `cargo run --profile instructions -p carillon-load`: counts the instructions that a job takes, and holds them against the
//! committed figures. It starts itself under callgrind, as `carillon-load schedule FOLDER JOBS` and `… run FOLDER JOBS`.

use std::path::Path;
use std::process::ExitCode;

use carillon_load::instructions;
use carillon_load::{CALLERS, CONCURRENCY, Failure, Stack, bodies, running, scheduling};

/// As in `carillon`.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let done = match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        [] => guard(),
        [path @ ("schedule" | "run"), folder, jobs] => work(path, folder.as_ref(), jobs).map(|()| ExitCode::SUCCESS),
        _ => {
            eprintln!("usage: carillon-load");
            return ExitCode::from(2);
        }
    };
    done.unwrap_or_else(|error| {
        eprintln!("carillon-load: {error}");
        ExitCode::FAILURE
    })
}

/// Prints a line for each path, and `N passed, N failed` at the end.
fn guard() -> Result<ExitCode, Failure> {
    let counts = instructions::count(&std::env::current_exe()?)?;
    println!("{}", instructions::report(&counts)?);
    let failed = counts.iter().filter(|count| !count.holds()).count();
    println!("{} passed, {failed} failed", counts.len() - failed);
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Takes one path, on the store of a folder that stays.
fn work(path: &str, folder: &Path, jobs: &str) -> Result<(), Failure> {
    let jobs = jobs.parse()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let stack = Stack::open_in(folder).await?;
        match path {
            "run" => running(&stack.ports, jobs, CONCURRENCY).await,
            _ => scheduling(&stack, &bodies(jobs), CALLERS).await,
        }
    })
}
