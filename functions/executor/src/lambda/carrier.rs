//! What the batch asks of the queue.

use std::future::Future;

use carillon_aws::message::Message;
use carillon_aws::queue::Queue;
use carillon_core::job::RunError;
use carillon_core::ports::PortError;

/// The queue, as the batch sees it.
pub trait Carrier: Send + Sync + 'static {
    /// Sends a message that arrives after so many seconds.
    fn send(&self, message: &Message, delay_seconds: i64) -> impl Future<Output = Result<(), PortError>> + Send;
    /// Hides a received message for so many seconds more.
    fn hide(&self, receipt_handle: &str, seconds: i64) -> impl Future<Output = Result<(), PortError>> + Send;
    /// Lays a spent fire's message among the dead letters.
    fn park(&self, message: &Message, error: &RunError) -> impl Future<Output = Result<(), PortError>> + Send;
    /// Lays a body that is no message among the dead letters.
    fn park_unreadable(&self, body: &str) -> impl Future<Output = Result<(), PortError>> + Send;
}

impl Carrier for Queue {
    async fn send(&self, message: &Message, delay_seconds: i64) -> Result<(), PortError> {
        Self::send(self, message, delay_seconds).await
    }

    async fn hide(&self, receipt_handle: &str, seconds: i64) -> Result<(), PortError> {
        Self::hide(self, receipt_handle, seconds).await
    }

    async fn park(&self, message: &Message, error: &RunError) -> Result<(), PortError> {
        Self::park(self, message, error).await
    }

    async fn park_unreadable(&self, body: &str) -> Result<(), PortError> {
        Self::park_unreadable(self, body).await
    }
}
