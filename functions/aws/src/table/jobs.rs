//! Jobs and their retired runs.

use std::collections::HashMap;
use std::sync::Arc;

use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::{AttributeValue, Put, ReturnValuesOnConditionCheckFailure, TransactWriteItem, Update};
use carillon_core::ids::JobId;
use carillon_core::job::{Job, JobSpec, JobState, Run};
use carillon_core::machine::Transition;
use carillon_core::ports::{JobQuery, JobStore, PortError, Written};

use super::keys::{self, Class};
use super::{Item, Table, json, key, number, read, text};
use crate::fault::{Unreadable, classify};

const SPEC: &str = "spec";
const STATE: &str = "state";
const REVISION: &str = "revision";
const RUN: &str = "run";

/// A spec of more bytes than this has an item of its own: it never changes, and would be paid for again with each change of
/// the job. Only so do the largest input and the largest result fit, as an item has at most 400 KB.
const LARGEST_INLINE_SPEC: usize = 16 * 1024;

impl<C: Send + Sync> JobStore for Table<C> {
    async fn insert_new(&self, job: &Job) -> Result<Written, PortError> {
        let (job_item, spec_item) = items(job)?;
        if let Some(spec_item) = spec_item {
            return self.insert_large(job_item, spec_item).await;
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
        let Err(error) = stored else { return Ok(Written::Done) };
        if let Some(PutItemError::ConditionalCheckFailedException(failed)) = error.as_service_error() {
            // The SDK repeats a request whose answer was lost; the repetition then meets its own write.
            let stored = failed.item().filter(|item| !has_spec_item(item));
            let own = stored.map(|item| job_of(job.id, item, item)).transpose()?.is_some_and(|stored| stored == *job);
            return Ok(if own { Written::Done } else { Written::Conflict });
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

    async fn commit(&self, transition: &Transition) -> Result<Written, PortError> {
        match &transition.retired {
            None => self.update(transition).await,
            Some(run) => self.retire(transition, run).await,
        }
    }

    async fn list(&self, query: &JobQuery) -> Result<carillon_core::ports::Listed, PortError> {
        self.newest_first(query).await
    }

    async fn retired_runs(&self, id: JobId, before: Option<(u32, u32)>, limit: usize) -> Result<Vec<Run>, PortError> {
        // A key between the runs that are wanted and those that are not: the latest has no successor among the runs.
        let end = before.map_or_else(|| "RUN$".to_owned(), |(generation, run_no)| keys::run(generation, run_no));
        let answer = self
            .client
            .query()
            .table_name(&self.name)
            .key_condition_expression("pk = :pk AND sk BETWEEN :first AND :end")
            .expression_attribute_values(":pk", text(keys::job(id)))
            .expression_attribute_values(":first", text(keys::RUNS))
            .expression_attribute_values(":end", text(&end))
            .scan_index_forward(false)
            .limit(i32::try_from(limit + 1).unwrap_or(i32::MAX))
            .send()
            .await
            .map_err(classify)?;
        let wanted = answer.items().iter().filter(|item| item.get(keys::SK) != Some(&text(&end))).take(limit);
        wanted.map(|item| read(item, RUN, "run").map_err(PortError::from)).collect()
    }
}

impl<C: Send + Sync> Table<C> {
    async fn item(&self, key: Item) -> Result<Option<Item>, PortError> {
        let request = self.client.get_item().table_name(&self.name).set_key(Some(key));
        Ok(request.consistent_read(true).send().await.map_err(classify)?.item)
    }

    /// Stores a job and its spec, both or neither.
    async fn insert_large(&self, job_item: Item, spec_item: Item) -> Result<Written, PortError> {
        let put = |item| Put::builder().table_name(&self.name).set_item(Some(item));
        let job_put = put(job_item).condition_expression("attribute_not_exists(pk)").build();
        let spec_put = put(spec_item).build();
        let job_put = TransactWriteItem::builder().put(job_put.map_err(|error| PortError::Permanent(error.into()))?);
        let spec_put = TransactWriteItem::builder().put(spec_put.map_err(|error| PortError::Permanent(error.into()))?);
        self.transact(vec![job_put.build(), spec_put.build()]).await
    }

    /// Writes all of it or nothing; it is a conflict when a condition does not hold. Each transaction carries a token, so
    /// that one that is sent again after its answer was lost is not carried out again, and never meets itself.
    async fn transact(&self, items: Vec<TransactWriteItem>) -> Result<Written, PortError> {
        let stored = self.client.transact_write_items().set_transact_items(Some(items)).send().await;
        let Err(error) = stored else { return Ok(Written::Done) };
        if let Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) = error.as_service_error() {
            let reasons = cancelled.cancellation_reasons().iter().filter_map(|reason| reason.code());
            // A transaction that was under way on the same item is a conflict as well: whoever asked decides anew.
            if reasons.clone().any(|reason| matches!(reason, "ConditionalCheckFailed" | "TransactionConflict")) {
                return Ok(Written::Conflict);
            }
            if reasons.clone().any(|reason| matches!(reason, "ThrottlingError" | "ProvisionedThroughputExceeded")) {
                return Err(PortError::Throttled(error.into()));
            }
        }
        Err(classify(error))
    }

    async fn update(&self, transition: &Transition) -> Result<Written, PortError> {
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
        let Err(error) = stored else { return Ok(Written::Done) };
        if let Some(UpdateItemError::ConditionalCheckFailedException(failed)) = error.as_service_error() {
            let own = failed.item().is_some_and(|item| is_own(item, &transition.state));
            return Ok(if own { Written::Done } else { Written::Conflict });
        }
        Err(classify(error))
    }

    /// Stores the transition and the run that it retires, both or neither.
    async fn retire(&self, transition: &Transition, run: &Run) -> Result<Written, PortError> {
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
        let mut retired = key(keys::job(transition.before.id), keys::run(run.generation, run.run_no));
        retired.insert(RUN.to_owned(), json(run, "run")?);
        let put = Put::builder()
            .table_name(&self.name)
            .set_item(Some(retired))
            .build()
            .map_err(|error| PortError::Permanent(error.into()))?;
        let update = TransactWriteItem::builder().update(update).build();
        self.transact(vec![update, TransactWriteItem::builder().put(put).build()]).await
    }
}

/// A transition as an update expression.
struct Change {
    key: Item,
    update: &'static str,
    condition: &'static str,
    names: HashMap<String, String>,
    values: Item,
}

impl Change {
    fn of(transition: &Transition) -> Result<Self, PortError> {
        let state = &transition.state;
        let mut names =
            HashMap::from([("#state".to_owned(), STATE.to_owned()), ("#revision".to_owned(), REVISION.to_owned())]);
        let mut values = HashMap::from([
            (":state".to_owned(), json(state, "state")?),
            (":revision".to_owned(), number(state.revision)),
            (":expected".to_owned(), number(transition.before.state.revision)),
        ]);
        let before = &transition.before;
        let class = Class::of(&before.spec, state);
        // A class that stays is not written: an unchanged index costs nothing.
        let update = if class == Class::of(&before.spec, &before.state) {
            "SET #state = :state, #revision = :revision"
        } else {
            names.insert("#index".to_owned(), keys::INDEX_PK.to_owned());
            values.insert(":index".to_owned(), index_key(before.id, &before.spec, class));
            "SET #state = :state, #revision = :revision, #index = :index"
        };
        let key = key(keys::job(transition.before.id), keys::JOB);
        Ok(Self { key, update, condition: "#revision = :expected", names, values })
    }
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
    if spec.as_s().is_ok_and(|spec| spec.len() <= LARGEST_INLINE_SPEC) {
        job_item.insert(SPEC.to_owned(), spec);
        return Ok((job_item, None));
    }
    let mut spec_item = key(keys::job(job.id), keys::SPEC);
    spec_item.insert(SPEC.to_owned(), spec);
    Ok((job_item, Some(spec_item)))
}

/// Whether the spec of the job that is stored in `item` is in an item of its own.
pub(super) fn has_spec_item(item: &Item) -> bool {
    !item.contains_key(SPEC)
}

/// The job that is stored in an item, with its spec in the same or another one.
pub(super) fn job_of(id: JobId, item: &Item, spec_item: &Item) -> Result<Job, PortError> {
    let spec = Arc::new(read(spec_item, SPEC, "job")?);
    Ok(Job { id, spec, state: read(item, STATE, "job")? })
}

/// Whether what is stored is what this very write wanted to store: its answer was lost, and it was sent again.
fn is_own(item: &Item, state: &JobState) -> bool {
    read::<JobState>(item, STATE, "job").is_ok_and(|stored| stored == *state)
}
