//! SNS: messages to topics and telephones.

use aws_sdk_sns::Client;
use aws_sdk_sns::types::MessageAttributeValue;
use carillon_core::job::{Output, RunError};

use super::fault::fault;
use super::sqs::receipt;
use super::{incomplete, small};

const SERVICE: &str = "Amazon SNS";

/// Publishes to a topic; `order` has the group and the deduplication id of a FIFO topic.
pub(super) async fn publish(
    client: &Client,
    topic_arn: String,
    message: String,
    attributes: Vec<(String, String)>,
    subject: Option<String>,
    order: Option<(String, String)>,
) -> Result<Output, RunError> {
    let mut request = client.publish().topic_arn(topic_arn).message(message).set_subject(subject);
    for (name, value) in attributes {
        request = request.message_attributes(name, text(value)?);
    }
    let (group, deduplication_id) = order.unzip();
    let request = request.set_message_group_id(group).set_message_deduplication_id(deduplication_id);
    let sent = request.send().await.map_err(|error| fault(SERVICE, &error))?;
    Ok(small(receipt(&sent.message_id.ok_or_else(|| incomplete(SERVICE))?, sent.sequence_number)))
}

/// Sends a text message. A numeric sender is a number of the account, any other a displayed name.
pub(super) async fn send_sms(
    client: &Client,
    phone_number: String,
    message: String,
    sender: Option<String>,
) -> Result<Output, RunError> {
    let mut request = client.publish().phone_number(phone_number).message(message);
    if let Some(sender) = sender {
        let is_number = sender.trim_start_matches('+').bytes().all(|byte| byte.is_ascii_digit());
        let name = if is_number { "AWS.MM.SMS.OriginationNumber" } else { "AWS.SNS.SMS.SenderID" };
        request = request.message_attributes(name, text(sender)?);
    }
    let sent = request.send().await.map_err(|error| fault(SERVICE, &error))?;
    Ok(small(receipt(&sent.message_id.ok_or_else(|| incomplete(SERVICE))?, None)))
}

fn text(value: String) -> Result<MessageAttributeValue, RunError> {
    let value = MessageAttributeValue::builder().data_type("String").string_value(value).build();
    value.map_err(|_| incomplete(SERVICE))
}
