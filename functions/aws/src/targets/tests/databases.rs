//! The RDS Data API, and PartiQL.

use super::*;

fn sql(parameters: Vec<Bound>, max_rows: u32) -> AwsRequest {
    AwsRequest::ExecuteSql {
        resource_arn: "arn:aws:rds:eu-west-1:1:cluster:c".to_owned(),
        secret_arn: "arn:aws:secretsmanager:eu-west-1:1:secret:s".to_owned(),
        database: Some("shop".to_owned()),
        statement: "SELECT :p1".to_owned(),
        parameters,
        max_rows,
    }
}

#[tokio::test]
async fn each_kind_of_value_is_bound_with_what_the_service_needs_to_know_of_it() {
    let text = |text: &str| Some(text.to_owned());
    let parameters = vec![
        Bound::Text(text("x' OR 1=1")),
        Bound::Integer(Some(-7)),
        Bound::Double(Some(2.5)),
        Bound::Numeric(text("0.10")),
        Bound::Boolean(Some(true)),
        Bound::Uuid(text("0b7a3d3e-5d0a-4b3c-9d6e-000000000001")),
        Bound::Timestamp(text("2026-01-02T03:04:05.678+02:00")),
        Bound::Date(text("2026-01-02")),
        Bound::Json(Some(json!({"a": 1}))),
        Bound::Bytes(Some(vec![0xff, 0xfe])),
        Bound::Text(None),
        Bound::Uuid(None),
    ];
    let http = ScriptedHttp::that_answers([(200, json!({"numberOfRecordsUpdated": 3}))]);
    let output = perform(&http, sql(parameters, 10)).await.unwrap();
    assert_eq!((output.value, output.truncated), (json!({"rows": [], "row_count": 3}), false));
    let asked = http.asked();
    assert_eq!((asked[0].method.as_str(), asked[0].path.as_str()), ("POST", "/Execute"));
    let expected = [
        json!({"stringValue": "x' OR 1=1"}),
        json!({"longValue": -7}),
        json!({"doubleValue": 2.5}),
        json!({"stringValue": "0.10", "hint": "DECIMAL"}),
        json!({"booleanValue": true}),
        json!({"stringValue": "0b7a3d3e-5d0a-4b3c-9d6e-000000000001", "hint": "UUID"}),
        json!({"stringValue": "2026-01-02 01:04:05.678", "hint": "TIMESTAMP"}),
        json!({"stringValue": "2026-01-02", "hint": "DATE"}),
        json!({"stringValue": r#"{"a":1}"#, "hint": "JSON"}),
        json!({"blobValue": "//4="}),
        json!({"isNull": true}),
        json!({"isNull": true, "hint": "UUID"}),
    ];
    let expected = expected.into_iter().enumerate().map(|(at, mut value)| {
        let hint = value.as_object_mut().unwrap().remove("hint");
        let mut parameter = json!({"name": format!("p{}", at + 1), "value": value});
        if let Some(hint) = hint {
            parameter["typeHint"] = hint;
        }
        parameter
    });
    let body = json!({
        "resourceArn": "arn:aws:rds:eu-west-1:1:cluster:c", "secretArn": "arn:aws:secretsmanager:eu-west-1:1:secret:s",
        "database": "shop", "sql": "SELECT :p1", "includeResultMetadata": true, "parameters": expected.collect::<Vec<_>>(),
    });
    assert_eq!(asked[0].json(), body);
    let wrong = sql(vec![Bound::Timestamp(text("tomorrow"))], 1);
    assert_eq!(perform(&ScriptedHttp::that([]), wrong).await.unwrap_err().code, codes::VALIDATION_ERROR);
}

#[tokio::test]
async fn rows_are_objects_by_the_names_of_their_columns() {
    let columns = json!([
        {"name": "id", "label": "id", "typeName": "int8"}, {"name": "total", "label": "sum", "typeName": "numeric"},
        {"name": "ratio", "label": "ratio", "typeName": "float8"}, {"name": "open", "label": "open", "typeName": "bool"},
        {"name": "raw", "label": "raw", "typeName": "bytea"}, {"name": "extra", "label": "extra", "typeName": "jsonb"},
        {"name": "tags", "label": "tags", "typeName": "_text"}, {"name": "none", "label": "none", "typeName": "text"},
    ]);
    let record = json!([
        {"longValue": 5}, {"stringValue": "0.10"}, {"doubleValue": 0.5}, {"booleanValue": true}, {"blobValue": "//4="},
        {"stringValue": r#"{"a":[1]}"#}, {"arrayValue": {"stringValues": ["x", "y"]}}, {"isNull": true},
    ]);
    let answer = json!({"columnMetadata": columns, "records": [record, record, record], "numberOfRecordsUpdated": 0});
    let http = ScriptedHttp::that_answers([(200, answer)]);
    let output = perform(&http, sql(Vec::new(), 2)).await.unwrap();
    let row = json!({"id": 5, "sum": "0.10", "ratio": 0.5, "open": true, "raw": "//4=", "extra": {"a": [1]},
        "tags": ["x", "y"], "none": null});
    assert_eq!(output.value, json!({"rows": [row, row], "row_count": 3}));
    assert!(output.truncated);
    assert_eq!(http.asked()[0].json().get("parameters"), None);
}

#[tokio::test]
async fn a_query_that_finds_nothing_has_no_rows() {
    let answer = json!({"columnMetadata": [{"name": "id"}], "records": [], "numberOfRecordsUpdated": 0});
    let output = perform(&ScriptedHttp::that_answers([(200, answer)]), sql(Vec::new(), 2)).await.unwrap();
    assert_eq!((output.value, output.truncated), (json!({"rows": [], "row_count": 0}), false));
}

#[tokio::test]
async fn what_the_data_api_refuses_is_told_by_its_code() {
    let refusal = |status, code: &str, message: &str| {
        ScriptedAnswer::from((status, json!({"message": message}))).with("x-amzn-errortype", code)
    };
    let duplicate = "ERROR: duplicate key (secret); SQLState: 23505";
    for (answer, expected) in [
        (refusal(400, "DatabaseErrorException", duplicate), permanent(codes::CONSTRAINT_VIOLATION)),
        (
            refusal(400, "DatabaseErrorException", "ERROR: canceled (secret); SQLState: 57014"),
            transient(codes::TIMEOUT),
        ),
        (refusal(400, "BadRequestException", "secret"), permanent(codes::VALIDATION_ERROR)),
        (refusal(403, "ForbiddenException", ""), permanent(codes::FORBIDDEN)),
        (refusal(404, "DatabaseNotFoundException", ""), permanent(codes::NOT_FOUND)),
        (refusal(400, "DatabaseResumingException", ""), transient(codes::SERVICE_UNAVAILABLE)),
        (refusal(504, "DatabaseUnavailableException", ""), transient(codes::SERVICE_UNAVAILABLE)),
        (refusal(400, "StatementTimeoutException", ""), transient(codes::TIMEOUT)),
        (refusal(503, "ServiceUnavailableError", ""), transient(codes::SERVICE_UNAVAILABLE)),
        (refusal(429, "ThrottlingException", ""), transient(codes::RATE_LIMITED)),
        (ScriptedAnswer::IsLate, transient(codes::TIMEOUT)),
    ] {
        assert_eq!(refused_by(answer, sql(vec![Bound::Text(Some("secret".to_owned()))], 1)).await, expected);
    }
}

fn partiql(parameters: Vec<Bound>, max_rows: u32) -> AwsRequest {
    AwsRequest::ExecutePartiql {
        region: None,
        statement: r#"SELECT * FROM "t" WHERE id = ?"#.to_owned(),
        parameters,
        max_rows,
    }
}

#[tokio::test]
async fn values_are_bound_by_their_type_and_items_are_plain_json() {
    let item = json!({
        "id": {"S": "x"}, "n": {"N": "3.50"}, "long": {"N": "12345678901234567890123"}, "raw": {"B": "//4="},
        "set": {"NS": ["1"]}, "words": {"SS": ["a"]}, "none": {"NULL": true}, "yes": {"BOOL": true},
        "list": {"L": [{"S": "y"}]}, "map": {"M": {"k": {"N": "1"}}}, "raws": {"BS": ["//4="]},
    });
    let http = ScriptedHttp::that_answers([(200, json!({"Items": [item]}))]);
    let text = |text: &str| Some(text.to_owned());
    let parameters = vec![
        Bound::Text(text("x' OR 1=1")),
        Bound::Double(Some(1.5)),
        Bound::Json(Some(json!({"a": [null, true]}))),
        Bound::Integer(Some(i64::MIN)),
        Bound::Numeric(text("12345678901234567890.50")),
        Bound::Boolean(Some(true)),
        Bound::Date(text("2024-02-29")),
        Bound::Bytes(Some(vec![255, 254])),
        Bound::Uuid(None),
    ];
    let output = perform(&http, partiql(parameters, 10)).await.unwrap();
    let row = json!({"id": "x", "n": 3.5, "long": "12345678901234567890123", "raw": "//4=", "set": [1], "words": ["a"],
        "none": null, "yes": true, "list": ["y"], "map": {"k": 1}, "raws": ["//4="]});
    assert_eq!((output.value, output.truncated), (json!({"rows": [row], "row_count": 1}), false));
    let body = json!({
        "Statement": r#"SELECT * FROM "t" WHERE id = ?"#,
        "Parameters": [{"S": "x' OR 1=1"}, {"N": "1.5"}, {"M": {"a": {"L": [{"NULL": true}, {"BOOL": true}]}}},
            {"N": "-9223372036854775808"}, {"N": "12345678901234567890.50"}, {"BOOL": true}, {"S": "2024-02-29"}, {"B": "//4="},
            {"NULL": true}],
    });
    assert_eq!(http.requests(), [("ExecuteStatement".to_owned(), body)]);
}

#[tokio::test]
async fn pages_are_read_until_the_result_is_full() {
    let page = |id: &str, next: &str| (200, json!({"Items": [{"id": {"S": id}}], "NextToken": next}));
    let http =
        ScriptedHttp::that_answers([page("a", "1"), (200, json!({"Items": [], "NextToken": "2"})), page("b", "3")]);
    let output = perform(&http, partiql(Vec::new(), 2)).await.unwrap();
    assert_eq!(output.value, json!({"rows": [{"id": "a"}, {"id": "b"}], "row_count": 2}));
    assert!(output.truncated, "there is another page, which was not read");
    let asked = http.requests();
    let tokens: Vec<_> = asked.iter().map(|(_, body)| body.get("NextToken").cloned()).collect();
    assert_eq!(tokens, [None, Some(json!("1")), Some(json!("2"))]);
    assert_eq!(asked[0].1.get("Parameters"), None);

    let http = ScriptedHttp::that_answers([(200, json!({}))]);
    let output = perform(&http, partiql(Vec::new(), 2)).await.unwrap();
    assert_eq!((output.value, output.truncated), (json!({"rows": [], "row_count": 0}), false));
}

#[tokio::test]
async fn what_dynamodb_refuses_is_told_by_its_code() {
    for (answer, expected) in [
        (refusal(400, "ConditionalCheckFailedException"), permanent(codes::CONFLICT)),
        (refusal(400, "DuplicateItemException"), permanent(codes::CONFLICT)),
        (refusal(400, "TransactionConflictException"), transient(codes::CONFLICT)),
        (refusal(400, "ResourceNotFoundException"), permanent(codes::NOT_FOUND)),
        (refusal(400, "ProvisionedThroughputExceededException"), transient(codes::RATE_LIMITED)),
        (refusal(400, "ValidationException"), permanent(codes::VALIDATION_ERROR)),
        (refusal(400, "AccessDeniedException"), permanent(codes::FORBIDDEN)),
        (refusal(400, "ExpiredTokenException"), permanent(codes::UNAUTHORIZED)),
        (refusal(500, "InternalServerError"), transient(codes::SERVICE_UNAVAILABLE)),
        (ScriptedAnswer::Breaks, transient(codes::CONNECTION_ERROR)),
    ] {
        assert_eq!(refused_by(answer, partiql(vec![Bound::Text(Some("secret".to_owned()))], 1)).await, expected);
    }
}
