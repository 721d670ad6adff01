//! Secrets in SSM's Parameter Store and in Secrets Manager.

use aws_sdk_secretsmanager as secrets_manager;
use aws_sdk_ssm as ssm;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use aws_types::SdkConfig;
use carillon_core::catalog::{SecretRef, SecretStoreKind};
use carillon_core::job::{RunError, codes};
use carillon_core::ports::SecretStore;
use zeroize::Zeroizing;

use crate::clients::{Clients, Lazy};
use crate::targets::fault::fault;
use crate::targets::region_of_arn;

/// The secret stores of AWS.
///
/// - `ssm:/path` is the parameter of this name, decrypted;
/// - `secretsmanager:name` is the secret of this name or ARN, which has to be a text. An ARN also names the region.
///
/// Errors have the codes of [`fault`](crate::targets), and `SECRET_NOT_FOUND` for a missing secret.
#[derive(Clone, Debug)]
pub struct AwsSecretStores {
    ssm: Lazy<ssm::Client>,
    secrets_manager: Lazy<secrets_manager::Client>,
}

impl AwsSecretStores {
    /// Creates the stores with the credentials of these clients.
    pub fn new(clients: &Clients) -> Self {
        Self::of(clients.brief())
    }

    fn of(config: &SdkConfig) -> Self {
        Self {
            ssm: Lazy::new(config, ssm::Client::new),
            secrets_manager: Lazy::new(config, secrets_manager::Client::new),
        }
    }
}

impl SecretStore for AwsSecretStores {
    async fn fetch(&self, secret: &SecretRef) -> Result<Zeroizing<String>, RunError> {
        let found = match secret.store {
            SecretStoreKind::Ssm => {
                let request = self.ssm.client().get_parameter().name(&secret.name).with_decryption(true);
                let answer = request.send().await.map_err(|error| refused("AWS Systems Manager", secret, &error))?;
                answer.parameter.and_then(|parameter| parameter.value)
            }
            SecretStoreKind::SecretsManager => {
                let client = self.secrets_manager.client_in(region_of_arn(&secret.name));
                let request = client.get_secret_value().secret_id(&secret.name);
                let answer = request.send().await.map_err(|error| refused("AWS Secrets Manager", secret, &error))?;
                answer.secret_string
            }
            SecretStoreKind::Env => None,
        };
        let none = || RunError::permanent(codes::SECRET_NOT_FOUND, format!("there is no text in the secret {secret}"));
        found.map(Zeroizing::new).ok_or_else(none)
    }
}

fn refused<E: ProvideErrorMetadata>(service: &str, secret: &SecretRef, error: &SdkError<E, HttpResponse>) -> RunError {
    let refused = fault(service, error);
    if refused.code == codes::NOT_FOUND {
        return RunError::permanent(codes::SECRET_NOT_FOUND, format!("there is no secret {secret}"));
    }
    RunError { message: format!("the secret {secret} cannot be fetched: {}", refused.message), ..refused }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::scripted_http::{ScriptedAnswer, ScriptedHttp};

    async fn fetch(http: &ScriptedHttp, reference: &str) -> Result<String, RunError> {
        let fetched = AwsSecretStores::of(&http.config()).fetch(&SecretRef::parse(reference).unwrap()).await;
        fetched.map(|secret| secret.to_string())
    }

    #[tokio::test]
    async fn a_parameter_is_fetched_decrypted() {
        let http = ScriptedHttp::that_answers([(200, json!({"Parameter": {"Name": "/shop/key", "Value": "hunter2"}}))]);
        assert_eq!(fetch(&http, "ssm:/shop/key").await.unwrap(), "hunter2");
        let body = json!({"Name": "/shop/key", "WithDecryption": true});
        assert_eq!(http.requests(), [("GetParameter".to_owned(), body)]);
    }

    #[tokio::test]
    async fn a_secret_is_fetched_by_its_name_or_by_its_arn_where_that_is() {
        let arn = "arn:aws:secretsmanager:us-east-2:123456789012:secret:shop/key-AbCdEf";
        for (name, region) in [("shop/key", "eu-west-1"), (arn, "us-east-2")] {
            let http = ScriptedHttp::that_answers([(200, json!({"Name": "shop/key", "SecretString": "hunter2"}))]);
            assert_eq!(fetch(&http, &format!("secretsmanager:{name}")).await.unwrap(), "hunter2");
            assert_eq!(http.requests(), [("GetSecretValue".to_owned(), json!({"SecretId": name}))]);
            assert_eq!(http.asked()[0].origin, format!("https://secretsmanager.{region}.amazonaws.com"));
        }
    }

    #[tokio::test]
    async fn what_is_missing_or_refused_names_the_reference_and_no_more() {
        let refusal = |status, code: &str| (status, json!({"__type": code, "message": "hunter2"})).into();
        let text = |document: Value| ScriptedAnswer::from((200, document));
        for (reference, answer, code, retryable) in [
            ("ssm:/a", refusal(400, "ParameterNotFound"), codes::SECRET_NOT_FOUND, false),
            ("ssm:/a", refusal(400, "ParameterVersionNotFound"), codes::SECRET_NOT_FOUND, false),
            ("ssm:/a", refusal(400, "AccessDeniedException"), codes::FORBIDDEN, false),
            ("ssm:/a", refusal(400, "ThrottlingException"), codes::RATE_LIMITED, true),
            ("ssm:/a", refusal(500, "InternalServerError"), codes::SERVICE_UNAVAILABLE, true),
            ("ssm:/a", ScriptedAnswer::IsLate, codes::TIMEOUT, true),
            ("ssm:/a", ScriptedAnswer::Breaks, codes::CONNECTION_ERROR, true),
            ("ssm:/a", text(json!({"Parameter": {}})), codes::SECRET_NOT_FOUND, false),
            ("secretsmanager:a", refusal(400, "ResourceNotFoundException"), codes::SECRET_NOT_FOUND, false),
            ("secretsmanager:a", refusal(400, "AccessDeniedException"), codes::FORBIDDEN, false),
            ("secretsmanager:a", refusal(400, "InvalidRequestException"), codes::VALIDATION_ERROR, false),
            ("secretsmanager:a", refusal(400, "ThrottlingException"), codes::RATE_LIMITED, true),
            ("secretsmanager:a", refusal(500, "InternalServiceError"), codes::SERVICE_UNAVAILABLE, true),
            ("secretsmanager:a", text(json!({"SecretBinary": "//4="})), codes::SECRET_NOT_FOUND, false),
        ] {
            let error = fetch(&ScriptedHttp::that([answer]), reference).await.unwrap_err();
            assert_eq!((error.code.as_str(), error.retryable), (code, retryable), "{}", error.message);
            assert!(error.message.contains(reference) && !error.message.contains("hunter2"), "{}", error.message);
        }
        let error = fetch(&ScriptedHttp::that([]), "env:A").await.unwrap_err();
        assert_eq!((error.code.as_str(), error.retryable), (codes::SECRET_NOT_FOUND, false));
    }
}
