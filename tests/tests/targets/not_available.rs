//! A server without AWS says of every job that needs it that it cannot be run, and why, before anything is stored.

use serde_json::{Value, json};

use super::{World, job};

const HOW: &str = "build with --features aws";

/// Events that need something of AWS, what that is, and the member of the input that asks for it where it is not the event.
fn cases() -> Vec<(&'static str, Value, &'static str, &'static str)> {
    let push = json!({"device_token": "t", "title": "t", "body": "b"});
    let sms = json!({"to": "+31612345678", "body": "b"});
    let mail = json!({"to": "ada@example.com", "subject": "s", "text": "t"});
    let keyed = "the secret ssm:/key";
    let kept = "the secret secretsmanager:key";
    vec![
        ("sqs:orders", json!({"message": "m"}), "Amazon SQS", ""),
        ("sns:orders", json!({"message": "m"}), "Amazon SNS", ""),
        ("eventbridge:orders", json!({"message": {"n": 1}}), "Amazon EventBridge", ""),
        ("sqs:drain", json!({}), "Amazon SQS", ""),
        ("files", json!({"buffer": "", "fileName": "f"}), "Amazon S3", ""),
        ("lambda", json!({"payload": 1}), "AWS Lambda", ""),
        ("table:find", json!({"data": {"id": "7"}}), "Amazon DynamoDB", ""),
        ("cluster:find", json!({"data": {"id": "7"}}), "The RDS Data API", ""),
        ("order", json!({"email": mail}), "Amazon SES", "/email"),
        ("order", json!({"sms": sms}), "Amazon SNS", "/sms"),
        ("order", json!({"push_notification": push}), keyed, "/push_notification"),
        ("by-ssm", json!({}), keyed, ""),
        ("by-secretsmanager", json!({}), kept, ""),
        ("signed", json!({}), kept, ""),
        ("function", json!({}), keyed, ""),
        ("database:find", json!({"data": {"id": "7"}}), kept, ""),
    ]
}

/// A catalog with all of them, with a job, a feature and a fallback of each, and a fallback within a feature.
fn catalog() -> Value {
    let url = "https://shop.example.com";
    let app =
        |tag: &str, place: Value| json!({"envs": {"dev": place}, "actions": {tag: {"method": "POST", "path": "/"}}});
    let broker = |place: Value, address: Value| json!({"envs": {"dev": place}, "topics": {"orders": {"detail_type": "Order", "envs": {"dev": address}}}});
    let mut sqs =
        broker(json!({"provider": "sqs"}), json!({"url": "https://sqs.eu-west-1.amazonaws.com/123456789012/orders"}));
    sqs["topics"]["orders"].as_object_mut().unwrap().remove("detail_type");
    let mut sns = broker(json!({"provider": "sns"}), json!({"arn": "arn:aws:sns:eu-west-1:123456789012:orders"}));
    sns["topics"]["orders"].as_object_mut().unwrap().remove("detail_type");
    sqs["subscriptions"] = json!({"drain": {"topic": "orders", "event": "open", "input": {}}});
    let statement = |engine: &str, place: Value, text: &str| json!({"engine": engine, "envs": {"dev": place}, "actions": {"find": {"statement": text}}});
    let arn = "arn:aws:rds:eu-west-1:123456789012:cluster:c";
    let cluster = json!({"resource_arn": arn, "secret_arn": "arn:aws:secretsmanager:eu-west-1:123456789012:secret:s"});
    let sql = "SELECT 1 WHERE 'x' = {{id}}";
    let lambda = "arn:aws:lambda:eu-west-1:123456789012:function:f";
    let mut catalog = json!({
        "apps": {
            "open": app("open", json!({"base_url": url})),
            "a": app("by-ssm", json!({"base_url": url, "auth": {"bearer": "ssm:/key"}})),
            "b": app("by-secretsmanager", json!({"base_url": url, "auth": {"query": {"name": "k", "value": "secretsmanager:key"}}})),
            "c": app("signed", json!({"base_url": url, "signing_secrets": ["secretsmanager:key"]})),
        },
        "brokers": {
            "sqs": sqs, "sns": sns,
            "eventbridge": broker(json!({"provider": "eventbridge", "bus": "main"}), json!({})),
        },
        "storages": {"files": {"envs": {"dev": {"bucket": "files"}}}},
        "functions": {
            "lambda": {"envs": {"dev": {"arn": lambda}}},
            "function": {"envs": {"dev": {"url": url, "auth": {"bearer": "ssm:/key"}}}},
        },
        "databases": {
            "table": statement("dynamodb", json!({}), "SELECT * FROM \"t\" WHERE id = {{id}}"),
            "cluster": statement("postgresql", cluster, sql),
            "database": statement("postgresql", json!({"url": "secretsmanager:key"}), sql),
        },
        "notifications": {"order": {"envs": {"dev": {
            "email": {"provider": "ses", "from": "shop@example.com"},
            "sms": {"provider": "sns"},
            "push": {"provider": "expo", "access_token": "ssm:/key"},
        }}}},
    });
    for (index, (event, input, ..)) in cases().iter().enumerate() {
        let named = json!({"event": event, "input": input});
        catalog["jobs"][format!("job-{index}")] = named.clone();
        catalog["features"][format!("feature-{index}")] = json!({"steps": [{"event": "open", "input": {}}, named]});
        catalog["fallbacks"][format!("fallback-{index}")] = json!({"options": [{"event": "open", "input": {}}, named]});
        let deep = json!({"event": format!("fallback-{index}"), "input": {}});
        catalog["features"][format!("deep-{index}")] = json!({"steps": [deep]});
    }
    catalog
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_needs_aws_is_refused_with_the_reason_wherever_it_stands() {
    let world = World::start(catalog(), &[]).await;
    for (index, (event, input, what, member)) in cases().into_iter().enumerate() {
        let at = if member.is_empty() { "/event".to_owned() } else { format!("/input{member}") };
        let wrapped =
            ["feature", "fallback", "deep"].map(|kind| (format!("{kind}-{index}"), json!({}), "/event".to_owned()));
        let own = [(event.to_owned(), input, at.clone()), (format!("job-{index}"), json!({}), at)];
        for (asked, input, pointer) in own.into_iter().chain(wrapped) {
            let problem = world.client().post("/v1/jobs", &job(&asked, &input)).await.json(422);
            let errors = problem["errors"].as_array().unwrap();
            assert_eq!((&problem["code"], errors.len()), (&json!("not_available"), 1), "{event} by {asked}: {problem}");
            let [found, code] = ["pointer", "code"].map(|name| errors[0][name].as_str().unwrap());
            assert_eq!((found, code), (pointer.as_str(), "not_available"), "{event} by {asked}: {problem}");
            let detail = errors[0]["detail"].as_str().unwrap();
            assert!(detail.starts_with(what) && detail.ends_with(HOW), "{event} by {asked}: {detail}");
        }
    }
    assert_eq!(world.client().jobs("p", None).await, Vec::<Value>::new(), "something was stored");
    // An input that needs nothing unavailable is accepted.
    let mut open = job("open", &json!({}));
    open["start_at"] = json!("2100-01-01T00:00:00Z");
    world.client().schedule(&open).await;
}
