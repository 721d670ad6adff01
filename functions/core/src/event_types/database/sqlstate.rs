//! Maps SQLSTATEs to the error of an attempt, for every way to a database.
//!
//! | SQLSTATE | code | retried |
//! | --- | --- | --- |
//! | 08… connection exception | CONNECTION_ERROR | yes |
//! | 23… integrity constraint violation | CONSTRAINT_VIOLATION | no |
//! | 25006 read-only transaction, as of a server that was demoted | SERVICE_UNAVAILABLE | yes |
//! | 28… invalid authorization | UNAUTHORIZED | no |
//! | 3D000, 3F000 no such database or schema | NOT_FOUND | no |
//! | 40001, 40P01, 55P03 serialization failure, deadlock, lock not available; the rest of 40… | CONFLICT | yes |
//! | 42501 insufficient privilege | FORBIDDEN | no |
//! | 53… insufficient resources | SERVICE_UNAVAILABLE | yes |
//! | 57014 query canceled, as of the statement timeout | TIMEOUT | yes |
//! | the rest of 57…, 58…, XX… shutdown, system and internal errors | SERVICE_UNAVAILABLE | yes |
//! | everything else, such as 22… data exception and 42… syntax error | VALIDATION_ERROR | no |

use crate::job::codes;

/// A state's code, and whether another attempt may help.
pub fn meaning(state: &str) -> (&'static str, bool) {
    match (state.get(..2).unwrap_or_default(), state) {
        ("08", _) => (codes::CONNECTION_ERROR, true),
        ("23", _) => (codes::CONSTRAINT_VIOLATION, false),
        ("28", _) => (codes::UNAUTHORIZED, false),
        (_, "3D000" | "3F000") => (codes::NOT_FOUND, false),
        ("40", _) | (_, "55P03") => (codes::CONFLICT, true),
        (_, "42501") => (codes::FORBIDDEN, false),
        (_, "57014") => (codes::TIMEOUT, true),
        ("53" | "57" | "58" | "XX", _) | (_, "25006") => (codes::SERVICE_UNAVAILABLE, true),
        _ => (codes::VALIDATION_ERROR, false),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sqlstate_means_one_code_retried_or_not() {
        for (state, expected) in [
            ("08006", (codes::CONNECTION_ERROR, true)),
            ("22001", (codes::VALIDATION_ERROR, false)),
            ("22P02", (codes::VALIDATION_ERROR, false)),
            ("23505", (codes::CONSTRAINT_VIOLATION, false)),
            ("23503", (codes::CONSTRAINT_VIOLATION, false)),
            ("25006", (codes::SERVICE_UNAVAILABLE, true)),
            ("25001", (codes::VALIDATION_ERROR, false)),
            ("28P01", (codes::UNAUTHORIZED, false)),
            ("28000", (codes::UNAUTHORIZED, false)),
            ("3D000", (codes::NOT_FOUND, false)),
            ("3F000", (codes::NOT_FOUND, false)),
            ("40001", (codes::CONFLICT, true)),
            ("40P01", (codes::CONFLICT, true)),
            ("42501", (codes::FORBIDDEN, false)),
            ("42601", (codes::VALIDATION_ERROR, false)),
            ("42P01", (codes::VALIDATION_ERROR, false)),
            ("53300", (codes::SERVICE_UNAVAILABLE, true)),
            ("55P03", (codes::CONFLICT, true)),
            ("57014", (codes::TIMEOUT, true)),
            ("57P01", (codes::SERVICE_UNAVAILABLE, true)),
            ("57P03", (codes::SERVICE_UNAVAILABLE, true)),
            ("58030", (codes::SERVICE_UNAVAILABLE, true)),
            ("P0001", (codes::VALIDATION_ERROR, false)),
            ("XX000", (codes::SERVICE_UNAVAILABLE, true)),
            ("", (codes::VALIDATION_ERROR, false)),
        ] {
            assert_eq!(meaning(state), expected, "{state}");
        }
    }
}
