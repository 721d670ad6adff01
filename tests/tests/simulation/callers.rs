//! The requests of callers, and checks of their answers.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use carillon_core::cache::CacheId;
use carillon_core::ids::JobId;
use carillon_core::job::{Job, RunStatus};
use carillon_core::time::UnixMillis;
use http::Method;
use serde_json::{Value, json};

use crate::actor::Actor;
use crate::catalogs::{Change, Edition, GONE, REMEMBERED_MS};
use crate::drive::Simulation;
use crate::exchange::{Answer, Asked};
use crate::mutation::Mutation;
use crate::named::Told;
use crate::oracle::SKEW_MS;
use crate::plan::{JobPlan, OnlyIf, What};
use crate::ports::pass;
use crate::series::Grid;
use crate::store::MAX_BEHIND_MS;
use crate::world::World;

/// From one look to the next nothing can have passed that is further ahead than this, ms.
const SOON_MS: i64 = 60_000;

impl Simulation {
    /// One request of a caller, or the few that belong to it.
    pub(crate) async fn request(self: Arc<Self>, job: Arc<JobPlan>, step: usize) -> Option<()> {
        let step = job.steps.get(step)?;
        let actor = self.actor_for(&job, step.number);
        // Nothing when the job was not accepted.
        let id = self.accepted(job.number)?;
        self.act(&actor, id, &step.what).await
    }

    /// A product's catalog is published anew, or deleted.
    pub(crate) async fn change(self: Arc<Self>, change: Change) -> Option<()> {
        let edition = change.edition;
        let actor = self.actor(format!("edition {}", edition.number), 1 << 32 | edition.number, 0);
        let path = format!("/v1/products/{}", change.product);
        let mut only_if = None;
        if let Some(thinks_ms) = change.thinks_ms {
            let read = self.ask(&actor, Asked::get(path.clone())).await?;
            pass(thinks_ms).await;
            let (seen, header) = match read.status {
                200 => (Edition::of(&read.body).number, ("if-match", read.etag)),
                404 => (GONE, ("if-none-match", "*".to_owned())),
                _ => return None,
            };
            actor.only_if.store(seen, Ordering::Relaxed);
            only_if = Some(header).filter(|_| self.shared.world().mutation != Some(Mutation::PreconditionIgnored));
        }
        let document = edition.document();
        let (asked, what) = if edition.is_gone {
            (Asked::new(Method::DELETE, path, &Value::Null), "catalog deleted")
        } else {
            (Asked::new(Method::PUT, path, &document), "catalog replaced")
        };
        let answer = self.ask(&actor, asked.with(only_if)).await?;
        self.shared.world().count(match answer.status {
            412 => "catalog answered 412",
            200..300 => what,
            _ => return None,
        });
        Some(())
    }

    /// Schedules a job, perhaps after a look at what would become of it. Gives the answer's status.
    pub(crate) async fn submit(&self, actor: &Arc<Actor>, job: &JobPlan, body: &Value, is_first: bool) -> Option<u16> {
        let mut preview = None;
        if job.is_previewed && is_first {
            preview = Some(self.ask(actor, Asked::new(Method::POST, "/v1/jobs/preview", body)).await?);
        }
        let wait = job.wait.map(|seconds| ("prefer", format!("wait={seconds}")));
        let asked_at = self.shared.now();
        let product = job.body["product_tag"].as_str().unwrap_or_default();
        let name = job.key.clone().map(|key| (product.to_owned(), key));
        if let Some(name) = &name {
            self.shared.world().oracle.named.asked(actor.id, name, body);
        }
        let key = job.key.clone().map(|key| ("idempotency-key", key));
        let answer = self.ask(actor, Asked::new(Method::POST, "/v1/jobs", body).with(wait).with(key)).await?;
        if let Some(name) = &name {
            let Answer { status, body: told, is_replayed, .. } = &answer;
            let told = Told { asked: body, asked_at, status: *status, body: told, is_replayed: *is_replayed };
            let mut world = self.shared.world();
            let now = self.shared.now();
            let wrong = world.oracle.named.answered(name, &told, now);
            world.oracle.right(wrong, "key of a request");
        }
        self.accepted_as_asked(actor, job, &answer, preview);
        Some(answer.status)
    }

