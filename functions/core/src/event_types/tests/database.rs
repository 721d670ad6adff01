use super::*;

/// The catalog with a database `d` of this place, whose one action is `run`.
fn database(engine: &str, place: &Value, statement: &str) -> Catalog {
    catalog("https://a.example", "/", |document| {
        let action = json!({"statement": statement, "timeout": 5_000, "max_rows": 7});
        document["databases"] = json!({"d": {"engine": engine, "envs": {"prd": place}, "actions": {"run": action}}});
    })
}

fn postgresql(statement: &str) -> Catalog {
    database("postgresql", &json!({"url": "env:DB", "root_certificate": "env:CA"}), statement)
}

fn data_api() -> Value {
    let (resource_arn, secret_arn) =
        ("arn:aws:rds:eu-west-1:1:cluster:c", "arn:aws:secretsmanager:eu-west-1:1:secret:s");
    json!({"resource_arn": resource_arn, "secret_arn": secret_arn, "database": "shop"})
}

fn of(catalog: &Catalog, input: Value) -> Result<Request, RunError> {
    let spec = spec("d:run", EventType::DatabaseAction, input);
    asked_for(&ResolvedEvent::of_job(catalog, &spec).unwrap(), &spec)
}

/// The bound value of the one placeholder `v` of this type.
fn bound(kind: &str, value: &Value) -> Bound {
    let catalog = postgresql(&format!("SELECT {{{{v:{kind}}}}}"));
    match of(&catalog, json!({"data": {"v": value}})) {
        Ok(Request::Sql(request)) => request.parameters.into_iter().next().unwrap(),
        other => panic!("{kind} {value}: {other:?}"),
    }
}

fn fault(catalog: &Catalog, input: &Value) -> Vec<(String, FieldCode)> {
    faults(catalog, "d:run", EventType::DatabaseAction, input)
}

#[test]
fn a_value_is_bound_as_the_type_of_its_placeholder() {
    let text = |text: &str| Some(text.to_owned());
    for (kind, value, expected) in [
        ("STRING", json!("'; DROP TABLE t; --"), Bound::Text(text("'; DROP TABLE t; --"))),
        ("STRING:0:3", json!("äöü"), Bound::Text(text("äöü"))),
        ("INTEGER", json!(i64::MIN), Bound::Integer(Some(i64::MIN))),
        ("INTEGER", json!(3.0), Bound::Integer(Some(3))),
        ("DOUBLE", json!(2), Bound::Double(Some(2.0))),
        ("NUMERIC", json!(59.9), Bound::Numeric(text("59.9"))),
        ("NUMERIC", json!(1e-7), Bound::Numeric(text("0.0000001"))),
        ("NUMERIC", json!(u64::MAX), Bound::Numeric(text("18446744073709551615"))),
        ("NUMERIC", json!("-0012345678901234567890.10"), Bound::Numeric(text("-0012345678901234567890.10"))),
        ("BOOLEAN", json!(false), Bound::Boolean(Some(false))),
        (
            "UUID",
            json!("123E4567-e89b-12d3-a456-426614174000"),
            Bound::Uuid(text("123e4567-e89b-12d3-a456-426614174000")),
        ),
        ("TIMESTAMP", json!("2026-03-29T12:00:00.123456+02:00"), Bound::Timestamp(text("2026-03-29T10:00:00.123456Z"))),
        ("TIMESTAMP", json!("2026-03-29t12:00:00z"), Bound::Timestamp(text("2026-03-29T12:00:00Z"))),
        ("DATE", json!("2024-02-29"), Bound::Date(text("2024-02-29"))),
        ("JSON", json!({"a": [1, null]}), Bound::Json(Some(json!({"a": [1, null]})))),
        ("JSON", json!(null), Bound::Json(Some(json!(null)))),
        ("BYTES", json!("AP8="), Bound::Bytes(Some(vec![0, 255]))),
    ] {
        assert_eq!(bound(kind, &value), expected, "{kind} {value}");
    }
}

