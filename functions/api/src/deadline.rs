//! The end of a request, after which nobody gets its answer.

use std::time::Duration;

use carillon_core::time::UnixMillis;

/// Time before its end at which a request must be answered: the answer of a store that is slow takes a while itself.
pub const ANSWER_BEFORE: Duration = Duration::from_secs(3);

/// The instant at which the server gives up on a request, as an extension of the request. A server that never does sets none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deadline(pub UnixMillis);

/// Sets the [`Deadline`] of each request to that of its invocation of the function.
#[cfg(feature = "lambda")]
pub fn of_invocations(router: axum::Router) -> axum::Router {
    use lambda_http::RequestExt as _;

    router.layer(axum::middleware::map_request(async |mut request: axum::extract::Request| {
        let deadline_ms = request.lambda_context_ref().map(|context| context.deadline);
        if let Some(deadline_ms) = deadline_ms.and_then(|deadline_ms| i64::try_from(deadline_ms).ok()) {
            request.extensions_mut().insert(Deadline(UnixMillis(deadline_ms)));
        }
        request
    }))
}
