//! Dead letters: bring them back.

use carillon_core::bodies::RedriveRequest;
use carillon_core::catalog::Tag;
use carillon_core::operations::{self, Redriving};
use carillon_core::ports::Ports;
use http::StatusCode;

use super::optional_body;
use crate::operation::ApiRequest;
use crate::problem::{Answered, Problem};
use crate::wire::{RedriveStarted, Redriven, json};

/// Default number of jobs to retry.
const DEFAULT_LIMIT: usize = 100;

/// `POST /v1/dead-letters/redrive`.
pub(crate) async fn redrive<P: Ports>(request: ApiRequest<P>) -> Answered {
    let RedriveRequest { limit, product_tag, env } = optional_body(&request.body)?;
    let limit = limit.map_or(DEFAULT_LIMIT, |limit| limit.0 as usize);
    let (ports, caller) = (request.service.ports(), &request.caller);
    let (product, env) = (product_tag.as_ref().map(Tag::as_str), env.as_ref().map(Tag::as_str));
    request.record.product(product.unwrap_or_default());
    request.record.env(env.unwrap_or_default());
    let redriving = match (product, env) {
        (Some(product), Some(env)) => Redriving::Done(operations::redrive(ports, caller, product, env, limit).await?),
        (Some(product), None) => Redriving::Done(operations::redrive_product(ports, caller, product, limit).await?),
        (None, _) => operations::redrive_all(ports, caller, limit).await?,
    };
    match redriving {
        Redriving::Done(redriven) => json(StatusCode::OK, &Redriven { redriven }),
        Redriving::Started => json(StatusCode::ACCEPTED, &RedriveStarted { started: true }),
        Redriving::UnderWay => {
            let detail = "the queue is moving its dead letters back already: wait until it is done";
            Err(Problem::new(StatusCode::CONFLICT, "redrive_under_way", detail))
        }
    }
}
