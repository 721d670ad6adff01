//! Statements on databases: on a real PostgreSQL by the RDS Data API, and on DynamoDB.

use carillon_tests::deployment::Deployment;
use carillon_tests::hostile;
use carillon_tests::postgres::{Look, PASSWORD, Server};
use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::{among_others, ended, error, fresh, impatient, job, publish, result, text};

/// The ARNs of a server for the RDS Data API: its cluster, and a secret with its credentials.
async fn place(deployment: &Deployment, server: &Server) -> Value {
    let credentials = json!({"username": "carillon", "password": PASSWORD}).to_string();
    place_of(deployment, &format!("e2e-orders-{}", server.address().port()), &fresh("orders"), &credentials).await
}

async fn place_of(deployment: &Deployment, cluster: &str, secret: &str, credentials: &str) -> Value {
    let aws = &deployment.emulator;
    let secret = json!({"Name": secret, "SecretString": credentials});
    let secret = aws.call("secretsmanager", "secretsmanager.CreateSecret", secret).await;
    json!({
        "resource_arn": format!("{}cluster:{cluster}", aws.arn("rds")), "secret_arn": secret["ARN"],
        "database": "postgres",
    })
}

fn database(place: &Value, statements: &[(&str, &str)]) -> Value {
    let action = |(name, text): &(&str, &str)| ((*name).to_owned(), json!({"statement": text}));
    let actions: serde_json::Map<_, _> = statements.iter().map(action).collect();
    json!({"engine": "postgresql", "envs": {"dev": place}, "actions": actions})
}

/// Makes a table of DynamoDB's whose key is this attribute.
pub(crate) async fn create_table(deployment: &Deployment, table: &str, key: &str, key_type: &str) {
    let create = json!({
        "TableName": table, "BillingMode": "PAY_PER_REQUEST", "KeySchema": [{"AttributeName": key, "KeyType": "HASH"}],
        "AttributeDefinitions": [{"AttributeName": key, "AttributeType": key_type}],
    });
    deployment.emulator.call("dynamodb", "DynamoDB_20120810.CreateTable", create).await;
}

