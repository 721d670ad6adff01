//! `publish`: a message to a topic. Input: {message}, any JSON value.
//!
//! To an HTTP topic the message is the body of a POST; the result is the endpoint's answer, as with an action.

use serde_json::Value;

use super::{HttpRequest, post_json};
use crate::catalog::{BrokerEnv, TopicEnv};
use crate::json::Field;

/// What the job gives.
pub(super) struct Input<'a> {
    message: &'a Value,
}

impl<'a> Input<'a> {
    pub(super) fn read(field: &Field<'a>) -> Option<Self> {
        let mut object = field.object()?;
        let message = object.required("message");
        object.finish();
        Some(Self { message: message?.value() })
    }
}

pub(super) fn request(place: &BrokerEnv, address: &TopicEnv, input: &Input<'_>) -> Option<HttpRequest> {
    let request = post_json(address.url.as_ref()?.url(), &place.headers.0, input.message);
    Some(HttpRequest { auth: place.auth.clone(), signing_secrets: place.signing_secrets.clone(), ..request })
}
