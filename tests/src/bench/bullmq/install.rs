//! Installing what `bench embedded` compares with: Redis by apt-get, and BullMQ by npm into the build folder.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use rustix::process::geteuid;

use crate::process::root;

/// The oldest Node that the client of Redis runs on.
const NODE: u32 = 20;
/// Files of tests/bench.
const FILES: [&str; 3] = ["bullmq.mjs", "package.json", "package-lock.json"];
/// Debian's `redis-tools` has the server's program, under a name of its own, without the service that `redis-server` starts.
const PROGRAMS: &str = "command -v redis-server || command -v redis-check-rdb";

/// Programs that are ready to be started.
#[derive(Debug)]
pub struct Installed {
    /// Redis's server.
    pub(super) redis: PathBuf,
    /// The program for Node, beside its packages.
    pub(super) folder: PathBuf,
}

/// A missing tool, and how to get it.
#[derive(Debug)]
pub struct Missing(pub String);

/// Everything that BullMQ needs, installed where that is possible: Redis as root only, as others would be asked for a
/// password.
///
/// # Errors
/// [`Missing`].
pub fn installed() -> Result<Installed, Missing> {
    let version = said("node --version").unwrap_or_default();
    let major = version.trim_start_matches('v').split('.').next().and_then(|major| major.parse::<u32>().ok());
    if major.is_none_or(|major| major < NODE) {
        return Err(Missing(format!("Node {NODE} or later, with npm: see https://nodejs.org")));
    }
    Ok(Installed { redis: redis()?, folder: packages()? })
}

fn redis() -> Result<PathBuf, Missing> {
    if said(PROGRAMS).is_none() && geteuid().is_root() && said("command -v apt-get").is_some() {
        run("apt-get --yes --quiet update && apt-get --yes --quiet install --no-install-recommends redis-tools");
    }
    let found = said(PROGRAMS).map(PathBuf::from);
    found.ok_or_else(|| Missing("Redis: apt-get install redis-tools, or a redis-server in the path".to_owned()))
}

/// The folder target/bullmq with the packages of the lock file. They are installed again when it has changed.
fn packages() -> Result<PathBuf, Missing> {
    let (from, folder) = (root().join("tests/bench"), root().join("target/bullmq"));
    let missing = |error| Missing(format!("the folder {}: {error}", folder.display()));
    let [lock, done] = ["package-lock.json", "installed.json"].map(|name| folder.join(name));
    fs::create_dir_all(&folder).map_err(missing)?;
    for name in FILES {
        fs::copy(from.join(name), folder.join(name)).map_err(missing)?;
    }
    let wanted = fs::read(&lock).map_err(missing)?;
    if fs::read(&done).is_ok_and(|present| present == wanted) {
        return Ok(folder);
    }
    let command = format!("cd '{}' && npm ci --ignore-scripts --no-audit --no-fund", folder.display());
    if !run(&command) {
        return Err(Missing(format!("BullMQ, which a registry of npm has: {command}")));
    }
    fs::write(&done, wanted).map_err(missing)?;
    Ok(folder)
}

/// The first line of a shell command's output; `None` if it fails.
fn said(command: &str) -> Option<String> {
    let output = Command::new("sh").args(["-c", command]).stderr(Stdio::null()).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.lines().next().unwrap_or_default().to_owned())
}

/// True if a command succeeds. What it prints is no part of the figures.
fn run(command: &str) -> bool {
    eprintln!("$ {command}");
    let process = Command::new("sh").args(["-c", &format!("{{ {command}; }} >&2")]).stdin(Stdio::null()).status();
    process.is_ok_and(|status| status.success())
}
