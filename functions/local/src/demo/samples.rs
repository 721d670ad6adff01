//! The samples of `events/`, with their expected ends.

use std::net::SocketAddr;

use carillon_core::time::UnixMillis;
use serde_json::{Value, json};

use crate::Failure;

/// A job of the demonstration.
pub(super) struct Sample {
    pub(super) title: &'static str,
    pub(super) body: Value,
    /// The expected final status.
    pub(super) ends: &'static str,
    /// The expected number of attempts.
    pub(super) attempts: u64,
    /// The expected number of requests to the receiver.
    pub(super) requests: u64,
}

/// The address of the `dev` environment in the sample catalog, which the receiver's replaces.
const DEV_ADDRESS: &str = "127.0.0.1:4000";

/// Returns the sample catalog with the address of the receiver.
pub(super) fn catalog(receiver: SocketAddr) -> Result<Value, Failure> {
    let text = include_str!("../../../../events/catalogs/my-product.json");
    Ok(serde_json::from_str(&text.replace(DEV_ADDRESS, &receiver.to_string()))?)
}

/// Returns the secrets of the sample catalog.
pub(super) fn secrets() -> Vec<(String, String)> {
    let secrets = [
        ("SESSION_KEY", "a-key-of-sessions-for-the-demonstration"),
        ("SHOP_TOKEN", "a-token-for-the-demonstration"),
        ("SHOP_SIGNING_SECRET", "whsec_ZGVtb25zdHJhdGlvbiBvZiBjYXJpbGxvbg=="),
    ];
    secrets.map(|(name, value)| (name.to_owned(), value.to_owned())).into()
}

/// Returns the data of the sample session.
pub(super) fn session_data() -> Value {
    json!({"member": {"id": "m-17", "name": "Ada"}})
}

/// Returns the sample jobs.
pub(super) fn samples(now: UnixMillis) -> Result<Vec<Sample>, Failure> {
    let sample = |title, text, ends, attempts| -> Result<Sample, Failure> {
        Ok(Sample { title, body: serde_json::from_str(text)?, ends, attempts, requests: attempts })
    };
    let mut samples = vec![
        sample("confirm an order, now", include_str!("../../../../events/jobs/confirm-order.json"), "completed", 1)?,
        sample("publish to a topic, now", include_str!("../../../../events/jobs/publish-order.json"), "completed", 1)?,
        sample(
            "tell a partner, by callback",
            include_str!("../../../../events/jobs/tell-partner.json"),
            "completed",
            1,
        )?,
        sample("call a function, now", include_str!("../../../../events/jobs/make-thumbnail.json"), "completed", 1)?,
        sample(
            "remind of a basket, in 2 s",
            include_str!("../../../../events/jobs/remind-basket.json"),
            "completed",
            1,
        )?,
        sample(
            "remind thrice, each second",
            include_str!("../../../../events/jobs/remind-thrice.json"),
            "completed",
            3,
        )?,
        sample(
            "greet a member, by session",
            include_str!("../../../../events/jobs/greet-member.json"),
            "completed",
            1,
        )?,
        sample("quote twice, asked once", include_str!("../../../../events/jobs/quote-shipping.json"), "completed", 1)?,
        sample("quote, by a definition", include_str!("../../../../events/jobs/quote-to-nl.json"), "completed", 1)?,
        sample("sync stock, fails twice", include_str!("../../../../events/jobs/sync-stock.json"), "completed", 3)?,
        sample("send an invoice, hopeless", include_str!("../../../../events/jobs/send-invoice.json"), "failed", 3)?,
    ];
    samples[4].body["start_at"] = json!(now.plus(2_000));
    // A composite event makes a request for each of its parts, and repeats some of them; a quota makes none.
    let composed = [
        ("settle an order, in steps", include_str!("../../../../events/jobs/settle-order.json"), 2),
        ("bill, by another option", include_str!("../../../../events/jobs/notify-billing.json"), 3),
        ("count an order", include_str!("../../../../events/jobs/count-order.json"), 0),
    ];
    for (title, text, requests) in composed {
        samples.push(Sample { requests, ..sample(title, text, "completed", 1)? });
    }
    Ok(samples)
}