    /// Holds the answer to a job that was asked for.
    fn accepted_as_asked(&self, actor: &Actor, job: &JobPlan, answer: &Answer, preview: Option<Answer>) -> Option<()> {
        let now = self.shared.now();
        let product = job.body["product_tag"].as_str().unwrap_or_default();
        let mut world = self.shared.world();
        let World { oracle, shelf, .. } = &mut *world;
        if answer.status == 422 {
            let was_so = shelf.had(product, actor.born_at, now, |edition| !edition.has_action);
            oracle.hold(was_so || !answer.body.to_string().contains("unknown_tag"), "catalog", || {
                format!("{} is refused for a catalog that has it: {}", actor.name, answer.body)
            });
        }
        let id = answer.body["job_id"].as_str().and_then(|id| id.parse::<JobId>().ok())?;
        world.names.insert(id, format!("job{}", job.number));
        self.accept(job.number, id);
        let stored = world.tables.jobs.get(&id).cloned();
        let World { oracle, shelf, .. } = &mut *world;
        oracle.hold(stored.is_some(), "I1", || format!("{id} was accepted, and is not stored"));
        let from = actor.born_at.plus(-REMEMBERED_MS - SKEW_MS);
        let was_so = shelf.had(product, from, now, |edition| edition.has_action);
        // An accepted job stays accepted, whatever the catalog defines later.
        oracle.hold(was_so || answer.is_replayed, "catalog", || {
            format!("{id} was accepted for an event that is in no catalog")
        });
        if answer.status == 200 {
            world.count("wait answered");
            let is_so = world.runs(id).any(|run| {
                let status = run.outcome.as_ref().map(|outcome| RunStatus::from(outcome).to_string());
                run.run_no == 1
                    && status.as_deref() == answer.body["status"].as_str()
                    && answer.body["attempts"] == run.attempts
                    && answer.body["ended_at"] == json!(run.ended_at)
            });
            world.oracle.hold(is_so, "API", || format!("{id} is said to have ended: {}", answer.body));
        }
        if let (Some(preview), Some(stored)) = (preview.filter(|it| it.status == 200 && !answer.is_replayed), stored) {
            world.count("previewed as it came");
            let wrong = foreseen(&preview.body, &stored, now);
            world.oracle.hold(wrong.is_none(), "preview", || format!("{id}: {}", wrong.unwrap_or_default()));
        }
        Some(())
    }

    /// One step of a job's caller.
    async fn act(&self, actor: &Arc<Actor>, id: JobId, what: &What) -> Option<()> {
        let (nothing, reason) = (Value::Null, json!({"reason": "no more"}));
        let to_job = |verb: &str| format!("/v1/jobs/{id}/{verb}");
        let delay;
        let (verb, body) = match what {
            What::Cancel => ("cancel", &reason),
            What::Pause => ("pause", &nothing),
            What::Resume => ("resume", &nothing),
            What::Run => ("run", &nothing),
            What::Retry { delay_ms } => {
                delay = json!({"delay": delay_ms});
                ("retry", &delay)
            }
            What::Edit { body, only_if } => return self.edit(actor, id, body, *only_if).await,
            What::Runs => return self.runs(actor, id).await,
            What::List { product, status, limit } => return self.list(actor, product, *status, *limit).await,
            What::Redrive(body) => return self.redrive(actor, body).await,
            What::Clear(cache) => return self.clear(actor, cache).await,
            What::Look(cache) => return self.look(actor, cache).await,
        };
        self.ask(actor, Asked::new(Method::POST, to_job(verb), body)).await.map(drop)
    }

