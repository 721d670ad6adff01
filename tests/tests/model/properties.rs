//! Properties of every state.

use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};
use std::sync::PoisonError;

use carillon_core::job::Status;
use stateright::{Model, Property};

use crate::journal::Request;
use crate::operation::{Progress, RETRIES};
use crate::system::{Action, System};
use crate::world::{How, World};

pub(crate) const ONE_OUTCOME: &str = "a fire has at most one recorded outcome (I2)";
pub(crate) const IN_THE_PLAN: &str = "no run beyond the limit or the end date is recorded (I3)";
pub(crate) const STORED: &str = "an acknowledged job is stored (I1)";
pub(crate) const CARRIED: &str = "an active job has a timer or a message that brings its fire, or arms it (I1, I4)";
pub(crate) const COUNTED: &str = "an attempt is counted before it is dispatched, retries + 1 at the most (I5)";
pub(crate) const HELD: &str = "no attempt begins once a pause or a cancel is acknowledged (I6)";
pub(crate) const RESTS: &str = "once nothing more goes wrong, the job settles or stays paused";

/// Everything that is checked of a system; of a sound one also that what the model is about does occur.
pub(crate) fn all(system: &System) -> Vec<Property<System>> {
    let mut all = vec![
        Property::always(ONE_OUTCOME, |_, world: &World| world.history.fires.values().all(|it| it.outcomes <= 1)),
        Property::always(IN_THE_PLAN, |_, world: &World| !world.history.broken.contains(IN_THE_PLAN)),
        Property::always(STORED, |_, world: &World| !world.history.is_acknowledged || world.job.is_some()),
        Property::always(CARRIED, |_, world: &World| is_carried(world)),
        Property::always(COUNTED, |_, world: &World| {
            world.history.fires.values().all(|it| it.dispatches <= it.attempts && it.attempts <= RETRIES + 1)
        }),
        Property::always(HELD, |_, world: &World| !world.history.broken.contains(HELD)),
        Property::always(RESTS, comes_to_rest),
    ];
    all.extend(system.flaw.is_none().then(occurrences).into_iter().flatten());
    all
}

fn occurrences() -> [Property<System>; 4] {
    [
        Property::sometimes("both runs complete", |_, world: &World| {
            status(world) == Some(Status::Completed)
                && world.history.fires.values().map(|it| it.outcomes).sum::<u32>() == 2
        }),
        Property::sometimes("the last attempt fails", |_, world: &World| status(world) == Some(Status::Failed)),
        Property::sometimes("two attempts of one fire are dispatched", |_, world: &World| {
            world.history.fires.values().any(|it| it.dispatches == 2)
        }),
        Property::sometimes("two executors are about to store something", |_, world: &World| {
            let stores = |running: &&crate::world::Running| {
                running.is_executor() && matches!(running.progress(), Progress::Asks(Request::Commit(..)))
            };
            world.running.iter().filter(stores).count() == 2
        }),
    ]
}

fn status(world: &World) -> Option<Status> {
    world.job.as_ref().map(|stored| stored.job.state.status)
}

fn is_active(world: &World) -> bool {
    matches!(status(world), Some(Status::Scheduled | Status::Queued | Status::Running))
}

fn is_carried(world: &World) -> bool {
    let Some(stored) = world.job.as_ref().filter(|_| is_active(world)) else { return true };
    let (fire, timer_missing) = (stored.job.fire(), stored.job.state.timer_missing);
    let in_hand = world.running.iter().filter_map(|running| running.carries);
    let mut carried = world.messages.iter().map(|message| message.fire).chain(in_hand);
    carried.any(|carried| carried == fire || (timer_missing && carried < fire))
}

/// Continues without another fault to the end: once with a target that answers, once with one that does not. Each
/// state leads to the next, so a state that is met again is known.
fn comes_to_rest(system: &System, world: &World) -> bool {
    [How::Works, How::Fails].into_iter().zip(&system.at_rest).all(|(target, known)| {
        let mut world = world.clone();
        let mut passed = Vec::new();
        loop {
            let name = BuildHasherDefault::<DefaultHasher>::new().hash_one(&world);
            if known.lock().unwrap_or_else(PoisonError::into_inner).contains(&name) {
                break;
            }
            if passed.contains(&name) {
                return false;
            }
            passed.push(name);
            let Some(action) = goes_on(system, &world, target) else {
                if is_active(&world) || !world.messages.is_empty() {
                    return false;
                }
                break;
            };
            world = system.next_state(&world, action).unwrap_or(world);
        }
        known.lock().unwrap_or_else(PoisonError::into_inner).extend(passed);
        true
    })
}

/// The next step if nothing goes wrong and no caller acts: what has begun continues, what is due is delivered, time
/// passes.
fn goes_on(system: &System, world: &World, target: How) -> Option<Action> {
    let mut actions = Vec::new();
    system.actions(world, &mut actions);
    let is_dispatch = |who: usize| matches!(world.running[who].progress(), Progress::Asks(Request::Dispatch(_)));
    let sound = |action: &Action| match action {
        Action::Step { who, how } => *how == if is_dispatch(*who) { target } else { How::Works },
        Action::Deliver { .. } => world.running.is_empty(),
        Action::Tick => true,
        Action::Ask(_) | Action::LastStep { .. } | Action::DeliverTwice { .. } | Action::Crash { .. } => false,
    };
    actions.into_iter().find(sound)
}
