//! The SDK's clients.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_dynamodb::config::{BehaviorVersion, Region, retry::RetryConfig, timeout::TimeoutConfig};
use aws_types::SdkConfig;

/// One client of each service that both functions use. Clients share their connections and clone cheaply.
#[derive(Clone, Debug)]
pub struct Clients {
    /// DynamoDB.
    pub dynamodb: aws_sdk_dynamodb::Client,
    /// SQS.
    pub sqs: aws_sdk_sqs::Client,
    /// EventBridge Scheduler.
    pub scheduler: aws_sdk_scheduler::Client,
    /// KMS.
    pub kms: Kms,
}

/// KMS, whose client is made when it is asked for: most functions never meet a session, and should not start later for it.
#[derive(Clone, Debug)]
pub struct Kms {
    config: SdkConfig,
    client: Arc<OnceLock<aws_sdk_kms::Client>>,
}

impl Kms {
    /// KMS by this configuration.
    pub fn new(config: SdkConfig) -> Self {
        Self { config, client: Arc::default() }
    }

    /// The client.
    pub(crate) fn client(&self) -> &aws_sdk_kms::Client {
        self.client.get_or_init(|| aws_sdk_kms::Client::new(&self.config))
    }
}

/// A variable that the Lambda service sets, and did not.
#[derive(Debug, thiserror::Error)]
#[error("{0} is not set: not in a Lambda function")]
pub struct NotInLambda(&'static str);

impl Clients {
    /// Clients with what the Lambda service puts into a function's environment: region and credentials. The SDK's own
    /// chain of providers would look in files and ask the network first, on every cold start.
    ///
    /// # Errors
    /// [`NotInLambda`] names what is missing.
    pub fn from_environment(variable: impl Fn(&str) -> Option<String>) -> Result<Self, NotInLambda> {
        let required = |name| variable(name).filter(|value| !value.is_empty()).ok_or(NotInLambda(name));
        let credentials = Credentials::new(
            required("AWS_ACCESS_KEY_ID")?,
            required("AWS_SECRET_ACCESS_KEY")?,
            variable("AWS_SESSION_TOKEN").filter(|token| !token.is_empty()),
            None,
            "environment",
        );
        Ok(Self::new(credentials, required("AWS_REGION")?, variable("AWS_ENDPOINT_URL")))
    }

    /// Clients with given credentials; an endpoint stands for all services, as the emulator's does.
    pub fn new(credentials: Credentials, region: String, endpoint: Option<String>) -> Self {
        // The SDK sets no timeouts of its own. Each of these calls takes milliseconds; what takes seconds is lost, and is
        // better tried again while the function still has time.
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(Duration::from_secs(2))
            .operation_attempt_timeout(Duration::from_secs(3))
            .operation_timeout(Duration::from_secs(9))
            .build();
        let mut config = SdkConfig::builder()
            .behavior_version(BehaviorVersion::v2026_01_12())
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .region(Region::new(region))
            .retry_config(RetryConfig::standard().with_max_attempts(3).with_initial_backoff(Duration::from_millis(50)))
            .timeout_config(timeouts);
        config.set_endpoint_url(endpoint);
        let config = config.build();
        Self {
            dynamodb: aws_sdk_dynamodb::Client::new(&config),
            sqs: aws_sdk_sqs::Client::new(&config),
            scheduler: aws_sdk_scheduler::Client::new(&config),
            kms: Kms::new(config),
        }
    }
}
