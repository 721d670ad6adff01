//! Checks that the answers to its parts explain the outcome of a composite event.

use carillon_core::job::{RunError, codes};
use carillon_core::progress::{Counted, FallbackId, PartOutcome};
use carillon_core::time::UnixMillis;
use serde_json::{Value, json};

use crate::composites::Claim;
use crate::kinds::{Kind, Member, Quota, SUMMED_UP};
use crate::spot::{Spot, within};

/// The error of an option that had no time left.
const LATE: &str = "no time was left for it";
/// The shortest time that an attempt may have, ms.
const MIN_MS: i64 = 400;

impl Claim {
    /// True if an attempt fails by itself: the store was unreachable, or its time was over.
    pub(super) fn is_its_own(&self, error: &RunError, now: UnixMillis, met_fault: bool) -> bool {
        match error.message.as_str() {
            "the store did not take or give what belongs to the run" => met_fault,
            LATE => now.since(self.at) >= MIN_MS,
            _ => false,
        }
    }

    /// True if this is the result of an event at this place.
    pub(super) fn brings(&self, event: &str, place: &str, outcome: Result<&Value, &RunError>) -> bool {
        match (Kind::of(event), outcome) {
            (Kind::Action, _) => {
                let answers = self.answers.get(place).into_iter().flatten();
                answers.map(Result::as_ref).any(|answer| answer == outcome)
            }
            (Kind::Quota(quota), Ok(value)) => self.counted(quota, place, value),
            (Kind::Quota(quota), Err(error)) => self.uncounted(quota, place, error),
            // Its own time was over.
            (Kind::Fallback(_) | Kind::Feature(_), Err(error)) if error.message == LATE => error.code == codes::TIMEOUT,
            (Kind::Fallback(options), Ok(value)) => self.chose(options, place, value),
            (Kind::Fallback(options), Err(error)) => {
                let is_last = |(index, option): (usize, &Member)| {
                    let own = without(error, &format!("every option failed, at last {}: ", option.event));
                    own.is_some_and(|own| self.brings(option.event, &within(place, index), Err(&own)))
                };
                let is_unmarked = error.message == "the store did not take the option's health" && error.retryable;
                is_unmarked && self.asked() != "trigger" || options.iter().enumerate().any(is_last)
            }
            (Kind::Feature(_), Ok(value)) => self.went_through(event, place, value),
            (Kind::Feature(steps), Err(error)) => {
                let ends_it = |(index, step): (usize, &Member)| {
                    let own = without(error, &format!("step {} ({}): ", step.name(index), step.event));
                    let place = within(place, index);
                    let is_open = !step.may_fail && !self.ended.contains_key(&place);
                    is_open && own.is_some_and(|own| self.brings(step.event, &place, Err(&own)))
                };
                steps.iter().enumerate().any(ends_it)
            }
        }
    }

    /// The action that the job asks for.
    fn asked(&self) -> &str {
        self.job.spec.input["action"].as_str().unwrap_or("trigger")
    }

    /// The amount that is requested of a quota.
    pub(super) fn amount(&self, place: &str) -> u64 {
        let step = Spot::of(&self.job.spec.event, place).and_then(|spot| spot.member);
        step.map_or_else(|| self.job.spec.input["amount"].as_u64().unwrap_or(1), Member::amount)
    }

    fn counted(&self, quota: &Quota, place: &str, value: &Value) -> bool {
        let amount = if self.asked() == "check" { self.amount(place) } else { 0 };
        self.counted.get(place).into_iter().flatten().any(|told| match *told {
            Counted::Counted { used } => {
                let left = quota.limit.saturating_sub(used);
                let is_so = (&value["used"], &value["limit"], &value["remaining"]);
                is_so == (&json!(used), &json!(quota.limit), &json!(left)) && used + amount <= quota.limit
            }
            Counted::Over { .. } => false,
        })
    }

    fn uncounted(&self, quota: &Quota, place: &str, error: &RunError) -> bool {
        let mut told = self.counted.get(place).into_iter().flatten();
        match error.code.as_str() {
            codes::QUOTA_EXCEEDED => told.any(|told| {
                let used = match *told {
                    Counted::Over { used } => used,
                    Counted::Counted { used } if self.asked() == "check" => used,
                    Counted::Counted { .. } => return false,
                };
                used + self.amount(place) > quota.limit
                    && error.message.starts_with(&format!("{used} of {} are used", quota.limit))
            }),
            codes::INTERNAL_ERROR | codes::RATE_LIMITED => {
                error.message == "the counter could not be reached" && self.unreached.contains(place)
            }
            _ => false,
        }
    }

