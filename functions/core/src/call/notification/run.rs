//! Sends the channels of a notification, and on another attempt those alone that were not sent.

use serde_json::{Map, Value, json};

use super::super::dispatch::{Dispatch, Halt};
use super::{Channel, outcome};
use crate::flow::{PartOutcome, Place};
use crate::job::{Output, RunError};
use crate::ports::{Ports, Targets};

/// How long one request of a channel may take, ms: one that hangs leaves time for the others.
pub(in crate::call) const REQUEST_MS: u32 = 15_000;

/// Sends every channel that no earlier attempt has sent. All are tried, also after one that fails.
///
/// Result: `{channels: {email: {…}, …}}`, each as the table above says, in an array where it sends a request for each receiver.
pub(in crate::call) async fn run<P: Ports, T: Targets>(
    dispatch: &Dispatch<'_, P, T>,
    at: &Place,
    channels: Vec<Channel>,
) -> Result<Output, Halt> {
    let (all, mut sent, mut failed) = (channels.len(), Map::new(), Vec::new());
    for channel in channels {
        let at = at.part(&channel.place(), "");
        let (name, part) = (channel.name, channel.part);
        match send(dispatch, &at, channel).await? {
            Ok(result) => note(&mut sent, name, part, result),
            Err(error) => failed.push((at.path, error)),
        }
    }
    match failure(all, failed) {
        Some(error) => Err(error.into()),
        None => Ok(json!({"channels": sent}).into()),
    }
}

/// Sends a channel, unless that was done already.
async fn send<P: Ports, T: Targets>(
    dispatch: &Dispatch<'_, P, T>,
    at: &Place,
    channel: Channel,
) -> Result<Result<Value, RunError>, Halt> {
    if let Some(PartOutcome::Completed(result)) = dispatch.done(at) {
        return Ok(Ok(result));
    }
    let answered = match dispatch.send(at, channel.request, REQUEST_MS).await {
        Ok(output) => Ok(output),
        Err(Halt::Failed(error)) => Err(error),
        Err(halt) => return Err(halt),
    };
    let brought = outcome(channel.provider, answered);
    if let Ok(result) = &brought {
        dispatch.note(at, PartOutcome::Completed(result.clone())).await?;
    }
    Ok(brought)
}

fn note(sent: &mut Map<String, Value>, name: &str, part: Option<usize>, result: Value) {
    match (part, sent.get_mut(name)) {
        (None, _) => drop(sent.insert(name.to_owned(), result)),
        (Some(_), Some(Value::Array(results))) => results.push(result),
        (Some(_), _) => drop(sent.insert(name.to_owned(), json!([result]))),
    }
}

/// What the attempt fails with: another one may help if it may help any of them.
fn failure(all: usize, failed: Vec<(String, RunError)>) -> Option<RunError> {
    let count = failed.len();
    let names: Vec<_> = failed.iter().map(|(place, error)| format!("{place}: {}", error.message)).collect();
    let message = format!("{count} of {all} were not sent; {}", names.join("; "));
    let retry_after_ms = failed.iter().filter_map(|(_, error)| error.retry_after_ms).max();
    let (_, first) = failed.into_iter().max_by_key(|(_, error)| error.retryable)?;
    Some(RunError { message, retry_after_ms, ..first })
}
