//! Message brokers with their topics and subscriptions.

use serde_json::{Map, Value};

use super::auth::{Auth, SigningSecrets};
use crate::catalog::headers::Headers;
use crate::catalog::leaf::{Arn, HttpUrl, MaxMessages, TimeoutMs};
use crate::catalog::tag::{PerEnv, Tag, Tagged};
use crate::event_type::EventType;
use crate::json::document;
use crate::words::words;

document! {
    /// A message broker.
    struct Broker {
        /// The provider, by environment.
        envs: PerEnv<BrokerEnv>,
        /// Its topics.
        topics: Tagged<Topic>,
        /// Handlers of topics.
        subscriptions: Tagged<Subscription>,
    }

    /// The provider of a broker in one environment.
    struct BrokerEnv {
        /// The provider.
        provider: BrokerProvider,
        /// EventBridge: the bus, by name or ARN.
        bus: Option<String>,
        /// EventBridge: the events' source; default `carillon`.
        source: Option<String>,
        /// HTTP: the authorisation of requests.
        auth: Option<Auth>,
        /// HTTP: headers of every request.
        headers: Headers,
        /// HTTP: `whsec_` secrets that sign requests.
        signing_secrets: SigningSecrets,
    }

    /// A topic.
    struct Topic {
        /// Its address, by environment.
        envs: PerEnv<TopicEnv>,
        /// EventBridge: the detail type.
        detail_type: Option<String>,
        /// Bound on one attempt.
        timeout: Option<TimeoutMs>,
    }

    /// A topic's address: `arn` with SNS, `url` with SQS and HTTP, nothing with EventBridge.
    struct TopicEnv {
        /// The topic's ARN.
        arn: Option<Arn>,
        /// The queue's or endpoint's URL.
        url: Option<HttpUrl>,
    }

    /// The handler of a topic's messages.
    struct Subscription {
        /// The topic's tag in the same broker.
        topic: Tag,
        /// The event that receives each message.
        event: String,
        /// The event's type, where the tag alone is ambiguous.
        event_type as "type": Option<EventType>,
        /// The event's app.
        app: Option<Tag>,
        /// The event's input, with `$Message{body}`, `$Message{id}` and `$Message{attributes}` annotations; default
        /// by the event's type.
        input: Option<Map<String, Value>>,
        /// Messages drained in one run; default 10.
        max: Option<MaxMessages>,
    }
}

words! {
    /// A message provider.
    enum BrokerProvider {
        /// Amazon SQS.
        Sqs = "sqs",
        /// Amazon SNS.
        Sns = "sns",
        /// Amazon EventBridge.
        Eventbridge = "eventbridge",
        /// An HTTP endpoint.
        Http = "http",
    }
}
