//! One recurring job in every possible order of steps: two runs, two executors, two callers that pause, resume, cancel or retry
//! it, crashes, and timers that cannot be armed.
//!
//! The model has no copy of the production order of things: it runs `operations::{schedule, execute, pause, …}` themselves.
//! Each call of a port is one step, and `stateright` tries every next step of every process in every state. A future cannot
//! be copied into a state, but its answers can: an operation is run again from its journal ([`journal`]), which always leads to
//! the same place. So the checked code is the production code, over the same `machine::decide`.
//!
//! Simplifications: time passes in ticks of a second, at any step; a message can be delivered at any time after it is due; a
//! process that arms a timer stores its job, or dies, before the grace of the timer's message is over; places and jobs that
//! differ only in fields that no decision reads are one state ([`journal::Journal::place`]).
//!
//! `CARILLON_MODEL=large cargo test -p carillon-tests --test model -- --nocapture` adds faults: messages that are
//! delivered twice, writes that fail, edits and runs outside the schedule.

#[path = "model/history.rs"]
mod history;
#[path = "model/journal.rs"]
mod journal;
#[path = "model/operation.rs"]
mod operation;
#[path = "model/properties.rs"]
mod properties;
#[path = "model/system.rs"]
mod system;
#[path = "model/world.rs"]
mod world;

use carillon_tests::env::variable;
use stateright::{Checker, HasDiscoveries, Model as _};

use crate::operation::Operation::{Cancel, Edit, Pause, Resume, Retry, RunNow};
use crate::properties::{CARRIED, ONE_OUTCOME};
use crate::system::{Flaw, System};
use crate::world::Budget;

const THREADS: usize = 2;

const NOTHING: Budget = Budget { crashes: 0, arm_faults: 0, store_faults: 0, duplicates: 0, changes: 0 };

/// Explores a system to the end; says how many states it has.
fn explore(name: &str, system: System) -> usize {
    let checker = system.checker().threads(THREADS).finish_when(HasDiscoveries::AnyFailures).spawn_bfs().join();
    for (property, path) in checker.discoveries() {
        let is_broken = checker.model().property(property).expectation.discovery_is_failure();
        assert!(!is_broken, "{name}: it does not hold that {property}\n{path}");
    }
    assert!(checker.is_done(), "{name}: not explored to the end");
    let states = checker.unique_state_count();
    println!("{name}: {states} states, {} steps, {} deep", checker.state_count(), checker.max_depth());
    states
}

#[test]
fn whatever_happens_in_whatever_order_the_guarantees_hold() {
    let is_large = variable("CARILLON_MODEL").is_some_and(|size| size == "large");
    let more = u8::from(is_large);
    let system = |budget, changes: &[_]| System { budget, changes: changes.to_vec(), ..System::default() };
    let mut states = 0;
    let crashes = Budget { crashes: 2 + more, ..NOTHING };
    states += explore("crashes", system(crashes, &[]));
    let without_timer = Budget { crashes: 1, arm_faults: 1 + more, ..NOTHING };
    states += explore("timers that cannot be armed", system(without_timer, &[]));
    let held = Budget { changes: 2, ..NOTHING };
    states += explore("a pause and a resume", system(held, &[Pause, Resume]));
    let called_off = Budget { crashes: 1, changes: 1, ..NOTHING };
    states += explore("a change and a crash", system(called_off, &[Pause, Cancel, Retry]));
    if is_large {
        states += explore("messages that come twice", system(Budget { crashes: 1, duplicates: 1, ..NOTHING }, &[]));
        states += explore("writes that fail", system(Budget { store_faults: 1, ..NOTHING }, &[]));
        states += explore(
            "any change",
            system(Budget { changes: 1, ..NOTHING }, &[Pause, Resume, Cancel, RunNow, Retry, Edit]),
        );
    }
    println!("{states} states in all");
}

/// Explores until this property fails.
fn is_found_out(flaw: Flaw, budget: Budget, property: &'static str) {
    let system = System { budget, flaw: Some(flaw), ..System::default() };
    let until = HasDiscoveries::AllOf([property].into());
    let checker = system.checker().finish_when(until).spawn_bfs().join();
    let path = checker.discovery(property).unwrap_or_else(|| panic!("{flaw:?} was not found out"));
    println!("{flaw:?}: it does not hold that {property}\n{path}");
}

#[test]
fn a_timer_that_is_armed_after_its_job_is_stored_is_found_out() {
    is_found_out(Flaw::StoresBeforeItArms, Budget { crashes: 1, ..NOTHING }, CARRIED);
}

#[test]
fn a_message_that_is_acknowledged_when_it_is_received_is_found_out() {
    is_found_out(Flaw::AcknowledgesOnReceipt, Budget { crashes: 1, ..NOTHING }, CARRIED);
}

#[test]
fn a_claim_that_others_do_not_respect_is_found_out() {
    is_found_out(Flaw::StoresUnconditionally, Budget { duplicates: 1, ..NOTHING }, ONE_OUTCOME);
}
