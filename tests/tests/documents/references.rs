//! Links, paths and commands name what exists.

use std::path::{Component, Path, PathBuf};

use crate::page::{Page, Step, entries, extension, files, root};

/// A bare word in backticks with such an ending names a file.
const WRITTEN: [&str; 4] = ["md", "rs", "tf", "toml"];

/// A word with a slash that ends like this is a path, wherever it begins.
const SOURCES: [&str; 9] = ["json", "md", "py", "rs", "sh", "sql", "tf", "toml", "yml"];

impl Page {
    /// Links that lead nowhere.
    pub(crate) fn broken_links(&self) -> Vec<String> {
        let is_broken = |link: &&String| {
            if link.contains("://") || link.starts_with("mailto:") {
                return false;
            }
            let (path, anchor) =
                link.split_once('#').map_or((link.as_str(), None), |(path, anchor)| (path, Some(anchor)));
            if path.is_empty() {
                return anchor.is_some_and(|anchor| !self.anchors.contains(anchor));
            }
            let file = self.beside(path);
            let has = |anchor: &str| {
                let text = std::fs::read_to_string(root().join(&file)).unwrap_or_default();
                Self::read(&file, &text).anchors.contains(anchor)
            };
            !root().join(&file).exists() || anchor.is_some_and(|anchor| extension(path) == "md" && !has(anchor))
        };
        self.links.iter().filter(is_broken).cloned().collect()
    }

    /// A link's target as a path from the root.
    fn beside(&self, link: &str) -> String {
        let mut path = PathBuf::new();
        let joined = Path::new(&self.path).parent().unwrap_or(Path::new("")).join(link);
        for component in joined.components() {
            match component {
                Component::ParentDir => drop(path.pop()),
                other => path.push(other),
            }
        }
        path.to_string_lossy().into_owned()
    }

    /// The pages that this one links to, as paths from the root.
    pub(crate) fn linked_pages(&self) -> Vec<String> {
        let paths = self.links.iter().filter(|link| !link.contains("://"));
        let paths = paths.map(|link| self.beside(link.split('#').next().unwrap_or_default()));
        paths.filter(|path| extension(path) == "md").collect()
    }

    /// Paths in backticks that do not exist.
    pub(crate) fn missing_paths(&self) -> Vec<String> {
        let (top_level, files) = (entries(root()), files());
        let is_missing = |span: &&String| {
            let Some(path) = path_of(span, &top_level) else { return false };
            !root().join(path).exists() && !files.iter().any(|file| Path::new(file).ends_with(path))
        };
        self.spans.iter().filter(is_missing).cloned().collect()
    }

    /// Commands that name a file, a crate or a target of the tests that does not exist.
    pub(crate) fn impossible_commands(&self) -> Vec<String> {
        let crates: Vec<String> = files()
            .iter()
            .filter(|path| path.ends_with("Cargo.toml"))
            .filter_map(|path| std::fs::read_to_string(root().join(path)).ok())
            .filter_map(|manifest| manifest.parse::<toml::Table>().ok())
            .filter_map(|manifest| Some(manifest.get("package")?.get("name")?.as_str()?.to_owned()))
            .collect();
        let top_level = entries(root());
        let steps: Vec<Step> =
            self.blocks.iter().filter(|block| block.is_shell()).flat_map(crate::page::Block::steps).collect();
        let is_wrong = |words: &[String]| {
            let program = words[0].starts_with("./") && !root().join(&words[0]).exists();
            let mut paths = words.iter().filter_map(|word| path_of(word.trim_matches(['@', '\'', '"']), &top_level));
            let file = paths.any(|path| !root().join(path).exists());
            let target =
                |folder: &str, name: &str| root().join("tests").join(folder).join(format!("{name}.rs")).exists();
            let unknown = words.windows(2).any(|pair| match pair[0].as_str() {
                "-p" => !crates.contains(&pair[1]),
                "--test" => !target("tests", &pair[1]),
                "--bin" => !target("src/bin", &pair[1]),
                _ => false,
            });
            program || file || unknown && words[0] == "cargo"
        };
        steps.iter().filter(|step| is_wrong(&step.words)).map(|step| step.words.join(" ")).collect()
    }
}

