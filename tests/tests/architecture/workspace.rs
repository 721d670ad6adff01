//! The workspace as cargo describes it, and its files.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use serde_json::Value;

/// The workspace's root folder.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the tests stand in the workspace")
}

/// The text of a file, by its path from the root.
pub(crate) fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The paths of all files below `folder`, from the root and with `/`, in order; build output is left out.
pub(crate) fn files(folder: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())) {
            let path = entry.expect("a readable folder").path();
            if path.is_dir() {
                let output = path.file_name().is_some_and(|name| name == "target" || name == ".terraform");
                folders.extend((!output).then_some(path));
            } else {
                found.push(from_root(&path));
            }
        }
    }
    found.sort();
    found
}

fn from_root(path: &Path) -> String {
    let path: PathBuf = path.strip_prefix(root()).expect("a path below the root").components().collect();
    path.to_str().expect("a UTF-8 path").replace('\\', "/")
}

/// `cargo metadata` of the workspace with all features: every package that the lock file names, and how they depend on each other.
pub(crate) fn metadata() -> &'static Value {
    static METADATA: LazyLock<Value> = LazyLock::new(|| {
        let cargo = Command::new(env!("CARGO"))
            .args(["metadata", "--format-version", "1", "--locked", "--all-features"])
            .current_dir(root())
            .output()
            .expect("cargo runs");
        assert!(cargo.status.success(), "{}", String::from_utf8_lossy(&cargo.stderr));
        serde_json::from_slice(&cargo.stdout).expect("cargo writes JSON")
    });
    &METADATA
}

/// One package of the graph.
#[derive(Clone, Copy)]
pub(crate) struct Package(&'static Value);

impl Package {
    /// Every package: ours and what they need, on all platforms.
    pub(crate) fn all() -> Vec<Self> {
        list(metadata(), "packages").iter().map(Self).collect()
    }

    /// The workspace's own packages.
    pub(crate) fn ours() -> Vec<Self> {
        Self::all().into_iter().filter(|package| package.source().is_none()).collect()
    }

    pub(crate) fn id(self) -> &'static str {
        text(self.0, "id")
    }

    pub(crate) fn name(self) -> &'static str {
        text(self.0, "name")
    }

    pub(crate) fn version(self) -> semver::Version {
        text(self.0, "version").parse().expect("a version")
    }

    /// Its licence expression.
    pub(crate) fn license(self) -> Option<&'static str> {
        self.0["license"].as_str()
    }

    /// Its source; `None` for a folder on this disk.
    pub(crate) fn source(self) -> Option<&'static str> {
        self.0["source"].as_str()
    }

    /// The path of its manifest from the root; only for our own.
    pub(crate) fn manifest(self) -> String {
        from_root(Path::new(text(self.0, "manifest_path")))
    }

    /// The dependencies in its manifest.
    pub(crate) fn dependencies(self) -> Vec<Dependency> {
        list(self.0, "dependencies").iter().map(Dependency).collect()
    }

    /// Every package that ends up in a build of this one, itself left out. What its tests and build scripts need does not.
    pub(crate) fn linked(self) -> Vec<Self> {
        let packages: BTreeMap<_, _> = Self::all().into_iter().map(|package| (package.id(), package)).collect();
        let nodes: BTreeMap<_, _> =
            list(&metadata()["resolve"], "nodes").iter().map(|node| (text(node, "id"), node)).collect();
        let (mut linked, mut open) = (BTreeMap::new(), vec![self.id()]);
        while let Some(id) = open.pop() {
            for edge in list(nodes[id], "deps") {
                let normal = list(edge, "dep_kinds").iter().any(|kind| kind["kind"].is_null());
                let id = text(edge, "pkg");
                if normal && linked.insert(id, packages[id]).is_none() {
                    open.push(id);
                }
            }
        }
        linked.into_values().collect()
    }
}

/// One line of a manifest's dependencies.
#[derive(Clone, Copy)]
pub(crate) struct Dependency(&'static Value);

impl Dependency {
    pub(crate) fn name(self) -> &'static str {
        text(self.0, "name")
    }

    /// True if only tests and benchmarks use it.
    pub(crate) fn is_dev(self) -> bool {
        self.0["kind"] == "dev"
    }

    /// True if only a feature enables it.
    pub(crate) fn is_optional(self) -> bool {
        self.0["optional"] == true
    }

    /// True for a folder on this disk.
    pub(crate) fn is_path(self) -> bool {
        !self.0["path"].is_null()
    }

    /// The versions that it takes.
    pub(crate) fn requirement(self) -> &'static str {
        text(self.0, "req")
    }
}

fn text(value: &'static Value, key: &str) -> &'static str {
    value[key].as_str().unwrap_or_else(|| panic!("cargo metadata has a text {key}"))
}

fn list(value: &'static Value, key: &str) -> &'static [Value] {
    value[key].as_array().unwrap_or_else(|| panic!("cargo metadata has a list {key}"))
}
