//! The executor as a Lambda function on the queue. Wiring only.

use std::sync::Arc;

use carillon_aws::clients::Clients;
use carillon_aws::logging;
use carillon_aws::metrics;
use carillon_aws::secret_stores::AwsSecretStores;
use carillon_aws::settings::Settings;
use carillon_aws::stack::{Stack, SystemClock};
use carillon_aws::targets::AwsTargets;
use carillon_core::event_types::Limits;
use carillon_executor::lambda::{Batch, handler::handle};
use carillon_executor::targets::Providers;
use carillon_outbound::Outbound;
use carillon_outbound::secrets::{EnvSecrets, Secrets};
use lambda_runtime::service_fn;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    #[expect(clippy::disallowed_methods, reason = "this is the main that reads the environment")]
    let (variable, variables) = (|name: &str| std::env::var(name).ok(), std::env::vars());
    logging::start(variable("CARILLON_LOG").as_deref());
    let settings = Settings::read(variable)?;
    let clients = Clients::from_environment(variable)?;
    let stack = Stack::new(&clients, &settings);
    let secrets = Secrets::new(EnvSecrets::new(variables), AwsSecretStores::new(&clients), SystemClock);
    let outbound = Outbound::configured(&settings.allow_list, settings.root_certificates.as_deref())?;
    let batch = Arc::new(Batch {
        queue: Arc::new(stack.queue().clone()),
        ports: Arc::new(stack),
        targets: Providers::new(outbound, secrets, SystemClock, AwsTargets::new(&clients)),
        limits: Limits::default(),
        service: settings.service,
        metrics: metrics::write_executed,
    });
    lambda_runtime::run(service_fn(|event| handle(Arc::clone(&batch), event))).await
}
