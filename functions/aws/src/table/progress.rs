//! Progress of composite events: checkpoints, counters, and failing options.
//!
//! An amount is added together with a mark of the run that adds it, in one transaction, so a repeated request finds
//! the mark. Concurrent transactions on one counter conflict, and are retried after a random pause.

use std::collections::BTreeMap;
use std::time::Duration;

use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{AttributeValue, Put, TransactWriteItem, Update};
use carillon_core::ports::{Checkpoints, Clock, Counters, Entropy, FallbackHealth, PortError};
use carillon_core::progress::{Checkpoint, CheckpointId, Counted, CounterId, FallbackId, RunId};
use carillon_core::time::UnixMillis;

use super::{Item, Table, expiry, json, key, keys, millis, number, read, text};
use crate::fault::{Unreadable, classify};
use crate::stack::OsEntropy;

const PART: &str = "part";
const USED: &str = "used";
const FAILING: &str = "failing";

/// Retention of a counter after its period, ms, because clocks may differ.
const LEFT_OVER_MS: i64 = 86_400_000;
/// Number of tries of a transaction that conflicts with others.
const TRIES: u32 = 40;
/// The longest pause between two tries, ms. Earlier pauses are shorter in proportion.
const MAX_PAUSE_MS: f64 = 400.0;

impl<C: Clock> Checkpoints for Table<C> {
    async fn finished(&self, run: RunId, under: &str) -> Result<Vec<Checkpoint>, PortError> {
        let mut pages = self
            .client
            .query()
            .table_name(&self.name)
            .consistent_read(true)
            .key_condition_expression("pk = :pk AND begins_with(sk, :part)")
            .expression_attribute_values(":pk", text(keys::job(run.job_id)))
            .expression_attribute_values(":part", text(keys::part(run.run_no, under)))
            .into_paginator()
            .items()
            .send();
        let mut parts = Vec::new();
        while let Some(item) = pages.next().await {
            parts.push(read(&item.map_err(classify)?, PART, "part of a run")?);
        }
        Ok(parts)
    }

    async fn save(&self, run: RunId, part: &Checkpoint, now: UnixMillis) -> Result<(), PortError> {
        let mut item = key(keys::job(run.job_id), keys::part(run.run_no, &part.place));
        item.insert(PART.to_owned(), json(part, "part of a run")?);
        item.insert(keys::EXPIRES_AT.to_owned(), expiry(now.plus(self.kept_ms)));
        let request = self.client.put_item().table_name(&self.name).set_item(Some(item));
        request.send().await.map(drop).map_err(classify)
    }
}

impl<C: Clock> Counters for Table<C> {
    async fn used(&self, counter: &CounterId) -> Result<u64, PortError> {
        let item = self.item(counter_key(counter)).await?;
        item.map_or(Ok(0), |item| used(&item))
    }

    async fn add(&self, counter: &CounterId, by: &CheckpointId, amount: u64, limit: u64) -> Result<Counted, PortError> {
        // An amount beyond the limit never fits.
        let Some(most_before) = limit.checked_sub(amount) else {
            return Ok(Counted::Over { used: self.used(counter).await? });
        };
        let update = || {
            Update::builder()
                .table_name(&self.name)
                .set_key(Some(counter_key(counter)))
                .update_expression("ADD used :amount SET expires_at = :expires_at")
                .condition_expression("attribute_not_exists(pk) OR used <= :most_before")
                .expression_attribute_values(":amount", number(amount))
                .expression_attribute_values(":most_before", number(most_before))
                .expression_attribute_values(":expires_at", expiry(counter.until.plus(LEFT_OVER_MS)))
                .build()
                .map(|update| TransactWriteItem::builder().update(update).build())
        };
        match self.once(counter, by, update).await? {
            Once::Done | Once::Before => Ok(Counted::Counted { used: self.used(counter).await? }),
            Once::Refused => Ok(Counted::Over { used: self.used(counter).await? }),
        }
    }

    async fn reset(&self, counter: &CounterId, by: &CheckpointId) -> Result<(), PortError> {
        let put = || {
            let mut item = counter_key(counter);
            item.insert(USED.to_owned(), number(0));
            item.insert(keys::EXPIRES_AT.to_owned(), expiry(counter.until.plus(LEFT_OVER_MS)));
            let put = Put::builder().table_name(&self.name).set_item(Some(item)).build();
            put.map(|put| TransactWriteItem::builder().put(put).build())
        };
        self.once(counter, by, put).await.map(drop)
    }
}

