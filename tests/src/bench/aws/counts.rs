//! The AWS requests of jobs.

use super::table::Units;

/// Requests and units, of as many jobs as were run.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Counts {
    /// Requests to the HTTP API.
    pub api_requests: u32,
    /// Invocations of both functions.
    pub invocations: u32,
    /// Time of both functions by their memory, GB-seconds.
    pub gb_seconds: f64,
    /// Write units of the table.
    pub table_writes: u32,
    /// Write units of its index.
    pub index_writes: u32,
    /// Read units, counted in halves.
    pub half_reads: u32,
    /// Messages sent, those of schedules included.
    pub sends: u32,
    /// Requests to SQS, those messages and the polls of the Lambda service included.
    pub sqs_requests: u32,
    /// Schedules that fired.
    pub schedules: u32,
    /// Assumed time of AWS for all of them, ms.
    pub(super) answering_ms: u32,
}

/// Assumed time of AWS for a request, ms: only a real account gives such figures.
pub(super) mod assumed {
    pub(in super::super) const DYNAMODB_MS: u32 = 5;
    pub(in super::super) const SQS_MS: u32 = 10;
    pub(in super::super) const SCHEDULER_MS: u32 = 30;
    /// And a target over its call.
    pub(in super::super) const TARGET_MS: u32 = 100;
}

impl Counts {
    /// Write units of table and index.
    pub fn write_units(&self) -> u32 {
        self.table_writes + self.index_writes
    }

    pub(super) fn dynamodb(&mut self, units: Units) {
        self.table_writes += units.table_writes;
        self.index_writes += units.index_writes;
        self.half_reads += units.half_reads;
        self.answering_ms += assumed::DYNAMODB_MS;
    }

    pub(super) fn send(&mut self) {
        self.sends += 1;
        self.sqs_requests += 1;
        self.answering_ms += assumed::SQS_MS;
    }

    pub(super) fn hide(&mut self) {
        self.sqs_requests += 1;
        self.answering_ms += assumed::SQS_MS;
    }

    /// A schedule fires, and sends its message.
    pub(super) fn fire(&mut self) {
        self.schedules += 1;
        self.sends += 1;
        self.sqs_requests += 1;
    }

    /// Making a schedule costs nothing: its firing does.
    pub(super) fn create_schedule(&mut self) {
        self.answering_ms += assumed::SCHEDULER_MS;
    }
}
