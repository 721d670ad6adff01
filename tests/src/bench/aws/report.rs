//! The figures as tables, next to what they aim at.

use super::Ledger;
use super::counts::assumed;
use super::hot_keys::{self, Writes};
use super::lateness::{self, COLD_START, COLD_START_IN, DELIVERY, Lateness, REQUEST, Times};
use super::ledger::{Life, MEMORY_MB};
use super::prices::{Entry, PRICES, QSTASH, bill};
use crate::bench::report::percentile;

/// Prints what jobs cost.
pub(super) fn cost(ledgers: &[Ledger]) {
    let bills: Vec<Vec<Entry>> = ledgers.iter().map(|ledger| bill(&ledger.counts, ledger.jobs)).collect();
    println!("COST on AWS, us-east-1: what the real adapters send, by AWS's rules\n");
    line("", ledgers.iter().map(|ledger| ledger.life.name().to_owned()));
    line("", ledgers.iter().map(|ledger| format!("batch of {}", ledger.jobs)));
    println!("each job takes");
    let names = bills.first().into_iter().flatten().map(|(name, ..)| *name);
    for (row, name) in names.enumerate() {
        let digits = if name.contains("GB") { 4 } else { 1 };
        line(&format!("  {name}"), bills.iter().map(|bill| format!("{:.digits$}", bill[row].1)));
        if name == "SQS requests" {
            let sends = |ledger: &Ledger| format!("{:.1}", f64::from(ledger.counts.sends) / f64::from(ledger.jobs));
            line("    of which SendMessage", ledgers.iter().map(sends));
        }
    }
    println!("a million jobs, dollars");
    for (row, (name, ..)) in bills.first().into_iter().flatten().enumerate() {
        line(&format!("  {name}"), bills.iter().map(|bill| format!("{:.2}", bill[row].2)));
    }
    let totals: Vec<f64> = bills.iter().map(|bill| bill.iter().map(|(.., dollars)| dollars).sum()).collect();
    line("  total", totals.iter().map(|total| format!("{total:.2}")));
    line("  QStash", totals.iter().map(|_| format!("{QSTASH:.2}")));
    line("  QStash costs", totals.iter().map(|total| format!("{:.1} x", QSTASH / total)));
    println!();
    for (ledger, total) in ledgers.iter().zip(&totals).filter(|(ledger, _)| ledger.life == Life::Immediate) {
        println!(
            "immediate job, batch of {}: {:.1} write units with the index (aim: at most 6), {:.1} sends (1), ${total:.2} (at most \
             $5.00)",
            ledger.jobs,
            f64::from(ledger.counts.write_units()) / f64::from(ledger.jobs),
            f64::from(ledger.counts.sends) / f64::from(ledger.jobs),
        );
    }
    let prices = [
        ("HTTP API", PRICES.api_requests),
        ("Lambda invocation", PRICES.invocations),
        ("arm64 GB-second", PRICES.gb_seconds),
        ("write unit", PRICES.write_units),
        ("read unit", PRICES.read_units),
        ("SQS", PRICES.sqs_requests),
        ("Scheduler", PRICES.schedules),
    ];
    let prices = prices.map(|(name, price)| format!("{name} {price:.4}")).join(", ");
    println!("prices, dollars a million: {prices}; no free tier");
    println!(
        "functions of {MEMORY_MB} MB, warm; measured here, with CPU time stretched to their share of a core; assumed: DynamoDB {} \
         ms, SQS {} ms, Scheduler {} ms, the target {} ms",
        assumed::DYNAMODB_MS,
        assumed::SQS_MS,
        assumed::SCHEDULER_MS,
        assumed::TARGET_MS
    );
    println!("not in it: logs ($0.50 a GB), storage, traffic out, the polls of an idle queue, cold starts");
}

/// Prints the busiest keys.
pub(super) fn hot_keys([base, index]: &[Writes; 2]) {
    println!("\nHOT KEYS: {} jobs of one product and environment, every write of their lives\n", hot_keys::JOBS);
    println!("{:<12}{:>12}{:>12}{:>14}{:>12}{:>12}", "", "writes", "keys", "busiest key", "share", "limit");
    for (name, writes) in [("base table", base), ("index", index)] {
        let share = format!("{:.4} %", writes.share() * 100.0);
        println!("{name:<12}{:>12}{:>12}{:>14}{share:>12}{:>12}", writes.total, writes.keys, writes.busiest, "5 %");
    }
}

/// Prints how late jobs are.
pub(super) fn lateness(lateness: &Lateness) {
    println!(
        "\nLATENESS: {} simulated jobs, due in 1 s to a year, from due to the target's call, ms\n",
        lateness::JOBS
    );
    println!("{:<30}{:>12}{:>12}{:>12}{:>12}", "", "jobs", "p50", "p99", "largest");
    let all = lateness.all();
    let rows = [("all", &all), ("by delay alone", &lateness.delayed), ("by schedule and delay", &lateness.scheduled)];
    for (name, values) in rows {
        let at = |part| percentile(values, part);
        println!("{name:<30}{:>12}{:>12.1}{:>12.1}{:>12.1}", values.len(), at(0.5), at(0.99), at(1.0));
    }
    println!("{:<30}{:>12}{:>12}{:>12}", "aim, at most", "", 50, 1_000);
    let times = |Times { median_ms, p99_ms }: Times| format!("{median_ms} ms, p99 {p99_ms} ms");
    println!(
        "\nassumed, log-normal with these medians: delivery {}; a new instance, once in {COLD_START_IN} deliveries, {}; each \
         request to AWS {}. The Scheduler fires evenly over the minute after its second.",
        times(DELIVERY),
        times(COLD_START),
        times(REQUEST)
    );
}

fn line(name: &str, figures: impl Iterator<Item = String>) {
    println!("{name:<30}{}", figures.map(|figure| format!("{figure:>12}")).collect::<Vec<_>>().concat());
}
