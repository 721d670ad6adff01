//! Shared parts of the tests that kill real processes under load: callers that keep sending requests, an app that
//! keeps answering, and the checks after all jobs have ended. The checks use only the API's answers and the requests
//! that the app received.

mod callers;
mod check;
mod journal;

use std::time::Duration;

use axum::response::Response;
use http::StatusCode;
use serde_json::json;

pub use callers::Callers;
pub use check::{Figures, Killed, check};
pub use journal::Journal;

use crate::env::variable;
use crate::receiver::{Delivery, answer, done};

/// The seed of the draws: `CARILLON_KILLS_SEED`, or always the same one. It draws what is asked for and when is killed; what
/// that meets is up to the machine.
///
/// # Panics
/// When the variable is no number.
pub fn seed() -> u64 {
    let seed = variable("CARILLON_KILLS_SEED").map_or(20_261_125, |seed| seed.parse().expect("a seed is a number"));
    println!("CARILLON_KILLS_SEED={seed}");
    seed
}

/// The behaviour of a job at the app, by its number, so that the received requests explain the record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Conduct {
    /// Every attempt is refused: the job fails after its retries.
    Hopeless,
    /// The first attempt of each run is refused.
    Slow,
    /// It has no retries, so that a kill can end it.
    Fragile,
    /// It succeeds, and is often waited for.
    Sound,
}

impl Conduct {
    const fn of(number: u64) -> Self {
        match number % 25 {
            0 => Self::Hopeless,
            7 => Self::Fragile,
            number if number % 5 == 1 => Self::Slow,
            _ => Self::Sound,
        }
    }

    /// The most that may be asked for, unless kills are to spend them.
    const fn retries(self) -> u64 {
        match self {
            Self::Hopeless => 2,
            Self::Fragile => 0,
            Self::Slow | Self::Sound => 100,
        }
    }

    /// Refused attempts, of a number of received ones.
    fn refused(self, came_in: u64) -> u64 {
        match self {
            Self::Hopeless => came_in,
            Self::Slow => came_in.min(1),
            Self::Fragile | Self::Sound => 0,
        }
    }
}

/// The app: it takes a moment, and one time in eight a longer one, so that there is always something under way.
pub async fn app(delivery: Delivery) -> Response {
    let number = delivery.path.rsplit('/').next().and_then(|number| number.parse().ok()).unwrap_or_default();
    let takes_ms = if number % 8 == 3 { 200 + number % 150 } else { 2 + number % 20 };
    tokio::time::sleep(Duration::from_millis(takes_ms)).await;
    let came_in = u64::from(delivery.nth);
    let conduct = Conduct::of(number);
    if conduct.refused(came_in) > conduct.refused(came_in - 1) {
        return answer(StatusCode::SERVICE_UNAVAILABLE, &json!({}));
    }
    done(&delivery)
}
