//! Hostile input, made at random from sound input.
//!
//! Every case is made from a seed and its number alone, so a failed case can be repeated by itself.

pub mod bytes;
pub mod documents;
pub mod paths;
pub mod tree;
mod words;

/// A catalog with every kind of component, of the product that the jobs of [`documents`] belong to.
pub const CATALOG: &str = include_str!("catalog.json");

/// That product.
pub const PRODUCT: &str = "shop";

/// Number of cases: the value of `CARILLON_FUZZ_CASES`, or `default`.
///
/// # Panics
///
/// If the variable is not a number.
pub fn cases(default: u64) -> u64 {
    let asked = crate::env::variable("CARILLON_FUZZ_CASES");
    asked.map_or(default, |text| text.parse().expect("CARILLON_FUZZ_CASES is a number"))
}
