//! The SQS queue of due fires, and its dead letters.

use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::MessageAttributeValue;
use carillon_core::job::RunError;
use carillon_core::ports::{DeadLetters, MAX_DELAY_SECONDS, Message, MessageQueue, PortError, Redriven};

use crate::fault::classify;
use crate::settings::Settings;

/// The longest that SQS hides a message, seconds.
pub const MAX_HIDING_SECONDS: i64 = 43_200;

/// The queue.
#[derive(Clone, Debug)]
pub struct Queue {
    client: Client,
    url: String,
    arn: String,
    dead_letters_url: String,
    dead_letters_arn: String,
}

impl Queue {
    /// The queue and its dead letters.
    pub fn new(client: Client, settings: &Settings) -> Self {
        Self {
            client,
            url: settings.queue_url.clone(),
            arn: settings.queue_arn.clone(),
            dead_letters_url: settings.dead_letter_queue_url.clone(),
            dead_letters_arn: settings.dead_letter_queue_arn.clone(),
        }
    }

    async fn lay_aside(&self, body: &str, reason: &str, detail: &str) -> Result<(), PortError> {
        let attribute = |value: &str| {
            // An attribute's value may not be empty, nor hold what XML cannot; an error's message may be anything.
            let fits = |character: &char| !character.is_control() && !matches!(character, '\u{fffe}' | '\u{ffff}');
            let value: String = value.chars().filter(fits).take(256).collect();
            let value = if value.is_empty() { "-".to_owned() } else { value };
            let built = MessageAttributeValue::builder().data_type("String").string_value(value).build();
            built.map_err(|error| PortError::Permanent(error.into()))
        };
        self.client
            .send_message()
            .queue_url(&self.dead_letters_url)
            .message_body(body)
            .message_attributes("reason", attribute(reason)?)
            .message_attributes("detail", attribute(detail)?)
            .send()
            .await
            .map_err(classify)?;
        Ok(())
    }

    async fn is_moving_dead_letters(&self) -> Result<bool, PortError> {
        let request = self.client.list_message_move_tasks().source_arn(&self.dead_letters_arn);
        let tasks = request.max_results(1).send().await.map_err(classify)?;
        // The latest task comes first.
        Ok(tasks.results().first().is_some_and(|task| task.status() == Some("RUNNING")))
    }
}

impl MessageQueue for Queue {
    async fn send(&self, message: &Message, delay_seconds: i64) -> Result<(), PortError> {
        let delay = i32::try_from(delay_seconds.clamp(0, MAX_DELAY_SECONDS)).unwrap_or(0);
        let request = self.client.send_message().queue_url(&self.url).message_body(message.to_string());
        request.delay_seconds(delay).send().await.map_err(classify)?;
        Ok(())
    }

    async fn defer(&self, receipt_handle: &str, seconds: i64) -> Result<(), PortError> {
        let timeout = i32::try_from(seconds.clamp(0, MAX_HIDING_SECONDS)).unwrap_or(0);
        let request = self.client.change_message_visibility().queue_url(&self.url).receipt_handle(receipt_handle);
        request.visibility_timeout(timeout).send().await.map_err(classify)?;
        Ok(())
    }

    async fn dead_letter(&self, message: &Message, error: &RunError) -> Result<(), PortError> {
        let dead_lettered = Message { dead_lettered: true, ..message.clone() };
        self.lay_aside(&dead_lettered.to_string(), &error.code, &error.message).await
    }

    async fn dead_letter_unreadable(&self, body: &str) -> Result<(), PortError> {
        self.lay_aside(body, "UNREADABLE", "the body is no message of this queue").await
    }
}

impl DeadLetters for Queue {
    /// Starts SQS's own redrive. Messages that were sent to the dead-letter queue, as ours are, need the destination
    /// named: SQS knows the source only of those that it moved there itself.
    async fn redrive_all(&self, _: usize) -> Result<Redriven, PortError> {
        let request = self.client.start_message_move_task().source_arn(&self.dead_letters_arn);
        let Err(error) = request.destination_arn(&self.arn).send().await else { return Ok(Redriven::Started) };
        // A queue has one move task at a time. A second is refused with a code that has other meanings, too.
        let refused = classify(error);
        let is_final = matches!(refused, PortError::Permanent(_));
        // If the check fails as well, the refusal says more than the check's own error.
        if is_final && self.is_moving_dead_letters().await.unwrap_or(false) {
            return Ok(Redriven::UnderWay);
        }
        Err(refused)
    }
}

#[cfg(test)]
mod tests;
