//! `carillon next`: the instants of one cron expression, or of a file of them.

use std::io::{BufRead, BufWriter, Write};
use std::process::ExitCode;

use carillon_core::cadence::{Cadence, Cron, CronFault, Repeat, Zone};
use carillon_core::ports::Clock;
use carillon_core::time::UnixMillis;
use carillon_embedded::SystemClock;
use clap::Args;
use serde_json::{Value, json};

use crate::Failure;

#[derive(Debug, Args)]
pub(crate) struct Next {
    /// Expression, in quotes: five fields, six with the second first, or a nickname such as @daily
    #[arg(required_unless_present = "batch")]
    pub(crate) cron: Option<String>,

    /// IANA time zone of the expression
    #[arg(long, value_name = "ZONE", default_value = "UTC")]
    pub(crate) tz: String,

    /// Instant to start after: RFC 3339, or Unix time in seconds or milliseconds [default: now]
    #[arg(long, value_name = "INSTANT", value_parser = instant)]
    pub(crate) from: Option<UnixMillis>,

    /// Number of instants to print
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u16).range(1..=10_000))]
    pub(crate) count: u16,

    /// Read JSON lines {"cron", "tz", "start"} from standard input; answer each with a line {"next"} or {"error"}
    #[arg(long, conflicts_with_all = ["cron", "tz", "from"])]
    pub(crate) batch: bool,
}

pub(crate) fn run(command: &Next) -> Result<ExitCode, Failure> {
    let count = usize::from(command.count);
    let now = SystemClock.now();
    let mut out = BufWriter::new(std::io::stdout().lock());
    if let Some(cron) = &command.cron {
        let cadence = cadence(cron, &command.tz).map_err(|fault| fault.to_string())?;
        for at in after(&cadence, command.from.unwrap_or(now)).take(count) {
            writeln!(out, "{at}")?;
        }
    } else {
        batch(std::io::stdin().lock(), &mut out, count, now)?;
    }
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}

/// Parses the value of `--from`.
pub(crate) fn instant(text: &str) -> Result<UnixMillis, &'static str> {
    let read = text.parse().map_or_else(|_| UnixMillis::from_rfc3339(text), UnixMillis::from_unix_time);
    in_calendar(read).ok_or(INSTANT_FORM)
}

const INSTANT_FORM: &str =
    "must be RFC 3339 with an offset, or Unix time in seconds or milliseconds, before year 10000";

fn in_calendar(at: Option<UnixMillis>) -> Option<UnixMillis> {
    at.filter(|at| (UnixMillis(0)..=UnixMillis::MAX).contains(at))
}

/// Answers every line with a line, in the same order. Ignores unknown members.
fn batch(lines: impl BufRead, out: &mut impl Write, count: usize, now: UnixMillis) -> std::io::Result<()> {
    for line in lines.split(b'\n') {
        let answer = match answer(&line?, count, now) {
            Ok(next) => json!({"next": next}),
            Err(fault) => json!({"error": fault.to_json()}),
        };
        writeln!(out, "{answer}")?;
    }
    Ok(())
}

fn answer(line: &[u8], count: usize, now: UnixMillis) -> Result<Vec<String>, Fault> {
    let case: Value = serde_json::from_slice(line).map_err(|error| Fault::of("", format!("is not JSON: {error}")))?;
    let cron = case["cron"].as_str().ok_or_else(|| Fault::of("/cron", "must be a string"))?;
    let zone = match &case["tz"] {
        Value::Null => "UTC",
        zone => zone.as_str().ok_or_else(|| Fault::of("/tz", "must be a string"))?,
    };
    let cadence = cadence(cron, zone)?;
    let start = match &case["start"] {
        Value::Null => Some(now),
        Value::String(text) => UnixMillis::from_rfc3339(text),
        start => start.as_f64().and_then(UnixMillis::from_unix_time),
    };
    let start = in_calendar(start).ok_or_else(|| Fault::of("/start", INSTANT_FORM))?;
    Ok(after(&cadence, start).take(count).map(|at| at.to_string()).collect())
}

