//! Jobs and their retired runs.

use std::collections::HashMap;
use std::sync::Arc;

use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::{
    AttributeValue, Delete, Put, ReturnValuesOnConditionCheckFailure, TransactWriteItem, Update,
};
use carillon_core::ids::JobId;
use carillon_core::job::{Job, JobSpec, JobState};
use carillon_core::machine::Transition;
use carillon_core::ports::{Clock, History, JobQuery, JobStore, PortError, WriteOutcome};

use super::keys::{self, Class};
use super::{Item, Table, json, key, number, read, text};
use crate::fault::{Unreadable, classify};

const SPEC: &str = "spec";
const STATE: &str = "state";
const REVISION: &str = "revision";
const RUN: &str = "run";

/// A spec of more bytes than this has a separate item: it never changes, and each change of the job would pay for it
/// again. Without that, the largest input and the largest result would not fit, because an item has at most 400 KB.
const MAX_INLINE_SPEC: usize = 16 * 1024;

impl<C: Clock> JobStore for Table<C> {
    async fn insert_new(&self, job: &Job) -> Result<WriteOutcome, PortError> {
        let (job_item, spec_item) = items(job)?;
        if let Some(spec_item) = spec_item {
            return self.insert_large(job, job_item, spec_item).await;
        }
        let stored = self
            .client
            .put_item()
            .table_name(&self.name)
            .set_item(Some(job_item))
            .condition_expression("attribute_not_exists(pk)")
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .send()
            .await;
        let Err(error) = stored else { return Ok(WriteOutcome::Done) };
        if let Some(PutItemError::ConditionalCheckFailedException(failed)) = error.as_service_error() {
            // The SDK repeats a request whose answer was lost; the repetition then meets its own write.
            let stored = failed.item().filter(|item| !has_spec_item(item));
            let own = stored.map(|item| job_of(job.id, item, item)).transpose()?.is_some_and(|stored| stored == *job);
            return Ok(if own { WriteOutcome::Done } else { WriteOutcome::Conflict });
        }
        Err(classify(error))
    }

    async fn get(&self, id: JobId) -> Result<Option<Job>, PortError> {
        let Some(item) = self.item(key(keys::job(id), keys::JOB)).await? else { return Ok(None) };
        if !has_spec_item(&item) {
            return job_of(id, &item, &item).map(Some);
        }
        let spec_item = self.item(key(keys::job(id), keys::SPEC)).await?.ok_or(Unreadable("job"))?;
        job_of(id, &item, &spec_item).map(Some)
    }

    async fn commit(&self, transition: &Transition) -> Result<WriteOutcome, PortError> {
        let beside = self.beside(transition)?;
        if beside.is_empty() { self.update(transition).await } else { self.update_with(transition, beside).await }
    }

    async fn list(&self, query: &JobQuery) -> Result<carillon_core::ports::ListedJobs, PortError> {
        self.newest_first(query).await
    }

    async fn retired_runs(&self, id: JobId, before: Option<(u32, u32)>, limit: usize) -> Result<History, PortError> {
        // A key between the runs that are wanted and those that are not: the latest has no successor among the runs.
        let end = before.map_or_else(|| "RUN$".to_owned(), |(generation, run_no)| keys::run(generation, run_no));
        // Consistent: the current run was read so, and the one before it must not be missing for having just been retired.
        let answer = self
            .client
            .query()
            .table_name(&self.name)
            .consistent_read(true)
            .key_condition_expression("pk = :pk AND sk BETWEEN :first AND :end")
            .expression_attribute_values(":pk", text(keys::job(id)))
            .expression_attribute_values(":first", text(keys::RUNS))
            .expression_attribute_values(":end", text(&end))
            .scan_index_forward(false)
            .limit(i32::try_from(limit + 2).unwrap_or(i32::MAX))
            .send()
            .await
            .map_err(classify)?;
        let wanted = answer.items().iter().filter(|item| item.get(keys::SK) != Some(&text(&end)));
        let runs = wanted.map(|item| read(item, RUN, "run")).collect::<Result<_, Unreadable>>()?;
        let page = History::cut(runs, limit);
        // DynamoDB ends a page at 1 MB, however few items that is.
        Ok(History { has_more: page.has_more || answer.last_evaluated_key.is_some(), ..page })
    }
}

