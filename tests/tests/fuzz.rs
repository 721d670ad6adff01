//! Whatever strangers send: no panic, no fault of the service, and nothing stored but what was acknowledged.
//!
//! Each test tries 10,000 cases. `CARILLON_FUZZ_CASES=1000000 cargo test --release -p carillon-tests --test fuzz` tries a
//! million in each, in some minutes. A case that fails is named by its number, and is made again from that alone.

use std::collections::{BTreeMap, BTreeSet};

use axum::body::Body;
use carillon_core::event_types::{Limits, ResolvedEvent};
use carillon_core::ids::{Fire, JobId};
use carillon_core::job::{Job, Output, RunError};
use carillon_core::operations::{Executor, execute};
use carillon_core::ports::{CatalogStore as _, JobStore as _, Ports as _, Targets};
use carillon_core::request::DispatchRequest;
use carillon_tests::fuzz::paths::{Known, path};
use carillon_tests::fuzz::{CATALOG, PRODUCT, cases, documents};
use carillon_tests::in_process::{InProcess, Reply};
use carillon_tests::random::Random;
use futures_util::future::join_all;
use http::Method;
use serde_json::{Value, json};

const CASES: u64 = 10_000;
/// Number of concurrent requests: the store writes them together.
const AT_A_TIME: u64 = 64;
const ENVS: [&str; 2] = ["dev", "prd"];

/// A service with the catalog that the jobs belong to.
async fn shop() -> InProcess {
    let service = InProcess::new().await;
    let reply = service.send(Method::PUT, &format!("/v1/products/{PRODUCT}"), CATALOG).await;
    assert_eq!(reply.status, 201, "{}", reply.json());
    service
}

/// Fails unless the answer is one that anybody may get to `body`.
fn check(case: u64, body: &[u8], reply: &Reply) {
    if let Err(wrong) = reply.check() {
        panic!("case {case}: {wrong}\nin answer to {}", shown(body));
    }
    assert_eq!(reply.status == 413, body.len() > carillon_api::MAX_BODY_BYTES, "case {case}: {} bytes", body.len());
}

fn shown(body: &[u8]) -> String {
    String::from_utf8_lossy(&body[..body.len().min(4_000)]).into_owned()
}

/// Counts of each status and code: a test that only ever sees one of them tests little.
#[derive(Default)]
struct Tally(BTreeMap<(u16, String), u64>);

impl Tally {
    fn add(&mut self, reply: &Reply) {
        let code = reply.json()["code"].as_str().unwrap_or_default().to_owned();
        *self.0.entry((reply.status, code)).or_default() += 1;
    }

    fn show(&self, what: &str) {
        println!("{what}: {:?}", self.0);
    }

    fn has(&self, status: u16) -> bool {
        self.0.keys().any(|(seen, _)| *seen == status)
    }
}

/// Holds the stored job against the body that was accepted: nothing of it is lost, and it can be run.
async fn check_stored(case: u64, service: &InProcess, id: &str, body: &[u8]) {
    let id: JobId = id.parse().expect("a job's id");
    let job = service.ports.jobs().get(id).await.expect("the store answers").expect("what is acknowledged is stored");
    let sent: Value = serde_json::from_slice(body).expect("what is accepted is JSON");
    assert!(job.spec.input == sent["input"], "case {case}: another input is stored for {}", shown(body));
    assert_eq!(job.spec.event, sent["event"], "case {case}");
    let published =
        service.ports.catalogs().get(PRODUCT).await.expect("the store answers").expect("the catalog is there");
    let fits = ResolvedEvent::of_job(&published.catalog, &job.spec).and_then(|resolved| {
        let input = resolved.input(&job.spec.input);
        resolved.still_fits(&job.spec, &input)
    });
    assert!(fits.is_ok(), "case {case}: accepted, and it cannot be run: {fits:?}, {}", shown(body));
}

