//! Maps the errors of services to those of a job's attempt, in this one place.
//!
//! The first matching row counts. Codes are compared without a prefix up to the last dot and without a final `Exception`,
//! because services spell them in several ways.
//!
//! | answer | code | retried |
//! | --- | --- | --- |
//! | nothing in time | TIMEOUT | yes |
//! | nothing, or the connection broke | CONNECTION_ERROR | yes |
//! | a request that cannot be made of what it was given | VALIDATION_ERROR | no |
//! | a SQLSTATE of the database | [`sqlstate`] has its code | as there |
//! | a code of [`THROTTLED`], or 429 | RATE_LIMITED | yes, not before Retry-After |
//! | a code of [`UNKNOWN_CALLER`]: credentials that are expired or wrong | UNAUTHORIZED | no |
//! | a code of [`DENIED`] | FORBIDDEN | no |
//! | a code of [`NOT_FOUND`] | NOT_FOUND | no |
//! | a code of [`CONFLICT`]: a condition does not hold, or the key is there already | CONFLICT | no |
//! | a code of [`CONCURRENT`]: somebody else is at it | CONFLICT | yes |
//! | a code of [`NOT_NOW`] | SERVICE_UNAVAILABLE | yes, not before Retry-After |
//! | a code of [`LATE`], 408 or 504 | TIMEOUT | yes |
//! | any other 5xx | SERVICE_UNAVAILABLE | yes, not before Retry-After |
//! | 401 / 403 / 404 and 410 | UNAUTHORIZED / FORBIDDEN / NOT_FOUND | no |
//! | anything else: a request that is refused as it is | VALIDATION_ERROR | no |
//!
//! A message says which service, and its code. What services say besides may quote what they were given.

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use carillon_core::event_types::sqlstate;
use carillon_core::job::{RunError, codes};

const THROTTLED: [&str; 16] = [
    "BandwidthLimitExceeded",
    "EC2Throttled",
    "KMSThrottled",
    "KMSThrottling",
    "KmsThrottled",
    "LimitExceeded",
    "OverLimit",
    "PriorRequestNotComplete",
    "ProvisionedThroughputExceeded",
    "RequestLimitExceeded",
    "RequestThrottled",
    "SlowDown",
    "Throttled",
    "Throttling",
    "TooManyRequests",
    "TransactionInProgress",
];
const UNKNOWN_CALLER: [&str; 14] = [
    "ExpiredToken",
    "IncompleteSignature",
    "InvalidAccessKeyId",
    "InvalidClientTokenId",
    "InvalidSecurity",
    "InvalidSecurityToken",
    "InvalidSignature",
    "InvalidToken",
    "MissingAuthenticationToken",
    "RequestExpired",
    "RequestTimeTooSkewed",
    "SignatureDoesNotMatch",
    "TokenRefreshRequired",
    "UnrecognizedClient",
];
const DENIED: [&str; 14] = [
    "AccessDenied",
    "AccountSuspended",
    "AllAccessDisabled",
    "AuthorizationError",
    "EC2AccessDenied",
    "Forbidden",
    "KMSAccessDenied",
    "KMSOptInRequired",
    "KmsAccessDenied",
    "KmsOptInRequired",
    "NotAuthorizedForDetailType",
    "NotAuthorizedForSource",
    "OptInRequired",
    "SendingPaused",
];
const NOT_FOUND: [&str; 11] = [
    "DatabaseNotFound",
    "KMSNotFound",
    "KmsNotFound",
    "NoSuchBucket",
    "NoSuchKey",
    "NonExistentQueue",
    "NotFound",
    "ParameterNotFound",
    "ParameterVersionNotFound",
    "QueueDoesNotExist",
    "ResourceNotFound",
];
const CONFLICT: [&str; 3] = ["ConditionalCheckFailed", "DuplicateItem", "PreconditionFailed"];
const CONCURRENT: [&str; 5] = [
    "ConditionalRequestConflict",
    "OperationAborted",
    "ReplicatedWriteConflict",
    "ResourceConflict",
    "TransactionConflict",
];
const LATE: [&str; 6] = [
    "DependencyTimeout",
    "EFSMountTimeout",
    "RequestTimeout",
    "S3FilesMountTimeout",
    "SnapStartTimeout",
    "StatementTimeout",
];
const NOT_NOW: [&str; 23] = [
    "CodeArtifactUserDeleted",
    "CodeArtifactUserPending",
    "DatabaseResuming",
    "DatabaseUnavailable",
    "Disabled",
    "EFSIO",
    "ENINotReady",
    "Internal",
    "InternalError",
    "InternalFailure",
    "InternalServerError",
    "InternalServiceError",
    "InvalidState",
    "KMSDisabled",
    "KMSInvalidState",
    "KeyUnavailable",
    "KmsDisabled",
    "KmsInvalidState",
    "ResourceNotReady",
    "ServiceUnavailable",
    "ServiceUnavailableError",
    "SnapStartNotReady",
    "SnapStartRegenerationFailure",
];

