//! The direction of dependencies: functions → adapters → core.

use crate::workspace::{Dependency, Package};

/// The layers from the bottom up. A crate depends on lower layers only, so there are no cycles and no side ways.
const LAYERS: [&[&str]; 6] = [
    &["carillon-core"],
    &["carillon-aws", "carillon-embedded", "carillon-outbound"], // the core's ports on something real, and the way out
    &["carillon-api", "carillon-executor"],                      // the Lambda functions: neither depends on the other
    &["carillon"],                                               // all of it in one process
    &["carillon-load"], // what the benchmark and the guard over instructions measure
    &["carillon-tests"],
];

/// Prefixes of runtimes, clouds and sockets.
const NOT_PURE: [&str; 9] = ["async-std", "aws-", "aws_", "hyper", "lambda", "mio", "reqwest", "smol", "tokio"];

/// Prefixes of AWS's SDK. (`aws-lc` is not one: that is the TLS stack's arithmetic.)
const SDK: [&str; 6] = ["aws-config", "aws-credential", "aws-runtime", "aws-sdk-", "aws-smithy-", "aws-types"];

fn layer(crate_name: &str) -> usize {
    LAYERS
        .iter()
        .position(|layer| layer.contains(&crate_name))
        .unwrap_or_else(|| panic!("{crate_name} has no layer: give it one in tests/tests/architecture/dependencies.rs"))
}

fn ours(name: &str) -> Package {
    Package::ours()
        .into_iter()
        .find(|package| package.name() == name)
        .unwrap_or_else(|| panic!("{name} is a crate here"))
}

#[test]
fn the_core_links_no_aws_crate_no_runtime_and_no_other_crate_of_ours() {
    let linked = ours("carillon-core").linked();
    assert!(linked.iter().any(|package| package.name() == "serde_json"), "the graph of the core is empty");
    let wrong: Vec<_> = linked
        .iter()
        .filter(|package| package.source().is_none() || NOT_PURE.iter().any(|start| package.name().starts_with(start)))
        .map(|package| package.name())
        .collect();
    assert!(wrong.is_empty(), "carillon-core links {wrong:?}");
}

#[test]
fn the_api_function_links_no_client_of_databases_or_mail() {
    let linked = |name| -> Vec<_> { ours(name).linked().into_iter().map(Package::name).collect() };
    let (api, executor) = (linked("carillon-api"), linked("carillon-executor"));
    assert!(api.contains(&"lambda_http"), "the graph of the API is not that of its Lambda function");
    for client in ["lettre", "tokio-postgres"] {
        assert!(executor.contains(&client), "the graph of the executor lacks {client}, which it calls");
        assert!(!api.contains(&client), "the API links {client}");
    }
}

#[test]
fn dependencies_point_one_way_from_functions_to_adapters_to_core() {
    let mut wrong = Vec::new();
    for package in Package::ours() {
        for dependency in package.dependencies() {
            let own = dependency.is_path() && !dependency.is_dev();
            if own && layer(dependency.name()) >= layer(package.name()) {
                wrong.push(format!("{} depends on {}", package.name(), dependency.name()));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn every_crate_of_the_workspace_has_a_layer_and_every_layer_its_crates() {
    let mut found: Vec<_> = Package::ours().iter().map(|package| package.name()).collect();
    let mut named = LAYERS.concat();
    found.sort_unstable();
    named.sort_unstable();
    assert_eq!(found, named);
}

#[test]
fn only_carillon_aws_asks_for_the_aws_sdk() {
    let mut wrong = Vec::new();
    for package in Package::ours().into_iter().filter(|package| package.name() != "carillon-aws") {
        // These features belong to the minimal function, which ours are measured against.
        let asked = |dependency: &Dependency| !(package.name() == "carillon-tests" && dependency.is_optional());
        for dependency in package.dependencies().into_iter().filter(asked) {
            if SDK.iter().any(|start| dependency.name().starts_with(start)) {
                wrong.push(format!("{} asks for {}", package.name(), dependency.name()));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
