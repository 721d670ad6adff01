//! Requests to AWS services.

use serde_json::Value;
use url::Url;

use super::mail::Email;
use super::sql::Bound;

/// A call of an AWS service. A `region` is where the call goes if not to the deployment's own.
#[derive(Clone, Debug, PartialEq)]
pub enum AwsRequest {
    /// SQS SendMessage. Result: `{message_id, sequence_number?}`.
    SendMessage {
        /// The queue.
        queue_url: Url,
        /// The body.
        body: String,
        /// Attributes, as strings.
        attributes: Vec<(String, String)>,
        /// FIFO: the group. The deduplication id is the call's own.
        group: Option<String>,
    },
    /// SQS ReceiveMessage, at most `max` (1 to 10) of those that are there. Result: `{messages: [{id, receipt, group, body,
    /// attributes}]}`, where `group` is null but for a FIFO queue.
    ReceiveMessages {
        /// The queue.
        queue_url: Url,
        /// Maximum number of messages.
        max: u32,
        /// Visibility timeout, seconds.
        hide_seconds: u32,
    },
    /// SQS DeleteMessage. Result: null.
    DeleteMessage {
        /// The queue.
        queue_url: Url,
        /// The receipt handle.
        receipt: String,
    },
    /// SNS Publish to a topic. Result: `{message_id, sequence_number?}`.
    PublishToTopic {
        /// The topic.
        topic_arn: String,
        /// The message.
        message: String,
        /// Attributes, as strings.
        attributes: Vec<(String, String)>,
        /// The subject that e-mail subscribers see.
        subject: Option<String>,
        /// FIFO: the group. The deduplication id is the call's own.
        group: Option<String>,
    },
    /// SNS Publish to a telephone. Result: `{message_id}`.
    SendSms {
        /// The number, E.164.
        phone_number: String,
        /// The text.
        text: String,
        /// The sender's name or number.
        sender: Option<String>,
    },
    /// EventBridge PutEvents of one event. Result: `{event_id}`.
    PutEvent {
        /// The bus, by name or ARN; the account's default one otherwise.
        bus: Option<String>,
        /// The source.
        source: String,
        /// The detail type.
        detail_type: String,
        /// The event: a JSON object.
        detail: Value,
    },
    /// S3 PutObject with a SHA-256 checksum. Result: `{bucket, key, etag, size, content_type, checksum_sha256, version_id?}`.
    PutObject {
        /// The bucket.
        bucket: String,
        /// Its region.
        region: Option<String>,
        /// The object's key.
        key: String,
        /// Its media type.
        content_type: String,
        /// Its content.
        content: Vec<u8>,
    },
    /// SES v2 SendEmail. Result: `{message_id}`.
    SendEmail(Email),
    /// Lambda Invoke, which waits for the answer. Result: what the function returned.
    Invoke {
        /// The function.
        function_arn: String,
        /// The payload.
        payload: Value,
    },
    /// RDS Data API ExecuteStatement. Result: `{rows, row_count}`.
    ExecuteSql {
        /// The cluster.
        resource_arn: String,
        /// Its credentials.
        secret_arn: String,
        /// The database's name.
        database: Option<String>,
        /// The statement, with `:p1`, `:p2` and so on for the parameters.
        statement: String,
        /// The bound values.
        parameters: Vec<Bound>,
        /// Rows that the result keeps.
        max_rows: u32,
    },
    /// DynamoDB ExecuteStatement. Result: `{rows, row_count}`.
    ExecutePartiql {
        /// The region.
        region: Option<String>,
        /// The statement, with `?` for the parameters.
        statement: String,
        /// The bound values, in order.
        parameters: Vec<Bound>,
        /// Rows that the result keeps.
        max_rows: u32,
    },
}

impl AwsRequest {
    /// Puts this content into the request, if it takes one.
    #[must_use]
    pub fn with_content(self, given: Vec<u8>) -> Self {
        match self {
            Self::PutObject { bucket, region, key, content_type, .. } => {
                Self::PutObject { bucket, region, key, content_type, content: given }
            }
            other => other,
        }
    }
}
