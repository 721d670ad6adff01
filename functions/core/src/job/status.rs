//! The statuses of jobs and of their runs.

use crate::words::words;

words! {
    /// The status of a job. [`crate::machine`] draws the transitions.
    enum Status {
        /// Waiting for its time.
        Scheduled = "scheduled",
        /// Handed to the executor: due, or waiting for its next attempt.
        Queued = "queued",
        /// An attempt is under way.
        Running = "running",
        /// Ended with a result.
        Completed = "completed",
        /// Ended with an error: no attempt is left, or none would help.
        Failed = "failed",
        /// Cancelled.
        Cancelled = "cancelled",
        /// Paused until resumed.
        Paused = "paused",
    }
}

impl Status {
    /// True if the current run has its outcome.
    pub fn is_settled(self) -> bool {
        matches!(self, Self::Completed | Self::Failed | Self::Cancelled)
    }
}

words! {
    /// The status of a run.
    enum RunStatus {
        /// Waiting for its time.
        Scheduled = "scheduled",
        /// Due, or waiting for its next attempt.
        Queued = "queued",
        /// An attempt is under way.
        Running = "running",
        /// Paused with its job.
        Paused = "paused",
        /// Ended with a result.
        Completed = "completed",
        /// Ended with an error.
        Failed = "failed",
        /// Cancelled with its job.
        Cancelled = "cancelled",
        /// Never run: its time passed.
        Skipped = "skipped",
    }
}

impl From<Status> for RunStatus {
    fn from(status: Status) -> Self {
        match status {
            Status::Scheduled => Self::Scheduled,
            Status::Queued => Self::Queued,
            Status::Running => Self::Running,
            Status::Completed => Self::Completed,
            Status::Failed => Self::Failed,
            Status::Cancelled => Self::Cancelled,
            Status::Paused => Self::Paused,
        }
    }
}
