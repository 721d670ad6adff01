//! The result cache: results, and leases of runs that are about to make one.
//!
//! A row without an output is a lease. `expires_at` ends both results and leases.

use carillon_core::cache::{CacheId, CacheKey};
use carillon_core::ids::Owner;
use carillon_core::job::Output;
use carillon_core::ports::{
    CacheAnswer, CacheEntry, CachePage, CachedResult, FillLease, PortError, ResultCache, WriteOutcome,
};
use carillon_core::time::UnixMillis;
use rusqlite::{Connection, params};

use super::fault::Fault;
use super::rows::{json, parsed};
use super::writer::{Write, WriteSession};
use super::{Effects, Store};

pub(super) const FIND: &str = "
    SELECT began_at, expires_at, leader, output FROM results
    WHERE product = ?1 AND env = ?2 AND tag = ?3 AND digest = ?4 AND expires_at > ?5";
/// Takes the lease, unless there is a result or a valid lease of another run.
pub(super) const LEAD: &str = "
    INSERT INTO results (product, env, tag, digest, event, began_at, expires_at, leader) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
    ON CONFLICT DO UPDATE SET
        event = excluded.event, began_at = excluded.began_at, expires_at = excluded.expires_at, leader = excluded.leader,
        output = NULL
    WHERE expires_at <= ?6";
pub(super) const FILL: &str = "
    UPDATE results SET began_at = ?6, expires_at = ?7, leader = '', output = ?8
    WHERE product = ?1 AND env = ?2 AND tag = ?3 AND digest = ?4 AND leader = ?5";
pub(super) const RELEASE: &str =
    "DELETE FROM results WHERE product = ?1 AND env = ?2 AND tag = ?3 AND digest = ?4 AND leader = ?5";
pub(super) const ENTRIES: &str = "
    SELECT digest, event, began_at, expires_at FROM results
    WHERE product = ?1 AND env = ?2 AND tag = ?3 AND digest > ?4 AND expires_at > ?5 AND output IS NOT NULL
    ORDER BY digest LIMIT ?6";
pub(super) const CLEAR: &str = "DELETE FROM results WHERE product = ?1 AND env = ?2 AND tag = ?3";
/// Deletes a few expired rows. Each new lease deletes more than it adds, so they never pile up.
pub(super) const FORGET: &str = "
    DELETE FROM results WHERE (product, env, tag, digest) IN
    (SELECT product, env, tag, digest FROM results WHERE expires_at <= ?1 ORDER BY expires_at LIMIT 8)";

/// Attempts at a lease that other runs take and release meanwhile.
const ATTEMPTS_AT_A_LEASE: usize = 4;

impl ResultCache for Store {
    async fn lookup(&self, key: &CacheKey, lead: &FillLease, now: UnixMillis) -> Result<CacheAnswer, PortError> {
        for _ in 0..ATTEMPTS_AT_A_LEASE {
            match self.readers.read(|db| find(db, key, now))? {
                // Its own lease, from a request whose answer was lost.
                Some(CacheAnswer::Filling(own)) if own.leader == lead.leader => return Ok(CacheAnswer::Miss),
                Some(known) => return Ok(known),
                None => {}
            }
            let write = Lease { key: key.clone(), lead: lead.clone(), leader: name(&lead.leader)? };
            if self.writer.write(write).await? == WriteOutcome::Done {
                return Ok(CacheAnswer::Miss);
            }
        }
        Err(PortError::Throttled("others keep taking the lease of a result".into()))
    }

    async fn fill(&self, key: &CacheKey, leader: &Owner, result: &CachedResult) -> Result<(), PortError> {
        let output = json(|| format!("a result of the cache {}", key.cache), &result.output)?;
        let fill = Fill {
            key: key.clone(),
            leader: name(leader)?,
            made_at: result.made_at,
            expires_at: result.expires_at,
            output,
        };
        self.writer.write(fill).await.map(drop)
    }

    async fn release(&self, key: &CacheKey, leader: &Owner) -> Result<(), PortError> {
        self.writer.write(Release { key: key.clone(), leader: name(leader)? }).await.map(drop)
    }

