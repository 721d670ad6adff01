//! AWS's own API on the emulator, as far as tests look past the service. Requests carry the account's number where AWS wants
//! a signature: to the emulator that is the account's root.

#![allow(clippy::missing_panics_doc, reason = "what is not as expected ends the test")]

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};

use carillon_aws::clients::Clients;
use carillon_core::ports::Message;
use http::Method;
use serde_json::{Value, json};
use url::form_urlencoded;

use crate::env::epoch_ms;

/// An account on the emulator.
#[derive(Clone, Debug)]
pub struct Emulator {
    http: reqwest::Client,
    endpoint: String,
    region: String,
    account: String,
}

/// A message of a queue, as seen without receiving it.
#[derive(Clone, Debug)]
pub struct Letter {
    /// Its body.
    pub body: String,
    /// Its attributes.
    pub attributes: HashMap<String, String>,
    /// The queue's attributes, such as the group of a FIFO message.
    pub system: HashMap<String, String>,
}

impl Emulator {
    /// An account.
    pub fn new(endpoint: &str, region: &str, account: &str) -> Self {
        let http = reqwest::Client::builder().no_proxy().build().expect("an HTTP client can be made");
        Self { http, endpoint: endpoint.to_owned(), region: region.to_owned(), account: account.to_owned() }
    }

