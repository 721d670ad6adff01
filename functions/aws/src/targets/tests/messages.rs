//! SQS, SNS and EventBridge.

use super::*;

const QUEUE: &str = "https://sqs.eu-west-1.amazonaws.com/123456789012/orders";
const TOPIC: &str = "arn:aws:sns:eu-west-1:123456789012:orders";

fn queue() -> Url {
    Url::parse(QUEUE).unwrap()
}

fn message(group: Option<&str>) -> AwsRequest {
    AwsRequest::SendMessage {
        queue_url: queue(),
        body: "hello".to_owned(),
        attributes: vec![("kind".to_owned(), "greeting".to_owned())],
        group: group.map(str::to_owned),
    }
}

#[tokio::test]
async fn a_message_is_sent_with_its_attributes_and_in_its_group() {
    let sent = json!({"MessageId": "m", "MD5OfMessageBody": "5d41402abc4b2a76b9719d911017c592", "SequenceNumber": "7"});
    let attributes = json!({"kind": {"DataType": "String", "StringValue": "greeting"}});
    let plain = json!({"QueueUrl": QUEUE, "MessageBody": "hello", "MessageAttributes": attributes});
    let mut fifo = plain.clone();
    fifo["MessageGroupId"] = json!("g");
    fifo["MessageDeduplicationId"] = json!(JOB);
    for (group, body) in [(None, plain), (Some("g"), fifo)] {
        let http = ScriptedHttp::that_answers([(200, sent.clone())]);
        let output = perform(&http, message(group)).await.unwrap();
        assert_eq!(output.value, json!({"message_id": "m", "sequence_number": "7"}));
        assert_eq!(http.requests(), [("SendMessage".to_owned(), body)]);
    }
}

#[tokio::test]
async fn what_sqs_refuses_is_told_by_its_code() {
    for (answer, expected) in [
        (refusal(400, "com.amazonaws.sqs#QueueDoesNotExist"), permanent(codes::NOT_FOUND)),
        (
            refusal(400, "com.amazonaws.sqs#QueueDoesNotExist")
                .with("x-amzn-query-error", "AWS.SimpleQueueService.NonExistentQueue;Sender"),
            permanent(codes::NOT_FOUND),
        ),
        (refusal(400, "com.amazonaws.sqs#RequestThrottled"), transient(codes::RATE_LIMITED)),
        (refusal(403, "AccessDeniedException"), permanent(codes::FORBIDDEN)),
        (refusal(400, "InvalidMessageContents"), permanent(codes::VALIDATION_ERROR)),
        (refusal(403, "ExpiredToken"), permanent(codes::UNAUTHORIZED)),
        (refusal(500, "InternalFailure"), transient(codes::SERVICE_UNAVAILABLE)),
        (ScriptedAnswer::IsLate, transient(codes::TIMEOUT)),
        (ScriptedAnswer::Breaks, transient(codes::CONNECTION_ERROR)),
    ] {
        assert_eq!(refused_by(answer, message(None)).await, expected);
    }
}

#[tokio::test]
async fn messages_are_received_with_all_that_they_carry() {
    let attributes = json!({
        "kind": {"DataType": "String", "StringValue": "greeting"}, "raw": {"DataType": "Binary", "BinaryValue": "//4="},
    });
    let received = json!({"Messages": [
        {"MessageId": "m", "ReceiptHandle": "r", "Body": "hello", "MD5OfBody": "5d41402abc4b2a76b9719d911017c592",
            "MessageAttributes": attributes, "Attributes": {"MessageGroupId": "g"}},
    ]});
    let request = || AwsRequest::ReceiveMessages { queue_url: queue(), max: 3, hide_seconds: 60 };
    let http = ScriptedHttp::that_answers([(200, received), (200, json!({}))]);
    let output = perform(&http, request()).await.unwrap();
    let attributes = json!({"kind": "greeting", "raw": "//4="});
    let message = json!({"id": "m", "receipt": "r", "group": "g", "body": "hello", "attributes": attributes});
    assert_eq!(output.value, json!({"messages": [message]}));
    assert_eq!(perform(&http, request()).await.unwrap().value, json!({"messages": []}));
    let body = json!({"QueueUrl": QUEUE, "MaxNumberOfMessages": 3, "VisibilityTimeout": 60, "WaitTimeSeconds": 1,
        "MessageAttributeNames": ["All"], "MessageSystemAttributeNames": ["MessageGroupId"]});
    assert_eq!(http.requests()[0], ("ReceiveMessage".to_owned(), body));
}

