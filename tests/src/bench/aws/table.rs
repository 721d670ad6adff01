//! A table as DynamoDB keeps one, as far as the adapters ask for it, and what each request is charged. An expression that it
//! does not know is refused: nothing is counted that was not carried out.
//!
//! - A write takes a unit for each KB of the item, before or after it, whichever is larger; one whose condition fails, too.
//! - The index takes a unit for each KB of an entry that is put or deleted. An entry whose key changes is deleted and put.
//! - In a transaction everything costs double.
//! - A read takes a unit for each 4 KB, and half of that where it need not be consistent.
//!
//! Source: Amazon DynamoDB Developer Guide, "Read and write operations" and "Using global secondary indexes".

use std::collections::{BTreeMap, HashMap};

use carillon_aws::table::keys::{INDEX_PK, INDEX_SK, PK, SK};
use serde_json::{Map, Value, json};

type Item = Map<String, Value>;
type Key = (String, String);

/// The attributes that the index copies besides the keys: none, as in the Terraform module (KEYS_ONLY).
const PROJECTED: [&str; 0] = [];

/// The charge for a request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Units {
    pub(super) table_writes: u32,
    pub(super) index_writes: u32,
    /// Half a read unit each.
    pub(super) half_reads: u32,
}

/// Why a request is not carried out.
#[derive(Debug, PartialEq)]
pub(super) enum Refusal {
    /// The condition does not hold for what is stored.
    Condition(Option<Item>),
    /// This is no part of what the table knows.
    Unknown(String),
}

/// The table.
#[derive(Debug, Default)]
pub(super) struct Table(HashMap<Key, Item>);

impl Table {
    /// Looks an item up.
    pub(super) fn get(&self, request: &Value) -> Result<(Option<&Item>, Units), Refusal> {
        let item = self.0.get(&key_of(&request["Key"])?);
        let fours = item.map_or(1, |item| size(item).div_ceil(4 * 1_024).max(1));
        let halves = if request["ConsistentRead"] == true { 2 } else { 1 };
        Ok((item, Units { half_reads: count(fours * halves), ..Units::default() }))
    }

    /// Looks several items up; those that are not there are left out.
    pub(super) fn batch_get(&self, request: &Value) -> Result<(Vec<&Item>, Units), Refusal> {
        let (mut found, mut half_reads) = (Vec::new(), 0);
        for key in request["Keys"].as_array().into_iter().flatten() {
            let (item, units) = self.get(&json!({"Key": key, "ConsistentRead": request["ConsistentRead"]}))?;
            found.extend(item);
            half_reads += units.half_reads;
        }
        Ok((found, Units { half_reads, ..Units::default() }))
    }

    /// Carries out these puts and updates, all or none; `factor` is 2 in a transaction.
    pub(super) fn write(&mut self, writes: &[(&str, &Value)], factor: u32) -> (Units, Result<(), Refusal>) {
        let mut units = Units::default();
        let mut changes = Vec::new();
        for (verb, request) in writes {
            match self.change(verb, request) {
                Ok(change) => changes.push(change),
                Err(refusal) => {
                    let stored = if let Refusal::Condition(Some(item)) = &refusal { size(item) } else { 0 };
                    units.table_writes += factor * count(stored.div_ceil(1_024).max(1));
                    return (units, Err(refusal));
                }
            }
        }
        for (key, new) in changes {
            let old = self.0.insert(key, new.clone());
            let larger = size(&new).max(old.as_ref().map_or(0, size));
            units.table_writes += factor * count(larger.div_ceil(1_024));
            units.index_writes += factor * index_units(old.as_ref().and_then(entry), entry(&new));
        }
        (units, Ok(()))
    }

    /// The key that a request writes, and the item that is to stand there.
    fn change(&self, verb: &str, request: &Value) -> Result<(Key, Item), Refusal> {
        let place = if verb == "Put" { &request["Item"] } else { &request["Key"] };
        let key = key_of(place)?;
        let old = self.0.get(&key);
        if !holds(request, old)? {
            return Err(Refusal::Condition(old.cloned()));
        }
        let given = place.as_object().cloned().unwrap_or_default();
        match verb {
            "Put" => Ok((key, given)),
            "Update" => updated(request, old.cloned().unwrap_or(given)).map(|item| (key, item)),
            _ => Err(Refusal::Unknown(verb.to_owned())),
        }
    }
}

fn key_of(item: &Value) -> Result<Key, Refusal> {
    let part = |name: &str| item[name]["S"].as_str().map(str::to_owned);
    part(PK).zip(part(SK)).ok_or_else(|| Refusal::Unknown(format!("a key like {item}")))
}

