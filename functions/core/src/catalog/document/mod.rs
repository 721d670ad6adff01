//! The document's shape, for every type of event. What differs by environment stands under `envs`, keyed by its slug.

mod apps;
mod auth;
mod brokers;
mod composites;
mod notifications;
mod sessions;
mod stores;

pub use apps::*;
pub use auth::*;
pub use brokers::*;
pub use composites::*;
pub use notifications::*;
pub use sessions::*;
pub use stores::*;

use super::tag::{Tag, Tagged};
use crate::json::document;

document! {
    /// A product's catalog: its environments, and by tag everything that its jobs can name.
    struct Catalog {
        /// The product's environments, such as `dev` and `prd`; at least one.
        envs: Vec<Tag>,
        /// Session definitions.
        sessions: Tagged<Session>,
        /// Result caches.
        caches: Tagged<Cache>,
        /// HTTP apps with their actions.
        apps: Tagged<App>,
        /// Notifications with their messages.
        notifications: Tagged<Notification>,
        /// Databases with their statements.
        databases: Tagged<Database>,
        /// Object storages.
        storages: Tagged<Storage>,
        /// Message brokers with their topics and subscriptions.
        brokers: Tagged<Broker>,
        /// Cloud functions.
        functions: Tagged<Function>,
        /// Named events with defaults.
        jobs: Tagged<JobDefinition>,
        /// Counters with limits.
        quotas: Tagged<Quota>,
        /// Options to try in order.
        fallbacks: Tagged<Fallback>,
        /// Sequences of steps.
        features: Tagged<Feature>,
    }
}
