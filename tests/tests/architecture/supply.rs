//! Rules for dependencies: the policy of `.deny.toml`, checked for every package of the lock file.
//!
//! The same file serves `cargo deny check licenses bans sources`. These tests need no tool but cargo.

use std::collections::{BTreeMap, BTreeSet};

use crate::workspace::{Package, read};

fn policy(section: &str, list: &str) -> Vec<toml::Value> {
    let policy: toml::Table = read(".deny.toml").parse().expect(".deny.toml is TOML");
    policy[section][list].as_array().unwrap_or_else(|| panic!("[{section}] {list} is a list")).clone()
}

fn policy_texts(section: &str, list: &str) -> Vec<String> {
    policy(section, list).iter().map(|text| text.as_str().expect("a text").to_owned()).collect()
}

/// The versions of every package, by name.
fn versions() -> BTreeMap<&'static str, BTreeSet<semver::Version>> {
    let mut versions: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
    for package in Package::all() {
        versions.entry(package.name()).or_default().insert(package.version());
    }
    versions
}

/// A licence expression can be met with allowed licences alone.
fn is_met(expression: &str, allowed: &[spdx::Licensee]) -> bool {
    let expression = spdx::Expression::parse_mode(expression, spdx::ParseMode::LAX);
    expression.is_ok_and(|expression| expression.evaluate(|one| allowed.iter().any(|license| license.satisfies(one))))
}

#[test]
fn every_package_can_be_used_under_an_allowed_licence() {
    let allowed: Vec<_> =
        policy_texts("licenses", "allow").iter().map(|name| spdx::Licensee::parse(name).expect(name)).collect();
    let wrong: Vec<_> = Package::all()
        .into_iter()
        .filter(|package| !package.license().is_some_and(|expression| is_met(expression, &allowed)))
        .map(|package| format!("{} {}: {:?}", package.name(), package.version(), package.license()))
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn a_licence_expression_is_met_by_one_side_of_or_and_by_both_sides_of_and() {
    let mit = [spdx::Licensee::parse("MIT").unwrap()];
    for met in ["MIT", "MIT OR GPL-3.0-only", "GPL-3.0-only/MIT", "(MIT OR ISC) AND MIT"] {
        assert!(is_met(met, &mit), "{met}");
    }
    for unmet in ["GPL-3.0-only", "MIT AND GPL-3.0-only", "MIT WITH LLVM-exception", "Ask-Me", ""] {
        assert!(!is_met(unmet, &mit), "{unmet}");
    }
}

#[test]
fn every_package_comes_from_an_allowed_registry_or_stands_in_the_workspace() {
    let registries = policy_texts("sources", "allow-registry");
    let members: BTreeSet<_> = Package::ours().iter().map(|package| package.manifest()).collect();
    assert!(members.iter().all(|path| path.starts_with("functions/") || path.starts_with("tests/")), "{members:?}");
    let wrong: Vec<_> = Package::all()
        .into_iter()
        .filter_map(Package::source)
        .filter(|source| !registries.iter().any(|allowed| *source == format!("registry+{allowed}")))
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn no_package_is_banned_and_none_that_may_stand_once_stands_twice() {
    let versions = versions();
    let mut wrong = Vec::new();
    for ban in policy("bans", "deny") {
        let spec = ban["crate"].as_str().expect("a ban names a crate");
        let (name, requirement) = spec.split_once(':').unwrap_or((spec, "*"));
        let requirement: semver::VersionReq = requirement.parse().expect("a version requirement");
        let found = versions.get(name).into_iter().flatten().filter(|version| requirement.matches(version)).count();
        let once = ban.get("deny-multiple-versions").is_some_and(|once| once.as_bool() == Some(true));
        if found > usize::from(once) {
            wrong.push(format!("{spec}: {:?}", versions[name]));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn there_is_exactly_one_tls_stack() {
    let versions = versions();
    assert_eq!(versions.get("rustls").map(BTreeSet::len), Some(1), "{:?}", versions.get("rustls"));
    for other in ["boring", "native-tls", "openssl", "openssl-sys", "s2n-tls"] {
        assert!(!versions.contains_key(other), "{other} is a second one");
    }
}

#[test]
fn no_manifest_takes_any_version_of_a_package() {
    let mut wrong = Vec::new();
    for package in Package::ours() {
        for dependency in package.dependencies() {
            if dependency.requirement() == "*" && !dependency.is_path() {
                wrong.push(format!("{} takes any {}", package.name(), dependency.name()));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
