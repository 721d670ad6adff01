//! The ports over the world, each call with its latency and its luck: timers, dead letters, the queue's client.

use std::fmt::Display;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use carillon_aws::queue::MAX_HIDING_SECONDS;
use carillon_aws::timers::{Arming, arming};
use carillon_core::ids::{Fire, JobId};
use carillon_core::job::RunError;
use carillon_core::ports::{Clock, Entropy, MAX_DELAY_SECONDS, Message, MessageQueue, PortError, Redriven};
use carillon_core::request::Capabilities;
use carillon_core::testkit::{DeadLetterCalls, Gate, PortCall, Tables, TimerCalls};
use carillon_core::time::UnixMillis;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep};

use crate::actor::Actor;
use crate::dice::{Dice, Fault};
use crate::mutation::Mutation;
use crate::plan::Plan;
use crate::world::World;

/// The defaults of the functions' settings.
const DELAY_THRESHOLD_SECONDS: i64 = 900;
const SCHEDULE_LEAD_SECONDS: i64 = 120;

/// Number of messages in 10,000 that are late, and of those that are delivered twice.
const COPIES_IN_10_000: usize = 800;

tokio::task_local! {
    /// The maker of the current API request.
    pub(crate) static CALLER: Arc<Actor>;
}

/// The parts that all actors share.
pub(crate) struct Shared {
    pub(crate) world: Mutex<World>,
    pub(crate) plan: Plan,
    pub(crate) dice: Dice,
    /// Somebody has put something into the queue.
    pub(crate) news: Notify,
    begun: Instant,
}

impl Shared {
    pub(crate) fn new(plan: Plan, world: World) -> Arc<Self> {
        let dice = Dice::new(plan.seed);
        Arc::new(Self { world: Mutex::new(world), plan, dice, news: Notify::new(), begun: virtual_now() })
    }

    pub(crate) fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().expect("nobody panics with the world in hand")
    }

    /// Now, by the one clock that is right.
    pub(crate) fn now(&self) -> UnixMillis {
        self.plan.begin.plus(i64::try_from((virtual_now() - self.begun).as_millis()).unwrap_or(i64::MAX))
    }

    /// When an instant is, by the runtime's clock.
    pub(crate) fn instant(&self, at: UnixMillis) -> Instant {
        self.begun + Duration::from_millis(u64::try_from(at.since(self.plan.begin)).unwrap_or(0))
    }
}

fn virtual_now() -> Instant {
    #[expect(clippy::disallowed_methods, reason = "the clock of a paused runtime is the virtual one")]
    Instant::now()
}

/// The ports of one actor, or of a request.
#[derive(Clone)]
pub(crate) struct Sim {
    pub(crate) shared: Arc<Shared>,
    pub(crate) actor: Option<Arc<Actor>>,
}

impl Sim {
    pub(crate) fn actor(&self) -> Arc<Actor> {
        self.actor.clone().unwrap_or_else(|| CALLER.with(Arc::clone))
    }

    /// Makes a call of a port.
    pub(crate) async fn call<T>(
        &self,
        what: impl Display + Send,
        mut act: impl FnMut(&mut World, &Actor, UnixMillis) -> T,
    ) -> Result<T, PortError> {
        let (actor, shared) = (self.actor(), &self.shared);
        actor.live().await;
        let (fate, id) = actor.next_fate(shared.dice, &shared.plan, shared.plan.is_calm(shared.now()));
        pass(fate.there_ms).await;
        actor.live().await;
        if fate.fault == Some(Fault::Twice) {
            act(&mut shared.world(), &actor, shared.now());
            actor.has_repeated.store(true, Ordering::Relaxed);
            pass(fate.back_ms).await;
            actor.live().await;
        }
        let answer = {
            let (mut world, now) = (shared.world(), shared.now());
            world.calls += 1;
            if let Some(fault) = fate.fault {
                world.faults.push(id);
                world.count(fault.name());
                world.note(now, &actor.name, || format!("meets {fault:?} at {what}"));
            }
            match fate.fault {
                Some(Fault::Before | Fault::Throttled | Fault::DeathBefore) => None,
                _ => Some(act(&mut world, &actor, now)),
            }
        };
        if let Some(Fault::DeathBefore | Fault::DeathAfter) = fate.fault {
            return self.die(&actor).await;
        }
        if fate.fault != Some(Fault::Twice) {
            pass(fate.back_ms).await;
        }
        actor.live().await;
        match (fate.fault, answer) {
            (Some(Fault::Throttled), _) => Err(PortError::Throttled("simulated".into())),
            (Some(Fault::After), _) | (_, None) => Err(PortError::Unavailable("simulated".into())),
            (_, Some(answer)) => Ok(answer),
        }
    }

