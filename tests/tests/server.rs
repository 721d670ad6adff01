//! The program as its user meets it: what it prints, refuses, logs and answers.

use std::collections::BTreeSet;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::time::Duration;

use carillon_tests::client::{catalog, job};
use carillon_tests::env::{epoch_ms, until, variable};
use carillon_tests::process::{Ended, Launch, Server, root, run};
use carillon_tests::receiver::{Receiver, answer};
use http::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::process::Command;

/// Timeout for something that happens at once on an idle machine.
const SOON: Duration = Duration::from_secs(30);

/// The options and commands that there are; the table of functions/local/README.md and `--help` have to have all of them.
const OPTIONS: [&str; 14] = [
    "--allow",
    "--catalog",
    "--concurrency",
    "--data",
    "--durability",
    "--help",
    "--host",
    "--idempotency-hours",
    "--log-format",
    "--max-waits",
    "--port",
    "--root-certificates",
    "--run-retention-days",
    "--version",
];

fn options_in(text: &str) -> BTreeSet<&str> {
    let words = text.split(|c: char| !(c.is_ascii_lowercase() || c == '-'));
    words.filter(|word| word.len() > 3 && word.starts_with("--") && !word[2..].starts_with('-')).collect()
}

#[tokio::test]
async fn help_names_every_option_with_its_variable() {
    let help = run(&["--help"]).await;
    assert!(help.status.success());
    assert_eq!(options_in(&help.stdout), BTreeSet::from(OPTIONS), "{}", help.stdout);
    let variables = [
        "ALLOW_LIST",
        "CATALOG",
        "CONCURRENCY",
        "DATA",
        "DURABILITY",
        "HOST",
        "IDEMPOTENCY_HOURS",
        "MAX_WAITS",
        "LOG_FORMAT",
        "PORT",
        "ROOT_CERTIFICATES_FILE",
        "RUN_RETENTION_DAYS",
    ];
    for variable in variables.map(|it| format!("CARILLON_{it}")) {
        assert!(help.stdout.contains(&variable), "{variable}: {}", help.stdout);
    }
    for command in ["demo", "keys"] {
        assert!(help.stdout.contains(&format!("\n  {command} ")), "{command}: {}", help.stdout);
    }
    let keys = run(&["keys", "create", "--help"]).await.stdout;
    let expected = ["--data", "--envs", "--help", "--name", "--products", "--scopes"];
    assert_eq!(options_in(&keys), BTreeSet::from(expected), "{keys}");
}

