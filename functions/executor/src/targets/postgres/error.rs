//! Maps PostgreSQL's errors by their SQLSTATE, as [`carillon_core::event_types::sqlstate`] has it.
//!
//! A broken connection is CONNECTION_ERROR and retried; the statement may have taken effect. A message contains the
//! SQLSTATE and the name of a violated constraint, because PostgreSQL's own text may repeat values.

use std::error::Error as _;
use std::io;

use carillon_core::catalog::SecretRef;
use carillon_core::event_types::sqlstate::meaning;
use carillon_core::job::{RunError, codes};
use tokio_postgres::Error;
use tokio_postgres::error::DbError;

/// Why a statement gave no result.
#[derive(Debug)]
pub(super) enum Failure {
    /// The server's word about the statement. The connection is as good as before.
    Answered(RunError),
    /// Nothing is known about the connection any more.
    Broken(Error),
}

impl Failure {
    pub(super) fn of(error: Error) -> Self {
        match error.as_db_error().map(|said| (meaning(said.code().code()), said)) {
            Some(((code, retryable), said)) if !retryable || matches!(code, codes::CONFLICT | codes::TIMEOUT) => {
                Self::Answered(described(code, retryable, said))
            }
            _ => Self::Broken(error),
        }
    }

    pub(super) fn leaves_connection(&self) -> bool {
        matches!(self, Self::Answered(_))
    }

    pub(super) fn into_error(self) -> RunError {
        match self {
            Self::Answered(error) => error,
            Self::Broken(error) => broken(&error),
        }
    }
}

fn broken(error: &Error) -> RunError {
    if let Some(said) = error.as_db_error() {
        let (code, retryable) = meaning(said.code().code());
        return described(code, retryable, said);
    }
    if is_transport(error) {
        return RunError::transient(codes::CONNECTION_ERROR, "the connection to PostgreSQL broke off");
    }
    let message = "PostgreSQL answered the statement in a way that is not supported";
    RunError::permanent(codes::VALIDATION_ERROR, message)
}

/// The error of a failed login on a new connection.
pub(super) fn signing_in(error: &Error) -> RunError {
    if error.as_db_error().is_some() || is_transport(error) {
        return broken(error);
    }
    RunError::permanent(codes::UNAUTHORIZED, "PostgreSQL asks for another way of signing in than the URL has")
}

fn is_transport(error: &Error) -> bool {
    error.is_closed() || error.source().is_some_and(<dyn std::error::Error>::is::<io::Error>)
}

fn described(code: &str, retryable: bool, said: &DbError) -> RunError {
    let state = said.code().code();
    let message = match said.constraint() {
        Some(constraint) => format!("PostgreSQL answered {state}, constraint {constraint}"),
        None => format!("PostgreSQL answered {state}"),
    };
    RunError { code: code.to_owned(), message, retryable, retry_after_ms: None }
}

/// A secret that is not what it has to be.
pub(super) fn unusable(secret: &SecretRef, wanted: &str) -> RunError {
    RunError::permanent(codes::SECRET_NOT_FOUND, format!("the secret {secret} is not {wanted}"))
}