    /// Edits a job, perhaps only if it has a certain revision.
    async fn edit(&self, actor: &Arc<Actor>, id: JobId, body: &Value, only_if: Option<OnlyIf>) -> Option<()> {
        let path = format!("/v1/jobs/{id}");
        let etag = match only_if {
            None => None,
            Some(OnlyIf::Any) => Some("*".to_owned()),
            Some(which) => {
                let read = self.ask(actor, Asked::get(path.clone())).await?;
                let revision: u64 = read.etag.trim_matches('"').parse().ok()?;
                let revision = if which == OnlyIf::Outdated { revision.saturating_sub(1) } else { revision };
                actor.only_if.store(revision, Ordering::Relaxed);
                Some(format!("\"{revision}\""))
            }
        };
        let asked = || Asked::new(Method::PATCH, path.clone(), body);
        let mutation = self.shared.world().mutation;
        let header = etag.map(|etag| ("if-match", etag)).filter(|_| mutation != Some(Mutation::PreconditionIgnored));
        let changes = actor.changes.load(Ordering::Relaxed);
        let answer = self.ask(actor, asked().with(header)).await?;
        if answer.status == 412 {
            self.shared.world().count("edit answered 412");
            if mutation == Some(Mutation::RefusedAndMade) {
                actor.only_if.store(u64::MAX, Ordering::Relaxed);
                self.send(actor, &asked()).await?;
                self.check(actor, "the edit", &answer, changes);
            }
        }
        let mut world = self.shared.world();
        world.oracle.hold(only_if != Some(OnlyIf::Outdated) || answer.status != 200, "If-Match", || {
            format!("{id} was changed by an edit for an earlier revision")
        });
        Some(())
    }

    /// Asks for a job's runs: they are the recorded ones.
    async fn runs(&self, actor: &Arc<Actor>, id: JobId) -> Option<()> {
        let before = self.shared.world().recorded(id);
        let page = self.ask(actor, Asked::get(format!("/v1/jobs/{id}/runs?limit=100"))).await?;
        if page.status == 200 && page.body["next_cursor"].is_null() {
            self.hold_told(id, &before, &told(&page.body));
        }
        Some(())
    }

    fn hold_told(&self, id: JobId, before: &Runs, told: &Runs) {
        let mut world = self.shared.world();
        // One may have ended meanwhile.
        let is_so = before.is_subset(told) && told.is_subset(&world.recorded(id));
        world.oracle.hold(is_so, "API", || format!("{id} has the runs {before:?}, and {told:?} are told of"));
    }

    /// Lists a product's jobs to the end: all of them, once, newest first, each in a state of a moment ago.
    async fn list(
        &self,
        actor: &Arc<Actor>,
        product: &'static str,
        status: Option<&'static str>,
        limit: usize,
    ) -> Option<()> {
        let since = self.shared.now().plus(-MAX_BEHIND_MS);
        let narrowed = status.map(|status| format!("&status={status}")).unwrap_or_default();
        let first = format!("/v1/jobs?product_tag={product}&env=dev&limit={limit}{narrowed}");
        let (mut listed, mut path) = (Vec::new(), first.clone());
        loop {
            let page = self.ask(actor, Asked::get(path)).await?;
            if page.status != 200 {
                return None;
            }
            for job in page.body["jobs"].as_array()? {
                let id = job["job_id"].as_str()?.parse::<JobId>().ok()?;
                listed.push((id, job["status"].as_str()?.to_owned()));
            }
            match page.body["next_cursor"].as_str() {
                Some(cursor) => path = format!("{first}&cursor={cursor}"),
                None => break,
            }
        }
        let mut world = self.shared.world();
        world.count("list read to its end");
        let World { tables, before, statuses, oracle, .. } = &mut *world;
        oracle.hold(listed.is_sorted_by(|(one, _), (next, _)| one > next), "list", || {
            format!("{product}: out of order, or twice: {listed:?}")
        });
        for (id, told) in &listed {
            let had = statuses.get(id).map_or(&[][..], Vec::as_slice);
            let ends = had.iter().skip(1).map(|(at, _)| *at).chain([UnixMillis::MAX]);
            let was_so = had.iter().zip(ends).any(|((_, status), end)| end >= since && status.to_string() == *told);
            let is_wanted = status.is_none_or(|status| status == told) && tables.jobs[id].spec.product == product;
            oracle.hold(was_so && is_wanted, "list", || format!("{id} is listed as {told}, and is not"));
        }
        let listed: BTreeSet<_> = listed.into_iter().map(|(id, _)| id).collect();
        for (id, job) in tables.jobs.iter().filter(|(_, job)| job.spec.product == product) {
            let is_settled = before.get(id).is_some_and(|(changed_at, _)| *changed_at < since);
            let is_wanted = status.is_none_or(|status| status == job.state.status.to_string());
            oracle.hold(!is_settled || !is_wanted || listed.contains(id), "list", || {
                format!("{id} is {} for long, and missing from a list", job.state.status)
            });
        }
        Some(())
    }

