//! The least function that takes a job: it reads the body as JSON, sends a message, puts an item, and checks nothing. Written
//! as the SDK's own guide has it. `bench cold` starts it next to ours.

use aws_config::BehaviorVersion;
use aws_sdk_dynamodb::types::AttributeValue;
use lambda_http::{Body, Error, Request, Response, run, service_fn};
use serde_json::Value;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    #[expect(clippy::disallowed_methods, reason = "this is a main")]
    let (table, queue_url) = (std::env::var("CARILLON_TABLE")?, std::env::var("CARILLON_QUEUE_URL")?);
    let config = aws_config::load_defaults(BehaviorVersion::v2026_01_12()).await;
    let (dynamodb, sqs) = (aws_sdk_dynamodb::Client::new(&config), aws_sdk_sqs::Client::new(&config));
    run(service_fn(async |request: Request| {
        let job: Value = serde_json::from_slice(request.body())?;
        let sent = sqs.send_message().queue_url(&queue_url).message_body(job["event"].to_string()).send().await?;
        let id = AttributeValue::S(sent.message_id.unwrap_or_default());
        let put =
            dynamodb.put_item().table_name(&table).item("pk", id.clone()).item("sk", AttributeValue::S("JOB".into()));
        put.item("job", AttributeValue::S(job.to_string())).send().await?;
        Ok::<_, Error>(Response::builder().status(202).body(Body::from("{}"))?)
    }))
    .await
}
