//! Jobs of every type, from the request that schedules them to the effect at their targets: the real server, with
//! targets on this machine.

#[path = "targets/action.rs"]
mod action;
#[path = "targets/fallback.rs"]
mod fallback;
#[path = "targets/feature.rs"]
mod feature;
#[path = "targets/named.rs"]
mod named;
#[path = "targets/not_available.rs"]
mod not_available;
#[path = "targets/notification.rs"]
mod notification;
#[path = "targets/quota.rs"]
mod quota;

use carillon_tests::client::Client;
use carillon_tests::process::{Launch, Server};
use serde_json::{Value, json};
use tempfile::TempDir;

/// The service, with a product `p` in the environments `dev` and `prd`.
struct World {
    server: Option<Server>,
    launch: Launch,
    secrets: Vec<String>,
    _folder: TempDir,
}

impl World {
    /// With a catalog, and the secrets that it names, which must be in no log.
    async fn start(mut catalog: Value, secrets: &[(&'static str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let open = Launch::on(folder.path()).with("--allow", "127.0.0.0/8");
        let launch = secrets.iter().fold(open, |launch, (name, secret)| launch.variable(name, secret));
        let server = Some(launch.start().await);
        let secrets = secrets.iter().map(|(_, secret)| (*secret).to_owned()).collect();
        let world = Self { server, launch, secrets, _folder: folder };
        catalog["envs"] = json!(["dev", "prd"]);
        world.client().put("/v1/products/p", &catalog).await.json(201);
        world
    }

    fn client(&self) -> &Client {
        &self.server.as_ref().expect("the server runs").client
    }

    /// Kills the server, and starts another one on the same folder.
    async fn kill_and_restart(&mut self) {
        self.server.take().expect("the server runs").kill().await;
        self.server = Some(self.launch.start().await);
    }

    /// Runs a job to its end, and gives its one run.
    async fn run(&self, job: &Value) -> Value {
        self.client().ended(&self.client().schedule(job).await).await
    }

    /// The result of a job that its first attempt completes.
    async fn result(&self, event: &str, input: Value) -> Value {
        let mut run = self.run(&job(event, &input)).await;
        assert_eq!((&run["status"], &run["attempts"]), (&json!("completed"), &json!(1)), "{event} {input}: {run}");
        run["result"].take()
    }

    /// The code of the error that a job ends with.
    async fn error(&self, event: &str, input: Value) -> String {
        let run = self.run(&job(event, &input)).await;
        assert_eq!(run["status"], "failed", "{event} {input}: {run}");
        run["error"]["code"].as_str().unwrap_or_else(|| panic!("{run}")).to_owned()
    }
}

impl Drop for World {
    fn drop(&mut self) {
        let log = self.server.as_ref().map(Server::log).unwrap_or_default();
        let found = self.secrets.iter().find(|secret| log.contains(*secret));
        assert!(std::thread::panicking() || found.is_none(), "{found:?} stands in the log: {log}");
    }
}

/// A job in `dev` that is retried at once.
fn job(event: &str, input: &Value) -> Value {
    json!({
        "product_tag": "p", "env": "dev", "event": event, "start_at": 0, "input": input,
        "retry": {"initialDelay": 1, "jitter": false},
    })
}
