//! Maps SDK errors to [`PortError`], in this one place.
//!
//! | error | class |
//! | --- | --- |
//! | no answer, a timeout, a broken connection, 5xx | unavailable |
//! | a throttling code, or 429 | throttled |
//! | a conflict of concurrent transactions | throttled: the same request may work in a moment |
//! | a KMS key that is disabled or about to be deleted | unavailable: both can be undone |
//! | anything else | permanent: access denied, a missing table, an invalid request |
//!
//! A failed condition is no error: calls with conditions check for it first.

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use carillon_core::ports::PortError;

/// Codes that ask for fewer requests (the SDK's own list, and DynamoDB's transaction conflicts).
const THROTTLING: [&str; 10] = [
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "RequestThrottled",
    "RequestThrottledException",
    "SlowDown",
    "Throttling",
    "ThrottlingException",
    "TooManyRequestsException",
    "TransactionConflictException",
    "TransactionInProgressException",
];

/// KMS's codes for a key that cannot be used in its present state.
const UNUSABLE: [&str; 2] = ["DisabledException", "KMSInvalidStateException"];

/// Classifies the error of any SDK call.
pub fn classify<E>(error: SdkError<E, HttpResponse>) -> PortError
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
{
    let code = error.code().unwrap_or_default().to_owned();
    let status = error.raw_response().map_or(0, |response| response.status().as_u16());
    let is_answer = matches!(error, SdkError::ServiceError(_));
    let source = error.into();
    if THROTTLING.contains(&code.as_str()) || status == 429 {
        PortError::Throttled(source)
    } else if !is_answer || status >= 500 || code == "InternalServerError" || UNUSABLE.contains(&code.as_str()) {
        PortError::Unavailable(source)
    } else {
        PortError::Permanent(source)
    }
}

/// A stored record that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("the stored {0} cannot be read")]
pub struct Unreadable(pub &'static str);

impl From<Unreadable> for PortError {
    fn from(unreadable: Unreadable) -> Self {
        Self::Permanent(unreadable.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_dynamodb::operation::get_item::GetItemError;
    use aws_smithy_runtime_api::http::StatusCode;
    use aws_smithy_types::body::SdkBody;
    use aws_smithy_types::error::ErrorMetadata;

    fn answered(status: u16, code: &str) -> SdkError<GetItemError, HttpResponse> {
        let response = HttpResponse::new(StatusCode::try_from(status).unwrap(), SdkBody::empty());
        SdkError::service_error(GetItemError::generic(ErrorMetadata::builder().code(code).build()), response)
    }

    #[test]
    fn each_kind_of_error_has_its_class() {
        for (status, code) in [
            (500, "InternalServerError"),
            (503, "ServiceUnavailable"),
            (400, "DisabledException"),
            (400, "KMSInvalidStateException"),
        ] {
            assert!(matches!(classify(answered(status, code)), PortError::Unavailable(_)), "{code}");
        }
        for (status, code) in [(400, "ThrottlingException"), (400, "ProvisionedThroughputExceededException"), (429, "")]
        {
            assert!(matches!(classify(answered(status, code)), PortError::Throttled(_)), "{code}");
        }
        for (status, code) in
            [(400, "AccessDeniedException"), (400, "ResourceNotFoundException"), (400, "ValidationException")]
        {
            assert!(matches!(classify(answered(status, code)), PortError::Permanent(_)), "{code}");
        }
        assert!(matches!(classify(SdkError::<GetItemError, _>::timeout_error("slow")), PortError::Unavailable(_)));
    }
}