    /// The process ends here and now, with all that it remembers; another one is started in its place.
    pub(crate) async fn die<T>(&self, actor: &Actor) -> T {
        self.shared.world().memories.remove(&actor.instance);
        actor.die().await
    }

    /// Sends a message: it may be late by hours, and come twice.
    fn post(&self, world: &mut World, message: &Message, delay_seconds: i64, now: UnixMillis) {
        let shared = &self.shared;
        let delay_ms = delay_seconds.clamp(0, MAX_DELAY_SECONDS) * 1_000;
        let mut random = shared.dice.roll(key_of(message.fire) ^ 0x5345_4e44, now.0.unsigned_abs());
        // Often enough for two messages of a fire to meet.
        let rate = if shared.plan.is_calm(now) || shared.plan.faults_in_10_000 == 0 { 0 } else { COPIES_IN_10_000 };
        let mut late_ms = || {
            let most = [0, 1_000, 40_000, 40_000, 600_000, 3 * 3_600_000][random.below(6)];
            if random.below(10_000) < rate { Some(i64::try_from(random.below(most)).unwrap_or(0)) } else { None }
        };
        let (late_ms, copy_ms) = (late_ms().unwrap_or(0), late_ms());
        for ms in copy_ms.into_iter().chain([late_ms]).filter(|ms| *ms > 0) {
            world.count(if ms < 3_600_000 { "message late" } else { "message late by more than an hour" });
        }
        world.queue.send(message, now.plus(delay_ms + late_ms), now);
        if let Some(copy_ms) = copy_ms {
            world.count("message twice");
            world.note(now, "queue", || format!("has {} twice, {copy_ms} ms later", message.fire));
            world.queue.send(message, now.plus(delay_ms + copy_ms), now);
        }
        shared.news.notify_one();
    }

    /// Chooses a delayed message or a schedule by the adapter's own decision.
    async fn arm_now(&self, fire: Fire, at: UnixMillis) -> Result<(), PortError> {
        let message = Message::new(fire, at);
        if self.shared.plan.is_embedded {
            // A process that has its hands full takes it up a little late.
            let late_ms = self.shared.dice.roll(key_of(fire) ^ 0x4c41_5445, fire.run_no.into()).below(1_000);
            let late_ms = i64::try_from(late_ms).unwrap_or(0);
            let arm = |world: &mut World, _: &Actor, now: UnixMillis| {
                world.queue.arm(&message, at, at.max(now).plus(late_ms));
            };
            self.call("arm", arm).await?;
            self.shared.news.notify_one();
            return Ok(());
        }
        let scheduled_at = match arming(at, self.now(), DELAY_THRESHOLD_SECONDS, SCHEDULE_LEAD_SECONDS) {
            Arming::Delay(seconds) => {
                return self.call("send", |world, _, now| self.post(world, &message, seconds, now)).await;
            }
            Arming::Schedule(scheduled_at) => UnixMillis(scheduled_at.0.div_euclid(1_000) * 1_000),
        };
        let dice = self.shared.dice;
        let created = self.call("create_schedule", |world, _, now| {
            let late_ms = dice.roll(key_of(fire) ^ 0x4c41_5445, fire.run_no.into()).below(60_000);
            if late_ms >= 30_000 {
                world.count("schedule late by half a minute");
            }
            let fires_at = scheduled_at.max(now).plus(i64::try_from(late_ms).unwrap_or(0));
            let is_new = world.queue.schedule(&message, scheduled_at, fires_at);
            self.shared.news.notify_one();
            is_new
        });
        if created.await? {
            return Ok(());
        }
        let standing = self.call("get_schedule", |world, _, _| world.queue.scheduled_at(fire)).await?;
        if standing == Some(scheduled_at) {
            return Ok(());
        }
        self.call("send", |world, _, now| self.post(world, &message, DELAY_THRESHOLD_SECONDS, now)).await
    }

