//! Time and CPU time.

use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

use crate::env::now;

/// The cost of a measured step.
#[derive(Clone, Copy, Debug)]
pub struct Cost {
    /// Number of jobs.
    pub count: usize,
    /// By the clock.
    pub wall: Duration,
    /// Over all cores, user and system.
    pub cpu: Duration,
}

impl Cost {
    /// Number a second.
    #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
    pub fn per_second(&self) -> f64 {
        self.count as f64 / self.wall.as_secs_f64()
    }

    /// CPU time for each, in microseconds.
    #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
    pub fn cpu_micros(&self) -> f64 {
        self.cpu.as_secs_f64() * 1e6 / self.count as f64
    }
}

/// A measurement under way.
pub(super) struct Meter {
    began: Instant,
    cpu: Duration,
}

impl Meter {
    pub(super) fn start() -> Self {
        Self { began: now(), cpu: process_cpu() }
    }

    pub(super) fn stop(&self, count: usize) -> Cost {
        Cost { count, wall: self.began.elapsed(), cpu: process_cpu().saturating_sub(self.cpu) }
    }
}

fn process_cpu() -> Duration {
    clock_gettime(ClockId::ProcessCPUTime).try_into().unwrap_or_default()
}