    /// A fallback's result names an option that succeeded, and those that failed before.
    fn chose(&self, options: &[Member], place: &str, value: &Value) -> bool {
        match self.job.spec.input["action"].as_str() {
            Some("reset") => return *value == json!({"reset": true}),
            Some("update") => {
                let asked = &self.job.spec.input;
                return *value == json!({"option": asked["option"], "healthy": asked["healthy"]});
            }
            _ => {}
        }
        let named = |name: &Value| options.iter().position(|option| name == option.event);
        // One that has succeeded before stays the one.
        let before =
            options.iter().enumerate().find_map(|(index, option)| match self.ended.get(&within(place, index)) {
                Some(PartOutcome::Completed(output)) => Some((index, option, &output.value)),
                _ => None,
            });
        if let Some((index, option, output)) = before {
            let said = json!({"option": option.event, "position": index + 1, "output": output, "failed": []});
            if *value == said {
                return true;
            }
        }
        let has_failed = |one: &Value| {
            named(&one["option"]).is_some_and(|index| {
                let answers = self.answers.get(&within(place, index)).into_iter().flatten();
                let mut errors = answers.filter_map(|answer| answer.as_ref().err());
                errors.any(|error| one["error"] == json!({"code": error.code, "message": error.message}))
            })
        };
        named(&value["option"]).is_some_and(|index| {
            value["position"] == index + 1
                && self.brings(options[index].event, &within(place, index), Ok(&value["output"]))
                && value["failed"].as_array().is_some_and(|failed| failed.iter().all(has_failed))
        })
    }

    /// A feature's result lists how each step ended, and the last step's result or the feature's output.
    fn went_through(&self, event: &str, place: &str, value: &Value) -> bool {
        let Kind::Feature(steps) = Kind::of(event) else { return false };
        let last = steps.len() - 1;
        // The last one need not be noted: what comes after it is the outcome itself.
        let unnoted = |index: usize| self.told.get(&within(place, index)).filter(|_| index == last);
        let ended = |index: usize| self.ended.get(&within(place, index)).or_else(|| unnoted(index));
        let brought = |index: usize| match ended(index) {
            Some(PartOutcome::Completed(output)) => output.value.clone(),
            _ => Value::Null,
        };
        let said = steps.iter().enumerate().map(|(index, step)| {
            let mut said = json!({"step": step.name(index), "event": step.event, "status": "completed"});
            if let Some(PartOutcome::Failed(error)) = ended(index) {
                said["status"] = "failed".into();
                said["error"] = json!({"code": error.code, "message": error.message});
            }
            said
        });
        let output = match event {
            SUMMED_UP => json!({"first": brought(0), "last": brought(last)}),
            _ => brought(last),
        };
        let has_all = (0..steps.len()).all(|index| ended(index).is_some());
        has_all && *value == json!({"output": output, "steps": said.collect::<Vec<_>>()})
    }

    /// True if the attempt may mark or clear an option.
    pub(super) fn says(&self, name: &FallbackId, option: &str, fails: bool) -> bool {
        let spec = &self.job.spec;
        if spec.product != name.product {
            return false;
        }
        match spec.input["action"].as_str() {
            Some("reset") => return spec.event == name.tag && !fails,
            Some("update") => {
                let said = (&spec.input["option"], &spec.input["healthy"]);
                return spec.event == name.tag && said == (&json!(option), &json!(!fails));
            }
            _ => {}
        }
        self.answers.iter().any(|(place, answers)| {
            let spot = Spot::of(&spec.event, place);
            spot.is_some_and(|spot| spot.is_option(&name.tag, option))
                && answers.last().is_some_and(|answer| answer.is_err() == fails)
        })
    }
}

/// An error as it was before its message began like this.
fn without(error: &RunError, beginning: &str) -> Option<RunError> {
    let message = error.message.strip_prefix(beginning)?.to_owned();
    Some(RunError { message, ..error.clone() })
}
