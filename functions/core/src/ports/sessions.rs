//! The verification and minting of session tokens.

use std::future::Future;
use std::pin::Pin;

use super::PortError;
use crate::catalog::{Session, SessionEnv};
use crate::error::FieldCode;
use crate::session::Claims;

/// Verifies and mints the tokens of sessions.
///
/// The API holds it beside the [`Ports`], because it reaches the outside as [`Targets`](super::Targets) do.
pub trait Sessions: Send + Sync {
    /// Verifies a token and returns its payload.
    fn verify<'a>(&'a self, session: DefinedSession<'a>, token: &'a str)
    -> BoxFuture<'a, Result<Claims, TokenRefusal>>;

    /// Signs a token for `claims` with the session's shared secret.
    fn mint<'a>(
        &'a self,
        session: DefinedSession<'a>,
        claims: &'a Claims,
    ) -> BoxFuture<'a, Result<String, TokenRefusal>>;
}

/// A boxed future, for ports that are used as trait objects.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A session as the catalog defines it in one environment.
#[derive(Clone, Copy, Debug)]
pub struct DefinedSession<'a> {
    /// The audience of minted tokens: `product/env/tag`.
    pub name: &'a str,
    /// The definition.
    pub definition: &'a Session,
    /// Its key and expectations in the environment.
    pub place: &'a SessionEnv,
}

/// Why a token is refused or cannot be minted.
#[derive(Debug)]
pub enum TokenRefusal {
    /// The token is invalid. The text says why, and quotes nothing of it.
    Bad(FieldCode, String),
    /// A dependency failed, so the key cannot be read.
    Port(PortError),
}
