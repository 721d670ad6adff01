//! Rules of the files and their places.

use std::path::Path;

use crate::rust::Source;
use crate::workspace::{Package, files, read, root};

/// The parts of the top level: each has to be there, and nothing else may.
const TOP_LEVEL: [&str; 11] = [
    ".ci",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "Cargo.lock",
    "Cargo.toml",
    "LICENSE",
    "README.md",
    "events",
    "functions",
    "infra",
    "tests",
];

/// Files that tools expect at the top level under a name with a dot.
const DOT_FILES: [&str; 5] = [".clippy.toml", ".deny.toml", ".git", ".gitignore", ".rustfmt.toml"];

/// A Rust file with more lines than this holds more than one thing.
const MAX_LINES: usize = 400;

/// A function with more lines than this does more than one thing.
const MAX_LINES_OF_A_FUNCTION: usize = 60;

/// The main of a Lambda function is wiring.
const MAX_LINES_OF_A_LAMBDA: usize = 40;

/// Paths that mean something on one person's machine only.
const PRIVATE: [&str; 5] = ["/home/", "/root/", "/Users/", "/work/", "../shared/"];

/// Words with which a doc comment names nothing: its subject is the thing that it describes.
const QUESTIONS: [&str; 5] = ["What", "How", "Whoever", "Whether", "Of"];

fn has_extension(path: &str, extension: &str) -> bool {
    Path::new(path).extension().is_some_and(|found| found == extension)
}

/// The files that people write, Cargo.lock left out.
fn written() -> Vec<String> {
    let mut written: Vec<_> = [".ci", "events", "functions", "infra", "tests"].into_iter().flat_map(files).collect();
    let documents = ["CHANGELOG.md", "CONTRIBUTING.md", "README.md"];
    let top_level =
        [".clippy.toml", ".deny.toml", ".gitignore", ".rustfmt.toml", "Cargo.toml"].into_iter().chain(documents);
    written.extend(top_level.filter(|path| root().join(path).exists()).map(str::to_owned));
    written
}

/// The lines that break a rule, as `path:line: text`.
fn lines_that(breaks: impl Fn(&str, &str) -> bool) -> Vec<String> {
    let mut wrong = Vec::new();
    for path in written() {
        // A binary file has no lines.
        let Ok(text) = std::fs::read_to_string(root().join(&path)) else { continue };
        let lines = text.lines().enumerate().filter(|(_, line)| breaks(&path, line));
        wrong.extend(lines.map(|(at, line)| format!("{path}:{}: {}", at + 1, line.trim())));
    }
    wrong
}

#[test]
fn the_top_level_holds_its_parts_and_nothing_else() {
    let ignored = read(".gitignore");
    let ignored: Vec<_> = ignored.lines().map(|line| line.trim_matches('/')).collect();
    let mut missing = TOP_LEVEL.to_vec();
    let mut wrong = Vec::new();
    for entry in std::fs::read_dir(root()).expect("a readable folder") {
        let name = entry.expect("a readable folder").file_name().into_string().expect("a UTF-8 name");
        let part = [TOP_LEVEL.as_slice(), &DOT_FILES, &ignored].iter().any(|parts| parts.contains(&name.as_str()));
        missing.retain(|part| *part != name);
        wrong.extend((!part).then_some(name));
    }
    assert!(missing.is_empty() && wrong.is_empty(), "missing: {missing:?}, not a part: {wrong:?}");
}

