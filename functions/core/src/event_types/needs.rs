//! What it takes to run an event, and whether a stack has it.

use crate::catalog::{Auth, SecretRef, SigningSecrets};
use crate::request::Capabilities;

/// What this stack lacks to run an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lack {
    /// The member of the input that asks for it, where the event itself can be run.
    pub member: Option<&'static str>,
    /// What it is, in words.
    pub reason: String,
}

/// What it takes to run something.
#[derive(Default)]
pub(super) struct Needs<'c> {
    /// Secrets that are fetched for it.
    pub(super) secrets: Vec<&'c SecretRef>,
    /// What is called of AWS, in words.
    pub(super) aws: Option<&'static str>,
}

impl<'c> Needs<'c> {
    /// Of both.
    pub(super) fn and(mut self, other: Self) -> Self {
        self.secrets.extend(other.secrets);
        Self { aws: self.aws.or(other.aws), ..self }
    }

    /// Of requests that are authorised and signed like this.
    pub(super) fn http(auth: Option<&'c Auth>, signing: &'c SigningSecrets) -> Self {
        let own = auth.map(Auth::secret);
        Self { secrets: own.into_iter().chain(&signing.0).collect(), aws: None }
    }

    /// Of an AWS service.
    pub(super) fn aws(what: &'static str) -> Self {
        Self { secrets: Vec::new(), aws: Some(what) }
    }

    /// What a stack cannot do of it, if anything.
    pub(super) fn beyond(&self, capabilities: Capabilities) -> Option<String> {
        if let (Some(what), Err(reason)) = (self.aws, capabilities.aws) {
            return Some(format!("{what} cannot be reached by this deployment: {reason}"));
        }
        self.secrets.iter().find_map(|secret| capabilities.without(secret))
    }
}
