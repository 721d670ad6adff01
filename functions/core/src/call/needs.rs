//! What it takes to run an event, and whether a stack has it.

use serde_json::Value;

use super::{Followed, database, followed_by, function, notification, publish, storage, subscribe};
use crate::catalog::{Auth, Catalog, EventRef, FallbackOption, FeatureStep, Keeper, SecretRef, SigningSecrets, Target};

/// What a stack can run.
#[derive(Clone, Copy, Debug)]
pub struct Capabilities {
    /// The keepers whose secrets it can fetch.
    pub keepers: &'static [Keeper],
    /// Whether it can call AWS services; if not, why not.
    pub aws: Result<(), &'static str>,
}

impl Capabilities {
    /// Why this stack cannot fetch a secret, if it cannot.
    pub fn without(&self, secret: &SecretRef) -> Option<String> {
        if self.keepers.contains(&secret.keeper) {
            return None;
        }
        let lack = format!("the secret {secret} cannot be fetched by this deployment");
        Some(match (secret.keeper, self.aws) {
            (Keeper::Ssm | Keeper::SecretsManager, Err(reason)) => format!("{lack}: {reason}"),
            _ => lack,
        })
    }
}

/// Why this stack cannot run an event, if it cannot.
pub fn not_available(followed: &Followed<'_>, env: &str, capabilities: Capabilities) -> Option<String> {
    match Needs::of(followed, env) {
        Ok(needs) => needs.beyond(capabilities),
        Err(reason) => Some(reason),
    }
}

/// The members of an input that this stack cannot run in an environment, and why, where an event asks for several things.
pub fn members_not_available(
    target: &Target<'_>,
    env: &str,
    input: &Value,
    capabilities: Capabilities,
) -> Vec<(&'static str, String)> {
    match target {
        Target::Notification(it, _) => it
            .envs
            .get(env)
            .map_or_else(Vec::new, |place| notification::members_not_available(place, input, capabilities)),
        _ => Vec::new(),
    }
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
    /// Of an event in an environment.
    ///
    /// # Errors
    /// Why there is none that could be run.
    fn of(followed: &Followed<'c>, env: &str) -> Result<Self, String> {
        let catalog = followed.catalog;
        let place = match followed.target {
            Target::Action(app, _) => {
                app.envs.get(env).map(|place| Self::http(place.auth.as_ref(), &place.signing_secrets))
            }
            Target::DatabaseAction(database, _) => database.envs.get(env).map(|place| database::needs(database, place)),
            Target::Publish(broker, _) => broker.envs.get(env).map(publish::needs),
            Target::Function(function) => function.envs.get(env).map(function::needs),
            Target::Storage(storage) => storage.envs.get(env).map(|_| storage::needs()),
            // It depends on the channels that an input asks for: see [`members_not_available`].
            Target::Quota(..) | Target::Notification(..) => Some(Self::default()),
            Target::Feature(it) => return Self::of_all(catalog, it.steps.iter().map(FeatureStep::event_ref), env),
            Target::Fallback(_, it) => {
                return Self::of_all(catalog, it.options.iter().map(FallbackOption::event_ref), env);
            }
            Target::Subscribe(broker, it) => {
                subscribe::queue_url(broker, it, env).map_err(|error| error.message)?;
                let handler = Self::of_all(catalog, [it.event_ref()], env)?;
                return Ok(Self { aws: Some("Amazon SQS"), ..handler });
            }
            // A definition was followed to its event.
            Target::Job(_) => None,
        };
        place.ok_or_else(|| format!("the event is not defined in {env}"))
    }

    /// Of several events that the catalog names.
    fn of_all(catalog: &'c Catalog, events: impl IntoIterator<Item = EventRef<'c>>, env: &str) -> Result<Self, String> {
        events.into_iter().try_fold(Self::default(), |mut all, event| {
            let followed = followed_by(catalog, event).filter(|followed| followed.target.is_in(env));
            let one = followed.ok_or_else(|| format!("its event {:?} is not defined in {env}", event.event))?;
            let one = Self::of(&one, env)?;
            all.secrets.extend(one.secrets);
            Ok(Self { aws: all.aws.or(one.aws), ..all })
        })
    }

    /// Of requests that are authorised and signed like this.
    pub(super) fn http(auth: Option<&'c Auth>, signing: &'c SigningSecrets) -> Self {
        let own = auth.map(|auth| match auth {
            Auth::Bearer(secret) => secret,
            Auth::Basic(basic) => &basic.password,
            Auth::Header(header) => &header.value,
            Auth::Query(query) => &query.value,
            Auth::Oauth2(oauth2) => &oauth2.client_secret,
        });
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
