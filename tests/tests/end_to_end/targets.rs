//! AWS targets of jobs, checked where the effect arrives.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::response::IntoResponse as _;
use carillon_tests::deployment::{Deployment, Emulator, Letter, SOON};
use carillon_tests::env::until;
use carillon_tests::process::{Launch, build};
use carillon_tests::receiver::{Receiver, answer, done};
use http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::databases::create_table;
use crate::{among_others, ended, error, fresh, job, publish, result, text};

/// The largest file of a storage that does not say.
const LARGEST: usize = 6 * 1024 * 1024;

/// A message of a queue, once it is there.
async fn letter(deployment: &Deployment, queue_url: &str) -> Letter {
    let look = async || deployment.emulator.letters(queue_url).await.pop();
    until("a message is in the queue".to_owned(), SOON, look).await
}

/// Makes a topic, and a queue that has what is published there; gives the ARN of the one and the address of the other.
async fn create_topic(aws: &Emulator, name: &str) -> (String, String) {
    let queue_url = aws.create_queue(&format!("{name}-queue")).await;
    let everybody = json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": {"Service": "sns.amazonaws.com"}, "Action": "sqs:SendMessage", "Resource": "*"},
    ]});
    let policy = json!({"QueueUrl": queue_url, "Attributes": {"Policy": everybody.to_string()}});
    aws.call("sqs", "AmazonSQS.SetQueueAttributes", policy).await;
    let version = ("Version", "2010-03-31");
    aws.submit("sns", &[("Action", "CreateTopic"), version, ("Name", name)]).await;
    let topic_arn = format!("{}{name}", aws.arn("sns"));
    let endpoint = format!("{}{name}-queue", aws.arn("sqs"));
    let subscribe =
        [("Action", "Subscribe"), version, ("TopicArn", &topic_arn), ("Protocol", "sqs"), ("Endpoint", &endpoint)];
    aws.submit("sns", &subscribe).await;
    (topic_arn, queue_url)
}

/// The mail of this subject, once it was sent.
async fn mail(aws: &Emulator, subject: &str) -> Value {
    let path = format!("/_ministack/ses/messages?account={}", aws.account());
    let look = async || {
        let mut sent = aws.rest(Method::GET, "ses", &path, &Value::Null).await;
        let mails = sent["messages"][aws.account()].as_array_mut()?;
        mails.iter_mut().find(|mail| mail["Subject"] == subject).map(Value::take)
    };
    until(format!("a mail of the subject {subject:?}"), SOON, look).await
}

