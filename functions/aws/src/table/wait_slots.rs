//! The slots of callers that wait for a job.

use aws_sdk_dynamodb::operation::delete_item::DeleteItemError;
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use carillon_core::ids::Owner;
use carillon_core::ports::{PortError, WaitSlots};
use carillon_core::time::UnixMillis;

use super::{Item, Table, expiry, key, keys, millis, text};
use crate::fault::classify;

const OWNER: &str = "owner";
const UNTIL: &str = "until_at";

impl<C: Send + Sync> WaitSlots for Table<C> {
    async fn take(&self, slot: u32, owner: &Owner, now: UnixMillis, until: UnixMillis) -> Result<bool, PortError> {
        let mut item = slot_key(slot);
        item.insert(OWNER.to_owned(), text(owner.as_str()));
        item.insert(UNTIL.to_owned(), millis(until));
        item.insert(keys::EXPIRES_AT.to_owned(), expiry(until));
        let request = self
            .client
            .put_item()
            .table_name(&self.name)
            .set_item(Some(item))
            .condition_expression("attribute_not_exists(pk) OR until_at <= :now OR #owner = :owner")
            .expression_attribute_names("#owner", OWNER)
            .expression_attribute_values(":now", millis(now))
            .expression_attribute_values(":owner", text(owner.as_str()));
        let Err(error) = request.send().await else { return Ok(true) };
        let is_taken = matches!(error.as_service_error(), Some(PutItemError::ConditionalCheckFailedException(_)));
        if is_taken { Ok(false) } else { Err(classify(error)) }
    }

    async fn release(&self, slot: u32, owner: &Owner) -> Result<(), PortError> {
        let request = self
            .client
            .delete_item()
            .table_name(&self.name)
            .set_key(Some(slot_key(slot)))
            .condition_expression("#owner = :owner")
            .expression_attribute_names("#owner", OWNER)
            .expression_attribute_values(":owner", text(owner.as_str()));
        let Err(error) = request.send().await else { return Ok(()) };
        let is_anothers = matches!(error.as_service_error(), Some(DeleteItemError::ConditionalCheckFailedException(_)));
        if is_anothers { Ok(()) } else { Err(classify(error)) }
    }
}

fn slot_key(slot: u32) -> Item {
    key(keys::wait_slot(slot), keys::WAIT)
}
