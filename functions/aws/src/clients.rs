//! The clients of the AWS SDK.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_dynamodb::config::{
    BehaviorVersion, Region, StalledStreamProtectionConfig, retry::RetryConfig, timeout::TimeoutConfig,
};
use aws_types::SdkConfig;

/// Timeout for opening a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// One client for each service that both functions use. Clients share their connections and are cheap to clone.
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
    config: SdkConfig,
}

/// KMS.
pub type Kms = Lazy<aws_sdk_kms::Client>;

/// A service's client for each region, created on first use and kept. Most functions never use most services, and
/// should not start later because of them.
#[derive(Clone, Debug)]
pub struct Lazy<C> {
    config: SdkConfig,
    make: fn(&SdkConfig) -> C,
    /// By region; the configuration's own has no name.
    made: Arc<Mutex<HashMap<Option<String>, C>>>,
}

/// Number of clients that are kept. AWS has about forty regions.
const MAX_REGIONS: usize = 64;

impl<C: Clone> Lazy<C> {
    /// Creates clients of this configuration with `make`.
    pub fn new(config: &SdkConfig, make: fn(&SdkConfig) -> C) -> Self {
        Self { config: config.clone(), make, made: Arc::default() }
    }

    /// The client of the configuration's own region.
    pub(crate) fn client(&self) -> C {
        self.client_in(None)
    }

    /// The client of a region.
    pub(crate) fn client_in(&self, region: Option<&str>) -> C {
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        let region = region.map(str::to_owned);
        if let Some(client) = made.get(&region) {
            return client.clone();
        }
        if made.len() >= MAX_REGIONS {
            made.clear();
        }
        let config = region.clone().map(|region| self.config.to_builder().region(Region::new(region)).build());
        let client = (self.make)(config.as_ref().unwrap_or(&self.config));
        made.insert(region, client.clone());
        client
    }
}

/// A variable that the Lambda service should have set is missing.
#[derive(Debug, thiserror::Error)]
#[error("{0} is not set: not in a Lambda function")]
pub struct NotInLambda(&'static str);

impl Clients {
    /// Creates clients from a function's environment: region and credentials. The SDK's default provider chain would
    /// search files and ask the network first, on every cold start.
    ///
    /// # Errors
    ///
    /// [`NotInLambda`] names what is missing.
    pub fn from_environment(variable: impl Fn(&str) -> Option<String>) -> Result<Self, NotInLambda> {
        let optional = |name: &str| variable(name).filter(|value| !value.is_empty());
        let required = |name| optional(name).ok_or(NotInLambda(name));
        let credentials = Credentials::new(
            required("AWS_ACCESS_KEY_ID")?,
            required("AWS_SECRET_ACCESS_KEY")?,
            optional("AWS_SESSION_TOKEN"),
            None,
            "environment",
        );
        Ok(Self::new(credentials, required("AWS_REGION")?, optional("AWS_ENDPOINT_URL")))
    }

    /// Creates clients with given credentials. An endpoint stands for all services, as the emulator's does.
    pub fn new(credentials: Credentials, region: String, endpoint: Option<String>) -> Self {
        // The SDK sets no timeouts. Each of these calls takes milliseconds; one that takes seconds is lost, and is
        // better retried while the function still has time.
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(CONNECT_TIMEOUT)
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
            kms: Kms::new(&config, aws_sdk_kms::Client::new),
            config,
        }
    }

    /// The configuration of calls that take milliseconds: bookkeeping and secrets.
    pub(crate) fn brief(&self) -> &SdkConfig {
        &self.config
    }

    /// The configuration of calls on behalf of a job. The dispatch bounds their time, so they have no timeout here;
    /// they are tried once, because the job has its own retries. A function may be silent for minutes before it
    /// answers, so a stalled stream is no failure.
    pub(crate) fn patient(&self) -> SdkConfig {
        self.config
            .to_builder()
            .timeout_config(TimeoutConfig::builder().connect_timeout(CONNECT_TIMEOUT).build())
            .retry_config(RetryConfig::disabled())
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
            .build()
    }
}
