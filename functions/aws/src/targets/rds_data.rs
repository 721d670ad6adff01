//! The RDS Data API: SQL over HTTP.
//!
//! The service ends a statement after 45 s and rolls it back (`continueAfterTimeout` is not set); no parameter
//! shortens that. An attempt that times out sooner, as after the 30 s of an action without a `timeout`, does not end
//! the statement. It continues and may commit, and the next attempt may run beside it. So:
//!
//! - a statement that changes data must tolerate being run twice, as with any target;
//! - with a `timeout` of 50 s or more the attempt learns how the statement ended before the next one begins;
//! - only PostgreSQL can end it sooner, if the role that the secret logs in as has a statement timeout: `ALTER ROLE
//!   shop SET statement_timeout = '25s'`. The statement is then rolled back with SQLSTATE 57014: TIMEOUT.
//!
//! A transaction with `SET LOCAL statement_timeout` would do the same in four calls instead of one. It is not used:
//! an executor that dies in it leaves its locks for three minutes, until the service rolls it back, and statements
//! that PostgreSQL runs only outside transactions would fail.

use aws_sdk_rdsdata::Client;
use aws_sdk_rdsdata::operation::execute_statement::ExecuteStatementOutput;
use aws_sdk_rdsdata::primitives::Blob;
use aws_sdk_rdsdata::types::{ArrayValue, ColumnMetadata, Field, SqlParameter, TypeHint};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use carillon_core::job::{Output, RunError, codes};
use carillon_core::request::Bound;
use jiff::Timestamp;
use serde_json::{Map, Value};

use super::fault::fault;
use super::rows::Rows;

const SERVICE: &str = "the RDS Data API";

/// The database of a statement.
pub(super) struct DatabaseArns {
    pub(super) resource_arn: String,
    pub(super) secret_arn: String,
    pub(super) database: Option<String>,
}

/// Runs a statement. Rows are objects by column name; of two columns with one name the last counts. `row_count`
/// counts returned rows, or changed ones if none is returned.
///
/// The service ends a statement after 45 s, and rejects a result of more than 1 MB.
pub(super) async fn execute(
    client: &Client,
    place: DatabaseArns,
    statement: String,
    parameters: Vec<Bound>,
    max_rows: u32,
) -> Result<Output, RunError> {
    let mut request = client
        .execute_statement()
        .resource_arn(place.resource_arn)
        .secret_arn(place.secret_arn)
        .set_database(place.database)
        .sql(statement)
        .include_result_metadata(true);
    for (at, value) in parameters.into_iter().enumerate() {
        request = request.parameters(parameter(at + 1, value)?);
    }
    let executed = request.send().await.map_err(|error| fault(SERVICE, &error))?;
    Ok(output(executed, max_rows))
}

fn parameter(number: usize, value: Bound) -> Result<SqlParameter, RunError> {
    let (value, hint) = match value {
        Bound::Text(text) => (text.map(Field::StringValue), None),
        Bound::Integer(number) => (number.map(Field::LongValue), None),
        Bound::Double(number) => (number.map(Field::DoubleValue), None),
        Bound::Numeric(text) => (text.map(Field::StringValue), Some(TypeHint::Decimal)),
        Bound::Boolean(truth) => (truth.map(Field::BooleanValue), None),
        Bound::Uuid(text) => (text.map(Field::StringValue), Some(TypeHint::Uuid)),
        Bound::Timestamp(text) => {
            (text.as_deref().map(instant).transpose()?.map(Field::StringValue), Some(TypeHint::Timestamp))
        }
        Bound::Date(text) => (text.map(Field::StringValue), Some(TypeHint::Date)),
        Bound::Json(value) => (value.map(|value| Field::StringValue(value.to_string())), Some(TypeHint::Json)),
        Bound::Bytes(bytes) => (bytes.map(|bytes| Field::BlobValue(Blob::new(bytes))), None),
    };
    let value = value.unwrap_or(Field::IsNull(true));
    Ok(SqlParameter::builder().name(format!("p{number}")).value(value).set_type_hint(hint).build())
}

/// An instant in the form that the service accepts: in UTC, the zone of its connections, without an offset and to the
/// millisecond.
fn instant(text: &str) -> Result<String, RunError> {
    let unreadable = |_| RunError::permanent(codes::VALIDATION_ERROR, "a parameter is no instant of RFC 3339");
    Ok(text.parse::<Timestamp>().map_err(unreadable)?.strftime("%Y-%m-%d %H:%M:%S%.3f").to_string())
}

fn output(executed: ExecuteStatementOutput, max_rows: u32) -> Output {
    let columns = executed.column_metadata.unwrap_or_default();
    // A statement that returns no rows has no columns either.
    let changed = columns.is_empty().then(|| u64::try_from(executed.number_of_records_updated).unwrap_or(0));
    let mut rows = Rows::up_to(max_rows);
    for record in executed.records.unwrap_or_default() {
        rows.push(Value::Object(columns.iter().zip(record).map(cell).collect::<Map<_, _>>()));
    }
    rows.output(changed)
}

fn cell((column, field): (&ColumnMetadata, Field)) -> (String, Value) {
    let is_json = matches!(column.type_name(), Some("json" | "jsonb" | "JSON"));
    let value = match field {
        Field::StringValue(text) if is_json => serde_json::from_str(&text).unwrap_or(Value::String(text)),
        field => json(field),
    };
    (column.label().or(column.name()).unwrap_or_default().to_owned(), value)
}

/// Decimals, instants and other types without a JSON counterpart stay the service's texts; bytes become base64.
fn json(field: Field) -> Value {
    match field {
        Field::StringValue(text) => text.into(),
        Field::LongValue(number) => number.into(),
        Field::DoubleValue(number) => number.into(),
        Field::BooleanValue(truth) => truth.into(),
        Field::BlobValue(bytes) => STANDARD.encode(bytes).into(),
        Field::ArrayValue(array) => items(array),
        // Null, and types that may be added.
        _ => Value::Null,
    }
}

fn items(array: ArrayValue) -> Value {
    match array {
        ArrayValue::StringValues(all) => all.into(),
        ArrayValue::LongValues(all) => all.into(),
        ArrayValue::DoubleValues(all) => all.into(),
        ArrayValue::BooleanValues(all) => all.into(),
        ArrayValue::ArrayValues(all) => all.into_iter().map(|item| item.map_or(Value::Null, items)).collect(),
        _ => Value::Null,
    }
}
