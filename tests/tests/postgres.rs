//! Statements on a real PostgreSQL, from the request that schedules them to the row that is there.

#[path = "postgres/errors.rs"]
mod errors;
#[path = "postgres/tls.rs"]
mod tls;
#[path = "postgres/values.rs"]
mod values;
#[path = "postgres/warm.rs"]
mod warm;

use carillon_tests::postgres::{PASSWORD, Server};
use carillon_tests::process::{Launch, Server as Carillon};
use serde_json::{Value, json};
use tempfile::TempDir;

/// The service, with a product `p` whose databases are on a server.
struct World {
    carillon: Carillon,
    _folder: TempDir,
}

impl World {
    /// With a database `db` on the server, over a connection that is not encrypted, and these statements.
    async fn start(server: &Server, statements: &[(&str, &str)]) -> Self {
        Self::with(server, &server.url("sslmode=disable"), "", &[], statements).await
    }

    /// With a database `db` behind this URL, which trusts the certificate if there is one.
    async fn with(
        server: &Server,
        url: &str,
        root_certificate: &str,
        opened: &[&str],
        statements: &[(&str, &str)],
    ) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut launch = Launch::on(folder.path()).allow(server.address()).variable("DB", url);
        launch = opened.iter().fold(launch, |launch, opened| launch.with("--allow", opened));
        let mut place = json!({"url": "env:DB"});
        if !root_certificate.is_empty() {
            launch = launch.variable("CA", root_certificate);
            place["root_certificate"] = json!("env:CA");
        }
        let carillon = launch.start().await;
        let action = |(name, text): &(&str, &str)| ((*name).to_owned(), json!({"statement": text, "max_rows": 10}));
        let actions: serde_json::Map<_, _> = statements.iter().map(action).collect();
        let database = json!({"engine": "postgresql", "envs": {"dev": place}, "actions": actions});
        carillon.client.put("/v1/products/p", &json!({"envs": ["dev"], "databases": {"db": database}})).await.json(201);
        Self { carillon, _folder: folder }
    }

    /// A job of a statement.
    fn job(statement: &str, data: &Value) -> Value {
        json!({
            "product_tag": "p", "env": "dev", "event": format!("db:{statement}"), "start_at": 0, "input": {"data": data},
            "retry": {"initialDelay": 1, "jitter": false},
        })
    }

    /// Runs a job to its end, and gives its one run.
    async fn end(&self, job: &Value) -> Value {
        let client = &self.carillon.client;
        client.ended(&client.schedule(job).await).await
    }

    /// The result of a statement.
    async fn result(&self, statement: &str, data: &Value) -> Value {
        let run = self.end(&Self::job(statement, data)).await;
        assert_eq!(run["status"], "completed", "{statement} {data}: {run}");
        run["result"].clone()
    }

    /// The code and the message of the error that a statement ends with.
    async fn error(&self, statement: &str, data: &Value) -> (String, String) {
        let run = self.end(&Self::job(statement, data)).await;
        assert_eq!(run["status"], "failed", "{statement} {data}: {run}");
        let text = |name: &str| run["error"][name].as_str().unwrap_or_else(|| panic!("{run}")).to_owned();
        (text("code"), text("message"))
    }
}

impl Drop for World {
    fn drop(&mut self) {
        let log = self.carillon.log();
        assert!(std::thread::panicking() || !log.contains(PASSWORD), "the password stands in the log: {log}");
    }
}
