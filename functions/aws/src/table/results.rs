//! Cached results, and the leases to fill them.
//!
//! An item is a lease until it is filled; `ends_at` ends either. Clearing a cache writes one mark with the time:
//! whatever was begun until then is invalid. So a hit reads two small items, possibly stale, and writes nothing. A
//! stale read shows when the conditional write that takes the lease fails.

use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::types::ReturnValuesOnConditionCheckFailure;
use carillon_core::cache::{CacheId, CacheKey};
use carillon_core::ids::Owner;
use carillon_core::ports::{
    CacheAnswer, CacheEntry, CachePage, CachedResult, Clock, FillLease, PortError, ResultCache,
};
use carillon_core::time::UnixMillis;

use super::keys::{self, CacheListing};
use super::{Item, Table, expiry, instant, json, key, millis, read, text};
use crate::fault::{Unreadable, classify};

const LEADER: &str = "leader";
const BEGAN_AT: &str = "began_at";
const ENDS_AT: &str = "ends_at";
const MADE_AT: &str = "made_at";
const OUTPUT: &str = "output";
const CLEARED_AT: &str = "cleared_at";

const RESULT: &str = "result of a cache";

/// Retention of a mark, ms: longer than anything begun before it, because the longest expiry in a catalog is a year
/// and a lease lasts less than a day.
const MARK_MS: i64 = 367 * 86_400_000;

/// Maximum number of queries for a page of entries. A page may be short and still have a next one.
const QUERIES: usize = 16;

/// No mark: earlier than everything.
const NEVER: UnixMillis = UnixMillis(-1);

impl<C: Clock> ResultCache for Table<C> {
    async fn lookup(&self, key: &CacheKey, lead: &FillLease, now: UnixMillis) -> Result<CacheAnswer, PortError> {
        let wanted = vec![entry_key(key), mark_key(&key.cache)];
        let (mut entry, mut cleared_at) = (None, NEVER);
        for item in self.batch(wanted, false).await? {
            match item.get(CLEARED_AT) {
                Some(_) => cleared_at = instant(&item, CLEARED_AT, RESULT)?,
                None => entry = Some(item),
            }
        }
        let known = entry.map(|entry| consulted(&entry, lead, cleared_at, now)).transpose()?.flatten();
        match known {
            Some(known) => Ok(known),
            None => self.take_lease(key, lead, cleared_at, now).await,
        }
    }

    async fn fill(&self, key: &CacheKey, leader: &Owner, result: &CachedResult) -> Result<(), PortError> {
        // The index has the time when the result was begun, which only its lease knows.
        let request = self.client.get_item().table_name(&self.name).set_key(Some(entry_key(key))).consistent_read(true);
        let Some(lease) = request.send().await.map_err(classify)?.item else { return Ok(()) };
        let leader = json(leader, RESULT)?;
        if lease.get(LEADER) != Some(&leader) {
            return Ok(());
        }
        let began_at = instant(&lease, BEGAN_AT, RESULT)?;
        let &CachedResult { made_at, expires_at, .. } = result;
        let CacheKey { cache, digest, event } = key;
        let listed = CacheListing { digest, made_at, began_at, expires_at, event };
        let update = "SET #output = :output, #made_at = :made_at, #ends_at = :ends_at, #expires_at = :expires_at, \
                      #index_pk = :index_pk, #index_sk = :index_sk REMOVE #leader";
        let request = self
            .update_lease(key, leader.clone(), update)
            .expression_attribute_names("#output", OUTPUT)
            .expression_attribute_names("#made_at", MADE_AT)
            .expression_attribute_names("#ends_at", ENDS_AT)
            .expression_attribute_names("#expires_at", keys::EXPIRES_AT)
            .expression_attribute_names("#index_pk", keys::INDEX_PK)
            .expression_attribute_names("#index_sk", keys::INDEX_SK)
            .expression_attribute_values(":output", json(&result.output, RESULT)?)
            .expression_attribute_values(":made_at", millis(made_at))
            .expression_attribute_values(":ends_at", millis(expires_at))
            .expression_attribute_values(":expires_at", expiry(expires_at))
            .expression_attribute_values(":index_pk", text(keys::results(cache, keys::result_shard(digest))))
            .expression_attribute_values(":index_sk", text(listed.to_string()));
        changed(request).await
    }

