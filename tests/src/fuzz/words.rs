//! Names and values, as they are written, that do not belong where they are put.

use serde_json::Value;

use crate::random::Random;

/// Sound JSON that few fields expect: numbers around every limit, texts that try something.
const ODD: [&str; 44] = [
    "null",
    "true",
    "false",
    "0",
    "-0",
    "-0.0",
    "-1",
    "1",
    "2.5",
    "1e0",
    "1e308",
    "5e-324",
    "1e-400",
    "0.1e1",
    "100",
    "101",
    "999",
    "1000",
    "65536",
    "900001",
    "4294967295",
    "4294967296",
    "9007199254740993",
    "9223372036854775808",
    "18446744073709551615",
    "99999999999",
    "99999999999.9999",
    "100000000000",
    "253402300799999",
    "253402300800000",
    r#""""#,
    r#"" ""#,
    r#""\u0000""#,
    r#""\ud83d\ude00""#,
    r#""\ufffe\u202e\ufeff""#,
    r#""a\r\nb: c""#,
    r#""../../..""#,
    r#""$Session{a}{b}""#,
    r#""9999-12-31T23:59:59.999Z""#,
    r#""2024-02-30T25:61:61+99:99""#,
    "[]",
    "{}",
    r#"{"":{"":{}}}"#,
    "[[[[[]]]]]",
];

/// Texts that are not JSON, or that lose something when parsed.
const WRONG: [&[u8]; 22] = [
    b"1E400",
    b"-1e400",
    b"18446744073709551616",
    b"-9223372036854775809",
    b"123456789012345678901234567890",
    b"01",
    b"+1",
    b".5",
    b"1.",
    b"0x10",
    b"NaN",
    b"-Infinity",
    b"undefined",
    b"'x'",
    b"\"\\ud800\"",
    b"\"\\udc00\\ud800\"",
    b"\"\\x\"",
    b"\"\xff\"",
    b"\"\xed\xa0\x80\"",
    b"\"\xc0\xaf\"",
    b"\"\n\"",
    b"",
];

/// Names and texts that the readers know, for places where they do not belong.
const WORDS: [&str; 44] = [
    "product_tag",
    "env",
    "event",
    "input",
    "start_at",
    "retries",
    "retry",
    "repeat",
    "session",
    "cache",
    "app",
    "type",
    "timeout",
    "initialDelay",
    "maxDelay",
    "jitterPercent",
    "retryableErrors",
    "cron",
    "every",
    "limit",
    "endDate",
    "envs",
    "apps",
    "actions",
    "base_url",
    "path",
    "params",
    "query",
    "headers",
    "body",
    "steps",
    "topics",
    "dev",
    "prd",
    "shop",
    "confirm",
    "bus:orders",
    "action",
    "host",
    "a/b~c",
    "__proto__",
    "content-length",
    "webhook-id",
    "",
];

/// A text as JSON writes it.
pub(super) fn text(text: &str) -> Vec<u8> {
    Value::from(text).to_string().into_bytes()
}

/// A value that few fields expect, and sometimes no JSON.
pub(super) fn hostile_text(random: &mut Random) -> Vec<u8> {
    if random.once_in(25) { random.pick(&WRONG).to_vec() } else { random.pick(&ODD).as_bytes().to_vec() }
}

/// A name or text that the readers know.
pub(super) fn word(random: &mut Random) -> &'static str {
    random.pick(&WORDS)
}

/// A name that does not belong here.
pub(super) fn name(random: &mut Random) -> Vec<u8> {
    match random.below(8) {
        0 => hostile_text(random),
        1 => long(random),
        _ => text(word(random)),
    }
}

/// A text of up to 80 KB.
pub(super) fn long(random: &mut Random) -> Vec<u8> {
    let unit = random.pick(&["a", "é", "😀", "~", "/", "\\u0001", "\\\"", "a.b-c_"]);
    let bytes = random.pick(&[64, 65, 100, 129, 1_001, 2_049, 16_385, 65_537, 80_000]);
    format!("\"{}\"", unit.repeat(bytes / unit.len() + 1)).into_bytes()
}

/// A name with a letter lost, doubled, swapped with the next one, or in the other case.
pub(super) fn misspelt(mut name: Vec<u8>, random: &mut Random) -> Vec<u8> {
    // Between the quotes.
    let letters = name.len().saturating_sub(2);
    if letters < 2 {
        return name;
    }
    let at = 1 + random.below(letters - 1);
    match random.below(4) {
        0 => drop(name.remove(at)),
        1 => name.insert(at, name[at]),
        2 => name.swap(at, at + 1),
        _ => {
            name[at] = if name[at].is_ascii_uppercase() {
                name[at].to_ascii_lowercase()
            } else {
                name[at].to_ascii_uppercase()
            }
        }
    }
    name
}
