//! Values in results.
//!
//! | PostgreSQL | JSON |
//! | --- | --- |
//! | smallint, integer, bigint, oid | number |
//! | real, double precision | number; `"NaN"`, `"Infinity"`, `"-Infinity"` |
//! | numeric | string, so that no digit is lost |
//! | boolean | true, false |
//! | text, varchar, char, name, citext, xml, enums | string |
//! | uuid | string |
//! | timestamptz | string, `2026-03-29T12:00:00.5Z` |
//! | timestamp, date, time | string, `2026-03-29T12:00:00.5`, `2026-03-29`, `12:00:00.5` |
//! | timetz | string, `12:00:00+02:00` |
//! | interval | string, ISO 8601: `P1Y2M3DT4H5M6.5S` |
//! | json, jsonb | the document; a string where it has numbers that JSON readers lose |
//! | bytea | string, base64 |
//! | inet, cidr | string |
//! | void | null |
//! | arrays of these, and domains over these | array, nested by dimension; as of what is beneath |
//!
//! Other types have to be cast to text in the statement, and it is refused otherwise before it runs.

use std::error::Error;
use std::net::{Ipv4Addr, Ipv6Addr};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use tokio_postgres::types::{FromSql, Kind, Type};

use super::binary::{self, Bytes};

/// A value of a row.
pub(super) struct Cell(pub(super) Value);

impl<'a> FromSql<'a> for Cell {
    fn from_sql(of: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn Error + Sync + Send>> {
        read(of, raw).map(Self).ok_or_else(|| "a value is not of the form of its type".into())
    }

    fn from_sql_null(_: &Type) -> Result<Self, Box<dyn Error + Sync + Send>> {
        Ok(Self(Value::Null))
    }

    fn accepts(of: &Type) -> bool {
        is_known(of)
    }
}

/// True if values of a type can be read.
pub(super) fn is_known(of: &Type) -> bool {
    match of.kind() {
        Kind::Domain(inner) | Kind::Array(inner) => is_known(inner),
        Kind::Enum(_) => true,
        _ => {
            is_text(of)
                || matches!(
                    *of,
                    Type::BOOL
                        | Type::CHAR
                        | Type::INT2
                        | Type::INT4
                        | Type::INT8
                        | Type::OID
                        | Type::FLOAT4
                        | Type::FLOAT8
                        | Type::NUMERIC
                        | Type::UUID
                        | Type::DATE
                        | Type::TIME
                        | Type::TIMETZ
                        | Type::TIMESTAMP
                        | Type::TIMESTAMPTZ
                        | Type::INTERVAL
                        | Type::JSON
                        | Type::JSONB
                        | Type::BYTEA
                        | Type::INET
                        | Type::CIDR
                        | Type::VOID
                )
        }
    }
}

fn is_text(of: &Type) -> bool {
    let known = [Type::TEXT, Type::VARCHAR, Type::BPCHAR, Type::NAME, Type::XML, Type::UNKNOWN];
    known.contains(of) || matches!(of.kind(), Kind::Enum(_)) || of.name() == "citext"
}

fn read(of: &Type, raw: &[u8]) -> Option<Value> {
    match of.kind() {
        Kind::Domain(inner) => return read(inner, raw),
        Kind::Array(inner) => return array(inner, &mut Bytes(raw)),
        _ if is_text(of) => return text(raw),
        _ => {}
    }
    let mut bytes = Bytes(raw);
    Some(match *of {
        Type::BOOL => json!(bytes.u8()? != 0),
        Type::CHAR => json!(char::from(bytes.u8()?).to_string()),
        Type::INT2 => json!(bytes.i16()?),
        Type::INT4 => json!(bytes.i32()?),
        Type::INT8 => json!(bytes.i64()?),
        Type::OID => json!(bytes.u32()?),
        // By its own shortest text: as a double, 0.1 would be 0.10000000149011612.
        Type::FLOAT4 => float(&bytes.f32()?.to_string())?,
        Type::FLOAT8 => float(&bytes.f64()?.to_string())?,
        Type::NUMERIC => json!(binary::numeric(&mut bytes)?),
        Type::UUID => json!(binary::uuid(&mut bytes)?),
        Type::DATE => json!(binary::date(bytes.i32()?)),
        Type::TIME => json!(binary::time(bytes.i64()?)),
        Type::TIMETZ => json!(format!("{}{}", binary::time(bytes.i64()?), zone(bytes.i32()?))),
        Type::TIMESTAMP => json!(binary::timestamp(bytes.i64()?, "")),
        Type::TIMESTAMPTZ => json!(binary::timestamp(bytes.i64()?, "Z")),
        Type::INTERVAL => json!(binary::interval(&mut bytes)?),
        Type::JSON => document(raw)?,
        Type::JSONB => document(raw.strip_prefix(&[1])?)?,
        Type::BYTEA => json!(STANDARD.encode(raw)),
        Type::INET | Type::CIDR => json!(network(&mut bytes)?),
        Type::VOID => Value::Null,
        _ => return None,
    })
}

fn text(raw: &[u8]) -> Option<Value> {
    std::str::from_utf8(raw).ok().map(Value::from)
}

fn float(text: &str) -> Option<Value> {
    Some(match text {
        "NaN" => json!("NaN"),
        "inf" => json!("Infinity"),
        "-inf" => json!("-Infinity"),
        _ => json!(text.parse::<f64>().ok()?),
    })
}

fn document(raw: &[u8]) -> Option<Value> {
    let text = std::str::from_utf8(raw).ok()?;
    Some(carillon_core::json::parse(raw).unwrap_or_else(|_| text.into()))
}

/// Seconds west of Greenwich as an offset.
fn zone(seconds_west: i32) -> String {
    let (sign, minutes) = (if seconds_west > 0 { '-' } else { '+' }, seconds_west.unsigned_abs() / 60);
    format!("{sign}{:02}:{:02}", minutes / 60, minutes % 60)
}

/// An address with the length of its network, where that is not the whole address.
fn network(bytes: &mut Bytes<'_>) -> Option<String> {
    let (_, length, is_cidr, count) = (bytes.u8()?, bytes.u8()?, bytes.u8()?, bytes.u8()?);
    let raw = bytes.take(count.into())?;
    let (address, whole) = match <[u8; 4]>::try_from(raw) {
        Ok(raw) => (Ipv4Addr::from(raw).to_string(), 32),
        Err(_) => (Ipv6Addr::from(<[u8; 16]>::try_from(raw).ok()?).to_string(), 128),
    };
    Some(if is_cidr == 0 && length == whole { address } else { format!("{address}/{length}") })
}

/// An array of any dimensions.
fn array(of: &Type, bytes: &mut Bytes<'_>) -> Option<Value> {
    let (dimensions, _has_null, _of) = (bytes.i32()?, bytes.i32()?, bytes.i32()?);
    let mut lengths = Vec::new();
    for _ in 0..dimensions {
        let (length, _first_index) = (bytes.i32()?, bytes.i32()?);
        lengths.push(usize::try_from(length).ok()?);
    }
    if lengths.is_empty() { Some(json!([])) } else { elements(of, &lengths, bytes) }
}

fn elements(of: &Type, lengths: &[usize], bytes: &mut Bytes<'_>) -> Option<Value> {
    let Some((length, inner)) = lengths.split_first() else {
        let length = bytes.i32()?;
        // -1 is NULL.
        return usize::try_from(length).map_or(Some(Value::Null), |length| read(of, bytes.take(length)?));
    };
    (0..*length).map(|_| elements(of, inner, bytes)).collect::<Option<Vec<_>>>().map(Value::Array)
}

#[cfg(test)]
mod tests;