#[test]
fn a_value_of_another_form_is_named() {
    use FieldCode::{Malformed, OutOfRange, WrongType};
    for (kind, value, code) in [
        ("STRING", json!(1), WrongType),
        ("STRING", json!(null), WrongType),
        ("STRING", json!("a\0b"), Malformed),
        ("STRING:1:3", json!(""), OutOfRange),
        ("STRING:1:3", json!("abcd"), OutOfRange),
        ("INTEGER", json!("1"), WrongType),
        ("INTEGER", json!(1.5), Malformed),
        ("INTEGER", json!(u64::MAX), OutOfRange),
        ("INTEGER:1:9", json!(0), OutOfRange),
        ("DOUBLE", json!("1"), WrongType),
        ("DOUBLE::1", json!(1.5), OutOfRange),
        ("NUMERIC", json!(true), WrongType),
        ("NUMERIC", json!("1e3"), Malformed),
        ("NUMERIC", json!("NaN"), Malformed),
        ("NUMERIC:0.01:", json!("0.0099"), OutOfRange),
        ("NUMERIC::10", json!(10.5), OutOfRange),
        ("BOOLEAN", json!("true"), WrongType),
        ("UUID", json!("123e4567e89b12d3a456426614174000"), Malformed),
        ("UUID", json!("{123e4567-e89b-12d3-a456-426614174000}"), Malformed),
        ("UUID", json!("123e4567-e89b-12d3-a456-42661417400g"), Malformed),
        ("TIMESTAMP", json!("2026-03-29 12:00:00Z"), Malformed),
        ("TIMESTAMP", json!("2026-03-29T12:00:00"), Malformed),
        ("TIMESTAMP", json!("2026-03-29T12:00Z"), Malformed),
        ("TIMESTAMP", json!("2026-03-29T12:00:00.1234567Z"), Malformed),
        ("TIMESTAMP", json!("2026-03-29T12:00:00+02"), Malformed),
        ("TIMESTAMP", json!("2026-03-29T12:00:00+02:00[Europe/Amsterdam]"), Malformed),
        ("TIMESTAMP", json!("2026-02-29T12:00:00Z"), Malformed),
        ("TIMESTAMP", json!("2026-03-29T24:00:00Z"), Malformed),
        ("DATE", json!("2026-02-29"), Malformed),
        ("DATE", json!("20260228"), Malformed),
        ("DATE", json!("2026-02-28T00:00:00Z"), Malformed),
        ("JSON", json!([{"a\0": 1}]), Malformed),
        ("JSON", json!(["a\0"]), Malformed),
        ("BYTES", json!("not base64"), Malformed),
        ("BYTES:0:1", json!("AP8="), OutOfRange),
    ] {
        let catalog = postgresql(&format!("SELECT {{{{v:{kind}}}}}"));
        let input = json!({"data": {"v": value}});
        assert_eq!(fault(&catalog, &input), named([("/data/v", code)]), "{kind} {value}");
        let error = of(&catalog, input).unwrap_err();
        assert!(error.code == codes::VALIDATION_ERROR && error.message.starts_with("/data/v"), "{}", error.message);
    }
}

#[test]
fn values_are_looked_up_in_data_and_filter_and_nothing_is_dropped() {
    use FieldCode::{Conflict, Required, UnknownField, WrongType};
    let catalog = postgresql("UPDATE t SET a = {{a:INTEGER}}, b = {{b?}} WHERE id = {{id:UUID}} OR twin = {{id}}");
    let id = "123e4567-e89b-12d3-a456-426614174000";
    for (input, expected) in [
        (json!({"data": {"a": 1}, "filter": {"id": id}}), vec![]),
        (json!({"data": {"a": 1, "b": null, "id": id}, "filter": {"id": id}}), vec![]),
        (json!({"filter": {"a": 1, "b": "x", "id": id}}), vec![]),
        (json!({}), vec![("/data/a", Required), ("/data/id", Required)]),
        (json!({"data": {"a": "1"}, "filter": {}}), vec![("/data/a", WrongType), ("/data/id", Required)]),
        (json!({"data": {"a": 1, "id": id}, "filter": {"a": 2}}), vec![("/filter/a", Conflict)]),
        (
            json!({"data": {"a": 1, "x/y": 1}, "filter": {"id": id, "ib": 2}}),
            vec![("/data/x~1y", UnknownField), ("/filter/ib", UnknownField)],
        ),
        (json!({"data": []}), vec![("/data", WrongType)]),
        (json!({"data": {"a": 1, "id": id}, "where": {}}), vec![("/where", UnknownField)]),
        (json!("x"), vec![("", WrongType)]),
    ] {
        let expected: Vec<_> = expected.into_iter().map(|(pointer, code)| (pointer.to_owned(), code)).collect();
        assert_eq!(fault(&catalog, &input), expected, "{input}");
    }
    let Ok(Request::Sql(request)) = of(&catalog, json!({"data": {"a": 1}, "filter": {"id": id}})) else { panic!() };
    assert_eq!(request.statement, "UPDATE t SET a = $1, b = $2 WHERE id = $3 OR twin = $3");
    assert_eq!(request.parameters, [Bound::Integer(Some(1)), Bound::Text(None), Bound::Uuid(Some(id.to_owned()))]);
    assert_eq!((request.url.name.as_str(), request.root_certificate.unwrap().name.as_str()), ("DB", "CA"));
    assert_eq!(request.max_rows, 7);
}