#[tokio::test]
async fn a_message_is_deleted_by_its_receipt() {
    let request = || AwsRequest::DeleteMessage { queue_url: queue(), receipt: "r".to_owned() };
    let http = ScriptedHttp::that_answers([(200, json!({}))]);
    assert_eq!(perform(&http, request()).await.unwrap(), Output::default());
    assert_eq!(http.requests(), [("DeleteMessage".to_owned(), json!({"QueueUrl": QUEUE, "ReceiptHandle": "r"}))]);
    let refused = refused_by(refusal(400, "ReceiptHandleIsInvalid"), request()).await;
    assert_eq!(refused, permanent(codes::VALIDATION_ERROR));
}

fn published() -> ScriptedAnswer {
    ScriptedAnswer::text(
        200,
        "<PublishResponse><PublishResult><MessageId>m</MessageId><SequenceNumber>7</SequenceNumber></PublishResult>\
         </PublishResponse>",
    )
}

fn publish(group: Option<&str>) -> AwsRequest {
    AwsRequest::PublishToTopic {
        topic_arn: TOPIC.to_owned(),
        message: "hello".to_owned(),
        attributes: vec![("kind".to_owned(), "greeting".to_owned())],
        subject: Some("Hi".to_owned()),
        group: group.map(str::to_owned),
    }
}

/// A form without what every request has.
fn form(http: &ScriptedHttp) -> Vec<(String, String)> {
    let asked = http.asked();
    assert_eq!((asked[0].method.as_str(), asked[0].path.as_str()), ("POST", "/"));
    let mut form = asked[0].form();
    form.retain(|(name, _)| name != "Action" && name != "Version");
    form.sort();
    form
}

fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

#[tokio::test]
async fn a_topic_gets_the_message_its_attributes_and_its_place_in_the_order() {
    let http = ScriptedHttp::that([published()]);
    let output = perform(&http, publish(Some("g"))).await.unwrap();
    assert_eq!(output.value, json!({"message_id": "m", "sequence_number": "7"}));
    let expected = [
        ("Message", "hello"),
        ("MessageAttributes.entry.1.Name", "kind"),
        ("MessageAttributes.entry.1.Value.DataType", "String"),
        ("MessageAttributes.entry.1.Value.StringValue", "greeting"),
        ("MessageDeduplicationId", JOB),
        ("MessageGroupId", "g"),
        ("Subject", "Hi"),
        ("TopicArn", TOPIC),
    ];
    assert_eq!(form(&http), pairs(&expected));
    let http = ScriptedHttp::that([published()]);
    perform(&http, publish(None)).await.unwrap();
    assert!(form(&http).iter().all(|(name, _)| name != "MessageGroupId" && name != "MessageDeduplicationId"));
}

#[tokio::test]
async fn a_telephone_gets_the_text_from_a_name_or_a_number() {
    for (sender, name) in [("Carillon", "AWS.SNS.SMS.SenderID"), ("+4930123456", "AWS.MM.SMS.OriginationNumber")] {
        let http = ScriptedHttp::that([published()]);
        let sms = AwsRequest::SendSms {
            phone_number: "+491701234567".to_owned(),
            text: "hello".to_owned(),
            sender: Some(sender.to_owned()),
        };
        assert_eq!(perform(&http, sms).await.unwrap().value, json!({"message_id": "m"}));
        let expected = [
            ("Message", "hello"),
            ("MessageAttributes.entry.1.Name", name),
            ("MessageAttributes.entry.1.Value.DataType", "String"),
            ("MessageAttributes.entry.1.Value.StringValue", sender),
            ("PhoneNumber", "+491701234567"),
        ];
        assert_eq!(form(&http), pairs(&expected));
    }
}

