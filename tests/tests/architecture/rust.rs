//! The Rust sources as tokens: without comments and layout, and with every token marked that only a test build has.

use std::path::Path;

use proc_macro2::{Delimiter, Spacing, TokenStream, TokenTree};

use crate::workspace;

/// One token. Operators of several characters are one token; a bracket is one too.
pub(crate) struct Token {
    pub(crate) text: String,
    /// The line that it stands on, from 1.
    pub(crate) line: usize,
    /// True in code that is compiled for tests only.
    pub(crate) test: bool,
}

/// One source file.
pub(crate) struct Source {
    /// Its path from the root.
    pub(crate) path: String,
    pub(crate) tokens: Vec<Token>,
}

impl Source {
    /// Every Rust file of the tree.
    pub(crate) fn all() -> Vec<Self> {
        let paths = ["functions", "tests"].into_iter().flat_map(workspace::files);
        let paths = paths.filter(|path| Path::new(path).extension().is_some_and(|extension| extension == "rs"));
        let (mut sources, mut test_modules) = (Vec::new(), Vec::new());
        for path in paths {
            let text = workspace::read(&path);
            let (source, modules) = Self::lex(path, &text);
            test_modules.extend(modules);
            sources.push(source);
        }
        for source in &mut sources {
            let in_test_folder = source.path.split('/').any(|folder| folder == "tests" || folder == "benches");
            if in_test_folder || test_modules.iter().any(|module| is_part_of(&source.path, module)) {
                source.tokens.iter_mut().for_each(|token| token.test = true);
            }
        }
        sources
    }

    /// The tokens of one file, and the modules in files of their own that it declares for tests only.
    pub(crate) fn lex(path: String, text: &str) -> (Self, Vec<String>) {
        let stream: TokenStream = text.parse().unwrap_or_else(|error| panic!("{path}: {error}"));
        let mut lexer = Lexer { tokens: Vec::new(), test_modules: Vec::new() };
        lexer.read(stream, false);
        let folder = module_folder(&path);
        let modules = lexer.test_modules.iter().map(|name| format!("{folder}/{name}")).collect();
        (Self { path, tokens: lexer.tokens }, modules)
    }

    /// Positions where the tokens of `pattern` occur in sequence.
    pub(crate) fn find(&self, pattern: &[&str]) -> Vec<usize> {
        let row = |window: &[Token]| window.iter().map(|token| token.text.as_str()).eq(pattern.iter().copied());
        self.tokens.windows(pattern.len()).enumerate().filter(|(_, window)| row(window)).map(|(at, _)| at).collect()
    }

    /// The text of the token at `at`, or nothing past the ends.
    pub(crate) fn text(&self, at: Option<usize>) -> &str {
        at.and_then(|at| self.tokens.get(at)).map_or("", |token| &token.text)
    }

    /// `path:line` of the token at `at`, as compilers write it.
    pub(crate) fn place(&self, at: usize) -> String {
        format!("{}:{}", self.path, self.tokens[at].line)
    }

    /// The position where the bracket that opens at `at` closes.
    pub(crate) fn closing(&self, at: usize) -> usize {
        let mut depth = 0;
        for (index, token) in self.tokens.iter().enumerate().skip(at) {
            match token.text.as_str() {
                "(" | "[" | "{" => depth += 1,
                ")" | "]" | "}" => depth -= 1,
                _ => {}
            }
            if depth == 0 {
                return index;
            }
        }
        panic!("{}: brackets come in pairs", self.place(at))
    }
}

/// The folder that holds the files of the modules that `path` declares.
fn module_folder(path: &str) -> String {
    let (folder, file) = path.rsplit_once('/').expect("a file in a folder");
    match file {
        "lib.rs" | "main.rs" | "mod.rs" => folder.to_owned(),
        file => format!("{folder}/{}", file.trim_end_matches(".rs")),
    }
}

fn is_part_of(path: &str, module: &str) -> bool {
    path.strip_prefix(module).is_some_and(|rest| rest == ".rs" || rest.starts_with('/'))
}

struct Lexer {
    tokens: Vec<Token>,
    test_modules: Vec<String>,
}

impl Lexer {
    fn read(&mut self, stream: TokenStream, test: bool) {
        let mut joined = false;
        // The item after `#[cfg(test)]` ends with its block or its semicolon.
        let mut test_item = false;
        let trees: Vec<_> = stream.into_iter().collect();
        for (index, tree) in trees.iter().enumerate() {
            let test = test || test_item;
            let line = tree.span().start().line;
            match tree {
                TokenTree::Group(group) => {
                    let (open, close) = brackets(group.delimiter());
                    self.push(open, line, test);
                    self.read(group.stream(), test);
                    self.push(close, group.span_close().start().line, test);
                    test_item = test_item && group.delimiter() != Delimiter::Brace || is_cfg_test(&trees[..=index]);
                }
                TokenTree::Punct(punct) if joined => {
                    self.tokens.last_mut().expect("the punctuation before it").text.push(punct.as_char());
                }
                TokenTree::Ident(name) if test_item && is_module_in_its_own_file(&trees, index) => {
                    self.test_modules.push(name.to_string());
                    self.push(&name.to_string(), line, test);
                }
                other => {
                    self.push(&other.to_string(), line, test);
                    test_item = test_item && !matches!(other, TokenTree::Punct(punct) if punct.as_char() == ';');
                }
            }
            joined =
                matches!(tree, TokenTree::Punct(punct) if punct.spacing() == Spacing::Joint && punct.as_char() != '\'');
        }
    }

    fn push(&mut self, token: &str, line: usize, test: bool) {
        if !token.is_empty() {
            self.tokens.push(Token { text: token.to_owned(), line, test });
        }
    }
}

fn brackets(delimiter: Delimiter) -> (&'static str, &'static str) {
    match delimiter {
        Delimiter::Parenthesis => ("(", ")"),
        Delimiter::Brace => ("{", "}"),
        Delimiter::Bracket => ("[", "]"),
        Delimiter::None => ("", ""),
    }
}

/// True if the trees end with `#[cfg(test)]`.
fn is_cfg_test(trees: &[TokenTree]) -> bool {
    let [.., TokenTree::Punct(hash), TokenTree::Group(attribute)] = trees else { return false };
    hash.as_char() == '#' && attribute.to_string().split_whitespace().collect::<String>() == "[cfg(test)]"
}

fn is_module_in_its_own_file(trees: &[TokenTree], name: usize) -> bool {
    let before = name.checked_sub(1).map(|before| trees[before].to_string());
    before.as_deref() == Some("mod") && trees.get(name + 1).is_some_and(|after| after.to_string() == ";")
}

#[test]
fn tokens_know_their_line_and_whether_only_a_test_build_has_them() {
    let text =
        "fn a() -> u8 { /* no */ 1 }\n#[cfg(test)]\nmod tests;\n#[cfg(test)]\nmod inner { fn b() {} }\nfn c() {}";
    let (source, modules) = Source::lex("functions/x/src/y.rs".into(), text);
    assert_eq!(modules, ["functions/x/src/y/tests"]);
    let seen = |name| {
        let token = source.tokens.iter().find(|token| token.text == name).unwrap();
        (token.line, token.test)
    };
    assert_eq!(["a", "->", "tests", "b", "c"].map(seen), [(1, false), (1, false), (3, true), (5, true), (6, false)]);
}
