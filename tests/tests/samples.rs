//! The samples in `events/` are what they say, and so are the examples of functions/core/README.md by them: every one goes through the real router.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use carillon_core::catalog::{Catalog, EventRef};
use carillon_core::job::EventType;
use carillon_core::json::parse;
use carillon_tests::in_process::InProcess;
use carillon_tests::process::root;
use http::Method;
use serde_json::{Value, json};

/// The JSON files of a folder of `events/`, by name.
fn samples(folder: &str) -> Vec<(String, Vec<u8>)> {
    let mut paths: Vec<PathBuf> = std::fs::read_dir(root().join("events").join(folder))
        .expect("a readable folder")
        .map(|entry| entry.expect("a readable folder").path())
        .collect();
    paths.sort();
    assert!(!paths.is_empty(), "events/{folder} is empty");
    let name = |path: &Path| path.file_name().expect("a name").to_str().expect("a UTF-8 name").to_owned();
    paths.iter().map(|path| (name(path), std::fs::read(path).expect("a readable file"))).collect()
}

fn sample(folder: &str, wanted: &str) -> Vec<u8> {
    let found = samples(folder).into_iter().find(|(name, _)| name == wanted);
    found.unwrap_or_else(|| panic!("events/{folder}/{wanted} is missing")).1
}

/// A service that knows the sample catalog.
async fn my_product() -> InProcess {
    let service = InProcess::new().await;
    let catalog = sample("catalogs", "my-product.json");
    let reply = service.send(Method::PUT, "/v1/products/my-product", catalog).await;
    assert_eq!(reply.status, 201, "{}", reply.json());
    service
}