#[tokio::test]
async fn what_sns_refuses_is_told_by_its_code() {
    let refusal = |status, code: &str| {
        let error = format!("<Type>Sender</Type><Code>{code}</Code><Message>the secret payload</Message>");
        ScriptedAnswer::text(status, &format!("<ErrorResponse><Error>{error}</Error></ErrorResponse>"))
    };
    for (answer, expected) in [
        (refusal(404, "NotFound"), permanent(codes::NOT_FOUND)),
        (refusal(403, "AuthorizationError"), permanent(codes::FORBIDDEN)),
        (refusal(400, "InvalidParameter"), permanent(codes::VALIDATION_ERROR)),
        (refusal(429, "Throttled"), transient(codes::RATE_LIMITED)),
        (refusal(400, "Throttling"), transient(codes::RATE_LIMITED)),
        (refusal(403, "InvalidClientTokenId"), permanent(codes::UNAUTHORIZED)),
        (refusal(500, "InternalError"), transient(codes::SERVICE_UNAVAILABLE)),
        (ScriptedAnswer::Breaks, transient(codes::CONNECTION_ERROR)),
    ] {
        assert_eq!(refused_by(answer, publish(None)).await, expected);
    }
}

fn event(bus: Option<&str>) -> AwsRequest {
    AwsRequest::PutEvent {
        bus: bus.map(str::to_owned),
        source: "shop".to_owned(),
        detail_type: "order.placed".to_owned(),
        detail: json!({"id": 5}),
    }
}

#[tokio::test]
async fn an_event_is_put_on_its_bus() {
    let http = ScriptedHttp::that_answers([(200, json!({"FailedEntryCount": 0, "Entries": [{"EventId": "e"}]}))]);
    assert_eq!(perform(&http, event(Some("orders"))).await.unwrap().value, json!({"event_id": "e"}));
    let entry =
        json!({"EventBusName": "orders", "Source": "shop", "DetailType": "order.placed", "Detail": r#"{"id":5}"#});
    assert_eq!(http.requests(), [("PutEvents".to_owned(), json!({"Entries": [entry]}))]);
    let http = ScriptedHttp::that_answers([(200, json!({"FailedEntryCount": 0, "Entries": [{"EventId": "e"}]}))]);
    perform(&http, event(None)).await.unwrap();
    assert_eq!(http.requests()[0].1["Entries"][0].get("EventBusName"), None);
}

#[tokio::test]
async fn an_event_that_is_refused_within_an_answer_of_200_is_refused() {
    let entry = |code: &str| {
        let entry = json!({"ErrorCode": code, "ErrorMessage": "the secret payload"});
        (200, json!({"FailedEntryCount": 1, "Entries": [entry]})).into()
    };
    for (answer, expected) in [
        (entry("ThrottlingException"), transient(codes::RATE_LIMITED)),
        (entry("InternalFailure"), transient(codes::SERVICE_UNAVAILABLE)),
        (entry("NotAuthorizedForDetailTypeException"), permanent(codes::FORBIDDEN)),
        (entry("MalformedDetail"), permanent(codes::VALIDATION_ERROR)),
        ((200, json!({"FailedEntryCount": 1, "Entries": [{}]})).into(), transient(codes::SERVICE_UNAVAILABLE)),
        ((200, json!({"FailedEntryCount": 0, "Entries": []})).into(), transient(codes::SERVICE_UNAVAILABLE)),
        (refusal(400, "ResourceNotFoundException"), permanent(codes::NOT_FOUND)),
        (refusal(400, "AccessDeniedException"), permanent(codes::FORBIDDEN)),
    ] {
        assert_eq!(refused_by(answer, event(None)).await, expected);
    }
}
