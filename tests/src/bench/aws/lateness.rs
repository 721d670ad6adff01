//! Lateness of jobs: from their due time to the call of their target, with the real decisions of the timers and of
//! the executor, and assumed times of AWS.

use carillon_aws::timers::{Arming, arming};
use carillon_core::ports::MAX_DELAY_SECONDS;
use carillon_core::time::UnixMillis;
use carillon_executor::lambda::early_delivery::{EarlyDelivery, early_delivery};

use super::account::settings;
use crate::bench::Failure;
use crate::random::Random;

/// Jobs.
pub(super) const JOBS: u32 = 100_000;
const SEED: u64 = 20_270_115;
/// Their horizons, ms: 1 s to a year, evenly by order of magnitude.
const HORIZONS_MS: (f64, f64) = (1_000.0, 365.0 * 24.0 * 3_600_000.0);
/// The Scheduler fires within this of the second that was asked for, ms.
const SCHEDULER_WINDOW_MS: f64 = 60_000.0;

/// A log-normal distribution of times, ms.
#[derive(Clone, Copy)]
pub(super) struct Times {
    pub(super) median_ms: f64,
    pub(super) p99_ms: f64,
}

/// Assumed: from a message being due to the executor's code, with SQS, the poller and a warm function in between.
pub(super) const DELIVERY: Times = Times { median_ms: 20.0, p99_ms: 250.0 };
/// Assumed: one delivery in this many also waits for a new instance of the function.
pub(super) const COLD_START_IN: usize = 500;
/// Assumed: as long as this.
pub(super) const COLD_START: Times = Times { median_ms: 150.0, p99_ms: 500.0 };
/// Assumed: a request to DynamoDB. Two of them, the job's read and its claim, come before the call.
pub(super) const REQUEST: Times = Times { median_ms: 5.0, p99_ms: 30.0 };

impl Times {
    fn draw(self, random: &mut Random) -> f64 {
        /// The quantile of the standard normal distribution at 0.99.
        const NORMAL_P99: f64 = 2.326_348;
        // Box and Muller's way from two even numbers to a normal one.
        let normal = (-2.0 * (1.0 - random.unit()).ln()).sqrt() * (std::f64::consts::TAU * random.unit()).cos();
        self.median_ms * ((self.p99_ms / self.median_ms).ln() / NORMAL_P99 * normal).exp()
    }
}

/// The results, ms, sorted.
#[derive(Debug, Default)]
pub(super) struct Lateness {
    /// Jobs that wait in SQS only.
    pub(super) delayed: Vec<f64>,
    /// Jobs that wait in the Scheduler first.
    pub(super) scheduled: Vec<f64>,
}

impl Lateness {
    /// All jobs.
    pub(super) fn all(&self) -> Vec<f64> {
        sorted([self.delayed.as_slice(), &self.scheduled].concat())
    }
}

/// Simulates a number of jobs, each accepted at another fraction of a second.
pub(super) fn simulate(jobs: u32) -> Result<Lateness, Failure> {
    let settings = settings()?;
    let mut lateness = Lateness::default();
    for number in 0..jobs {
        let mut random = Random::of_case(SEED, number.into());
        let accepted = 1_800_000_000_000.0 + random.unit() * 1_000.0;
        let (shortest, longest) = HORIZONS_MS;
        let due_at = instant(accepted + shortest * (longest / shortest).powf(random.unit()));
        match arming(due_at, instant(accepted), settings.delay_threshold_seconds, settings.schedule_lead_seconds) {
            Arming::Delay(seconds) => {
                let sent = accepted + REQUEST.draw(&mut random);
                lateness.delayed.push(called(due_at, sent + millis(seconds), &mut random) - ms(due_at));
            }
            Arming::Schedule(at) => {
                // A schedule names whole seconds.
                let fired = ms(at).div_euclid(1_000.0) * 1_000.0 + random.unit() * SCHEDULER_WINDOW_MS;
                lateness.scheduled.push(called(due_at, fired, &mut random) - ms(due_at));
            }
        }
    }
    let Lateness { delayed, scheduled } = lateness;
    Ok(Lateness { delayed: sorted(delayed), scheduled: sorted(scheduled) })
}

/// When the target is called, of a fire whose message is to be delivered at `visible`.
fn called(due_at: UnixMillis, mut visible: f64, random: &mut Random) -> f64 {
    loop {
        let cold = if random.once_in(COLD_START_IN) { COLD_START.draw(random) } else { 0.0 };
        let arrived = visible + DELIVERY.draw(random) + cold;
        match early_delivery(due_at, instant(arrived)) {
            EarlyDelivery::SendOn { delay_seconds } => {
                visible = arrived + REQUEST.draw(random) + millis(delay_seconds.min(MAX_DELAY_SECONDS));
            }
            EarlyDelivery::Wait { early_ms } => {
                let requests = REQUEST.draw(random) + REQUEST.draw(random);
                #[expect(clippy::cast_precision_loss, reason = "a second at the most")]
                return arrived + early_ms as f64 + requests;
            }
        }
    }
}

/// The instant as a clock of whole milliseconds gives it.
#[expect(clippy::cast_possible_truncation, reason = "instants of this century")]
fn instant(ms: f64) -> UnixMillis {
    UnixMillis(ms.floor() as i64)
}

#[expect(clippy::cast_precision_loss, reason = "instants of this century are far below 2^53 ms")]
fn ms(instant: UnixMillis) -> f64 {
    instant.0 as f64
}

fn millis(seconds: i64) -> f64 {
    ms(UnixMillis(seconds * 1_000))
}

fn sorted(mut values: Vec<f64>) -> Vec<f64> {
    values.sort_by(f64::total_cmp);
    values
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_target_is_called_before_its_time_and_the_same_seed_gives_the_same() {
        let all = simulate(5_000).unwrap().all();
        assert!(all.len() == 5_000 && all[0] > 0.0, "{}", all[0]);
        assert_eq!(all, simulate(5_000).unwrap().all());
    }
}
