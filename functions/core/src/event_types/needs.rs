//! The needs of an event, and whether a stack meets them.

use crate::catalog::{Auth, SecretRef, SigningSecrets};
use crate::request::Capabilities;

/// A need that this stack does not meet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lack {
    /// The member of the input that asks for it, where the event itself can be run.
    pub member: Option<&'static str>,
    /// A description.
    pub reason: String,
}

/// The needs of an event.
#[derive(Default)]
pub(super) struct Needs<'c> {
    /// Secrets that are fetched for it.
    pub(super) secrets: Vec<&'c SecretRef>,
    /// The AWS service that is called, in words.
    pub(super) aws: Option<&'static str>,
}

impl<'c> Needs<'c> {
    /// The needs of both.
    pub(super) fn and(mut self, other: Self) -> Self {
        self.secrets.extend(other.secrets);
        Self { aws: self.aws.or(other.aws), ..self }
    }

    /// The needs of requests with this authorisation and these signatures.
    pub(super) fn http(auth: Option<&'c Auth>, signing: &'c SigningSecrets) -> Self {
        let own = auth.map(Auth::secret);
        Self { secrets: own.into_iter().chain(&signing.0).collect(), aws: None }
    }

    /// The need of an AWS service.
    pub(super) fn aws(what: &'static str) -> Self {
        Self { secrets: Vec::new(), aws: Some(what) }
    }

    /// The first need that a stack does not meet, if any.
    pub(super) fn beyond(&self, capabilities: Capabilities) -> Option<String> {
        if let (Some(what), Err(reason)) = (self.aws, capabilities.aws) {
            return Some(format!("{what} cannot be reached by this deployment: {reason}"));
        }
        self.secrets.iter().find_map(|secret| capabilities.without(secret))
    }
}
