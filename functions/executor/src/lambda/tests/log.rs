//! The log: one line for each record, without its payload.

use std::cell::RefCell;
use std::io::{self, Write};
use std::sync::Once;

use carillon_core::testkit::INNERMOST;

use super::*;

thread_local! {
    /// The log of this thread. Each test runs on a thread of its own.
    static LINES: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

struct ThisThread;

impl Write for ThisThread {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        LINES.with_borrow_mut(|lines| lines.extend_from_slice(bytes));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Has every thread keep what it logs, from our own code.
pub(super) fn keep() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let json = tracing_subscriber::fmt().json().with_max_level(tracing::Level::TRACE);
        json.with_writer(|| ThisThread).init();
    });
}

/// The fields of this thread's lines about records.
fn lines() -> Vec<Value> {
    let text = LINES.with_borrow(|lines| String::from_utf8(lines.clone()).unwrap());
    let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["fields"].clone());
    lines.filter(|fields| fields["message"].as_str().is_some_and(|message| message.starts_with("record: "))).collect()
}

#[tokio::test(start_paused = true)]
async fn a_record_has_one_line_with_the_names_and_figures_of_its_job() {
    let stack = Stack::new();
    let job = stack.job("flaky", &json!({"retries": 1, "start_at": world::NOW.plus(-40).0})).await;
    stack.receive(vec![stack.due("a", &job)]).await;
    assert_eq!(
        lines(),
        [json!({"message": "record: attempted", "fire": job.fire().to_string(), "product": "shop", "env": "prd",
            "event": "do", "event_type": "action", "status": "queued", "verdict": "redeliver", "attempt": 1,
            "lateness_ms": 0, "dispatch_ms": 0, "recorded": true, "error_code": "TIMEOUT"})]
    );
}

#[tokio::test(start_paused = true)]
async fn whatever_becomes_of_a_record_it_has_one_line_without_payload_secret_or_error_text() {
    let stack = Stack::new();
    let hopeless = stack.job("hopeless", &json!({})).await;
    let letter = Message { dead_lettered: true, ..Message::new(hopeless.fire(), hopeless.state.run.due_at) };
    let early = stack.job("ok", &json!({"start_at": world::NOW.plus(60_000).0})).await;
    let panics = stack.job("panic", &json!({})).await;
    let broken = stack.job("broken", &json!({"retries": 1})).await;
    let ok = stack.job("ok", &json!({})).await;
    let unknown = Message::new(carillon_core::ids::Fire { generation: 2, ..ok.fire() }, world::NOW);
    let records = [
        stack.due("a", &hopeless),
        stack.record("b", &letter),
        stack.record("c", &letter),
        stack.due("d", &early),
        stack.due("e", &panics),
        stack.due("f", &broken),
        stack.record("g", &unknown),
        stack.due("h", &ok),
        stack.due("i", &ok),
        unreadable("j", "{\"hush\""),
    ];
    for (count, record) in records.into_iter().enumerate() {
        stack.receive(vec![record]).await;
        assert_eq!(lines().len(), count + 1, "{:#?}", lines().last());
    }
    world::fails_once(&stack.world);
    stack.receive(vec![stack.due("k", &broken)]).await;
    assert_eq!(lines().last().unwrap()["cause"], INNERMOST);
    stack.receive_within(10, vec![stack.due("l", &broken)]).await.unwrap();
    assert_eq!(lines().len(), 12);
    let text = LINES.with_borrow(|lines| String::from_utf8(lines.clone()).unwrap());
    assert!(!text.contains("hush"), "{text}");
}