/// Maps an SDK error to the error of an attempt.
pub(crate) fn fault<E: ProvideErrorMetadata>(service: &str, error: &SdkError<E, HttpResponse>) -> RunError {
    match error {
        SdkError::TimeoutError(_) => late(service),
        SdkError::DispatchFailure(failure) if failure.is_timeout() => late(service),
        SdkError::ConstructionFailure(_) => {
            RunError::permanent(codes::VALIDATION_ERROR, format!("no request to {service} can be made of this"))
        }
        SdkError::ServiceError(said) => {
            let (code, status) = (error.code().unwrap_or_default(), said.raw().status().as_u16());
            let refused = refused(service, code, status, error.message().and_then(sql_state));
            let asked_ms = || Some(said.raw().headers().get("retry-after")?.parse::<u64>().ok()?.saturating_mul(1_000));
            RunError { retry_after_ms: asked_ms().filter(|_| refused.retryable), ..refused }
        }
        _ => RunError::transient(codes::CONNECTION_ERROR, format!("{service} cannot be reached")),
    }
}

fn late(service: &str) -> RunError {
    RunError::transient(codes::TIMEOUT, format!("{service} did not answer in time"))
}

/// Maps a service's code to the error of an attempt. The code stands for the whole answer or for one entry in it.
pub(super) fn refused(service: &str, code: &str, status: u16, sql_state: Option<&str>) -> RunError {
    let (meaning, retryable) = meaning(code, status, sql_state);
    let is_name = (1..=100).contains(&code.len()) && code.bytes().all(|byte| byte.is_ascii_graphic());
    let said = if is_name { code.to_owned() } else { status.to_string() };
    let state = sql_state.map(|state| format!(" (SQLSTATE {state})")).unwrap_or_default();
    let message = format!("{service} answered {said}{state}");
    RunError { code: meaning.to_owned(), message, retryable, retry_after_ms: None }
}

fn meaning(code: &str, status: u16, sql_state: Option<&str>) -> (&'static str, bool) {
    let name = code.rsplit('.').next().unwrap_or(code);
    let name = name.strip_suffix("Exception").unwrap_or(name);
    match (sql_state, status) {
        (Some(state), _) => sqlstate::meaning(state),
        (_, 429) => (codes::RATE_LIMITED, true),
        _ if THROTTLED.contains(&name) => (codes::RATE_LIMITED, true),
        _ if UNKNOWN_CALLER.contains(&name) => (codes::UNAUTHORIZED, false),
        _ if DENIED.contains(&name) => (codes::FORBIDDEN, false),
        _ if NOT_FOUND.contains(&name) => (codes::NOT_FOUND, false),
        _ if CONFLICT.contains(&name) => (codes::CONFLICT, false),
        _ if CONCURRENT.contains(&name) => (codes::CONFLICT, true),
        _ if NOT_NOW.contains(&name) => (codes::SERVICE_UNAVAILABLE, true),
        _ if LATE.contains(&name) => (codes::TIMEOUT, true),
        (_, 408 | 504) => (codes::TIMEOUT, true),
        (_, 500..) => (codes::SERVICE_UNAVAILABLE, true),
        (_, 401) => (codes::UNAUTHORIZED, false),
        (_, 403) => (codes::FORBIDDEN, false),
        (_, 404 | 410) => (codes::NOT_FOUND, false),
        _ => (codes::VALIDATION_ERROR, false),
    }
}

