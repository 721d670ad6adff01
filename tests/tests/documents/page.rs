//! A Markdown page: what it says that can be checked.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use pulldown_cmark::{CodeBlockKind, Event, Options, Parser, Tag, TagEnd};

/// The comment that stands before a block says how the block is run.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) enum Mark {
    /// No comment.
    #[default]
    None,
    /// `<!-- check -->`: each command by itself, without a shell.
    Check,
    /// `<!-- serve -->`: in the background, until the page is through.
    Serve,
    /// `<!-- try -->`: in one shell with the other blocks of this mark.
    Try,
    /// `<!-- gives -->`: no commands, but output of the block before.
    Gives,
    /// `<!-- not run: reason -->`.
    NotRun(String),
}

/// A fenced block.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Block {
    pub(crate) mark: Mark,
    pub(crate) language: String,
    pub(crate) text: String,
}

/// A command of a block that is checked.
#[derive(Debug, PartialEq)]
pub(crate) struct Step {
    pub(crate) words: Vec<String>,
    /// The output that the page shows.
    pub(crate) output: Vec<String>,
}

#[derive(Debug, Default)]
pub(crate) struct Page {
    /// The path from the root of the tree.
    pub(crate) path: String,
    pub(crate) text: String,
    pub(crate) links: Vec<String>,
    pub(crate) anchors: BTreeSet<String>,
    /// Texts in backticks.
    pub(crate) spans: Vec<String>,
    pub(crate) blocks: Vec<Block>,
}

pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the tests stand in the workspace")
}

impl Page {
    pub(crate) fn all() -> Vec<Self> {
        let mut pages: Vec<_> = files().into_iter().filter(|path| extension(path) == "md").collect();
        pages.sort_unstable();
        pages.iter().map(|path| Self::open(path)).collect()
    }

    pub(crate) fn open(path: &str) -> Self {
        let text = std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"));
        Self::read(path, &text)
    }

    pub(crate) fn read(path: &str, text: &str) -> Self {
        let mut page = Self { path: path.into(), text: text.into(), ..Self::default() };
        let (mut heading, mut block, mut mark) = (None::<String>, None::<Block>, Mark::None);
        for event in Parser::new_ext(text, Options::ENABLE_TABLES) {
            match event {
                Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => {
                    page.links.push(dest_url.into());
                }
                Event::Start(Tag::Heading { .. }) => (heading, mark) = (Some(String::new()), Mark::None),
                Event::Start(Tag::Paragraph) => mark = Mark::None,
                Event::End(TagEnd::Heading(_)) => page.add_heading(&heading.take().unwrap_or_default()),
                Event::Start(Tag::CodeBlock(CodeBlockKind::Fenced(language))) => {
                    block =
                        Some(Block { mark: std::mem::take(&mut mark), language: language.into(), text: String::new() });
                }
                Event::End(TagEnd::CodeBlock) => page.blocks.extend(block.take()),
                Event::Html(html) | Event::InlineHtml(html) => {
                    mark = mark_of(&html).unwrap_or(mark);
                    let ids = html.split("id=\"").skip(1).filter_map(|rest| rest.split('"').next());
                    page.anchors.extend(ids.map(str::to_owned));
                }
                Event::Code(code) => {
                    heading = heading.map(|heading| heading + &code);
                    page.spans.push(code.into());
                }
                Event::Text(text) => {
                    heading = heading.map(|heading| heading + &text);
                    block = block.map(|block| Block { text: block.text + &text, ..block });
                }
                _ => {}
            }
        }
        page
    }

    /// Adds a heading's anchor as the usual viewers make it.
    fn add_heading(&mut self, heading: &str) {
        let kept = heading.chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c));
        let anchor = kept.collect::<String>().to_lowercase().replace(' ', "-");
        let again = (0..).map(|n| if n == 0 { anchor.clone() } else { format!("{anchor}-{n}") });
        let free = again.into_iter().find(|anchor| !self.anchors.contains(anchor));
        self.anchors.extend(free);
    }

    /// The text under a heading, up to the next heading of its rank or above; empty without such a heading.
    pub(crate) fn section(&self, heading: &str) -> &str {
        let rank = heading.bytes().take_while(|byte| *byte == b'#').count();
        let Some(start) = self.text.find(&format!("\n{heading}\n")) else { return "" };
        let body = &self.text[start + heading.len() + 2..];
        let ends = (1..=rank).filter_map(|rank| body.find(&format!("\n{} ", "#".repeat(rank))));
        &body[..ends.min().unwrap_or(body.len())]
    }

    /// The rows of the first table in a text, each with its cells; the head and the rule below it are left out.
    pub(crate) fn rows(section: &str) -> Vec<Vec<String>> {
        let lines = section.lines().skip_while(|line| !line.starts_with('|')).take_while(|line| line.starts_with('|'));
        let cells = |line: &str| line.trim_matches('|').split(" | ").map(|cell| cell.trim().to_owned()).collect();
        lines.skip(2).map(cells).collect()
    }
}

impl Block {
    /// True if the block holds commands.
    pub(crate) fn is_shell(&self) -> bool {
        ["console", "sh"].contains(&self.language.as_str())
    }

    /// The commands; none in a block of another language.
    pub(crate) fn steps(&self) -> Vec<Step> {
        let words = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        let step = |line: &str| Step { words: words(line), output: Vec::new() };
        let mut steps: Vec<Step> = Vec::new();
        match self.language.as_str() {
            "sh" => {
                let commands = self.text.lines().map(|line| line.split_once(" #").map_or(line, |(command, _)| command));
                steps.extend(commands.filter(|line| !line.trim().is_empty() && !line.starts_with('#')).map(step));
            }
            "console" => {
                for line in self.text.lines() {
                    if let Some(command) = line.strip_prefix("$ ").filter(|command| !command.trim().is_empty()) {
                        steps.push(step(command));
                    } else if let (Some(step), false) = (steps.last_mut(), ["", "…"].contains(&line.trim())) {
                        step.output.push(line.trim_end().to_owned());
                    }
                }
            }
            _ => {}
        }
        steps
    }
}

fn mark_of(html: &str) -> Option<Mark> {
    match html.trim().strip_prefix("<!--")?.strip_suffix("-->")?.trim() {
        "check" => Some(Mark::Check),
        "serve" => Some(Mark::Serve),
        "try" => Some(Mark::Try),
        "gives" => Some(Mark::Gives),
        other => other.strip_prefix("not run: ").map(|reason| Mark::NotRun(reason.to_owned())),
    }
}

pub(crate) fn extension(path: &str) -> &str {
    Path::new(path).extension().and_then(|extension| extension.to_str()).unwrap_or_default()
}

pub(crate) fn entries(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).expect("a readable folder");
    entries.map(|entry| entry.expect("a readable folder").file_name().to_string_lossy().into_owned()).collect()
}

/// The paths of all files from the root; build output and version control left out.
pub(crate) fn files() -> Vec<String> {
    let (mut found, mut open) = (Vec::new(), vec![PathBuf::new()]);
    while let Some(folder) = open.pop() {
        for name in entries(&root().join(&folder)) {
            let path = folder.join(&name);
            if !root().join(&path).is_dir() {
                found.push(path.to_string_lossy().into_owned());
            } else if !["target", ".git", ".terraform"].contains(&name.as_str()) {
                open.push(path);
            }
        }
    }
    found
}
