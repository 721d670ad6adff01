//! Timers: a delayed message for a fire that is due soon, a schedule for one that is due later.
//!
//! EventBridge Scheduler keeps the minute, SQS the second. So a schedule is set earlier than its fire by a lead; its
//! message arrives early, and the executor sends it on with the delay that is left. A job due in a year is thus
//! dispatched within a second of its time.

use std::time::Duration;

use aws_sdk_scheduler::Client;
use aws_sdk_scheduler::operation::create_schedule::CreateScheduleError;
use aws_sdk_scheduler::operation::delete_schedule::DeleteScheduleError;
use aws_sdk_scheduler::operation::get_schedule::GetScheduleError;
use aws_sdk_scheduler::types::{
    ActionAfterCompletion, DeadLetterConfig, FlexibleTimeWindow, FlexibleTimeWindowMode, RetryPolicy, ScheduleState,
    Target,
};
use carillon_core::ids::Fire;
use carillon_core::ports::{Clock, MAX_DELAY_SECONDS, Message, MessageQueue, PortError, Timers};
use carillon_core::time::UnixMillis;
use tracing::{error, warn};

use crate::fault::classify;
use crate::queue::Queue;
use crate::settings::Settings;

/// Timeout for arming before a commit. Must stay below the time that the executor reserves for settling.
const PROMPT: Duration = Duration::from_millis(500);

/// The timers of a deployment.
#[derive(Clone, Debug)]
pub struct AwsTimers<C> {
    scheduler: Client,
    queue: Queue,
    clock: C,
    settings: Settings,
}

/// The way to arm a fire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arming {
    /// A message with this delay, in seconds.
    Delay(i64),
    /// A schedule at this instant.
    Schedule(UnixMillis),
}

/// Chooses how to arm a fire due `at`.
///
/// A delay is rounded down to whole seconds: the message arrives within the second before the fire is due, and waits
/// it out in the executor.
pub fn arming(at: UnixMillis, now: UnixMillis, threshold_seconds: i64, lead_seconds: i64) -> Arming {
    let wait_seconds = at.since(now).max(0).div_euclid(1_000);
    let scheduled_at = at.plus(-lead_seconds * 1_000);
    // A schedule in the past would not fire, and one that is due at once is no better than a message.
    if wait_seconds <= threshold_seconds || scheduled_at <= now {
        Arming::Delay(wait_seconds.min(MAX_DELAY_SECONDS))
    } else {
        Arming::Schedule(scheduled_at)
    }
}

impl<C> AwsTimers<C> {
    /// Creates timers over the queue and the Scheduler.
    pub fn new(scheduler: Client, queue: Queue, clock: C, settings: Settings) -> Self {
        Self { scheduler, queue, clock, settings }
    }

