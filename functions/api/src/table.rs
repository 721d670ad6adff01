//! The one table of operations. The routes and the OpenAPI document are both made from it.

use bytes::Bytes;
use carillon_core::bodies::{
    CancelRequest, EditRequest, JobRequest, MintRequest, PreviewRequest, RedriveRequest, RetryRequest,
};
use carillon_core::catalog::{Catalog, Tag};
use carillon_core::job::Status;
use carillon_core::ports::Ports;
use http::StatusCode;
use schemars::JsonSchema;

use crate::documentation::{Parameter, Verb};
use crate::handlers::{dead_letters, environments, health, jobs, openapi, products};
use crate::operation::Operation;
use crate::wire::job::{AcceptedJob, EndedJob, JobIdText, JobList, JobView};
use crate::wire::preview::PreviewView;
use crate::wire::run::RunList;
use crate::wire::session::{CacheDocument, MintedToken};
use crate::wire::{Health, OpenApi, PublishedCatalog, RedriveStarted, Redriven};

/// A page's size.
#[derive(JsonSchema)]
#[schemars(inline)]
#[expect(dead_code, reason = "only its schema is used")]
struct Limit(#[schemars(range(min = 1, max = 100), extend("default" = 50))] u32);

const JOB_ID: Parameter = Parameter::path::<JobIdText>("job_id", "The job.");
const PRODUCT: Parameter = Parameter::path::<Tag>("product_tag", "The product.");
const ENV: Parameter = Parameter::path::<Tag>("env", "The environment.");
const LIMIT: Parameter = Parameter::query::<Limit>("limit", "How many entries the page has at the most.");
const CURSOR: Parameter =
    Parameter::query::<String>("cursor", "Where the page starts: the `next_cursor` of the page before, unchanged.");
const IF_MATCH: Parameter = Parameter::header(
    "If-Match",
    "Strong entity tags, one of which the stored catalog must have; or `*`, for any stored catalog.",
);
const JOB_IF_MATCH: Parameter =
    Parameter::header("If-Match", "Strong entity tags, one of which the job must have; or `*`, for any.");
const JOB_ETAG: &[(&str, &str)] = &[("ETag", "The job's revision in quotes: a strong entity tag.")];
const NO_SUCH_JOB: &str = "There is no such job, or not for this key.";
const ETAG: &[(&str, &str)] = &[("ETag", "The catalog's revision in quotes: a strong entity tag.")];

/// Every operation.
pub(crate) fn operations<P: Ports>() -> Vec<Operation<P>> {
    let mut operations = job_operations();
    operations.extend(job_changes());
    operations.extend(job_plans());
    operations.push(redrive());
    operations.extend(product_operations());
    operations.extend(environment_operations());
    operations.extend(open_operations());
    operations
}

/// The OpenAPI document over them, as JSON.
fn document<P: Ports>() -> Bytes {
    crate::openapi::document(operations::<P>().iter().map(|operation| &operation.doc)).to_string().into()
}

fn job_operations<P: Ports>() -> Vec<Operation<P>> {
    const LOCATION: (&str, &str) = ("Location", "The job's address.");
    const REPLAYED: (&str, &str) =
        ("Idempotency-Replayed", "`true` when an earlier request of this key scheduled the job.");
    vec![
        Operation::keyed(Verb::Post, "/v1/jobs", "scheduleJob", |call| Box::pin(jobs::schedule(call)))
            .says(
                "Schedules a job.",
                "Needs the scope `jobs:write`. The 202 says that the job is stored and its timer armed.",
            )
            .takes([
                Parameter::header(
                    "Prefer",
                    "`wait=N` holds the answer until the first run has ended, for N seconds at the most (25 where N is \
                     larger). Needs the scope `jobs:read`, too; without it the preference is not applied, nor for a job that \
                     is not due within that time, nor while too many callers wait.",
                ),
                Parameter::header(
                    "Idempotency-Key",
                    "1 to 255 printable ASCII characters that name this request within its product and environment. The same \
                     key with the same body schedules one job, however often it is sent within 24 hours (unless the deployment \
                     says otherwise); with another body it is refused.",
                ),
            ])
            .reads::<JobRequest>()
            .gives::<EndedJob<'_>>(
                StatusCode::OK,
                "The job's first run has ended, well or not, within the preferred wait.",
                &[LOCATION, REPLAYED, ("Preference-Applied", "`wait=N`.")],
            )
            .gives::<AcceptedJob<'_>>(StatusCode::ACCEPTED, "The job will run.", &[LOCATION, REPLAYED])
            .problem(StatusCode::CONFLICT, "The event's tag fits several events: `ambiguous_event`."),
        Operation::keyed(Verb::Get, "/v1/jobs", "listJobs", |call| Box::pin(jobs::list(call)))
            .says("Lists jobs, newest first.", "Needs the scope `jobs:read`.")
            .takes([
                Parameter::query::<Tag>("product_tag", "The product.").required(),
                Parameter::query::<Tag>("env", "The environment.").required(),
                Parameter::query::<Status>("status", "Only jobs of this status."),
                LIMIT,
                CURSOR,
            ])
            .gives::<JobList<'_>>(StatusCode::OK, "A page of jobs.", &[]),
        Operation::keyed(Verb::Get, "/v1/jobs/{job_id}", "getJob", |call| Box::pin(jobs::get(call)))
            .says("Shows a job.", "Needs the scope `jobs:read`.")
            .takes([JOB_ID])
            .gives::<JobView<'_>>(StatusCode::OK, "The job.", JOB_ETAG)
            .problem(StatusCode::NOT_FOUND, NO_SUCH_JOB),
        Operation::keyed(Verb::Get, "/v1/jobs/{job_id}/runs", "listRuns", |call| Box::pin(jobs::runs(call)))
            .says(
                "Lists a job's runs, latest first.",
                "Needs the scope `jobs:read`. Occurrences that had no run stand between them, as one entry for each stretch; \
                 `limit` counts runs, and a page has fewer where their results are large. A run leaves the list some time \
                 after its end: 90 days unless the deployment says otherwise.",
            )
            .takes([JOB_ID, LIMIT, CURSOR])
            .gives::<RunList<'_>>(StatusCode::OK, "A page of runs.", &[])
            .problem(StatusCode::NOT_FOUND, NO_SUCH_JOB),
    ]
}

