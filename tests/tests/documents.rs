//! Holds every Markdown document of the tree to the tree.
//!
//! - [`references`]: a relative link leads to a file or a folder that exists, seen from its page; `#anchor` leads to a heading,
//!   or to an `<a id="…">`. A path in backticks exists: a word with a slash that begins with a part of the top level or ends
//!   like a source file, and any bare name that ends in `.rs`, `.toml`, `.tf` or `.md`. Such a path may be given from the root
//!   or from any folder below it (`src/main.rs`); the part after `*`, `{` or `:12` is not looked at. In blocks of commands a
//!   program that begins with `./` exists, so does every path among the words (`@events/…` too), and cargo's `-p`, `--test` and
//!   `--bin` name a crate of the workspace and a file of the tests.
//! - [`examples`]: every block of commands (`sh`, `console`) is run as the comment before it says, or the comment says why not.
//!   - `<!-- check -->`: each command by itself from the root, without a shell; it has to succeed. In a `console` block the lines
//!     that begin with `$ ` are the commands; the lines below stand in the command's output, in this order. In a `sh` block
//!     every line is a command, up to its `#`. The commands are `cargo …` or `./file …`, and end by themselves.
//!   - `<!-- serve -->`: in the background, until the page is through; the next block waits until the server is ready.
//!   - `<!-- try -->`: by bash from the root; all such blocks of a page run in one shell, with a data folder of their own, and with
//!     free ports in place of 8420 and 9000. A command that fails ends it.
//!   - `<!-- gives -->`: no commands, but lines that the block before prints, in this order.
//!   - `<!-- not run: reason -->`.
//!
//!   In wanted output a line `…` stands for any lines, and `…` within a line for any text.
//! - [`form`]: the documents that have to be there are, README.md and the glossary are short, lists are complete.

#[path = "documents/examples.rs"]
mod examples;
#[path = "documents/form.rs"]
mod form;
#[path = "documents/page.rs"]
mod page;
#[path = "documents/references.rs"]
mod references;
