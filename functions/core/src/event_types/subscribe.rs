//! `subscribe`: drains a topic into an event. Input: {max?}, 1 to 1000; the subscription's own otherwise, or 10.
//!
//! Only a topic of SQS can be drained. Each message is handed to the subscription's event, and deleted only after that has
//! succeeded; what fails stays in the topic, with those of its group that come after it in a FIFO queue, and comes back by the
//! queue's own rules. The event's `webhook-id` is the message's, so that a message that comes twice is recognised.
//!
//! The subscription's `input` may refer to a message by `$Message{body}`, `$Message{id}` and `$Message{attributes}{name}`. Without one an
//! action gets `{body}`, a function `{payload}`, a topic `{message}`, and anything else the message itself, in `{message}` if that is no
//! object. A body that is JSON is read as such.
//!
//! Result: `{received, handled}`. If a message's event fails, the others are handled all the same, and the run fails with the
//! first one's error.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::context::{AttemptContext, Halt};
use super::filled::Filled;
use super::kind::EventKind;
use super::limits::Limits;
use super::needs::Needs;
use super::resolved::ResolvedEvent;
use super::tries::Named;
use crate::annotation::{Source, fill, walk};
use crate::catalog::{Broker, BrokerProvider, Catalog, EventRef, SubscribeEvent, Subscription, Target};
use crate::error::Faults;
use crate::job::{Output, RunError, codes};
use crate::json::Field;
use crate::ports::{Clock, Ports, Targets};
use crate::progress::Checkpointing;
use crate::progress::PartPath;
use crate::request::{AwsRequest, Request};

/// Default number of messages to drain.
const DEFAULT_MAX: u32 = 10;
/// Maximum number of messages in one answer of SQS.
const MAX_AT_ONCE: u32 = 10;
/// Timeout of one call of the queue, ms.
const QUEUE_MS: u32 = 10_000;
/// Timeout of deleting a handled message, ms, also after the attempt's time is over.
const DELETION_MS: u32 = 3_000;
/// Messages are hidden for this long beyond the attempt, seconds, and for no longer than SQS allows.
const HIDDEN_MARGIN_SECONDS: i64 = 30;
const MAX_HIDDEN_SECONDS: i64 = 43_200;

impl<'c> EventKind<'c> for SubscribeEvent<'c> {
    const CHECKPOINTING: Checkpointing = Checkpointing::PerMessage;

    fn check(&self, _: Option<&str>, input: &Field<'_>) {
        let _ = Input::read(input);
    }

    fn needs(&self, env: &str, _: Option<&Value>) -> Result<Needs<'c>, String> {
        let it = self.subscription;
        queue_url(self.broker, it, env).map_err(|error| error.message)?;
        let own = it.input.clone().map(|input| Cow::Owned(Value::Object(input)));
        let handler = Needs::of_all(self.catalog, [(it.event_ref(), own)], env)?;
        Ok(Needs { aws: Some("Amazon SQS"), ..handler })
    }

    fn timeout_ms(&self, limits: &Limits) -> Option<u32> {
        Some(limits.max_timeout_ms)
    }

    async fn run<P: Ports, T: Targets>(
        &self,
        attempt: &AttemptContext<'_, P, T>,
        at: &PartPath,
        input: Filled<'_>,
    ) -> Result<Output, Halt> {
        let (subscription, input) = (self.subscription, input.read(Input::read)?);
        let queue_url = queue_url(self.broker, subscription, &attempt.job.spec.env)?;
        let max = input.max.or(subscription.max.map(|max| max.0)).unwrap_or(DEFAULT_MAX);
        let (mut received, mut handled, mut failure) = (0_u32, 0, None);
        let mut held_up = BTreeSet::new();
        while received < max {
            let left_ms = attempt.until.since(attempt.ports.clock().now());
            if received > 0 && left_ms < i64::from(QUEUE_MS) {
                break;
            }
            let hidden =
                (left_ms.div_euclid(1_000) + HIDDEN_MARGIN_SECONDS).clamp(HIDDEN_MARGIN_SECONDS, MAX_HIDDEN_SECONDS);
            let request = AwsRequest::ReceiveMessages {
                queue_url: queue_url.clone(),
                max: (max - received).min(MAX_AT_ONCE),
                hide_seconds: u32::try_from(hidden).unwrap_or_default(),
            };
            let answer = attempt.send(at, Request::Aws(request), QUEUE_MS).await?;
            let messages = answer.value["messages"].as_array().cloned().unwrap_or_default();
            if messages.is_empty() {
                break;
            }
            received += u32::try_from(messages.len()).unwrap_or(u32::MAX);
            for message in messages.iter().filter_map(Message::read) {
                // Behind one that failed the others of its group stay where they are.
                if message.group.as_ref().is_some_and(|group| held_up.contains(group)) {
                    continue;
                }
                match handle(attempt, at, (subscription, &queue_url), &message).await {
                    Ok(()) => handled += 1,
                    Err(Halt::Failed(error)) => {
                        failure = failure.or(Some(error));
                        held_up.extend(message.group);
                    }
                    Err(halt) => return Err(halt),
                }
            }
        }
        match failure {
            None => Ok(json!({"received": received, "handled": handled}).into()),
            Some(error) => {
                let failed = received - handled;
                let message =
                    format!("{failed} of {received} messages stay in the topic, the first for this: {}", error.message);
                Err(RunError { message, ..error }.into())
            }
        }
    }
}

