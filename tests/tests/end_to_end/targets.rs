//! What jobs reach of AWS, seen where it arrives; and events that consist of others, on the real functions.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use carillon_tests::deployment::{Deployment, Letter, SOON};
use carillon_tests::outside::{epoch_ms, until};
use carillon_tests::process::{Launch, build};
use carillon_tests::receiver::{Receiver, answer, done};
use futures_util::future::join_all;
use http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::{alone, among_others, impatient, text};

/// A name that no other run of the tests has. The deployment opens those that begin like this.
fn fresh(what: &str) -> String {
    format!("e2e-{what}-{}", epoch_ms())
}

/// Publishes a catalog under a tag that no other run has.
async fn publish(deployment: &Deployment, mut document: Value) -> String {
    let tag = fresh("product");
    document["envs"] = json!(["dev"]);
    deployment.client.put(&format!("/v1/products/{tag}"), &document).await.json(201);
    tag
}

fn job(product: &str, event: &str, input: &Value) -> Value {
    json!({"product_tag": product, "env": "dev", "event": event, "start_at": 0, "input": input})
}

/// Runs a job to its end, and gives its result.
async fn result(deployment: &Deployment, product: &str, event: &str, input: Value) -> Value {
    let id = deployment.client.schedule(&job(product, event, &input)).await;
    ended(deployment, &id, "completed").await["result"].clone()
}

/// Runs a job that fails, and gives the code of its error.
async fn error(deployment: &Deployment, product: &str, event: &str, input: Value) -> String {
    let id = deployment.client.schedule(&job(product, event, &input)).await;
    text(&ended(deployment, &id, "failed").await["error"]["code"]).to_owned()
}

async fn ended(deployment: &Deployment, id: &str, status: &str) -> Value {
    let is_over = |job: &Value| job["status"] == "completed" || job["status"] == "failed";
    let look = async || Some(deployment.client.job(id).await).filter(is_over);
    let job = until(format!("{id} is over"), SOON, look).await;
    assert_eq!(job["status"], status, "{job}");
    job
}

/// A message of a queue, once it is there.
async fn letter(deployment: &Deployment, queue_url: &str) -> Letter {
    let look = async || deployment.emulator.letters(queue_url).await.pop();
    until("a message is in the queue".to_owned(), SOON, look).await
}

