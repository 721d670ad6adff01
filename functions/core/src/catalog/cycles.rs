//! Which components run each other: none may come back to itself, no chain of them may be too long, and none may run too much.

use std::collections::BTreeMap;

use super::event::EventRef;
use super::resolve::{Resolver, Target};
use crate::json::child;

/// The longest chain of components that run each other.
const MAX_CHAIN: usize = 16;
/// So many events a component may come to, with all that its components run. Each of them is looked at when a job is scheduled:
/// without a bound a catalog of a few hundred bytes a component could ask for any number of them.
const MAX_EVENTS: usize = 1_000;

/// The pointers of components that come back to themselves or begin a chain that is too long, or come to too many events, with the fault.
///
/// Looks at every component and at every reference once.
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
    /// How many events each names that run nothing else.
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

    /// How many components the longest chain from each has; `None` for those that reach a circle.
    ///
    /// Goes from the ends backwards (Kahn 1962), so that neither depth nor repetition costs anything.
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

    /// How many events each comes to. Those that reach a circle come to no end, and are counted in part.
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

    /// Which of those that reach a circle are on one, or between two.
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