/// The job's input.
struct Input {
    max: Option<u32>,
}

impl Input {
    fn read(field: &Field<'_>) -> Option<Self> {
        let mut object = field.object()?;
        let max = object.optional("max").map_or(Some(None), |field| field.integer(1..=1_000).map(Some));
        object.finish();
        Some(Self { max: max? })
    }
}

/// A message as it was received.
struct Message {
    id: String,
    receipt: String,
    /// The group of a FIFO queue, within which messages are in order.
    group: Option<String>,
    /// `{body, id, attributes}`.
    seen: Value,
}

impl Message {
    fn read(value: &Value) -> Option<Self> {
        let text = |name: &str| value.get(name)?.as_str().map(str::to_owned);
        let body = text("body")?;
        let body = serde_json::from_str(&body).unwrap_or(Value::String(body));
        let (id, receipt, group) = (text("id")?, text("receipt")?, text("group"));
        let attributes = value.get("attributes").cloned().unwrap_or_else(|| json!({}));
        Some(Self { seen: json!({"body": body, "id": id, "attributes": attributes}), id, receipt, group })
    }
}

impl Source for Message {
    fn mark(&self) -> &'static str {
        "$Message{"
    }

    fn find(&self, path: &[&str]) -> Result<&Value, String> {
        walk(&self.seen, path).ok_or_else(|| format!("the message has nothing under $Message{{{}}}", path.join("}{")))
    }
}

fn queue_url(broker: &Broker, subscription: &Subscription, env: &str) -> Result<url::Url, RunError> {
    let address = broker.topics.get(&subscription.topic).and_then(|topic| topic.envs.get(env)?.url.as_ref());
    let place = broker.envs.get(env).filter(|place| place.provider == BrokerProvider::Sqs);
    let gone = || RunError::permanent(codes::EVENT_NOT_FOUND, "the topic is no queue of SQS in this environment");
    place.and(address).map(|url| url.url().clone()).ok_or_else(gone)
}

/// Hands a message to its event, and deletes it.
async fn handle<P: Ports, T: Targets>(
    attempt: &AttemptContext<'_, P, T>,
    at: &PartPath,
    (subscription, queue_url): (&Subscription, &url::Url),
    message: &Message,
) -> Result<(), Halt> {
    let event = subscription.event_ref();
    let at = at.message(&message.id, event.event);
    let input = given(attempt.catalog, subscription, event, message)?;
    let wanted = Named { event, template: None, retries: 0, timeout_ms: None };
    attempt.apart(&at, &wanted, &input).await?;
    let (queue_url, receipt) = (queue_url.clone(), message.receipt.clone());
    let deletion = Request::Aws(AwsRequest::DeleteMessage { queue_url, receipt });
    attempt.conclude(&at, deletion, DELETION_MS).await?;
    Ok(())
}

/// The event's input.
fn given(
    catalog: &Catalog,
    subscription: &Subscription,
    event: EventRef<'_>,
    message: &Message,
) -> Result<Value, RunError> {
    if let Some(template) = &subscription.input {
        let (template, faults) = (Value::Object(template.clone()), RefCell::<Faults>::default());
        let filled = fill(&Field::root(&template, &faults), &[message]).map(Cow::into_owned);
        let missing =
            || RunError::permanent(codes::VALIDATION_ERROR, "the subscription refers to what the message has not");
        return filled.ok_or_else(missing);
    }
    let body = message.seen["body"].clone();
    Ok(match ResolvedEvent::find(catalog, event).map(|resolved| resolved.target) {
        Some(Target::Action(..)) => json!({"body": body}),
        Some(Target::Function(_)) => json!({"payload": body}),
        _ if body.is_object() && !matches!(catalog.resolve(event), Ok(Target::Publish(..))) => body,
        _ => json!({"message": body}),
    })
}