impl<C: Send + Sync> Table<C> {
    /// Stores a job and its spec, both or neither.
    async fn insert_large(&self, job: &Job, job_item: Item, spec_item: Item) -> Result<WriteOutcome, PortError> {
        let put = |item| Put::builder().table_name(&self.name).set_item(Some(item));
        let job_put = put(job_item).condition_expression("attribute_not_exists(pk)");
        let job_put =
            job_put.return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld).build();
        let spec_put = put(spec_item).build();
        let job_put = TransactWriteItem::builder().put(job_put.map_err(|error| PortError::Permanent(error.into()))?);
        let spec_put = TransactWriteItem::builder().put(spec_put.map_err(|error| PortError::Permanent(error.into()))?);
        match self.transact(vec![job_put.build(), spec_put.build()]).await? {
            Transacted::Done => Ok(WriteOutcome::Done),
            Transacted::Conflict(stored) => self.is_stored(job, stored).await,
        }
    }

    /// Compares a large job with what stands in its place, of which `stored` is the job's item if the conflict told.
    async fn is_stored(&self, job: &Job, stored: Option<Item>) -> Result<WriteOutcome, PortError> {
        let stored = match stored {
            None => self.item(key(keys::job(job.id), keys::JOB)).await?,
            stored => stored,
        };
        let Some(item) = stored.filter(has_spec_item) else { return Ok(WriteOutcome::Conflict) };
        if read::<JobState>(&item, STATE, "job")? != job.state {
            return Ok(WriteOutcome::Conflict);
        }
        let spec_item = self.item(key(keys::job(job.id), keys::SPEC)).await?.ok_or(Unreadable("job"))?;
        let is_own = job_of(job.id, &item, &spec_item)? == *job;
        Ok(if is_own { WriteOutcome::Done } else { WriteOutcome::Conflict })
    }

    /// Writes all of it or nothing; it is a conflict when a condition does not hold. Each transaction carries a token, so
    /// that one that is sent again after its answer was lost is not carried out again, and never meets itself.
    async fn transact(&self, items: Vec<TransactWriteItem>) -> Result<Transacted, PortError> {
        let stored = self.client.transact_write_items().set_transact_items(Some(items)).send().await;
        let Err(error) = stored else { return Ok(Transacted::Done) };
        if let Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) = error.as_service_error() {
            let reasons = cancelled.cancellation_reasons().iter().filter_map(|reason| reason.code());
            // A concurrent transaction on the same item is a conflict as well: the caller decides again.
            if reasons.clone().any(|reason| matches!(reason, "ConditionalCheckFailed" | "TransactionConflict")) {
                let mut items = cancelled.cancellation_reasons().iter().filter_map(|reason| reason.item());
                return Ok(Transacted::Conflict(items.next().cloned()));
            }
            if reasons.clone().any(|reason| matches!(reason, "ThrottlingError" | "ProvisionedThroughputExceeded")) {
                return Err(PortError::Throttled(error.into()));
            }
        }
        Err(classify(error))
    }

    async fn update(&self, transition: &Transition) -> Result<WriteOutcome, PortError> {
        let change = Change::of(transition)?;
        let stored = self
            .client
            .update_item()
            .table_name(&self.name)
            .set_key(Some(change.key))
            .update_expression(change.update)
            .condition_expression(change.condition)
            .set_expression_attribute_names(Some(change.names))
            .set_expression_attribute_values(Some(change.values))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .send()
            .await;
        let Err(error) = stored else { return Ok(WriteOutcome::Done) };
        if let Some(UpdateItemError::ConditionalCheckFailedException(failed)) = error.as_service_error() {
            let own = failed.item().is_some_and(|item| is_own(item, transition));
            return Ok(if own { WriteOutcome::Done } else { WriteOutcome::Conflict });
        }
        Err(classify(error))
    }

    /// Stores the transition and its further items, all of it or nothing.
    async fn update_with(
        &self,
        transition: &Transition,
        mut beside: Vec<TransactWriteItem>,
    ) -> Result<WriteOutcome, PortError> {
        let change = Change::of(transition)?;
        let update = Update::builder()
            .table_name(&self.name)
            .set_key(Some(change.key))
            .update_expression(change.update)
            .condition_expression(change.condition)
            .set_expression_attribute_names(Some(change.names))
            .set_expression_attribute_values(Some(change.values))
            .build()
            .map_err(|error| PortError::Permanent(error.into()))?;
        beside.push(TransactWriteItem::builder().update(update).build());
        match self.transact(beside).await? {
            Transacted::Done => Ok(WriteOutcome::Done),
            Transacted::Conflict(_) => Ok(WriteOutcome::Conflict),
        }
    }

    /// The further items of a transition: a run for the history, and a large spec that changes.
    fn beside(&self, transition: &Transition) -> Result<Vec<TransactWriteItem>, PortError> {
        let id = transition.before.id;
        let put = |item| Put::builder().table_name(&self.name).set_item(Some(item)).build();
        let mut beside = Vec::new();
        if let Some(run) = &transition.retired {
            let mut item = key(keys::job(id), keys::run(run.generation, run.run_no));
            item.insert(RUN.to_owned(), json(run, "run")?);
            let expires_at = transition.state.updated_at.plus(self.kept_ms).0.div_euclid(1_000);
            item.insert(keys::EXPIRES_AT.to_owned(), number(expires_at.unsigned_abs()));
            beside.push(put(item).map(|put| TransactWriteItem::builder().put(put).build()));
        }
        let spec = transition.spec.as_ref().map(|spec| json(&**spec, "spec")).transpose()?;
        match spec {
            Some(spec) if is_large(&spec) => {
                let mut item = key(keys::job(id), keys::SPEC);
                item.insert(SPEC.to_owned(), spec);
                beside.push(put(item).map(|put| TransactWriteItem::builder().put(put).build()));
            }
            // A replaced spec is not kept.
            Some(_) if is_large(&json(&*transition.before.spec, "spec")?) => {
                let delete = Delete::builder().table_name(&self.name).set_key(Some(key(keys::job(id), keys::SPEC)));
                beside.push(delete.build().map(|delete| TransactWriteItem::builder().delete(delete).build()));
            }
            _ => {}
        }
        beside.into_iter().collect::<Result<_, _>>().map_err(|error| PortError::Permanent(error.into()))
    }
}

