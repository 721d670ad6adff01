//! `database_action`: a statement with bound values. Input: IDbActionRequest {data, filter}, both optional.
//!
//! Each placeholder of the statement is looked up by its name in `data`, then in `filter`. A name in both has to mean one value,
//! and a name that no placeholder has is a fault, so that nothing that was meant to narrow a statement down is dropped.
//!
//! | database | what is asked | parameters |
//! | --- | --- | --- |
//! | postgresql with a `url` | the server itself | `$1`; one that stands twice is bound once |
//! | postgresql with a `resource_arn` | the RDS Data API | `:p1`, likewise |
//! | dynamodb | DynamoDB, in PartiQL | `?`, bound at each place |
//!
//! A statement for the server itself is ended shortly before the attempt's time is over. The RDS Data API ends one after 45 s,
//! whatever the attempt's `timeout`: a shorter one may leave it running beside the next attempt.
//!
//! Result: `{rows, row_count}`; a row is an object of its columns. `rows` holds at most the action's `max_rows` and what fits
//! a result, `row_count` counts all of them, or what a statement without rows has changed.
//!
//! A value is bound by its placeholder's type, and PostgreSQL is told so: where a statement needs another one it casts, as in
//! `{{state}}::order_state` or `{{count:INTEGER}}::int`. The types are text, bigint, double precision, numeric, boolean, uuid,
//! timestamptz, date, jsonb and bytea, in the order of the table in [`crate::catalog::Statement`]. The RDS Data API binds an
//! instant as a timestamp without a time zone: in UTC, to the millisecond.

pub mod sqlstate;
mod value;

use serde_json::Value;

use super::kind::{EventKind, in_env};
use super::limits::Limits;
use super::needs::Needs;
use crate::catalog::{Database, DatabaseAction, DatabaseActionEvent, DatabaseEnv, Engine, Kind, Placeholder};
use crate::error::{FieldCode, FieldError};
use crate::json::{Field, child, did_you_mean, every};
use crate::request::{AwsRequest, Bound, Request, SqlRequest};

/// Rows that a result keeps, where the catalog does not say.
const DEFAULT_MAX_ROWS: u32 = 1_000;

impl<'c> EventKind<'c> for DatabaseActionEvent<'c> {
    fn check(&self, _: Option<&str>, input: &Field<'_>) {
        drop(Input::read(self.database.engine, self.action, input));
    }

    fn needs(&self, env: &str, _: Option<&Value>) -> Result<Needs<'c>, String> {
        Ok(needs(self.database, in_env(self.database.envs.get(env), env)?))
    }

    fn timeout_ms(&self, _: &Limits) -> Option<u32> {
        self.action.timeout.map(|timeout| timeout.0)
    }

    fn request(&self, env: &str, input: &Field<'_>) -> Option<Request> {
        let input = Input::read(self.database.engine, self.action, input)?;
        request(self.database, self.database.envs.get(env)?, self.action, input)
    }
}

/// The job's input: a value for each placeholder of the statement.
struct Input(Vec<Bound>);

type Entries<'a> = Vec<(&'a str, Field<'a>)>;

impl Input {
    /// Reads it against the statement.
    fn read(engine: Engine, action: &DatabaseAction, field: &Field<'_>) -> Option<Self> {
        let mut object = field.object()?;
        let mut entries = |name| object.optional(name).map_or(Some(Vec::new()), |field| field.entries());
        let (data, filter) = (entries("data"), entries("filter"));
        object.finish();
        let (data, filter) = (data?, filter?);
        let placeholders = action.statement.placeholders();
        let all_known = has_only(placeholders, data.iter().chain(&filter));
        let values = every(placeholders.iter().map(|placeholder| {
            match (named(&data, &placeholder.name), named(&filter, &placeholder.name)) {
                (Some(one), Some(other)) if one.value() != other.value() => {
                    other.fault(FieldCode::Conflict, "stands in data too, with another value");
                    None
                }
                (one, other) => bound(placeholder, engine, one.or(other), field),
            }
        }));
        values.filter(|_| all_known).map(Self)
    }
}

fn named<'e, 'a>(entries: &'e Entries<'a>, name: &str) -> Option<&'e Field<'a>> {
    entries.iter().find(|(given, _)| *given == name).map(|(_, value)| value)
}

fn has_only<'e, 'a: 'e>(placeholders: &[Placeholder], given: impl Iterator<Item = &'e (&'a str, Field<'a>)>) -> bool {
    let known = || placeholders.iter().map(|it| it.name.as_str());
    let mut unknown = given.filter(|(name, _)| !known().any(|it| it == *name)).peekable();
    let all_known = unknown.peek().is_none();
    for (name, value) in unknown {
        let hint = did_you_mean(name, known());
        value.fault(FieldCode::UnknownField, format!("the statement has no such placeholder{hint}"));
    }
    all_known
}

/// The value of a placeholder, as `given` somewhere in the `input`.
fn bound(placeholder: &Placeholder, engine: Engine, given: Option<&Field<'_>>, input: &Field<'_>) -> Option<Bound> {
    // As a document, null is a value. For any other type null is absent.
    let is_absent = |value: &Field<'_>| value.value().is_null() && placeholder.kind != Kind::Json;
    match given {
        Some(value) if !(placeholder.is_optional && is_absent(value)) => value::read(&placeholder.kind, engine, value),
        _ if placeholder.is_optional => Some(value::null(&placeholder.kind)),
        _ => {
            let detail = "is required: the statement needs it".to_owned();
            let pointer = child("/data", &placeholder.name);
            input.fault_inside(FieldError { pointer, code: FieldCode::Required, detail });
            None
        }
    }
}

/// The needs of the database.
fn needs<'c>(database: &Database, place: &'c DatabaseEnv) -> Needs<'c> {
    match (database.engine, &place.url) {
        (Engine::Postgresql, Some(url)) => {
            Needs { secrets: [url].into_iter().chain(&place.root_certificate).collect(), aws: None }
        }
        (Engine::Postgresql, None) => Needs::aws("The RDS Data API"),
        (Engine::Dynamodb, _) => Needs::aws("Amazon DynamoDB"),
    }
}

fn request(
    database: &Database,
    place: &DatabaseEnv,
    action: &DatabaseAction,
    Input(parameters): Input,
) -> Option<Request> {
    let statement = &action.statement;
    let max_rows = action.max_rows.map_or(DEFAULT_MAX_ROWS, |it| it.0);
    Some(match (database.engine, &place.url) {
        (Engine::Postgresql, Some(url)) => Request::Sql(Box::new(SqlRequest {
            url: url.clone(),
            root_certificate: place.root_certificate.clone(),
            statement: statement.spelled(|index| format!("${}", index + 1)),
            parameters,
            max_rows,
        })),
        (Engine::Postgresql, None) => Request::Aws(AwsRequest::ExecuteSql {
            resource_arn: place.resource_arn.as_ref()?.0.clone(),
            secret_arn: place.secret_arn.as_ref()?.0.clone(),
            database: place.database.clone(),
            // The space keeps it apart from a colon before it.
            statement: statement.spelled(|index| format!(" :p{}", index + 1)),
            parameters,
            max_rows,
        }),
        (Engine::Dynamodb, _) => Request::Aws(AwsRequest::ExecutePartiql {
            region: place.region.clone(),
            statement: statement.spelled(|_| "?".to_owned()),
            parameters: statement.mentions().map(|index| parameters.get(index).cloned()).collect::<Option<_>>()?,
            max_rows,
        }),
    })
}