    async fn release(&self, key: &CacheKey, leader: &Owner) -> Result<(), PortError> {
        // The item stays until its time to live ends: the executor has no permission to delete.
        let request = self
            .update_lease(key, json(leader, RESULT)?, "SET #ends_at = :ends_at REMOVE #leader")
            .expression_attribute_names("#ends_at", ENDS_AT)
            .expression_attribute_values(":ends_at", millis(UnixMillis(0)));
        changed(request).await
    }

    async fn entries(
        &self,
        cache: &CacheId,
        after: Option<&str>,
        limit: usize,
        now: UnixMillis,
    ) -> Result<CachePage, PortError> {
        let cleared_at = self.cleared_at(cache).await?;
        let is_valid = |entry: &CacheListing<'_>| entry.began_at > cleared_at && entry.expires_at > now;
        let mut entries = Vec::new();
        let mut after = after.unwrap_or_default().to_owned();
        let mut shard = keys::result_shard(&after);
        for _ in 0..QUERIES {
            let (found, has_more) = self.listed(keys::results(cache, shard), &after, limit + 1).await?;
            for key in &found {
                let listed = CacheListing::parse(key).ok_or(Unreadable("index entry"))?;
                listed.digest.clone_into(&mut after);
                if is_valid(&listed) {
                    entries.push(listed.entry());
                }
            }
            if entries.len() > limit {
                return Ok(CachePage::cut(entries, limit));
            }
            if !has_more {
                shard += 1;
            }
            if shard == keys::RESULT_SHARDS {
                return Ok(CachePage { entries, next: None });
            }
        }
        Ok(CachePage { entries, next: Some(after) })
    }

    async fn clear(&self, cache: &CacheId, now: UnixMillis) -> Result<(), PortError> {
        let mut mark = mark_key(cache);
        mark.insert(CLEARED_AT.to_owned(), millis(now));
        mark.insert(keys::EXPIRES_AT.to_owned(), expiry(now.plus(MARK_MS)));
        let request = self
            .client
            .put_item()
            .table_name(&self.name)
            .set_item(Some(mark))
            .condition_expression("attribute_not_exists(pk) OR cleared_at < :cleared_at")
            .expression_attribute_values(":cleared_at", millis(now));
        let Err(error) = request.send().await else { return Ok(()) };
        // A clock that is ahead of ours has cleared it already.
        if matches!(error.as_service_error(), Some(PutItemError::ConditionalCheckFailedException(_))) {
            return Ok(());
        }
        Err(classify(error))
    }
}

impl<C: Send + Sync> Table<C> {
    /// Takes the lease if there is neither a lease nor a result. The item is replaced whole, and so leaves the index.
    async fn take_lease(
        &self,
        key: &CacheKey,
        lead: &FillLease,
        cleared_at: UnixMillis,
        now: UnixMillis,
    ) -> Result<CacheAnswer, PortError> {
        let leader = json(&lead.leader, RESULT)?;
        let mut item = entry_key(key);
        item.insert(LEADER.to_owned(), leader.clone());
        item.insert(BEGAN_AT.to_owned(), millis(lead.began_at));
        item.insert(ENDS_AT.to_owned(), millis(lead.until));
        item.insert(keys::EXPIRES_AT.to_owned(), expiry(lead.until));
        // The states in which `consulted` finds nothing.
        let is_free = "attribute_not_exists(pk) OR ends_at <= :now OR began_at <= :cleared_at OR leader = :leader";
        let request = self
            .client
            .put_item()
            .table_name(&self.name)
            .set_item(Some(item))
            .condition_expression(is_free)
            .expression_attribute_values(":now", millis(now))
            .expression_attribute_values(":cleared_at", millis(cleared_at))
            .expression_attribute_values(":leader", leader)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        let Err(error) = request.send().await else { return Ok(CacheAnswer::Miss) };
        if let Some(PutItemError::ConditionalCheckFailedException(failed)) = error.as_service_error() {
            // The read was stale, or another executor was faster.
            let stored = failed.item().ok_or(Unreadable(RESULT))?;
            return Ok(consulted(stored, lead, cleared_at, now)?.ok_or(Unreadable(RESULT))?);
        }
        Err(classify(error))
    }