fn app(receiver: &Receiver) -> Value {
    json!({"worker": {
        "envs": {"dev": {"base_url": format!("http://{}", receiver.address)}},
        "actions": {"work": {"method": "POST", "path": "/tasks/:number"}},
    }})
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_are_published_to_queues_topics_and_buses() {
    let (deployment, _shared) = among_others().await;
    let aws = &deployment.emulator;
    let (queue, topic, bus) = (fresh("queue"), fresh("topic"), fresh("bus"));
    let fifo = format!("{queue}.fifo");
    let direct = aws.create_queue(&queue).await;
    let ordered =
        aws.call("sqs", "AmazonSQS.CreateQueue", json!({"QueueName": fifo, "Attributes": {"FifoQueue": "true"}})).await;
    let ordered = text(&ordered["QueueUrl"]).to_owned();
    let of_topic = aws.create_queue(&format!("{topic}-queue")).await;
    let everybody = json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": {"Service": "sns.amazonaws.com"}, "Action": "sqs:SendMessage", "Resource": "*"},
    ]});
    let policy = json!({"QueueUrl": of_topic, "Attributes": {"Policy": everybody.to_string()}});
    aws.call("sqs", "AmazonSQS.SetQueueAttributes", policy).await;
    let of_bus = aws.create_queue(&format!("{bus}-queue")).await;
    let version = ("Version", "2010-03-31");
    aws.submit("sns", &[("Action", "CreateTopic"), version, ("Name", &topic)]).await;
    let topic_arn = format!("{}{topic}", aws.arn("sns"));
    let queue_arn = |name: &str| format!("{}{name}", aws.arn("sqs"));
    let endpoint = queue_arn(&format!("{topic}-queue"));
    let subscribe =
        [("Action", "Subscribe"), version, ("TopicArn", &topic_arn), ("Protocol", "sqs"), ("Endpoint", &endpoint)];
    aws.submit("sns", &subscribe).await;
    aws.call("events", "AWSEvents.CreateEventBus", json!({"Name": bus})).await;
    let pattern = json!({"source": ["shop"], "detail-type": ["Order"]}).to_string();
    aws.call("events", "AWSEvents.PutRule", json!({"Name": bus, "EventBusName": bus, "EventPattern": pattern})).await;
    let targets = json!([{"Id": "1", "Arn": queue_arn(&format!("{bus}-queue"))}]);
    aws.call("events", "AWSEvents.PutTargets", json!({"Rule": bus, "EventBusName": bus, "Targets": targets})).await;

    let broker = |place: Value, address: Value| json!({"envs": {"dev": place}, "topics": {"orders": {"detail_type": "Order", "envs": {"dev": address}}}});
    let elsewhere = aws.create_queue(&format!("not-{queue}")).await;
    let brokers = json!({
        "sqs": broker(json!({"provider": "sqs"}), json!({"url": direct})),
        "fifo": broker(json!({"provider": "sqs"}), json!({"url": ordered})),
        "sns": broker(json!({"provider": "sns"}), json!({"arn": topic_arn})),
        "bus": broker(json!({"provider": "eventbridge", "bus": bus, "source": "shop"}), json!({})),
        "gone": broker(json!({"provider": "sqs"}), json!({"url": format!("{direct}-gone")})),
        "shut": broker(json!({"provider": "sqs"}), json!({"url": elsewhere})),
    });
    let product = publish(&deployment, json!({"brokers": brokers})).await;

    let sent = result(&deployment, &product, "sqs:orders", json!({"message": {"n": 1}, "attributes": {"kind": "new"}}));
    assert!(sent.await["message_id"].is_string());
    let received = letter(&deployment, &direct).await;
    assert_eq!((received.body.as_str(), received.attributes["kind"].as_str()), (r#"{"n":1}"#, "new"));
    result(&deployment, &product, "fifo:orders", json!({"message": "first", "group": "g"})).await;
    assert_eq!(letter(&deployment, &ordered).await.body, "first");
    result(&deployment, &product, "sns:orders", json!({"message": "to all"})).await;
    let envelope: Value = serde_json::from_str(&letter(&deployment, &of_topic).await.body).unwrap();
    assert_eq!(envelope["Message"], "to all");
    let put = result(&deployment, &product, "bus:orders", json!({"message": {"order": 7}})).await;
    assert!(put["event_id"].is_string(), "{put}");
    let event: Value = serde_json::from_str(&letter(&deployment, &of_bus).await.body).unwrap();
    assert_eq!((&event["detail-type"], &event["detail"]), (&json!("Order"), &json!({"order": 7})));
    assert_eq!(error(&deployment, &product, "shut:orders", json!({"message": "x"})).await, "FORBIDDEN");
    assert_eq!(error(&deployment, &product, "gone:orders", json!({"message": "x"})).await, "NOT_FOUND");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_topic_is_drained_and_a_message_goes_once_its_event_has_succeeded() {
    let (deployment, _shared) = among_others().await;
    let receiver = Receiver::start(async |delivery| match delivery.path.as_str() {
        "/tasks/13" => answer(StatusCode::UNPROCESSABLE_ENTITY, &json!({})),
        _ => done(&delivery),
    });
    let receiver = receiver.await;
    let queue_url = deployment.emulator.create_queue(&fresh("drained")).await;
    let bodies: Vec<_> = [1, 13, 2].map(|number| json!({"number": number}).to_string()).into();
    deployment.emulator.send(&queue_url, &bodies).await;
    let product = publish(
        &deployment,
        json!({"apps": app(&receiver), "brokers": {"bus": {
            "envs": {"dev": {"provider": "sqs"}},
            "topics": {"orders": {"envs": {"dev": {"url": queue_url}}}},
            "subscriptions": {"drain": {"topic": "orders", "event": "work", "input": {"params": {"number": "$Message{body}{number}"}}}},
        }}}),
    )
    .await;
    let id = deployment.client.schedule(&job(&product, "bus:drain", &json!({}))).await;
    let failed = ended(&deployment, &id, "failed").await;
    assert_eq!(failed["error"]["code"], "VALIDATION_ERROR", "{failed}");
    let attributes = json!({"QueueUrl": queue_url, "AttributeNames": ["All"]});
    let left = deployment.emulator.call("sqs", "AmazonSQS.GetQueueAttributes", attributes).await;
    assert_eq!(
        left["Attributes"]["ApproximateNumberOfMessagesNotVisible"], "1",
        "the one that failed is hidden: {left}"
    );
    let arrived = receiver.counts();
    assert!(arrived.len() == 3 && arrived.keys().all(|id| id.starts_with("msg_")), "{arrived:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_are_stored_and_functions_invoked() {
    let (deployment, _shared) = among_others().await;
    let receiver = Receiver::start(async |_| answer(StatusCode::OK, &json!({"large": "x".repeat(400_000)}))).await;
    let bucket = fresh("files");
    deployment.emulator.create_bucket(&bucket).await;
    let function = format!("{}function:{}", deployment.emulator.arn("lambda"), deployment.api_function);
    let product = publish(
        &deployment,
        json!({
            "storages": {
                "files": {"envs": {"dev": {"bucket": bucket, "prefix": "in/"}}},
                "gone": {"envs": {"dev": {"bucket": format!("{bucket}-gone")}}},
            },
            "functions": {"api": {"envs": {"dev": {"arn": function}}}},
        }),
    )
    .await;
    let stored = result(&deployment, &product, "files", json!({"buffer": "aGVsbG8=", "fileName": "a/hello.txt"})).await;
    let shape = ["bucket", "key", "size", "content_type"].map(|name| stored[name].clone());
    assert_eq!(shape, [json!(bucket), json!("in/a/hello.txt"), json!(5), json!("text/plain")]);
    assert_eq!(stored["checksum_sha256"], "LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=");
    assert_eq!(deployment.emulator.object(&bucket, "in/a/hello.txt").await, "hello");
    let fetched = json!({"url": format!("http://{}/large.json", receiver.address), "fileName": "large.json"});
    let stored = result(&deployment, &product, "files", fetched).await;
    assert_eq!((&stored["size"], &stored["content_type"]), (&json!(400_012), &json!("application/json")));
    let missing = error(&deployment, &product, "gone", json!({"buffer": "", "fileName": "x"})).await;
    assert_eq!(missing, "NOT_FOUND");

    let health: Value = serde_json::from_str(include_str!("../../../events/api-gateway/health.json")).unwrap();
    let said = result(&deployment, &product, "api", json!({"payload": health})).await;
    assert_eq!(said["statusCode"], 200, "{said}");
    assert_eq!(error(&deployment, &product, "api", json!({"payload": {"no": "event"}})).await, "FUNCTION_ERROR");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn statements_run_on_dynamodb_with_bound_values() {
    let (deployment, _shared) = among_others().await;
    let table = fresh("orders");
    let create = json!({
        "TableName": table, "BillingMode": "PAY_PER_REQUEST", "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
        "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
    });
    deployment.emulator.call("dynamodb", "DynamoDB_20120810.CreateTable", create).await;
    let insert = format!("INSERT INTO \"{table}\" VALUE {{'id': {{{{id}}}}, 'total': {{{{total:NUMERIC}}}}}}");
    let select = format!("SELECT * FROM \"{table}\" WHERE id = {{{{id}}}}");
    let actions = json!({"insert": {"statement": insert}, "find": {"statement": select}});
    let databases = json!({"orders": {"engine": "dynamodb", "envs": {"dev": {}}, "actions": actions}});
    let product = publish(&deployment, json!({"databases": databases})).await;
    let hostile = "x' OR '1'='1";
    result(&deployment, &product, "orders:insert", json!({"data": {"id": hostile, "total": 12.5}})).await;
    let found = result(&deployment, &product, "orders:find", json!({"filter": {"id": hostile}})).await;
    assert_eq!(found["rows"], json!([{"id": hostile, "total": 12.5}]));
    let none = result(&deployment, &product, "orders:find", json!({"filter": {"id": "y"}})).await;
    assert_eq!(none["rows"], json!([]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_notification_arrives_by_ses_and_sns() {
    let (deployment, _shared) = among_others().await;
    let aws = &deployment.emulator;
    let address = json!({"EmailIdentity": "shop@example.com"});
    aws.rest(Method::POST, "ses", "/v2/email/identities", &address).await;
    let product = publish(
        &deployment,
        json!({"notifications": {"order": {
            "envs": {"dev": {"email": {"provider": "ses", "from": "shop@example.com"}, "sms": {"provider": "sns"}}},
            "messages": {"shipped": {
                "email": {"subject": {"en": "{{order}} is on its way"}, "text": {"en": "Hello {{name}}"}},
                "sms": {"en": "{{order}} is on its way"},
            }},
        }}}),
    )
    .await;
    let order = fresh("order");
    let input = json!({
        "email": {"to": "ada@example.com", "data": {"order": order, "name": "Ada"}},
        "sms": {"to": "+31612345678", "data": {"order": order}},
    });
    let sent = result(&deployment, &product, "order:shipped", input).await;
    assert!(sent["channels"]["email"]["id"].is_string() && sent["channels"]["sms"]["id"].is_string(), "{sent}");
    let path = format!("/_ministack/ses/messages?account={}", aws.account());
    let mailed = aws.rest(Method::GET, "ses", &path, &Value::Null).await;
    let mails = mailed["messages"][aws.account()].as_array().unwrap();
    let mail = mails.iter().find(|mail| mail["Subject"] == format!("{order} is on its way")).expect("it was sent");
    assert_eq!((&mail["To"], text(&mail["BodyText"]).trim()), (&json!(["ada@example.com"]), "Hello Ada"));
    let texts = aws.rest(Method::GET, "sns", "/_ministack/sns/sms-messages", &Value::Null).await;
    assert!(texts.to_string().contains(&format!("{order} is on its way")), "{texts}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn secrets_are_fetched_from_where_they_are_kept_and_again_when_they_are_refused() {
    let (deployment, _shared) = among_others().await;
    let aws = &deployment.emulator;
    let rotated = Arc::<AtomicBool>::default();
    let is_rotated = Arc::clone(&rotated);
    let receiver = Receiver::start(move |delivery| {
        let wanted = if is_rotated.load(Ordering::Relaxed) { "Bearer second" } else { "Bearer first" };
        let is_right = delivery.authorization == wanted;
        async move { if is_right { done(&delivery) } else { answer(StatusCode::UNAUTHORIZED, &json!({})) } }
    });
    let receiver = receiver.await;
    let (parameter, secret) = (format!("/e2e/{}", fresh("token")), fresh("token"));
    let put = |value: &str| json!({"Name": parameter, "Value": value, "Type": "SecureString", "Overwrite": true});
    aws.call("ssm", "AmazonSSM.PutParameter", put("first")).await;
    aws.call("secretsmanager", "secretsmanager.CreateSecret", json!({"Name": secret, "SecretString": "first"})).await;
    let place = |reference: String| {
        let base_url = format!("http://{}", receiver.address);
        json!({"envs": {"dev": {"base_url": base_url, "auth": {"bearer": reference}}},
               "actions": {"work": {"method": "POST", "path": "/task"}}})
    };
    let apps = json!({
        "one": place(format!("ssm:{parameter}")), "two": place(format!("secretsmanager:{secret}")),
        "none": place("ssm:/e2e/gone".to_owned()), "shut": place("ssm:/other".to_owned()),
    });
    let product = publish(&deployment, json!({"apps": apps})).await;
    let outcome = async |app: &str| {
        let mut job = job(&product, "work", &json!({}));
        job["app"] = json!(app);
        let id = deployment.client.schedule(&job).await;
        let is_over = |job: &Value| job["status"] == "completed" || job["status"] == "failed";
        let look = async || Some(deployment.client.job(&id).await).filter(is_over);
        let job = until(format!("{id} is over"), SOON, look).await;
        job["error"]["code"].as_str().unwrap_or("").to_owned()
    };
    assert_eq!(outcome("one").await, "");
    assert_eq!(outcome("two").await, "");
    aws.call("ssm", "AmazonSSM.PutParameter", put("second")).await;
    rotated.store(true, Ordering::Relaxed);
    assert_eq!(outcome("one").await, "", "what was remembered is fetched anew once it is refused");
    assert_eq!(outcome("two").await, "UNAUTHORIZED");
    assert_eq!(outcome("none").await, "SECRET_NOT_FOUND");
    assert_eq!(outcome("shut").await, "FORBIDDEN");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_jobs_at_once_use_a_quota_up_and_no_more() {
    let (deployment, _shared) = among_others().await;
    let product = publish(&deployment, json!({"quotas": {"calls": {"limit": 60, "period": "month"}}})).await;
    let ask = impatient(job(&product, "calls", &json!({})), 3);
    let ids = join_all((0..100).map(|_| deployment.client.schedule(&ask))).await;
    let mut outcomes = BTreeMap::new();
    for id in &ids {
        let is_over = |job: &Value| job["status"] == "completed" || job["status"] == "failed";
        let look = async || Some(deployment.client.job(id).await).filter(is_over);
        let job = until(format!("{id} is over"), SOON, look).await;
        let code = job["error"]["code"].as_str().unwrap_or("counted").to_owned();
        *outcomes.entry(code).or_insert(0) += 1;
    }
    assert_eq!(
        outcomes.into_iter().collect::<Vec<_>>(),
        [("QUOTA_EXCEEDED".to_owned(), 40), ("counted".to_owned(), 60)]
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_executor_that_dies_in_a_step_repeats_that_step_and_no_other() {
    let (deployment, _alone) = alone().await;
    let session = deployment.session;
    let (killed, once) = (Arc::<AtomicBool>::default(), Arc::<AtomicBool>::default());
    let (has_died, first) = (Arc::clone(&killed), Arc::clone(&once));
    let receiver = Receiver::start(move |delivery| {
        let dies = delivery.path == "/tasks/2" && !first.swap(true, Ordering::Relaxed);
        let has_died = Arc::clone(&has_died);
        async move {
            if dies {
                has_died.store(true, Ordering::Relaxed);
                std::future::pending::<()>().await;
            }
            done(&delivery)
        }
    });
    let receiver = receiver.await;
    let step = |number: u32| json!({"event": "work", "input": {"params": {"number": number}}});
    let features = json!({"thrice": {"steps": [step(1), step(2), step(3)]}});
    let product = publish(&deployment, json!({"apps": app(&receiver), "features": features})).await;
    let id = deployment.client.schedule(&impatient(job(&product, "thrice", &json!({})), 3)).await;
    let look = async || killed.load(Ordering::Relaxed).then_some(());
    until("the second step is under way".to_owned(), SOON, look).await;
    let kill = async || carillon_tests::deployment::executors::kill_whoever_calls(receiver.address, session);
    until("the executor is killed".to_owned(), SOON, kill).await;
    let completed = ended(&deployment, &id, "completed").await;
    assert_eq!(completed["run"]["attempts"], 2, "{completed}");
    let counts = receiver.counts();
    let of_steps: Vec<_> = ["_1", "_2", "_3"].map(|place| counts[&format!("{id}_g1_r1{place}")]).into();
    assert_eq!(of_steps, [1, 2, 1], "{counts:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_local_server_reaches_aws_with_the_credentials_of_its_environment() {
    let (deployment, _shared) = among_others().await;
    // With the tests, and the features that they are built with, so that the SDK is not built once more.
    let features = "carillon/aws,carillon-api/lambda,carillon-executor/lambda,carillon-tests/stack";
    let compile = || build(&["--workspace", "--bin", "carillon", "--tests", "--features", features]);
    let built = tokio::task::spawn_blocking(compile).await.unwrap().expect("the program builds");
    let folder = tempfile::tempdir().unwrap();
    let program = built.into_iter().find(|path| path.ends_with("carillon")).expect("cargo names what it built");
    let launch = Launch::on(folder.path()).program(program);
    let queue_url = deployment.emulator.create_queue(&fresh("local")).await;
    let document = json!({"envs": ["dev"], "brokers": {"bus": {
        "envs": {"dev": {"provider": "sqs"}}, "topics": {"orders": {"envs": {"dev": {"url": queue_url}}}},
    }}});
    let body = job("p", "bus:orders", &json!({"message": "from here"}));

    let without = launch.start().await;
    without.client.put("/v1/products/p", &document).await.json(201);
    let problem = without.client.post("/v1/jobs", &body).await.json(422);
    let detail = text(&problem["errors"][0]["detail"]);
    assert!(problem["code"] == "not_available" && detail.contains("set AWS_REGION"), "{problem}");
    without.kill().await;

    let variables = deployment.emulator.variables();
    let launch = variables.iter().fold(launch, |launch, (name, value)| launch.variable(name, value));
    let with = launch.start().await;
    with.client.schedule(&body).await;
    assert_eq!(letter(&deployment, &queue_url).await.body, "from here");
}
