//! HTTP apps with their actions, and cloud functions.

use super::auth::{Auth, SigningSecrets};
use crate::catalog::headers::Headers;
use crate::catalog::leaf::{Arn, BaseUrl, HttpMethod, HttpUrl, PathTemplate, TimeoutMs};
use crate::catalog::tag::{PerEnv, Tagged};
use crate::json::document;
use crate::words::words;

document! {
    /// An HTTP app.
    struct App {
        /// Its address, by environment.
        envs: PerEnv<AppEnv>,
        /// Its requests.
        actions: Tagged<AppAction>,
    }

    /// The address of an app in one environment.
    struct AppEnv {
        /// The base of the actions' paths.
        base_url: BaseUrl,
        /// The authorisation of requests.
        auth: Option<Auth>,
        /// Headers of every request.
        headers: Headers,
        /// `whsec_` secrets that sign requests (Standard Webhooks v1): two while one replaces the other.
        signing_secrets: SigningSecrets,
    }

    /// One HTTP request of an app.
    struct AppAction {
        /// The method.
        method: HttpMethod,
        /// The path; `:name` segments are filled from the input's `params`.
        path: PathTemplate,
        /// Bound on one attempt.
        timeout: Option<TimeoutMs>,
        /// Headers of this request.
        headers: Headers,
        /// The encoding of `body`; default `json`.
        body: Option<BodyFormat>,
    }

    /// A cloud function.
    struct Function {
        /// Its address, by environment.
        envs: PerEnv<FunctionEnv>,
        /// Bound on one attempt.
        timeout: Option<TimeoutMs>,
    }

    /// The address of a function; exactly one of `arn` and `url`.
    struct FunctionEnv {
        /// A Lambda function.
        arn: Option<Arn>,
        /// A function URL.
        url: Option<HttpUrl>,
        /// With `url`: the authorisation of requests.
        auth: Option<Auth>,
        /// With `url`: `whsec_` secrets that sign requests.
        signing_secrets: SigningSecrets,
    }
}

words! {
    /// The encoding of an action's body.
    enum BodyFormat {
        /// application/json.
        Json = "json",
        /// application/x-www-form-urlencoded.
        Form = "form",
        /// multipart/form-data.
        Multipart = "multipart",
        /// text/plain.
        Text = "text",
    }
}