    /// Another account, in which nothing is yet.
    #[must_use]
    pub fn new_account(&self) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let number = u64::try_from(epoch_ms()).unwrap_or_default() * 1_000 + NEXT.fetch_add(1, Ordering::Relaxed);
        Self { account: format!("{:012}", number % 1_000_000_000_000), ..self.clone() }
    }

    /// The SDK's clients of this account.
    pub fn clients(&self) -> Clients {
        let variables = self.variables();
        let value = |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| value.clone());
        Clients::from_environment(value).expect("everything is there")
    }

    /// Environment variables that point AWS tools at the emulator, as the functions have them.
    pub fn variables(&self) -> [(&'static str, String); 4] {
        [
            ("AWS_ACCESS_KEY_ID", self.account.clone()),
            ("AWS_SECRET_ACCESS_KEY", "test".to_owned()),
            ("AWS_REGION", self.region.clone()),
            ("AWS_ENDPOINT_URL", self.endpoint.clone()),
        ]
    }

    async fn request(&self, method: Method, service: &str, path: &str, target: &str, body: &Value) -> Value {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let headers = [("content-type", "application/x-amz-json-1.0"), ("x-amz-target", target)];
        let text = self.exchange(method, service, path, &headers, body).await;
        if text.is_empty() { Value::Null } else { serde_json::from_str(&text).expect("AWS answers with JSON") }
    }

    async fn exchange(
        &self,
        method: Method,
        service: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: String,
    ) -> String {
        let credential = format!("{}/20260101/{}/{service}/aws4_request", self.account, self.region);
        let authorization = format!("AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders=host, Signature=0");
        let request =
            self.http.request(method, format!("{}{path}", self.endpoint)).header("authorization", authorization);
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        let response =
            request.body(body).send().await.unwrap_or_else(|error| panic!("{service} {path} {headers:?}: {error:?}"));
        let status = response.status();
        let text = response.text().await.unwrap_or_else(|error| panic!("{service} {path} {headers:?}: {error:?}"));
        assert!(status.is_success(), "{service} {path} {headers:?}: {status} {text}");
        text
    }

    /// Calls an action of a service that speaks JSON.
    pub async fn call(&self, service: &str, target: &str, body: Value) -> Value {
        self.request(Method::POST, service, "/", target, &body).await
    }

    /// Calls an action of a service that takes forms.
    pub async fn submit(&self, service: &str, fields: &[(&str, &str)]) -> String {
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let headers = [("content-type", "application/x-www-form-urlencoded")];
        self.exchange(Method::POST, service, "/", &headers, body).await
    }

    /// Asks a service by path.
    pub async fn rest(&self, method: Method, service: &str, path: &str, body: &Value) -> Value {
        self.request(method, service, path, "", body).await
    }

    /// Makes a bucket.
    pub async fn create_bucket(&self, name: &str) {
        let location = format!(
            "<CreateBucketConfiguration><LocationConstraint>{}</LocationConstraint></CreateBucketConfiguration>",
            self.region
        );
        self.exchange(Method::PUT, "s3", &format!("/{name}"), &[], location).await;
    }

    /// The text of an object.
    pub async fn object(&self, bucket: &str, key: &str) -> String {
        self.exchange(Method::GET, "s3", &format!("/{bucket}/{key}"), &[], String::new()).await
    }

    /// The prefix of an ARN of this account.
    pub fn arn(&self, service: &str) -> String {
        format!("arn:aws:{service}:{}:{}:", self.region, self.account)
    }

    /// The account's number.
    pub fn account(&self) -> &str {
        &self.account
    }

    /// The environment of a function.
    pub async fn environment_of(&self, function: &str) -> HashMap<String, String> {
        let path = format!("/2015-03-31/functions/{function}/configuration");
        let mut configuration = self.request(Method::GET, "lambda", &path, "", &Value::Null).await;
        serde_json::from_value(configuration["Environment"]["Variables"].take()).expect("variables are texts")
    }

    /// Invokes a function, and gives its answer.
    pub async fn invoke(&self, function: &str, event: &Value) -> Value {
        let path = format!("/2015-03-31/functions/{function}/invocations");
        self.request(Method::POST, "lambda", &path, "", event).await
    }

    /// The lines that a function has logged since an instant (epoch ms), without those in which the service reports an
    /// invocation.
    pub async fn log_of(&self, function: &str, since: i64) -> Vec<String> {
        // All that the emulator gives: it knows no second page.
        const PAGE: usize = 10_000;
        let body = json!({"logGroupName": format!("/aws/lambda/{function}"), "limit": PAGE, "startTime": since});
        let page = self.call("logs", "Logs_20140328.FilterLogEvents", body).await;
        let events = page["events"].as_array().map_or(&[][..], Vec::as_slice);
        assert!(events.len() < PAGE, "more was logged since {since} than can be read");
        let lines = events.iter().filter_map(|event| event["message"].as_str());
        let reports = ["START RequestId: ", "END RequestId: ", "REPORT RequestId: "];
        lines.filter(|line| !reports.iter().any(|report| line.starts_with(report))).map(str::to_owned).collect()
    }

    /// Sends these bodies to a queue at once, up to ten.
    pub async fn send(&self, queue_url: &str, bodies: &[String]) {
        let entries: Vec<_> =
            (0..).zip(bodies).map(|(id, body)| json!({"Id": format!("m{id}"), "MessageBody": body})).collect();
        let body = json!({"QueueUrl": queue_url, "Entries": entries});
        let sent = self.call("sqs", "AmazonSQS.SendMessageBatch", body).await;
        assert_eq!(sent["Successful"].as_array().map(Vec::len), Some(bodies.len()), "{sent}");
    }

    /// The messages that wait in a queue, left there.
    pub async fn letters(&self, queue_url: &str) -> Vec<Letter> {
        // A queue gives ten at a time, the same ones where they stay visible. So those that were seen are hidden, and then
        // shown again.
        let mut seen = Vec::new();
        loop {
            let body = json!({
                "QueueUrl": queue_url, "MaxNumberOfMessages": 10, "VisibilityTimeout": 30, "MessageAttributeNames": ["All"],
                "AttributeNames": ["All"],
            });
            let mut page = self.call("sqs", "AmazonSQS.ReceiveMessage", body).await;
            let Value::Array(messages) = page["Messages"].take() else { break };
            if messages.is_empty() {
                break;
            }
            seen.extend(messages);
        }
        for message in &seen {
            let body =
                json!({"QueueUrl": queue_url, "ReceiptHandle": message["ReceiptHandle"], "VisibilityTimeout": 0});
            self.call("sqs", "AmazonSQS.ChangeMessageVisibility", body).await;
        }
        seen.iter().map(Letter::of).collect()
    }

    /// Starts SQS's own redrive, as the button in the console does.
    pub async fn start_message_move_task(&self, source_arn: &str, destination_arn: &str) {
        let body = json!({"SourceArn": source_arn, "DestinationArn": destination_arn});
        self.call("sqs", "AmazonSQS.StartMessageMoveTask", body).await;
    }

    /// The names of the schedules that stand in a group.
    pub async fn schedules(&self, group: &str) -> Vec<String> {
        let path = format!("/schedules?ScheduleGroup={group}");
        let answer = self.request(Method::GET, "scheduler", &path, "", &Value::Null).await;
        let schedules = answer["Schedules"].as_array().into_iter().flatten();
        schedules.filter_map(|schedule| schedule["Name"].as_str()).map(str::to_owned).collect()
    }

    /// Every item of a table, as a text.
    ///
    /// # Panics
    /// When it cannot be read.
    pub async fn everything_in(&self, table: &str) -> String {
        let (client, mut items, mut start) = (self.clients().dynamodb, Vec::new(), None);
        loop {
            let page = client.scan().table_name(table).set_exclusive_start_key(start).send().await;
            let page = page.expect("the table can be read");
            items.extend(page.items().iter().map(|item| format!("{item:?}")));
            start = page.last_evaluated_key;
            if start.is_none() {
                return items.join("\n");
            }
        }
    }

    /// Makes a table with the keys and indexes that `other` has in its account.
    pub async fn create_table_like(&self, other: &Self, name: &str) {
        let described = other.call("dynamodb", "DynamoDB_20120810.DescribeTable", json!({"TableName": name})).await;
        let table = &described["Table"];
        let indexes = table["GlobalSecondaryIndexes"].as_array().into_iter().flatten();
        let indexes: Vec<_> = indexes
            .map(|index| {
                let parts = ["IndexName", "KeySchema", "Projection"].map(|part| (part.to_owned(), index[part].clone()));
                Value::Object(parts.into_iter().collect())
            })
            .collect();
        let body = json!({
            "TableName": name, "BillingMode": "PAY_PER_REQUEST", "KeySchema": table["KeySchema"],
            "AttributeDefinitions": table["AttributeDefinitions"], "GlobalSecondaryIndexes": indexes,
        });
        self.call("dynamodb", "DynamoDB_20120810.CreateTable", body).await;
    }

    /// Makes a queue, and gives its address.
    pub async fn create_queue(&self, name: &str) -> String {
        let created = self.call("sqs", "AmazonSQS.CreateQueue", json!({"QueueName": name})).await;
        created["QueueUrl"].as_str().expect("a queue has an address").to_owned()
    }

    /// Makes a KMS key, and gives its ARN.
    pub async fn create_key(&self) -> String {
        let created = self.call("kms", "TrentService.CreateKey", json!({})).await;
        created["KeyMetadata"]["Arn"].as_str().expect("a key has an ARN").to_owned()
    }
}

impl Letter {
    fn of(message: &Value) -> Self {
        let attributes = message["MessageAttributes"].as_object().into_iter().flatten();
        let attribute =
            |(name, value): (&String, &Value)| Some((name.clone(), value["StringValue"].as_str()?.to_owned()));
        let system = message["Attributes"].as_object().into_iter().flatten();
        let said = |(name, value): (&String, &Value)| Some((name.clone(), value.as_str()?.to_owned()));
        let body = message["Body"].as_str().unwrap_or_default().to_owned();
        Self { body, attributes: attributes.filter_map(attribute).collect(), system: system.filter_map(said).collect() }
    }

    /// The message that it is, if it is one of ours.
    pub fn message(&self) -> Option<Message> {
        Message::parse(&self.body)
    }
}
