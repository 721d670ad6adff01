//! `publish`: a message to a topic. Input: {message, attributes?, group?, subject?}; the message is any JSON value.
//!
//! | provider | what is sent | result |
//! | --- | --- | --- |
//! | http | the message as the body of a POST | as with an action |
//! | sqs | the message, a text as it is and anything else as JSON | `{message_id, sequence_number?}` |
//! | sns | the same; `subject` is what e-mail subscribers see | `{message_id, sequence_number?}` |
//! | eventbridge | an event whose detail is the message, which has to be an object | `{event_id}` |
//!
//! `attributes` are texts by name: message attributes of SQS and SNS, at most ten. `group` orders messages of a FIFO queue or
//! topic, and is required there; a repetition of the same fire is recognised by its deduplication id.

use serde_json::Value;

use super::kind::{EventKind, in_env};
use super::limits::Limits;
use super::needs::Needs;
use crate::catalog::{BrokerEnv, BrokerProvider, PublishEvent, Topic, TopicEnv};
use crate::error::FieldCode;
use crate::json::{Field, every};
use crate::request::{AwsRequest, HttpRequest, Request};

/// Maximum number of attributes in SQS, and in SNS with raw delivery.
const MAX_ATTRIBUTES: usize = 10;
/// SQS, SNS and EventBridge take messages of this size.
const MAX_BYTES: usize = 256 * 1024;

impl<'c> PublishEvent<'c> {
    /// The address of the broker and the topic in an environment.
    fn place(&self, env: &str) -> Option<(&'c BrokerEnv, &'c TopicEnv)> {
        self.broker.envs.get(env).zip(self.topic.envs.get(env))
    }
}

impl<'c> EventKind<'c> for PublishEvent<'c> {
    fn check(&self, env: Option<&str>, input: &Field<'_>) {
        let place = env.and_then(|env| self.place(env));
        drop(place.and_then(|(place, address)| Input::read(place, address, input)));
    }

    fn needs(&self, env: &str, _: Option<&Value>) -> Result<Needs<'c>, String> {
        in_env(self.broker.envs.get(env), env).map(needs)
    }

    fn timeout_ms(&self, _: &Limits) -> Option<u32> {
        self.topic.timeout.map(|timeout| timeout.0)
    }

    fn request(&self, env: &str, input: &Field<'_>) -> Option<Request> {
        let (place, address) = self.place(env)?;
        request(place, self.topic, address, Input::read(place, address, input)?)
    }
}

/// The job's input.
struct Input<'a> {
    message: &'a Value,
    attributes: Vec<(String, String)>,
    group: Option<String>,
    subject: Option<String>,
}

impl<'a> Input<'a> {
    /// Reads it against the topic as it is addressed in an environment.
    fn read(place: &BrokerEnv, address: &TopicEnv, field: &Field<'a>) -> Option<Self> {
        let mut object = field.object()?;
        let message = object.required("message").and_then(|field| message(place.provider, &field));
        let takes_attributes = matches!(place.provider, BrokerProvider::Sqs | BrokerProvider::Sns);
        let attributes = match object.optional("attributes") {
            Some(field) if takes_attributes => attributes(&field),
            Some(field) => foreign(&field, "the broker's provider has no message attributes"),
            None => Some(Vec::new()),
        };
        let is_fifo = is_fifo(place.provider, address);
        let group = match object.optional("group") {
            Some(field) if is_fifo => field.text(1..=128).map(Some),
            Some(field) => foreign(&field, "only a FIFO queue or topic has groups"),
            None if is_fifo => {
                object.fault_at("group", FieldCode::Required, "is required: the topic is FIFO");
                None
            }
            None => Some(None),
        };
        let subject = match object.optional("subject") {
            Some(field) if place.provider == BrokerProvider::Sns => field.text(1..=100).map(Some),
            Some(field) => foreign(&field, "only SNS has subjects"),
            None => Some(None),
        };
        object.finish();
        Some(Self { message: message?, attributes: attributes?, group: group?, subject: subject? })
    }
}

