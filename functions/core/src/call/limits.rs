//! How long an attempt may take.

use super::dispatch::pauses_ms;
use super::{Followed, followed_by, notification};
use crate::catalog::{EventRef, Retries, Target, TimeoutMs};
use crate::job::JobSpec;

/// Bounds on attempts, ms.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// When neither the job nor the catalog says.
    pub default_timeout_ms: u32,
    /// The longest that this stack can wait.
    pub max_timeout_ms: u32,
    /// How much longer than the attempt its lease lasts: time to record the outcome.
    pub lease_margin_ms: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self { default_timeout_ms: 30_000, max_timeout_ms: 900_000, lease_margin_ms: 10_000 }
    }
}

impl Limits {
    /// How long an attempt of a job may take, ms: the job's word before the catalog's before the type's.
    pub fn timeout_ms(&self, spec: &JobSpec, followed: Option<&Followed<'_>>) -> u32 {
        let own = followed.map(|followed| self.timeout_of(followed));
        spec.timeout.or(own).unwrap_or(self.default_timeout_ms).min(self.max_timeout_ms)
    }

    /// How long an event may take, ms: as the catalog says. What consists of others takes as long as all of them together.
    pub(super) fn timeout_of(&self, followed: &Followed<'_>) -> u32 {
        let named = |event: EventRef<'_>, retries: Option<Retries>, timeout: Option<TimeoutMs>| {
            let own = || followed_by(followed.catalog, event).map_or(0, |followed| self.timeout_of(&followed));
            let retries = retries.map_or(0, |retries| retries.0);
            let tries_ms = timeout.map_or_else(own, |timeout| timeout.0).saturating_mul(retries.saturating_add(1));
            tries_ms.saturating_add(pauses_ms(retries))
        };
        let all = |parts: &mut dyn Iterator<Item = u32>| parts.fold(0, u32::saturating_add);
        let own = match followed.target {
            Target::Action(_, action) => action.timeout.map(|timeout| timeout.0),
            Target::DatabaseAction(_, action) => action.timeout.map(|timeout| timeout.0),
            Target::Publish(_, topic) => topic.timeout.map(|timeout| timeout.0),
            Target::Function(function) => function.timeout.map(|timeout| timeout.0),
            Target::Feature(it) => {
                Some(all(&mut it.steps.iter().map(|step| named(step.event_ref(), step.retries, step.timeout))))
            }
            Target::Fallback(_, it) => Some(all(&mut it
                .options
                .iter()
                .map(|option| named(option.event_ref(), option.retries, option.timeout)))),
            // One request for each channel, and more where each receiver has one.
            Target::Notification(..) => Some(4 * notification::REQUEST_MS),
            Target::Subscribe(..) => Some(self.max_timeout_ms),
            _ => None,
        };
        followed.timeout_ms().or(own).unwrap_or(self.default_timeout_ms).min(self.max_timeout_ms)
    }
}