#[tokio::test]
async fn of_jobs_in_any_form_exactly_the_acknowledged_ones_are_stored_and_each_is_whole() {
    let service = shop().await;
    let (mut acknowledged, mut tally) = (BTreeSet::new(), Tally::default());
    let cases = cases(CASES);
    for first in (0..cases).step_by(AT_A_TIME.try_into().expect("a small number")) {
        let numbers = first..cases.min(first + AT_A_TIME);
        let tried = join_all(numbers.map(|case| {
            let service = &service;
            async move {
                let body = documents::job(&mut Random::of_case(1, case));
                let reply = service.send(Method::POST, "/v1/jobs", body.clone()).await;
                check(case, &body, &reply);
                if let Some(id) = reply.json()["job_id"].as_str() {
                    assert_eq!(reply.status, 202, "case {case}");
                    check_stored(case, service, id, &body).await;
                }
                let preview = service.send(Method::POST, "/v1/jobs/preview", body.clone()).await;
                check(case, &body, &preview);
                let (expected, code) = (if reply.status == 202 { 200 } else { reply.status }, &reply.json()["code"]);
                // A preview alone knows a count.
                if !shown(&body).contains("count") {
                    assert_eq!(
                        (preview.status, &preview.json()["code"]),
                        (expected, code),
                        "case {case}: {}",
                        shown(&body)
                    );
                }
                reply
            }
        }));
        for reply in tried.await {
            tally.add(&reply);
            let id = reply.json()["job_id"].as_str().map(str::to_owned);
            assert!(id.is_none_or(|id| acknowledged.insert(id)), "an id was given twice");
        }
    }
    tally.show("jobs");
    let stored: BTreeSet<_> = service.stored(PRODUCT, &ENVS).await.iter().map(|job| job.id.to_string()).collect();
    assert!(stored == acknowledged, "{} jobs are stored and {} were acknowledged", stored.len(), acknowledged.len());
    for status in [202, 400, 409, 413, 422] {
        assert!(tally.has(status), "no case came to {status}");
    }
}

#[tokio::test]
async fn catalogs_in_any_form_are_published_whole_or_leave_what_was_there() {
    let service = InProcess::new().await;
    let (mut published, mut tally) = (BTreeMap::<String, Vec<u8>>::new(), Tally::default());
    let cases = cases(CASES);
    for first in (0..cases).step_by(AT_A_TIME.try_into().expect("a small number")) {
        let numbers = first..cases.min(first + AT_A_TIME);
        let tried = join_all(numbers.map(|case| {
            let service = &service;
            async move {
                let body = documents::catalog(&mut Random::of_case(2, case));
                // A product for each place in the group, so that what it holds is known.
                let product = format!("p{}", case % AT_A_TIME);
                let reply = service.send(Method::PUT, &format!("/v1/products/{product}"), body.clone()).await;
                check(case, &body, &reply);
                let stored = service.send(Method::GET, &format!("/v1/products/{product}"), Vec::new()).await;
                (case, product, body, reply, stored)
            }
        }));
        for (case, product, body, reply, stored) in tried.await {
            tally.add(&reply);
            if reply.status < 300 {
                let is_new = published.insert(product, body.clone()).is_none();
                assert_eq!(reply.status == 201, is_new, "case {case}");
                assert!(
                    stored.json() == serde_json::from_slice::<Value>(&body).expect("JSON"),
                    "case {case}: not as sent"
                );
            } else {
                let before = published.get(&product).map(|body| serde_json::from_slice::<Value>(body).expect("JSON"));
                let now = (stored.status == 200).then(|| stored.json());
                assert!(now == before, "case {case} was refused and changed something: {}", shown(&body));
            }
        }
    }
    tally.show("catalogs");
    for status in [200, 201, 400, 413, 422] {
        assert!(tally.has(status), "no case came to {status}");
    }
}

