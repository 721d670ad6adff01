//! Everything that can go wrong, as RFC 9457 `application/problem+json`.

use std::error::Error;

use axum::body::Body;
use axum::response::Response;
use carillon_core::error::{FieldCode, FieldError};
use carillon_core::json::ParseError;
use carillon_core::machine::Refusal;
use carillon_core::operations::OperationError;
use carillon_core::ports::{BoxError, PortError};
use http::{HeaderValue, StatusCode, header};
use schemars::JsonSchema;
use serde::Serialize;

/// An error (RFC 9457).
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Problem")]
pub(crate) struct ProblemDocument<'a> {
    /// Always `about:blank`: `code` names the kind of problem.
    #[serde(rename = "type")]
    kind: &'static str,
    /// The phrase of the HTTP status.
    title: &'a str,
    /// The HTTP status.
    status: u16,
    /// A description for people.
    detail: &'a str,
    /// A stable name of what is wrong, for programs.
    code: &'a str,
    /// Names this request in the service's log.
    request_id: &'a str,
    /// Every bad field.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    #[schemars(default)]
    errors: &'a [FieldError],
}

/// The result of a handler.
pub(crate) type Answered = Result<Response, Problem>;

/// An error on its way to the client.
#[derive(Debug)]
pub(crate) struct Problem {
    status: StatusCode,
    code: &'static str,
    detail: String,
    errors: Vec<FieldError>,
    remedy: Option<Remedy>,
    /// For the log only.
    cause: Option<BoxError>,
}

/// A header that tells a client how to react.
#[derive(Clone, Copy, Debug)]
enum Remedy {
    /// `Retry-After`, seconds.
    RetryAfter(&'static str),
    /// `WWW-Authenticate`, a challenge.
    Authenticate(&'static str),
}

impl Problem {
    /// A problem; `detail` is shown to the client.
    pub(crate) fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        Self { status, code, detail: detail.into(), errors: Vec::new(), remedy: None, cause: None }
    }

    /// A bug of ours.
    pub(crate) fn internal() -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal_error", "the service failed; its log says why")
    }

    /// Bad fields, all of them.
    pub(crate) fn invalid(errors: Vec<FieldError>) -> Self {
        let not_available = !errors.is_empty() && errors.iter().all(|error| error.code == FieldCode::NotAvailable);
        let (code, detail) = if not_available {
            ("not_available", "the request is sound, and asks for what is not available here; see errors")
        } else {
            ("invalid_request", "the request has bad fields; see errors")
        };
        Self { errors, ..Self::new(StatusCode::UNPROCESSABLE_ENTITY, code, detail) }
    }

    /// One bad field.
    pub(crate) fn invalid_field(pointer: &str, code: FieldCode, detail: impl Into<String>) -> Self {
        Self::invalid(vec![FieldError { pointer: pointer.to_owned(), code, detail: detail.into() }])
    }

    /// The caller is not known; `challenge` says how to become so (RFC 9110, 11.6.1).
    pub(crate) fn unauthorized(code: &'static str, detail: &str, challenge: &'static str) -> Self {
        let remedy = Some(Remedy::Authenticate(challenge));
        Self { remedy, ..Self::new(StatusCode::UNAUTHORIZED, code, detail) }
    }

    /// With the error behind it, which is logged and never shown.
    pub(crate) fn caused_by(self, cause: impl Into<BoxError>) -> Self {
        Self { cause: Some(cause.into()), ..self }
    }

    /// A dependency does not answer.
    pub(crate) fn unavailable() -> Self {
        Self::retry_soon("unavailable", "a dependency did not answer")
    }

    /// Something that may work in a moment.
    fn retry_soon(code: &'static str, detail: &str) -> Self {
        Self { remedy: Some(Remedy::RetryAfter("1")), ..Self::new(StatusCode::SERVICE_UNAVAILABLE, code, detail) }
    }