fn job_changes<P: Ports>() -> Vec<Operation<P>> {
    vec![
        Operation::keyed(Verb::Post, "/v1/jobs/{job_id}/cancel", "cancelJob", |call| Box::pin(jobs::cancel(call)))
            .says(
                "Calls a job off.",
                "Needs the scope `jobs:write`. No attempt starts afterwards; one that is under way is not recorded.",
            )
            .takes([JOB_ID])
            .may_read::<CancelRequest>()
            .gives::<JobView<'_>>(StatusCode::OK, "The job, cancelled.", JOB_ETAG)
            .problem(StatusCode::NOT_FOUND, NO_SUCH_JOB)
            .problem(StatusCode::CONFLICT, "The job has ended: `job_completed`, `job_failed` or `job_cancelled`."),
        Operation::keyed(Verb::Post, "/v1/jobs/{job_id}/retry", "retryJob", |call| Box::pin(jobs::retry(call)))
            .says("Gives a failed job a fresh budget of attempts.", "Needs the scope `jobs:write`.")
            .takes([JOB_ID])
            .may_read::<RetryRequest>()
            .gives::<JobView<'_>>(StatusCode::OK, "The job, waiting again.", JOB_ETAG)
            .problem(StatusCode::NOT_FOUND, NO_SUCH_JOB)
            .problem(StatusCode::CONFLICT, "The job is not failed: `job_` and its status."),
    ]
}

