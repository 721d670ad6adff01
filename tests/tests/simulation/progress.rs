//! Checkpoints, counters, and failing options, each call with its latency and its luck.

use std::collections::BTreeMap;

use carillon_core::job::Output;
use carillon_core::ports::{Clock as _, PortError};
use carillon_core::progress::{Checkpoint, CheckpointId, Counted, CounterId, FallbackId, PartOutcome, RunId};
use carillon_core::testkit::{CheckpointCalls, CounterCalls, FallbackCalls};
use carillon_core::time::UnixMillis;

use crate::actor::Actor;
use crate::mutation::Mutation;
use crate::ports::Sim;
use crate::tallies::Tally;
use crate::world::World;

impl CheckpointCalls for Sim {
    async fn finished(&self, run: RunId, under: &str) -> Result<Vec<Checkpoint>, PortError> {
        let done = |world: &mut World, actor: &Actor, _| {
            world.oracle.composites.read(run, actor.id);
            let noted = world.tables.progress.finished(run, under);
            let emptied = |part| Checkpoint { outcome: PartOutcome::Completed(Output::default()), ..part };
            match world.mutation {
                Some(Mutation::DoneUnread) => Vec::new(),
                Some(Mutation::DoneEmptied) => noted.into_iter().map(emptied).collect(),
                _ => noted,
            }
        };
        self.call("parts", done).await
    }

    async fn save(&self, run: RunId, part: &Checkpoint, _: UnixMillis) -> Result<(), PortError> {
        self.shared.world().oracle.composites.notes(run, part, self.actor().id);
        let mut is_noted = false;
        let note = |world: &mut World, actor: &Actor, now: UnixMillis| {
            if world.mutation == Some(Mutation::NoteForgotten) {
                return;
            }
            is_noted = true;
            world.note(now, &actor.name, || format!("notes part {} of {}, run {}", part.place, run.job_id, run.run_no));
            world.tables.progress.save(run, part, now);
            let wrong = world.oracle.composites.noted(run, part, actor.id);
            world.oracle.blame(wrong);
        };
        let answer = self.call("note", note).await;
        if is_noted && answer.is_err() {
            self.shared.world().oracle.composites.count("part noted although the answer was lost");
        }
        answer
    }
}

impl Sim {
    /// A part is counted from here on.
    async fn begin(&self, counter: &CounterId, by: &CheckpointId, asked: Option<(u64, u64)>) {
        let actor = self.actor();
        actor.live().await;
        let (mut world, now) = (self.shared.world(), self.shared.now());
        world.note(now, &actor.name, || format!("asks {} for part {:?} of {}", counter.quota, by.place, by.run.job_id));
        let composites = &mut world.oracle.composites;
        let wrong = composites.begins(by.run, actor.id, &by.place);
        let wrong = wrong.or_else(|| composites.counts_for(counter, by, asked, actor.id, now));
        world.oracle.blame(wrong);
    }
}

/// The amount used of a counter, as the store says.
fn stored(world: &World, counter: &CounterId) -> u64 {
    world.tables.progress.used(counter)
}

impl CounterCalls for Sim {
    async fn used(&self, counter: &CounterId) -> Result<u64, PortError> {
        let used = self.call("used", |world, _, _| stored(world, counter)).await;
        self.shared.world().oracle.composites.checked(counter, used.as_ref().ok().copied(), self.actor().id);
        used
    }

    async fn add(&self, counter: &CounterId, by: &CheckpointId, amount: u64, limit: u64) -> Result<Counted, PortError> {
        self.begin(counter, by, Some((amount, limit))).await;
        let add = |world: &mut World, _: &Actor, _| {
            let told = match world.mutation {
                Some(Mutation::CountedAgain) => {
                    let place = format!("{}, call {}", by.place, world.calls);
                    world.tables.progress.add(counter, &CheckpointId { place, ..by.clone() }, amount, limit)
                }
                Some(Mutation::QuotaIgnored) => world.tables.progress.add(counter, by, amount, u64::MAX),
                _ => world.tables.progress.add(counter, by, amount, limit),
            };
            if matches!(told, Counted::Over { .. }) {
                world.count("quota over its limit");
            } else if world.oracle.composites.tallies.has(by) {
                world.count("counted before, and told so again");
            }
            let tally = Tally { counter, by, stored: stored(world, counter) };
            let wrong = world.oracle.composites.tallies.added(&tally, (amount, limit), told);
            world.oracle.right(wrong, "quota");
            told
        };
        let told = self.call("count", add).await;
        self.shared.world().oracle.composites.told(by, told.as_ref().ok().copied(), self.actor().id);
        told
    }

    async fn reset(&self, counter: &CounterId, by: &CheckpointId) -> Result<(), PortError> {
        self.begin(counter, by, None).await;
        let reset = |world: &mut World, _: &Actor, _| {
            world.tables.progress.reset(counter, by);
            world.count("counter begun anew");
            let tally = Tally { counter, by, stored: stored(world, counter) };
            let wrong = world.oracle.composites.tallies.reset(&tally);
            world.oracle.right(wrong, "quota");
        };
        let answer = self.call("reset", reset).await;
        let told = answer.as_ref().ok().map(|()| Counted::Counted { used: 0 });
        self.shared.world().oracle.composites.told(by, told, self.actor().id);
        answer
    }
}

impl FallbackCalls for Sim {
    async fn failing(&self, fallback: &FallbackId) -> Result<BTreeMap<String, UnixMillis>, PortError> {
        let failing = |world: &mut World, _: &Actor, _| world.tables.progress.failing(fallback);
        let told = self.call("failing", failing).await;
        let (mut world, now) = (self.shared.world(), self.now());
        // Without an answer they keep their order.
        let known = told.as_ref().ok().cloned().unwrap_or_default();
        world.oracle.composites.advised(fallback, &known, self.actor().id, now);
        if world.mutation == Some(Mutation::HealthIgnored) { Ok(BTreeMap::new()) } else { told }
    }

    async fn mark(&self, fallback: &FallbackId, option: &str, until: UnixMillis) -> Result<(), PortError> {
        let actor = self.actor();
        actor.live().await;
        {
            let fails = until > self.now();
            let mut world = self.shared.world();
            let wrong = world.oracle.composites.marks(fallback, option, fails, actor.id);
            world.oracle.blame(wrong);
        }
        let mark = |world: &mut World, _: &Actor, _| {
            world.tables.progress.mark(fallback, option, until);
        };
        self.call("mark", mark).await
    }
}
