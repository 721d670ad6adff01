//! The stored state, the messages and the operations in progress, and the effect of each request.

use std::cmp::Ordering;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use carillon_core::ids::{Fire, Owner};
use carillon_core::operations::Verdict;
use carillon_core::time::UnixMillis;

use crate::history::History;
use crate::journal::{Answer, Journal, Request, Snapshot};
use crate::operation::{NAMING_BITS, Operation, Progress, START, advance};
use crate::system::Flaw;

/// A state of the model.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct World {
    pub(crate) now: UnixMillis,
    pub(crate) job: Option<Snapshot>,
    /// Sorted, as their order means nothing.
    pub(crate) messages: Vec<Message>,
    /// Sorted too: it makes no difference which executor it is that works on something.
    pub(crate) running: Vec<Running>,
    pub(crate) history: History,
    pub(crate) left: Budget,
}

/// The faults and requests that may still happen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Budget {
    pub(crate) crashes: u8,
    pub(crate) arm_faults: u8,
    pub(crate) store_faults: u8,
    pub(crate) duplicates: u8,
    pub(crate) changes: u8,
}

/// A timer, or a message in the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Message {
    /// It can be delivered from here on, at any time.
    pub(crate) at: UnixMillis,
    pub(crate) fire: Fire,
    /// Never delivered so far: it can be taken back, and is not armed twice.
    pub(crate) is_timer: bool,
}

/// An operation that is under way.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Running {
    pub(crate) operation: Operation,
    /// The message that is being worked on.
    pub(crate) carries: Option<Fire>,
    /// Its random bits.
    bits: u128,
    place: Place,
    /// It cannot promise that the job stays paused, because it is resumed meanwhile.
    pub(crate) is_countered: bool,
    /// The timer that a flaw makes it arm too late.
    owes: Option<(Fire, UnixMillis)>,
}

/// An operation's progress, which follows from its journal.
#[derive(Clone, Debug)]
struct Place {
    journal: Journal,
    progress: Arc<Progress>,
    /// The part that distinguishes it from others.
    name: u64,
}

impl Place {
    fn new((journal, progress): (Journal, Arc<Progress>)) -> Self {
        Self { name: 0, journal, progress }
    }

    fn rename(&mut self, is_overtaken: impl Fn(Option<u64>) -> bool) {
        let asked = match &*self.progress {
            Progress::Asks(request) => Some(request),
            _ => None,
        };
        self.name = self.journal.place(asked, is_overtaken);
    }
}

impl PartialEq for Place {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Place {}

impl PartialOrd for Place {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// Any order will do, so long as it is one.
impl Ord for Place {
    fn cmp(&self, other: &Self) -> Ordering {
        self.name.cmp(&other.name)
    }
}

impl Hash for Place {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        self.name.hash(hasher);
    }
}

impl Running {
    pub(crate) fn progress(&self) -> &Progress {
        &self.place.progress
    }

    pub(crate) fn is_executor(&self) -> bool {
        matches!(self.operation, Operation::Execute(_))
    }

    fn is_answered(&mut self, request: &Request, answer: Answer, now: UnixMillis) {
        let journal = self.place.journal.answered(request, answer);
        self.place = Place::new(advance(self.operation, &journal, now, self.bits));
    }
}

/// The course of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum How {
    Works,
    /// Nothing is done. Of a target: it answers that it could not. Of a timer to take back: it is too late.
    Fails,
    /// It is done, and the answer is lost.
    LosesItsAnswer,
}

fn stores(request: &Request) -> bool {
    matches!(request, Request::Insert(_) | Request::Commit(..))
}

/// True if it resumes a paused job, or one whose attempt failed during the pause.
fn releases(operation: Operation) -> bool {
    matches!(operation, Operation::Resume | Operation::Retry)
}

/// The fate of a process that learns the fate of its message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// It does that.
    Concludes,
    /// It dies before.
    Dies,
}

impl World {
    /// Somebody is about to schedule the job.
    pub(crate) fn new(left: Budget) -> Self {
        let (messages, running, history) = (Vec::new(), Vec::new(), History::default());
        let mut world = Self { now: START, job: None, messages, running, history, left };
        world.begin(Operation::Schedule, None);
        world.normal(None)
    }

    /// The world without irrelevant differences: the order of unordered things, the time for which a message could
    /// have been delivered, and pending writes that are overtaken already.
    pub(crate) fn normal(mut self, flaw: Option<Flaw>) -> Self {
        let revision = self.job.as_ref().map(|stored| stored.job.state.revision);
        let is_overtaken = |base| base != revision && flaw != Some(Flaw::StoresUnconditionally);
        self.running.iter_mut().for_each(|running| running.place.rename(is_overtaken));
        self.messages.iter_mut().for_each(|message| message.at = message.at.max(self.now));
        self.messages.sort_unstable();
        self.running.sort_unstable();
        self
    }

    /// Begins an operation. One that reads the job first has read it, because no other process sees the state before.
    pub(crate) fn begin(&mut self, operation: Operation, carries: Option<Fire>) {
        let bits = if matches!(operation, Operation::Execute(_)) { self.free_bits() } else { NAMING_BITS };
        let is_countered = self.running.iter().any(|other| releases(other.operation));
        let place = Place::new(advance(operation, &Journal::default(), self.now, bits));
        let mut running = Running { operation, carries, bits, place, is_countered, owes: None };
        if releases(operation) {
            self.history.is_held = false;
            self.running.iter_mut().for_each(|other| other.is_countered = true);
        }
        if matches!(running.progress(), Progress::Asks(Request::Get)) {
            running.is_answered(&Request::Get, Answer::Job(self.job.clone()), self.now);
        }
        self.goes_on(running, End::Concludes);
    }

