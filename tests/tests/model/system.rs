//! Everything that may happen next.

use std::collections::HashSet;
use std::sync::Mutex;

use carillon_core::ids::Fire;
use carillon_core::time::UnixMillis;
use stateright::{Model, Property};

use crate::journal::Request;
use crate::operation::{END, Operation, Progress};
use crate::properties;
use crate::world::{Budget, End, How, World};

/// A tick of the clock, ms. Whatever is due, is due at one.
const TICK_MS: i64 = 1_000;
/// Fires that are worked on at the same time.
const EXECUTORS: usize = 2;
/// Requests that are answered at the same time.
const CALLERS: usize = 2;

/// An order of things that is wrong, to see that it is found out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flaw {
    /// The timer is armed after what it is for is stored.
    StoresBeforeItArms,
    /// A message is acknowledged when it is received.
    AcknowledgesOnReceipt,
    /// The last write wins: a claim takes no lease that others respect.
    StoresUnconditionally,
}

/// The model: what may go wrong, and what may be asked for.
#[derive(Debug, Default)]
pub(crate) struct System {
    pub(crate) budget: Budget,
    pub(crate) changes: Vec<Operation>,
    pub(crate) flaw: Option<Flaw>,
    /// The states from which the job is known to end, by whether the target answers.
    pub(crate) at_rest: [Mutex<HashSet<u64>>; 2],
}

/// One step of one process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// A caller asks for a change.
    Ask(Operation),
    /// A message reaches an executor.
    Deliver { message: usize, fire: Fire },
    /// As before, and the message stays in the queue.
    DeliverTwice { message: usize, fire: Fire },
    /// An operation has its next request done.
    Step { who: usize, how: How },
    /// As before, and the process dies once the fate of its message is decided.
    LastStep { who: usize, how: How },
    /// A process dies.
    Crash { who: usize },
    /// Time passes.
    Tick,
}

impl Model for System {
    type State = World;
    type Action = Action;

    fn init_states(&self) -> Vec<World> {
        vec![World::new(self.budget)]
    }

    fn actions(&self, world: &World, actions: &mut Vec<Action>) {
        for (who, running) in world.running.iter().enumerate() {
            let ways: &[How] = match running.progress() {
                Progress::Asks(Request::Dispatch(_) | Request::Disarm(_)) => &[How::Works, How::Fails],
                Progress::Asks(Request::Arm(..)) if world.left.arm_faults > 0 => ALL_WAYS,
                Progress::Asks(Request::Insert(_) | Request::Commit(..)) if world.left.store_faults > 0 => ALL_WAYS,
                Progress::Asks(Request::Get) if world.left.store_faults > 0 => &[How::Works, How::Fails],
                _ => &[How::Works],
            };
            actions.extend(ways.iter().map(|how| Action::Step { who, how: *how }));
            if world.left.crashes > 0 {
                actions.push(Action::Crash { who });
                actions.extend(ways.iter().map(|how| Action::LastStep { who, how: *how }));
            }
        }
        let executors = world.running.iter().filter(|running| running.is_executor()).count();
        if executors < EXECUTORS {
            let is_new = |at: usize| at == 0 || world.messages[at] != world.messages[at - 1];
            let due = world.messages.iter().enumerate().filter(|(at, message)| message.at <= world.now && is_new(*at));
            for (message, it) in due {
                actions.push(Action::Deliver { message, fire: it.fire });
                if world.left.duplicates > 0 {
                    actions.push(Action::DeliverTwice { message, fire: it.fire });
                }
            }
        }
        if world.left.changes > 0 && world.job.is_some() && world.running.len() - executors < CALLERS {
            actions.extend(self.changes.iter().map(|change| Action::Ask(*change)));
        }
        if waits(world) {
            actions.push(Action::Tick);
        }
    }

    fn next_state(&self, world: &World, action: Action) -> Option<World> {
        let mut next = world.clone();
        match action {
            Action::Ask(change) => {
                next.left.changes -= 1;
                next.begin(change, None);
            }
            Action::Deliver { message, fire } => {
                next.messages.remove(message);
                let carries = (self.flaw != Some(Flaw::AcknowledgesOnReceipt)).then_some(fire);
                next.begin(Operation::Execute(fire), carries);
            }
            Action::DeliverTwice { message, fire } => {
                next.left.duplicates -= 1;
                next.messages[message].is_timer = false;
                next.begin(Operation::Execute(fire), Some(fire));
            }
            Action::Step { who, how } => next.step(who, how, End::Concludes, self.flaw)?,
            Action::LastStep { who, how } => next.step(who, how, End::Dies, self.flaw)?,
            Action::Crash { who } => next.crash(who),
            Action::Tick => next.now = next.now.plus(TICK_MS),
        }
        Some(next.normal(self.flaw))
    }

    fn properties(&self) -> Vec<Property<Self>> {
        properties::all(self)
    }
}

const ALL_WAYS: &[How] = &[How::Works, How::Fails, How::LosesItsAnswer];

/// True if the clock can still make a difference.
fn waits(world: &World) -> bool {
    let is_ahead = |at: UnixMillis| at > world.now;
    let state = world.job.as_ref().map(|stored| &stored.job.state);
    let lease = state.and_then(|state| state.lease.as_ref()).map(|lease| lease.until);
    let wake_at = state.and_then(|state| state.wake_at);
    let is_waited_for = world.messages.iter().map(|message| message.at).chain(lease).chain(wake_at).any(is_ahead);
    let has_ended = state.is_none_or(|state| state.status.is_settled());
    is_waited_for || (!has_ended && world.now <= END)
}
