//! The result of a statement: `{rows, row_count}`, bounded, and read to its end.

use std::collections::BTreeSet;
use std::pin::pin;

use carillon_core::job::{Output, RunError, codes};
use carillon_core::json::room_left;
use carillon_core::request::SqlRequest;
use futures_util::TryStreamExt as _;
use serde_json::{Map, Value, json};
use tokio_postgres::{Client, Column, Row, Statement};

use super::cell::{Cell, is_known};
use super::error::Failure;
use super::parameter::Parameter;
use crate::targets::MAX_RESULT_BYTES;

/// The frame around the rows: the names of the members, and the largest count.
const AROUND_ROWS: usize = 64;

/// Refuses a statement whose result could not be read, before it runs.
pub(super) fn check(statement: &Statement) -> Result<(), Failure> {
    let unknown = statement.columns().iter().find(|column| !is_known(column.type_()));
    unknown.map_or(Ok(()), |column| {
        let message =
            format!("the type {} of the column {:?} is not supported: cast it to text", column.type_(), column.name());
        Err(Failure::Answered(RunError::permanent(codes::VALIDATION_ERROR, message)))
    })
}

/// Runs the statement. Rows beyond the bounds are read and dropped one by one, because stopping would undo the
/// statement.
pub(super) async fn read(client: &Client, statement: &Statement, request: &SqlRequest) -> Result<Output, Failure> {
    let parameters: Vec<_> = request.parameters.iter().map(Parameter::of).collect();
    let mut stream = pin!(client.query_raw(statement, &parameters).await.map_err(Failure::of)?);
    let names = names(statement);
    let (mut rows, mut count, mut room) = (Vec::new(), 0_u64, Some(MAX_RESULT_BYTES - AROUND_ROWS));
    while let Some(row) = stream.try_next().await.map_err(Failure::of)? {
        count += 1;
        let Some(left) = room else { continue };
        room = None;
        if rows.len() < usize::try_from(request.max_rows).unwrap_or(usize::MAX) {
            let object = object(&row, &names)?;
            // A comma follows each but the last.
            room = room_left(&object, left).and_then(|left| left.checked_sub(1));
            if room.is_some() {
                rows.push(object);
            }
        }
    }
    let row_count = stream.rows_affected().unwrap_or(count).max(count);
    Ok(Output { truncated: count > rows.len() as u64, value: json!({"rows": rows, "row_count": row_count}) })
}

fn object(row: &Row, names: &[String]) -> Result<Value, Failure> {
    let mut object = Map::new();
    for (index, name) in names.iter().enumerate() {
        let cell = row.try_get::<_, Cell>(index).map_err(Failure::Broken)?;
        object.insert(name.clone(), cell.0);
    }
    Ok(Value::Object(object))
}

/// The columns' names. Where one stands twice, the later ones are numbered: `id`, `id_2`.
fn names(statement: &Statement) -> Vec<String> {
    unique(&statement.columns().iter().map(Column::name).collect::<Vec<_>>())
}

fn unique(names: &[&str]) -> Vec<String> {
    let given: BTreeSet<&str> = names.iter().copied().collect();
    let mut taken: BTreeSet<String> = BTreeSet::new();
    let mut all = Vec::with_capacity(names.len());
    for name in names {
        let is_free = |candidate: &String| !taken.contains(candidate) && !given.contains(candidate.as_str());
        let numbered = || (2..=names.len() + 1).map(|number| format!("{name}_{number}")).find(is_free);
        let own = (*name).to_owned();
        let own = if taken.contains(&own) { numbered().unwrap_or(own) } else { own };
        taken.insert(own.clone());
        all.push(own);
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_of_one_name_are_told_apart() {
        assert_eq!(
            unique(&["id", "name", "id", "id", "id_2", "name"]),
            ["id", "name", "id_3", "id_4", "id_2", "name_2"]
        );
    }
}