/// The SQLSTATE at the end of the RDS Data API's message about a failed statement.
fn sql_state(message: &str) -> Option<&str> {
    let (_, after) = message.rsplit_once("SQLState: ")?;
    after.get(..5).filter(|state| state.bytes().all(|byte| byte.is_ascii_alphanumeric()))
}

#[cfg(test)]
mod tests {
    use aws_sdk_sqs::operation::send_message::SendMessageError;
    use aws_smithy_runtime_api::client::result::ConnectorError;
    use aws_smithy_runtime_api::http::StatusCode;
    use aws_smithy_types::body::SdkBody;
    use aws_smithy_types::error::ErrorMetadata;

    use super::*;

    fn answered(status: u16, code: &str, message: &str) -> SdkError<SendMessageError, HttpResponse> {
        let mut response = HttpResponse::new(StatusCode::try_from(status).unwrap(), SdkBody::empty());
        response.headers_mut().insert("retry-after", "7");
        let said = ErrorMetadata::builder().code(code).message(message).build();
        SdkError::service_error(SendMessageError::generic(said), response)
    }

    #[test]
    fn each_refusal_has_its_code_and_says_no_more_than_the_services() {
        for (status, code, expected, retryable) in [
            (400, "ThrottlingException", codes::RATE_LIMITED, true),
            (400, "ProvisionedThroughputExceededException", codes::RATE_LIMITED, true),
            (503, "SlowDown", codes::RATE_LIMITED, true),
            (429, "", codes::RATE_LIMITED, true),
            (400, "KMS.ThrottlingException", codes::RATE_LIMITED, true),
            (400, "ExpiredTokenException", codes::UNAUTHORIZED, false),
            (403, "ExpiredToken", codes::UNAUTHORIZED, false),
            (403, "InvalidAccessKeyId", codes::UNAUTHORIZED, false),
            (403, "SignatureDoesNotMatch", codes::UNAUTHORIZED, false),
            (400, "AccessDeniedException", codes::FORBIDDEN, false),
            (403, "AuthorizationError", codes::FORBIDDEN, false),
            (502, "KMSAccessDeniedException", codes::FORBIDDEN, false),
            (400, "AWS.SimpleQueueService.NonExistentQueue", codes::NOT_FOUND, false),
            (400, "ResourceNotFoundException", codes::NOT_FOUND, false),
            (404, "NotFound", codes::NOT_FOUND, false),
            (404, "NoSuchBucket", codes::NOT_FOUND, false),
            (400, "ConditionalCheckFailedException", codes::CONFLICT, false),
            (400, "DuplicateItemException", codes::CONFLICT, false),
            (400, "TransactionConflictException", codes::CONFLICT, true),
            (400, "ReplicatedWriteConflictException", codes::CONFLICT, true),
            (409, "OperationAborted", codes::CONFLICT, true),
            (409, "ResourceConflictException", codes::CONFLICT, true),
            (412, "PreconditionFailed", codes::CONFLICT, false),
            (400, "RequestTimeout", codes::TIMEOUT, true),
            (400, "StatementTimeoutException", codes::TIMEOUT, true),
            (504, "", codes::TIMEOUT, true),
            (500, "InternalFailure", codes::SERVICE_UNAVAILABLE, true),
            (503, "", codes::SERVICE_UNAVAILABLE, true),
            (400, "DatabaseResumingException", codes::SERVICE_UNAVAILABLE, true),
            (400, "KmsDisabled", codes::SERVICE_UNAVAILABLE, true),
            (400, "KMS.DisabledException", codes::SERVICE_UNAVAILABLE, true),
            (400, "KMS.InvalidStateException", codes::SERVICE_UNAVAILABLE, true),
            (504, "DatabaseUnavailableException", codes::SERVICE_UNAVAILABLE, true),
            (410, "EFSIOException", codes::SERVICE_UNAVAILABLE, true),
            (409, "ENINotReadyException", codes::SERVICE_UNAVAILABLE, true),
            (400, "SnapStartRegenerationFailureException", codes::SERVICE_UNAVAILABLE, true),
            (502, "ResourceNotReadyException", codes::SERVICE_UNAVAILABLE, true),
            (502, "ENILimitReachedException", codes::SERVICE_UNAVAILABLE, true),
            (401, "Else", codes::UNAUTHORIZED, false),
            (403, "Else", codes::FORBIDDEN, false),
            (404, "Else", codes::NOT_FOUND, false),
            (400, "ValidationException", codes::VALIDATION_ERROR, false),
            (400, "InvalidParameter", codes::VALIDATION_ERROR, false),
            (413, "RequestTooLargeException", codes::VALIDATION_ERROR, false),
            (301, "PermanentRedirect", codes::VALIDATION_ERROR, false),
        ] {
            let error = fault("Amazon SQS", &answered(status, code, "the payload"));
            assert_eq!((error.code.as_str(), error.retryable), (expected, retryable), "{status} {code}");
            assert_eq!(error.retry_after_ms, retryable.then_some(7_000), "{status} {code}");
            let said = if code.is_empty() { status.to_string() } else { code.to_owned() };
            assert_eq!(error.message, format!("Amazon SQS answered {said}"));
        }
    }

