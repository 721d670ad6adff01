//! A record of the queue, taken out of its envelope.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use carillon_core::ids::Fire;
use carillon_core::ports::Message;
use carillon_core::time::UnixMillis;

/// A record of the queue, taken out of its envelope.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// Names the record in the answer.
    pub message_id: String,
    /// Names this receipt of it to the queue.
    pub receipt_handle: String,
    /// Its body.
    pub body: String,
    /// When it was sent, if it says so.
    pub sent_at: Option<UnixMillis>,
    /// Number of receives, this one included.
    pub receive_count: u32,
    /// The trace that it belongs to.
    pub trace: Option<String>,
}

/// Records of the same fire stand in one group, in their order: side by side, one would only meet the other's lease.
pub(super) fn group_by_fire(deliveries: Vec<Delivery>) -> Vec<Vec<Delivery>> {
    let mut groups: Vec<Vec<Delivery>> = Vec::new();
    let mut group_of: HashMap<Fire, usize> = HashMap::new();
    for delivery in deliveries {
        match Message::parse(&delivery.body).map(|message| group_of.entry(message.fire)) {
            Some(Entry::Occupied(group)) => groups[*group.get()].push(delivery),
            Some(Entry::Vacant(group)) => {
                group.insert(groups.len());
                groups.push(vec![delivery]);
            }
            None => groups.push(vec![delivery]),
        }
    }
    groups
}
