//! One side of the comparison, in a process of its own so that its memory is its own: opens a store with its
//! scheduled jobs, then schedules, runs and lists jobs that are due at once.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::Request;
use carillon_api::{Service, router};
use carillon_core::testkit::NoSessions;
use carillon_load::{CALLERS, CONCURRENCY, KEY, Stack, bodies, running, scheduling};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tower::ServiceExt as _;

use crate::bench::Failure;
use crate::bench::meter::Meter;
use crate::bench::report::percentile;
use crate::env::now;

/// Times that a page is asked for.
const LISTED: usize = 200;
/// Number of pages before the measured one.
const SKIPPED: usize = 5;

/// The measurements of one side.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub struct Side {
    /// From nothing to an open store, ms.
    pub open_ms: f64,
    /// Resident memory once the first job has run, MB.
    pub memory_mb: f64,
    /// The most resident memory by the end, MB.
    pub peak_mb: f64,
    /// Jobs scheduled a second.
    pub scheduled_per_second: f64,
    /// CPU time of each, µs.
    pub schedule_cpu_micros: f64,
    /// Jobs run to completion a second.
    pub run_per_second: f64,
    /// CPU time of each, µs.
    pub run_cpu_micros: f64,
    /// A page of the newest 100 jobs, ms.
    pub newest_ms: f64,
    /// A page of 100 scheduled jobs, ms.
    pub scheduled_ms: f64,
    /// The page of 100 scheduled jobs that is five pages further down, ms.
    pub further_ms: f64,
}

/// Measures the store of `folder` with a number of additional jobs, and prints the figures as JSON.
///
/// # Errors
///
/// If a measurement fails.
pub fn run(folder: &Path, jobs: usize) -> Result<(), Failure> {
    let runtime = carillon_embedded::runtime::callers()?;
    let side = runtime.block_on(measure(folder, jobs))?;
    println!("{}", serde_json::to_string(&side)?);
    Ok(())
}

async fn measure(folder: &Path, jobs: usize) -> Result<Side, Failure> {
    let began = now();
    let stack = Stack::open_in(folder).await?;
    let open_ms = millis(began.elapsed());
    // The first job is run after the due timers were read for the first time.
    scheduling(&stack, &bodies(1), 1).await?;
    running(&stack.ports, 1, CONCURRENCY).await?;
    let memory_mb = memory("VmRSS:")?;

    let bodies = bodies(jobs);
    let meter = Meter::start();
    scheduling(&stack, &bodies, CALLERS).await?;
    let scheduled = meter.stop(jobs);
    let meter = Meter::start();
    running(&stack.ports, jobs, CONCURRENCY).await?;
    let run = meter.stop(jobs);

    let api = router(Service::new(Arc::clone(&stack.ports), Arc::new(NoSessions)));
    let newest = "/v1/jobs?product_tag=p&env=dev&limit=100";
    let scheduled_jobs = format!("{newest}&status=scheduled");
    let mut further = scheduled_jobs.clone();
    for _ in 0..SKIPPED {
        let page: Value = serde_json::from_slice(&get(&api, &further).await?)?;
        let cursor = page["next_cursor"].as_str().ok_or("there are too few scheduled jobs for another page")?;
        further = format!("{scheduled_jobs}&cursor={cursor}");
    }
    Ok(Side {
        open_ms,
        memory_mb,
        scheduled_per_second: scheduled.per_second(),
        schedule_cpu_micros: scheduled.cpu_micros(),
        run_per_second: run.per_second(),
        run_cpu_micros: run.cpu_micros(),
        newest_ms: listing(&api, newest).await?,
        scheduled_ms: listing(&api, &scheduled_jobs).await?,
        further_ms: listing(&api, &further).await?,
        peak_mb: memory("VmHWM:")?,
    })
}

/// The median time of a page, ms.
async fn listing(api: &Router, path: &str) -> Result<f64, Failure> {
    let mut times = Vec::new();
    for _ in 0..LISTED {
        let began = now();
        get(api, path).await?;
        times.push(millis(began.elapsed()));
    }
    times.sort_by(f64::total_cmp);
    Ok(percentile(&times, 0.5))
}

async fn get(api: &Router, path: &str) -> Result<Vec<u8>, Failure> {
    let request = Request::get(path).header("authorization", format!("Bearer {KEY}")).body(Body::empty())?;
    let response = api.clone().oneshot(request).await?;
    let status = response.status();
    let body = to_bytes(response.into_body(), usize::MAX).await?;
    if status.is_success() { Ok(body.to_vec()) } else { Err(format!("GET {path} gives {status}").into()) }
}

/// A line of this process's status that is in kB, in MB.
fn memory(line: &str) -> Result<f64, Failure> {
    let status = fs::read_to_string("/proc/self/status")?;
    let kilobytes = status.lines().find_map(|text| text.strip_prefix(line)?.trim().strip_suffix("kB"));
    let kilobytes: u32 = kilobytes.ok_or("the system does not say how much memory is used")?.trim().parse()?;
    Ok(f64::from(kilobytes) / 1024.0)
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
