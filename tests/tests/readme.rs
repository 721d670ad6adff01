//! Holds README.md to the tree.
//!
//! - A relative link leads to a file or a folder that exists; `#anchor` leads to a heading, or to an `<a id="…">`.
//! - A path in backticks exists: what has a slash and begins with a part of the top level or ends like a source file, and
//!   any bare name that ends in `.rs`, `.toml`, `.tf` or `.md`. A path may be given from the root or from any folder below it
//!   (`src/main.rs`); what comes after `*`, `{` or `:12` is not looked at.
//! - In the ```` ```console ```` and ```` ```sh ```` blocks a command that begins with `./` exists, so does every path among
//!   its words (`@events/…` too), and cargo's `-p` names a crate of the workspace.
//! - A block right after the comment `<!-- check -->` is run, each command by itself from the root, and has to succeed. In
//!   a `console` block the lines that begin with `$ ` are the commands; what follows them has to stand in the command's
//!   output, line by line and in this order, and `…` stands for any lines. In a `sh` block every line is a command, up to its `#`. Commands
//!   are split at blanks and no shell sees them; they are `cargo …` or `./file …`, and they end by themselves.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use pulldown_cmark::{CodeBlockKind, Event, Options, Parser, Tag, TagEnd};

/// A README that runs for longer shows nobody anything.
const COMMAND_TIMEOUT: Duration = Duration::from_mins(15);

/// What makes a bare word in backticks the name of a file that somebody wrote.
const WRITTEN: [&str; 4] = ["md", "rs", "tf", "toml"];

/// What ends like this and has a slash is a path, wherever it begins.
const SOURCES: [&str; 9] = ["json", "md", "py", "rs", "sh", "sql", "tf", "toml", "yml"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the tests stand in the workspace")
}

/// What a Markdown text says that can be checked.
#[derive(Debug, Default)]
struct Page {
    links: Vec<String>,
    anchors: BTreeSet<String>,
    spans: Vec<String>,
    blocks: Vec<Block>,
}

/// A block of shell commands.
#[derive(Debug)]
struct Block {
    checked: bool,
    commands: Vec<Step>,
}

#[derive(Debug, PartialEq)]
struct Step {
    words: Vec<String>,
    /// The output that the page shows.
    output: Vec<String>,
}

