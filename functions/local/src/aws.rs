//! Access to AWS, with the cargo feature `aws` and credentials in the environment.

#[cfg(feature = "aws")]
use carillon_aws::{clients::Clients, secret_stores::AwsSecretStores, targets::AwsTargets};
use carillon_core::catalog::{SecretRef, SecretStoreKind};
use carillon_core::job::{Output, RunError};
use carillon_core::ports::{AwsServices, SecretStore};
use carillon_core::request::{AwsRequest, Capabilities, DispatchId};
use carillon_executor::targets::NoAws;
use zeroize::Zeroizing;

/// The adapters that call services for jobs and fetch secrets.
#[cfg(feature = "aws")]
type Services = (AwsTargets, AwsSecretStores);
#[cfg(not(feature = "aws"))]
type Services = (NoAws, NoAws);

/// The remedy for missing access, for the error message.
const REMEDY: &str = if cfg!(feature = "aws") {
    "set AWS_REGION, AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
} else {
    "build with --features aws"
};

/// The AWS services, if there are credentials for them.
#[derive(Clone, Debug)]
pub(crate) struct Aws(Option<Services>);

impl Aws {
    /// Connects with the credentials in these variables, if they are complete.
    pub(crate) fn of(environment: &[(String, String)]) -> Self {
        Self(services(|name| environment.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone())))
    }

    /// The capabilities of a server with this access.
    pub(crate) fn capabilities(&self) -> Capabilities {
        match &self.0 {
            Some(_) => Capabilities {
                secret_stores: &[SecretStoreKind::Env, SecretStoreKind::Ssm, SecretStoreKind::SecretsManager],
                aws: Ok(()),
            },
            None => Capabilities { secret_stores: &[SecretStoreKind::Env], aws: Err(REMEDY) },
        }
    }
}

#[cfg(feature = "aws")]
fn services(variable: impl Fn(&str) -> Option<String>) -> Option<Services> {
    let clients = Clients::from_environment(variable).ok()?;
    Some((AwsTargets::new(&clients), AwsSecretStores::new(&clients)))
}

#[cfg(not(feature = "aws"))]
fn services(_: impl Fn(&str) -> Option<String>) -> Option<Services> {
    None
}

impl AwsServices for Aws {
    async fn perform(&self, id: &DispatchId, request: AwsRequest) -> Result<Output, RunError> {
        match &self.0 {
            Some((targets, _)) => targets.perform(id, request).await,
            None => NoAws.perform(id, request).await,
        }
    }
}

impl SecretStore for Aws {
    async fn fetch(&self, secret: &SecretRef) -> Result<Zeroizing<String>, RunError> {
        match &self.0 {
            Some((_, stores)) => stores.fetch(secret).await,
            None => NoAws.fetch(secret).await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(names: &[&str]) -> Vec<(String, String)> {
        names.iter().map(|name| ((*name).to_owned(), "eu-west-1".to_owned())).collect()
    }

    const CREDENTIALS: [&str; 3] = ["AWS_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"];

    #[test]
    fn what_is_missing_is_named_and_variables_can_be_referred_to_in_any_case() {
        let expected = if cfg!(feature = "aws") { CREDENTIALS.as_slice() } else { &["--features aws"] };
        for set in [&[][..], &CREDENTIALS[..2], &CREDENTIALS[1..]] {
            let Capabilities { secret_stores, aws } = Aws::of(&environment(set)).capabilities();
            let reason = aws.unwrap_err();
            assert!(expected.iter().all(|part| reason.contains(part)), "{reason}");
            assert_eq!(secret_stores, [SecretStoreKind::Env]);
        }
    }

    #[cfg(feature = "aws")]
    #[test]
    fn with_credentials_aws_can_be_called_and_its_secrets_fetched() {
        let Capabilities { secret_stores, aws } = Aws::of(&environment(&CREDENTIALS)).capabilities();
        assert_eq!((secret_stores.len(), aws), (3, Ok(())));
    }
}
