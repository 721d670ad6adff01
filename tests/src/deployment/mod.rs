//! A deployment that is up on the AWS emulator: the real Terraform, the real functions. `CARILLON_STACK` names the file in
//! which `stack.py up` tells where it is.

mod emulator;
pub mod executors;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::Duration;

use carillon_aws::settings::Settings;
use carillon_aws::stack::Stack;
use serde_json::Value;

pub use emulator::{Emulator, Letter};

use crate::client::{Client, catalog};
use crate::env::{epoch_ms, until, variable};

/// Timeout for something that takes a second on an idle machine.
pub const SOON: Duration = Duration::from_mins(1);

/// The deployment.
#[derive(Debug)]
pub struct Deployment {
    /// A caller of the API, with the key that was made with the deployment.
    pub client: Client,
    /// That key.
    pub key: String,
    /// The environment of the functions.
    pub settings: Settings,
    /// The environment of the functions.
    pub environment: HashMap<String, String>,
    /// The name of the api function.
    pub api_function: String,
    /// The name of the executor function.
    pub executor_function: String,
    /// AWS, as its own API shows it.
    pub emulator: Emulator,
    /// The session in which the emulator and all functions run.
    pub session: u32,
}

impl Deployment {
    /// The deployment that the environment names.
    ///
    /// # Panics
    ///
    /// If there is none.
    pub async fn up() -> Self {
        let path = variable("CARILLON_STACK").expect("CARILLON_STACK names the stack.json of a stack that is up");
        let stack = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
        let stack: Value = serde_json::from_str(&stack).expect("stack.json is JSON");
        let text = |name: &str| stack[name].as_str().unwrap_or_else(|| panic!("stack.json has no {name}")).to_owned();
        let emulator = Emulator::new(&text("endpoint"), &text("region"), &text("access_key_id"));
        let executor_function = text("executor_function_name");
        let environment = emulator.environment_of(&executor_function).await;
        let settings =
            Settings::read(|name| environment.get(name).cloned()).expect("the functions are told everything");
        let key = text("api_key");
        Self {
            client: Client::at(&text("api_url"), &key),
            key,
            settings,
            environment,
            api_function: text("api_function_name"),
            executor_function,
            emulator,
            session: stack["pid"].as_u64().and_then(|pid| u32::try_from(pid).ok()).expect("stack.json has a pid"),
        }
    }

    /// The ports of the functions, with the rights of the account.
    pub fn ports(&self) -> Stack {
        Stack::new(&self.emulator.clients(), &self.settings)
    }

    /// Publishes a product of this name, whose app stands at `target`; gives its tag, which no other run of the tests has.
    ///
    /// # Panics
    /// When it is not accepted.
    pub async fn product(&self, name: &str, target: SocketAddr) -> String {
        let tag = format!("{name}-{}", epoch_ms());
        self.client.put(&format!("/v1/products/{tag}"), &catalog(target)).await.json(201);
        tag
    }

    /// Waits until a job has this status, and returns it.
    ///
    /// # Panics
    ///
    /// If it does not reach the status in time.
    pub async fn job_that_is(&self, status: &str, id: &str) -> Value {
        let look = async || Some(self.client.job(id).await).filter(|job| job["status"] == status);
        until(format!("{id} is {status}"), SOON, look).await
    }
}
