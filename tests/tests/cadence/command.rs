//! `carillon next`, as a process.

use std::io::Write as _;
use std::process::{Command, Stdio};

use carillon_tests::process::{program, run};
use serde_json::{Value, json};

use crate::corpus::{CORPUS, INVALID, lines};

fn batch(input: &str, count: &str) -> Vec<Value> {
    let mut command = Command::new(program());
    command.args(["next", "--batch", "--count", count]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    std::thread::scope(|scope| {
        scope.spawn(move || stdin.write_all(input.as_bytes()).unwrap());
        let ended = child.wait_with_output().unwrap();
        assert!(ended.status.success(), "{ended:?}");
        lines(&String::from_utf8(ended.stdout).unwrap())
    })
}

#[test]
fn a_batch_answers_the_whole_corpus() {
    let answers = batch(CORPUS, "10");
    let expected: Vec<_> = lines(CORPUS).iter().map(|case| json!({"next": case["next"]})).collect();
    assert_eq!(answers, expected);
    let answers = batch(INVALID, "10");
    assert_eq!(answers.len(), lines(INVALID).len());
    for answer in answers {
        assert_eq!(answer["error"]["pointer"], "/cron", "{answer}");
    }
}

#[tokio::test]
async fn one_expression_is_answered_with_instants_or_with_what_is_wrong() {
    let start = ["--from", "1774699200", "--count", "2"];
    let ended = run(&[&["next", "30 2 * * *", "--tz", "Europe/Amsterdam"], &start[..]].concat()).await;
    assert!(ended.status.success(), "{ended:?}");
    assert_eq!(ended.stdout, "2026-03-29T01:00:00Z\n2026-03-30T00:30:00Z\n");
    for (arguments, told) in [
        (&["next", "0 25 * * *"][..], "hour field is wrong at character 3"),
        (&["next", "@daily", "--tz", "Amsterdam"], "did you mean Europe/Amsterdam?"),
        (&["next", "@daily", "--from", "tomorrow"], "RFC 3339"),
        (&["next", "@daily", "--batch"], "cannot be used with"),
        (&["next"], "required"),
    ] {
        let ended = run(arguments).await;
        assert!(!ended.status.success() && ended.stdout.is_empty(), "{ended:?}");
        assert!(ended.stderr.contains(told), "{ended:?}");
    }
}