/// Jobs of which one was retried, and what their pages give out.
async fn known(service: &InProcess) -> Known {
    let (mut ids, mut cursors) = (Vec::new(), Vec::new());
    for number in 0..40 {
        let body = json!({"product_tag": PRODUCT, "env": "dev", "event": "search", "input": {}, "start_at": number});
        let accepted = service.send(Method::POST, "/v1/jobs", body.to_string()).await.json();
        ids.push(accepted["job_id"].as_str().expect("an id").to_owned());
    }
    for limit in 1..40 {
        let path = format!("/v1/jobs?product_tag={PRODUCT}&env=dev&limit={limit}");
        let page = service.send(Method::GET, &path, Vec::new()).await.json();
        cursors.push(page["next_cursor"].as_str().expect("another page").to_owned());
    }
    Known { ids, cursors }
}

#[tokio::test]
async fn paths_queries_and_cursors_in_any_form_get_an_answer_and_change_nothing() {
    let service = shop().await;
    let known = known(&service).await;
    let before: Vec<Job> = service.stored(PRODUCT, &ENVS).await;
    let mut tally = Tally::default();
    for case in 0..cases(CASES) {
        let mut random = Random::of_case(3, case);
        // An invalid URI never arrives: the HTTP server rejects it before there is a request.
        let Some(uri) = path(&mut random, &known) else { continue };
        let method = if random.once_in(10) { Method::POST } else { Method::GET };
        let reply = service.request(method, uri.clone(), Body::empty()).await;
        check(case, uri.to_string().as_bytes(), &reply);
        tally.add(&reply);
    }
    tally.show("paths");
    assert!(service.stored(PRODUCT, &ENVS).await == before, "a question changed a job");
    for status in [200, 400, 404, 405, 422] {
        assert!(tally.has(status), "no case came to {status}");
    }
}

/// Refuses everything for good: its jobs fail at once, and can be retried.
struct Refusing;

impl Targets for Refusing {
    async fn dispatch(&self, _: DispatchRequest) -> Result<Output, RunError> {
        Err(RunError::permanent("REFUSED", "as ever"))
    }

    async fn pause(&self, _: u32) {}
}

#[tokio::test]
async fn changes_in_any_form_leave_every_job_whole() {
    let service = shop().await;
    let executor = Executor { targets: Refusing, limits: Limits::default(), trace: None };
    let (mut made, mut tally) = (BTreeSet::new(), Tally::default());
    for case in 0..cases(CASES) {
        let mut random = Random::of_case(4, case);
        let job = json!({"product_tag": PRODUCT, "env": "dev", "event": "search", "input": {}, "start_at": 0});
        let id =
            service.send(Method::POST, "/v1/jobs", job.to_string()).await.json()["job_id"].as_str().map(str::to_owned);
        let id = id.expect("a sound job is accepted");
        let change = random.pick(&["cancel", "retry", "edit", "pause", "resume", "run"]);
        if change == "resume" {
            service.send(Method::POST, &format!("/v1/jobs/{id}/pause"), Vec::new()).await;
        }
        if change == "retry" && !random.once_in(10) {
            let fire = Fire { job_id: id.parse().expect("an id"), generation: 1, run_no: 1 };
            execute(&*service.ports, &executor, fire).await.expect("the store answers");
        }
        let takes_none = ["pause", "resume", "run"].contains(&change);
        let body = if takes_none { Vec::new() } else { documents::change(change, &mut random) };
        let reply = match change {
            "edit" => service.send(Method::PATCH, &format!("/v1/jobs/{id}"), body.clone()).await,
            _ => service.send(Method::POST, &format!("/v1/jobs/{id}/{change}"), body.clone()).await,
        };
        check(case, &body, &reply);
        tally.add(&reply);
        made.insert(id);
    }
    tally.show("changes");
    let stored: BTreeSet<_> = service.stored(PRODUCT, &ENVS).await.iter().map(|job| job.id.to_string()).collect();
    assert!(stored == made, "a change made or removed a job");
    for status in [200, 400, 409, 413, 422] {
        assert!(tally.has(status), "no case came to {status}");
    }
}
