//! Listing jobs.

use std::sync::Arc;

use carillon_core::ids::JobId;
use carillon_core::job::{Job, JobState, Status};
use carillon_core::ports::{Clock, JobQuery, JobStore, Ports, WriteOutcome};
use carillon_core::time::UnixMillis;

use super::jobs::insert;
use super::samples::{any_job, change, changed, generated, job, job_at};

fn query(product: &str, env: &str) -> JobQuery {
    JobQuery { product: product.to_owned(), env: env.to_owned(), status: None, before: None, limit: 100 }
}

/// All pages until there are `query.limit` jobs or no page is left. A page may be short, even empty.
async fn jobs(ports: &impl Ports, query: &JobQuery) -> Vec<Job> {
    let mut jobs = Vec::new();
    let mut page = query.clone();
    loop {
        page.limit = query.limit - jobs.len();
        let listed = ports.jobs().list(&page).await.unwrap();
        assert!(listed.jobs.len() <= page.limit);
        jobs.extend(listed.jobs);
        page.before = listed.next;
        if page.before.is_none() || jobs.len() == query.limit {
            return jobs;
        }
    }
}

async fn listed(ports: &impl Ports, query: &JobQuery) -> Vec<JobId> {
    jobs(ports, query).await.iter().map(|job| job.id).collect()
}

fn numbers(product: &str, env: &str, numbers: impl IntoIterator<Item = u32>) -> Vec<JobId> {
    numbers.into_iter().map(|number| job(product, env, number).id).collect()
}

/// By id, in whatever order they came, and at most as many as are asked for.
pub async fn jobs_are_listed_newest_first(ports: &impl Ports) {
    for number in [3, 1, 4, 2, 5] {
        insert(ports, &job("shop", "prd", number)).await;
    }
    let query = query("shop", "prd");
    assert_eq!(listed(ports, &query).await, numbers("shop", "prd", [5, 4, 3, 2, 1]));
    assert_eq!(listed(ports, &JobQuery { limit: 2, ..query.clone() }).await, numbers("shop", "prd", [5, 4]));
    let before = |number| Some(job("shop", "prd", number).id);
    assert_eq!(listed(ports, &JobQuery { before: before(3), ..query.clone() }).await, numbers("shop", "prd", [2, 1]));
    assert_eq!(listed(ports, &JobQuery { before: before(1), ..query }).await, []);
}

/// Paging through the list meets each job that was there at the beginning exactly once.
pub async fn pages_follow_each_other_without_gap_or_duplicate_while_jobs_arrive(ports: &impl Ports) {
    for number in 1..=50 {
        insert(ports, &job("shop", "prd", number)).await;
    }
    for limit in [1, 7, 50] {
        let mut met = Vec::new();
        let mut query = JobQuery { limit, ..query("shop", "prd") };
        // Newer jobs may or may not be on the first page; they must not disturb the others.
        let newest = u32::try_from(limit).unwrap() * 1_000;
        loop {
            let arrives = newest + u32::try_from(met.len()).unwrap();
            insert(ports, &job("shop", "prd", arrives)).await;
            let page = ports.jobs().list(&query).await.unwrap();
            assert!(page.jobs.len() <= limit);
            met.extend(page.jobs.iter().map(|job| job.id));
            query.before = page.next;
            if query.before.is_none() {
                break;
            }
        }
        let old = numbers("shop", "prd", (1..=50).rev());
        met.retain(|id| old.contains(id));
        assert_eq!(met, old);
    }
}

/// The filter follows the job.
pub async fn a_status_lists_the_jobs_that_have_it_now(ports: &impl Ports) {
    let statuses = Status::WORDS.map(|(_, status)| status);
    let mut jobs: Vec<Job> = Vec::new();
    // Of today: a job that waits for its first attempt is listed as long as its message may exist.
    let start = ports.clock().now().plus(-1_000);
    for number in 1..=21 {
        let new = job_at(start, "shop", "prd", number);
        insert(ports, &new).await;
        jobs.push(new);
    }
    for round in 0..3 {
        for (number, job) in jobs.iter_mut().enumerate() {
            let status = statuses[(number + round) % statuses.len()];
            let transition = change(job, JobState { status, ..job.state.clone() });
            assert_eq!(ports.jobs().commit(&transition).await.unwrap(), WriteOutcome::Done);
            *job = changed(job, &transition);
        }
        for status in statuses {
            let query = JobQuery { status: Some(status), ..query("shop", "prd") };
            let having = |job: &&Job| job.state.status == status;
            let expected: Vec<_> = jobs.iter().rev().filter(having).map(|job| job.id).collect();
            assert_eq!(listed(ports, &query).await, expected, "{status}");
            let second = JobQuery { limit: 1, before: Some(expected[0]), ..query };
            assert_eq!(listed(ports, &second).await, expected[1..2], "{status}");
        }
        // A cursor that is older than anything is the end of every list.
        for status in statuses {
            let before = Some(JobId::new(UnixMillis(0), 0));
            let query = JobQuery { status: Some(status), before, ..query("shop", "prd") };
            assert_eq!(listed(ports, &query).await, [], "{status}");
        }
        // Without a filter the statuses are mixed, on every page.
        let mut all = jobs.iter().rev().map(|job| job.id);
        let mut query = JobQuery { limit: 1, ..query("shop", "prd") };
        while let [id] = listed(ports, &query).await[..] {
            assert_eq!(Some(id), all.next());
            query.before = Some(id);
        }
        assert_eq!(all.next(), None);
    }
}

/// Tenants do not see each other, however their names are put together.
pub async fn another_product_or_environment_is_not_listed(ports: &impl Ports) {
    let places =
        [("shop", "prd"), ("shop", "dev"), ("bank", "prd"), ("shopp", "rd"), ("shop-prd", "prd"), ("prd", "shop")];
    for (number, (product, env)) in (1..).zip(places) {
        insert(ports, &job(product, env, number)).await;
    }
    for (number, (product, env)) in (1..).zip(places) {
        assert_eq!(listed(ports, &query(product, env)).await, numbers(product, env, [number]));
    }
    for (product, env) in [("bank", "dev"), ("", ""), ("SHOP", "prd"), ("shop", "prd "), ("%", "%")] {
        assert_eq!(listed(ports, &query(product, env)).await, []);
    }
}

/// A listed job is the job, with all it has.
pub async fn listed_jobs_are_complete(ports: &impl Ports) {
    let mut stored = generated(&any_job(), 50);
    for job in &mut stored {
        let place = ("shop".to_owned(), "prd".to_owned());
        let spec = Arc::make_mut(&mut job.spec);
        (spec.product, spec.env) = place;
        insert(ports, job).await;
    }
    stored.sort_by_key(|job| std::cmp::Reverse(job.id));
    assert_eq!(jobs(ports, &query("shop", "prd")).await, stored);
}
