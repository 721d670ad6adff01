//! BullMQ on Redis, for the duration of a benchmark: a Redis server on a Unix socket in a folder of its own, and [a
//! program for Node](../../../bench/bullmq.mjs) that adds jobs and runs them.

mod install;

use std::io::{BufRead as _, BufReader, Lines, Write as _};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tempfile::TempDir;

pub use self::install::{Installed, Missing, installed};
use super::lateness::AHEAD_MS;
use super::meter::Cost;
use super::{Failure, Sizes};
use crate::env::until;

/// Until Redis serves.
const START: Duration = Duration::from_secs(30);
/// Jobs that are added and run before anything is measured, so that Node has compiled what it runs.
const WARM_UP_JOBS: usize = 5_000;

/// Settings of Redis that survive what Carillon's survive. SQLite with `journal_mode=WAL` and `synchronous=NORMAL` hands a
/// commit to the operating system before it is acknowledged and flushes it to the disk later, at a checkpoint; so does Redis
/// with `appendfsync no`, whose log the operating system flushes. Snapshots would only add to its work.
const DURABILITY: [&str; 6] = ["--appendonly", "yes", "--appendfsync", "no", "--save", ""];

/// The two processes. They end when it is dropped.
pub struct BullMq {
    /// Versions of BullMQ, Redis and Node.
    pub versions: String,
    commands: ChildStdin,
    answers: Lines<BufReader<ChildStdout>>,
    _node: Killed,
    _redis: Killed,
    _folder: TempDir,
}

#[derive(Deserialize)]
struct Started {
    versions: String,
}

#[derive(Deserialize)]
struct Measured {
    wall_seconds: f64,
    cpu_seconds: f64,
}

#[derive(Deserialize)]
struct Late {
    lateness_ms: Vec<f64>,
}

impl BullMq {
    /// Starts both processes, and has them run some jobs.
    ///
    /// # Errors
    /// When one does not start, or a job fails.
    pub async fn start(installed: &Installed, sizes: Sizes) -> Result<Self, Failure> {
        let folder = tempfile::tempdir()?;
        let socket = folder.path().join("redis.sock");
        let redis = Killed(redis(installed, folder.path(), &socket)?);
        until("Redis is up", START, async || socket.exists().then_some(())).await;
        let mut node = Command::new("node");
        node.arg("bullmq.mjs").arg(&socket).current_dir(&installed.folder);
        let mut node = Killed(node.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?);
        let commands = node.0.stdin.take().ok_or("the program's input is no pipe")?;
        let answers = BufReader::new(node.0.stdout.take().ok_or("the program's output is no pipe")?).lines();
        let mut bullmq =
            Self { versions: String::new(), commands, answers, _node: node, _redis: redis, _folder: folder };
        let job: Value = serde_json::from_slice(&carillon_load::body(0, 0))?;
        bullmq.versions = bullmq.ask::<Started>(&json!({"command": "start", "job": job}))?.versions;
        bullmq.clear()?;
        let warm_up = Sizes { jobs: WARM_UP_JOBS, ..sizes };
        bullmq.scheduling(warm_up)?;
        bullmq.running(warm_up)?;
        Ok(bullmq)
    }

    /// Empties the store.
    ///
    /// # Errors
    /// When Redis does not.
    pub fn clear(&mut self) -> Result<(), Failure> {
        self.ask::<Value>(&json!({"command": "clear"})).map(drop)
    }

    /// Adds jobs that are due at once; nothing runs them yet.
    ///
    /// # Errors
    /// When one is refused.
    pub fn scheduling(&mut self, sizes: Sizes) -> Result<Cost, Failure> {
        self.measure(&json!({"command": "add", "jobs": sizes.jobs, "callers": sizes.callers}), sizes.jobs)
    }

    /// Runs the jobs that were added.
    ///
    /// # Errors
    /// When one fails.
    pub fn running(&mut self, sizes: Sizes) -> Result<Cost, Failure> {
        self.measure(&json!({"command": "run", "jobs": sizes.jobs, "concurrency": sizes.concurrency}), sizes.jobs)
    }

    /// Lateness of jobs that are due evenly over some seconds, ms.
    ///
    /// # Errors
    /// When one fails.
    pub fn lateness(&mut self, sizes: Sizes) -> Result<Vec<f64>, Failure> {
        let command = json!({
            "command": "late", "jobs": sizes.timed_jobs, "over_ms": sizes.timed_over_ms, "ahead_ms": AHEAD_MS,
            "concurrency": sizes.concurrency,
        });
        Ok(self.ask::<Late>(&command)?.lateness_ms)
    }

    fn measure(&mut self, command: &Value, count: usize) -> Result<Cost, Failure> {
        let Measured { wall_seconds, cpu_seconds } = self.ask(command)?;
        let (wall, cpu) = (Duration::try_from_secs_f64(wall_seconds)?, Duration::try_from_secs_f64(cpu_seconds)?);
        Ok(Cost { count, wall, cpu })
    }

    fn ask<T: DeserializeOwned>(&mut self, command: &Value) -> Result<T, Failure> {
        writeln!(self.commands, "{command}")?;
        let answer = self.answers.next().ok_or("the program for Node ended; its last words are above")??;
        Ok(serde_json::from_str(&answer)?)
    }
}

/// A process that is killed when it is dropped.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        // One that is gone already needs no more.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn redis(installed: &Installed, folder: &Path, socket: &Path) -> Result<Child, Failure> {
    let mut command = Command::new(&installed.redis);
    // Its program is several, and goes by the name that it is called by.
    command.arg0("redis-server").args(["--port", "0", "--daemonize", "no"]);
    command.arg("--unixsocket").arg(socket).arg("--dir").arg(folder).args(DURABILITY);
    Ok(command.stdin(Stdio::null()).stdout(Stdio::null()).spawn()?)
}
