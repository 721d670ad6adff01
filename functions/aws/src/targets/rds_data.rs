//! The RDS Data API: SQL over HTTP.
//!
//! The service bounds a statement by 45 s of its own and by nothing that a call could say: it is ended then and rolled back
//! (`continueAfterTimeout` is not asked for). An attempt that is given up sooner, as after the 30 s of an action without a
//! `timeout`, does not end it. It goes on and may yet commit, and the next attempt may run beside it. So:
//!
//! - a statement that changes something has to bear being run twice, as with any target;
//! - a `timeout` of 50 s or more sees how the statement ended before another attempt begins;
//! - sooner than that PostgreSQL alone can end it, where the role that the secret logs in as is told to:
//!   `ALTER ROLE shop SET statement_timeout = '25s'`. It is rolled back, and answered with SQLSTATE 57014: TIMEOUT.
//!
//! A transaction with a `SET LOCAL statement_timeout` would do the same in four calls for one. It is not made: an executor that dies
//! in it leaves its locks held for three minutes, until the service rolls it back, and what PostgreSQL runs outside of
//! transactions alone could not be run.

use aws_sdk_rdsdata::Client;
use aws_sdk_rdsdata::operation::execute_statement::ExecuteStatementOutput;
use aws_sdk_rdsdata::primitives::Blob;
use aws_sdk_rdsdata::types::{ArrayValue, ColumnMetadata, Field, SqlParameter, TypeHint};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use carillon_core::event_types::Bound;
use carillon_core::job::{Output, RunError, codes};
use jiff::Timestamp;
use serde_json::{Map, Value};

use super::fault::fault;
use super::rows::Rows;

const SERVICE: &str = "the RDS Data API";

/// The database that a statement is for.
pub(super) struct DatabaseArns {
    pub(super) resource_arn: String,
    pub(super) secret_arn: String,
    pub(super) database: Option<String>,
}

/// Runs a statement. Rows are objects by the names of their columns, of two with one name the last; the count is of the rows
/// that a statement gave, or else of those that it changed.
///
/// The service ends a statement after 45 s, and refuses a result of more than 1 MB.
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

/// An instant as the service reads it, which knows no offsets and no less than milliseconds: in UTC, which is the zone of its
/// connections.
fn instant(text: &str) -> Result<String, RunError> {
    let unreadable = |_| RunError::permanent(codes::VALIDATION_ERROR, "a parameter is no instant of RFC 3339");
    Ok(text.parse::<Timestamp>().map_err(unreadable)?.strftime("%Y-%m-%d %H:%M:%S%.3f").to_string())
}

fn output(executed: ExecuteStatementOutput, max_rows: u32) -> Output {
    let columns = executed.column_metadata.unwrap_or_default();
    // A statement that gives no rows has no columns either.
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

/// Decimals, instants and what else JSON has no type for stay the texts that the service makes of them; bytes become base64.
fn json(field: Field) -> Value {
    match field {
        Field::StringValue(text) => text.into(),
        Field::LongValue(number) => number.into(),
        Field::DoubleValue(number) => number.into(),
        Field::BooleanValue(truth) => truth.into(),
        Field::BlobValue(bytes) => STANDARD.encode(bytes).into(),
        Field::ArrayValue(array) => items(array),
        // Null, and whatever there may be one day.
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