/// The result of a change that is made once.
enum Once {
    Done,
    /// It was made before.
    Before,
    /// Its condition does not hold.
    Refused,
}

impl<C: Clock> Table<C> {
    /// Changes a counter, unless `by` has changed it before.
    async fn once<E: std::error::Error + Send + Sync + 'static>(
        &self,
        counter: &CounterId,
        by: &CheckpointId,
        change: impl Fn() -> Result<TransactWriteItem, E> + Send,
    ) -> Result<Once, PortError> {
        let mut mark = key(keys::job(by.run.job_id), keys::counted(by.run.run_no, &by.place));
        mark.insert(keys::EXPIRES_AT.to_owned(), expiry(counter.until.plus(self.kept_ms)));
        for tried in 0..TRIES {
            let put = Put::builder()
                .table_name(&self.name)
                .set_item(Some(mark.clone()))
                .condition_expression("attribute_not_exists(pk)")
                .build()
                .map_err(|error| PortError::Permanent(error.into()))?;
            let change = change().map_err(|error| PortError::Permanent(error.into()))?;
            let items = vec![TransactWriteItem::builder().put(put).build(), change];
            let Err(error) = self.client.transact_write_items().set_transact_items(Some(items)).send().await else {
                return Ok(Once::Done);
            };
            let Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) = error.as_service_error()
            else {
                return Err(classify(error));
            };
            let reasons: Vec<&str> =
                cancelled.cancellation_reasons().iter().map(|reason| reason.code().unwrap_or_default()).collect();
            match reasons.as_slice() {
                ["ConditionalCheckFailed", ..] => return Ok(Once::Before),
                [_, "ConditionalCheckFailed"] => return Ok(Once::Refused),
                reasons if reasons.contains(&"TransactionConflict") => {
                    let share = f64::from(tried + 1) / f64::from(TRIES);
                    let pause_ms = MAX_PAUSE_MS * share * OsEntropy.unit();
                    tokio::time::sleep(Duration::from_secs_f64(pause_ms / 1_000.0)).await;
                }
                reasons
                    if reasons
                        .iter()
                        .any(|reason| matches!(*reason, "ThrottlingError" | "ProvisionedThroughputExceeded")) =>
                {
                    return Err(PortError::Throttled(error.into()));
                }
                _ => return Err(classify(error)),
            }
        }
        Err(PortError::Throttled("others keep changing the counter".into()))
    }
}

impl<C: Clock> FallbackHealth for Table<C> {
    async fn failing(&self, fallback: &FallbackId) -> Result<BTreeMap<String, UnixMillis>, PortError> {
        let request = self.client.get_item().table_name(&self.name).set_key(Some(fallback_key(fallback)));
        let Some(item) = request.send().await.map_err(classify)?.item else { return Ok(BTreeMap::new()) };
        let unreadable = || Unreadable("health of a fallback");
        let marks = item.iter().filter_map(|(name, value)| Some((name.strip_prefix(FAILING)?, value)));
        let marks = marks.map(|(option, value)| {
            let until = value.as_n().ok().and_then(|digits| digits.parse().ok()).ok_or_else(unreadable)?;
            Ok((option.to_owned(), UnixMillis(until)))
        });
        Ok(marks.collect::<Result<_, Unreadable>>()?)
    }

    async fn mark(&self, fallback: &FallbackId, option: &str, until: UnixMillis) -> Result<(), PortError> {
        let request = self
            .client
            .update_item()
            .table_name(&self.name)
            .set_key(Some(fallback_key(fallback)))
            .update_expression("SET #option = :until")
            .expression_attribute_names("#option", format!("{FAILING}{option}"))
            .expression_attribute_values(":until", millis(until));
        request.send().await.map(drop).map_err(classify)
    }
}

fn counter_key(counter: &CounterId) -> Item {
    key(keys::counter(counter), keys::COUNTER)
}

fn fallback_key(fallback: &FallbackId) -> Item {
    key(keys::fallback(fallback), keys::FALLBACK)
}

fn used(item: &Item) -> Result<u64, PortError> {
    let digits = item.get(USED).map(AttributeValue::as_n);
    let used = digits.and_then(|digits| digits.ok()?.parse().ok());
    Ok(used.ok_or(Unreadable("counter"))?)
}