#[test]
fn every_sample_catalog_is_sound() {
    for (name, text) in samples("catalogs") {
        let document = parse(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
        let faults = Catalog::from_document(&document).err().unwrap_or_default();
        assert!(faults.is_empty(), "{name}: {faults:#?}");
    }
}

/// The samples that need an AWS account.
const NEED_AWS: [&str; 2] = ["settle-queued-orders.json", "store-report.json"];

#[tokio::test]
async fn every_sample_job_is_accepted_or_told_that_it_needs_an_account() {
    let service = my_product().await;
    let session = json!({"data": {"member": {"id": "m-17", "name": "Ada"}}}).to_string();
    let minted =
        service.send(Method::POST, "/v1/products/my-product/envs/dev/sessions/user-session", session).await.json();
    for (name, text) in samples("jobs").into_iter().filter(|(name, _)| name != "contract-example.json") {
        let mut sent: Value = serde_json::from_slice(&text).expect("JSON");
        if sent["session"].is_object() {
            sent["session"]["token"] = minted["token"].clone();
        }
        let text = sent.to_string();
        let reply = service.send(Method::POST, "/v1/jobs", text.clone()).await;
        if NEED_AWS.contains(&name.as_str()) {
            let problem = reply.json();
            assert_eq!((reply.status, &problem["code"]), (422, &json!("not_available")), "{name}: {problem}");
            continue;
        }
        assert_eq!(reply.status, 202, "{name}: {}", reply.json());
        let id = reply.json()["job_id"].as_str().expect("an id").to_owned();
        let stored = service.send(Method::GET, &format!("/v1/jobs/{id}"), Vec::new()).await.json();
        for field in ["product_tag", "env", "event", "input", "repeat", "cache"] {
            assert_eq!(stored[field], sent[field], "{name}: {field}");
        }
        assert_eq!(stored["recurring"], sent["repeat"].is_object(), "{name}");
    }
}

#[test]
fn the_samples_have_a_job_of_every_type() {
    let document = parse(&sample("catalogs", "my-product.json")).expect("JSON");
    let catalog = Catalog::from_document(&document).expect("a sound catalog");
    let event_type = |text: &[u8]| {
        let job: Value = serde_json::from_slice(text).expect("JSON");
        let (event, app) = (job["event"].as_str().expect("an event"), job["app"].as_str());
        catalog.resolve(EventRef { event, event_type: None, app }).expect("its event").event_type()
    };
    let found: BTreeSet<EventType> = samples("jobs").iter().map(|(_, text)| event_type(text)).collect();
    assert_eq!(found, EventType::WORDS.iter().map(|(_, event_type)| *event_type).collect());
}

#[tokio::test]
async fn the_sample_of_weekdays_is_due_on_weekdays_by_the_clock_of_its_zone_up_to_its_limit() {
    let service = my_product().await;
    let mut sent: Value = serde_json::from_slice(&sample("jobs", "restock-on-weekdays.json")).expect("JSON");
    sent["count"] = json!(100);
    let preview = service.send(Method::POST, "/v1/jobs/preview", sent.to_string()).await.json();
    let runs = preview["runs"].as_array().expect("runs");
    assert_eq!((runs.len(), &preview["ends_by"], &preview["warnings"]), (20, &json!("limit"), &json!([])));
    let dates: Vec<_> = runs.iter().map(|run| run["local"].as_str().expect("a local time")).collect();
    assert!(dates.iter().all(|local| local.ends_with("T07:30:00")), "{dates:?}");
    // The first of 2030 is a Tuesday.
    let begin: Vec<_> = dates.iter().take(5).map(|local| &local[..10]).collect();
    assert_eq!(begin, ["2030-01-01", "2030-01-02", "2030-01-03", "2030-01-04", "2030-01-07"]);
}

#[tokio::test]
async fn the_contracts_example_is_understood_and_refused_for_what_is_not_available_alone() {
    let service = my_product().await;
    let reply = service.send(Method::POST, "/v1/jobs", sample("jobs", "contract-example.json")).await;
    let problem = reply.json();
    assert_eq!((reply.status, &problem["code"]), (422, &json!("not_available")), "{problem}");
    let errors = problem["errors"].as_array().expect("errors");
    let mut named: Vec<_> = errors.iter().map(|error| (error["pointer"].as_str(), error["code"].as_str())).collect();
    named.sort_unstable();
    // Its session's key is one that only a deployment can fetch.
    assert_eq!(named, [(Some("/session/tag"), Some("not_available"))], "{problem}");
    assert_eq!(service.stored("my-product", &["dev", "prd"]).await.len(), 0);
}

/// The contract's text is a JavaScript literal; this is that literal, value by value.
#[test]
fn the_contracts_example_is_the_contracts_own() {
    let contract = json!({
        "product_tag": "my-product",
        "env": "prd",
        "event": "send_notification",
        "start_at": 0,
        "input": {
            "slug": "order_update",
            "push_notification": {
                "title": { "en": "Order Shipped" },
                "body": { "en": "Your order #12345 has been shipped!" },
                "data": { "trackingId": "XYZ987" },
                "device_token": "abcdef123456"
            }
        },
        "session": { "tag": "user-session", "token": "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9..." },
        "cache": "notify-user-123",
        "repeat": { "cron": "0 10 * * *", "tz": "Europe/Amsterdam", "limit": 30 }
    });
    let sample: Value = serde_json::from_slice(&sample("jobs", "contract-example.json")).expect("JSON");
    assert_eq!(sample, contract);
}

fn readme() -> String {
    std::fs::read_to_string(root().join("functions/core/README.md")).expect("a README")
}

/// The texts in backticks.
fn spans(text: &str) -> Vec<&str> {
    text.split('`').skip(1).step_by(2).collect()
}

#[tokio::test]
async fn every_example_of_what_a_job_can_do_is_accepted_or_told_that_it_needs_an_account() {
    let service = my_product().await;
    let readme = readme();
    let (_, section) = readme.split_once("\n## Event types\n").expect("the section");
    let rows = section.lines().skip_while(|line| !line.starts_with("| `")).take_while(|line| line.starts_with("| `"));
    let mut found = BTreeSet::new();
    for row in rows {
        let cells: Vec<_> = row.split(" | ").collect();
        let (named, examples) = (spans(cells[0]), spans(cells[1]));
        let [event_type, events @ ..] = named.as_slice() else { panic!("no type: {row}") };
        let examples: Vec<_> = examples.into_iter().filter(|span| span.starts_with('{')).collect();
        assert!(!events.is_empty() && !examples.is_empty(), "no event or no example: {row}");
        // The sample's queue stands in production alone.
        let env = if *event_type == "subscribe" { "prd" } else { "dev" };
        let needs_aws = ["storage", "subscribe"].contains(event_type);
        let expected = if needs_aws { (422, json!("not_available")) } else { (202, json!(null)) };
        for (event, example) in events.iter().flat_map(|event| examples.iter().map(move |example| (event, example))) {
            let input: Value = serde_json::from_str(example).unwrap_or_else(|error| panic!("{error}: {example}"));
            let asked = json!({
                "product_tag": "my-product", "env": env, "event": event, "type": event_type, "start_at": 0, "input": input,
            });
            let reply = service.send(Method::POST, "/v1/jobs", asked.to_string()).await;
            let said = reply.json();
            assert_eq!((reply.status, said["code"].clone()), expected, "{event_type} {event} {example}: {said}");
        }
        found.insert((*event_type).to_owned());
    }
    assert_eq!(found, EventType::WORDS.iter().map(|(word, _)| (*word).to_owned()).collect(), "the types of the table");
}

/// Lays an object over another, member by member.
fn lay_over(below: &mut Value, above: &Value) {
    match (below, above) {
        (Value::Object(below), Value::Object(above)) => {
            for (name, value) in above {
                lay_over(below.entry(name).or_insert(Value::Null), value);
            }
        }
        (below, above) => *below = above.clone(),
    }
}

#[test]
fn every_part_of_a_catalog_in_the_readme_is_sound_within_the_sample() {
    let sample: Value = serde_json::from_slice(&sample("catalogs", "my-product.json")).expect("JSON");
    let readme = readme();
    let parts: Vec<_> = readme.split("\n```json\n").skip(1).filter_map(|rest| rest.split("\n```").next()).collect();
    assert!(parts.len() > 1, "{parts:?}");
    for part in parts {
        let part: Value =
            serde_json::from_str(&format!("{{{part}}}")).unwrap_or_else(|error| panic!("{error}: {part}"));
        let mut document = sample.clone();
        lay_over(&mut document, &part);
        let faults = Catalog::from_document(&document).err().unwrap_or_default();
        assert!(faults.is_empty(), "{part}: {faults:#?}");
    }
}
