//! `function`: a cloud function. Input: IFunctionRequest {payload}, any JSON value; `{}` calls it with `{}`.
//!
//! By URL the payload is the body of a POST; the result is the function's answer, as with an action.

use serde_json::{Value, json};

use super::{HttpRequest, post_json};
use crate::catalog::FunctionEnv;
use crate::json::Field;

/// What the job gives.
pub(super) struct Input<'a> {
    payload: Option<&'a Value>,
}

impl<'a> Input<'a> {
    pub(super) fn read(field: &Field<'a>) -> Option<Self> {
        let mut object = field.object()?;
        let payload = object.optional("payload").map(|field| field.value());
        object.finish();
        Some(Self { payload })
    }
}

pub(super) fn request(place: &FunctionEnv, input: &Input<'_>) -> Option<HttpRequest> {
    let nothing = json!({});
    let request = post_json(place.url.as_ref()?.url(), &[], input.payload.unwrap_or(&nothing));
    Some(HttpRequest { auth: place.auth.clone(), signing_secrets: place.signing_secrets.clone(), ..request })
}