    async fn entries(
        &self,
        cache: &CacheId,
        after: Option<&str>,
        limit: usize,
        now: UnixMillis,
    ) -> Result<CachePage, PortError> {
        let (cache, after) = (cache.clone(), after.unwrap_or_default().to_owned());
        let page = move |db: &Connection| {
            let one_more = i64::try_from(limit).unwrap_or(i64::MAX).saturating_add(1);
            let mut statement = db.prepare_cached(ENTRIES)?;
            let wanted = params![cache.product, cache.env, cache.tag, after, now.0, one_more];
            let entries = statement.query_map(wanted, |row| {
                let (made_at, expires_at) = (UnixMillis(row.get(2)?), UnixMillis(row.get(3)?));
                Ok(CacheEntry { digest: row.get(0)?, event: row.get(1)?, made_at, expires_at })
            })?;
            Ok(CachePage::cut(entries.collect::<Result<_, _>>()?, limit))
        };
        self.readers.read_page(page).await
    }

    async fn clear(&self, cache: &CacheId, _: UnixMillis) -> Result<(), PortError> {
        self.writer.write(Clear { cache: cache.clone() }).await.map(drop)
    }
}

fn name(leader: &Owner) -> Result<String, Fault> {
    json(|| "the owner of a lease".to_owned(), leader)
}

fn find(db: &Connection, key: &CacheKey, now: UnixMillis) -> Result<Option<CacheAnswer>, Fault> {
    let what = || format!("a result of the cache {}", key.cache);
    let mut statement = db.prepare_cached(FIND)?;
    let CacheId { product, env, tag } = &key.cache;
    let mut rows = statement.query(params![product, env, tag, key.digest, now.0])?;
    let Some(row) = rows.next()? else { return Ok(None) };
    let (began_at, until) = (UnixMillis(row.get(0)?), UnixMillis(row.get(1)?));
    if row.get_ref(3)?.as_bytes_or_null().map_err(rusqlite::Error::from)?.is_none() {
        return Ok(Some(CacheAnswer::Filling(FillLease { leader: parsed(row, 2, what)?, began_at, until })));
    }
    let output: Output = parsed(row, 3, what)?;
    Ok(Some(CacheAnswer::Hit(CachedResult { output, made_at: began_at, expires_at: until })))
}

fn done_if(changed: usize) -> WriteOutcome {
    if changed == 0 { WriteOutcome::Conflict } else { WriteOutcome::Done }
}

struct Lease {
    key: CacheKey,
    lead: FillLease,
    leader: String,
}

impl Write for Lease {
    fn apply(&mut self, session: &mut WriteSession<'_>) -> Result<WriteOutcome, Fault> {
        let (CacheKey { cache, digest, event }, FillLease { began_at, until, .. }) = (&self.key, &self.lead);
        let row = params![cache.product, cache.env, cache.tag, digest, event, began_at.0, until.0, self.leader];
        let taken = session.db.prepare_cached(LEAD)?.execute(row)?;
        session.db.prepare_cached(FORGET)?.execute([began_at.0])?;
        Ok(done_if(taken))
    }

    fn take_effect(self: Box<Self>, _: &Effects) {}
}

struct Fill {
    key: CacheKey,
    leader: String,
    made_at: UnixMillis,
    expires_at: UnixMillis,
    output: String,
}

impl Write for Fill {
    fn apply(&mut self, session: &mut WriteSession<'_>) -> Result<WriteOutcome, Fault> {
        let CacheKey { cache, digest, .. } = &self.key;
        let (made_at, expires_at) = (self.made_at.0, self.expires_at.0);
        let row = params![cache.product, cache.env, cache.tag, digest, self.leader, made_at, expires_at, self.output];
        Ok(done_if(session.db.prepare_cached(FILL)?.execute(row)?))
    }

    fn take_effect(self: Box<Self>, _: &Effects) {}
}

struct Release {
    key: CacheKey,
    leader: String,
}

impl Write for Release {
    fn apply(&mut self, session: &mut WriteSession<'_>) -> Result<WriteOutcome, Fault> {
        let CacheKey { cache, digest, .. } = &self.key;
        let row = params![cache.product, cache.env, cache.tag, digest, self.leader];
        Ok(done_if(session.db.prepare_cached(RELEASE)?.execute(row)?))
    }

    fn take_effect(self: Box<Self>, _: &Effects) {}
}

struct Clear {
    cache: CacheId,
}

impl Write for Clear {
    fn apply(&mut self, session: &mut WriteSession<'_>) -> Result<WriteOutcome, Fault> {
        let CacheId { product, env, tag } = &self.cache;
        Ok(done_if(session.db.prepare_cached(CLEAR)?.execute([product, env, tag])?))
    }

    fn take_effect(self: Box<Self>, _: &Effects) {}
}
