//! What the batch asks of the queue.

use std::future::Future;

use carillon_aws::message::Message;
use carillon_aws::queue::Queue;
use carillon_core::job::RunError;
use carillon_core::ports::PortError;

/// The queue, as the batch sees it.
pub trait MessageQueue: Send + Sync + 'static {
    /// Sends a message that arrives after so many seconds.
    fn send(&self, message: &Message, delay_seconds: i64) -> impl Future<Output = Result<(), PortError>> + Send;
    /// Hides a received message for so many seconds more.
    fn defer(&self, receipt_handle: &str, seconds: i64) -> impl Future<Output = Result<(), PortError>> + Send;
    /// Lays a spent fire's message among the dead letters.
    fn dead_letter(&self, message: &Message, error: &RunError) -> impl Future<Output = Result<(), PortError>> + Send;
    /// Lays a body that is no message among the dead letters.
    fn dead_letter_unreadable(&self, body: &str) -> impl Future<Output = Result<(), PortError>> + Send;
}

impl MessageQueue for Queue {
    async fn send(&self, message: &Message, delay_seconds: i64) -> Result<(), PortError> {
        Self::send(self, message, delay_seconds).await
    }

    async fn defer(&self, receipt_handle: &str, seconds: i64) -> Result<(), PortError> {
        Self::defer(self, receipt_handle, seconds).await
    }

    async fn dead_letter(&self, message: &Message, error: &RunError) -> Result<(), PortError> {
        Self::dead_letter(self, message, error).await
    }

    async fn dead_letter_unreadable(&self, body: &str) -> Result<(), PortError> {
        Self::dead_letter_unreadable(self, body).await
    }
}
