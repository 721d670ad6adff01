//! DynamoDB: PartiQL statements, with plain JSON on both sides.

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use carillon_core::job::{Output, RunError};
use carillon_core::request::Bound;
use serde_json::{Number, Value};

use super::fault::fault;
use super::rows::Rows;

const SERVICE: &str = "Amazon DynamoDB";

/// Runs a statement, page by page until the result is full. DynamoDB does not count changed items, so the count is of
/// the returned ones.
pub(super) async fn execute(
    client: &Client,
    statement: &str,
    parameters: Vec<Bound>,
    max_rows: u32,
) -> Result<Output, RunError> {
    let parameters: Vec<_> = parameters.into_iter().map(bound).collect();
    let parameters = Some(parameters).filter(|parameters| !parameters.is_empty());
    let (mut rows, mut next) = (Rows::up_to(max_rows), None);
    loop {
        let request = client.execute_statement().statement(statement).set_parameters(parameters.clone());
        let page = request.set_next_token(next).send().await.map_err(|error| fault(SERVICE, &error))?;
        for item in page.items.unwrap_or_default() {
            rows.push(Value::Object(item.into_iter().map(|(name, value)| (name, json(value))).collect()));
        }
        next = page.next_token;
        if next.is_none() {
            return Ok(rows.output(None));
        }
        if rows.is_full() {
            rows.leave_the_rest();
            return Ok(rows.output(None));
        }
    }
}

/// Types that DynamoDB lacks become text.
fn bound(value: Bound) -> AttributeValue {
    let given = match value {
        Bound::Text(text) | Bound::Uuid(text) | Bound::Timestamp(text) | Bound::Date(text) => {
            text.map(AttributeValue::S)
        }
        Bound::Integer(number) => number.map(|number| AttributeValue::N(number.to_string())),
        Bound::Double(number) => number.map(|number| AttributeValue::N(number.to_string())),
        Bound::Numeric(number) => number.map(AttributeValue::N),
        Bound::Boolean(truth) => truth.map(AttributeValue::Bool),
        Bound::Json(document) => document.map(attribute),
        Bound::Bytes(bytes) => bytes.map(|bytes| AttributeValue::B(Blob::new(bytes))),
    };
    given.unwrap_or(AttributeValue::Null(true))
}

fn attribute(value: Value) -> AttributeValue {
    match value {
        Value::Null => AttributeValue::Null(true),
        Value::Bool(truth) => AttributeValue::Bool(truth),
        Value::Number(number) => AttributeValue::N(number.to_string()),
        Value::String(text) => AttributeValue::S(text),
        Value::Array(items) => AttributeValue::L(items.into_iter().map(attribute).collect()),
        Value::Object(entries) => {
            AttributeValue::M(entries.into_iter().map(|(name, value)| (name, attribute(value))).collect())
        }
    }
}

/// Sets become arrays, and bytes base64.
fn json(value: AttributeValue) -> Value {
    match value {
        AttributeValue::S(text) => text.into(),
        AttributeValue::N(text) => number(text),
        AttributeValue::Bool(truth) => truth.into(),
        AttributeValue::B(bytes) => STANDARD.encode(bytes).into(),
        AttributeValue::L(items) => items.into_iter().map(json).collect(),
        AttributeValue::M(entries) => entries.into_iter().map(|(name, value)| (name, json(value))).collect(),
        AttributeValue::Ss(texts) => texts.into(),
        AttributeValue::Ns(texts) => texts.into_iter().map(number).collect(),
        AttributeValue::Bs(all) => all.into_iter().map(|bytes| STANDARD.encode(bytes)).collect(),
        // Null, and types that may be added.
        _ => Value::Null,
    }
}

/// A JSON number if that holds every digit, otherwise text: DynamoDB's numbers have up to 38 digits.
fn number(text: String) -> Value {
    if let Ok(whole) = text.parse::<i64>() {
        return whole.into();
    }
    if let Ok(whole) = text.parse::<u64>() {
        return whole.into();
    }
    let double = text.parse::<f64>().ok().filter(|double| digits(&format!("{double:e}")) == digits(&text));
    double.and_then(Number::from_f64).map_or(Value::String(text), Value::Number)
}

/// The value of a number however it is written: its sign, its digits without leading and trailing zeros, and the
/// exponent of the last digit.
fn digits(text: &str) -> Option<(bool, String, i64)> {
    let (is_negative, text) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let all = format!("{whole}{fraction}");
    let significant = all.trim_end_matches('0');
    let dropped = i64::try_from(all.len() - significant.len()).ok()?;
    let power = exponent.parse::<i64>().ok()? - i64::try_from(fraction.len()).ok()? + dropped;
    let significant = significant.trim_start_matches('0');
    Some((is_negative, significant.to_owned(), if significant.is_empty() { 0 } else { power }))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_number_keeps_every_digit() {
        for (text, value) in [
            ("0", json!(0)),
            ("-7", json!(-7)),
            ("18446744073709551615", json!(u64::MAX)),
            ("18446744073709551616", json!("18446744073709551616")),
            ("0.1", json!(0.1)),
            ("0.10", json!(0.1)),
            ("-2.50", json!(-2.5)),
            ("1E+20", json!(1e20)),
            ("100000000000000000000", json!(1e20)),
            ("0.1234567890123456789", json!("0.1234567890123456789")),
            ("1E-130", json!(1e-130)),
            ("9.9999999999999999999999999999999999999E+125", json!("9.9999999999999999999999999999999999999E+125")),
            ("0.0", json!(0.0)),
        ] {
            assert_eq!(number(text.to_owned()), value, "{text}");
        }
    }

    #[test]
    fn json_comes_back_as_it_went() {
        let value = json!({"a": [1, -2.5, "x", null, true, {}], "b": {"c": ""}});
        assert_eq!(super::json(attribute(value.clone())), value);
    }
}
