//! The example commands that the server prints.

use std::net::SocketAddr;

/// Returns three curl commands for the server at `address`: publish a catalog, schedule a job and wait for its result, list the
/// jobs. The receiver at `target` replaces the user's app.
pub(crate) fn lines(address: SocketAddr, key: &str, target: SocketAddr) -> [String; 3] {
    let catalog = format!(
        r#"{{"envs":["dev"],"apps":{{"greeter":{{"envs":{{"dev":{{"base_url":"http://{target}"}}}},"actions":{{"greet":{{"method":"POST","path":"/greet/:name"}}}}}}}}}}"#
    );
    let job = r#"{"product_tag":"hello","env":"dev","event":"greet","input":{"params":{"name":"ada"},"body":{"text":"Hello!"}},"retries":2,"start_at":0}"#;
    let curl = format!("curl -sS -H 'Authorization: Bearer {key}'");
    [
        format!("{curl} -X PUT http://{address}/v1/products/hello -d '{catalog}'"),
        format!("{curl} -H 'Prefer: wait=5' http://{address}/v1/jobs -d '{job}'"),
        format!("{curl} 'http://{address}/v1/jobs?product_tag=hello&env=dev'"),
    ]
}
