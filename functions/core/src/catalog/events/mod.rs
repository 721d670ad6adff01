//! The events of a catalog: for each type, the parts of the document that one consists of.

mod action;
mod composites;
mod database_action;
mod function;
mod notification;
mod publish;
mod quota;
mod storage;
mod subscribe;

pub use action::ActionEvent;
pub use composites::{FallbackEvent, FeatureEvent, JobEvent};
pub use database_action::DatabaseActionEvent;
pub use function::FunctionEvent;
pub use notification::NotificationEvent;
pub use publish::PublishEvent;
pub use quota::QuotaEvent;
pub use storage::StorageEvent;
pub use subscribe::SubscribeEvent;
