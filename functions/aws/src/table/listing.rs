//! Lists the jobs of an environment, newest first: queries every shard of the index and merges the answers.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use carillon_core::ids::JobId;
use carillon_core::job::{Job, Status};
use carillon_core::ports::{Clock, JobQuery, ListedJobs, PortError};
use carillon_core::time::UnixMillis;
use futures_util::stream::{self, StreamExt, TryStreamExt};

use super::jobs::{has_spec_item, job_of};
use super::keys::{self, Class};
use super::{Item, Table, key, text};
use crate::fault::{Unreadable, classify};

/// Number of concurrent queries.
const CONCURRENT: usize = 32;

impl<C: Clock> Table<C> {
    /// A page of jobs. A status that shares its class with others is filtered from a page of the class, so such a
    /// page may be short and still have a next one; the cost of a page does not depend on what it finds.
    pub(super) async fn newest_first(&self, query: &JobQuery) -> Result<ListedJobs, PortError> {
        let classes = query.status.map_or(&Class::ALL[..], Class::that_hold);
        let mut partitions = Vec::new();
        for class in classes {
            // A job on the fast path to completed is not old, so the completed ones are not searched for it.
            let is_on_its_way = matches!(query.status, Some(Status::Queued | Status::Running));
            let since = (is_on_its_way && *class == Class::FastPath).then(|| self.clock.now().plus(-keys::STRAIGHT_MS));
            let partition = |shard| (keys::index(&query.product, &query.env, *class, shard), since);
            partitions.extend((0..keys::SHARDS).map(partition));
        }
        let pages: Vec<Vec<JobId>> = stream::iter(partitions)
            .map(|(partition, since)| self.ids(partition, since, query.before, query.limit))
            .buffer_unordered(CONCURRENT)
            .try_collect()
            .await?;
        let mut ids = pages.concat();
        ids.sort_unstable_by(|one, other| other.cmp(one));
        // A job that moved between classes during the queries appears twice.
        ids.dedup();
        ids.truncate(query.limit);
        let next = ids.last().copied().filter(|_| ids.len() == query.limit);
        let mut jobs = self.jobs_of(&ids).await?;
        jobs.retain(|job| query.status.is_none_or(|status| is(job, status)));
        Ok(ListedJobs { jobs, next })
    }

    /// The ids of a partition, newest first, of jobs accepted at `since` or later and before `before`.
    async fn ids(
        &self,
        partition: String,
        since: Option<UnixMillis>,
        before: Option<JobId>,
        limit: usize,
    ) -> Result<Vec<JobId>, PortError> {
        let first = JobId::new(since.unwrap_or(UnixMillis(0)), 0).to_string();
        // A key after every id: ULIDs begin with a digit.
        let end = before.map_or_else(|| "job_~".to_owned(), |before| before.to_string());
        // DynamoDB rejects a range whose end lies before its start, as an old cursor would make it.
        if end <= first {
            return Ok(Vec::new());
        }
        let request = self
            .client
            .query()
            .table_name(&self.name)
            .index_name(keys::INDEX)
            .projection_expression(keys::INDEX_SK)
            .key_condition_expression("gsi1pk = :pk AND gsi1sk BETWEEN :first AND :end")
            .expression_attribute_values(":pk", text(partition))
            .expression_attribute_values(":first", text(first))
            .expression_attribute_values(":end", text(&end))
            .scan_index_forward(false)
            // One more, because the end of the range is not part of the page.
            .limit(i32::try_from(limit + 1).unwrap_or(i32::MAX));
        let answer = request.send().await.map_err(classify)?;
        let id = |item: &HashMap<String, AttributeValue>| item.get(keys::INDEX_SK)?.as_s().ok()?.parse().ok();
        let wanted = answer.items().iter().filter(|item| item.get(keys::INDEX_SK) != Some(&text(&end))).take(limit);
        let ids: Option<Vec<JobId>> = wanted.map(id).collect();
        ids.ok_or_else(|| Unreadable("index entry").into())
    }

    /// The jobs of these ids, in their order, without those that are gone.
    async fn jobs_of(&self, ids: &[JobId]) -> Result<Vec<Job>, PortError> {
        let mut items = self.items_of(ids, keys::JOB).await?;
        let large: Vec<JobId> =
            ids.iter().filter(|id| items.get(&keys::job(**id)).is_some_and(has_spec_item)).copied().collect();
        let specs = self.items_of(&large, keys::SPEC).await?;
        let mut jobs = Vec::with_capacity(ids.len());
        for id in ids {
            let Some(item) = items.remove(&keys::job(*id)) else { continue };
            let spec_item = if has_spec_item(&item) { specs.get(&keys::job(*id)) } else { Some(&item) };
            jobs.push(job_of(*id, &item, spec_item.ok_or(Unreadable("job"))?)?);
        }
        Ok(jobs)
    }

    /// The items of these jobs under one sort key, by their partition key.
    async fn items_of(&self, ids: &[JobId], sort_key: &str) -> Result<HashMap<String, Item>, PortError> {
        let wanted = ids.iter().map(|id| key(keys::job(*id), sort_key)).collect();
        let mut found = HashMap::with_capacity(ids.len());
        for item in self.batch(wanted, true).await? {
            let partition = item.get(keys::PK).and_then(|pk| pk.as_s().ok()).ok_or(Unreadable("job"))?;
            found.insert(partition.clone(), item);
        }
        Ok(found)
    }
}

fn is(job: &Job, status: Status) -> bool {
    job.state.status == status
}
