//! Calls AWS services on behalf of a job: one module for each service, with its requests and results.
//!
//! A call goes to the region in the request, its ARN or its queue's address, otherwise to the deployment's own. It is
//! tried once, within the job's timeout.
//!
//! | call | how a repetition is recognised |
//! | --- | --- |
//! | SQS SendMessage, SNS Publish | FIFO: by the deduplication id, for five minutes. Otherwise not at all |
//! | S3 PutObject | it writes the same object again |
//! | SQS DeleteMessage | a deleted message stays deleted |
//! | SES SendEmail, SNS to a telephone, EventBridge PutEvents, Lambda Invoke, RDS Data API and DynamoDB ExecuteStatement | not at all: these accept no token for it |

mod dynamodb;
mod eventbridge;
pub(crate) mod fault;
mod lambda;
mod rds_data;
mod rows;
mod s3;
mod ses;
mod sns;
mod sqs;
#[cfg(test)]
mod tests;

use aws_types::SdkConfig;
use carillon_core::hash::sha256_hex;
use carillon_core::job::{Output, RunError, codes};
use carillon_core::ports::AwsServices;
use carillon_core::request::{AwsRequest, DispatchId};
use serde_json::Value;

use crate::clients::{Clients, Lazy};

/// The longest deduplication id of SQS and SNS.
const MAX_DEDUPLICATION_ID: usize = 128;

/// The services that a job can reach. Each client is created on first use.
#[derive(Clone, Debug)]
pub struct AwsTargets {
    dynamodb: Lazy<aws_sdk_dynamodb::Client>,
    eventbridge: Lazy<aws_sdk_eventbridge::Client>,
    lambda: Lazy<aws_sdk_lambda::Client>,
    rds_data: Lazy<aws_sdk_rdsdata::Client>,
    s3: Lazy<aws_sdk_s3::Client>,
    ses: Lazy<aws_sdk_sesv2::Client>,
    sns: Lazy<aws_sdk_sns::Client>,
    sqs: Lazy<aws_sdk_sqs::Client>,
}

impl AwsTargets {
    /// Creates the services with the credentials of these clients.
    pub fn new(clients: &Clients) -> Self {
        Self::of(&clients.patient())
    }

    fn of(config: &SdkConfig) -> Self {
        Self {
            dynamodb: Lazy::new(config, aws_sdk_dynamodb::Client::new),
            eventbridge: Lazy::new(config, aws_sdk_eventbridge::Client::new),
            lambda: Lazy::new(config, aws_sdk_lambda::Client::new),
            rds_data: Lazy::new(config, aws_sdk_rdsdata::Client::new),
            s3: Lazy::new(config, s3::client),
            ses: Lazy::new(config, aws_sdk_sesv2::Client::new),
            sns: Lazy::new(config, aws_sdk_sns::Client::new),
            sqs: Lazy::new(config, aws_sdk_sqs::Client::new),
        }
    }
}

impl AwsServices for AwsTargets {
    async fn perform(&self, id: &DispatchId, request: AwsRequest) -> Result<Output, RunError> {
        match request {
            AwsRequest::SendMessage { queue_url, body, attributes, group } => {
                let client = self.sqs.client_in(region_of_queue(&queue_url));
                sqs::send(&client, queue_url, body, attributes, group.map(|group| (group, deduplication_id(id)))).await
            }
            AwsRequest::ReceiveMessages { queue_url, max, hide_seconds } => {
                sqs::receive(&self.sqs.client_in(region_of_queue(&queue_url)), queue_url, max, hide_seconds).await
            }
            AwsRequest::DeleteMessage { queue_url, receipt } => {
                sqs::delete(&self.sqs.client_in(region_of_queue(&queue_url)), queue_url, receipt).await
            }
            AwsRequest::PublishToTopic { topic_arn, message, attributes, subject, group } => {
                let client = self.sns.client_in(region_of_arn(&topic_arn));
                let order = group.map(|group| (group, deduplication_id(id)));
                sns::publish(&client, topic_arn, message, attributes, subject, order).await
            }
            AwsRequest::SendSms { phone_number, text, sender } => {
                sns::send_sms(&self.sns.client(), phone_number, text, sender).await
            }
            AwsRequest::PutEvent { bus, source, detail_type, detail } => {
                let client = self.eventbridge.client_in(bus.as_deref().and_then(region_of_arn));
                eventbridge::put(&client, bus, source, detail_type, &detail).await
            }
            AwsRequest::PutObject { bucket, region, key, content_type, content } => {
                let client = self.s3.client_in(named(region.as_deref())?);
                s3::put(&client, bucket, key, content_type, content).await
            }
            AwsRequest::SendEmail(email) => ses::send(&self.ses.client(), email).await,
            AwsRequest::Invoke { function_arn, payload } => {
                lambda::invoke(&self.lambda.client_in(region_of_arn(&function_arn)), function_arn, &payload).await
            }
            AwsRequest::ExecuteSql { resource_arn, secret_arn, database, statement, parameters, max_rows } => {
                let client = self.rds_data.client_in(region_of_arn(&resource_arn));
                let place = rds_data::DatabaseArns { resource_arn, secret_arn, database };
                rds_data::execute(&client, place, statement, parameters, max_rows).await
            }
            AwsRequest::ExecutePartiql { region, statement, parameters, max_rows } => {
                let client = self.dynamodb.client_in(named(region.as_deref())?);
                dynamodb::execute(&client, &statement, parameters, max_rows).await
            }
        }
    }
}

/// The deduplication id for a FIFO queue or topic: the dispatch's text, or its SHA-256 if that is too long or has
/// characters that the services reject.
fn deduplication_id(id: &DispatchId) -> String {
    let text = id.to_string();
    let fits = text.len() <= MAX_DEDUPLICATION_ID && text.bytes().all(|byte| byte.is_ascii_graphic());
    if fits { text } else { sha256_hex(text) }
}

/// True if a text has the form of a region's name. It becomes part of the host that receives the credentials.
fn is_region(text: &str) -> bool {
    (1..=32).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
}

/// The region in a request.
fn named(region: Option<&str>) -> Result<Option<&str>, RunError> {
    if region.is_none_or(is_region) {
        return Ok(region);
    }
    Err(RunError::permanent(codes::VALIDATION_ERROR, "the region is no name of one, such as eu-west-1"))
}

/// The region in `arn:partition:service:region:account:resource`.
pub(crate) fn region_of_arn(arn: &str) -> Option<&str> {
    arn.strip_prefix("arn:")?.split(':').nth(2).filter(|region| is_region(region))
}

/// The region in `https://sqs.region.amazonaws.com/account/name`.
fn region_of_queue(url: &url::Url) -> Option<&str> {
    let (region, rest) = url.host_str()?.strip_prefix("sqs.")?.split_once('.')?;
    (rest.starts_with("amazonaws.com") && is_region(region)).then_some(region)
}

/// A small result.
fn small(value: Value) -> Output {
    Output { value, truncated: false }
}

/// The error for an answer that lacks a required part.
fn incomplete(service: &str) -> RunError {
    RunError::transient(codes::SERVICE_UNAVAILABLE, format!("{service} answered without what it was asked for"))
}
