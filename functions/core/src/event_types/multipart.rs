//! A body as multipart/form-data (RFC 7578).
//!
//! Each member of the body is a part; an array is as many parts of one name. A file is `{buffer, fileName, mimeType?}`, its
//! content in base64, as IStorageRequest has it.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::Value;

use super::input::scalar;
use crate::hash::sha256_hex;
use crate::json::{Field, every};

/// One part.
struct Part {
    name: String,
    file: Option<File>,
    content: Vec<u8>,
}

struct File {
    name: String,
    content_type: String,
}

/// Checks a body, noting every fault.
pub(super) fn check(field: &Field<'_>) -> Option<()> {
    parts(field).map(drop)
}

/// The body and its Content-Type. Two attempts send the same bytes.
pub(super) fn write(body: &Value) -> Option<(String, Vec<u8>)> {
    let faults = std::cell::RefCell::default();
    let parts = parts(&Field::root(body, &faults))?;
    // 128 bits that depend on the whole content, so that the content cannot contain them.
    let boundary = format!("carillon-{}", &sha256_hex(body.to_string())[..32]);
    let mut bytes = Vec::new();
    for part in &parts {
        let name = quoted(&part.name);
        let file = part.file.as_ref().map_or_else(String::new, |file| {
            format!("; filename=\"{}\"\r\nContent-Type: {}", quoted(&file.name), file.content_type)
        });
        let head = format!("--{boundary}\r\nContent-Disposition: form-data; name=\"{name}\"{file}");
        bytes.extend_from_slice(head.as_bytes());
        bytes.extend_from_slice(b"\r\n\r\n");
        bytes.extend_from_slice(&part.content);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes.extend_from_slice(format!("--{boundary}--\r\n").as_bytes());
    Some((format!("multipart/form-data; boundary={boundary}"), bytes))
}

fn parts(field: &Field<'_>) -> Option<Vec<Part>> {
    let read = every(field.entries()?.into_iter().map(|(name, value)| {
        let values = if value.value().is_array() { value.elements()? } else { vec![value] };
        every(values.iter().map(|value| part(name, value)))
    }));
    read.map(|parts| parts.into_iter().flatten().collect())
}

fn part(name: &str, value: &Field<'_>) -> Option<Part> {
    if !value.value().is_object() {
        return Some(Part { name: name.to_owned(), file: None, content: scalar(value)?.into_bytes() });
    }
    let mut object = value.object()?;
    let content = object.required("buffer").and_then(|field| field.parsed("base64", |text| STANDARD.decode(text).ok()));
    let file_name = object.required("fileName").and_then(|field| field.text(1..=255));
    let content_type = match object.optional("mimeType") {
        Some(field) => super::input::media_type(&field),
        None => Some("application/octet-stream".to_owned()),
    };
    object.finish();
    let file = File { name: file_name?, content_type: content_type? };
    Some(Part { name: name.to_owned(), file: Some(file), content: content? })
}

/// Escapes a name as the HTML standard does in a multipart body: nothing ends the quotes or the line.
fn quoted(text: &str) -> String {
    text.replace('"', "%22").replace('\r', "%0D").replace('\n', "%0A")
}
