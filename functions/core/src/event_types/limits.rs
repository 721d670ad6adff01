//! How long an attempt may take.

use super::context::pauses_ms;
use super::kind::{EventKind as _, match_kind, with_kind};
use super::{ResolvedEvent, followed_by};
use crate::catalog::{Catalog, EventRef, Retries, TimeoutMs};
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
    pub fn timeout_ms(&self, spec: &JobSpec, followed: Option<&ResolvedEvent<'_>>) -> u32 {
        let own = followed.map(|followed| self.timeout_of(followed));
        spec.timeout.or(own).unwrap_or(self.default_timeout_ms).min(self.max_timeout_ms)
    }

    /// How long an event may take, ms: as the catalog says.
    pub(super) fn timeout_of(&self, followed: &ResolvedEvent<'_>) -> u32 {
        let own = || with_kind!(&followed.target, |kind| kind.timeout_ms(self));
        followed.timeout_ms().or_else(own).unwrap_or(self.default_timeout_ms).min(self.max_timeout_ms)
    }

    /// How long several events may take one after the other, ms, each with what its component says: every try, and the pauses
    /// between.
    pub(super) fn of_all<'c>(
        &self,
        catalog: &'c Catalog,
        events: impl Iterator<Item = (EventRef<'c>, Option<Retries>, Option<TimeoutMs>)>,
    ) -> u32 {
        let one = |(event, retries, timeout): (EventRef<'_>, Option<Retries>, Option<TimeoutMs>)| {
            let own = || followed_by(catalog, event).map_or(0, |followed| self.timeout_of(&followed));
            let retries = retries.map_or(0, |retries| retries.0);
            let tries_ms = timeout.map_or_else(own, |timeout| timeout.0).saturating_mul(retries.saturating_add(1));
            tries_ms.saturating_add(pauses_ms(retries))
        };
        events.map(one).fold(0, u32::saturating_add)
    }
}