    async fn schedule(&self, message: &Message, at: UnixMillis) -> Result<(), PortError> {
        let settings = &self.settings;
        let target = Target::builder()
            .arn(&settings.queue_arn)
            .role_arn(&settings.scheduler_role_arn)
            .input(message.to_string())
            .dead_letter_config(DeadLetterConfig::builder().arn(&settings.dead_letter_queue_arn).build())
            .retry_policy(
                RetryPolicy::builder().maximum_retry_attempts(185).maximum_event_age_in_seconds(86_400).build(),
            )
            .build()
            .map_err(|error| PortError::Permanent(error.into()))?;
        let window = FlexibleTimeWindow::builder().mode(FlexibleTimeWindowMode::Off).build();
        let created = self
            .scheduler
            .create_schedule()
            .group_name(&settings.schedule_group)
            .name(message.fire.to_string())
            .client_token(message.fire.to_string())
            .schedule_expression(expression(at))
            .flexible_time_window(window.map_err(|error| PortError::Permanent(error.into()))?)
            .action_after_completion(ActionAfterCompletion::Delete)
            .state(ScheduleState::Enabled)
            .target(target)
            .send()
            .await;
        let Err(error) = created else { return Ok(()) };
        if !matches!(error.as_service_error(), Some(CreateScheduleError::ConflictException(_))) {
            return match classify(error) {
                // Denied, or the account's quota of schedules is used up: retrying does not help. A message that is
                // sent again until the fire is due costs more, but is a timer as well.
                fault @ PortError::Permanent(_) => {
                    let cause = fault.causes();
                    error!(fire = %message.fire, cause, "no schedule can be made; a message goes round instead");
                    self.queue.send(message, self.settings.delay_threshold_seconds).await
                }
                fault => Err(fault),
            };
        }
        // The name is taken, most likely by this very timer after a lost reply or a repeated arming. The check makes
        // sure.
        let name = message.fire.to_string();
        let standing = self.scheduler.get_schedule().group_name(&settings.schedule_group).name(name).send().await;
        match standing {
            Ok(standing) if standing.schedule_expression() == Some(expression(at).as_str()) => Ok(()),
            // It fired and deleted itself between the two calls, or has another time: a message is a timer as well.
            Ok(_) => self.queue.send(message, self.settings.delay_threshold_seconds).await,
            Err(error) if error.as_service_error().is_some_and(GetScheduleError::is_resource_not_found_exception) => {
                self.queue.send(message, self.settings.delay_threshold_seconds).await
            }
            Err(error) => Err(classify(error)),
        }
    }
}

/// An `at(…)` expression in UTC, to the second.
fn expression(at: UnixMillis) -> String {
    let whole_seconds = UnixMillis(at.0.div_euclid(1_000) * 1_000);
    format!("at({})", whole_seconds.to_string().trim_end_matches('Z'))
}

impl<C: Clock> Timers for AwsTimers<C> {
    async fn arm(&self, fire: Fire, at: UnixMillis) -> Result<(), PortError> {
        let Settings { delay_threshold_seconds, schedule_lead_seconds, .. } = self.settings;
        let message = Message::new(fire, at);
        match arming(at, self.clock.now(), delay_threshold_seconds, schedule_lead_seconds) {
            Arming::Delay(seconds) => self.queue.send(&message, seconds).await,
            Arming::Schedule(at) => self.schedule(&message, at).await,
        }
    }

    async fn arm_promptly(&self, fire: Fire, at: UnixMillis) -> Result<(), PortError> {
        let armed = tokio::time::timeout(PROMPT, self.arm(fire, at)).await;
        armed.unwrap_or_else(|elapsed| Err(PortError::Unavailable(elapsed.into())))
    }

    async fn disarm(&self, fire: Fire) {
        let request = self.scheduler.delete_schedule().group_name(&self.settings.schedule_group).name(fire.to_string());
        let Err(error) = request.send().await else { return };
        if !error.as_service_error().is_some_and(DeleteScheduleError::is_resource_not_found_exception) {
            // The timer will fire and find nothing to do.
            warn!(%fire, cause = classify(error).causes(), "a schedule could not be deleted");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixMillis = UnixMillis(1_800_000_000_500);

    #[test]
    fn what_is_due_soon_is_a_message_and_what_is_due_later_a_schedule() {
        let arm = |millis| arming(NOW.plus(millis), NOW, 900, 120);
        assert_eq!(arm(-5_000), Arming::Delay(0));
        assert_eq!(arm(999), Arming::Delay(0));
        assert_eq!(arm(1_000), Arming::Delay(1));
        assert_eq!(arm(900_999), Arming::Delay(900));
        assert_eq!(arm(901_000), Arming::Schedule(NOW.plus(781_000)));
    }

    #[test]
    fn a_low_threshold_never_makes_a_schedule_in_the_past() {
        assert_eq!(arming(NOW.plus(60_000), NOW, 2, 120), Arming::Delay(60));
        assert_eq!(arming(NOW.plus(60_000), NOW, 2, 5), Arming::Schedule(NOW.plus(55_000)));
    }

    #[test]
    fn expressions_are_utc_to_the_second() {
        assert_eq!(expression(NOW), "at(2027-01-15T08:00:00)");
    }
}
