//! Looking at jobs and runs, and what other tenants see of them.

use super::*;

fn page(stack: &Stack, limit: usize, cursor: Option<JobCursor>) -> JobPage {
    let query = ListQuery { product: "shop".into(), env: "prd".into(), status: None, limit, cursor };
    block_on(list(&stack.memory, &owner_of_shop(), query)).unwrap()
}

fn run_page(stack: &Stack, id: JobId, limit: usize, cursor: Option<RunCursor>) -> RunPage {
    block_on(runs(&stack.memory, &owner_of_shop(), id, limit, cursor)).unwrap()
}

/// A job that failed `times` times and was retried each time; it waits.
fn often_retried(stack: &Stack, times: usize) -> Job {
    let job = stack.scheduled(&json!({}));
    for _ in 0..times {
        stack.answers([transient()]);
        stack.drive();
        block_on(retry(&stack.memory, &owner_of_shop(), job.id, 0)).unwrap();
    }
    stack.job(job.id)
}

#[test]
fn another_tenants_job_looks_like_none() {
    let stack = Stack::new();
    let job = stack.scheduled(&json!({}));
    let before = stack.job(job.id);
    let none = JobId::new(NOW, 12_345);
    for stranger in [key("bank", "*"), key("shop", "dev"), key("", ""), key("shop", "")] {
        for id in [job.id, none] {
            let is_none = |error: OperationError| matches!(error, OperationError::NotFound("job"));
            assert!(is_none(block_on(get(&stack.memory, &stranger, id)).unwrap_err()));
            assert!(is_none(block_on(runs(&stack.memory, &stranger, id, 10, None)).unwrap_err()));
            assert!(is_none(block_on(cancel(&stack.memory, &stranger, id, None)).unwrap_err()));
            assert!(is_none(block_on(retry(&stack.memory, &stranger, id, 0)).unwrap_err()));
        }
        let query = ListQuery { product: "shop".into(), env: "prd".into(), status: None, limit: 10, cursor: None };
        assert!(matches!(block_on(list(&stack.memory, &stranger, query)), Err(OperationError::NotOpened)));
    }
    assert_eq!(stack.job(job.id), before);
}

#[test]
fn a_list_holds_the_jobs_of_its_product_and_environment_alone() {
    let stack = Stack::new();
    let job = stack.scheduled(&json!({}));
    let mut other = job.clone();
    other.id = JobId::new(NOW, 99);
    let mut spec = crate::job::JobSpec::clone(&job.spec);
    spec.env = "dev".into();
    other.spec = Arc::new(spec);
    stack.memory.tables().jobs.insert(other.id, other);
    assert_eq!(page(&stack, 10, None).jobs, [job]);
}

#[test]
fn each_scope_opens_what_it_names() {
    let stack = Stack::new();
    let job = stack.scheduled(&json!({}));
    let with = |scopes: Vec<Scope>| ApiKey { scopes, ..owner_of_shop() };
    let writer = with(vec![Scope::JobsWrite, Scope::CatalogWrite]);
    let reader = with(vec![Scope::JobsRead]);
    let lacks =
        |error: OperationError, scope| matches!(error, OperationError::MissingScope(missing) if missing == scope);
    let query = ListQuery { product: "shop".into(), env: "prd".into(), status: None, limit: 10, cursor: None };
    assert!(lacks(block_on(get(&stack.memory, &writer, job.id)).unwrap_err(), Scope::JobsRead));
    assert!(lacks(block_on(list(&stack.memory, &writer, query)).unwrap_err(), Scope::JobsRead));
    assert!(lacks(block_on(runs(&stack.memory, &writer, job.id, 1, None)).unwrap_err(), Scope::JobsRead));
    assert!(lacks(block_on(cancel(&stack.memory, &reader, job.id, None)).unwrap_err(), Scope::JobsWrite));
    assert!(lacks(block_on(retry(&stack.memory, &reader, job.id, 0)).unwrap_err(), Scope::JobsWrite));
    assert_eq!(block_on(get(&stack.memory, &reader, job.id)).unwrap(), job);
}

