//! Many clients at the same time.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use carillon_tests::client::job;
use carillon_tests::env::{now, until};
use carillon_tests::receiver::Receiver;

use crate::{alone, impatient, number, text};

const JOBS: usize = 2_000;
const CLIENTS: usize = 16;
const LIMIT: Duration = Duration::from_mins(3);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_thousand_jobs_of_sixteen_clients_all_run_and_none_runs_twice() {
    let (deployment, _alone) = alone().await;
    let receiver = Receiver::content().await;
    let product = deployment.product("load", receiver.address).await;
    let next = Arc::new(AtomicUsize::new(0));
    let begin = now();
    let clients: Vec<_> = (0..CLIENTS)
        .map(|_| {
            let (client, product, next) = (deployment.client.clone(), product.clone(), Arc::clone(&next));
            tokio::spawn(async move {
                let mut ids = Vec::new();
                while let number @ ..JOBS = next.fetch_add(1, Ordering::Relaxed) {
                    ids.push(client.schedule(&impatient(job(&product, number, 0), 3)).await);
                }
                ids
            })
        })
        .collect();
    let mut ids = BTreeSet::new();
    for client in clients {
        for id in client.await.unwrap() {
            assert!(ids.insert(id), "an id was given twice");
        }
    }
    let accepted = begin.elapsed();
    let look = async || (receiver.ids() >= JOBS).then_some(());
    until(format!("{JOBS} jobs are received"), LIMIT, look).await;
    let look = async || (!deployment.client.has_open_jobs(&product).await).then_some(());
    until(format!("{JOBS} jobs have ended"), LIMIT, look).await;
    println!("{JOBS} jobs accepted after {accepted:?}, ended after {:?}", begin.elapsed());

    let jobs = deployment.client.jobs(&product, None).await;
    let listed: BTreeSet<_> = jobs.iter().map(|job| text(&job["job_id"]).to_owned()).collect();
    assert_eq!((jobs.len(), &listed), (JOBS, &ids));
    let counts = receiver.counts();
    assert_eq!(counts.len(), JOBS, "a fire was dispatched that belongs to no job");
    for job in &jobs {
        let (id, run) = (text(&job["job_id"]), &job["run"]);
        let dispatches = i64::from(counts[&format!("{id}_g1_r1")]);
        assert_eq!(
            (text(&job["status"]), number(&job["generation"]), number(&run["run_no"])),
            ("completed", 1, 1),
            "{id}"
        );
        // More than one request is explained by more than one attempt, and by nothing else.
        assert!(dispatches <= number(&run["attempts"]), "{id} was received {dispatches} times: {run}");
    }
}
