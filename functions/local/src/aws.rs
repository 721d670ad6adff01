//! AWS, as far as this server can reach it: with the cargo feature `aws`, and with credentials in its environment.

use carillon_core::catalog::{SecretRef, SecretStoreKind};
use carillon_core::event_types::{AwsRequest, Capabilities, DispatchId};
use carillon_core::job::{Output, RunError};
use carillon_core::ports::{AwsServices, SecretStore};
use carillon_executor::targets::NoAws;
use carillon_outbound::secrets::NoSecretStore;
use zeroize::Zeroizing;

#[cfg(feature = "aws")]
use self::with::Services;
#[cfg(not(feature = "aws"))]
use self::without::Services;

/// AWS by the credentials of the environment, or the reason why not.
#[derive(Clone, Debug)]
pub(crate) struct Aws(Result<Services, &'static str>);

impl Aws {
    /// Looks for the credentials among these variables.
    pub(crate) fn of(environment: &[(String, String)]) -> Self {
        Self(Services::of(|name| environment.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone())))
    }

    /// What a server can run that reaches it.
    pub(crate) fn capabilities(&self) -> Capabilities {
        let (all, own): (&[SecretStoreKind], &[SecretStoreKind]) =
            (&[SecretStoreKind::Env, SecretStoreKind::Ssm, SecretStoreKind::SecretsManager], &[SecretStoreKind::Env]);
        match &self.0 {
            Ok(_) => Capabilities { secret_stores: all, aws: Ok(()) },
            Err(reason) => Capabilities { secret_stores: own, aws: Err(reason) },
        }
    }
}

impl AwsServices for Aws {
    async fn perform(&self, id: &DispatchId, request: AwsRequest) -> Result<Output, RunError> {
        match &self.0 {
            Ok(services) => services.perform(id, request).await,
            Err(_) => NoAws.perform(id, request).await,
        }
    }
}

impl SecretStore for Aws {
    async fn fetch(&self, secret: &SecretRef) -> Result<Zeroizing<String>, RunError> {
        match &self.0 {
            Ok(services) => services.fetch(secret).await,
            Err(_) => NoSecretStore.fetch(secret).await,
        }
    }
}

#[cfg(feature = "aws")]
mod with {
    use carillon_aws::clients::Clients;
    use carillon_aws::secret_stores::AwsSecretStores;
    use carillon_aws::targets::AwsTargets;

    use super::{AwsRequest, AwsServices, DispatchId, Output, RunError, SecretRef, SecretStore, Zeroizing};

    /// What to do so that they can be reached.
    const UNSET: &str = "set AWS_REGION, AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY";

    /// The services.
    #[derive(Clone, Debug)]
    pub(super) struct Services {
        targets: AwsTargets,
        secret_stores: AwsSecretStores,
    }

    impl Services {
        pub(super) fn of(variable: impl Fn(&str) -> Option<String>) -> Result<Self, &'static str> {
            let clients = Clients::from_environment(variable).map_err(|_| UNSET)?;
            Ok(Self { targets: AwsTargets::new(&clients), secret_stores: AwsSecretStores::new(&clients) })
        }
    }

    impl AwsServices for Services {
        async fn perform(&self, id: &DispatchId, request: AwsRequest) -> Result<Output, RunError> {
            self.targets.perform(id, request).await
        }
    }

    impl SecretStore for Services {
        async fn fetch(&self, secret: &SecretRef) -> Result<Zeroizing<String>, RunError> {
            self.secret_stores.fetch(secret).await
        }
    }
}

#[cfg(not(feature = "aws"))]
mod without {
    use super::{AwsRequest, AwsServices, DispatchId, Output, RunError, SecretRef, SecretStore, Zeroizing};

    /// What to do so that they can be reached.
    const NOT_BUILT: &str = "build with --features aws";

    /// None: there is no such value.
    #[derive(Clone, Copy, Debug)]
    pub(super) enum Services {}

    impl Services {
        pub(super) fn of(_: impl Fn(&str) -> Option<String>) -> Result<Self, &'static str> {
            Err(NOT_BUILT)
        }
    }

    impl AwsServices for Services {
        async fn perform(&self, _: &DispatchId, _: AwsRequest) -> Result<Output, RunError> {
            match *self {}
        }
    }

    impl SecretStore for Services {
        async fn fetch(&self, _: &SecretRef) -> Result<Zeroizing<String>, RunError> {
            match *self {}
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