    #[test]
    fn the_state_of_a_statement_is_told_apart_from_what_it_says() {
        for (message, expected, retryable, state) in [
            ("ERROR: duplicate key; SQLState: 23505", codes::CONSTRAINT_VIOLATION, false, " (SQLSTATE 23505)"),
            ("ERROR: deadlock; SQLState: 40P01", codes::CONFLICT, true, " (SQLSTATE 40P01)"),
            ("ERROR: canceled; SQLState: 57014", codes::TIMEOUT, true, " (SQLSTATE 57014)"),
            ("FATAL: too many clients; SQLState: 53300", codes::SERVICE_UNAVAILABLE, true, " (SQLSTATE 53300)"),
            ("ERROR: no lock; SQLState: 55P03", codes::CONFLICT, true, " (SQLSTATE 55P03)"),
            ("FATAL: shutdown; SQLState: 57P01", codes::SERVICE_UNAVAILABLE, true, " (SQLSTATE 57P01)"),
            ("broken; SQLState: 08006", codes::CONNECTION_ERROR, true, " (SQLSTATE 08006)"),
            ("FATAL: password; SQLState: 28P01", codes::UNAUTHORIZED, false, " (SQLSTATE 28P01)"),
            ("ERROR: denied; SQLState: 42501", codes::FORBIDDEN, false, " (SQLSTATE 42501)"),
            ("ERROR: syntax; SQLState: 42601", codes::VALIDATION_ERROR, false, " (SQLSTATE 42601)"),
            ("SQLState: 23505 is quoted; SQLState: 42601", codes::VALIDATION_ERROR, false, " (SQLSTATE 42601)"),
            ("SQLState: ééé", codes::VALIDATION_ERROR, false, ""),
            ("SQLState: 1", codes::VALIDATION_ERROR, false, ""),
        ] {
            let error = fault("it", &answered(400, "DatabaseErrorException", message));
            assert_eq!((error.code.as_str(), error.retryable), (expected, retryable), "{message}");
            assert_eq!(error.message, format!("it answered DatabaseErrorException{state}"));
        }
    }

    #[test]
    fn silence_and_broken_connections_may_pass_and_what_cannot_be_asked_may_not() {
        type Error = SdkError<SendMessageError, HttpResponse>;
        let response = HttpResponse::new(StatusCode::try_from(200).unwrap(), SdkBody::empty());
        for (error, expected, retryable) in [
            (Error::timeout_error("slow"), codes::TIMEOUT, true),
            (Error::dispatch_failure(ConnectorError::timeout("slow".into())), codes::TIMEOUT, true),
            (Error::dispatch_failure(ConnectorError::io("broken".into())), codes::CONNECTION_ERROR, true),
            (Error::response_error("half of it", response), codes::CONNECTION_ERROR, true),
            (Error::construction_failure("no bucket"), codes::VALIDATION_ERROR, false),
        ] {
            let error = fault("it", &error);
            assert_eq!((error.code.as_str(), error.retryable), (expected, retryable));
        }
    }
}
