//! Dead letters: bring them back.

use carillon_core::catalog::Tag;
use carillon_core::error::FieldCode;
use carillon_core::json::Field;
use carillon_core::operations::{self, Redriving};
use carillon_core::ports::Ports;
use http::StatusCode;

use super::members;
use crate::operation::{Answered, ApiRequest};
use crate::problem::Problem;
use crate::wire::{RedriveStarted, Redriven, json};

/// So many jobs are retried when the caller does not say.
const DEFAULT_LIMIT: usize = 100;

/// `POST /v1/dead-letters/redrive`.
pub(crate) async fn redrive<P: Ports>(request: ApiRequest<P>) -> Answered {
    let tag = |field: Field<'_>| field.parsed(Tag::FORM, |text| Tag::parse(text).map(|tag| tag.as_str().to_owned()));
    let (product, env, limit) = members(&request.body, |object| {
        let product = object.optional("product_tag");
        let env = object.optional("env");
        if let (None, Some(_)) = (&product, &env) {
            object.fault_at("product_tag", FieldCode::Required, "is required, as an environment is a product's");
        }
        let limit = object.optional("limit").and_then(|field| field.integer(1..=1_000));
        (product.and_then(tag), env.and_then(tag), limit.unwrap_or(DEFAULT_LIMIT))
    })?;
    let (ports, caller) = (request.service.ports(), &request.caller);
    request.record.product(product.as_deref().unwrap_or_default());
    request.record.env(env.as_deref().unwrap_or_default());
    let redriving = match (&product, &env) {
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
