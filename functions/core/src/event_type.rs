//! The registry of event types.
//!
//! [`for_each_event_type`] has one line for each type: its name, its word, and its event as a catalog defines it. Everything
//! that has to know every type is made of this list, so the compiler asks a new one for all of it:
//! - [`EventType`] and its words, here;
//! - [`Target`](crate::catalog::Target), made of the events: how a tag finds one and where it is defined (`CatalogEvent`);
//! - how an event is checked and run (`EventKind`), in [`crate::event_types`].

use crate::words::words;

/// Hands the event types to a macro, after arguments of its own.
macro_rules! for_each_event_type {
    ($use:ident $($arguments:tt)*) => {
        $use! {
            [$($arguments)*]
            /// An HTTP request of an app.
            Action = "action": ActionEvent,
            /// A sequence of steps.
            Feature = "feature": FeatureEvent,
            /// Push, e-mail, SMS or callback.
            Notification = "notification": NotificationEvent,
            /// A database statement.
            DatabaseAction = "database_action": DatabaseActionEvent,
            /// A named event with defaults.
            Job = "job": JobEvent,
            /// A file to store.
            Storage = "storage": StorageEvent,
            /// A message to a topic.
            Publish = "publish": PublishEvent,
            /// A topic to drain into a handler.
            Subscribe = "subscribe": SubscribeEvent,
            /// A counter with a limit.
            Quota = "quota": QuotaEvent,
            /// Options to try in order.
            Fallback = "fallback": FallbackEvent,
            /// A cloud function.
            Function = "function": FunctionEvent,
        }
    };
}

pub(crate) use for_each_event_type;

macro_rules! define {
    ([] $($(#[$meta:meta])* $variant:ident = $word:literal: $event:ident,)*) => {
        words! {
            /// The contract's job event types, and `function` for its IFunctionRequest.
            enum EventType { $($(#[$meta])* $variant = $word,)* }
        }
    };
}

for_each_event_type!(define);