fn cadence(cron: &str, zone: &str) -> Result<Cadence, Fault> {
    Cron::parse(cron)?;
    if let Err(meant) = Zone::find(zone) {
        let hint = meant.map_or_else(String::new, |meant| format!(" (did you mean {meant}?)"));
        return Err(Fault::of("/tz", format!("must be an IANA time zone, such as Europe/Amsterdam{hint}")));
    }
    let repeat = Repeat { cron: Some(cron.to_owned()), tz: Some(zone.to_owned()), ..Repeat::default() };
    Ok(Cadence::of(&repeat, UnixMillis(0)))
}

fn after(cadence: &Cadence, start: UnixMillis) -> impl Iterator<Item = UnixMillis> {
    std::iter::successors(cadence.next_after(start), |last| cadence.next_after(*last))
}

/// An error in a line or in the arguments.
enum Fault {
    Cron(CronFault),
    Other { pointer: &'static str, detail: String },
}

impl Fault {
    fn of(pointer: &'static str, detail: impl Into<String>) -> Self {
        Self::Other { pointer, detail: detail.into() }
    }

    fn to_json(&self) -> Value {
        match self {
            Self::Cron(fault) => {
                json!({"pointer": "/cron", "field": fault.field, "at": fault.at, "detail": fault.to_string()})
            }
            Self::Other { pointer, detail } => json!({"pointer": pointer, "detail": detail}),
        }
    }
}

impl From<CronFault> for Fault {
    fn from(fault: CronFault) -> Self {
        Self::Cron(fault)
    }
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Cron(fault) => fault.fmt(f),
            Self::Other { pointer, detail } => write!(f, "{} {detail}", pointer.trim_start_matches('/')),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixMillis = UnixMillis(1_800_000_000_000);

    fn answers(lines: &[u8]) -> Vec<Value> {
        let mut out = Vec::new();
        batch(lines, &mut out, 2, NOW).unwrap();
        out.split(|byte| *byte == b'\n')
            .filter(|line| !line.is_empty())
            .map(|line| serde_json::from_slice(line).unwrap())
            .collect()
    }

    #[test]
    fn instants_are_read_in_every_form() {
        for (text, millis) in [
            ("2027-01-15T09:00:00+01:00", NOW.0),
            ("1800000000", NOW.0),
            ("1800000000000", NOW.0),
            ("1800000000.5", NOW.0 + 500),
            ("0", 0),
        ] {
            assert_eq!(instant(text), Ok(UnixMillis(millis)), "{text}");
        }
        for text in ["", "now", "-1", "NaN", "inf", "1e300", "2027-01-15", "1960-01-01T00:00:00Z"] {
            assert!(instant(text).is_err(), "{text}");
        }
    }

    #[test]
    fn every_line_is_answered_with_a_line() {
        let lines = br#"{"cron": "0 9 * * 1", "tz": "Europe/Amsterdam", "start": "2026-03-29T00:00:00Z", "id": 7}
{"cron": "@daily", "start": 1767225600}
{"cron": "0 9 * * 1"}

{"cron": "60 * * * *"}
{"cron": "0 9 * * *", "tz": "europe/paris"}
{"cron": "0 9 * * *", "start": "yesterday"}
{"cron": 7}
[]"#;
        let found = answers(lines);
        assert_eq!(found[0], json!({"next": ["2026-03-30T07:00:00Z", "2026-04-06T07:00:00Z"]}));
        assert_eq!(found[1], json!({"next": ["2026-01-02T00:00:00Z", "2026-01-03T00:00:00Z"]}));
        assert_eq!(found[2], json!({"next": ["2027-01-18T09:00:00Z", "2027-01-25T09:00:00Z"]}));
        let pointers: Vec<_> = found[3..].iter().map(|answer| answer["error"]["pointer"].as_str().unwrap()).collect();
        assert_eq!(pointers, ["", "/cron", "/tz", "/start", "/cron", "/cron"]);
        assert_eq!((&found[4]["error"]["field"], &found[4]["error"]["at"]), (&json!("minute"), &json!(1)));
        assert!(found[5]["error"]["detail"].as_str().unwrap().contains("Europe/Paris"));
    }

    #[test]
    fn what_is_no_text_at_all_is_an_error_too() {
        assert_eq!(answers(b"\xff\xfe\n{\"cron\": \"\\ud800\"}\n").len(), 2);
        assert!(answers(b"").is_empty());
    }
}
