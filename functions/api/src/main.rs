//! The API as a Lambda function behind an HTTP API. Wiring only.

use std::sync::Arc;

use carillon_api::sessions::JwtSessions;
use carillon_api::{Service, deadline, router};
use carillon_aws::settings::Settings;
use carillon_aws::stack::{Stack, SystemClock};
use carillon_aws::{clients::Clients, logging, metrics, secret_stores::AwsSecretStores};
use carillon_core::ports::Clock;
use carillon_outbound::Outbound;
use carillon_outbound::secrets::{EnvSecrets, Secrets};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    #[expect(clippy::disallowed_methods, reason = "this is the main that reads the environment")]
    let (variable, variables) = (|name: &str| std::env::var(name).ok(), std::env::vars());
    logging::start(variable("CARILLON_LOG").as_deref());
    let settings = Settings::read(variable)?;
    let clients = Clients::from_environment(variable)?;
    let stack = Stack::new(&clients, &settings);
    let secrets = Secrets::new(EnvSecrets::new(variables), AwsSecretStores::new(&clients), SystemClock);
    let outbound = Outbound::configured(&settings.allow_list, settings.root_certificates.as_deref())?;
    let sessions = Arc::new(JwtSessions::new(outbound, secrets, SystemClock));
    let count = move || metrics::write(&[metrics::accepted(&settings.service, SystemClock.now())]);
    let service = Service::new(Arc::new(stack), sessions).counting_jobs(count).with_wait_slots(settings.max_waits);
    lambda_http::run(deadline::of_invocations(router(service))).await
}
