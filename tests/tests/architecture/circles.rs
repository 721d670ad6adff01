//! Modules of a crate import each other one way.
//!
//! A module is a file. It imports another one when it names something of it: in a `use`, or by a path. A re-export names its
//! origin and is no import: what is imported through it is imported from where it is defined. Nor does a module import the
//! modules that stand in it: it consists of them. Tests may import as they like.

use std::collections::{BTreeMap, BTreeSet};

use crate::rust::{Source, Token};

/// Circles that may be, by the crate's folder: its modules, and why they need each other. One that is gone is taken out here too.
const ALLOWED: [(&str, &[&str], &str); 0] = [];

/// A module, by its path from the crate's root.
type Path = Vec<String>;

/// The modules in one file.
#[derive(Default)]
struct Module {
    /// The names that it defines.
    defined: BTreeSet<String>,
    /// The paths that it names.
    named: Vec<Named>,
}

/// A path that a file names.
struct Named {
    segments: Path,
    /// The name that it gets here; `*` for all that is there.
    alias: String,
    is_use: bool,
    is_public: bool,
    /// The number of enclosing inline modules.
    depth: usize,
}

/// The modules of one crate.
struct Crate {
    modules: BTreeMap<Path, Module>,
}

impl Crate {
    /// The production code below `folder` that ends with `/src`.
    fn of(folder: &str, sources: &[Source]) -> Self {
        let production = |source: &&Source| source.tokens.iter().any(|token| !token.test);
        let mut modules = BTreeMap::new();
        for source in sources.iter().filter(production) {
            if let Some(path) = source.path.strip_prefix(folder).and_then(|path| path.strip_prefix('/')) {
                let read = Module::read(&source.tokens);
                let module: &mut Module = modules.entry(module_path(path)).or_default();
                module.defined.extend(read.defined);
                module.named.extend(read.named);
            }
        }
        Self { modules }
    }

    /// The modules that each module imports: its own inner modules are left out.
    fn imports(&self) -> BTreeMap<&Path, BTreeSet<&Path>> {
        let of = |(path, module): (&'_ Path, &'_ Module)| {
            let named = module.named.iter().filter(|named| !(named.is_use && named.is_public));
            named
                .filter_map(|named| self.origin(path, named, 0))
                .filter(|target| !target.starts_with(path))
                .collect::<Vec<_>>()
        };
        let known = |target: Path| self.modules.get_key_value(&target).map(|(known, _)| known);
        self.modules.iter().map(|it| (it.0, of(it).into_iter().filter_map(known).collect())).collect()
    }

    /// The module that defines what a path names.
    fn origin(&self, module: &Path, named: &Named, hops: usize) -> Option<Path> {
        let (mut at, mut rest) = self.start(module, named)?;
        while let Some((first, deeper)) = rest.split_first() {
            let inner = child(&at, first);
            if !self.modules.contains_key(&inner) {
                break;
            }
            (at, rest) = (inner, deeper);
        }
        let Some(name) = rest.first().filter(|name| *name != "*") else { return Some(at) };
        let known = self.modules.get(&at)?;
        // A circle of re-exports ends here too.
        if known.defined.contains(name) || hops > 8 {
            return Some(at);
        }
        let uses = || known.named.iter().filter(|it| it.is_use);
        let through = |it: &Named| self.origin(&at, it, hops + 1);
        if let Some(renamed) = uses().find(|it| it.alias == *name) {
            return through(renamed);
        }
        let mut all = uses().filter(|it| it.alias == "*").filter_map(through);
        let found = all.find(|there| self.modules.get(there).is_some_and(|known| known.defined.contains(name)));
        Some(found.unwrap_or(at))
    }

    /// Where a path of a module begins in this crate, and what is left of it.
    fn start<'n>(&self, module: &Path, named: &'n Named) -> Option<(Path, &'n [String])> {
        let (first, rest) = named.segments.split_first()?;
        match first.as_str() {
            "crate" => Some((Path::new(), rest)),
            "self" => Some((module.clone(), rest)),
            "super" => {
                let supers = named.segments.iter().take_while(|segment| *segment == "super").count();
                let up = supers.saturating_sub(named.depth);
                Some((module[..module.len().checked_sub(up)?].to_vec(), &named.segments[supers..]))
            }
            name if self.modules.contains_key(&child(module, name)) => Some((module.clone(), &named.segments)),
            _ => None,
        }
    }

    /// The sets of modules that import each other, directly or through others.
    fn circles(&self) -> Vec<BTreeSet<String>> {
        let imports = self.imports();
        let reached: BTreeMap<&Path, BTreeSet<&Path>> =
            imports.keys().map(|module| (*module, reach(module, &imports))).collect();
        let circle = |module: &&Path| -> BTreeSet<&Path> {
            let mutual = |other: &&&Path| reached[**other].contains(*module);
            reached[*module].iter().filter(mutual).copied().collect()
        };
        let circles: BTreeSet<_> = reached.keys().map(circle).filter(|circle| !circle.is_empty()).collect();
        circles.into_iter().map(|circle| circle.into_iter().map(|path| path.join("::")).collect()).collect()
    }
}