async fn server_with(tables: &str) -> (Server, Look) {
    let server = Server::start(None).await;
    let look = server.look().await;
    look.run(tables).await;
    (server, look)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_data_api_binds_each_type_as_postgresql_needs_it() {
    let (deployment, _shared) = among_others().await;
    let (server, look) = server_with(
        "CREATE TYPE mood AS ENUM ('calm', 'bright');
         CREATE TABLE things (t text, v varchar(10), i int, b bigint, d double precision, n numeric, ok boolean, u uuid,
           at timestamptz, day date, j json, jb jsonb, raw bytea, mood mood, list text[])",
    )
    .await;
    let statements = [
        (
            "write",
            "INSERT INTO things VALUES ({{t?}}, {{t?}}, {{i?:INTEGER}}, {{i?:INTEGER}}, {{d?:DOUBLE}}, {{n?:NUMERIC}}, \
             {{ok?:BOOLEAN}}, {{u?:UUID}}, {{at?:TIMESTAMP}}, {{day?:DATE}}, {{j?:JSON}}, {{j}}, {{raw?:BYTES}}, \
             {{mood?}}::mood, ARRAY[{{t}}, 'x'])",
        ),
        (
            "read",
            "SELECT * FROM things WHERE u = {{u:UUID}} AND at = {{at:TIMESTAMP}} AND n >= {{n:NUMERIC}} AND day = {{day:DATE}}",
        ),
        ("change", "UPDATE things SET d = 1 WHERE t LIKE '%''' AND j::jsonb = {{j:JSON}} AND raw = {{raw:BYTES}}"),
    ];
    let databases = json!({"db": database(&place(&deployment, &server).await, &statements)});
    let product = publish(&deployment, json!({"databases": databases})).await;
    let run = async |event: &str, data: Value| {
        result(&deployment, &product, &format!("db:{event}"), json!({"data": data})).await
    };

    let given = json!({
        "t": "é'", "i": 2_147_483_647, "d": -0.1, "n": "12345678.90", "ok": true,
        "u": "123e4567-e89b-12d3-a456-426614174000", "at": "2026-03-29T12:00:00.25+02:00", "day": "2024-02-29",
        "j": {"b": [1, "x", null], "a": 1.5}, "raw": "AP8=", "mood": "bright",
    });
    assert_eq!(run("write", given.clone()).await, json!({"rows": [], "row_count": 1}));
    let stored = "SELECT t || v || i + b || n || u || (at AT TIME ZONE 'UTC') || day || (jb->>'a') || encode(raw, 'hex') FROM things";
    let expected =
        "é'é'429496729412345678.90123e4567-e89b-12d3-a456-4266141740002026-03-29 10:00:00.252024-02-291.500ff";
    assert_eq!(look.texts(stored).await, [expected]);

    let row = json!({
        "t": "é'", "v": "é'", "i": 2_147_483_647, "b": 2_147_483_647, "d": -0.1, "n": "12345678.90", "ok": true,
        "u": given["u"], "at": "2026-03-29 10:00:00.25", "day": "2024-02-29", "j": given["j"], "jb": given["j"],
        "raw": "AP8=", "mood": "bright", "list": ["é'", "x"],
    });
    let key = json!({"u": given["u"], "at": given["at"], "n": "0.5", "day": given["day"]});
    assert_eq!(run("read", key.clone()).await, json!({"rows": [row], "row_count": 1}));
    let changed = run("change", json!({"j": given["j"], "raw": given["raw"]})).await;
    assert_eq!(changed, json!({"rows": [], "row_count": 1}));
    let mut later = key;
    later["at"] = json!("2026-03-29T10:00:00.251Z");
    assert_eq!(run("read", later).await, json!({"rows": [], "row_count": 0}));

    run("write", json!({"t": "", "j": null})).await;
    let absent =
        "SELECT count(*) FROM things WHERE num_nulls(i, b, d, n, ok, u, at, day, raw, mood) = 10 AND j::text = 'null'";
    assert_eq!(look.texts(absent).await, ["1"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hostile_text_is_a_value_to_every_database_and_never_a_statement() {
    let (deployment, _shared) = among_others().await;
    let (server, look) = server_with("CREATE TABLE notes (number bigint PRIMARY KEY, body text NOT NULL)").await;
    let statements = [
        ("write", "INSERT INTO notes VALUES ({{number:INTEGER}}, {{body}})"),
        ("find", "SELECT number, body FROM notes WHERE body = {{body}}"),
    ];
    let table = fresh("notes");
    create_table(&deployment, &table, "number", "N").await;
    let insert = format!("INSERT INTO \"{table}\" VALUE {{'number': {{{{number:INTEGER}}}}, 'body': {{{{body}}}}}}");
    let select = format!("SELECT * FROM \"{table}\" WHERE body = {{{{body}}}}");
    let actions = json!({"write": {"statement": insert}, "find": {"statement": select}});
    let databases = json!({
        "sql": database(&place(&deployment, &server).await, &statements),
        "partiql": {"engine": "dynamodb", "envs": {"dev": {}}, "actions": actions},
    });
    let product = publish(&deployment, json!({"databases": databases})).await;
    for engine in ["sql", "partiql"] {
        let run = async |statement: &str, data: Value| {
            result(&deployment, &product, &format!("{engine}:{statement}"), json!({"data": data})).await
        };
        let find = async || join_all(hostile::TEXTS.map(|body| run("find", json!({"body": body})))).await;
        run("write", json!({"number": -1, "body": "of somebody else"})).await;
        for (found, body) in find().await.iter().zip(hostile::TEXTS) {
            assert_eq!(found, &json!({"rows": [], "row_count": 0}), "{engine} {body:?}");
        }
        let rows: Vec<_> =
            (0..).zip(hostile::TEXTS).map(|(number, body)| json!({"number": number, "body": body})).collect();
        join_all(rows.iter().map(|row| run("write", row.clone()))).await;
        for (found, row) in find().await.iter().zip(rows) {
            assert_eq!(found, &json!({"rows": [row], "row_count": 1}), "{engine}");
        }
    }
    let stored = look.texts("SELECT body FROM notes WHERE number >= 0 ORDER BY number").await;
    assert_eq!(stored, hostile::TEXTS);
    assert_eq!(look.texts("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'").await, ["1"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_goes_wrong_on_the_data_api_has_its_code_and_tells_no_value() {
    let (deployment, _shared) = among_others().await;
    let (server, look) = server_with(
        "CREATE TABLE orders (id bigint PRIMARY KEY, name varchar(20) UNIQUE, key uuid, n int CHECK (n > 0))",
    )
    .await;
    let statements = [
        ("add", "INSERT INTO orders (id, name, n) VALUES ({{id:INTEGER}}, {{name}}, {{n:INTEGER}})"),
        ("cast", "SELECT {{name}}::int"),
        ("untyped", "INSERT INTO orders (id, key) VALUES (7, {{name}})"),
        ("gone", "SELECT * FROM no_such_table WHERE name = {{name}}"),
    ];
    let open = place(&deployment, &server).await;
    let mut elsewhere = open.clone();
    elsewhere["resource_arn"] = json!(text(&open["resource_arn"]).replace(":cluster:e2e-", ":cluster:other-"));
    let cluster = format!("e2e-orders-{}", server.address().port());
    let credentials = json!({"username": "carillon", "password": PASSWORD}).to_string();
    let sealed = place_of(&deployment, &cluster, &fresh("orders").replace("e2e-", "other-"), &credentials).await;
    let databases = json!({
        "db": database(&open, &statements),
        "elsewhere": database(&elsewhere, &statements),
        "sealed": database(&sealed, &statements),
    });
    let product = publish(&deployment, json!({"databases": databases})).await;
    let secret = "secret-value";
    let row = |id: u32, name: &str, n: i32| json!({"id": id, "name": name, "n": n});
    result(&deployment, &product, "db:add", json!({"data": row(1, secret, 1)})).await;
    for (event, data, code, says) in [
        ("db:add", row(1, "other", 1), "CONSTRAINT_VIOLATION", "23505"),
        ("db:add", row(2, secret, 1), "CONSTRAINT_VIOLATION", "23505"),
        ("db:add", row(2, "other", -1), "CONSTRAINT_VIOLATION", "23514"),
        ("db:add", row(2, "longer than it may be: secret-value", 1), "VALIDATION_ERROR", "22001"),
        ("db:cast", json!({"name": secret}), "VALIDATION_ERROR", "22P02"),
        ("db:untyped", json!({"name": secret}), "VALIDATION_ERROR", "42804"),
        ("db:gone", json!({"name": secret}), "VALIDATION_ERROR", "42P01"),
        ("elsewhere:add", row(3, secret, 1), "FORBIDDEN", "AccessDenied"),
        ("sealed:add", row(3, secret, 1), "FORBIDDEN", "AccessDenied"),
    ] {
        let job = impatient(job(&product, event, &json!({"data": data})), 3);
        let id = deployment.client.schedule(&job).await;
        let failed = ended(&deployment.client, &id, "failed").await;
        assert_eq!((&failed["error"]["code"], &failed["run"]["attempts"]), (&json!(code), &json!(1)), "{failed}");
        let message = text(&failed["error"]["message"]);
        assert!(message.contains(says) && !message.contains(secret), "{event}: {message}");
    }
    assert_eq!(look.texts("SELECT name FROM orders").await, [secret]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn statements_run_on_dynamodb_with_bound_values() {
    let (deployment, _shared) = among_others().await;
    let table = fresh("orders");
    create_table(&deployment, &table, "id", "S").await;
    let insert = format!("INSERT INTO \"{table}\" VALUE {{'id': {{{{id}}}}, 'total': {{{{total:NUMERIC}}}}}}");
    let select = format!("SELECT * FROM \"{table}\" WHERE id = {{{{id}}}}");
    let actions = json!({"insert": {"statement": insert}, "find": {"statement": select}});
    let databases = json!({"orders": {"engine": "dynamodb", "envs": {"dev": {}}, "actions": actions}});
    let product = publish(&deployment, json!({"databases": databases})).await;
    let key = "x' OR '1'='1";
    result(&deployment, &product, "orders:insert", json!({"data": {"id": key, "total": 12.5}})).await;
    let found = result(&deployment, &product, "orders:find", json!({"filter": {"id": key}})).await;
    assert_eq!(found["rows"], json!([{"id": key, "total": 12.5}]));
    let none = result(&deployment, &product, "orders:find", json!({"filter": {"id": "y"}})).await;
    assert_eq!(none["rows"], json!([]));
    let again = error(&deployment, &product, "orders:insert", json!({"data": {"id": key, "total": 1}})).await;
    assert_eq!(again, "CONFLICT");
}