/// The outcome of a transaction.
enum Transacted {
    Done,
    /// A condition did not hold; the item that stands in the way, if the write asked for it and DynamoDB told.
    Conflict(Option<Item>),
}

/// A transition as an update expression.
struct Change {
    key: Item,
    update: String,
    condition: &'static str,
    names: HashMap<String, String>,
    values: Item,
}

impl Change {
    fn of(transition: &Transition) -> Result<Self, PortError> {
        let (before, state) = (&transition.before, &transition.state);
        let mut change = Self {
            key: key(keys::job(before.id), keys::JOB),
            update: "SET #state = :state, #revision = :revision".to_owned(),
            condition: "#revision = :expected",
            names: HashMap::from([
                ("#state".to_owned(), STATE.to_owned()),
                ("#revision".to_owned(), REVISION.to_owned()),
            ]),
            values: HashMap::from([
                (":state".to_owned(), json(state, "state")?),
                (":revision".to_owned(), number(state.revision)),
                (":expected".to_owned(), number(before.state.revision)),
            ]),
        };
        let spec = transition.spec.as_ref().unwrap_or(&before.spec);
        let class = Class::of(spec, state);
        // A class that stays is not written: an unchanged index costs nothing.
        if class != Class::of(&before.spec, &before.state) {
            change.names.insert("#index".to_owned(), keys::INDEX_PK.to_owned());
            change.values.insert(":index".to_owned(), index_key(before.id, spec, class));
            change.update.push_str(", #index = :index");
        }
        if let Some(spec) = &transition.spec {
            let spec = json(&**spec, "spec")?;
            change.names.insert("#spec".to_owned(), SPEC.to_owned());
            if is_large(&spec) {
                change.update.push_str(" REMOVE #spec");
            } else {
                change.values.insert(":spec".to_owned(), spec);
                change.update.push_str(", #spec = :spec");
            }
        }
        Ok(change)
    }
}

/// True if a spec has a separate item.
fn is_large(spec: &AttributeValue) -> bool {
    spec.as_s().is_ok_and(|spec| spec.len() > MAX_INLINE_SPEC)
}

fn index_key(id: JobId, spec: &JobSpec, class: Class) -> AttributeValue {
    text(keys::index(&spec.product, &spec.env, class, keys::shard(id)))
}

/// The job's item, and an item for its spec where that is large.
fn items(job: &Job) -> Result<(Item, Option<Item>), PortError> {
    let mut job_item = key(keys::job(job.id), keys::JOB);
    job_item.insert(STATE.to_owned(), json(&job.state, "state")?);
    job_item.insert(REVISION.to_owned(), number(job.state.revision));
    job_item.insert(keys::INDEX_PK.to_owned(), index_key(job.id, &job.spec, Class::of(&job.spec, &job.state)));
    job_item.insert(keys::INDEX_SK.to_owned(), text(job.id.to_string()));
    let spec = json(&*job.spec, "spec")?;
    if !is_large(&spec) {
        job_item.insert(SPEC.to_owned(), spec);
        return Ok((job_item, None));
    }
    let mut spec_item = key(keys::job(job.id), keys::SPEC);
    spec_item.insert(SPEC.to_owned(), spec);
    Ok((job_item, Some(spec_item)))
}

/// True if the spec of the job in `item` has a separate item.
pub(super) fn has_spec_item(item: &Item) -> bool {
    !item.contains_key(SPEC)
}

/// The job that is stored in an item, with its spec in the same or another one.
pub(super) fn job_of(id: JobId, item: &Item, spec_item: &Item) -> Result<Job, PortError> {
    let spec = Arc::new(read(spec_item, SPEC, "job")?);
    Ok(Job { id, spec, state: read(item, STATE, "job")? })
}

/// True if the stored item is the result of this very write, which was repeated after its answer was lost.
fn is_own(item: &Item, transition: &Transition) -> bool {
    let spec = transition.spec.as_ref().map(|spec| json(&**spec, "spec"));
    let has_spec = spec.is_none_or(|spec| spec.is_ok_and(|spec| item.get(SPEC) == Some(&spec)));
    has_spec && read::<JobState>(item, STATE, "job").is_ok_and(|stored| stored == transition.state)
}

#[cfg(test)]
mod tests;
