//! Failed statements: their errors, and which are retried.

use carillon_tests::postgres::{PASSWORD, Server};
use serde_json::json;

use super::World;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_error_says_its_sqlstate_and_no_value() {
    let server = Server::start(None).await;
    let look = server.look().await;
    look.run(
        "CREATE TABLE orders (id bigint PRIMARY KEY, name varchar(20) UNIQUE, n int CONSTRAINT positive CHECK (n > 0));
         CREATE ROLE reader; CREATE TABLE hidden (id int);
         CREATE FUNCTION read_hidden() RETURNS int LANGUAGE sql SET role = reader AS 'SELECT id FROM hidden'",
    )
    .await;
    let world = World::start(
        &server,
        &[
            ("add", "INSERT INTO orders VALUES ({{id:INTEGER}}, {{name}}, {{n:INTEGER}})"),
            ("divide", "SELECT 1 / {{n:INTEGER}}"),
            ("cast", "SELECT {{name}}::int"),
            ("syntax", "SELEC {{name}}"),
            ("gone", "SELECT * FROM no_such_table WHERE name = {{name}}"),
            ("forbidden", "SELECT read_hidden()"),
            ("two", "SELECT {{name}}; DROP TABLE orders"),
        ],
    )
    .await;
    let secret = "secret-value";
    let row = |id: u32, name: &str, n: i32| json!({"id": id, "name": name, "n": n});
    assert_eq!(world.result("add", &row(1, secret, 1)).await, json!({"rows": [], "row_count": 1}));
    for (statement, data, code, state) in [
        ("add", row(1, "other", 1), "CONSTRAINT_VIOLATION", "23505, constraint orders_pkey"),
        ("add", row(2, secret, 1), "CONSTRAINT_VIOLATION", "23505, constraint orders_name_key"),
        ("add", row(2, "other", -1), "CONSTRAINT_VIOLATION", "23514, constraint positive"),
        ("add", row(2, "longer than it may be: secret-value", 1), "VALIDATION_ERROR", "22001"),
        ("divide", json!({"n": 0}), "VALIDATION_ERROR", "22012"),
        ("cast", json!({"name": secret}), "VALIDATION_ERROR", "22P02"),
        ("syntax", json!({"name": secret}), "VALIDATION_ERROR", "42601"),
        ("gone", json!({"name": secret}), "VALIDATION_ERROR", "42P01"),
        ("forbidden", json!({}), "FORBIDDEN", "42501"),
        ("two", json!({"name": secret}), "VALIDATION_ERROR", "42601"),
    ] {
        let mut job = World::job(statement, &data);
        job["retries"] = json!(3);
        let run = world.end(&job).await;
        assert_eq!((&run["status"], &run["attempts"]), (&json!("failed"), &json!(1)), "{statement}: {run}");
        assert_eq!(run["error"]["code"], code, "{statement}: {run}");
        let message = run["error"]["message"].as_str().unwrap();
        assert!(message.contains(state) && !message.contains(secret), "{statement}: {message}");
    }
    assert_eq!(look.texts("SELECT count(*) FROM orders").await, ["1"]);
    assert!(!world.carillon.log().contains(secret));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_statement_ends_with_the_time_of_its_attempt_and_leaves_nothing_behind() {
    let server = Server::start(None).await;
    let look = server.look().await;
    look.run("CREATE TABLE marks (id int)").await;
    let world = World::start(
        &server,
        &[
            ("slow", "WITH mark AS (INSERT INTO marks VALUES (1) RETURNING id) SELECT pg_sleep({{seconds:DOUBLE}}), id FROM mark"),
            ("pid", "SELECT pg_backend_pid() AS pid"),
        ],
    )
    .await;
    let before = world.result("pid", &json!({})).await;
    let mut job = World::job("slow", &json!({"seconds": 60}));
    (job["timeout"], job["retries"]) = (json!(800), json!(1));
    let run = world.end(&job).await;
    assert_eq!((&run["status"], &run["attempts"]), (&json!("failed"), &json!(2)), "{run}");
    assert_eq!((&run["error"]["code"], &run["error"]["retryable"]), (&json!("TIMEOUT"), &json!(true)), "{run}");
    assert!(run["error"]["message"].as_str().unwrap().contains("57014"), "{run}");
    assert_eq!(look.texts("SELECT count(*) FROM marks").await, ["0"]);
    assert_eq!(look.texts("SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(%' AND state = 'active' AND pid <> pg_backend_pid()").await, ["0"]);
    // The server itself ended the statement: the connection is as good as before.
    assert_eq!(world.result("pid", &json!({})).await, before);
    let slept = world.result("slow", &json!({"seconds": 0})).await;
    assert_eq!(slept["rows"], json!([{"pg_sleep": null, "id": 1}]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_gave_way_to_another_transaction_is_tried_again() {
    let server = Server::start(None).await;
    let look = server.look().await;
    // A sequence is not rolled back: it counts the attempts.
    look.run(
        "CREATE SEQUENCE tries;
         CREATE FUNCTION flaky(state text, calm_from bigint) RETURNS bigint LANGUAGE plpgsql AS $$
           DECLARE attempt bigint := nextval('tries');
           BEGIN
             IF attempt < calm_from THEN RAISE EXCEPTION 'again' USING ERRCODE = state; END IF;
             RETURN attempt;
           END $$",
    )
    .await;
    let world = World::start(&server, &[("flaky", "SELECT flaky({{state}}, {{calm:INTEGER}}) AS attempt")]).await;
    for (state, code) in [("40001", "CONFLICT"), ("40P01", "CONFLICT"), ("53200", "SERVICE_UNAVAILABLE")] {
        look.run("ALTER SEQUENCE tries RESTART").await;
        let mut job = World::job("flaky", &json!({"state": state, "calm": 3}));
        job["retries"] = json!(2);
        let run = world.end(&job).await;
        assert_eq!((&run["status"], &run["result"]["rows"][0]["attempt"]), (&json!("completed"), &json!(3)), "{run}");
        let failures = run["failures"].as_array().unwrap();
        assert_eq!(failures.len(), 2, "{run}");
        assert!(failures.iter().all(|failure| failure["error"]["code"] == code), "{run}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_may_not_sign_in_is_told_so_at_once() {
    let server = Server::start(None).await;
    for (url, code, state) in [
        (server.url("sslmode=disable").replace(PASSWORD, "canary-of-a-wrong-password"), "UNAUTHORIZED", "28P01"),
        (server.url("sslmode=disable").replace("/postgres?", "/nothing?"), "NOT_FOUND", "3D000"),
        (server.url("sslmode=disable").replace(&format!(":{PASSWORD}"), ""), "UNAUTHORIZED", "signing in"),
    ] {
        let world = World::with(&server, &url, "", &[], &[("one", "SELECT 1")]).await;
        let mut job = World::job("one", &json!({}));
        job["retries"] = json!(3);
        let run = world.end(&job).await;
        assert_eq!((&run["status"], &run["attempts"]), (&json!("failed"), &json!(1)), "{run}");
        assert_eq!(run["error"]["code"], code, "{run}");
        assert!(run["error"]["message"].as_str().unwrap().contains(state), "{run}");
        assert!(!run.to_string().contains("canary") && !world.carillon.log().contains("canary"), "{run}");
    }
}