    /// The smallest number that no pending writer uses: enough to be distinguished from theirs.
    fn free_bits(&self) -> u128 {
        let lease = self.job.as_ref().and_then(|stored| stored.job.state.lease.as_ref());
        let is_taken = |bits: u128| {
            self.running.iter().any(|running| running.bits == bits)
                || lease.is_some_and(|lease| lease.owner == Owner::new(bits))
        };
        (NAMING_BITS + 1..u128::MAX).find(|bits| !is_taken(*bits)).unwrap_or_default()
    }

    /// Removes what has ended, with its message if that is acknowledged.
    fn goes_on(&mut self, running: Running, end: End) {
        match running.progress() {
            Progress::Asks(_) => self.running.push(running),
            Progress::Accepted => self.history.acknowledges(running.operation, running.is_countered),
            Progress::Refused => {}
            Progress::Concluded(_) if end == End::Dies => {
                self.left.crashes -= 1;
                self.comes_back(running.carries, self.now);
            }
            Progress::Concluded(verdict) => self.conclude(running.carries, verdict.as_ref()),
        }
    }

    /// The next step of one operation in progress. `None` if it does not end as wanted.
    pub(crate) fn step(&mut self, who: usize, how: How, end: End, flaw: Option<Flaw>) -> Option<()> {
        let mut running = self.running.remove(who);
        let progress = Arc::clone(&running.place.progress);
        let arms_later = flaw == Some(Flaw::StoresBeforeItArms);
        match (&*progress, running.owes) {
            (Progress::Asks(Request::Arm(fire, at)), None) if arms_later => {
                running.owes = Some((*fire, *at));
                running.is_answered(&Request::Arm(*fire, *at), Answer::Done, self.now);
            }
            (Progress::Asks(request), owed) if owed.is_none() || stores(request) => {
                let answer = self.answer(request, how, flaw);
                running.is_answered(request, answer, self.now);
            }
            (_, owed) => {
                let (fire, at) = owed?;
                running.owes = None;
                self.arm(fire, at);
            }
        }
        let has_ended = matches!(running.progress(), Progress::Concluded(_));
        if end == End::Dies && (!has_ended || running.carries.is_none()) {
            return None;
        }
        if running.owes.is_some() {
            self.running.push(running);
        } else {
            self.goes_on(running, end);
        }
        Some(())
    }

    fn answer(&mut self, request: &Request, how: How, flaw: Option<Flaw>) -> Answer {
        match (request, how) {
            (Request::Arm(..), How::Fails | How::LosesItsAnswer) => self.left.arm_faults -= 1,
            (Request::Dispatch(_) | Request::Disarm(_), _) | (_, How::Works) => {}
            (Request::Insert(_) | Request::Get | Request::Commit(..), _) => self.left.store_faults -= 1,
        }
        let is_done = how != How::Fails;
        let answer = match request {
            Request::Get => Answer::Job(self.job.clone()),
            Request::Insert(new) => {
                let is_free = self.job.is_none();
                if is_free && is_done {
                    self.job = Some(new.clone());
                }
                Answer::WriteOutcome(is_free)
            }
            Request::Commit(transition, after) => {
                let found = self.job.as_ref().map(|stored| stored.job.state.revision);
                let is_next =
                    found == Some(transition.before.state.revision) || flaw == Some(Flaw::StoresUnconditionally);
                if is_next && is_done {
                    self.history.stores(transition);
                    self.job = Some(after.clone());
                }
                Answer::WriteOutcome(is_next)
            }
            Request::Arm(fire, at) => {
                if is_done {
                    self.arm(*fire, *at);
                }
                Answer::Done
            }
            Request::Disarm(fire) => {
                if is_done {
                    self.messages.retain(|message| !message.is_timer || message.fire != *fire);
                }
                // Nobody is told whether it came in time.
                return Answer::Done;
            }
            Request::Dispatch(fire) => {
                self.history.dispatches(*fire);
                Answer::Done
            }
        };
        if how == How::Works { answer } else { Answer::Failed }
    }

    /// The earlier of two timers of one fire holds.
    fn arm(&mut self, fire: Fire, at: UnixMillis) {
        match self.messages.iter_mut().find(|message| message.is_timer && message.fire == fire) {
            Some(armed) => armed.at = armed.at.min(at),
            None => self.messages.push(Message { at, fire, is_timer: true }),
        }
    }

    /// The fate of a message. It is a single step with the last answer, because no other process sees it stay a
    /// little longer.
    fn conclude(&mut self, carries: Option<Fire>, verdict: Option<&Verdict>) {
        match verdict {
            Some(Verdict::Acknowledge | Verdict::DeadLetter(_)) => {}
            Some(Verdict::Redeliver { at }) => self.comes_back(carries, *at),
            // The grace of a message is longer than the time from arming a timer to storing its job.
            Some(Verdict::Unknown) if self.running.is_empty() => {}
            Some(Verdict::Unknown) | None => self.comes_back(carries, self.now),
        }
    }

    fn comes_back(&mut self, carries: Option<Fire>, at: UnixMillis) {
        let at = at.max(self.now);
        self.messages.extend(carries.map(|fire| Message { at, fire, is_timer: false }));
    }

    /// One of those that are under way dies. Its message comes back.
    pub(crate) fn crash(&mut self, who: usize) {
        let died = self.running.remove(who);
        self.left.crashes -= 1;
        self.comes_back(died.carries, self.now);
    }
}