#[test]
fn each_database_is_asked_as_it_spells_parameters() {
    let statement = "SELECT x FROM t WHERE a = {{a}} AND n BETWEEN {{n:NUMERIC}} AND ({{n}})::int AND b = {{a}}";
    let input = json!({"data": {"a": "x"}, "filter": {"n": "1.50"}});
    let (a, n) = (Bound::Text(Some("x".to_owned())), Bound::Numeric(Some("1.50".to_owned())));
    let Ok(Request::Aws(request)) = of(&database("postgresql", &data_api(), statement), input.clone()) else {
        panic!()
    };
    let expected = AwsRequest::ExecuteSql {
        resource_arn: "arn:aws:rds:eu-west-1:1:cluster:c".to_owned(),
        secret_arn: "arn:aws:secretsmanager:eu-west-1:1:secret:s".to_owned(),
        database: Some("shop".to_owned()),
        statement: "SELECT x FROM t WHERE a =  :p1 AND n BETWEEN  :p2 AND ( :p2)::int AND b =  :p1".to_owned(),
        parameters: vec![a.clone(), n.clone()],
        max_rows: 7,
    };
    assert_eq!(request, expected);
    let catalog = database("dynamodb", &json!({"region": "eu-west-1"}), statement);
    let Ok(Request::Aws(request)) = of(&catalog, input) else { panic!() };
    let expected = AwsRequest::ExecutePartiql {
        region: Some("eu-west-1".to_owned()),
        statement: "SELECT x FROM t WHERE a = ? AND n BETWEEN ? AND (?)::int AND b = ?".to_owned(),
        parameters: vec![a.clone(), n.clone(), n, a],
        max_rows: 7,
    };
    assert_eq!(request, expected);
    // Only PostgreSQL cannot store it.
    assert_eq!(fault(&database("dynamodb", &json!({}), "SELECT {{v}}"), &json!({"data": {"v": "a\0b"}})), []);
}

#[test]
fn what_a_database_takes_is_said_when_the_job_is_scheduled_and_the_statements_bound_rules() {
    let reason = |catalog: &Catalog| {
        let resolved = ResolvedEvent::of_job(catalog, &spec("d:run", EventType::DatabaseAction, json!({}))).unwrap();
        lacking(&resolved, &json!({}))
    };
    assert_eq!(reason(&postgresql("SELECT 1")), None);
    for (engine, place, word) in [
        ("postgresql", json!({"url": "secretsmanager:db"}), "secretsmanager:db"),
        ("postgresql", json!({"url": "env:DB", "root_certificate": "ssm:/ca"}), "ssm:/ca"),
        ("postgresql", data_api(), "The RDS Data API cannot be reached"),
        ("dynamodb", json!({}), "Amazon DynamoDB cannot be reached"),
    ] {
        let reason = reason(&database(engine, &place, "SELECT 1"));
        assert!(reason.as_ref().is_some_and(|it| it.contains(word)), "{reason:?} does not say {word}");
    }
    let (catalog, spec) = (postgresql("SELECT 1"), spec("d:run", EventType::DatabaseAction, json!({})));
    assert_eq!(Limits::default().timeout_ms(&spec, Some(&ResolvedEvent::of_job(&catalog, &spec).unwrap())), 5_000);
}

#[test]
fn a_catalog_names_the_statement_that_cannot_be_bound() {
    let refused = |engine: &str, place: &Value, statement: &str| {
        let action = json!({"statement": statement});
        let database = json!({"engine": engine, "envs": {"prd": place}, "actions": {"run": action}});
        let faults = Catalog::from_document(&json!({"envs": ["prd"], "databases": {"d": database}})).err();
        faults.unwrap_or_default().into_iter().map(|fault| (fault.pointer, fault.code)).collect::<Vec<_>>()
    };
    let statement = |code| named([("/databases/d/actions/run/statement", code)]);
    let url = || json!({"url": "env:DB"});
    let transactions = ["BEGIN", " /* so */ -- so\n commit", "start transaction", "Rollback;", "COPY t FROM STDIN"];
    for text in ["SELECT '{{a}}'", "SELECT $1", "SELECT {{a:TEXT}}", "SELECT {{a:DATE"].into_iter().chain(transactions)
    {
        assert_eq!(refused("postgresql", &url(), text), statement(FieldCode::Malformed), "{text}");
    }
    assert_eq!(refused("postgresql", &url(), "SELECT {{a:DATE}}, {{a:UUID}}"), statement(FieldCode::Conflict));
    for text in ["SELECT j ? 'a', b[x:y]", "(SELECT 1)", "WITH b AS (SELECT 1) SELECT", "BEGINNING", "{{a}}"] {
        assert_eq!(refused("postgresql", &url(), text), [], "{text}");
    }
    assert_eq!(refused("postgresql", &data_api(), "SELECT j ? 'a', {{a:DATE}}::text"), []);
    assert_eq!(refused("postgresql", &data_api(), "SELECT :name"), statement(FieldCode::Malformed));
    assert_eq!(refused("dynamodb", &json!({}), "SELECT * FROM t WHERE a = ?"), statement(FieldCode::Malformed));
    let mut place = data_api();
    place["root_certificate"] = json!("env:CA");
    let expected = named([("/databases/d/envs/prd/root_certificate", FieldCode::Conflict)]);
    assert_eq!(refused("postgresql", &place, "SELECT 1"), expected);
}
