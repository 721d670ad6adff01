//! `Prefer: wait=N` (RFC 7240).

use http::{HeaderMap, HeaderName};

/// The request header.
pub(crate) const PREFER: HeaderName = HeaderName::from_static("prefer");
/// The answer's header, which says what was honoured.
pub(crate) const PREFERENCE_APPLIED: HeaderName = HeaderName::from_static("preference-applied");

/// A wait is cut down to this: API Gateway gives up after 30 s.
pub(crate) const MAX_WAIT_SECONDS: u64 = 25;

/// Seconds that the client wants to wait for an outcome, at most [`MAX_WAIT_SECONDS`].
///
/// Preferences are optional: an unknown or unreadable one is ignored (section 2). If a preference is given twice, the
/// first counts.
pub(crate) fn wait_seconds(headers: &HeaderMap) -> Option<u64> {
    let lines = headers.get_all(PREFER).iter().filter_map(|line| line.to_str().ok());
    let first = lines.flat_map(|line| split(line, ',')).find_map(|preference| {
        // Parameters after a semicolon belong to the preference; `wait` has none.
        let preference = split(preference, ';').next()?;
        let (name, value) = preference.split_once('=').unwrap_or((preference, ""));
        name.trim().eq_ignore_ascii_case("wait").then(|| value.trim())
    })?;
    let digits = first.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(first);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    // More digits than a u64 holds are still just a long time.
    Some(digits.parse().unwrap_or(u64::MAX).min(MAX_WAIT_SECONDS))
}

/// The parts between separators that do not stand inside of a quoted string.
fn split(text: &str, separator: char) -> impl Iterator<Item = &str> {
    let (mut quoted, mut escaped) = (false, false);
    text.split(move |c: char| {
        let separates = c == separator && !quoted;
        (quoted, escaped) = match c {
            _ if escaped => (quoted, false),
            '\\' if quoted => (quoted, true),
            '"' => (!quoted, false),
            _ => (quoted, false),
        };
        separates
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn wait(lines: &[&str]) -> Option<u64> {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(PREFER, HeaderValue::from_str(line).unwrap());
        }
        wait_seconds(&headers)
    }

    #[test]
    fn a_wait_is_found_among_other_preferences() {
        for lines in [
            &["wait=10"][..],
            &["WAIT = 10"],
            &["respond-async, wait=10"],
            &["foo; wait=5, wait=10;bar"],
            &[r#"x="a, wait=7", wait=10"#],
            &[r#"x="\", wait=7", wait="10""#],
            &["return=minimal", "wait=10, wait=20"],
            &["wait=10", "wait=20"],
        ] {
            assert_eq!(wait(lines), Some(10), "{lines:?}");
        }
        assert_eq!(wait(&["wait=0"]), Some(0));
        assert_eq!(wait(&["wait=26"]), Some(25));
        assert_eq!(wait(&["wait=99999999999999999999999"]), Some(25));
    }

    #[test]
    fn what_is_no_wait_is_passed_over() {
        let none: [&[&str]; 9] = [
            &[],
            &[""],
            &["wait"],
            &["wait="],
            &["wait=soon"],
            &["wait=-1"],
            &["wait=1.5"],
            &["await=3"],
            &["wait=x, wait=3"],
        ];
        for lines in none {
            assert_eq!(wait(lines), None, "{lines:?}");
        }
    }
}
