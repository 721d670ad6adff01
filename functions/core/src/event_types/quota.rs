//! `quota`: a counter with a limit. Input: {action?, amount?}.
//!
//! | action | what it does |
//! | --- | --- |
//! | `increment`, the default | adds `amount`, 1 unless it says otherwise |
//! | `check` | looks whether `amount` would still fit |
//! | `reset` | begins the period's counter anew |
//!
//! Result: `{used, limit, remaining, resets_at}`, the last in epoch ms. Beyond the limit the run fails with QUOTA_EXCEEDED, which is not
//! retried. A period is a minute, an hour, a day or a month of the quota's zone. Whatever is attempted again for the same run is
//! counted once. `used` is read after the amount was added: what others have added meanwhile may be in it.

use jiff::{Timestamp, ToSpan as _, ZonedDateTime};
use serde_json::{Value, json};

use super::Needs;
use super::context::{AttemptContext, Halt};
use super::filled::Filled;
use super::kind::EventKind;
use crate::cadence::Zone;
use crate::catalog::{Period, Quota, QuotaEvent};
use crate::job::{Output, RunError, codes};
use crate::json::Field;
use crate::ports::{Clock, Counters, PortError, Ports, Targets};
use crate::progress::{Counted, CounterId, PartPath};
use crate::time::UnixMillis;

impl<'c> EventKind<'c> for QuotaEvent<'c> {
    fn check(&self, _: Option<&str>, input: &Field<'_>) {
        let _ = Input::read(input);
    }

    fn needs(&self, _: &str, _: Option<&Value>) -> Result<Needs<'c>, String> {
        Ok(Needs::default())
    }

    async fn run<P: Ports, T: Targets>(
        &self,
        attempt: &AttemptContext<'_, P, T>,
        at: &PartPath,
        input: Filled<'_>,
    ) -> Result<Output, Halt> {
        let (quota, input) = (self.quota, input.read(Input::read)?);
        let (spec, limit) = (&attempt.job.spec, quota.limit.0);
        let (from, until) = period(quota, attempt.ports.clock().now());
        let (product, env) = (spec.product.clone(), spec.env.clone());
        let counter = CounterId { product, env, quota: self.tag.to_string(), from, until };
        attempt.begin().await?;
        let (counters, by) = (attempt.ports.progress(), attempt.part_name(at));
        let ended = match input.action {
            Action::Increment => counters.add(&counter, &by, input.amount, limit).await,
            Action::Check => counters.used(&counter).await.map(|used| match used.checked_add(input.amount) {
                Some(after) if after <= limit => Counted::Counted { used },
                _ => Counted::Over { used },
            }),
            Action::Reset => counters.reset(&counter, &by).await.map(|()| Counted::Counted { used: 0 }),
        };
        match ended.map_err(|error| uncounted(&error))? {
            Counted::Counted { used } => {
                let remaining = limit.saturating_sub(used);
                Ok(json!({"used": used, "limit": limit, "remaining": remaining, "resets_at": until.0}).into())
            }
            Counted::Over { used } => {
                let message =
                    format!("{used} of {limit} are used of the quota {}, which begins anew at {until}", self.tag);
                Err(RunError::permanent(codes::QUOTA_EXCEEDED, message).into())
            }
        }
    }
}

