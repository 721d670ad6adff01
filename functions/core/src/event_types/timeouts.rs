//! Timeouts of an event, alone and with the events that it runs.

use super::limits::Limits;
use super::resolved::ResolvedEvent;
use super::tries::pauses_ms;
use crate::catalog::{Catalog, EventRef, Retries, TimeoutMs};
use crate::job::JobSpec;

impl Limits {
    /// Timeout of a job's attempt, ms: the job's own, else the catalog's, else the type's.
    pub fn timeout_ms(&self, spec: &JobSpec, resolved: Option<&ResolvedEvent<'_>>) -> u32 {
        let own = resolved.map(|resolved| self.timeout_of(resolved));
        spec.timeout.or(own).unwrap_or(self.default_timeout_ms).min(self.max_timeout_ms)
    }

    /// Timeout of an event in the catalog, ms.
    pub(super) fn timeout_of(&self, resolved: &ResolvedEvent<'_>) -> u32 {
        let own = || resolved.timeout_of_type(self);
        resolved.timeout_ms().or_else(own).unwrap_or(self.default_timeout_ms).min(self.max_timeout_ms)
    }

    /// Timeout of several events in sequence, ms, each with its own settings: every try, and the pauses between.
    pub(super) fn of_all<'c>(
        &self,
        catalog: &'c Catalog,
        events: impl Iterator<Item = (EventRef<'c>, Option<Retries>, Option<TimeoutMs>)>,
    ) -> u32 {
        let one = |(event, retries, timeout): (EventRef<'_>, Option<Retries>, Option<TimeoutMs>)| {
            let own = || ResolvedEvent::find(catalog, event).map_or(0, |resolved| self.timeout_of(&resolved));
            let retries = retries.map_or(0, |retries| retries.0);
            let tries_ms = timeout.map_or_else(own, |timeout| timeout.0).saturating_mul(retries.saturating_add(1));
            tries_ms.saturating_add(pauses_ms(retries))
        };
        events.map(one).fold(0, u32::saturating_add)
    }
}
