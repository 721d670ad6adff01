//! Sends the channels of a notification, and on another attempt those alone that were not sent.

use serde_json::{Map, Value, json};

use super::super::context::{AttemptContext, Halt};
use super::{Channel, outcome, push};
use crate::job::{Output, RunError};
use crate::json::room_left;
use crate::ports::{Ports, Targets};
use crate::progress::{PartOutcome, PartPath};

/// Timeout of one request of a channel, ms: one that hangs leaves time for the others.
pub(super) const REQUEST_MS: u32 = 15_000;

/// Sends every channel that no earlier attempt has sent. All are tried, also after one that fails.
///
/// Result: `{channels: {email: {…}, …}}`, each as the table above says, in an array where it sends a request for each receiver.
/// Where that is more than a result keeps, the callback's body is null.
pub(super) async fn run<P: Ports, T: Targets>(
    attempt: &AttemptContext<'_, P, T>,
    at: &PartPath,
    channels: Vec<Channel>,
) -> Result<Output, Halt> {
    let (mut sent, mut places, mut failed) = (Map::new(), Vec::new(), Vec::new());
    for channel in channels {
        let at = at.part(&channel.place(), "");
        let (name, part) = (channel.name, channel.part);
        match send(attempt, &at, channel).await? {
            Ok(result) => {
                note(&mut sent, name, part, result);
                places.push(at.path);
            }
            Err(error) => failed.push((at.path, error)),
        }
    }
    match failure(&places, failed) {
        Some(error) => Err(error.into()),
        None => Ok(capped(sent)),
    }
}

/// Sends a channel, unless that was done already. Of one that was done in part the rest is sent.
async fn send<P: Ports, T: Targets>(
    attempt: &AttemptContext<'_, P, T>,
    at: &PartPath,
    channel: Channel,
) -> Result<Result<Value, RunError>, Halt> {
    let known = match attempt.done(at) {
        Some(PartOutcome::Completed(output)) => Some((outcome::unsent(&output.value), output.value)),
        _ => None,
    };
    let request = match &known {
        Some((left, result)) if left.is_empty() => return Ok(Ok(result.clone())),
        Some((left, _)) => push::only(channel.request, left),
        None => channel.request,
    };
    let answered = match attempt.send(at, request, REQUEST_MS).await {
        Ok(output) => Ok(output),
        Err(Halt::Failed(error)) => Err(error),
        Err(halt) => return Err(halt),
    };
    let mut brought = match outcome::read(channel.provider, answered) {
        Ok(brought) => brought,
        Err(error) => return Ok(Err(error)),
    };
    if let Some((left, result)) = known {
        brought = outcome::merged(result, &left, &brought);
    }
    let unfinished = outcome::unfinished(&brought);
    if unfinished.is_none() || !outcome::unsent(&brought).is_empty() {
        attempt.note(at, PartOutcome::Completed(brought.clone().into())).await;
    }
    Ok(unfinished.map_or(Ok(brought), Err))
}

/// The result, without a callback's body where there is no room for it, and without anything where that does not help.
fn capped(sent: Map<String, Value>) -> Output {
    let has_room = |value: &Value| room_left(value, Output::MAX_BYTES).is_some();
    let mut value = Value::Object(Map::from_iter([("channels".to_owned(), Value::Object(sent))]));
    let mut truncated = value["channels"]["callback"]["truncated"] == true;
    if !has_room(&value) {
        truncated = true;
        if let Some(Value::Object(callback)) = value["channels"].get_mut("callback") {
            callback.remove("body_base64");
            callback.extend([("body".to_owned(), Value::Null), ("truncated".to_owned(), json!(true))]);
        }
        if !has_room(&value) {
            value["channels"] = Value::Null;
        }
    }
    Output { value, truncated }
}

fn note(sent: &mut Map<String, Value>, name: &str, part: Option<usize>, result: Value) {
    match (part, sent.get_mut(name)) {
        (None, _) => drop(sent.insert(name.to_owned(), result)),
        (Some(_), Some(Value::Array(results))) => results.push(result),
        (Some(_), _) => drop(sent.insert(name.to_owned(), json!([result]))),
    }
}

/// The error of the attempt, which names the state of every channel. It is retryable if another attempt may help any
/// of them.
fn failure(sent: &[String], failed: Vec<(String, RunError)>) -> Option<RunError> {
    let not_sent: Vec<_> = failed.iter().map(|(place, error)| format!("{place} ({})", error.message)).collect();
    let sent = if sent.is_empty() { "nothing".to_owned() } else { sent.join(", ") };
    let message = format!("sent: {sent}; not sent: {}", not_sent.join(", "));
    let retry_after_ms = failed.iter().filter_map(|(_, error)| error.retry_after_ms).max();
    let (_, first) = failed.into_iter().max_by_key(|(_, error)| error.retryable)?;
    Some(RunError { message, retry_after_ms, ..first })
}