/// The job's input.
struct Input {
    action: Action,
    amount: u64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Action {
    Increment,
    Check,
    Reset,
}

impl Input {
    fn read(field: &Field<'_>) -> Option<Self> {
        let mut object = field.object()?;
        let words = [("increment", Action::Increment), ("check", Action::Check), ("reset", Action::Reset)];
        let action = object.optional("action").map_or(Some(Action::Increment), |field| field.one_of(&words));
        let amount = object.optional("amount").map_or(Some(1), |field| field.integer(1..=1_000_000_000_000_u64));
        object.finish();
        Some(Self { action: action?, amount: amount? })
    }
}

fn uncounted(error: &PortError) -> RunError {
    let code = if matches!(error, PortError::Throttled(_)) { codes::RATE_LIMITED } else { codes::INTERNAL_ERROR };
    RunError::transient(code, "the counter could not be reached")
}

/// The period that an instant falls into: from when on, and until when.
fn period(quota: &Quota, at: UnixMillis) -> (UnixMillis, UnixMillis) {
    let zone = quota.tz.as_ref().and_then(|tz| Zone::find(&tz.0).ok()).unwrap_or(Zone::UTC);
    let of_calendar = Timestamp::from_millisecond(at.0).ok().and_then(|at| {
        let wall = at.to_zoned_datetime(zone.calendar().clone());
        Some((UnixMillis(start(&wall, quota.period)?), UnixMillis(start(&next(&wall, quota.period)?, quota.period)?)))
    });
    // No period begins after the calendar's last day.
    of_calendar.unwrap_or((at, UnixMillis::MAX))
}

/// When the period of a wall's time began. Hours and minutes go by elapsed time, also where the clocks are set back.
fn start(wall: &ZonedDateTime, period: Period) -> Option<i64> {
    let began = match period {
        Period::Minute => wall.checked_sub(i64::from(wall.second()).seconds()).ok()?,
        Period::Hour => wall.checked_sub((i64::from(wall.minute()) * 60 + i64::from(wall.second())).seconds()).ok()?,
        Period::Day => wall.start_of_day().ok()?,
        Period::Month => wall.first_of_month().ok()?.start_of_day().ok()?,
    };
    Some(began.timestamp().as_second() * 1_000)
}

/// A time in the period after.
fn next(wall: &ZonedDateTime, period: Period) -> Option<ZonedDateTime> {
    match period {
        Period::Minute => wall.checked_add(1.minute()).ok(),
        Period::Hour => wall.checked_add(1.hour()).ok(),
        Period::Day => wall.tomorrow().ok(),
        Period::Month => wall.first_of_month().ok()?.checked_add(1.month()).ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::{QuotaLimit, ZoneName};

    #[test]
    fn a_period_is_one_of_the_calendar_in_the_quotas_zone() {
        for (period_word, tz, at, from, until) in [
            (Period::Minute, None, "2027-01-15T08:01:30.5Z", "2027-01-15T08:01:00Z", "2027-01-15T08:02:00Z"),
            (Period::Hour, None, "2027-01-15T08:59:59.999Z", "2027-01-15T08:00:00Z", "2027-01-15T09:00:00Z"),
            (
                Period::Hour,
                Some("Asia/Kolkata"),
                "2027-01-15T08:01:00Z",
                "2027-01-15T07:30:00Z",
                "2027-01-15T08:30:00Z",
            ),
            (
                Period::Day,
                Some("Europe/Amsterdam"),
                "2027-01-14T23:00:00Z",
                "2027-01-14T23:00:00Z",
                "2027-01-15T23:00:00Z",
            ),
            // The days on which the clocks change have 23 and 25 hours.
            (
                Period::Day,
                Some("Europe/Amsterdam"),
                "2027-03-28T12:00:00Z",
                "2027-03-27T23:00:00Z",
                "2027-03-28T22:00:00Z",
            ),
            (
                Period::Day,
                Some("Europe/Amsterdam"),
                "2027-10-31T12:00:00Z",
                "2027-10-30T22:00:00Z",
                "2027-10-31T23:00:00Z",
            ),
            (
                Period::Hour,
                Some("Europe/Amsterdam"),
                "2027-10-31T01:30:00Z",
                "2027-10-31T01:00:00Z",
                "2027-10-31T02:00:00Z",
            ),
            (Period::Month, None, "2028-02-29T23:59:59Z", "2028-02-01T00:00:00Z", "2028-03-01T00:00:00Z"),
            (
                Period::Month,
                Some("America/New_York"),
                "2027-04-01T03:59:59Z",
                "2027-03-01T05:00:00Z",
                "2027-04-01T04:00:00Z",
            ),
        ] {
            let quota = Quota { limit: QuotaLimit(1), period: period_word, tz: tz.map(|tz| ZoneName(tz.to_owned())) };
            let instant = |text: &str| UnixMillis::from_rfc3339(text).unwrap();
            assert_eq!(period(&quota, instant(at)), (instant(from), instant(until)), "{period_word:?} {tz:?} {at}");
        }
        let quota = Quota { limit: QuotaLimit(1), period: Period::Month, tz: None };
        assert_eq!(period(&quota, UnixMillis::MAX), (UnixMillis::MAX, UnixMillis::MAX));
    }
}
