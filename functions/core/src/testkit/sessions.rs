//! Sessions for tests that have none.

use crate::error::FieldCode;
use crate::ports::{BoxFuture, DefinedSession, Sessions, TokenRefusal};
use crate::session::Claims;

/// Sessions of which no token is genuine.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoSessions;

impl Sessions for NoSessions {
    fn verify<'a>(&'a self, _: DefinedSession<'a>, _: &'a str) -> BoxFuture<'a, Result<Claims, TokenRefusal>> {
        Box::pin(async { Err(TokenRefusal::Bad(FieldCode::TokenSignature, "no token is genuine here".to_owned())) })
    }

    fn mint<'a>(&'a self, _: DefinedSession<'a>, _: &'a Claims) -> BoxFuture<'a, Result<String, TokenRefusal>> {
        Box::pin(async { Err(TokenRefusal::Bad(FieldCode::NotAvailable, "no token is made here".to_owned())) })
    }
}
