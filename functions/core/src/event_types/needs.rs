//! What it takes to run an event, and whether a stack has it.

use std::borrow::Cow;

use serde_json::Value;

use super::kind::{EventKind as _, match_kind, with_kind};
use super::{ResolvedEvent, followed_by};
use crate::catalog::{Auth, Catalog, EventRef, SecretRef, SecretStoreKind, SigningSecrets};

/// What a stack can run.
#[derive(Clone, Copy, Debug)]
pub struct Capabilities {
    /// The keepers whose secrets it can fetch.
    pub secret_stores: &'static [SecretStoreKind],
    /// Whether it can call AWS services; if not, why not.
    pub aws: Result<(), &'static str>,
}

impl Capabilities {
    /// Why this stack cannot fetch a secret, if it cannot.
    pub fn without(&self, secret: &SecretRef) -> Option<String> {
        if self.secret_stores.contains(&secret.store) {
            return None;
        }
        let lack = format!("the secret {secret} cannot be fetched by this deployment");
        Some(match (secret.store, self.aws) {
            (SecretStoreKind::Ssm | SecretStoreKind::SecretsManager, Err(reason)) => format!("{lack}: {reason}"),
            _ => lack,
        })
    }
}

/// What this stack lacks to run an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lack {
    /// The member of the input that asks for it, where the event itself can be run.
    pub member: Option<&'static str>,
    /// What it is, in words.
    pub reason: String,
}

/// What this stack lacks to run an event with an input: of the event itself, or else of what the input asks for. Without an input
/// only what every input takes is looked at.
pub fn not_available(
    followed: &ResolvedEvent<'_>,
    env: &str,
    input: Option<&Value>,
    capabilities: Capabilities,
) -> Vec<Lack> {
    with_kind!(&followed.target, |kind| kind.lacks(env, input, capabilities))
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
    /// Of several events that the catalog names, each with what is known of its input.
    ///
    /// # Errors
    /// Why one of them could not be run.
    pub(super) fn of_all<'v>(
        catalog: &'c Catalog,
        events: impl IntoIterator<Item = (EventRef<'c>, Option<Cow<'v, Value>>)>,
        env: &str,
    ) -> Result<Self, String> {
        events.into_iter().try_fold(Self::default(), |all, (event, input)| {
            let followed = followed_by(catalog, event).filter(|followed| followed.target.is_in(env));
            let one = followed.ok_or_else(|| format!("its event {:?} is not defined in {env}", event.event))?;
            let input = input.as_deref().map(|input| one.input(input));
            Ok(all.and(with_kind!(&one.target, |kind| kind.needs(env, input.as_deref()))?))
        })
    }

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