    /// Changes that a mutant left for after the store's answer.
    pub(crate) async fn arm_deferred(&self, id: JobId) {
        let deferred = self.shared.world().deferred.remove(&id);
        if let Some((fire, at)) = deferred {
            self.arm_now(fire, at).await.unwrap_or_default();
        }
    }
}

/// The time that something takes.
pub(crate) async fn pass(ms: u64) {
    if ms > 0 {
        sleep(Duration::from_millis(ms)).await;
    }
}

/// The key of what is drawn for a fire.
pub(crate) fn key_of(fire: Fire) -> u64 {
    let id = u128::from_be_bytes(fire.job_id.to_bytes());
    let low = u64::try_from(id & u128::from(u64::MAX)).unwrap_or(0);
    low ^ u64::from(fire.generation) << 40 ^ u64::from(fire.run_no) << 8
}

impl TimerCalls for Sim {
    async fn arm(&self, fire: Fire, at: UnixMillis) -> Result<(), PortError> {
        let mutation = self.shared.world().mutation;
        if mutation == Some(Mutation::StoredBeforeArmed) {
            self.shared.world().deferred.insert(fire.job_id, (fire, at));
            return Ok(());
        }
        let armed = self.arm_now(fire, at).await;
        // Only the executor has a message to heal it with.
        let is_forgotten = mutation == Some(Mutation::ArmFaultForgotten) && self.actor.is_some();
        if is_forgotten { Ok(()) } else { armed }
    }

    async fn disarm(&self, fire: Fire) {
        // A timer that fires anyway does no harm.
        self.call("delete_schedule", |world, _, _| world.unschedule(fire)).await.unwrap_or_default();
    }
}

impl DeadLetterCalls for Sim {
    async fn redrive_all(&self, _: usize) -> Result<Redriven, PortError> {
        let redrive = |world: &mut World, actor: &Actor, now| {
            let is_new = world.queue.redrive(now);
            if is_new {
                actor.changed();
            } else {
                world.count("redrive under way");
            }
            is_new
        };
        let is_new = self.call("redrive", redrive).await?;
        self.shared.news.notify_one();
        Ok(if is_new { Redriven::Started } else { Redriven::UnderWay })
    }
}

impl Clock for Sim {
    fn now(&self) -> UnixMillis {
        self.shared.now().plus(self.actor().skew_ms)
    }
}

impl Entropy for Sim {
    fn bits(&self) -> u128 {
        self.actor().bits(self.shared.dice)
    }
}

/// A call that nothing watches.
impl Gate for Sim {
    async fn pass<T: Send>(
        &self,
        call: PortCall,
        mut act: impl FnMut(&mut Tables) -> T + Send,
    ) -> Result<T, PortError> {
        self.call(format!("{call:?}"), |world, _, _| act(&mut world.tables)).await
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities { secret_stores: &[], aws: Err("AWS services cannot be called here") }
    }
}

impl MessageQueue for Sim {
    async fn send(&self, message: &Message, delay_seconds: i64) -> Result<(), PortError> {
        self.call("send", |world, _, now| self.post(world, message, delay_seconds, now)).await
    }

    async fn defer(&self, receipt_handle: &str, seconds: i64) -> Result<(), PortError> {
        let number = receipt_handle.parse().unwrap_or(0);
        let ms = seconds.clamp(0, MAX_HIDING_SECONDS) * 1_000;
        self.call("defer", |world, _, now| world.queue.defer(number, now.plus(ms))).await?;
        self.shared.news.notify_one();
        Ok(())
    }

    async fn dead_letter(&self, message: &Message, _: &RunError) -> Result<(), PortError> {
        self.call("dead_letter", |world, actor, now| world.dead_letter(message, actor, now)).await
    }

    async fn dead_letter_unreadable(&self, body: &str) -> Result<(), PortError> {
        self.call("dead_letter", |world, _, _| world.oracle.hold(false, "message", || format!("unreadable: {body}")))
            .await
    }
}
