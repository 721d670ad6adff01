//! Instructions per job, by the program that the test run holds against its committed figures.

use carillon_load::instructions::{count, report};

use super::Failure;
use crate::process::build;

/// Builds that program and prints its counts.
///
/// # Errors
/// When it does not build, or valgrind is missing.
pub fn run() -> Result<(), Failure> {
    let built = build(&["--profile", "instructions", "--package", "carillon-load"])?;
    let program = built.first().ok_or("cargo names no program that it built")?;
    println!("{}", report(&count(program)?)?);
    Ok(())
}
