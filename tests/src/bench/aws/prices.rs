//! AWS's prices, and the cost of the counted requests.

use super::counts::Counts;

/// Dollars a million in us-east-1, from AWS's public price lists: the pricing pages of API Gateway (HTTP API, first 300
/// million), Lambda (arm64, first tier), DynamoDB (on demand, Standard), SQS (standard queues, first tier) and EventBridge
/// (Scheduler). Free tiers are left out.
pub(super) struct Prices {
    pub(super) api_requests: f64,
    pub(super) invocations: f64,
    /// 0.0000133334 each.
    pub(super) gb_seconds: f64,
    pub(super) write_units: f64,
    pub(super) read_units: f64,
    pub(super) sqs_requests: f64,
    pub(super) schedules: f64,
}

pub(super) const PRICES: Prices = Prices {
    api_requests: 1.00,
    invocations: 0.20,
    gb_seconds: 13.333_4,
    write_units: 0.625,
    read_units: 0.125,
    sqs_requests: 0.40,
    schedules: 1.00,
};

/// QStash by Upstash, pay as you go: dollars for a million messages.
pub(super) const QSTASH: f64 = 10.0;

/// One line of a bill: its name, how much of it a job takes, and dollars for a million jobs.
pub(super) type Entry = (&'static str, f64, f64);

/// The bill of a million jobs like the `jobs` that were counted.
pub(super) fn bill(counts: &Counts, jobs: u32) -> Vec<Entry> {
    let entry = |name, count: f64, price: f64| (name, count / f64::from(jobs), count / f64::from(jobs) * price);
    vec![
        entry("HTTP API requests", counts.api_requests.into(), PRICES.api_requests),
        entry("Lambda invocations", counts.invocations.into(), PRICES.invocations),
        entry("Lambda GB-seconds", counts.gb_seconds, PRICES.gb_seconds),
        entry("DynamoDB write units, table", counts.table_writes.into(), PRICES.write_units),
        entry("DynamoDB write units, index", counts.index_writes.into(), PRICES.write_units),
        entry("DynamoDB read units", f64::from(counts.half_reads) / 2.0, PRICES.read_units),
        entry("SQS requests", counts.sqs_requests.into(), PRICES.sqs_requests),
        entry("Scheduler invocations", counts.schedules.into(), PRICES.schedules),
    ]
}