    /// Brings spent jobs back: as many as are said to be, and no more than asked for.
    async fn redrive(&self, actor: &Arc<Actor>, body: &Value) -> Option<()> {
        let changes = actor.changes.load(Ordering::Relaxed);
        let answer = self.ask(actor, Asked::new(Method::POST, "/v1/dead-letters/redrive", body)).await?;
        let mut world = self.shared.world();
        let retried = actor.changes.load(Ordering::Relaxed) - changes;
        if answer.status == 200 {
            let told = answer.body["redriven"].as_u64().unwrap_or(u64::MAX);
            world.count("redriven out of a list");
            let is_so = told <= retried && told <= body["limit"].as_u64().unwrap_or(100);
            world.oracle.hold(is_so, "API", || format!("{told} of {retried} are said to be redriven by {body}"));
        }
        Some(())
    }

    /// Clears a cache.
    async fn clear(&self, actor: &Arc<Actor>, cache: &CacheId) -> Option<()> {
        let asked_at = self.shared.now();
        let answer = self.ask(actor, Asked::new(Method::DELETE, path_of(cache), &Value::Null)).await?;
        if answer.status == 204 {
            self.shared.world().oracle.recalls.clear_answered(cache, asked_at, self.shared.now());
        }
        Some(())
    }

    /// Looks at a cache: what it is said to have was made, and is not forgotten.
    async fn look(&self, actor: &Arc<Actor>, cache: &CacheId) -> Option<()> {
        let asked_at = self.shared.now();
        let answer = self.ask(actor, Asked::get(path_of(cache))).await?;
        let mut world = self.shared.world();
        for entry in answer.body["entries"].as_array().into_iter().flatten() {
            world.count("entry of a cache looked at");
            let stored_at = UnixMillis(entry["stored_at"].as_i64().unwrap_or(0));
            let is_so = world.oracle.recalls.has_entry(cache, stored_at, asked_at);
            world.oracle.hold(is_so, "recall", || format!("{cache} is said to have {entry}"));
        }
        Some(())
    }

    /// Asks for the runs of a job to the end, as anybody may.
    pub(crate) async fn read_back(&self, id: JobId) {
        let before = self.shared.world().recorded(id);
        let first = format!("/v1/jobs/{id}/runs?limit=100");
        let (mut all, mut path) = (Runs::new(), first.clone());
        loop {
            let page = self.quietly(Method::GET, &path, &Value::Null).await;
            all.extend(told(&page));
            match page["next_cursor"].as_str() {
                Some(cursor) => path = format!("{first}&cursor={cursor}"),
                None => break,
            }
        }
        self.hold_told(id, &before, &all);
    }
}

fn path_of(cache: &CacheId) -> String {
    format!("/v1/products/{}/envs/{}/caches/{}", cache.product, cache.env, cache.tag)
}

/// The runs that have ended, by their names, and how.
type Runs = BTreeSet<(String, String)>;

/// Those of a page.
fn told(page: &Value) -> Runs {
    let runs = page["runs"].as_array().map_or(&[][..], Vec::as_slice);
    let ended = runs.iter().filter(|run| !run["ended_at"].is_null());
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    ended.map(|run| (text(&run["webhook_id"]), text(&run["status"]))).collect()
}

/// Holds a preview against the job that was then accepted, where both saw the same: says what is wrong with it.
fn foreseen(preview: &Value, job: &Job, now: UnixMillis) -> Option<String> {
    if job.spec.start_at < now.plus(SOON_MS) || job.state.run.run_no > 1 || job.state.run.generation > 1 {
        return None;
    }
    let runs = preview["runs"].as_array()?;
    let told: Vec<_> = runs.iter().filter_map(|run| run["due_at"].as_i64()).collect();
    if told.first() != Some(&job.state.run.due_at.0) {
        return Some(format!("it is due at {}, and {told:?} were foreseen", job.state.run.due_at));
    }
    let grid = Grid::of(job)?;
    let wrong = told.windows(2).find(|pair| grid.from(pair[0] + 1) != pair[1])?;
    Some(format!("foreseen are {wrong:?}, one after the other"))
}
