//! S3, SES and Lambda.

use super::*;

fn object() -> AwsRequest {
    AwsRequest::PutObject {
        bucket: "files".to_owned(),
        region: None,
        key: "a b/ü.txt".to_owned(),
        content_type: "text/plain".to_owned(),
        content: b"hello".to_vec(),
    }
}

/// The SHA-256 of `hello`.
const CHECKSUM: &str = "LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=";

#[tokio::test]
async fn an_object_is_written_with_its_checksum() {
    let http = ScriptedHttp::that([ScriptedAnswer::text(200, "").with("etag", "\"e\"").with("x-amz-version-id", "v")]);
    let output = perform(&http, object()).await.unwrap();
    let expected = json!({
        "bucket": "files", "key": "a b/ü.txt", "size": 5, "content_type": "text/plain", "etag": "\"e\"",
        "checksum_sha256": CHECKSUM, "version_id": "v",
    });
    assert_eq!(output.value, expected);
    let asked = &http.asked()[0];
    assert_eq!((asked.method.as_str(), asked.path.as_str()), ("PUT", "/a%20b/%C3%BC.txt?x-id=PutObject"));
    assert_eq!(asked.origin, "https://files.s3.eu-west-1.amazonaws.com");
    assert_eq!(asked.header("x-amz-checksum-sha256"), Some(CHECKSUM));
    assert_eq!(asked.header("content-type"), Some("text/plain"));
    assert_eq!(asked.header("x-amz-checksum-crc32"), None);
    assert_eq!(asked.body, b"hello");
}

#[tokio::test]
async fn at_an_address_of_ones_own_a_bucket_stands_in_the_path() {
    let http = ScriptedHttp::that([ScriptedAnswer::text(200, "")]);
    let config = http.config().to_builder().endpoint_url("http://127.0.0.1:4566").build();
    let output = AwsTargets::of(&config).perform(&id(""), object()).await.unwrap();
    assert_eq!((&output.value["etag"], &output.value["version_id"]), (&json!(""), &json!(null)));
    let asked = &http.asked()[0];
    assert_eq!(asked.origin, "http://127.0.0.1:4566");
    assert!(asked.path.starts_with("/files/a%20b/"), "{}", asked.path);
}

#[tokio::test]
async fn what_s3_refuses_is_told_by_its_code() {
    let refusal = |status, code: &str| {
        ScriptedAnswer::text(
            status,
            &format!("<Error><Code>{code}</Code><Message>the secret payload</Message></Error>"),
        )
    };
    for (answer, expected) in [
        (refusal(404, "NoSuchBucket"), permanent(codes::NOT_FOUND)),
        (refusal(403, "AccessDenied"), permanent(codes::FORBIDDEN)),
        (refusal(400, "EntityTooLarge"), permanent(codes::VALIDATION_ERROR)),
        (refusal(400, "BadDigest"), permanent(codes::VALIDATION_ERROR)),
        (refusal(301, "PermanentRedirect"), permanent(codes::VALIDATION_ERROR)),
        (refusal(412, "PreconditionFailed"), permanent(codes::CONFLICT)),
        (refusal(400, "ExpiredToken"), permanent(codes::UNAUTHORIZED)),
        (refusal(503, "SlowDown"), transient(codes::RATE_LIMITED)),
        (refusal(400, "RequestTimeout"), transient(codes::TIMEOUT)),
        (refusal(500, "InternalError"), transient(codes::SERVICE_UNAVAILABLE)),
        (ScriptedAnswer::Breaks, transient(codes::CONNECTION_ERROR)),
    ] {
        assert_eq!(refused_by(answer, object()).await, expected);
    }
}

fn email() -> Email {
    let all = |address: &str| vec![address.to_owned()];
    Email {
        from: "Shop <noreply@example.com>".to_owned(),
        to: all("a@example.com"),
        cc: all("b@example.com"),
        bcc: all("c@example.com"),
        reply_to: Some("help@example.com".to_owned()),
        subject: "Grüße".to_owned(),
        text: Some("hello".to_owned()),
        html: Some("<p>hello</p>".to_owned()),
    }
}

