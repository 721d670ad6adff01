//! Entity tags and preconditions (RFC 9110, sections 8.8.3 and 13.1).

use carillon_core::catalog::Revision;
use carillon_core::error::FieldCode;
use carillon_core::ports::Condition;
use http::{HeaderMap, HeaderName, HeaderValue, header};

use crate::problem::Problem;

/// The strong entity tag of a revision.
pub(crate) fn etag(revision: &Revision) -> Option<HeaderValue> {
    HeaderValue::from_str(&format!("\"{revision}\"")).ok()
}

/// An entity tag that a client names.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Tag {
    is_weak: bool,
    text: String,
}

/// The value of `If-Match` or `If-None-Match`.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Named {
    /// `*`.
    Any,
    /// A list.
    These(Vec<Tag>),
}

/// The precondition of a change.
///
/// # Errors
///
/// 422 if a header is malformed: ignoring a precondition that the caller tried to state could overwrite someone's
/// work.
pub(crate) fn condition(headers: &HeaderMap) -> Result<Condition, Problem> {
    let if_match = named(headers, &header::IF_MATCH).map_err(|()| malformed("If-Match"))?;
    let if_none_match = named(headers, &header::IF_NONE_MATCH).map_err(|()| malformed("If-None-Match"))?;
    match (if_match, if_none_match) {
        (None, None) => Ok(Condition::Always),
        (Some(Named::Any), None) => Ok(Condition::Exists),
        // If-Match compares strongly: a weak tag matches nothing.
        (Some(Named::These(tags)), None) => {
            let strong = tags.iter().filter(|tag| !tag.is_weak);
            Ok(Condition::Is(strong.map(|tag| Revision::named(&tag.text)).collect()))
        }
        (None, Some(Named::Any)) => Ok(Condition::Absent),
        // Something and nothing at once is never stored.
        (Some(_), Some(Named::Any)) => Ok(Condition::Is(Vec::new())),
        (_, Some(Named::These(_))) => {
            let detail = "a change takes If-None-Match: * only; to change what you know, send If-Match";
            Err(Problem::invalid_field("header:If-None-Match", FieldCode::NotAvailable, detail))
        }
    }
}

/// True if a reading client has this revision already (`If-None-Match`).
///
/// A malformed header is ignored: at worst the client receives an answer that it did not need.
pub(crate) fn is_known(headers: &HeaderMap, revision: &Revision) -> bool {
    match named(headers, &header::IF_NONE_MATCH) {
        Ok(Some(Named::Any)) => true,
        // If-None-Match compares weakly: W/"x" is as good as "x".
        Ok(Some(Named::These(tags))) => tags.iter().any(|tag| Revision::named(&tag.text) == *revision),
        Ok(None) | Err(()) => false,
    }
}

/// True if a read requires another revision than this one (`If-Match`).
///
/// # Errors
///
/// 422 if the header is malformed.
pub(crate) fn is_refused(headers: &HeaderMap, revision: &Revision) -> Result<bool, Problem> {
    let if_match = named(headers, &header::IF_MATCH).map_err(|()| malformed("If-Match"))?;
    Ok(match if_match {
        None | Some(Named::Any) => false,
        Some(Named::These(tags)) => !tags.iter().any(|tag| !tag.is_weak && Revision::named(&tag.text) == *revision),
    })
}

fn malformed(header: &str) -> Problem {
    let detail = "must be *, or a list of entity tags in double quotes";
    Problem::invalid_field(&format!("header:{header}"), FieldCode::Malformed, detail)
}

/// The value of the header; `None` if it is absent. Several lines of it are one list.
fn named(headers: &HeaderMap, name: &HeaderName) -> Result<Option<Named>, ()> {
    let mut tags = Vec::new();
    let lines: Vec<_> = headers.get_all(name).iter().collect();
    if lines.is_empty() {
        return Ok(None);
    }
    if let [line] = lines.as_slice()
        && line.as_bytes().trim_ascii() == b"*"
    {
        return Ok(Some(Named::Any));
    }
    for line in lines {
        list(&String::from_utf8_lossy(line.as_bytes()), &mut tags)?;
    }
    if tags.is_empty() { Err(()) } else { Ok(Some(Named::These(tags))) }
}

/// Reads a list of entity tags. Commas may stand inside of a tag, and empty list elements between them.
fn list(line: &str, tags: &mut Vec<Tag>) -> Result<(), ()> {
    let mut rest = line.trim_matches([' ', '\t']);
    while !rest.is_empty() {
        if let Some(after) = rest.strip_prefix(',') {
            rest = after.trim_start_matches([' ', '\t']);
            continue;
        }
        let (is_weak, quoted) = rest.strip_prefix("W/").map_or((false, rest), |quoted| (true, quoted));
        let (text, after) = quoted.strip_prefix('"').and_then(|open| open.split_once('"')).ok_or(())?;
        if !text.bytes().all(|byte| matches!(byte, 0x21 | 0x23..=0x7e | 0x80..)) {
            return Err(());
        }
        tags.push(Tag { is_weak, text: text.to_owned() });
        rest = after.trim_start_matches([' ', '\t']);
        if !rest.is_empty() && !rest.starts_with(',') {
            return Err(());
        }
    }
    Ok(())
}
