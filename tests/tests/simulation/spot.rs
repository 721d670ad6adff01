//! The place of a part in a composite event.

use crate::kinds::{Kind, Member};

/// The place of a part in an event.
pub(crate) struct Spot {
    pub(crate) kind: Kind,
    /// Maximum number of tries in one attempt.
    pub(crate) tries: u32,
    /// The step that it belongs to, of each feature that it is in, the outermost first.
    pub(crate) steps: Vec<Step>,
    /// The option that it belongs to, the fallback's tag, and all of them.
    pub(crate) option: Option<(usize, String, &'static [Member])>,
    /// The step or the option that it is.
    pub(crate) member: Option<&'static Member>,
}

/// The place of a step.
pub(crate) struct Step {
    /// The place of its feature.
    pub(crate) whole: String,
    pub(crate) index: usize,
    /// All steps of that.
    pub(crate) of: &'static [Member],
}

/// A member's place within that of the whole.
pub(crate) fn within(place: &str, index: usize) -> String {
    if place.is_empty() { (index + 1).to_string() } else { format!("{place}_{}", index + 1) }
}

impl Spot {
    /// The place, if the event has it.
    pub(crate) fn of(event: &str, place: &str) -> Option<Self> {
        let (mut tag, mut kind) = (event, Kind::of(event));
        let (mut tries, mut steps, mut option, mut at) = (1, Vec::new(), None, String::new());
        let mut last = None;
        for number in place.split('_').filter(|number| !number.is_empty()) {
            let index = number.parse::<usize>().ok()?.checked_sub(1)?;
            let members = match kind {
                Kind::Feature(of) => {
                    steps.push(Step { whole: at.clone(), index, of });
                    of
                }
                Kind::Fallback(options) => {
                    option = Some((index, tag.to_owned(), options));
                    options
                }
                Kind::Action | Kind::Quota(_) => return None,
            };
            let member = members.get(index)?;
            tries *= member.retries + 1;
            at = within(&at, index);
            last = Some(member);
            (tag, kind) = (member.event, Kind::of(member.event));
        }
        Some(Self { kind, tries, steps, option, member: last })
    }

    /// True if it is this option of a fallback.
    pub(crate) fn is_option(&self, fallback: &str, event: &str) -> bool {
        let option = self.option.as_ref();
        option.is_some_and(|(index, tag, options)| tag == fallback && options[*index].event == event)
    }
}