impl Module {
    fn read(tokens: &[Token]) -> Self {
        let mut module = Self::default();
        let (mut at, mut inline) = (0, Vec::new());
        while at < tokens.len() {
            inline.retain(|end| *end > at);
            let text = |offset: usize| tokens.get(at + offset).map_or("", |token| token.text.as_str());
            if tokens[at].test {
                at += 1;
                continue;
            }
            match text(0) {
                "use" if is_start(tokens, at) => {
                    let end =
                        (at..tokens.len()).find(|end| tokens[*end].text.ends_with(';')).unwrap_or(tokens.len() - 1);
                    let before = at.checked_sub(1).map_or("", |before| tokens[before].text.as_str());
                    let is_public = before == "pub" || before == ")";
                    let mut paths = Vec::new();
                    tree(&tokens[at + 1..=end], &mut 0, &Path::new(), &mut paths);
                    let named =
                        |(segments, alias)| Named { segments, alias, is_use: true, is_public, depth: inline.len() };
                    module.named.extend(paths.into_iter().map(named));
                    at = end;
                }
                "mod" if text(2) == "{" => {
                    inline.push(closing(tokens, at + 2));
                    at += 2;
                }
                "struct" | "enum" | "trait" | "fn" | "const" | "static" | "type" | "union" => {
                    module.defined.insert(text(1).to_owned());
                }
                "macro_rules" => {
                    module.defined.insert(text(2).to_owned());
                }
                _ if text(1) == "::" && is_start(tokens, at) => {
                    let mut segments = vec![text(0).to_owned()];
                    while tokens.get(at + 1).is_some_and(|token| token.text == "::") {
                        let Some(next) = tokens.get(at + 2).filter(|token| is_name(&token.text)) else { break };
                        segments.push(next.text.clone());
                        at += 2;
                    }
                    let alias = String::new();
                    module.named.push(Named { segments, alias, is_use: false, is_public: false, depth: inline.len() });
                }
                _ => {}
            }
            at += 1;
        }
        module
    }
}

/// The paths of a `use`, each with the name that it gets.
fn tree(tokens: &[Token], at: &mut usize, before: &Path, paths: &mut Vec<(Path, String)>) {
    let mut path = before.clone();
    while let Some(token) = tokens.get(*at) {
        match token.text.as_str() {
            "{" => {
                *at += 1;
                while tokens.get(*at).is_some_and(|token| token.text != "}") {
                    tree(tokens, at, &path, paths);
                }
                *at += 1;
                if tokens.get(*at).is_some_and(|token| token.text == ",") {
                    *at += 1;
                }
                return;
            }
            "," => {
                *at += 1;
                break;
            }
            "}" | ";" => break,
            "as" => {
                let alias = tokens.get(*at + 1).map_or("", |token| token.text.as_str()).to_owned();
                paths.push((path, alias));
                *at += 2;
                if tokens.get(*at).is_some_and(|token| token.text == ",") {
                    *at += 1;
                }
                return;
            }
            "::" => *at += 1,
            // Punctuation that stands together is one token.
            text if text.starts_with("::*") => {
                path.push("*".to_owned());
                *at += 1;
                if text.ends_with(',') {
                    break;
                }
            }
            "self" if !path.is_empty() => *at += 1,
            name => {
                path.push(name.to_owned());
                *at += 1;
            }
        }
    }
    let alias = path.last().cloned().unwrap_or_default();
    paths.push((path, alias));
}

/// True if a path may start at `at`: the token before it is not part of one.
fn is_start(tokens: &[Token], at: usize) -> bool {
    is_name(&tokens[at].text)
        && !at.checked_sub(1).is_some_and(|before| ["::", "."].contains(&tokens[before].text.as_str()))
}

fn is_name(text: &str) -> bool {
    text.starts_with(|first: char| first.is_alphabetic() || first == '_')
}

