//! SQS: sending, receiving and deleting messages.

use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::{Message, MessageAttributeValue, MessageSystemAttributeName};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use carillon_core::job::{Output, RunError};
use serde_json::{Map, Value, json};
use url::Url;

use super::fault::fault;
use super::{incomplete, small};

const SERVICE: &str = "Amazon SQS";

/// Time that SQS waits for messages, seconds. With 0 it asks only some of its servers, and may miss messages.
const LOOK_SECONDS: i32 = 1;

/// Sends a message; `order` has the group and the deduplication id of a FIFO queue.
pub(super) async fn send(
    client: &Client,
    queue_url: Url,
    body: String,
    attributes: Vec<(String, String)>,
    order: Option<(String, String)>,
) -> Result<Output, RunError> {
    let mut request = client.send_message().queue_url(queue_url).message_body(body);
    for (name, value) in attributes {
        let value = MessageAttributeValue::builder().data_type("String").string_value(value).build();
        request = request.message_attributes(name, value.map_err(|_| incomplete(SERVICE))?);
    }
    let (group, deduplication_id) = order.unzip();
    let request = request.set_message_group_id(group).set_message_deduplication_id(deduplication_id);
    let sent = request.send().await.map_err(|error| fault(SERVICE, &error))?;
    Ok(small(receipt(&sent.message_id.ok_or_else(|| incomplete(SERVICE))?, sent.sequence_number)))
}

/// `{message_id, sequence_number?}`.
pub(super) fn receipt(message_id: &str, sequence_number: Option<String>) -> Value {
    let mut receipt = json!({"message_id": message_id});
    if let Some(number) = sequence_number {
        receipt["sequence_number"] = number.into();
    }
    receipt
}

/// Receives messages. The result is for the subscription's handler and is not cut: a dropped message would stay
/// hidden for its visibility timeout.
pub(super) async fn receive(client: &Client, queue_url: Url, max: u32, hide_seconds: u32) -> Result<Output, RunError> {
    let request = client
        .receive_message()
        .queue_url(queue_url)
        .message_attribute_names("All")
        .message_system_attribute_names(MessageSystemAttributeName::MessageGroupId);
    let request = request
        .max_number_of_messages(i32::try_from(max.clamp(1, 10)).unwrap_or(10))
        .visibility_timeout(i32::try_from(hide_seconds).unwrap_or(i32::MAX))
        .wait_time_seconds(LOOK_SECONDS);
    let received = request.send().await.map_err(|error| fault(SERVICE, &error))?;
    let messages: Option<Vec<Value>> = received.messages.unwrap_or_default().into_iter().map(message).collect();
    Ok(small(json!({"messages": messages.ok_or_else(|| incomplete(SERVICE))?})))
}

fn message(message: Message) -> Option<Value> {
    let attributes = message.message_attributes.unwrap_or_default().into_iter();
    let attributes: Map<String, Value> = attributes.map(|(name, value)| (name, attribute(value).into())).collect();
    let group = message.attributes.and_then(|mut own| own.remove(&MessageSystemAttributeName::MessageGroupId));
    Some(json!({
        "id": message.message_id?,
        "receipt": message.receipt_handle?,
        "group": group,
        "body": message.body.unwrap_or_default(),
        "attributes": attributes,
    }))
}

/// An attribute as text: bytes in base64.
fn attribute(value: MessageAttributeValue) -> String {
    let bytes = value.binary_value.map(|bytes| STANDARD.encode(bytes));
    value.string_value.or(bytes).unwrap_or_default()
}

/// Deletes a received message.
pub(super) async fn delete(client: &Client, queue_url: Url, receipt: String) -> Result<Output, RunError> {
    let request = client.delete_message().queue_url(queue_url).receipt_handle(receipt);
    request.send().await.map_err(|error| fault(SERVICE, &error))?;
    Ok(small(Value::Null))
}