/// Changes of when and how a job runs.
fn job_plans<P: Ports>() -> Vec<Operation<P>> {
    let job = |operation: Operation<P>, description| {
        operation
            .takes([JOB_ID])
            .gives::<JobView<'_>>(StatusCode::OK, description, JOB_ETAG)
            .problem(StatusCode::NOT_FOUND, NO_SUCH_JOB)
    };
    let ended = "The job has ended: `job_completed` or `job_cancelled`.";
    vec![
        job(
            Operation::keyed(Verb::Patch, "/v1/jobs/{job_id}", "editJob", |call| Box::pin(jobs::edit(call))).says(
                "Changes what a job was asked for.",
                "Needs the scope `jobs:write`. Only what is named changes. A run that has begun goes on: what is changed \
                 holds for its next attempt, a new plan for the next run. A failed job can be mended, and then retried.",
            ),
            "The job, changed.",
        )
        .takes([JOB_IF_MATCH])
        .reads::<EditRequest>()
        .problem(StatusCode::CONFLICT, ended)
        .problem(StatusCode::PRECONDITION_FAILED, "The job has another revision."),
        job(
            Operation::keyed(Verb::Post, "/v1/jobs/{job_id}/pause", "pauseJob", |call| Box::pin(jobs::pause(call))).says(
                "Holds a job back until it is resumed.",
                "Needs the scope `jobs:write`. No attempt starts afterwards; the outcome of one that is under way is recorded.",
            ),
            "The job, paused.",
        )
        .problem(StatusCode::CONFLICT, "The job has ended, or is paused already: `job_` and its status."),
        job(
            Operation::keyed(Verb::Post, "/v1/jobs/{job_id}/resume", "resumeJob", |call| Box::pin(jobs::resume(call)))
                .says(
                    "Lets a paused job go on.",
                    "Needs the scope `jobs:write`. A recurring job goes on with its next occurrence; those whose time has \
                     passed are skipped, and counted in `missed`. A job that runs once does so at `start_at`, or now.",
                ),
            "The job, waiting again; or completed, when no occurrence is left.",
        )
        .problem(StatusCode::CONFLICT, "The job is not paused: `job_` and its status."),
        job(
            Operation::keyed(Verb::Post, "/v1/jobs/{job_id}/run", "runJob", |call| Box::pin(jobs::run(call))).says(
                "Runs a waiting job now.",
                "Needs the scope `jobs:write`. A recurring job runs beside its cadence, which stays as it is; the run counts \
                 toward `limit`. A retry that waits for its backoff is made now.",
            ),
            "The job, due now.",
        )
        .problem(StatusCode::CONFLICT, "The job does not wait: `job_` and its status."),
        Operation::keyed(Verb::Post, "/v1/jobs/preview", "previewJob", |call| Box::pin(jobs::preview(call)))
            .says(
                "Says what would become of a job, without scheduling it.",
                "Needs the scope `jobs:read`. Nothing is stored.",
            )
            .reads::<PreviewRequest>()
            .gives::<PreviewView<'_>>(StatusCode::OK, "The job as it would be.", &[])
            .problem(StatusCode::CONFLICT, "The event's tag fits several events: `ambiguous_event`."),
    ]
}

fn redrive<P: Ports>() -> Operation<P> {
    Operation::keyed(Verb::Post, "/v1/dead-letters/redrive", "redriveDeadLetters", |call| {
        Box::pin(dead_letters::redrive(call))
    })
    .says(
        "Gives spent jobs a fresh budget of attempts.",
        "Needs the scope `jobs:write`. Without a product it is for keys that open every product and environment; where a \
         queue keeps the dead letters, it then moves all of them back.",
    )
    .may_read::<RedriveRequest>()
    .gives::<Redriven>(StatusCode::OK, "So many jobs wait again.", &[])
    .gives::<RedriveStarted>(StatusCode::ACCEPTED, "The queue has begun to move its dead letters back.", &[])
    .problem(StatusCode::NOT_FOUND, "There is no such product.")
    .problem(StatusCode::CONFLICT, "The queue is at it already: `redrive_under_way`.")
}