#[test]
fn pages_of_jobs_follow_each_other_without_gap_or_repetition() {
    let stack = Stack::new();
    let mut ids: Vec<_> = (0..7).map(|_| stack.scheduled(&json!({})).id).collect();
    ids.sort_unstable();
    ids.reverse();
    let mut seen = Vec::new();
    let mut cursor = None;
    loop {
        let page = page(&stack, 3, cursor);
        seen.extend(page.jobs.iter().map(|job| job.id));
        let Some(next) = page.next else { break };
        cursor = Some(next.to_string().parse().unwrap());
    }
    assert_eq!(seen, ids);
}

#[test]
fn runs_are_paged_latest_first_and_the_first_page_begins_with_the_current_one() {
    let stack = Stack::new();
    let job = often_retried(&stack, 4);
    let mut seen = Vec::new();
    let mut cursor = None;
    loop {
        let page = run_page(&stack, job.id, 2, cursor);
        seen.extend(page.runs.iter().map(|listed| (listed.run.generation, listed.status)));
        let Some(next) = page.next else { break };
        cursor = Some(next.to_string().parse().unwrap());
    }
    let failed = |generation| (generation, RunStatus::Failed);
    assert_eq!(seen, [(5, RunStatus::Queued), failed(4), failed(3), failed(2), failed(1)]);
}

#[test]
fn a_page_of_large_results_ends_early_and_the_next_one_goes_on_after_it() {
    let stack = Stack::new();
    let job = stack.scheduled(&json!({"repeat": {"every": 60_000, "limit": 21}}));
    let large = json!("x".repeat(250_000));
    stack.answers((0..21).map(|_| Answer::new(Ok(Output { value: large.clone(), truncated: false }))));
    stack.drive();
    let (mut lengths, mut numbers, mut cursor) = (Vec::new(), Vec::new(), None);
    loop {
        let page = run_page(&stack, job.id, 100, cursor);
        lengths.push(page.runs.len());
        numbers.extend(page.runs.iter().map(|listed| listed.run.run_no));
        let Some(next) = page.next else { break };
        cursor = Some(next.to_string().parse().unwrap());
    }
    assert_eq!(lengths, [8, 8, 5]);
    assert_eq!(numbers, (1..=21).rev().collect::<Vec<_>>());
}

#[test]
fn a_retry_between_the_two_reads_shows_no_run_twice() {
    let stack = Stack::new();
    let job = often_retried(&stack, 1);
    stack.answers([transient()]);
    stack.drive();
    let retried = move |world: &mut Tables| happens(world, job.id, &Trigger::Retry { delay_ms: 0 });
    stack.script(PortCall::RetiredRuns, Fault::Overtaken(Box::new(retried)));
    let generations: Vec<_> =
        run_page(&stack, job.id, 10, None).runs.iter().map(|listed| listed.run.generation).collect();
    assert_eq!(generations, [2, 1]);
}

#[test]
fn a_limit_outside_its_range_is_held_within_it() {
    let stack = Stack::new();
    let job = often_retried(&stack, 2);
    assert_eq!(run_page(&stack, job.id, 0, None).runs.len(), 1);
    assert_eq!(run_page(&stack, job.id, usize::MAX, None).runs.len(), 3);
    assert_eq!((page(&stack, 0, None).jobs.len(), page(&stack, usize::MAX, None).jobs.len()), (1, 1));
    stack.memory.forget_calls();
    run_page(&stack, job.id, 1, None);
    assert_eq!(stack.memory.calls(), [PortCall::GetJob], "nothing is asked for when nothing more fits");
}

#[test]
fn a_cursor_that_was_made_up_is_a_bad_field() {
    let stack = Stack::new();
    stack.scheduled(&json!({}));
    let text = page(&stack, 1, None).next.unwrap().to_string();
    assert_eq!(text.parse::<JobCursor>().unwrap().to_string(), text);
    for text in ["", "x", "am9iczo", &text[1..], &format!("{text}A"), "%%%", "cnVuczoxOjE", "\u{e9}"] {
        match text.parse::<JobCursor>() {
            Err(OperationError::Invalid(faults)) => assert_eq!(faults[0].pointer, "query:cursor", "{text}"),
            other => panic!("{text} is {other:?}"),
        }
    }
    assert!("cnVuczoxOjE".parse::<RunCursor>().is_ok(), "runs:1:1");
    for text in [text.as_str(), "cnVuczoxOg", "cnVuczotMTox", "cnVuczoxOjE6MQ", ""] {
        assert!(text.parse::<RunCursor>().is_err(), "{text}");
    }
}