/// True if the condition of a request holds: one of the alternatives between its `OR`s.
fn holds(request: &Value, item: Option<&Item>) -> Result<bool, Refusal> {
    let Some(expression) = request["ConditionExpression"].as_str() else { return Ok(true) };
    expression.split(" OR ").try_fold(false, |holds, one| Ok(holds | holds_one(request, one, item)?))
}

/// That an attribute is there, that it is not, what it is, or that its number is not greater or less.
fn holds_one(request: &Value, expression: &str, item: Option<&Item>) -> Result<bool, Refusal> {
    let stored = |name: &str| item.and_then(|item| item.get(&attribute(request, name)));
    let inside = |function: &str| expression.strip_prefix(function)?.strip_suffix(')')?.strip_prefix('(');
    if let Some(name) = inside("attribute_not_exists") {
        return Ok(stored(name).is_none());
    }
    if let Some(name) = inside("attribute_exists") {
        return Ok(stored(name).is_some());
    }
    let [name, operator, wanted] = expression.split(' ').collect::<Vec<_>>()[..] else {
        return Err(Refusal::Unknown(expression.to_owned()));
    };
    let (stored, wanted) = (stored(name), value(request, wanted)?);
    let number = |value: &Value| value["N"].as_str()?.parse::<i64>().ok();
    let numbers = stored.and_then(number).zip(number(wanted));
    match operator {
        "=" => Ok(stored == Some(wanted)),
        "<=" => Ok(numbers.is_some_and(|(stored, wanted)| stored <= wanted)),
        "<" => Ok(numbers.is_some_and(|(stored, wanted)| stored < wanted)),
        _ => Err(Refusal::Unknown(expression.to_owned())),
    }
}

/// The item after `SET a = :b, … REMOVE c, …`.
fn updated(request: &Value, mut item: Item) -> Result<Item, Refusal> {
    let expression = request["UpdateExpression"].as_str().unwrap_or_default();
    let (sets, removed) = expression.split_once(" REMOVE ").unwrap_or((expression, ""));
    let unknown = || Refusal::Unknown(expression.to_owned());
    for set in sets.strip_prefix("SET ").ok_or_else(unknown)?.split(", ") {
        let (name, new) = set.split_once(" = ").ok_or_else(unknown)?;
        item.insert(attribute(request, name), value(request, new)?.clone());
    }
    for name in removed.split(", ").filter(|name| !name.is_empty()) {
        item.remove(&attribute(request, name));
    }
    Ok(item)
}

fn attribute(request: &Value, name: &str) -> String {
    request["ExpressionAttributeNames"][name].as_str().unwrap_or(name).to_owned()
}

fn value<'r>(request: &'r Value, name: &str) -> Result<&'r Value, Refusal> {
    let values = &request["ExpressionAttributeValues"];
    values.get(name).ok_or_else(|| Refusal::Unknown(format!("the value {name}")))
}

/// The entry of an item in the index: an item without both of its keys has none.
fn entry(item: &Item) -> Option<BTreeMap<&str, &Value>> {
    let copied = |name| Some((name, item.get(name)?));
    let keys: Option<BTreeMap<_, _>> = [PK, SK, INDEX_PK, INDEX_SK].into_iter().map(copied).collect();
    keys.map(|keys| keys.into_iter().chain(PROJECTED.into_iter().filter_map(copied)).collect())
}

fn index_units(old: Option<BTreeMap<&str, &Value>>, new: Option<BTreeMap<&str, &Value>>) -> u32 {
    let units = |entry: &BTreeMap<&str, &Value>| {
        count(entry.iter().map(|(name, value)| name.len() + value_size(value)).sum::<usize>().div_ceil(1_024))
    };
    match (old, new) {
        (Some(old), Some(new)) if old == new => 0,
        (Some(old), Some(new)) if [INDEX_PK, INDEX_SK].iter().all(|key| old.get(key) == new.get(key)) => {
            units(&old).max(units(&new))
        }
        (old, new) => old.as_ref().map_or(0, units) + new.as_ref().map_or(0, units),
    }
}

/// Bytes of an item: of the names of its attributes, and of their values.
fn size(item: &Item) -> usize {
    item.iter().map(|(name, value)| name.len() + value_size(value)).sum()
}

fn value_size(value: &Value) -> usize {
    match (value["S"].as_str(), value["N"].as_str()) {
        (Some(text), _) => text.len(),
        (_, Some(digits)) => digits.len().div_ceil(2) + 1,
        _ => json!(value).to_string().len(),
    }
}