impl Page {
    fn readme() -> Self {
        let path = root().join("README.md");
        Self::read(&std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display())))
    }

    fn read(text: &str) -> Self {
        let mut page = Self::default();
        let (mut heading, mut block, mut checked) = (None::<String>, None::<(String, String)>, false);
        for event in Parser::new_ext(text, Options::ENABLE_TABLES) {
            match event {
                Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => {
                    page.links.push(dest_url.into());
                }
                Event::Start(Tag::Heading { .. }) => (heading, checked) = (Some(String::new()), false),
                Event::Start(Tag::Paragraph) => checked = false,
                Event::End(TagEnd::Heading(_)) => page.add_heading(&heading.take().unwrap_or_default()),
                Event::Start(Tag::CodeBlock(CodeBlockKind::Fenced(language))) => {
                    block = Some((language.into(), String::new()));
                }
                Event::End(TagEnd::CodeBlock) => {
                    let (language, text) = block.take().unwrap_or_default();
                    let steps = steps(&language, &text);
                    assert!(!checked || steps.is_some(), "a block of {language} cannot be checked: use console or sh");
                    page.blocks.extend(steps.map(|commands| Block { checked, commands }));
                    checked = false;
                }
                Event::Html(html) | Event::InlineHtml(html) => {
                    checked |= html.trim() == "<!-- check -->";
                    let ids = html.split("id=\"").skip(1).filter_map(|rest| rest.split('"').next());
                    page.anchors.extend(ids.map(str::to_owned));
                }
                Event::Code(code) => {
                    heading = heading.map(|heading| heading + &code);
                    page.spans.push(code.into());
                }
                Event::Text(text) => {
                    heading = heading.map(|heading| heading + &text);
                    block = block.map(|(language, block)| (language, block + &text));
                }
                _ => {}
            }
        }
        page
    }

    /// A heading's anchor as the usual viewers make it.
    fn add_heading(&mut self, heading: &str) {
        let kept = heading.chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c));
        let anchor = kept.collect::<String>().to_lowercase().replace(' ', "-");
        let again = (0..).map(|n| if n == 0 { anchor.clone() } else { format!("{anchor}-{n}") });
        let free = again.into_iter().find(|anchor| !self.anchors.contains(anchor));
        self.anchors.extend(free);
    }

    /// Links that lead nowhere.
    fn broken_links(&self) -> Vec<String> {
        let is_broken = |link: &&String| {
            if link.contains("://") || link.starts_with("mailto:") {
                return false;
            }
            let (path, anchor) =
                link.split_once('#').map_or((link.as_str(), None), |(path, anchor)| (path, Some(anchor)));
            let has = |anchors: &BTreeSet<String>| anchor.is_none_or(|anchor| anchors.contains(anchor));
            if path.is_empty() {
                return !has(&self.anchors);
            }
            let file = root().join(path);
            let other = extension(path) == "md";
            !file.exists() || other && !has(&Self::read(&std::fs::read_to_string(file).unwrap_or_default()).anchors)
        };
        self.links.iter().filter(is_broken).cloned().collect()
    }

    /// Paths in backticks that do not exist.
    fn missing_paths(&self) -> Vec<String> {
        let top_level = entries(root());
        let files = files();
        let is_missing = |span: &&String| {
            let Some(path) = path_of(span, &top_level) else { return false };
            !root().join(path).exists() && !files.iter().any(|file| file.ends_with(path))
        };
        self.spans.iter().filter(is_missing).cloned().collect()
    }

    /// Commands that name a file or a crate that does not exist.
    fn impossible_commands(&self) -> Vec<String> {
        let crates: Vec<String> = entries(&root().join("functions"))
            .iter()
            .map(|folder| format!("functions/{folder}"))
            .chain(["tests".to_owned()])
            .filter_map(|folder| std::fs::read_to_string(root().join(folder).join("Cargo.toml")).ok())
            .filter_map(|manifest| manifest.parse::<toml::Table>().ok()?["package"]["name"].as_str().map(str::to_owned))
            .collect();
        let top_level = entries(root());
        let mut wrong = Vec::new();
        for Step { words, .. } in self.blocks.iter().flat_map(|block| &block.commands) {
            let program = words[0].starts_with("./") && !root().join(&words[0]).exists();
            let mut paths = words.iter().filter_map(|word| path_of(word.trim_matches(['@', '\'', '"']), &top_level));
            let file = paths.any(|path| !root().join(path).exists());
            let package = words.windows(2).any(|pair| pair[0] == "-p" && !crates.contains(&pair[1]));
            wrong.extend((program || file || package && words[0] == "cargo").then(|| words.join(" ")));
        }
        wrong
    }

    fn checked_steps(&self) -> impl Iterator<Item = &Step> {
        self.blocks.iter().filter(|block| block.checked).flat_map(|block| &block.commands)
    }
}

/// The commands of a block, or nothing if its language has none.
fn steps<'a>(language: &str, text: &'a str) -> Option<Vec<Step>> {
    let words = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    let step = |line: &str| Step { words: words(line), output: Vec::new() };
    match language {
        "sh" => {
            let bare = |line: &'a str| line.split_once(" #").map_or(line, |(command, _)| command).trim();
            let commands = text.lines().map(bare).filter(|line| !line.is_empty() && !line.starts_with('#'));
            Some(commands.map(step).collect())
        }
        "console" => {
            let mut steps: Vec<Step> = Vec::new();
            for line in text.lines() {
                if let Some(command) = line.strip_prefix("$ ").filter(|command| !command.trim().is_empty()) {
                    steps.push(step(command));
                } else if let (Some(step), false) = (steps.last_mut(), line.trim() == "…" || line.trim().is_empty()) {
                    step.output.push(line.trim_end().to_owned());
                }
            }
            Some(steps)
        }
        _ => None,
    }
}

/// The path that a span in backticks means, if it means one.
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

fn extension(path: &str) -> &str {
    Path::new(path).extension().and_then(|extension| extension.to_str()).unwrap_or_default()
}

fn entries(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).expect("a readable folder");
    entries.map(|entry| entry.expect("a readable folder").file_name().to_string_lossy().into_owned()).collect()
}

/// Every file of the tree; build output and version control left out.
fn files() -> Vec<PathBuf> {
    let (mut found, mut open) = (Vec::new(), vec![root().to_owned()]);
    while let Some(folder) = open.pop() {
        for name in entries(&folder) {
            let path = folder.join(&name);
            if !path.is_dir() {
                found.push(path);
            } else if !["target", ".git", ".terraform"].contains(&name.as_str()) {
                open.push(path);
            }
        }
    }
    found
}

