//! Reading a query: every fault of it at once.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::str::FromStr;

use axum::extract::Query as Pairs;
use carillon_core::error::{Faults, FieldCode};
use carillon_core::json::did_you_mean;
use carillon_core::operations::OperationError;
use http::Uri;

use crate::documentation::{Parameter, ParameterLocation};
use crate::problem::Problem;

/// A request's query. Nothing that was read of it counts before [`Query::finish`].
#[derive(Debug, Default)]
pub(crate) struct Query {
    values: BTreeMap<String, String>,
    faults: Faults,
}

/// Default size of a page.
const DEFAULT_LIMIT: usize = 50;
/// Maximum size of a page.
const MAX_LIMIT: usize = 100;

impl Query {
    /// Takes a query apart. Names that the operation does not declare are faults, and so are names that stand twice.
    pub(crate) fn read(uri: &Uri, declared: &[Parameter]) -> Self {
        let mut query = Self::default();
        let Ok(Pairs(pairs)) = Pairs::<Vec<(String, String)>>::try_from_uri(uri) else {
            query.fault("", FieldCode::Malformed, "the query is not of the form name=value&name=value");
            return query;
        };
        let known: Vec<_> =
            declared.iter().filter(|it| it.place == ParameterLocation::Query).map(|it| it.name).collect();
        for (name, value) in pairs {
            if !known.contains(&name.as_str()) {
                let hint = did_you_mean(&name, known.iter().copied());
                query.fault(&name, FieldCode::UnknownField, format!("unknown query parameter{hint}"));
                continue;
            }
            match query.values.entry(name) {
                Entry::Vacant(vacant) => {
                    vacant.insert(value);
                }
                Entry::Occupied(occupied) => {
                    let pointer = format!("query:{}", occupied.key());
                    query.faults.add(pointer, FieldCode::Duplicate, "stands twice in the query");
                }
            }
        }
        query
    }

    fn fault(&mut self, name: &str, code: FieldCode, detail: impl Into<String>) {
        self.faults.add(format!("query:{name}"), code, detail);
    }

    /// Parses a parameter, if present; `form` describes the expected form.
    pub(crate) fn optional<T>(&mut self, name: &str, form: &str, parse: impl FnOnce(&str) -> Option<T>) -> Option<T> {
        let parsed = parse(self.values.get(name)?);
        if parsed.is_none() {
            self.fault(name, FieldCode::Malformed, format!("must be {form}"));
        }
        parsed
    }

    /// Parses a required parameter; its absence is a fault.
    pub(crate) fn required<T>(&mut self, name: &str, form: &str, parse: impl FnOnce(&str) -> Option<T>) -> Option<T> {
        if !self.values.contains_key(name) {
            self.fault(name, FieldCode::Required, "is required");
        }
        self.optional(name, form, parse)
    }

    /// The size of a page.
    pub(crate) fn limit(&mut self) -> usize {
        let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten();
        let Some(limit) = self.optional("limit", "a whole number from 1 to 100", digits) else { return DEFAULT_LIMIT };
        if !(1..=MAX_LIMIT).contains(&limit) {
            self.fault("limit", FieldCode::OutOfRange, "must be from 1 to 100");
        }
        limit
    }

    /// The start of a page.
    pub(crate) fn cursor<C: FromStr<Err = OperationError>>(&mut self) -> Option<C> {
        self.optional("cursor", "a next_cursor of this list, unchanged", |text| text.parse().ok())
    }

    /// Ends the reading.
    ///
    /// # Errors
    /// 422, naming everything that was wrong.
    pub(crate) fn finish(self) -> Result<(), Problem> {
        self.faults.or(()).map_err(Problem::invalid)
    }
}
