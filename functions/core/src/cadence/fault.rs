//! Errors in cron expressions.

/// An error in a cron expression, with its place.
///
/// ```
/// use carillon_core::cadence::Cron;
/// let fault = Cron::parse("0 25 * * *").unwrap_err();
/// assert_eq!((fault.field, fault.at), (Some("hour"), 3));
/// assert_eq!(
///     fault.to_string(),
///     "The hour field is wrong at character 3: 25 is out of range; it takes 0 to 23, *, lists 1,2, ranges 1-5 and steps */5."
/// );
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CronFault {
    /// The wrong field: `second`, `minute`, `hour`, `day of month`, `month` or `day of week`. None if the expression as a
    /// whole is wrong.
    pub field: Option<&'static str>,
    /// The place of the wrong character, from 1; one past the last if something is missing at the end.
    pub at: usize,
    /// The problem, and the allowed values and forms.
    pub detail: String,
}

impl std::fmt::Display for CronFault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.field {
            Some(field) => write!(f, "The {field} field")?,
            None => f.write_str("The expression")?,
        }
        write!(f, " is wrong at character {}: {}.", self.at, self.detail)
    }
}

impl std::error::Error for CronFault {}