fn count(units: usize) -> u32 {
    u32::try_from(units).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::root;

    fn put(index: &str, bytes: usize) -> Value {
        json!({"Item": {
            PK: {"S": "a"}, SK: {"S": "b"}, INDEX_PK: {"S": index}, INDEX_SK: {"S": "c"}, "text": {"S": "x".repeat(bytes)},
        }})
    }

    fn writes(table: &mut Table, verb: &str, request: &Value) -> (u32, u32) {
        let (units, done) = table.write(&[(verb, request)], 1);
        done.unwrap();
        (units.table_writes, units.index_writes)
    }

    #[test]
    fn a_write_costs_by_the_kilobyte_and_the_index_when_its_key_moves() {
        let mut table = Table::default();
        assert_eq!(writes(&mut table, "Put", &put("one", 100)), (1, 1));
        assert_eq!(writes(&mut table, "Put", &put("one", 2_000)), (2, 0));
        assert_eq!(writes(&mut table, "Put", &put("two", 100)), (2, 2));
        let key = json!({PK: {"S": "a"}, SK: {"S": "b"}});
        let update = |expression: &str| {
            json!({"Key": key, "UpdateExpression": expression, "ExpressionAttributeNames": {"#i": INDEX_PK},
                "ExpressionAttributeValues": {":i": {"S": "three"}, ":t": {"S": ""}}})
        };
        assert_eq!(writes(&mut table, "Update", &update("SET text = :t")), (1, 0));
        assert_eq!(writes(&mut table, "Update", &update("SET text = :t, #i = :i")), (1, 2));
        assert_eq!(writes(&mut table, "Update", &update("SET text = :t REMOVE #i")), (1, 1));
        let (units, _) = table.write(&[("Put", &put("one", 0))], 2);
        assert_eq!((units.table_writes, units.index_writes), (2, 2));
        assert!(matches!(table.write(&[("Update", &update("ADD text :t"))], 1).1, Err(Refusal::Unknown(_))));
    }

    #[test]
    fn a_condition_that_fails_is_paid_for_and_changes_nothing() {
        let mut table = Table::default();
        let new = json!({"Item": put("one", 0)["Item"], "ConditionExpression": "attribute_not_exists(pk)"});
        assert_eq!(writes(&mut table, "Put", &new), (1, 1));
        let (units, refused) = table.write(&[("Put", &new)], 1);
        assert!(matches!(refused, Err(Refusal::Condition(Some(_)))) && units.table_writes == 1);
    }

    #[test]
    fn one_of_several_conditions_is_enough_and_numbers_are_compared_as_such() {
        let mut table = Table::default();
        let new = |condition: &str| {
            json!({"Item": {PK: {"S": "a"}, SK: {"S": "b"}, "at": {"N": "9"}}, "ConditionExpression": condition,
                "ExpressionAttributeValues": {":9": {"N": "9"}, ":10": {"N": "10"}, ":a": {"S": "a"}}})
        };
        writes(&mut table, "Put", &new("attribute_not_exists(pk) OR at <= :9"));
        let done = |condition: &str| Table(table.0.clone()).write(&[("Put", &new(condition))], 1).1;
        for holds in ["at <= :9", "at < :10", "attribute_not_exists(pk) OR at < :10", "at < :9 OR pk = :a"] {
            assert_eq!(done(holds), Ok(()), "{holds}");
        }
        for fails in ["at < :9", "attribute_not_exists(pk) OR at < :9", "none <= :9"] {
            assert!(matches!(done(fails), Err(Refusal::Condition(_))), "{fails}");
        }
        for unknown in ["at > :9", "pk = :a AND at = :9", "at = :none"] {
            assert!(matches!(done(unknown), Err(Refusal::Unknown(_))), "{unknown}");
        }
    }

    #[test]
    fn a_read_costs_by_four_kilobytes_and_half_of_that_where_it_may_be_old() {
        let mut table = Table::default();
        writes(&mut table, "Put", &put("one", 5_000));
        let key = |pk: &str| json!({PK: {"S": pk}, SK: {"S": "b"}});
        let halves = |pk: &str, consistent: bool| {
            table.get(&json!({"Key": key(pk), "ConsistentRead": consistent})).unwrap().1.half_reads
        };
        assert_eq!([halves("a", true), halves("a", false), halves("none", true), halves("none", false)], [4, 2, 2, 1]);
        let both = json!({"Keys": [key("a"), key("none")], "ConsistentRead": false});
        let (found, units) = table.batch_get(&both).unwrap();
        assert_eq!((found.len(), units.half_reads), (1, 3));
    }

    #[test]
    fn the_index_copies_what_the_terraform_module_says() {
        let module = std::fs::read_to_string(root().join("infra/module/table.tf")).unwrap();
        assert!(module.contains(r#"by_status_projection = { type = "KEYS_ONLY", attributes = null }"#));
    }
}
