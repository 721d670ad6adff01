//! The figures as tables, next to what they aim at.

use super::counts::assumed;
use super::hot_keys::{self, Writes};
use super::lateness::{self, COLD_START, COLD_START_IN, DELIVERY, Lateness, REQUEST, Times};
use super::ledger::{Life, MEMORY_MB};
use super::prices::{Entry, PRICES, QSTASH, bill};
use super::{JOBS_BETWEEN, Ledger};
use crate::bench::report::percentile;

/// Prints what jobs cost, and the half read units of a job at first and later on.
pub(super) fn cost(ledgers: &[Ledger], reads: [u32; 2]) {
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
    line("  ratio", totals.iter().map(|total| format!("{:.1} x", QSTASH / total)));
    println!("\nA ratio above 1 is in Carillon's favour. An immediate job aims at");
    for (ledger, total) in ledgers.iter().zip(&totals).filter(|(ledger, _)| ledger.life == Life::Immediate) {
        let each = |count: u32| f64::from(count) / f64::from(ledger.jobs);
        let (units, sends) = (each(ledger.counts.write_units()), each(ledger.counts.sends));
        println!(
            "  at most 6 write units with the index, 1 message, $5.00: batch of {} has {units:.1}, {sends:.1}, ${total:.2}",
            ledger.jobs
        );
    }
    let [before, after] = reads.map(|halves| f64::from(halves) / 2.0);
    println!("  reads that do not grow: {before:.1} units at first, {after:.1} after {JOBS_BETWEEN} jobs");
    assumptions();
}

/// Prints what the costs rest on.
fn assumptions() {
    let prices = [
        ("HTTP API", PRICES.api_requests),
        ("Lambda", PRICES.invocations),
        ("GB-second", PRICES.gb_seconds),
        ("write unit", PRICES.write_units),
        ("read unit", PRICES.read_units),
        ("SQS", PRICES.sqs_requests),
        ("Scheduler", PRICES.schedules),
    ];
    let prices = prices.map(|(name, price)| format!("{name} {price:.4}")).join(", ");
    println!("\ndollars a million: {prices}; no free tier");
    println!(
        "Lambda: {MEMORY_MB} MB, arm64, warm; time as measured here, CPU time stretched to that share of a core, and"
    );
    println!(
        "  assumed: {} ms for a request to DynamoDB, {} to SQS, {} to the Scheduler, {} for the target's call",
        assumed::DYNAMODB_MS,
        assumed::SQS_MS,
        assumed::SCHEDULER_MS,
        assumed::TARGET_MS
    );
    println!("left out: logs ($0.50 a GB), storage, traffic, the polls of an idle queue, cold starts");
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
    let times = |Times { median_ms, p99_ms }: Times| format!("{median_ms} ms (p99 {p99_ms})");
    println!("\nassumed, log-normal: a message's delivery {}, a request to AWS {};", times(DELIVERY), times(REQUEST));
    println!(
        "  a new instance {} once in {COLD_START_IN} deliveries; functions scale without a wait",
        times(COLD_START)
    );
    println!("the Scheduler fires evenly over the minute after its second");
}

fn line(name: &str, figures: impl Iterator<Item = String>) {
    println!("{name:<30}{}", figures.map(|figure| format!("{figure:>12}")).collect::<Vec<_>>().concat());
}