pub(crate) fn app(receiver: &Receiver) -> Value {
    json!({"worker": {
        "envs": {"dev": {"base_url": format!("http://{}", receiver.address)}},
        "actions": {"work": {"method": "POST", "path": "/tasks/:number"}},
    }})
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_are_published_to_queues_topics_and_buses() {
    let (deployment, _shared) = among_others().await;
    let aws = &deployment.emulator;
    let (queue, bus) = (fresh("queue"), fresh("bus"));
    let fifo = format!("{queue}.fifo");
    let direct = aws.create_queue(&queue).await;
    let ordered =
        aws.call("sqs", "AmazonSQS.CreateQueue", json!({"QueueName": fifo, "Attributes": {"FifoQueue": "true"}})).await;
    let ordered = text(&ordered["QueueUrl"]).to_owned();
    let (topic_arn, of_topic) = create_topic(aws, &fresh("topic")).await;
    let of_bus = aws.create_queue(&format!("{bus}-queue")).await;
    aws.call("events", "AWSEvents.CreateEventBus", json!({"Name": bus})).await;
    let pattern = json!({"source": ["shop"], "detail-type": ["Order"]}).to_string();
    aws.call("events", "AWSEvents.PutRule", json!({"Name": bus, "EventBusName": bus, "EventPattern": pattern})).await;
    let targets = json!([{"Id": "1", "Arn": format!("{}{bus}-queue", aws.arn("sqs"))}]);
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
    let in_order = job(&product, "fifo:orders", &json!({"message": "first", "group": "g"}));
    let id = deployment.client.schedule(&in_order).await;
    ended(&deployment.client, &id, "completed").await;
    let received = letter(&deployment, &ordered).await;
    let said = ["MessageGroupId", "MessageDeduplicationId"].map(|name| received.system[name].as_str());
    assert_eq!((received.body.as_str(), said), ("first", ["g", format!("{id}_g1_r1").as_str()]));
    let to_all = json!({"message": "to all", "attributes": {"kind": "new"}, "subject": "An order"});
    result(&deployment, &product, "sns:orders", to_all).await;
    let envelope: Value = serde_json::from_str(&letter(&deployment, &of_topic).await.body).unwrap();
    assert_eq!((&envelope["Message"], &envelope["Subject"]), (&json!("to all"), &json!("An order")), "{envelope}");
    assert_eq!(envelope["MessageAttributes"]["kind"], json!({"Type": "String", "Value": "new"}), "{envelope}");
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
    let failed = ended(&deployment.client, &id, "failed").await;
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
    let receiver = Receiver::start(async |_| (StatusCode::OK, "x".repeat(LARGEST)).into_response()).await;
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
    assert_eq!(stored["etag"], r#""5d41402abc4b2a76b9719d911017c592""#);
    assert_eq!(deployment.emulator.object(&bucket, "in/a/hello.txt").await, "hello");
    let fetched = json!({"url": format!("http://{}/large.json", receiver.address), "fileName": "large.json"});
    let stored = result(&deployment, &product, "files", fetched).await;
    assert_eq!((&stored["size"], &stored["content_type"]), (&json!(LARGEST), &json!("application/json")));
    assert_eq!(stored["checksum_sha256"], "QCup/7CPx59nxQCC4ES1IYJ+X5+t6xWcjBb6Ryu8nd8=");
    assert!(deployment.emulator.object(&bucket, "in/large.json").await == "x".repeat(LARGEST));
    let missing = error(&deployment, &product, "gone", json!({"buffer": "", "fileName": "x"})).await;
    assert_eq!(missing, "NOT_FOUND");

    let health: Value = serde_json::from_str(include_str!("../../../events/api-gateway/health.json")).unwrap();
    let said = result(&deployment, &product, "api", json!({"payload": health})).await;
    assert_eq!(said["statusCode"], 200, "{said}");
    assert_eq!(error(&deployment, &product, "api", json!({"payload": {"no": "event"}})).await, "FUNCTION_ERROR");
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
    let mail = mail(aws, &format!("{order} is on its way")).await;
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
async fn the_local_server_reaches_aws_with_the_credentials_of_its_environment() {
    let (deployment, _shared) = among_others().await;
    // With these tests, and the features that they are built with, so that the SDK is not built once more.
    let features = "carillon/aws,carillon-tests/stack";
    let compile = || build(&["--workspace", "--bin", "carillon", "--test", "end_to_end", "--features", features]);
    let built = tokio::task::spawn_blocking(compile).await.unwrap().expect("the program builds");
    let folder = tempfile::tempdir().unwrap();
    let program = built.into_iter().find(|path| path.ends_with("carillon")).expect("cargo names what it built");
    let receiver = Receiver::start(async |delivery| match delivery.authorization.as_str() {
        "Bearer from-ssm" => done(&delivery),
        _ => answer(StatusCode::UNAUTHORIZED, &json!({})),
    });
    let receiver = receiver.await;
    let launch = Launch::on(folder.path()).program(program).allow(receiver.address);
    let aws = &deployment.emulator;
    let queue_url = aws.create_queue(&fresh("local")).await;
    let (topic_arn, of_topic) = create_topic(aws, &fresh("topic")).await;
    let (bucket, table, order) = (fresh("files"), fresh("orders"), fresh("order"));
    aws.create_bucket(&bucket).await;
    create_table(&deployment, &table, "id", "S").await;
    aws.rest(Method::POST, "ses", "/v2/email/identities", &json!({"EmailIdentity": "local@example.com"})).await;
    let parameter = format!("/e2e/{}", fresh("token"));
    let put = json!({"Name": parameter, "Value": "from-ssm", "Type": "SecureString"});
    aws.call("ssm", "AmazonSSM.PutParameter", put).await;
    let base_url = format!("http://{}", receiver.address);
    let document = json!({
        "envs": ["dev"],
        "apps": {"worker": {
            "envs": {"dev": {"base_url": base_url, "auth": {"bearer": format!("ssm:{parameter}")}}},
            "actions": {"work": {"method": "POST", "path": "/task"}},
        }},
        "brokers": {
            "queue": {"envs": {"dev": {"provider": "sqs"}}, "topics": {"orders": {"envs": {"dev": {"url": queue_url}}}}},
            "topic": {"envs": {"dev": {"provider": "sns"}}, "topics": {"orders": {"envs": {"dev": {"arn": topic_arn}}}}},
        },
        "databases": {"orders": {"engine": "dynamodb", "envs": {"dev": {}}, "actions": {
            "put": {"statement": format!("INSERT INTO \"{table}\" VALUE {{'id': {{{{id}}}}}}")},
            "find": {"statement": format!("SELECT * FROM \"{table}\" WHERE id = {{{{id}}}}")},
        }}},
        "notifications": {"order": {
            "envs": {"dev": {"email": {"provider": "ses", "from": "local@example.com"}}},
            "messages": {"shipped": {"email": {"subject": {"en": "{{order}} left"}, "text": {"en": "Hello"}}}},
        }},
        "storages": {"files": {"envs": {"dev": {"bucket": bucket}}}},
    });
    let body = job("p", "queue:orders", &json!({"message": "from here"}));

    let without = launch.start().await;
    without.client.put("/v1/products/p", &document).await.json(201);
    let problem = without.client.post("/v1/jobs", &body).await.json(422);
    let detail = text(&problem["errors"][0]["detail"]);
    assert!(problem["code"] == "not_available" && detail.contains("set AWS_REGION"), "{problem}");
    without.kill().await;

    let variables = aws.variables();
    let launch = variables.iter().fold(launch, |launch, (name, value)| launch.variable(name, value));
    let with = launch.start().await;
    let rows = json!({"rows": [{"id": "7"}], "row_count": 1});
    for (event, input, of_result, expected) in [
        ("queue:orders", json!({"message": "from here"}), "", Value::Null),
        ("topic:orders", json!({"message": "from here"}), "", Value::Null),
        ("files", json!({"buffer": "aGVsbG8=", "fileName": "hello.txt"}), "/size", json!(5)),
        ("orders:put", json!({"data": {"id": "7"}}), "/row_count", json!(0)),
        ("orders:find", json!({"filter": {"id": "7"}}), "", rows),
        ("order:shipped", json!({"email": {"to": "ada@example.com", "data": {"order": order}}}), "", Value::Null),
        ("work", json!({}), "/status", json!(200)),
    ] {
        let id = with.client.schedule(&job("p", event, &input)).await;
        let completed = ended(&with.client, &id, "completed").await;
        let got = completed["result"].pointer(of_result);
        assert!(expected.is_null() || got == Some(&expected), "{event}: {completed}");
    }
    assert_eq!(letter(&deployment, &queue_url).await.body, "from here");
    let envelope: Value = serde_json::from_str(&letter(&deployment, &of_topic).await.body).unwrap();
    assert_eq!(envelope["Message"], "from here");
    assert_eq!(aws.object(&bucket, "hello.txt").await, "hello");
    assert_eq!(mail(aws, &format!("{order} left")).await["To"], json!(["ada@example.com"]));
}
