//! HTTP apps with their actions, and cloud functions.

use super::auth::{Auth, SigningSecrets};
use crate::catalog::headers::Headers;
use crate::catalog::leaf::{Arn, BaseUrl, HttpMethod, HttpUrl, PathTemplate, TimeoutMs};
use crate::catalog::read::{PerEnv, Tagged, document};
use crate::words::words;

document! {
    /// An HTTP app.
    struct App {
        /// Where it stands, by environment.
        envs: PerEnv<AppEnv>,
        /// Its requests.
        actions: Tagged<AppAction>,
    }

    /// Where an app stands and how it is addressed.
    struct AppEnv {
        /// What the actions' paths are joined to.
        base_url: BaseUrl,
        /// How requests are authorised.
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
        /// How `body` is sent; default `json`.
        body: Option<BodyFormat>,
    }

    /// A cloud function.
    struct Function {
        /// Where it stands, by environment.
        envs: PerEnv<FunctionEnv>,
        /// Bound on one attempt.
        timeout: Option<TimeoutMs>,
    }

    /// Where a function stands; exactly one of `arn` and `url`.
    struct FunctionEnv {
        /// A Lambda function.
        arn: Option<Arn>,
        /// A function URL.
        url: Option<HttpUrl>,
        /// With `url`: how requests are authorised.
        auth: Option<Auth>,
        /// With `url`: `whsec_` secrets that sign requests.
        signing_secrets: SigningSecrets,
    }
}

words! {
    /// How an action's body is sent.
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
