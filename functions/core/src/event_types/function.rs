//! `function`: a cloud function. Input: IFunctionRequest {payload}, any JSON value; `{}` calls it with `{}`.
//!
//! By URL the payload is the body of a POST, and the result is the function's answer, as with an action. By ARN Lambda is
//! asked to invoke it and waited for; the result is what it returned. An error of the function is `FUNCTION_ERROR`, retryable.

use serde_json::{Value, json};

use super::kind::{EventKind, in_env};
use super::limits::Limits;
use super::needs::Needs;
use crate::catalog::{FunctionEnv, FunctionEvent};
use crate::json::Field;
use crate::request::{AwsRequest, HttpRequest, Request};

impl<'c> EventKind<'c> for FunctionEvent<'c> {
    fn check(&self, _: Option<&str>, input: &Field<'_>) {
        let _ = Input::read(input);
    }

    fn needs(&self, env: &str, _: Option<&Value>) -> Result<Needs<'c>, String> {
        in_env(self.function.envs.get(env), env).map(needs)
    }

    fn timeout_ms(&self, _: &Limits) -> Option<u32> {
        self.function.timeout.map(|timeout| timeout.0)
    }

    fn request(&self, env: &str, input: &Field<'_>) -> Option<Request> {
        request(self.function.envs.get(env)?, &Input::read(input)?)
    }
}

/// The job's input.
struct Input<'a> {
    payload: Option<&'a Value>,
}

impl<'a> Input<'a> {
    fn read(field: &Field<'a>) -> Option<Self> {
        let mut object = field.object()?;
        let payload = object.optional("payload").map(|field| field.value());
        object.finish();
        Some(Self { payload })
    }
}

/// The needs of a call.
fn needs(place: &FunctionEnv) -> Needs<'_> {
    match &place.arn {
        Some(_) => Needs::aws("AWS Lambda"),
        None => Needs::http(place.auth.as_ref(), &place.signing_secrets),
    }
}

fn request(place: &FunctionEnv, input: &Input<'_>) -> Option<Request> {
    let nothing = json!({});
    let payload = input.payload.unwrap_or(&nothing);
    if let Some(arn) = &place.arn {
        return Some(Request::Aws(AwsRequest::Invoke { function_arn: arn.0.clone(), payload: payload.clone() }));
    }
    let request = HttpRequest::post_json(place.url.as_ref()?.url(), &[], payload);
    let (auth, signing_secrets) = (place.auth.clone(), place.signing_secrets.clone());
    Some(Request::http_of(HttpRequest { auth, signing_secrets, ..request }))
}
