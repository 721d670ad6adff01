//! The input of an event as it runs.

use std::cell::RefCell;

use serde_json::Value;

use crate::annotation;
use crate::error::{Faults, FieldError};
use crate::job::{RunError, codes};
use crate::json::Field;

/// An input, filled in, and as it was written before that: faults name places in the latter.
#[derive(Clone, Copy)]
pub(super) struct Filled<'a> {
    pub(super) written: &'a Value,
    pub(super) value: &'a Value,
}

impl Filled<'_> {
    /// Reads it. It was checked when the job was scheduled: what fails here is the catalog's change.
    pub(super) fn read<T>(&self, read: impl FnOnce(&Field<'_>) -> Option<T>) -> Result<T, RunError> {
        let faults = RefCell::<Faults>::default();
        read(&Field::root(self.value, &faults)).ok_or_else(|| match faults.borrow().first() {
            Some(fault) => misfit(self.written, fault.clone()),
            None => {
                RunError::permanent(codes::VALIDATION_ERROR, "the event cannot be run as the catalog defines it now")
            }
        })
    }
}

/// A fault of an input that was sound when its job was scheduled. A job's runs are looked at by others than whom its session speaks
/// of: only what stands in the input as it is `written` is named.
pub(super) fn misfit(written: &Value, fault: FieldError) -> RunError {
    let fault = annotation::outside(written, fault);
    RunError::permanent(codes::VALIDATION_ERROR, format!("{}: {}", fault.pointer, fault.detail))
}