fn closing(tokens: &[Token], open: usize) -> usize {
    let mut depth = 0_usize;
    for (index, token) in tokens.iter().enumerate().skip(open) {
        match token.text.as_str() {
            "{" => depth += 1,
            "}" => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return index;
        }
    }
    tokens.len()
}

fn child(path: &Path, name: &str) -> Path {
    let mut path = path.clone();
    path.push(name.to_owned());
    path
}

/// Every module that one imports, directly or through others.
fn reach<'p>(module: &Path, imports: &BTreeMap<&'p Path, BTreeSet<&'p Path>>) -> BTreeSet<&'p Path> {
    let (mut reached, mut open) = (BTreeSet::new(), vec![module]);
    while let Some(next) = open.pop() {
        for target in imports.get(next).into_iter().flatten() {
            if reached.insert(*target) {
                open.push(target);
            }
        }
    }
    reached
}

/// `a/b.rs` and `a/b/mod.rs` are `[a, b]`; `lib.rs` is the root, and so is `main.rs`, which adds to it.
fn module_path(file: &str) -> Path {
    let path = file.trim_end_matches(".rs");
    let path = path.strip_suffix("/mod").unwrap_or(path);
    if ["lib", "main"].contains(&path) { Path::new() } else { path.split('/').map(str::to_owned).collect() }
}

/// The circles of every crate of the functions, as `folder: module, module`.
fn circles() -> BTreeSet<String> {
    let sources = Source::all();
    let folder = |source: &Source| {
        let (folder, _) = source.path.split_once("/src/")?;
        folder.starts_with("functions/").then(|| folder.to_owned())
    };
    let folders: BTreeSet<_> = sources.iter().filter_map(folder).collect();
    let of = |folder: &String| {
        let circles = Crate::of(&format!("{folder}/src"), &sources).circles();
        circles
            .into_iter()
            .map(|circle| format!("{folder}: {}", circle.into_iter().collect::<Vec<_>>().join(", ")))
            .collect::<Vec<_>>()
    };
    folders.iter().flat_map(of).collect()
}

#[test]
fn modules_import_each_other_one_way_but_for_honest_recursion() {
    let allowed: BTreeSet<_> =
        ALLOWED.iter().map(|(folder, modules, _)| format!("{folder}: {}", modules.join(", "))).collect();
    assert_eq!(circles(), allowed, "the circles of imports, left, are not the allowed ones, right");
}

#[test]
fn a_circle_is_found_through_reexports_paths_and_other_modules() {
    let circles = |files: &[(&str, &str)]| {
        let lex = |(path, text): &(&str, &str)| Source::lex(format!("functions/x/src/{path}"), text).0;
        let sources: Vec<_> = files.iter().map(lex).collect();
        let circles = Crate::of("functions/x/src", &sources).circles();
        circles.into_iter().map(|circle| circle.into_iter().collect::<Vec<_>>().join(" ")).collect::<Vec<_>>()
    };
    let both = |a: &str, b: &str| circles(&[("lib.rs", "mod a; mod b;"), ("a.rs", a), ("b.rs", b)]);
    assert_eq!(both("use crate::b::B; pub struct A;", "use crate::a::A; pub struct B;"), ["a b"]);
    assert_eq!(both("pub struct A;", "use crate::a::A; pub struct B;"), [""; 0]);
    assert_eq!(both("fn a() { crate::b::b(); }", "use super::{a::{self as other}, c};"), ["a b"]);
    assert_eq!(both("#[cfg(test)] mod tests { use crate::b::B; }", "use crate::a::A;"), [""; 0]);
    let shared = |b: &str| {
        circles(&[
            ("lib.rs", "mod a; mod c; pub use a::b::B;"),
            ("a/mod.rs", "mod b; pub use b::*; pub struct A;"),
            ("a/b.rs", b),
            ("c.rs", "use crate::a::B; pub struct C;"),
        ])
    };
    assert_eq!(shared("pub struct B; mod inner { use super::super::A; }"), [""; 0]);
    assert_eq!(shared("use crate::c::C; pub struct B;"), ["a::b c"]);
    assert_eq!(shared("use crate::B as Own; use super::A; pub struct B;"), [""; 0]);
    let through = [("lib.rs", ""), ("a.rs", "use crate::b;"), ("b.rs", "use crate::c;"), ("c.rs", "use crate::a;")];
    assert_eq!(circles(&through), ["a b c"]);
}