    /// Builds the change of an entry that `leader` holds.
    fn update_lease(
        &self,
        key: &CacheKey,
        leader: aws_sdk_dynamodb::types::AttributeValue,
        update: &str,
    ) -> UpdateItemFluentBuilder {
        self.client
            .update_item()
            .table_name(&self.name)
            .set_key(Some(entry_key(key)))
            .update_expression(update)
            .condition_expression("#leader = :leader")
            .expression_attribute_names("#leader", LEADER)
            .expression_attribute_values(":leader", leader)
    }

    /// When a cache was last cleared.
    async fn cleared_at(&self, cache: &CacheId) -> Result<UnixMillis, PortError> {
        let request = self.client.get_item().table_name(&self.name).set_key(Some(mark_key(cache)));
        let mark = request.send().await.map_err(classify)?.item;
        Ok(mark.map_or(Ok(NEVER), |mark| instant(&mark, CLEARED_AT, RESULT))?)
    }

    /// Sort keys of a part of the index after a digest, and whether there are more.
    async fn listed(&self, partition: String, after: &str, limit: usize) -> Result<(Vec<String>, bool), PortError> {
        let answer = self
            .client
            .query()
            .table_name(&self.name)
            .index_name(keys::INDEX)
            .projection_expression(keys::INDEX_SK)
            .key_condition_expression("gsi1pk = :pk AND gsi1sk > :after")
            .expression_attribute_values(":pk", text(partition))
            .expression_attribute_values(":after", text(keys::after_digest(after)))
            .limit(i32::try_from(limit).unwrap_or(i32::MAX))
            .send()
            .await
            .map_err(classify)?;
        let sort_key = |item: &Item| item.get(keys::INDEX_SK)?.as_s().ok().cloned();
        let found: Option<Vec<String>> = answer.items().iter().map(sort_key).collect();
        Ok((found.ok_or(Unreadable("index entry"))?, answer.last_evaluated_key.is_some()))
    }
}

fn entry_key(cache_key: &CacheKey) -> Item {
    key(keys::result(cache_key), keys::RESULT)
}

fn mark_key(cache: &CacheId) -> Item {
    key(keys::cache(cache), keys::CACHE)
}

/// The answer of an entry to a lookup: none if it has expired, its cache was cleared, or the caller holds the lease.
fn consulted(
    entry: &Item,
    lead: &FillLease,
    cleared_at: UnixMillis,
    now: UnixMillis,
) -> Result<Option<CacheAnswer>, Unreadable> {
    let (began_at, ends_at) = (instant(entry, BEGAN_AT, RESULT)?, instant(entry, ENDS_AT, RESULT)?);
    if ends_at <= now || began_at <= cleared_at {
        return Ok(None);
    }
    if entry.contains_key(OUTPUT) {
        let made_at = instant(entry, MADE_AT, RESULT)?;
        let output = read(entry, OUTPUT, RESULT)?;
        return Ok(Some(CacheAnswer::Hit(CachedResult { output, made_at, expires_at: ends_at })));
    }
    let leader: Owner = read(entry, LEADER, RESULT)?;
    Ok((leader != lead.leader).then_some(CacheAnswer::Filling(FillLease { leader, began_at, until: ends_at })))
}

/// Changes a lease. Without the lease it changes nothing; neither does a request that was repeated after its answer
/// was lost.
async fn changed(request: UpdateItemFluentBuilder) -> Result<(), PortError> {
    let Err(error) = request.send().await else { return Ok(()) };
    if matches!(error.as_service_error(), Some(UpdateItemError::ConditionalCheckFailedException(_))) {
        return Ok(());
    }
    Err(classify(error))
}

impl CacheListing<'_> {
    fn entry(&self) -> CacheEntry {
        let &Self { digest, made_at, expires_at, event, .. } = self;
        CacheEntry { digest: digest.to_owned(), event: event.to_owned(), made_at, expires_at }
    }
}

#[cfg(test)]
mod tests;
