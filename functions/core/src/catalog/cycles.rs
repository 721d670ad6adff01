//! Components that run each other: no circles, no chain that is too long, and no component that runs too much.

use std::collections::BTreeMap;

use super::event::EventRef;
use super::resolve::{Resolver, Target};
use crate::json::child;

/// The longest chain of components that run each other.
const MAX_CHAIN: usize = 16;
/// Maximum number of events that a component runs, including those of its components. Each is checked when a job is
/// scheduled, and without a bound a catalog of a few hundred bytes a component could ask for any number.
const MAX_EVENTS: usize = 1_000;

/// Finds components that run themselves, begin a chain that is too long, or run too many events; returns each pointer
/// with its fault.
///
/// Visits every component and every reference once.
pub(super) fn find(resolver: &Resolver<'_>) -> Vec<(String, String)> {
    let graph = Graph::of(resolver);
    let lengths = graph.chain_lengths();
    let circular = graph.circular(&lengths);
    let sizes = graph.sizes();
    let is_too_large = |node: usize| sizes[node] > MAX_EVENTS;
    let fault = |(node, pointer): (usize, String)| {
        // Longer chains contain one that is too long by one, and only that is named.
        if lengths[node] == Some(MAX_CHAIN + 1) {
            return Some((pointer, format!("begins a chain of more than {MAX_CHAIN} components that run each other")));
        }
        // Nor are those named that only contain such a one.
        if lengths[node].is_some() && is_too_large(node) && !graph.runs[node].iter().any(|inner| is_too_large(*inner)) {
            return Some((pointer, format!("comes to more than {MAX_EVENTS} events with those that it names")));
        }
        circular[node].then(|| (pointer, "comes back to itself through the events that it names".to_owned()))
    };
    graph.pointers.iter().cloned().enumerate().filter_map(fault).collect()
}

/// Components, by number, and who runs whom.
struct Graph {
    pointers: Vec<String>,
    runs: Vec<Vec<usize>>,
    run_by: Vec<Vec<usize>>,
    /// Number of events that each component names and that run nothing else.
    leaves: Vec<usize>,
}

impl Graph {
    fn of(resolver: &Resolver<'_>) -> Self {
        let nodes = components(resolver);
        let pointers: Vec<String> = nodes.iter().map(|(pointer, _)| pointer.clone()).collect();
        let numbers: BTreeMap<&str, usize> =
            pointers.iter().enumerate().map(|(number, pointer)| (pointer.as_str(), number)).collect();
        let number = |event: &EventRef<'_>| numbers.get(component(resolver, *event)?.as_str()).copied();
        let runs: Vec<Vec<usize>> =
            nodes.iter().map(|(_, events)| events.iter().filter_map(number).collect()).collect();
        let leaves = nodes.iter().zip(&runs).map(|((_, events), runs)| events.len() - runs.len()).collect();
        let mut run_by = vec![Vec::new(); runs.len()];
        for (node, next) in runs.iter().enumerate().flat_map(|(node, next)| next.iter().map(move |next| (node, next))) {
            run_by[*next].push(node);
        }
        Self { pointers, runs, run_by, leaves }
    }

    /// Length of the longest chain from each component; `None` if it reaches a circle.
    ///
    /// Works backwards from the ends (Kahn 1962), so neither depth nor repetition costs anything.
    fn chain_lengths(&self) -> Vec<Option<usize>> {
        let mut open: Vec<usize> = self.runs.iter().map(Vec::len).collect();
        let mut lengths = vec![1; open.len()];
        let mut ended: Vec<usize> = (0..open.len()).filter(|node| open[*node] == 0).collect();
        while let Some(node) = ended.pop() {
            for before in &self.run_by[node] {
                lengths[*before] = lengths[*before].max(lengths[node] + 1);
                open[*before] -= 1;
                if open[*before] == 0 {
                    ended.push(*before);
                }
            }
        }
        lengths.into_iter().zip(open).map(|(length, open)| (open == 0).then_some(length)).collect()
    }

    /// Number of events that each component runs. A component that reaches a circle is counted in part.
    fn sizes(&self) -> Vec<usize> {
        let mut open: Vec<usize> = self.runs.iter().map(Vec::len).collect();
        let mut sizes = self.leaves.clone();
        let mut ended: Vec<usize> = (0..open.len()).filter(|node| open[*node] == 0).collect();
        while let Some(node) = ended.pop() {
            for before in &self.run_by[node] {
                sizes[*before] = sizes[*before].saturating_add(sizes[node].max(1));
                open[*before] -= 1;
                if open[*before] == 0 {
                    ended.push(*before);
                }
            }
        }
        sizes
    }

    /// The components that are on a circle or between two, among those that reach one.
    fn circular(&self, lengths: &[Option<usize>]) -> Vec<bool> {
        let mut circular: Vec<bool> = lengths.iter().map(Option::is_none).collect();
        let mut entries: Vec<usize> =
            self.run_by.iter().map(|before| before.iter().filter(|node| circular[**node]).count()).collect();
        let mut outside: Vec<usize> =
            (0..circular.len()).filter(|node| circular[*node] && entries[*node] == 0).collect();
        while let Some(node) = outside.pop() {
            circular[node] = false;
            for next in self.runs[node].iter().filter(|next| lengths[**next].is_none()) {
                entries[*next] -= 1;
                if entries[*next] == 0 {
                    outside.push(*next);
                }
            }
        }
        circular
    }
}

/// Every component that runs others, by its pointer, with the events that it names.
fn components<'c>(resolver: &Resolver<'c>) -> Vec<(String, Vec<EventRef<'c>>)> {
    let runs = Target::all(resolver.catalog).into_iter().filter_map(|(_, target)| target.runs());
    runs.map(|runs| (at(&runs.path), runs.events.collect())).collect()
}

/// The pointer of the component that an event is, if it is one that runs others.
fn component(resolver: &Resolver<'_>, wanted: EventRef<'_>) -> Option<String> {
    Some(at(&resolver.target(wanted)?.runs()?.path))
}

fn at(names: &[&str]) -> String {
    names.iter().fold(String::new(), |pointer, name| child(&pointer, name))
}
