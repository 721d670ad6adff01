//! Bounds on attempts. [`super::timeouts`] applies them.

/// Bounds on attempts, ms.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// When neither the job nor the catalog says.
    pub default_timeout_ms: u32,
    /// The longest that this stack can wait.
    pub max_timeout_ms: u32,
    /// Time that the lease lasts longer than the attempt, for recording the outcome.
    pub lease_margin_ms: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self { default_timeout_ms: 30_000, max_timeout_ms: 900_000, lease_margin_ms: 10_000 }
    }
}