#[tokio::test]
async fn the_readme_names_every_option_of_the_server() {
    let readme = std::fs::read_to_string(root().join("functions/local/README.md")).unwrap();
    let start = readme.find("## Configuration").expect("a section on configuration");
    let section = &readme[start..];
    let section = &section[..section[3..].find("\n## ").map_or(section.len(), |end| end + 3)];
    let missing: Vec<_> =
        OPTIONS[..].iter().filter(|it| !["--help", "--version"].contains(it) && !section.contains(*it)).collect();
    assert!(missing.is_empty(), "{missing:?}");
    let unknown: Vec<_> = options_in(section).into_iter().filter(|it| !OPTIONS.contains(it)).collect();
    assert!(unknown.is_empty(), "{unknown:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_printed_curl_lines_work_when_they_are_pasted() {
    let has_curl = Command::new("curl").arg("--version").output().await.is_ok_and(|it| it.status.success());
    if !has_curl {
        assert_ne!(variable("CI").as_deref(), Some("true"), "curl is missing, and nobody pastes the examples");
        eprintln!("LEFT OUT: curl is missing, so the printed lines were not pasted");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let server = Launch::on(folder.path()).start().await;
    let lines: Vec<_> = server.printed.iter().filter(|line| line.starts_with("curl ")).collect();
    let mut answers = Vec::new();
    for line in &lines {
        let pasted = Command::new("sh").args(["-c", line]).output().await.unwrap();
        assert!(
            pasted.status.success() && pasted.stderr.is_empty(),
            "{line}: {}",
            String::from_utf8_lossy(&pasted.stderr)
        );
        answers.push(serde_json::from_slice::<Value>(&pasted.stdout).unwrap_or_else(|error| panic!("{error}: {line}")));
    }
    let [published, ended, listed] = answers.as_slice() else { panic!("not three lines: {lines:?}") };
    assert_eq!(published["product_tag"], "hello", "{published}");
    assert_eq!((&ended["status"], &ended["attempts"]), (&json!("completed"), &json!(1)), "{ended}");
    assert_eq!(ended["result"]["body"]["received"], json!({"text": "Hello!"}), "{ended}");
    assert_eq!(listed["jobs"][0]["job_id"], ended["job_id"], "{listed}");
}

fn sample_catalog() -> PathBuf {
    root().join("events/catalogs/my-product.json")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_catalog_given_at_the_start_is_published_under_the_name_of_its_file() {
    let folder = tempfile::tempdir().unwrap();
    let second = folder.path().join("other.json");
    std::fs::write(&second, r#"{"envs": ["dev"]}"#).unwrap();
    let launch = Launch::on(&folder.path().join("data")).with("--catalog", sample_catalog()).with("--catalog", second);
    // The second start replaces what the first one published.
    for _ in 0..2 {
        let server = launch.start().await;
        let sample: Value = serde_json::from_slice(&std::fs::read(sample_catalog()).unwrap()).unwrap();
        assert_eq!(server.client.get("/v1/products/my-product").await.json(200), sample);
        assert_eq!(server.client.get("/v1/products/other").await.json(200), json!({"envs": ["dev"]}));
        server.kill().await;
    }
}

async fn start_with_catalog(folder: &Path, name: &str, text: &str) -> Ended {
    let path = folder.join(name);
    std::fs::write(&path, text).unwrap();
    let ended = Launch::on(&folder.join("data")).with("--catalog", &path).fails().await;
    assert!(ended.stderr.contains(path.to_str().unwrap()), "the file is not named: {}", ended.stderr);
    assert!(ended.stdout.is_empty() && !ended.stderr.contains("panicked"), "{} {}", ended.stdout, ended.stderr);
    ended
}

#[tokio::test]
async fn a_bad_catalog_ends_the_start_and_all_of_its_faults_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let bad = json!({
        "envs": ["dev", "dev"],
        "caches": {"short": {"expiry": 0}},
        "apps": {"shop": {"envs": {"dev": {"base_url": "ftp://x", "auth": {"bearer": "hunter2"}}}, "actoins": {}}},
        "jobs": {"nightly": {"event": "no.such"}},
    });
    let ended = start_with_catalog(folder.path(), "shop.json", &bad.to_string()).await;
    for pointer in [
        "/envs/1",
        "/caches/short/expiry",
        "/apps/shop/envs/dev/base_url",
        "/apps/shop/envs/dev/auth/bearer",
        "/apps/shop/actoins",
        "/jobs/nightly/event",
    ] {
        assert!(ended.stderr.contains(&format!("{pointer}: ")), "{pointer}: {}", ended.stderr);
    }
    assert!(!ended.stderr.contains("hunter2"), "a secret that was put into the catalog is repeated: {}", ended.stderr);

    let ended = start_with_catalog(folder.path(), "text.json", "envs: [dev]").await;
    assert!(ended.stderr.contains("line 1"), "{}", ended.stderr);
    start_with_catalog(folder.path(), "twice.json", r#"{"envs": ["dev"], "envs": ["prd"]}"#).await;
    start_with_catalog(folder.path(), "two words.json", r#"{"envs": ["dev"]}"#).await;

    let missing = folder.path().join("missing.json");
    let ended = Launch::on(&folder.path().join("data")).with("--catalog", &missing).fails().await;
    assert!(ended.stderr.contains(missing.to_str().unwrap()), "{}", ended.stderr);
}

#[tokio::test]
async fn a_port_that_is_taken_is_named_in_a_clear_error() {
    let folder = tempfile::tempdir().unwrap();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    // A second port is an error: the option may be given once.
    let ended = run(&["--data", folder.path().to_str().unwrap(), "--port", &address.port().to_string()]).await;
    assert!(!ended.status.success() && ended.stdout.is_empty(), "{}", ended.stdout);
    assert!(ended.stderr.contains(&format!("cannot listen on {address}")), "{}", ended.stderr);
    assert!(!ended.stderr.contains("panicked") && !ended.stderr.contains("Os {"), "{}", ended.stderr);
}

#[tokio::test]
async fn entries_of_the_allow_list_that_cannot_be_read_are_all_named() {
    let folder = tempfile::tempdir().unwrap();
    let launch = Launch::on(folder.path()).with("--allow", "10.0.0.1/8,127.0.0.1").with("--allow", "host:port:port");
    let ended = launch.fails().await;
    assert!(ended.stderr.contains("10.0.0.1/8") && ended.stderr.contains("host:port:port"), "{}", ended.stderr);
}

const INPUT_CANARY: &str = "canary-in-the-input";
const SECRET_CANARY: &str = "canary-in-the-secret";
const ANSWER_CANARY: &str = "canary-in-the-answer";

/// A product whose app wants a secret, and answers `/tasks/2` with an error.
async fn secretive(launch: Launch) -> (Receiver, Server) {
    let receiver = Receiver::start(async |delivery| {
        let status = if delivery.path == "/tasks/2" { StatusCode::BAD_REQUEST } else { StatusCode::OK };
        answer(status, &json!({ "text": ANSWER_CANARY }))
    })
    .await;
    let server = launch.allow(receiver.address).variable("APP_TOKEN", SECRET_CANARY).start().await;
    let mut catalog = catalog(receiver.address);
    catalog["apps"]["app"]["envs"]["dev"]["auth"] = json!({"bearer": "env:APP_TOKEN"});
    server.client.put("/v1/products/p", &catalog).await.json(201);
    (receiver, server)
}

/// Lets jobs succeed and fail, and sends requests that are refused, with canaries wherever a caller can put one.
async fn sing(server: &Server) {
    for number in 1..=2 {
        let mut job = job("p", number, 0);
        job["input"]["body"] = json!({ "text": INPUT_CANARY });
        job["input"]["query"] = json!({ "text": INPUT_CANARY });
        let id = server.client.schedule(&job).await;
        until("the job has ended", SOON, async || (!server.client.has_open_jobs("p").await).then_some(())).await;
        let job = server.client.job(&id).await;
        assert_eq!(job["run"]["attempts"], 1, "{job}");
        assert_eq!(
            server.client.post(&format!("/v1/jobs/{id}/cancel"), &json!({"reason": INPUT_CANARY})).await.status,
            409
        );
    }
    let mut bad = job("p", 3, 0);
    bad[INPUT_CANARY] = json!(INPUT_CANARY);
    server.client.post("/v1/jobs", &bad).await.json(422);
    server.client.get(&format!("/v1/{INPUT_CANARY}?{INPUT_CANARY}={INPUT_CANARY}")).await.json(404);
    server.client.with_key(&format!("car_{SECRET_CANARY}")).get("/v1/jobs").await.json(401);
}

fn assert_silent(log: &str, key: &str) {
    let key = key.strip_prefix("car_").expect("a key");
    for canary in [INPUT_CANARY, SECRET_CANARY, ANSWER_CANARY, key] {
        let line = log.lines().find(|line| line.contains(canary));
        assert_eq!(line, None, "{canary} stands in the log");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn json_logs_are_one_object_per_line_and_hold_no_payload_secret_or_key() {
    let folder = tempfile::tempdir().unwrap();
    let (_receiver, server) = secretive(Launch::on(folder.path()).with("--log-format", "json")).await;
    sing(&server).await;
    let key = server.key.clone();
    server.terminate();
    let ended = server.ended().await;
    assert!(ended.status.success(), "{}", ended.stderr);
    assert_silent(&ended.stderr, &key);
    let mut messages = BTreeSet::new();
    for line in ended.stderr.lines() {
        let object: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        for name in ["timestamp", "level", "message"] {
            assert!(object[name].is_string(), "no {name}: {line}");
        }
        messages.insert(object["message"].as_str().unwrap().to_owned());
    }
    for message in ["request", "record: attempted"] {
        assert!(messages.contains(message), "{message} is missing: {messages:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn logs_for_people_hold_no_payload_secret_or_key_even_when_everything_is_traced() {
    let folder = tempfile::tempdir().unwrap();
    let (_receiver, server) = secretive(Launch::on(folder.path()).variable("RUST_LOG", "trace")).await;
    sing(&server).await;
    let log = server.log();
    assert!(log.contains("TRACE") && !log.contains('\u{1b}'), "{log}");
    assert_silent(&log, &server.key);
}

#[tokio::test]
async fn the_demonstration_ends_with_success_in_plain_lines_where_there_is_no_terminal() {
    let ended = run(&["demo"]).await;
    assert_eq!(ended.status.code(), Some(0), "{}{}", ended.stdout, ended.stderr);
    assert!(!ended.stdout.contains('\u{1b}') && !ended.stdout.contains('\r'), "{:?}", ended.stdout);
    assert!(ended.stdout.contains("All 14 jobs ended as they should, in 20 attempts, none lost and none doubled."));
    assert_eq!(ended.stderr, "");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_caller_who_prefers_to_wait_gets_the_result_of_the_execution() {
    let folder = tempfile::tempdir().unwrap();
    let receiver = Receiver::content().await;
    // Takes connections, and never answers.
    let silent = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let silent_address = silent.local_addr().unwrap();
    let server = Launch::on(folder.path()).allow(receiver.address).allow(silent_address).start().await;
    server.client.put("/v1/products/p", &catalog(receiver.address)).await.json(201);
    server.client.put("/v1/products/silent", &catalog(silent_address)).await.json(201);
    let wait = async |seconds: &str, body: &Value| {
        server.client.send(Method::POST, "/v1/jobs", &[("prefer", seconds)], Some(body)).await.unwrap()
    };
    let ended = wait("wait=5", &job("p", 7, 0)).await;
    assert_eq!(ended.headers["preference-applied"], "wait=5");
    let ended = ended.json(200);
    assert_eq!(
        (&ended["status"], &ended["result"]["body"]["path"]),
        (&json!("completed"), &json!("/tasks/7")),
        "{ended}"
    );

    let asked_at = epoch_ms();
    let accepted = wait("wait=1", &job("silent", 8, 0)).await;
    assert!(epoch_ms() - asked_at >= 1_000, "the answer did not wait");
    assert_eq!(accepted.json(202)["status"], "queued");
    let accepted = wait("wait=25", &job("p", 9, asked_at + 3_600_000)).await;
    assert!(epoch_ms() - asked_at < 10_000, "the answer waited for a job that is due in an hour");
    assert_eq!(accepted.json(202)["status"], "scheduled");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bodies_beyond_256_kb_are_refused_over_a_real_connection_and_the_server_serves_on() {
    let folder = tempfile::tempdir().unwrap();
    let server = Launch::on(folder.path()).start().await;
    let large = json!({ "text": "a".repeat(300_000) });
    assert_eq!(server.client.post("/v1/jobs", &large).await.json(413)["code"], "body_too_large");
    // A body that is far too large is not read to its end: the caller may see the connection break before the answer.
    let huge = json!({ "text": "a".repeat(30_000_000) });
    if let Ok(answer) = server.client.send(Method::PUT, "/v1/products/p", &[], Some(&huge)).await {
        answer.json(413);
    }
    server.client.get("/v1/health").await.json(200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backlog_of_one_product_does_not_delay_the_jobs_of_another() {
    let folder = tempfile::tempdir().unwrap();
    let receiver = Receiver::content().await;
    let server = Launch::on(folder.path()).allow(receiver.address).with("--concurrency", "1").start().await;
    for product in ["busy", "quiet"] {
        server.client.put(&format!("/v1/products/{product}"), &catalog(receiver.address)).await.json(201);
    }
    let due_at = epoch_ms() + 2_000;
    for number in 0..40 {
        server.client.schedule(&job("busy", number, due_at)).await;
    }
    let quiet = server.client.schedule(&job("quiet", 0, due_at + 1)).await;
    assert!(epoch_ms() < due_at, "the machine is too busy: the first jobs were due before the last were scheduled");
    let quiet = server.client.ended(&quiet).await;
    until("every job has ended", SOON, async || (!server.client.has_open_jobs("busy").await).then_some(())).await;
    let busy = server.client.jobs("busy", None).await;
    let began = |run: &Value| run["started_at"].as_i64().unwrap();
    let earlier = busy.iter().filter(|job| began(&job["run"]) < began(&quiet)).count();
    assert_eq!(busy.len(), 40);
    assert!(earlier <= 2, "{earlier} jobs of the other product were first");
}
