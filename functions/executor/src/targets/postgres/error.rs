//! What PostgreSQL's errors mean, by their SQLSTATE.
//!
//! | SQLSTATE | code | retried |
//! | --- | --- | --- |
//! | 08… connection exception | CONNECTION_ERROR | yes |
//! | 23… integrity constraint violation | CONSTRAINT_VIOLATION | no |
//! | 25006 read-only transaction, as of a server that was demoted | SERVICE_UNAVAILABLE | yes |
//! | 28… invalid authorization | UNAUTHORIZED | no |
//! | 3D000, 3F000 no such database or schema | NOT_FOUND | no |
//! | 40001, 40P01, 55P03 serialization failure, deadlock, lock not available; the rest of 40… | CONFLICT | yes |
//! | 42501 insufficient privilege | FORBIDDEN | no |
//! | 53… insufficient resources | SERVICE_UNAVAILABLE | yes |
//! | 57014 query canceled, as of the statement timeout | TIMEOUT | yes |
//! | the rest of 57…, 58…, XX… shutdown, system and internal errors | SERVICE_UNAVAILABLE | yes |
//! | everything else, such as 22… data exception and 42… syntax error | VALIDATION_ERROR | no |
//!
//! A connection that breaks off is CONNECTION_ERROR and retried; the statement may have taken effect then. A message has the
//! SQLSTATE, and the name of a constraint that is broken: PostgreSQL's own text may repeat values.

use std::error::Error as _;
use std::io;

use carillon_core::catalog::SecretRef;
use carillon_core::job::{RunError, codes};
use tokio_postgres::Error;
use tokio_postgres::error::DbError;

/// Why a statement gave no result.
#[derive(Debug)]
pub(super) enum Failure {
    /// The server's word about the statement. The connection is as good as before.
    Said(RunError),
    /// Nothing is known about the connection any more.
    Broken(Error),
}

impl Failure {
    pub(super) fn of(error: Error) -> Self {
        match error.as_db_error().map(|said| (meaning(said.code().code()), said)) {
            Some(((code, retryable), said)) if !retryable || matches!(code, codes::CONFLICT | codes::TIMEOUT) => {
                Self::Said(described(code, retryable, said))
            }
            _ => Self::Broken(error),
        }
    }

    pub(super) fn leaves_connection(&self) -> bool {
        matches!(self, Self::Said(_))
    }

    pub(super) fn into_error(self) -> RunError {
        match self {
            Self::Said(error) => error,
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

/// What it means that a new connection could not sign in.
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

fn meaning(state: &str) -> (&'static str, bool) {
    match (state.get(..2).unwrap_or_default(), state) {
        ("08", _) => (codes::CONNECTION_ERROR, true),
        ("23", _) => (codes::CONSTRAINT_VIOLATION, false),
        ("28", _) => (codes::UNAUTHORIZED, false),
        (_, "3D000" | "3F000") => (codes::NOT_FOUND, false),
        ("40", _) | (_, "55P03") => (codes::CONFLICT, true),
        (_, "42501") => (codes::FORBIDDEN, false),
        (_, "57014") => (codes::TIMEOUT, true),
        ("53" | "57" | "58" | "XX", _) | (_, "25006") => (codes::SERVICE_UNAVAILABLE, true),
        _ => (codes::VALIDATION_ERROR, false),
    }
}

/// A secret that is not what it has to be.
pub(super) fn unusable(secret: &SecretRef, wanted: &str) -> RunError {
    RunError::permanent(codes::SECRET_NOT_FOUND, format!("the secret {secret} is not {wanted}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sqlstate_means_one_code_retried_or_not() {
        for (state, expected) in [
            ("08006", (codes::CONNECTION_ERROR, true)),
            ("22001", (codes::VALIDATION_ERROR, false)),
            ("22P02", (codes::VALIDATION_ERROR, false)),
            ("23505", (codes::CONSTRAINT_VIOLATION, false)),
            ("23503", (codes::CONSTRAINT_VIOLATION, false)),
            ("25006", (codes::SERVICE_UNAVAILABLE, true)),
            ("25001", (codes::VALIDATION_ERROR, false)),
            ("28P01", (codes::UNAUTHORIZED, false)),
            ("28000", (codes::UNAUTHORIZED, false)),
            ("3D000", (codes::NOT_FOUND, false)),
            ("3F000", (codes::NOT_FOUND, false)),
            ("40001", (codes::CONFLICT, true)),
            ("40P01", (codes::CONFLICT, true)),
            ("42501", (codes::FORBIDDEN, false)),
            ("42601", (codes::VALIDATION_ERROR, false)),
            ("42P01", (codes::VALIDATION_ERROR, false)),
            ("53300", (codes::SERVICE_UNAVAILABLE, true)),
            ("55P03", (codes::CONFLICT, true)),
            ("57014", (codes::TIMEOUT, true)),
            ("57P01", (codes::SERVICE_UNAVAILABLE, true)),
            ("57P03", (codes::SERVICE_UNAVAILABLE, true)),
            ("58030", (codes::SERVICE_UNAVAILABLE, true)),
            ("P0001", (codes::VALIDATION_ERROR, false)),
            ("XX000", (codes::SERVICE_UNAVAILABLE, true)),
            ("", (codes::VALIDATION_ERROR, false)),
        ] {
            assert_eq!(meaning(state), expected, "{state}");
        }
    }
}