/// Runs a command and holds it to the output that the page shows.
fn run(step: &Step) -> Result<(), String> {
    let shown = step.words.join(" ");
    let program = match step.words[0].as_str() {
        "cargo" => env!("CARGO").into(),
        file if file.starts_with("./") => root().join(file),
        other => return Err(format!("`{shown}`: `{other}` is neither cargo nor a file of the tree")),
    };
    if program.ends_with("tests/run") && !step.words.contains(&"--help".to_owned()) {
        return Err(format!("`{shown}` would run this test again"));
    }
    let mut command = Command::new(program);
    command.args(&step.words[1..]).current_dir(root()).stdin(Stdio::null());
    let (done, output) = mpsc::channel();
    std::thread::spawn(move || done.send(command.output()));
    let output = output.recv_timeout(COMMAND_TIMEOUT).map_err(|_| format!("`{shown}` does not end"))?;
    let output = output.map_err(|error| format!("`{shown}`: {error}"))?;
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    if !output.status.success() {
        return Err(format!("`{shown}`: {}\n{out}{err}", output.status));
    }
    let mut lines = out.lines().map(str::trim_end);
    match step.output.iter().find(|wanted| !lines.any(|line| line == wanted.as_str())) {
        Some(missing) => Err(format!("`{shown}` does not print `{missing}` there, but\n{out}")),
        None => Ok(()),
    }
}

#[test]
fn every_relative_link_and_every_anchor_leads_somewhere() {
    let broken = Page::readme().broken_links();
    assert!(broken.is_empty(), "{broken:#?}");
}

#[test]
fn every_path_in_backticks_exists() {
    let missing = Page::readme().missing_paths();
    assert!(missing.is_empty(), "{missing:#?}");
}

#[test]
fn every_command_names_files_and_crates_that_exist() {
    let wrong = Page::readme().impossible_commands();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn every_command_marked_as_checked_does_what_the_page_shows() {
    let failures: Vec<_> = Page::readme().checked_steps().filter_map(|step| run(step).err()).collect();
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn a_page_that_is_wrong_is_told_so() {
    let page = Page::read(
        "# One & two\n## `x` y\n## `x` y\n<a id=\"here\"></a>\n[1](#one--two) [2](#x-y) [3](#x-y-1) [4](#here) [5](LICENSE) \
         [6](https://example.com/none) [no](#three) [no](nowhere.rs) [no](README#x)\n\n`Cargo.toml` `functions/core/src/lib.rs:3` \
         `functions/{core,none}` `tests/tests/*.rs` `src/lib.rs` `/v1/jobs` `application/json` `core::job` `target/debug` \
         `events/none` `./functions/none/` `none.rs` `none/none.toml`",
    );
    assert_eq!(page.broken_links(), ["#three", "nowhere.rs", "README#x"]);
    assert_eq!(page.missing_paths(), ["events/none", "./functions/none/", "none.rs", "none/none.toml"]);
}

#[test]
fn commands_are_found_with_their_output_and_run_only_where_marked() {
    let page = Page::read(
        "```sh\n# why\n./none --all\ncargo test -p carillon-none\ncargo run -p carillon # of events/none\nmkdir -p x\ncurl -d @events/none.json\n```\n<!-- check -->\n```console\n\
         $ cargo --version\n…\n$ ./tests/run --help\nusage: run\n```\n```console\n$ cargo\n```\n```text\n$ cargo none\n```",
    );
    assert_eq!(
        page.impossible_commands(),
        ["./none --all", "cargo test -p carillon-none", "curl -d @events/none.json"]
    );
    let checked: Vec<_> = page.checked_steps().map(|step| (step.words.join(" "), step.output.clone())).collect();
    let expected =
        [("cargo --version".to_owned(), vec![]), ("./tests/run --help".to_owned(), vec!["usage: run".to_owned()])];
    assert_eq!(checked, expected);
}

#[test]
fn a_command_that_fails_prints_something_else_or_is_foreign_is_told_so() {
    let error = |command: &str, output: &[&str]| {
        let output = output.iter().map(|line| (*line).to_owned()).collect();
        run(&Step { words: command.split(' ').map(str::to_owned).collect(), output }).err().unwrap_or_default()
    };
    assert_eq!(error("cargo --version", &[]), "");
    assert!(error("cargo --none", &[]).contains("--none"));
    assert!(error("cargo --version", &["cargo of tomorrow"]).contains("does not print `cargo of tomorrow`"));
    assert!(error("rm nothing", &[]).contains("neither cargo nor a file"));
    assert!(error("./tests/run --quick", &[]).contains("again"));
}
