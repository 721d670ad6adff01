//! Bound values, and returned ones.

use carillon_tests::hostile;
use carillon_tests::postgres::Server;
use serde_json::{Value, json};

use super::World;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_text_is_stored_as_it_is_and_never_read_as_sql() {
    let server = Server::start(None).await;
    let look = server.look().await;
    look.run("CREATE TABLE notes (number bigint PRIMARY KEY, body text NOT NULL); CREATE TABLE other (id int)").await;
    let world = World::start(
        &server,
        &[
            ("write", "INSERT INTO notes VALUES ({{number:INTEGER}}, {{body}}) RETURNING body"),
            ("find", "SELECT number FROM notes WHERE body = {{body}} AND body LIKE {{body}} ESCAPE ''"),
            ("both", "SELECT {{ body }} AS one, coalesce({{body}}, 'x') AS other, '{1}'::int[] AS \"o\"\"' $\""),
        ],
    )
    .await;
    for (number, body) in hostile::TEXTS.iter().enumerate() {
        let written = world.result("write", &json!({"number": number, "body": body})).await;
        assert_eq!(written, json!({"rows": [{"body": body}], "row_count": 1}));
        let both = world.result("both", &json!({"body": body})).await;
        assert_eq!(both["rows"], json!([{"one": body, "other": body, "o\"' $": [1]}]));
        // A percent sign and an underscore are patterns there, which only find more.
        let found = world.result("find", &json!({"body": body})).await;
        assert_eq!(found["rows"], json!([{"number": number}]), "{body:?}");
    }
    let stored = look.texts("SELECT body FROM notes ORDER BY number").await;
    assert_eq!(stored, hostile::TEXTS);
    assert_eq!(look.texts("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'").await, ["2"]);
    let refused =
        world.carillon.client.post("/v1/jobs", &World::job("write", &json!({"number": 0, "body": "a\0b"}))).await;
    assert_eq!(refused.json(422)["errors"][0]["pointer"], "/input/data/body");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_type_is_bound_stored_and_given_back() {
    let server = Server::start(None).await;
    let look = server.look().await;
    look.run(
        "CREATE TYPE mood AS ENUM ('calm', 'bright');
         CREATE DOMAIN price AS numeric(10, 2);
         CREATE TABLE things (t text, v varchar(10), i int, b bigint, d double precision, n numeric, ok boolean, u uuid,
           at timestamptz, local timestamp, day date, j json, jb jsonb, raw bytea, mood mood, price price, list text[])",
    )
    .await;
    let world = World::start(
        &server,
        &[
            (
                "write",
                "INSERT INTO things VALUES ({{t?}}, {{t?}}, {{i?:INTEGER}}, {{i?:INTEGER}}, {{d?:DOUBLE}}, {{n?:NUMERIC}}, \
                 {{ok?:BOOLEAN}}, {{u?:UUID}}, {{at?:TIMESTAMP}}, {{at}} AT TIME ZONE 'UTC', {{day?:DATE}}, {{j?:JSON}}, \
                 {{j}}, {{raw?:BYTES}}, {{mood?}}::mood, {{n}}, ARRAY[{{t}}, NULL]) RETURNING *",
            ),
            ("point", "SELECT point(1, 2) AS p FROM (SELECT set_config('never.run', 'yes', false)) AS x"),
        ],
    )
    .await;
    let given = json!({
        "t": "é'", "i": 2_147_483_647, "d": -0.1, "n": "12345678.90", "ok": true,
        "u": "123e4567-e89b-12d3-a456-426614174000", "at": "2026-03-29T12:00:00.25+02:00", "day": "2024-02-29",
        "j": {"b": [1, "x", null], "a": 1.5}, "raw": "AP8=", "mood": "bright",
    });
    let row = json!({
        "t": "é'", "v": "é'", "i": 2_147_483_647, "b": 2_147_483_647, "d": -0.1, "n": "12345678.90", "ok": true,
        "u": "123e4567-e89b-12d3-a456-426614174000", "at": "2026-03-29T10:00:00.25Z", "local": "2026-03-29T10:00:00.25",
        "day": "2024-02-29", "j": {"b": [1, "x", null], "a": 1.5}, "jb": {"b": [1, "x", null], "a": 1.5}, "raw": "AP8=",
        "mood": "bright", "price": "12345678.90", "list": ["é'", null],
    });
    assert_eq!(world.result("write", &given).await, json!({"rows": [row], "row_count": 1}));
    let sums = "SELECT (sum(i) + sum(b) + sum(n))::text || string_agg(mood::text, '') || encode(string_agg(raw, ''), 'hex') FROM things";
    assert_eq!(look.texts(sums).await, ["4307312972.90bright00ff"]);
    let nothing = world.result("write", &json!({"t": null})).await;
    let columns = nothing["rows"][0].as_object().unwrap();
    assert!(columns.iter().all(|(name, value)| name == "list" || value.is_null()), "{nothing}");
    assert_eq!(
        look.texts("SELECT count(*) FROM things WHERE num_nulls(t, i, d, n, ok, u, at, day, j, raw, mood) = 11").await,
        ["1"]
    );
    // An unreadable value is rejected before the statement runs.
    let (code, message) = world.error("point", &json!({})).await;
    assert_eq!(code, "VALIDATION_ERROR");
    assert!(message.contains("point") && message.contains("cast it to text"), "{message}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_result_is_cut_and_says_so_and_the_statement_has_its_whole_effect() {
    let server = Server::start(None).await;
    let look = server.look().await;
    look.run("CREATE TABLE numbers (n bigint)").await;
    let world = World::start(
        &server,
        &[
            ("many", "INSERT INTO numbers SELECT generate_series(1, {{n:INTEGER}}) RETURNING n"),
            ("wide", "INSERT INTO numbers VALUES (0) RETURNING repeat('x', {{n:INTEGER}}::int) AS x"),
            ("twins", "SELECT 1 AS a, 2 AS a, 3 AS b, 4 AS a"),
            ("none", "UPDATE numbers SET n = n WHERE n <= {{n:INTEGER}}"),
            ("define", "CREATE TABLE IF NOT EXISTS empty ()"),
        ],
    )
    .await;
    let run = world.end(&World::job("many", &json!({"n": 5_000}))).await;
    let result: &Value = &run["result"];
    assert_eq!((&run["result_truncated"], &result["row_count"]), (&json!(true), &json!(5_000)), "{run}");
    assert_eq!(result["rows"], json!((1..=10).map(|n| json!({"n": n})).collect::<Vec<_>>()));
    assert_eq!(look.texts("SELECT count(*) FROM numbers").await, ["5000"]);
    let run = world.end(&World::job("wide", &json!({"n": 300_000}))).await;
    assert_eq!(
        (&run["result_truncated"], &run["result"]),
        (&json!(true), &json!({"rows": [], "row_count": 1})),
        "{run}"
    );
    let run = world.end(&World::job("wide", &json!({"n": 250_000}))).await;
    assert_eq!((&run["result_truncated"], &run["result"]["row_count"]), (&json!(null), &json!(1)), "{run}");
    assert_eq!(run["result"]["rows"][0]["x"].as_str().unwrap().len(), 250_000);
    assert_eq!(world.result("twins", &json!({})).await["rows"], json!([{"a": 1, "a_2": 2, "b": 3, "a_3": 4}]));
    assert_eq!(world.result("none", &json!({"n": 7})).await, json!({"rows": [], "row_count": 9}));
    assert_eq!(world.result("define", &json!({})).await, json!({"rows": [], "row_count": 0}));
}
