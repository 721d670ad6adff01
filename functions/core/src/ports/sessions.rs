//! The verification and minting of session tokens.

use std::future::Future;
use std::pin::Pin;

use super::PortError;
use crate::catalog::{Session, SessionEnv};
use crate::error::FieldCode;
use crate::session::Claims;

/// What tells whether a session's token is genuine, and makes tokens.
///
/// Held by the API besides the [`Ports`]: it reaches outside, as [`Targets`] do.
pub trait Sessions: Send + Sync {
    /// The payload of a token, if everything about it is right.
    fn verify<'a>(&'a self, session: DefinedSession<'a>, token: &'a str)
    -> BoxFuture<'a, Result<Claims, TokenRefusal>>;

    /// A token that says `claims`, signed with the session's shared secret.
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
    /// `product/env/tag`: what a token that was minted here is for.
    pub name: &'a str,
    /// The definition.
    pub definition: &'a Session,
    /// Its key and expectations in the environment.
    pub place: &'a SessionEnv,
}

/// Why a token is not taken, or not made.
#[derive(Debug)]
pub enum TokenRefusal {
    /// Something is wrong with it. The text says what, and nothing of what it holds.
    Bad(FieldCode, String),
    /// The key cannot be had: a dependency failed.
    Port(PortError),
}
