//! The invocation: an SQS event in, the records that have to come back out.

use std::sync::Arc;

use aws_lambda_events::event::sqs::{SqsBatchResponse, SqsEvent, SqsMessage};
use carillon_core::ports::{Clock, MessageQueue, Ports, Targets};
use carillon_core::time::UnixMillis;
use lambda_runtime::{Error, LambdaEvent};

use super::{Batch, Delivery};

/// Less than this, in the year 1973, is no instant of an invocation.
const MIN_INSTANT_MS: i64 = 100_000_000_000;

/// Works on one event.
///
/// # Errors
/// When a record has no message id: it could not be named among the failures, and would count as done.
pub async fn handle<P: Ports, T: Targets + Clone + 'static, C: MessageQueue>(
    batch: Arc<Batch<P, T, C>>,
    event: LambdaEvent<SqsEvent>,
) -> Result<SqsBatchResponse, Error> {
    let LambdaEvent { payload, context } = event;
    let deadline = deadline(context.deadline, batch.ports.clock().now());
    let trace = context.xray_trace_id.as_deref();
    let deliveries: Option<Vec<Delivery>> = payload.records.into_iter().map(|record| delivery(record, trace)).collect();
    let deliveries = deliveries.ok_or("a record has no message id: the whole batch has to come back")?;
    let mut response = SqsBatchResponse::default();
    response.set_failures(batch.work(deliveries, deadline).await);
    Ok(response)
}

/// The end of the invocation. The Lambda service gives an instant, `cargo lambda watch` a duration (600,000).
fn deadline(said: u64, now: UnixMillis) -> UnixMillis {
    let said = i64::try_from(said).unwrap_or(i64::MAX);
    if said < MIN_INSTANT_MS { now.plus(said) } else { UnixMillis(said) }
}

/// Takes a record out of its envelope. What else may be missing is treated as if it were new; a trace, where its sender
/// named none, is the invocation's own.
fn delivery(record: SqsMessage, trace: Option<&str>) -> Option<Delivery> {
    let attribute = |name: &str| record.attributes.get(name);
    Some(Delivery {
        sent_at: attribute("SentTimestamp").and_then(|text| text.parse().ok()).map(UnixMillis),
        receive_count: attribute("ApproximateReceiveCount").and_then(|text| text.parse().ok()).unwrap_or(1),
        trace: attribute("AWSTraceHeader").map(String::as_str).or(trace).map(str::to_owned),
        message_id: record.message_id.filter(|id| !id.is_empty())?,
        receipt_handle: record.receipt_handle.unwrap_or_default(),
        body: record.body.unwrap_or_default(),
    })
}