fn foreign<T>(field: &Field<'_>, why: &str) -> Option<T> {
    field.fault(FieldCode::UnknownField, why);
    None
}

fn message<'a>(provider: BrokerProvider, field: &Field<'a>) -> Option<&'a Value> {
    let message = field.value();
    if provider == BrokerProvider::Http {
        return Some(message);
    }
    if provider == BrokerProvider::Eventbridge {
        field.entries()?;
    }
    let size = text(message).len();
    if !(1..=MAX_BYTES).contains(&size) {
        field.fault(FieldCode::OutOfRange, format!("must have 1 to {MAX_BYTES} bytes, has {size}"));
        return None;
    }
    Some(message)
}

fn attributes(field: &Field<'_>) -> Option<Vec<(String, String)>> {
    let given = field.entries()?;
    if given.len() > MAX_ATTRIBUTES {
        field.fault(FieldCode::OutOfRange, format!("must be at most {MAX_ATTRIBUTES}"));
        return None;
    }
    every(given.iter().map(|(name, value)| {
        let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte);
        if name.is_empty() || name.len() > 256 || !name.bytes().all(is_name) {
            value.fault(FieldCode::Malformed, "an attribute's name has letters, digits, _, - and . only");
            return None;
        }
        Some(((*name).to_owned(), value.text(1..=MAX_BYTES)?))
    }))
}

fn is_fifo(provider: BrokerProvider, address: &TopicEnv) -> bool {
    let name = match provider {
        BrokerProvider::Sqs => address.url.as_ref().map(|url| url.url().path()),
        BrokerProvider::Sns => address.arn.as_ref().map(|arn| arn.0.as_str()),
        BrokerProvider::Eventbridge | BrokerProvider::Http => None,
    };
    name.is_some_and(|name| name.rsplit_once('.').is_some_and(|(_, kind)| kind == "fifo"))
}

/// The needs of publishing.
fn needs(place: &BrokerEnv) -> Needs<'_> {
    match place.provider {
        BrokerProvider::Http => Needs::http(place.auth.as_ref(), &place.signing_secrets),
        BrokerProvider::Sqs => Needs::aws("Amazon SQS"),
        BrokerProvider::Sns => Needs::aws("Amazon SNS"),
        BrokerProvider::Eventbridge => Needs::aws("Amazon EventBridge"),
    }
}

fn request(place: &BrokerEnv, topic: &Topic, address: &TopicEnv, input: Input<'_>) -> Option<Request> {
    let Input { message, attributes, group, subject } = input;
    Some(match place.provider {
        BrokerProvider::Http => {
            let request = HttpRequest::post_json(address.url.as_ref()?.url(), &place.headers.0, message);
            let (auth, signing_secrets) = (place.auth.clone(), place.signing_secrets.clone());
            Request::http_of(HttpRequest { auth, signing_secrets, ..request })
        }
        BrokerProvider::Sqs => {
            let queue_url = address.url.as_ref()?.url().clone();
            Request::Aws(AwsRequest::SendMessage { queue_url, body: text(message), attributes, group })
        }
        BrokerProvider::Sns => {
            let topic_arn = address.arn.as_ref()?.0.clone();
            Request::Aws(AwsRequest::PublishToTopic { topic_arn, message: text(message), attributes, subject, group })
        }
        BrokerProvider::Eventbridge => Request::Aws(AwsRequest::PutEvent {
            bus: place.bus.clone(),
            source: place.source.clone().unwrap_or_else(|| "carillon".to_owned()),
            detail_type: topic.detail_type.clone()?,
            detail: message.clone(),
        }),
    })
}

/// A text as it is, anything else as JSON.
fn text(message: &Value) -> String {
    message.as_str().map_or_else(|| message.to_string(), str::to_owned)
}
