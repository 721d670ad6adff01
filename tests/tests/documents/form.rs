//! The documents are there, of their size, complete, and found from README.md.

use std::collections::BTreeSet;
use std::process::Command;

use crate::page::{Page, entries, root};

/// README.md is read from top to bottom by a newcomer.
const README_LINES: usize = 150;

/// A reader who knows SQS, Quartz and Rust needs no longer list.
const GLOSSARY_WORDS: usize = 25;

const DOCUMENTS: [&str; 7] = [
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "README.md",
    "events/README.md",
    "functions/README.md",
    "infra/README.md",
    "tests/README.md",
];

/// The kinds of change of <https://keepachangelog.com/en/1.1.0>.
const KINDS: [&str; 6] = ["Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"];

/// The faults of a glossary, each in words.
fn glossary_faults(rows: &[Vec<String>]) -> Vec<String> {
    let mut faults = Vec::new();
    if rows.is_empty() || rows.len() > GLOSSARY_WORDS {
        faults.push(format!("{} words, of {GLOSSARY_WORDS} at most", rows.len()));
    }
    let mut seen = BTreeSet::new();
    for row in rows {
        let [word, meaning] = row.as_slice() else {
            faults.push(format!("{row:?} is not a word and a sentence"));
            continue;
        };
        // `i.e.` and its like would count as ends, and have no place in a sentence of this kind.
        let is_one_sentence = meaning.ends_with('.') && meaning.matches(". ").count() == 0;
        faults.extend((!is_one_sentence).then(|| format!("{word} does not have one sentence")));
        faults.extend((!seen.insert(word)).then(|| format!("{word} stands twice")));
    }
    faults
}

/// The faults of a changelog, each in words.
fn changelog_faults(text: &str) -> Vec<String> {
    let mut faults = Vec::new();
    let versions: Vec<_> = text.lines().filter_map(|line| line.strip_prefix("## ")).collect();
    faults.extend(
        (versions.first() != Some(&"[Unreleased]")).then(|| "the first version is not [Unreleased]".to_owned()),
    );
    let kinds = text.lines().filter_map(|line| line.strip_prefix("### "));
    faults.extend(kinds.filter(|kind| !KINDS.contains(kind)).map(|kind| format!("{kind} is no kind of change")));
    faults
}

/// The pages that no chain of links from README.md leads to.
fn unreachable(pages: &[Page]) -> Vec<&str> {
    let mut reached = BTreeSet::from(["README.md".to_owned()]);
    let mut open: Vec<_> = pages.iter().filter(|page| page.path == "README.md").collect();
    while let Some(page) = open.pop() {
        for path in page.linked_pages() {
            if reached.insert(path.clone()) {
                open.extend(pages.iter().filter(|page| page.path == path));
            }
        }
    }
    pages.iter().map(|page| page.path.as_str()).filter(|path| !reached.contains(*path)).collect()
}

#[test]
fn every_document_is_there_and_found_from_the_readme() {
    let pages = Page::all();
    let found: BTreeSet<_> = pages.iter().map(|page| page.path.as_str()).collect();
    let missing: Vec<_> = DOCUMENTS.iter().filter(|path| !found.contains(*path)).collect();
    assert!(missing.is_empty(), "{missing:?}");
    let unreachable = unreachable(&pages);
    assert!(unreachable.is_empty(), "{unreachable:?}");
}

#[test]
fn the_readme_is_short() {
    let lines = Page::open("README.md").text.lines().count();
    assert!(lines <= README_LINES, "README.md has {lines} lines, of {README_LINES} at most");
}

#[test]
fn the_glossary_is_short_and_has_one_sentence_for_each_word() {
    let page = Page::open("functions/README.md");
    let faults = glossary_faults(&Page::rows(page.section("## Glossary")));
    assert!(faults.is_empty(), "{faults:#?}");
}

#[test]
fn the_code_map_names_every_crate() {
    let page = Page::open("functions/README.md");
    let map = page.section("## Code map");
    let folders = entries(&root().join("functions"));
    let crates = folders.iter().filter(|folder| root().join("functions").join(folder).join("Cargo.toml").exists());
    let missing: Vec<_> = crates.filter(|folder| !map.contains(&format!("functions/{folder}`"))).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn the_tests_page_names_every_stage_of_the_test_run() {
    let help = Command::new(root().join("tests/run")).arg("--help").output().expect("it runs");
    let help = String::from_utf8_lossy(&help.stdout);
    let stages = help.lines().skip_while(|line| *line != "stages:").skip(1);
    let stages: BTreeSet<_> = stages.filter_map(|line| line.split_whitespace().next()).collect();
    assert!(!stages.is_empty(), "{help}");
    let page = Page::open("tests/README.md");
    let rows = Page::rows(page.section("## Stages"));
    let named: BTreeSet<_> = rows.iter().map(|row| row[0].trim_matches('`')).collect();
    assert_eq!(named, stages);
}

#[test]
fn the_changelog_keeps_its_form() {
    let faults = changelog_faults(&Page::open("CHANGELOG.md").text);
    assert!(faults.is_empty(), "{faults:#?}");
}

#[test]
fn faults_of_form_are_found() {
    let glossary = |rows: &str| {
        let page = Page::read(
            "README.md",
            &format!("# x\n\n## Glossary\n\n| word | meaning |\n| --- | --- |\n{rows}\n## Next\n| a | b |\n"),
        );
        glossary_faults(&Page::rows(page.section("## Glossary")))
    };
    assert!(glossary("| fire | One run. |\n| run | A `job` once. |\n").is_empty());
    let faults = glossary("| fire | One run. And more. |\n| fire | no end |\n| job |\n");
    let expected = [
        "fire does not have one sentence",
        "fire does not have one sentence",
        "fire stands twice",
        "[\"job\"] is not a word and a sentence",
    ];
    assert_eq!(faults, expected);
    let many: Vec<_> = (0..26).map(|n| format!("| word {n} | One. |")).collect();
    assert_eq!(glossary(&many.join("\n")), ["26 words, of 25 at most"]);
    assert_eq!(glossary(""), ["0 words, of 25 at most"]);

    assert!(changelog_faults("# C\n## [Unreleased]\n### Added\n- x\n## [0.1.0] - 2027-01-01\n### Fixed\n").is_empty());
    let expected = ["the first version is not [Unreleased]", "New is no kind of change"];
    assert_eq!(changelog_faults("## [0.1.0]\n### New\n"), expected);

    let pages = [
        Page::read("README.md", "[a](functions/README.md)"),
        Page::read("functions/README.md", "[b](../CHANGELOG.md)"),
        Page::read("CHANGELOG.md", ""),
        Page::read("CONTRIBUTING.md", "[b](CHANGELOG.md)"),
    ];
    assert_eq!(unreachable(&pages), ["CONTRIBUTING.md"]);
}
