//! The store of requests with an `Idempotency-Key`.

use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::types::ReturnValuesOnConditionCheckFailure;
use carillon_core::idempotency::{IdempotencyKey, IdempotencyRecord};
use carillon_core::ports::{Clock, IdempotencyStore, PortError};
use carillon_core::time::UnixMillis;

use super::{Item, Table, expiry, instant, json, key, keys, millis, read};
use crate::fault::{Unreadable, classify};

const RECORD: &str = "record";
const ENDS_AT: &str = "ends_at";

const REQUEST: &str = "named request";

impl<C: Clock> IdempotencyStore for Table<C> {
    async fn find(&self, name: &IdempotencyKey, now: UnixMillis) -> Result<Option<IdempotencyRecord>, PortError> {
        let Some(item) = self.item(request_key(name)).await? else { return Ok(None) };
        // DynamoDB deletes expired items within days, not at the second.
        let lasts = instant(&item, ENDS_AT, REQUEST)? > now;
        Ok(lasts.then(|| read(&item, RECORD, REQUEST)).transpose()?)
    }

    async fn reserve(&self, name: &IdempotencyKey, new: &IdempotencyRecord) -> Result<IdempotencyRecord, PortError> {
        let ends_at = new.at.plus(self.requests_kept_ms);
        let mut item = request_key(name);
        item.insert(RECORD.to_owned(), json(new, REQUEST)?);
        item.insert(ENDS_AT.to_owned(), millis(ends_at));
        item.insert(keys::EXPIRES_AT.to_owned(), expiry(ends_at));
        let request = self
            .client
            .put_item()
            .table_name(&self.name)
            .set_item(Some(item))
            .condition_expression("attribute_not_exists(pk) OR ends_at <= :now")
            .expression_attribute_values(":now", millis(new.at))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        let Err(error) = request.send().await else { return Ok(new.clone()) };
        if let Some(PutItemError::ConditionalCheckFailedException(failed)) = error.as_service_error() {
            // Another request's record, or this one's if the SDK repeated the request after its answer was lost.
            return Ok(read(failed.item().ok_or(Unreadable(REQUEST))?, RECORD, REQUEST)?);
        }
        Err(classify(error))
    }
}

fn request_key(name: &IdempotencyKey) -> Item {
    key(keys::request(name), keys::REQUEST)
}