fn product_operations<P: Ports>() -> Vec<Operation<P>> {
    let path = "/v1/products/{product_tag}";
    let conflict = "The precondition does not hold.";
    let missing = "There is no such product, or not for this key.";
    vec![
        Operation::keyed(Verb::Get, path, "getProduct", |call| Box::pin(products::get(call)))
            .says("Shows a product's catalog.", "Needs the scope `jobs:read`.")
            .takes([PRODUCT, IF_MATCH])
            .takes([Parameter::header("If-None-Match", "Entity tags that the caller has already, or `*`.")])
            .gives::<Catalog>(StatusCode::OK, "The catalog.", ETAG)
            .gives_nothing(StatusCode::NOT_MODIFIED, "The caller has this revision already.", ETAG)
            .problem(StatusCode::NOT_FOUND, missing)
            .problem(StatusCode::PRECONDITION_FAILED, conflict),
        Operation::keyed(Verb::Put, path, "putProduct", |call| Box::pin(products::put(call)))
            .says(
                "Publishes a product's catalog, replacing it whole.",
                "Needs the scope `catalog:write`, and a key that opens every environment of the product.",
            )
            .takes([PRODUCT, IF_MATCH])
            .takes([Parameter::header("If-None-Match", "`*`: only if the product is new.")])
            .reads::<Catalog>()
            .gives::<PublishedCatalog<'_>>(StatusCode::OK, "The catalog is replaced.", ETAG)
            .gives::<PublishedCatalog<'_>>(StatusCode::CREATED, "The product is new.", ETAG)
            .problem(StatusCode::PRECONDITION_FAILED, conflict),
        Operation::keyed(Verb::Delete, path, "deleteProduct", |call| Box::pin(products::delete(call)))
            .says(
                "Removes a product's catalog.",
                "Needs the scope `catalog:write`, and a key that opens every environment of the product. Jobs that are \
                 still to run fail.",
            )
            .takes([PRODUCT, IF_MATCH])
            .gives_nothing(StatusCode::NO_CONTENT, "The catalog is gone.", &[])
            .problem(StatusCode::NOT_FOUND, missing)
            .problem(StatusCode::PRECONDITION_FAILED, conflict),
    ]
}

/// Sessions and caches of one environment.
fn environment_operations<P: Ports>() -> Vec<Operation<P>> {
    let cache = "/v1/products/{product_tag}/envs/{env}/caches/{tag}";
    let missing = "There is no such product, environment or tag, or not for this key.";
    let tag = |description| Parameter::path::<Tag>("tag", description);
    let (the_session, the_cache) = (tag("The session."), tag("The cache."));
    let session = "/v1/products/{product_tag}/envs/{env}/sessions/{tag}";
    vec![
        Operation::keyed(Verb::Post, session, "mintSession", |call| Box::pin(environments::mint(call)))
            .says(
                "Makes a token for a session.",
                "Needs the scope `sessions:mint`. For sessions that the catalog defines with a shared secret (HS256, HS384, \
                 HS512): whoever has an identity provider gets the tokens there. The token is taken for this session only.",
            )
            .takes([PRODUCT, ENV, the_session])
            .reads::<MintRequest>()
            .gives::<MintedToken<'_>>(StatusCode::CREATED, "The token.", &[("Cache-Control", "`no-store`.")])
            .problem(StatusCode::NOT_FOUND, missing),
        Operation::keyed(Verb::Get, cache, "getCache", |call| Box::pin(environments::cache(call)))
            .says("Shows what a cache holds.", "Needs the scope `jobs:read`. The results themselves are those of the jobs.")
            .takes([PRODUCT, ENV, the_cache.clone(), LIMIT, CURSOR])
            .gives::<CacheDocument<'_>>(StatusCode::OK, "The cache.", &[])
            .problem(StatusCode::NOT_FOUND, missing),
        Operation::keyed(Verb::Delete, cache, "clearCache", |call| Box::pin(environments::clear_cache(call)))
            .says(
                "Forgets what a cache holds.",
                "Needs the scope `jobs:write`. What is being made meanwhile is not remembered either.",
            )
            .takes([PRODUCT, ENV, the_cache])
            .gives_nothing(StatusCode::NO_CONTENT, "The cache is empty.", &[])
            .problem(StatusCode::NOT_FOUND, missing),
    ]
}

fn open_operations<P: Ports>() -> Vec<Operation<P>> {
    vec![
        Operation::open(Verb::Get, "/v1/health", "getHealth", |service| Box::pin(health(service)))
            .says("Says whether the service and its store answer.", "Needs no key.")
            .gives::<Health>(StatusCode::OK, "They do.", &[]),
        Operation::open(Verb::Get, "/v1/openapi.json", "getOpenApi", |service| {
            Box::pin(openapi(service, document::<P>))
        })
        .says("Describes this API.", "Needs no key.")
        .gives::<OpenApi>(StatusCode::OK, "An OpenAPI 3.1 document.", &[]),
    ]
}
