//! EventBridge: events on a bus.

use aws_sdk_eventbridge::Client;
use aws_sdk_eventbridge::types::PutEventsRequestEntry;
use carillon_core::job::{Output, RunError};
use serde_json::{Value, json};

use super::fault::{fault, refused};
use super::{incomplete, small};

const SERVICE: &str = "Amazon EventBridge";

/// Puts one event. EventBridge may answer 200 and still refuse it: the entry says so.
pub(super) async fn put(
    client: &Client,
    bus: Option<String>,
    source: String,
    detail_type: String,
    detail: &Value,
) -> Result<Output, RunError> {
    let entry = PutEventsRequestEntry::builder().set_event_bus_name(bus).source(source).detail_type(detail_type);
    let request = client.put_events().entries(entry.detail(detail.to_string()).build());
    let put = request.send().await.map_err(|error| fault(SERVICE, &error))?;
    let entry = put.entries.unwrap_or_default().into_iter().next().ok_or_else(|| incomplete(SERVICE))?;
    match (entry.error_code, entry.event_id) {
        (Some(code), _) => Err(refused(SERVICE, &code, 200, None)),
        (None, Some(event_id)) if put.failed_entry_count == 0 => Ok(small(json!({"event_id": event_id}))),
        _ => Err(incomplete(SERVICE)),
    }
}
