//! The documentation of operations, from which the OpenAPI document is made.

use axum::routing::MethodFilter;
use http::StatusCode;
use schemars::{JsonSchema, Schema, SchemaGenerator};

/// An operation in the OpenAPI document.
pub(crate) struct Documentation {
    /// The method.
    pub(crate) verb: Verb,
    /// The path, with `{name}` for each parameter.
    pub(crate) path: &'static str,
    /// Its name in generated clients.
    pub(crate) id: &'static str,
    /// Its effect, in one line.
    pub(crate) summary: &'static str,
    /// Further details.
    pub(crate) description: &'static str,
    /// True if it needs no key.
    pub(crate) is_open: bool,
    /// The parameters, in path, query and headers. A query parameter that is not declared is refused.
    pub(crate) parameters: Vec<Parameter>,
    /// The body.
    pub(crate) body: Option<RequestBody>,
    /// The answers, ordered by status.
    pub(crate) answers: Vec<Answer>,
}

/// The methods of the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verb {
    /// `GET`, and with it `HEAD`.
    Get,
    /// `POST`.
    Post,
    /// `PUT`.
    Put,
    /// `PATCH`.
    Patch,
    /// `DELETE`.
    Delete,
}

impl Verb {
    /// Its entry in the router.
    pub(crate) fn filter(self) -> MethodFilter {
        match self {
            Self::Get => MethodFilter::GET,
            Self::Post => MethodFilter::POST,
            Self::Put => MethodFilter::PUT,
            Self::Patch => MethodFilter::PATCH,
            Self::Delete => MethodFilter::DELETE,
        }
    }

    /// Its key in a path item of an OpenAPI document.
    pub(crate) fn key(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::Post => "post",
            Self::Put => "put",
            Self::Patch => "patch",
            Self::Delete => "delete",
        }
    }
}

/// Makes the schema of a type.
pub(crate) type SchemaOf = fn(&mut SchemaGenerator) -> Schema;

pub(crate) fn schema_of<T: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    generator.subschema_for::<T>()
}

/// A parameter.
#[derive(Clone)]
pub(crate) struct Parameter {
    /// Its name.
    pub(crate) name: &'static str,
    /// Its location.
    pub(crate) place: ParameterLocation,
    /// True if it is required.
    pub(crate) is_required: bool,
    /// Its meaning.
    pub(crate) description: &'static str,
    /// Its schema.
    pub(crate) schema: SchemaOf,
}

/// The location of a parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ParameterLocation {
    /// In the path.
    Path,
    /// In the query.
    Query,
    /// In a header.
    Header,
}

impl Parameter {
    /// An optional query parameter.
    pub(crate) const fn query<T: JsonSchema>(name: &'static str, description: &'static str) -> Self {
        Self { name, place: ParameterLocation::Query, is_required: false, description, schema: schema_of::<T> }
    }

    /// An optional header.
    pub(crate) const fn header(name: &'static str, description: &'static str) -> Self {
        Self { name, place: ParameterLocation::Header, is_required: false, description, schema: schema_of::<String> }
    }

    /// A parameter of the path.
    pub(crate) const fn path<T: JsonSchema>(name: &'static str, description: &'static str) -> Self {
        Self { name, place: ParameterLocation::Path, is_required: true, description, schema: schema_of::<T> }
    }

    /// Makes the parameter required.
    pub(crate) const fn required(self) -> Self {
        Self { is_required: true, ..self }
    }
}

/// A JSON body.
pub(crate) struct RequestBody {
    /// True if it may be left out.
    pub(crate) is_optional: bool,
    /// Its schema.
    pub(crate) schema: SchemaOf,
}

/// An answer with one status.
pub(crate) struct Answer {
    /// The status.
    pub(crate) status: StatusCode,
    /// When it is given.
    pub(crate) description: &'static str,
    /// Its media type and schema, unless it is empty.
    pub(crate) content: Option<(&'static str, SchemaOf)>,
    /// The headers that come with it.
    pub(crate) headers: &'static [(&'static str, &'static str)],
}

impl Documentation {
    pub(crate) fn new(verb: Verb, path: &'static str, id: &'static str, is_open: bool) -> Self {
        let (summary, description) = ("", "");
        let (parameters, body, answers) = (Vec::new(), None, Vec::new());
        Self { verb, path, id, summary, description, is_open, parameters, body, answers }
    }
}
