//! Rules of the Rust code.

use std::collections::BTreeSet;

use crate::rust::Source;

/// The files outside the tests that may use the clock, randomness or the environment, against `disallowed-methods` in
/// `.clippy.toml`: a binary's main, and the adapter that is the port.
const EXEMPT: [(&str, &str); 6] = [
    ("functions/api/src/main.rs", "the main of a Lambda function reads its environment"),
    ("functions/aws/src/stack.rs", "the Clock and Entropy ports of a Lambda function"),
    ("functions/embedded/src/clock.rs", "the Clock port of one process"),
    ("functions/embedded/src/entropy.rs", "the Entropy port of one process"),
    ("functions/executor/src/main.rs", "the main of a Lambda function reads its environment"),
    ("functions/local/src/main.rs", "the main that reads the environment"),
];

/// The state machine.
const MACHINE: [&str; 2] = ["functions/core/src/machine.rs", "functions/core/src/machine/"];

/// Places in the production code of `sources` that `offences` finds, as `path:line`.
fn offenders(sources: &[Source], offences: impl Fn(&Source) -> Vec<usize>) -> Vec<String> {
    let mut places = Vec::new();
    for source in sources {
        let production = |at: &usize| !source.tokens[*at].test;
        places.extend(offences(source).into_iter().filter(production).map(|at| source.place(at)));
    }
    places
}

/// Literals of the struct `name`: not its definition, a block of methods, a return type or a pattern.
fn literals(source: &Source, name: &str) -> Vec<usize> {
    let mut found = Vec::new();
    for at in source.find(&[name, "{"]) {
        let end = source.closing(at + 1);
        match source.text(at.checked_sub(1)) {
            "struct" | "->" => {}
            "impl" | "for" => found.extend(literals(source, "Self").into_iter().filter(|own| (at..end).contains(own))),
            _ if source.text(end.checked_sub(1)) == ".." => {}
            _ => found.push(at),
        }
    }
    found
}

/// Assignments to a field `status` of anything, and mutable borrows of one.
fn status_changes(source: &Source) -> Vec<usize> {
    let is_change = |dot: usize| {
        // Back to where `job.state.status` begins.
        let mut start = dot.saturating_sub(1);
        while start >= 2 && source.text(Some(start - 1)) == "." {
            start -= 2;
        }
        let borrowed = start >= 2 && source.text(Some(start - 1)) == "mut" && source.text(Some(start - 2)) == "&";
        borrowed || source.text(Some(dot + 2)) == "="
    };
    source.find(&[".", "status"]).into_iter().filter(|dot| is_change(*dot)).collect()
}

fn state_changes(source: &Source) -> Vec<usize> {
    let mut found = status_changes(source);
    for name in ["JobState", "Transition"] {
        found.extend(literals(source, name));
        found.extend(source.find(&[name, "as"]));
    }
    found
}

#[test]
fn only_the_state_machine_changes_a_jobs_state() {
    let (machine, others): (Vec<_>, Vec<_>) =
        Source::all().into_iter().partition(|source| MACHINE.iter().any(|path| source.path.starts_with(path)));
    assert!(!offenders(&machine, state_changes).is_empty(), "the scan no longer sees what the state machine does");
    let wrong = offenders(&others, state_changes);
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn a_change_of_state_is_told_from_everything_that_looks_like_one() {
    let changes = |text| state_changes(&Source::lex("functions/x/src/lib.rs".into(), text).0).len();
    for text in [
        "fn f() { job.state.status = Status::Failed; }",
        "fn f() { std::mem::replace(&mut job.state.status, Status::Failed); }",
        "fn f() { let state = JobState { revision: 1, ..old }; }",
        "impl JobState { fn new() -> Self { Self { revision: 1 } } }",
        "use job::JobState as State;",
        "fn f() { store.commit(&Transition { state, ..last }) }",
    ] {
        assert_eq!(changes(text), 1, "{text}");
    }
    for text in [
        "struct JobState { status: Status }",
        "fn f() -> JobState { machine::first_state(now) }",
        "fn f(job: &Job) -> bool { job.state.status == Status::Failed }",
        "fn f() { let JobState { status, .. } = state; job.state = transition.state; }",
        "impl JobState { fn is_new(&self) -> bool { self.revision == 1 } }",
        "// job.state.status = Status::Failed;",
    ] {
        assert_eq!(changes(text), 0, "{text}");
    }
}

#[test]
fn only_carillon_aws_names_the_aws_sdk() {
    // The minimal function is what ours are measured against: written as others write theirs.
    let may = |path: &str| path.starts_with("functions/aws/") || path == "tests/src/bin/minimal.rs";
    let sources: Vec<_> = Source::all().into_iter().filter(|source| !may(&source.path)).collect();
    let starts = ["aws_config", "aws_sdk_", "aws_smithy_", "aws_types"];
    let mut wrong = Vec::new();
    for source in &sources {
        let named = |at: &usize| starts.iter().any(|start| source.tokens[*at].text.starts_with(start));
        wrong.extend((0..source.tokens.len()).filter(named).map(|at| source.place(at)));
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn only_named_places_use_the_clock_randomness_or_the_environment() {
    let exemptions = |source: &Source| source.find(&["disallowed_methods"]);
    let wrong = offenders(&Source::all(), exemptions);
    let found: BTreeSet<_> = wrong.iter().filter_map(|place| place.split_once(':')).map(|(path, _)| path).collect();
    let named: BTreeSet<_> = EXEMPT.iter().map(|(path, _)| *path).collect();
    assert_eq!(found, named, "the exemptions from disallowed-methods, left, are not the ones that EXEMPT names, right");
}

#[test]
fn no_lint_is_switched_off_wholesale() {
    let wholesale = |source: &Source| {
        let groups = ["all", "complexity", "correctness", "pedantic", "perf", "style", "suspicious"];
        let mut found = source.find(&["allow", "(", "warnings"]);
        found.extend(groups.iter().flat_map(|group| source.find(&["clippy", "::", group])));
        found
    };
    let wrong = offenders(&Source::all(), wholesale);
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn nothing_is_ignored_unfinished_or_left_from_debugging() {
    let patterns: [&[&str]; 5] =
        [&["#", "[", "ignore"], &["todo", "!"], &["unimplemented", "!"], &["dbg", "!"], &["thread", "::", "sleep"]];
    let mut wrong = Vec::new();
    for source in Source::all() {
        wrong.extend(patterns.iter().flat_map(|pattern| source.find(pattern)).map(|at| source.place(at)));
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
