//! Statements of databases: text with placeholders, which are always bound and never spliced.
//!
//! `{{name:TYPE:min:max}}` stands where a value goes. All but the name may be left out; a `?` after the name marks a value that
//! may be absent, and is NULL then.
//!
//! | type | value | min and max bound |
//! | --- | --- | --- |
//! | STRING, the default | a text | its length, characters |
//! | INTEGER | a whole number of 64 bits | its value |
//! | DOUBLE | a number | its value |
//! | NUMERIC | a number, or a decimal number as a text, of any precision | its value |
//! | BOOLEAN | true or false | |
//! | UUID | a UUID as a text | |
//! | TIMESTAMP | an instant, RFC 3339 | |
//! | DATE | a day, `YYYY-MM-DD` | |
//! | JSON | any JSON value | |
//! | BYTES | base64 | their number |
//!
//! A name may stand more than once: each time alike, or without its type after the first. What is inside of quotes, dollar
//! quotes and comments is left alone, and may hold no placeholder; the parameters of a database's own (`$1`) may not be
//! mixed in.

mod placeholder;
mod scan;

pub use placeholder::{Kind, Placeholder};

use schemars::JsonSchema;

use self::placeholder::Mention;
use self::scan::{Scanner, Span};
use crate::error::FieldCode;
use crate::json::{Field, Read};

/// A statement, taken apart.
#[derive(Clone, Debug, JsonSchema)]
#[schemars(with = "StatementSchema")]
pub struct Statement {
    /// Text, each with the placeholder that follows it.
    pieces: Vec<(String, usize)>,
    /// The text after the last placeholder.
    tail: String,
    placeholders: Vec<Placeholder>,
    /// Text that some databases treat as parameters.
    pub(super) natives: Natives,
    /// The word that says what it does, in upper case.
    pub(super) verb: String,
}

#[derive(JsonSchema)]
#[expect(dead_code, reason = "only its schema is used")]
struct StatementSchema(#[schemars(length(min = 1, max = 65_536))] String);

/// Text that some databases treat as parameters, and others do not.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Natives {
    /// `?`, as of PartiQL.
    pub(super) question_mark: bool,
    /// `:name`, as of the RDS Data API.
    pub(super) colon: bool,
}

impl Statement {
    /// Takes a statement apart.
    ///
    /// # Errors
    /// The first thing that is wrong with it, in words.
    ///
    /// ```
    /// use carillon_core::catalog::Statement;
    /// let statement = Statement::parse("UPDATE orders SET open = false WHERE id = {{id:UUID}}").unwrap();
    /// assert_eq!(statement.placeholders()[0].name, "id");
    /// assert_eq!(statement.spelled(|index| format!("${}", index + 1)), "UPDATE orders SET open = false WHERE id = $1");
    /// assert!(Statement::parse("SELECT '{{id}}'").unwrap_err().1.contains("quotes"));
    /// ```
    pub fn parse(text: &str) -> Result<Self, (FieldCode, String)> {
        let malformed = |detail: String| (FieldCode::Malformed, detail);
        let mut scanner = Scanner::new(text);
        let (mut pieces, mut before, mut mentions) = (Vec::new(), String::new(), Vec::new());
        while let Some(span) = scanner.next_span().map_err(malformed)? {
            match span {
                Span::Text(text) => before.push_str(text),
                Span::Placeholder(inside) => {
                    let mention = Mention::parse(inside).map_err(malformed)?;
                    let index = placeholder::settle(&mut mentions, mention)?;
                    pieces.push((std::mem::take(&mut before), index));
                }
            }
        }
        let placeholders = mentions.into_iter().map(Mention::settled).collect();
        let natives = scanner.natives;
        Ok(Self { pieces, tail: before, placeholders, natives, verb: scanner.into_verb() })
    }

    /// The bound values, in the order of their first mention.
    pub fn placeholders(&self) -> &[Placeholder] {
        &self.placeholders
    }

    /// The placeholder of each mention, by its position in [`Self::placeholders`].
    pub fn mentions(&self) -> impl Iterator<Item = usize> {
        self.pieces.iter().map(|(_, index)| *index)
    }

    /// The statement with each mention as a database spells its parameters.
    pub fn spelled(&self, parameter: impl Fn(usize) -> String) -> String {
        let mut spelled = String::new();
        for (before, index) in &self.pieces {
            spelled.push_str(before);
            spelled.push_str(&parameter(*index));
        }
        spelled + &self.tail
    }
}

impl Read for Statement {
    fn read(field: &Field<'_>) -> Option<Self> {
        let text = field.text(1..=65_536)?;
        Self::parse(&text).map_err(|(code, detail)| field.fault(code, detail)).ok()
    }
}

#[cfg(test)]
mod tests;
