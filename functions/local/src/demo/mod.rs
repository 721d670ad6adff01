//! `carillon demo`: the samples in `events/`, from HTTP request to effect.

mod client;
mod samples;
mod screen;

use std::process::ExitCode;
use std::time::Duration;

use carillon_core::idempotency::KEPT_HOURS;
use carillon_core::job::Run;
use carillon_core::operations::DEFAULT_WAIT_SLOTS;
use carillon_core::ports::{Clock, Ports};
use serde_json::Value;

use self::client::Client;
use self::samples::{Sample, catalog, samples, session_data};
use self::screen::{Look, Screen};
use crate::Failure;
use crate::cli::Durability;
use crate::receiver;
use crate::server::{self, Options};

/// Time limit for all jobs together; the demonstration fails after it.
const DEADLINE: Duration = Duration::from_mins(1);
/// Interval at which each job is read.
const INTERVAL: Duration = Duration::from_millis(50);

/// Runs the demonstration. Succeeds only if every job ends as expected.
pub(crate) async fn run() -> Result<ExitCode, Failure> {
    let folder = tempfile::tempdir()?;
    let receiver = receiver::start().await?;
    let options = Options {
        directory: folder.path().to_owned(),
        address: ([127, 0, 0, 1], 0).into(),
        catalogs: Vec::new(),
        // Only this entry allows calls to the receiver.
        allow: vec![receiver.address.to_string()],
        root_certificates: None,
        environment: samples::secrets(),
        concurrency: 64,
        durability: Durability::Process,
        run_retention_days: Run::KEPT_DAYS,
        idempotency_hours: KEPT_HOURS,
        max_waits: DEFAULT_WAIT_SLOTS,
    };
    let server = server::start(options).await?;
    let client = Client::new(server.address, &server.first_key);
    client.put_catalog("my-product", &catalog(receiver.address)?).await?;

    let mut samples = samples(server.embedded.clock().now())?;
    for sample in &mut samples {
        if let Some(session) = sample.body.get_mut("session") {
            session["token"] = client.mint("my-product", "dev", "user-session", &session_data()).await?;
        }
    }
    let screen = Screen::new(&server.address.to_string(), &samples);
    let mut ids = Vec::new();
    for sample in &samples {
        ids.push(client.schedule(&sample.body).await?);
    }
    let followed = tokio::time::timeout(DEADLINE, follow(&client, &samples, &ids, &screen)).await;
    let Ok(looks) = followed else {
        screen.close("some jobs did not end in time");
        return Ok(ExitCode::FAILURE);
    };
    let looks = looks?;
    let faults = faults(&samples, &looks, receiver.seen.requests());
    server.stop().await;
    let verdict = if faults.is_empty() {
        let attempts: u64 = looks.iter().map(|look| look.attempts).sum();
        format!("All {} jobs ended as they should, in {attempts} attempts, none lost and none doubled.", looks.len())
    } else {
        faults.join("\n")
    };
    screen.close(&verdict);
    Ok(if faults.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Reads every job repeatedly until all have ended.
async fn follow(client: &Client, samples: &[Sample], ids: &[String], screen: &Screen) -> Result<Vec<Look>, Failure> {
    let mut interval = tokio::time::interval(INTERVAL);
    loop {
        interval.tick().await;
        let mut looks = Vec::new();
        for (row, (id, sample)) in ids.iter().zip(samples).enumerate() {
            let look = look(&client.job(id).await?, sample);
            screen.show(row, &look);
            looks.push(look);
        }
        if looks.iter().all(|look| look.has_ended) {
            return Ok(looks);
        }
    }
}

/// Returns the state of a job for the screen.
fn look(job: &Value, sample: &Sample) -> Look {
    let run = &job["run"];
    let (run_no, attempts) = (run["run_no"].as_u64().unwrap_or(1), run["attempts"].as_u64().unwrap_or(0));
    let status = job["status"].as_str().unwrap_or_default().to_owned();
    let result = match (&job["result"], &job["error"]) {
        (Value::Null, Value::Null) => run["failures"]
            .as_array()
            .and_then(|failures| failures.last())
            .map(|failure| failure["error"]["code"].clone()),
        (Value::Null, error) => Some(error["code"].clone()),
        // The result of an HTTP request has a body, that of a composite event an output or channels.
        (result, _) => {
            let told = ["body", "output", "channels"].iter().find_map(|name| result.get(name));
            Some(told.unwrap_or(result).clone())
        }
    };
    Look {
        has_ended: matches!(status.as_str(), "completed" | "failed" | "cancelled"),
        is_as_expected: status == sample.ends,
        status,
        // Each earlier run took a single attempt: a failure would have ended the series, and the result cache was empty.
        attempts: run_no - 1 + attempts,
        progress: match job["repeat"]["limit"].as_u64() {
            Some(limit) => format!("run {run_no}/{limit}"),
            None => format!("attempt {attempts}/{}", job["retries"].as_u64().unwrap_or(0) + 1),
        },
        lateness_ms: run["lateness_ms"].as_i64(),
        result: result.map(|result| {
            let text = result.as_str().map_or_else(|| result.to_string(), str::to_owned);
            if run["cached"] == true { format!("remembered: {text}") } else { text }
        }),
    }
}

/// Returns the deviations from the expected ends.
fn faults(samples: &[Sample], looks: &[Look], requests: u32) -> Vec<String> {
    let mut faults = Vec::new();
    for (sample, look) in samples.iter().zip(looks) {
        if look.status != sample.ends || look.attempts != sample.attempts {
            let (ends, attempts) = (sample.ends, sample.attempts);
            let (status, had) = (&look.status, look.attempts);
            faults.push(format!("{}: {status} after {had} attempts, not {ends} after {attempts}", sample.title));
        }
        if look.lateness_ms.is_some_and(|lateness| lateness < 0) {
            faults.push(format!("{}: ran before it was due", sample.title));
        }
    }
    let expected: u64 = samples.iter().map(|sample| sample.requests).sum();
    if u64::from(requests) != expected {
        faults.push(format!("the receiver got {requests} requests, not {expected}"));
    }
    faults
}