/// The path that a word means, if it means one.
fn path_of<'a>(span: &'a str, top_level: &[String]) -> Option<&'a str> {
    let fits = |c: char| c.is_alphanumeric() || "._-/*{},:".contains(c);
    if !span.chars().all(fits) || span.contains("::") || span.starts_with('/') {
        return None;
    }
    let end = span.find(['*', '{']).map_or(span.len(), |pattern| span[..pattern].rfind('/').unwrap_or(0));
    let path = span[..end].split(':').next().unwrap_or_default();
    let path = path.trim_start_matches("./").trim_end_matches('/');
    let first = path.split('/').next().unwrap_or_default();
    let of_the_tree = span.contains('/') && first != "target" && top_level.iter().any(|name| name == first);
    let ending = extension(path);
    let source = if path.contains('/') { SOURCES.contains(&ending) } else { WRITTEN.contains(&ending) };
    (of_the_tree || source).then_some(path)
}

fn complaints(complain: impl Fn(&Page) -> Vec<String>) -> Vec<String> {
    let of_page = |page: &Page| complain(page).into_iter().map(|it| format!("{}: {it}", page.path)).collect::<Vec<_>>();
    Page::all().iter().flat_map(of_page).collect()
}

#[test]
fn every_relative_link_and_every_anchor_leads_somewhere() {
    let broken = complaints(Page::broken_links);
    assert!(broken.is_empty(), "{broken:#?}");
}

#[test]
fn every_path_in_backticks_exists() {
    let missing = complaints(Page::missing_paths);
    assert!(missing.is_empty(), "{missing:#?}");
}

#[test]
fn every_command_names_files_crates_and_targets_that_exist() {
    let wrong = complaints(Page::impossible_commands);
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn a_page_with_wrong_links_and_paths_is_told_so() {
    let page = Page::read(
        "README.md",
        "# One & two\n## `x` y\n## `x` y\n<a id=\"here\"></a>\n[1](#one--two) [2](#x-y) [3](#x-y-1) [4](#here) [5](LICENSE) \
         [6](https://example.com/none) [no](#three) [no](nowhere.rs) [no](README.md#x-y)\n\n`Cargo.toml` `functions/core/src/lib.rs:3` \
         `functions/{core,none}` `tests/tests/*.rs` `src/lib.rs` `/v1/jobs` `application/json` `core::job` `target/debug` \
         `events/none` `./functions/none/` `none.rs` `none/none.toml`",
    );
    assert_eq!(page.broken_links(), ["#three", "nowhere.rs", "README.md#x-y"]);
    assert_eq!(page.missing_paths(), ["events/none", "./functions/none/", "none.rs", "none/none.toml"]);
}

#[test]
fn links_are_read_from_the_folder_of_their_page() {
    let text = "[1](../LICENSE) [2](core/src/lib.rs) [3](../README.md) [no](LICENSE) [no](functions/core/src/lib.rs)";
    let page = Page::read("functions/README.md", text);
    assert_eq!(page.broken_links(), ["LICENSE", "functions/core/src/lib.rs"]);
    assert_eq!(page.linked_pages(), ["README.md"]);
}

#[test]
fn commands_that_name_what_is_not_there_are_found() {
    let page = Page::read(
        "README.md",
        "```sh\n# why\n./none --all\ncargo test -p carillon-none\ncargo run -p carillon # of events/none\nmkdir -p x\n\
         curl -d @events/none.json\ncargo test -p carillon-tests --test none\ncargo run --bin none\n```\n\
         ```console\n$ cargo\n```\n```text\n$ cargo run -p none\n```",
    );
    let expected = [
        "./none --all",
        "cargo test -p carillon-none",
        "curl -d @events/none.json",
        "cargo test -p carillon-tests --test none",
        "cargo run --bin none",
    ];
    assert_eq!(page.impossible_commands(), expected);
}
