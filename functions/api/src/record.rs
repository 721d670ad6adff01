//! The names that become known of a request on its way, and its log line.

use std::sync::{Arc, OnceLock};

use carillon_core::catalog::Tag;
use carillon_core::ids::JobId;
use carillon_core::job::Job;
use http::{Extensions, Method, StatusCode};

/// The fields of a request's log line, filled in on its way.
///
/// It contains only names that the service gave or checked: never a body, a query, a header or a raw path.
#[derive(Clone, Debug, Default)]
pub(crate) struct Record(Arc<Known>);

#[derive(Debug, Default)]
struct Known {
    id: String,
    key: OnceLock<String>,
    product: OnceLock<String>,
    env: OnceLock<String>,
    job: OnceLock<JobId>,
    is_scheduled: OnceLock<()>,
}

impl Record {
    pub(crate) fn new(id: String) -> Self {
        Self(Arc::new(Known { id, ..Known::default() }))
    }

    /// The record that travels with a request.
    pub(crate) fn of(extensions: &Extensions) -> Self {
        extensions.get().cloned().unwrap_or_default()
    }

    /// The request's id.
    pub(crate) fn id(&self) -> &str {
        &self.0.id
    }

    /// Notes whose key it is.
    pub(crate) fn key(&self, id: &str) {
        let _ = self.0.key.set(id.to_owned());
    }

    /// Notes the product, if the text can be one.
    pub(crate) fn product(&self, tag: &str) {
        if Tag::parse(tag).is_some() {
            let _ = self.0.product.set(tag.to_owned());
        }
    }

    /// Notes the environment, if the text can be one.
    pub(crate) fn env(&self, tag: &str) {
        if Tag::parse(tag).is_some() {
            let _ = self.0.env.set(tag.to_owned());
        }
    }

    /// Notes which job is asked for.
    pub(crate) fn job_id(&self, id: JobId) {
        let _ = self.0.job.set(id);
    }

    /// Notes the job with all that it belongs to.
    pub(crate) fn job(&self, job: &Job) {
        self.job_id(job.id);
        self.product(&job.spec.product);
        self.env(&job.spec.env);
    }

    /// Notes that the request has scheduled a new job.
    pub(crate) fn scheduled(&self) {
        let _ = self.0.is_scheduled.set(());
    }

    /// Writes the request's one log line. `scheduled` is 1 for a new job, and absent for a replayed request: the sum of
    /// the field is the number of accepted jobs.
    pub(crate) fn log(&self, method: &Method, route: &str, status: StatusCode, duration_ms: i64) {
        let known = &self.0;
        tracing::info!(
            request_id = self.id(),
            method = method.as_str(),
            route,
            status = status.as_u16(),
            duration_ms,
            key_id = known.key.get().map(String::as_str),
            product = known.product.get().map(String::as_str),
            env = known.env.get().map(String::as_str),
            job_id = known.job.get().map(tracing::field::display),
            scheduled = known.is_scheduled.get().map(|()| 1),
            "request"
        );
    }
}
