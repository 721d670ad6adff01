//! The refusal of a session that the catalog defines wrongly.

use carillon_core::error::FieldCode;
use carillon_core::ports::TokenRefusal;

/// The definition's fault, not the token's.
pub(super) fn unusable(why: &str) -> TokenRefusal {
    TokenRefusal::Bad(FieldCode::NotAvailable, format!("the session cannot be used as the catalog defines it: {why}"))
}