#[tokio::test]
async fn an_email_is_sent_with_all_its_parts_and_none_that_it_lacks() {
    let http = ScriptedHttp::that_answers([(200, json!({"MessageId": "m"})), (200, json!({"MessageId": "m"}))]);
    let output = perform(&http, AwsRequest::SendEmail(email())).await.unwrap();
    assert_eq!(output.value, json!({"message_id": "m"}));
    let asked = &http.asked()[0];
    assert_eq!((asked.method.as_str(), asked.path.as_str()), ("POST", "/v2/email/outbound-emails"));
    let utf8 = |text: &str| json!({"Data": text, "Charset": "UTF-8"});
    let body = json!({
        "FromEmailAddress": "Shop <noreply@example.com>", "ReplyToAddresses": ["help@example.com"],
        "Destination": {"ToAddresses": ["a@example.com"], "CcAddresses": ["b@example.com"], "BccAddresses": ["c@example.com"]},
        "Content": {"Simple": {"Subject": utf8("Grüße"), "Body": {"Text": utf8("hello"), "Html": utf8("<p>hello</p>")}}},
    });
    assert_eq!(asked.json(), body);
    let (cc, bcc) = (Vec::new(), Vec::new());
    let plain = Email { cc, bcc, reply_to: None, html: None, ..email() };
    perform(&http, AwsRequest::SendEmail(plain)).await.unwrap();
    let body = json!({
        "FromEmailAddress": "Shop <noreply@example.com>", "Destination": {"ToAddresses": ["a@example.com"]},
        "Content": {"Simple": {"Subject": utf8("Grüße"), "Body": {"Text": utf8("hello")}}},
    });
    assert_eq!(http.asked()[1].json(), body);
}

#[tokio::test]
async fn what_ses_refuses_is_told_by_its_code() {
    let refusal = |status, code: &str| {
        ScriptedAnswer::from((status, json!({"message": "the secret payload"}))).with("x-amzn-errortype", code)
    };
    for (answer, expected) in [
        (refusal(400, "MessageRejected"), permanent(codes::VALIDATION_ERROR)),
        (refusal(400, "MailFromDomainNotVerifiedException"), permanent(codes::VALIDATION_ERROR)),
        (refusal(404, "NotFoundException"), permanent(codes::NOT_FOUND)),
        (refusal(400, "AccountSuspendedException"), permanent(codes::FORBIDDEN)),
        (refusal(400, "SendingPausedException"), permanent(codes::FORBIDDEN)),
        (refusal(400, "LimitExceededException"), transient(codes::RATE_LIMITED)),
        (refusal(429, "TooManyRequestsException"), transient(codes::RATE_LIMITED)),
        (refusal(403, "InvalidSignatureException"), permanent(codes::UNAUTHORIZED)),
        (refusal(500, "InternalFailure"), transient(codes::SERVICE_UNAVAILABLE)),
        (ScriptedAnswer::IsLate, transient(codes::TIMEOUT)),
    ] {
        assert_eq!(refused_by(answer, AwsRequest::SendEmail(email())).await, expected);
    }
}

fn invoke() -> AwsRequest {
    let function_arn = "arn:aws:lambda:eu-west-1:1:function:f".to_owned();
    AwsRequest::Invoke { function_arn, payload: json!({"n": 1}) }
}