    /// The answer. This is where the cause is logged, once.
    pub(crate) fn answer(&self, request_id: &str) -> Response {
        if let Some(cause) = &self.cause {
            let status = self.status.as_u16();
            tracing::error!(request_id, status, code = self.code, error = chain(cause.as_ref()), "a request failed");
        }
        let document = ProblemDocument {
            kind: "about:blank",
            title: self.status.canonical_reason().unwrap_or("Error"),
            status: self.status.as_u16(),
            detail: &self.detail,
            code: self.code,
            request_id,
            errors: &self.errors,
        };
        // Texts and numbers always serialize; an empty body would still carry its status.
        let mut response = Response::new(Body::from(serde_json::to_vec(&document).unwrap_or_default()));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        match self.remedy {
            None => {}
            Some(Remedy::RetryAfter(seconds)) => {
                headers.insert(header::RETRY_AFTER, HeaderValue::from_static(seconds));
            }
            Some(Remedy::Authenticate(challenge)) => {
                headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
            }
        }
        response
    }
}

/// An error with its sources, in one line.
pub(crate) fn chain(error: &dyn Error) -> String {
    let sources = std::iter::successors(Some(error), |error| (**error).source());
    sources.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

impl From<OperationError> for Problem {
    fn from(error: OperationError) -> Self {
        let detail = error.to_string();
        match error {
            OperationError::Unreadable(ParseError::Syntax(detail)) => {
                Self::new(StatusCode::BAD_REQUEST, "invalid_json", format!("the body is not JSON: {detail}"))
            }
            OperationError::Unreadable(ParseError::Fields(errors)) => {
                let detail = "the body is not JSON that can be taken without loss; see errors";
                Self { errors, ..Self::new(StatusCode::BAD_REQUEST, "invalid_json", detail) }
            }
            OperationError::Invalid(errors) => Self::invalid(errors),
            OperationError::Ambiguous(error) => {
                Self { errors: vec![error], ..Self::new(StatusCode::CONFLICT, "ambiguous_event", detail) }
            }
            OperationError::MissingScope(_) => Self::new(StatusCode::FORBIDDEN, "missing_scope", detail),
            OperationError::NotOpened => Self::new(StatusCode::FORBIDDEN, "not_permitted", detail),
            OperationError::NotFound(_) => Self::new(StatusCode::NOT_FOUND, "not_found", detail),
            OperationError::Refused(refusal) => Self::new(StatusCode::CONFLICT, refusal_code(&refusal), detail),
            OperationError::PreconditionFailed => {
                Self::new(StatusCode::PRECONDITION_FAILED, "precondition_failed", detail)
            }
            OperationError::Contended => Self::retry_soon("contended", &detail),
            OperationError::Port(error) => error.into(),
        }
    }
}

impl From<PortError> for Problem {
    fn from(error: PortError) -> Self {
        let detail = error.to_string();
        match error {
            PortError::Unavailable(_) => Self::retry_soon("unavailable", &detail),
            PortError::Throttled(_) => Self::retry_soon("throttled", &detail),
            PortError::Permanent(_) => Self::internal(),
        }
        .caused_by(error)
    }
}

/// The stable name of a refusal: what the job is, rather than what was wanted of it, which the caller knows.
fn refusal_code(refusal: &Refusal) -> &'static str {
    use carillon_core::job::Status;
    match refusal {
        Refusal::Void => "fire_superseded",
        Refusal::Paused => "job_paused",
        Refusal::AlreadySettled => "fire_settled",
        Refusal::Early { .. } => "fire_not_due",
        Refusal::Leased { .. } => "fire_leased",
        Refusal::NotOwner => "lease_lost",
        Refusal::NoRunLeft => "no_run_left",
        Refusal::Status { status, .. } => match status {
            Status::Scheduled => "job_scheduled",
            Status::Queued => "job_queued",
            Status::Running => "job_running",
            Status::Completed => "job_completed",
            Status::Failed => "job_failed",
            Status::Cancelled => "job_cancelled",
            Status::Paused => "job_paused",
        },
    }
}