#[test]
fn no_rust_file_is_longer_than_a_reader_can_hold() {
    let sources = Source::all();
    assert!(sources.iter().any(|source| source.path == "functions/api/src/main.rs"), "the sources are elsewhere");
    let wrong: Vec<_> =
        sources.iter().filter_map(|source| too_long(source, read(&source.path).lines().count())).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// The fault of a file that is too long, if it is.
fn too_long(source: &Source, lines: usize) -> Option<String> {
    let lambda = ["functions/api/src/main.rs", "functions/executor/src/main.rs"].contains(&source.path.as_str());
    // A Lambda main may have tests at its end.
    let production = source.tokens.iter().filter(|token| !token.test).map(|token| token.line).max().unwrap_or(0);
    let limit = if lambda { MAX_LINES_OF_A_LAMBDA } else { MAX_LINES };
    let over = |lines: usize, limit: usize| (lines > limit).then(|| format!("{lines} lines, of {limit} at most"));
    let fault = over(production, limit).or_else(|| over(lines, MAX_LINES));
    fault.map(|fault| format!("{}: {fault}", source.path))
}

/// The production functions of a file that are too long.
fn long_functions(source: &Source) -> Vec<String> {
    let starts = (0..source.tokens.len()).filter(|at| source.tokens[*at].text == "fn" && !source.tokens[*at].test);
    let too_long = |start: usize| {
        // The body is the first brace after the signature; a signature alone ends with a semicolon.
        let open = (start..source.tokens.len()).find(|at| ["{", ";"].contains(&source.tokens[*at].text.as_str()))?;
        let end = if source.tokens[open].text == "{" { source.closing(open) } else { open };
        let lines = source.tokens[end].line - source.tokens[start].line + 1;
        let fault = format!("{}: {} has {lines} lines", source.place(start), source.text(Some(start + 1)));
        (lines > MAX_LINES_OF_A_FUNCTION).then_some(fault)
    };
    starts.filter_map(too_long).collect()
}

#[test]
fn no_function_is_longer_than_a_reader_can_hold() {
    let wrong: Vec<_> = Source::all().iter().flat_map(long_functions).collect();
    assert!(wrong.is_empty(), "of {MAX_LINES_OF_A_FUNCTION} at most: {wrong:#?}");
}

#[test]
fn a_file_or_a_function_that_is_too_long_is_found() {
    let lex = |path: &str, text: &str| Source::lex(path.to_owned(), text).0;
    let function = |lines: usize| format!("fn f() {{{}}}", "\n".repeat(lines - 1));
    assert_eq!(long_functions(&lex("functions/x/src/a.rs", &function(60))), [""; 0]);
    assert_eq!(long_functions(&lex("functions/x/src/a.rs", &function(61))), ["functions/x/src/a.rs:1: f has 61 lines"]);
    assert_eq!(long_functions(&lex("functions/x/src/a.rs", &format!("#[cfg(test)] {}", function(61)))), [""; 0]);
    let file = |before: &str, lines: usize| {
        let text = format!("{before}{} fn f() {{}}", "\n".repeat(lines - 1));
        too_long(&lex("functions/x/src/a.rs", &text), lines)
    };
    assert_eq!(file("", 400), None);
    assert_eq!(file("", 401).unwrap(), "functions/x/src/a.rs: 401 lines, of 400 at most");
    assert_eq!(file("#[cfg(test)]", 400), None);
    assert_eq!(file("#[cfg(test)]", 401).unwrap(), "functions/x/src/a.rs: 401 lines, of 400 at most");
}

/// True if a line is a doc comment that begins with one of [`QUESTIONS`].
fn asks(line: &str) -> bool {
    let line = line.trim_start();
    let text = line.strip_prefix("///").or_else(|| line.strip_prefix("//!"));
    text.is_some_and(|text| QUESTIONS.contains(&text.split_whitespace().next().unwrap_or_default()))
}

#[test]
fn a_doc_comment_names_its_subject_first() {
    for (line, expected) in [
        ("    /// Whether it holds.", true),
        ("//! What a job is.", true),
        ("/// True if it holds.", false),
        ("/// Whatever it is, it holds.", false),
        ("// What a plain comment says.", false),
    ] {
        assert_eq!(asks(line), expected, "{line}");
    }
    let wrong = lines_that(|path, line| has_extension(path, "rs") && asks(line));
    assert!(wrong.is_empty(), "rewrite them with the thing as the subject: {wrong:#?}");
}

#[test]
fn every_crate_takes_the_workspaces_lints() {
    let takes = |package: &Package| {
        let manifest: toml::Table = read(&package.manifest()).parse().expect("a manifest is TOML");
        let lints = manifest.get("lints").and_then(|lints| lints.get("workspace"));
        lints.and_then(toml::Value::as_bool) == Some(true)
    };
    let wrong: Vec<_> = Package::ours().into_iter().filter(|package| !takes(package)).map(Package::name).collect();
    assert!(wrong.is_empty(), "{wrong:?}");
}

#[test]
fn no_line_names_a_path_of_one_persons_machine() {
    let starts = |line: &str, at: usize| {
        let before = line[..at].chars().next_back();
        !before.is_some_and(|before| before.is_alphanumeric() || "._-~}/".contains(before))
    };
    let wrong = lines_that(|path, line| {
        let private = PRIVATE.iter().any(|private| line.match_indices(private).any(|(at, _)| starts(line, at)));
        private && path != file!()
    });
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn no_line_names_a_document_that_is_not_here() {
    let documents: Vec<_> = written().into_iter().filter(|path| has_extension(path, "md")).collect();
    let is_here = |word: &str| {
        documents.iter().any(|path| path.strip_suffix(word).is_some_and(|rest| rest.is_empty() || rest.ends_with('/')))
    };
    let wrong = lines_that(|_, line| {
        let words = line.split(|c: char| !c.is_alphanumeric() && !"._-/".contains(c));
        // Links of documents go up from their folder; another test follows them.
        let mut words = words.map(|word| word.trim_start_matches("../")).filter(|word| has_extension(word, "md"));
        words.any(|word| word != "README.md" && !is_here(word))
    });
    assert!(wrong.is_empty(), "{wrong:#?}");
}