#[tokio::test]
async fn a_function_is_given_its_payload_and_what_it_returns_is_the_result() {
    let http = ScriptedHttp::that([ScriptedAnswer::text(200, r#"{"sum":3}"#)]);
    let output = perform(&http, invoke()).await.unwrap();
    assert_eq!((output.value, output.truncated), (json!({"sum": 3}), false));
    let asked = &http.asked()[0];
    assert_eq!(asked.method, "POST");
    assert_eq!(asked.path, "/2015-03-31/functions/arn%3Aaws%3Alambda%3Aeu-west-1%3A1%3Afunction%3Af/invocations");
    assert_eq!(asked.json(), json!({"n": 1}));
    for (returned, value) in
        [("", json!(null)), ("null", json!(null)), ("[1]", json!([1])), ("no JSON", json!("no JSON"))]
    {
        let output = perform(&ScriptedHttp::that([ScriptedAnswer::text(200, returned)]), invoke()).await.unwrap();
        assert_eq!((output.value, output.truncated), (value, false), "{returned}");
    }
}

#[tokio::test]
async fn what_a_function_returns_too_much_of_is_kept_as_its_text_and_cut() {
    let text = format!("[\"{}\"]", "x".repeat(Output::MAX_BYTES));
    let output = perform(&ScriptedHttp::that([ScriptedAnswer::text(200, &text)]), invoke()).await.unwrap();
    let kept = output.value.as_str().unwrap();
    assert!(output.truncated && text.starts_with(kept) && output.value.to_string().len() <= Output::MAX_BYTES);
    // Shorter as it came than written again.
    let text = format!("[{}1e15]", "1e15,".repeat(Output::MAX_BYTES / 5 - 2));
    let output = perform(&ScriptedHttp::that([ScriptedAnswer::text(200, &text)]), invoke()).await.unwrap();
    assert_eq!((output.value.as_str(), output.truncated), (Some(text.as_str()), false));
}

#[tokio::test]
async fn an_error_of_the_function_tells_its_type_and_not_its_text() {
    for (returned, message) in [
        (r#"{"errorType":"KeyError","errorMessage":"secret"}"#, "the function ended with an error: KeyError"),
        (r#"{"errorType":"a secret text","errorMessage":"secret"}"#, "the function ended with an error"),
        (r#"{"errorMessage":"secret"}"#, "the function ended with an error"),
        ("secret", "the function ended with an error"),
        ("", "the function ended with an error"),
    ] {
        let http = ScriptedHttp::that([ScriptedAnswer::text(200, returned).with("x-amz-function-error", "Unhandled")]);
        let error = perform(&http, invoke()).await.unwrap_err();
        assert_eq!((error.code.as_str(), error.retryable), (codes::FUNCTION_ERROR, true));
        assert_eq!(error.message, message);
    }
}

#[tokio::test]
async fn what_lambda_refuses_is_told_by_its_code() {
    let refusal = |status, code: &str| {
        ScriptedAnswer::from((status, json!({"Message": "the secret payload"}))).with("x-amzn-errortype", code)
    };
    for (answer, expected) in [
        (refusal(404, "ResourceNotFoundException"), permanent(codes::NOT_FOUND)),
        (refusal(403, "AccessDeniedException"), permanent(codes::FORBIDDEN)),
        (refusal(413, "RequestTooLargeException"), permanent(codes::VALIDATION_ERROR)),
        (refusal(400, "InvalidRequestContentException"), permanent(codes::VALIDATION_ERROR)),
        (refusal(429, "TooManyRequestsException"), transient(codes::RATE_LIMITED)),
        (refusal(409, "ResourceConflictException"), transient(codes::CONFLICT)),
        (refusal(502, "ResourceNotReadyException"), transient(codes::SERVICE_UNAVAILABLE)),
        (refusal(502, "EC2AccessDeniedException"), permanent(codes::FORBIDDEN)),
        (refusal(500, "ServiceException"), transient(codes::SERVICE_UNAVAILABLE)),
        (ScriptedAnswer::IsLate, transient(codes::TIMEOUT)),
        (ScriptedAnswer::Breaks, transient(codes::CONNECTION_ERROR)),
    ] {
        assert_eq!(refused_by(answer, invoke()).await, expected);
    }
    let asked_to_wait = refusal(429, "TooManyRequestsException").with("retry-after", "3");
    assert_eq!(perform(&ScriptedHttp::that([asked_to_wait]), invoke()).await.unwrap_err().retry_after_ms, Some(3_000));
}
