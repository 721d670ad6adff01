//! The entries of the operations table: how each is served and documented.

use std::sync::Arc;

use bytes::Bytes;
use carillon_core::access::ApiKey;
use futures_util::future::BoxFuture;
use http::{HeaderMap, StatusCode};
use schemars::JsonSchema;

use crate::deadline::Deadline;
use crate::documentation::{Answer, Documentation, Parameter, RequestBody, SchemaOf, Verb, schema_of};
use crate::problem::{Answered, ProblemDocument};
use crate::query::Query;
use crate::record::Record;
use crate::service::Service;

/// The handler of an operation. Its kind decides who may call it, so that no handler can forget to require a key.
pub(crate) enum Handler<P> {
    /// By anybody.
    Open(fn(Service<P>) -> BoxFuture<'static, Answered>),
    /// For callers with a key.
    Keyed(fn(ApiRequest<P>) -> BoxFuture<'static, Answered>),
}

/// A request of a caller with a key.
pub(crate) struct ApiRequest<P> {
    /// The service.
    pub(crate) service: Service<P>,
    /// The caller's key.
    pub(crate) caller: Arc<ApiKey>,
    /// The fields of the request's log line.
    pub(crate) record: Record,
    /// The path's parameters, in its order.
    pub(crate) names: Vec<String>,
    /// The query, to be read and finished by operations that declare query parameters.
    pub(crate) query: Query,
    /// The headers.
    pub(crate) headers: HeaderMap,
    /// The instant at which the server gives up on the request, if it does.
    pub(crate) deadline: Option<Deadline>,
    /// The body; empty for operations that declare none.
    pub(crate) body: Bytes,
}

impl<P> ApiRequest<P> {
    /// The path's first parameter; empty when it has none.
    pub(crate) fn name(&self) -> &str {
        self.names.first().map_or("", String::as_str)
    }
}

/// An operation: a method on a path, its handler, and its documentation.
pub(crate) struct Operation<P> {
    /// The handler.
    pub(crate) handler: Handler<P>,
    /// Its documentation in OpenAPI.
    pub(crate) doc: Documentation,
}

impl<P> Operation<P> {
    /// An operation that anybody may call.
    pub(crate) fn open(
        verb: Verb,
        path: &'static str,
        id: &'static str,
        handler: fn(Service<P>) -> BoxFuture<'static, Answered>,
    ) -> Self {
        Self::new(Documentation::new(verb, path, id, true), Handler::Open(handler))
    }

    /// An operation that needs a key.
    pub(crate) fn keyed(
        verb: Verb,
        path: &'static str,
        id: &'static str,
        handler: fn(ApiRequest<P>) -> BoxFuture<'static, Answered>,
    ) -> Self {
        let unauthorized = "The key is missing or unknown.";
        let headers = &[("WWW-Authenticate", "`Bearer`.")];
        Self::new(Documentation::new(verb, path, id, false), Handler::Keyed(handler))
            .problem_with(StatusCode::UNAUTHORIZED, unauthorized, headers)
            .problem(StatusCode::FORBIDDEN, "The key lacks the scope, or does not open this product and environment.")
    }

    fn new(doc: Documentation, handler: Handler<P>) -> Self {
        let unavailable = "A dependency is down, throttled or contended.";
        Self { handler, doc }
            .problem(StatusCode::UNPROCESSABLE_ENTITY, "Bad fields, all of them named; unknown query parameters too.")
            .problem(StatusCode::INTERNAL_SERVER_ERROR, "The service failed.")
            .problem_with(StatusCode::SERVICE_UNAVAILABLE, unavailable, &[("Retry-After", "Seconds.")])
    }

    /// Describes its effect.
    pub(crate) fn says(mut self, summary: &'static str, description: &'static str) -> Self {
        (self.doc.summary, self.doc.description) = (summary, description);
        self
    }

    /// Lists its parameters in path, query and headers.
    pub(crate) fn takes(mut self, parameters: impl IntoIterator<Item = Parameter>) -> Self {
        self.doc.parameters.extend(parameters);
        self
    }

    /// Requires a body.
    pub(crate) fn reads<T: JsonSchema>(self) -> Self {
        self.with_body(RequestBody { is_optional: false, schema: schema_of::<T> })
    }

    /// Accepts a body.
    pub(crate) fn may_read<T: JsonSchema>(self) -> Self {
        self.with_body(RequestBody { is_optional: true, schema: schema_of::<T> })
    }

    fn with_body(mut self, body: RequestBody) -> Self {
        self.doc.body = Some(body);
        self.problem(StatusCode::BAD_REQUEST, "The body is not JSON, or not JSON that can be taken without loss.")
            .problem(StatusCode::PAYLOAD_TOO_LARGE, "The body has more than 256 KB.")
    }

    /// An answer with a JSON document.
    pub(crate) fn gives<T: JsonSchema>(
        self,
        status: StatusCode,
        description: &'static str,
        headers: &'static [(&'static str, &'static str)],
    ) -> Self {
        self.answer(Answer { status, description, content: Some(("application/json", schema_of::<T>)), headers })
    }

    /// An answer without a body.
    pub(crate) fn gives_nothing(
        self,
        status: StatusCode,
        description: &'static str,
        headers: &'static [(&'static str, &'static str)],
    ) -> Self {
        self.answer(Answer { status, description, content: None, headers })
    }

    /// A problem document.
    pub(crate) fn problem(self, status: StatusCode, description: &'static str) -> Self {
        self.problem_with(status, description, &[])
    }

    fn problem_with(
        self,
        status: StatusCode,
        description: &'static str,
        headers: &'static [(&'static str, &'static str)],
    ) -> Self {
        let content = Some(("application/problem+json", schema_of::<ProblemDocument<'static>> as SchemaOf));
        self.answer(Answer { status, description, content, headers })
    }

    fn answer(mut self, answer: Answer) -> Self {
        self.doc.answers.retain(|known| known.status != answer.status);
        let at = self.doc.answers.partition_point(|known| known.status < answer.status);
        self.doc.answers.insert(at, answer);
        self
    }
}
