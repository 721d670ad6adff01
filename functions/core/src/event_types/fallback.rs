//! `fallback`: options in order, until one succeeds. Input: {action?, input?, option?, healthy?}.
//!
//! | action | what it does | result |
//! | --- | --- | --- |
//! | `trigger`, the default | tries the options, each as often as its `retries` say, with short pauses; `input` is theirs | `{option, position, output, failed: [{option, error}]}` |
//! | `update` | says whether an `option` is `healthy`: one that is not is tried last for a minute | `{option, healthy}` |
//! | `reset` | every option counts as healthy again | `{reset: true}` |
//!
//! An option whose own `input` is given refers to the job's by `$Input{key}`; otherwise it gets that as it is. An option that has just
//! failed is tried last for a minute, by every executor. One that hangs leaves time for a try of each of the others. When all fail, the
//! run fails with the error of the last one that was tried.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::VecDeque;

use serde_json::{Value, json};

use super::context::{AttemptContext, Halt};
use super::feature::Given;
use super::filled::Filled;
use super::kind::EventKind;
use super::limits::Limits;
use super::needs::Needs;
use super::resolved::ResolvedEvent;
use super::tries::Named;
use crate::annotation::{fill, outside};
use crate::catalog::{Catalog, Fallback, FallbackEvent, FallbackOption};
use crate::error::{Faults, FieldCode};
use crate::job::{Output, RunError, codes};
use crate::json::{Field, room_left};
use crate::ports::{Clock, FallbackHealth, Ports, Targets};
use crate::progress::Checkpointing;
use crate::progress::{FallbackId, PartOutcome, PartPath};
use crate::time::UnixMillis;

/// Time for which a failed option is tried last, ms.
const TRIED_LAST_MS: i64 = 60_000;

impl<'c> EventKind<'c> for FallbackEvent<'c> {
    const CHECKPOINTING: Checkpointing = Checkpointing::PerRun;

    /// Also as each option would get it.
    fn check(&self, env: Option<&str>, input: &Field<'_>) {
        match Input::read(input) {
            Some(Input::Trigger(given)) => {
                let at = input.object().and_then(|mut object| object.optional("input"));
                let at = at.as_ref().unwrap_or(input);
                for option in &self.fallback.options {
                    check_option(self.catalog, option, env, &given, at);
                }
            }
            Some(Input::Update { option, .. }) if !self.fallback.options.iter().any(|known| known.event == option) => {
                input.fault_at("option", FieldCode::UnknownTag, "the fallback has no such option");
            }
            _ => {}
        }
    }

    fn needs(&self, env: &str, input: Option<&Value>) -> Result<Needs<'c>, String> {
        let given = input.map(|input| input.get("input").unwrap_or(&Value::Null));
        let options = self.fallback.options.iter().map(|option| (option.event_ref(), option.known(given)));
        Needs::of_all(self.catalog, options, env)
    }

    fn timeout_ms(&self, limits: &Limits) -> Option<u32> {
        let options = self.fallback.options.iter();
        Some(limits.of_all(self.catalog, options.map(|option| (option.event_ref(), option.retries, option.timeout))))
    }

    async fn run<P: Ports, T: Targets>(
        &self,
        attempt: &AttemptContext<'_, P, T>,
        at: &PartPath,
        input: Filled<'_>,
    ) -> Result<Output, Halt> {
        let spec = &attempt.job.spec;
        let (product, env, tag) = (spec.product.clone(), spec.env.clone(), self.tag.to_string());
        let name = FallbackId { product, env, tag };
        match input.read(Input::read)? {
            Input::Trigger(input) => trigger(attempt, at, (&name, self.fallback), &input).await,
            Input::Update { option, healthy } => {
                attempt.begin().await?;
                mark(attempt, &name, &option, !healthy).await?;
                Ok(json!({"option": option, "healthy": healthy}).into())
            }
            Input::Reset => {
                attempt.begin().await?;
                for option in &self.fallback.options {
                    mark(attempt, &name, &option.event, false).await?;
                }
                Ok(json!({"reset": true}).into())
            }
        }
    }
}

/// The job's input.
enum Input {
    Trigger(Value),
    Update { option: String, healthy: bool },
    Reset,
}

#[derive(Clone, Copy)]
enum Action {
    Trigger,
    Update,
    Reset,
}

impl Input {
    fn read(field: &Field<'_>) -> Option<Self> {
        let mut object = field.object()?;
        let words = [("trigger", Action::Trigger), ("update", Action::Update), ("reset", Action::Reset)];
        let action = object.optional("action").map_or(Some(Action::Trigger), |field| field.one_of(&words));
        let read = match action? {
            Action::Trigger => {
                let input = object.optional("input");
                let input = input.map_or(Some(json!({})), |input| input.object().map(|_| input.value().clone()));
                input.map(Self::Trigger)
            }
            Action::Update => {
                let option = object.required("option").and_then(|field| field.text(1..=200));
                let healthy = object.required("healthy").and_then(|field| field.boolean());
                option.zip(healthy).map(|(option, healthy)| Self::Update { option, healthy })
            }
            Action::Reset => Some(Self::Reset),
        };
        object.finish();
        read
    }
}

fn check_option(catalog: &Catalog, option: &FallbackOption, env: Option<&str>, input: &Value, at: &Field<'_>) {
    let (faults, template) = (RefCell::<Faults>::default(), option.template(input));
    let filled = match &option.input {
        Some(_) => fill(&Field::root(&template, &faults), &[&Given(input)]),
        None => Some(Cow::Borrowed(&template)),
    };
    if let (Some(filled), Some(resolved)) = (filled, ResolvedEvent::find(catalog, option.event_ref())) {
        resolved.check(env, &Field::root(&resolved.input(&filled), &faults));
    }
    for fault in faults.take().into_vec() {
        let detail = format!("{}, for the option {}", fault.detail, option.event);
        match option.input {
            Some(_) => at.fault(fault.code, format!("{} {detail}", outside(&template, fault).pointer)),
            None => at.fault_inside(crate::error::FieldError { detail, ..fault }),
        }
    }
}

async fn trigger<P: Ports, T: Targets>(
    attempt: &AttemptContext<'_, P, T>,
    at: &PartPath,
    (name, fallback): (&FallbackId, &Fallback),
    input: &Value,
) -> Result<Output, Halt> {
    // The order of options only saves time: without an answer they keep their order.
    let failing = attempt.ports.progress().failing(name).await.unwrap_or_default();
    let now = attempt.ports.clock().now();
    let is_failing = |option: &FallbackOption| failing.get(&option.event).is_some_and(|until| *until > now);
    let (last, first): (Vec<_>, Vec<_>) =
        fallback.options.iter().enumerate().partition(|(_, option)| is_failing(option));
    let place = |index: usize, option: &FallbackOption| at.part(&(index + 1).to_string(), &option.event);
    // An option that has succeeded is kept even if its mark could not be stored.
    for (index, option) in fallback.options.iter().enumerate() {
        if let Some(PartOutcome::Completed(output)) = attempt.done(&place(index, option)) {
            return Ok(result((index, option), output, &[]));
        }
    }
    let mut left = first.into_iter().chain(last).collect::<VecDeque<_>>();
    let (mut failed, mut error) = (Vec::new(), None);
    while let Some((index, option)) = left.pop_front() {
        let at = place(index, option);
        let share = share(attempt, left.iter().map(|(_, later)| *later));
        let ended = try_option(&attempt.within(share), &at, option, input).await;
        match attempt.judged(ended) {
            Ok(output) => {
                attempt.note(&at, PartOutcome::Completed(output.clone())).await;
                if is_failing(option) {
                    let _ = mark(attempt, name, &option.event, false).await;
                }
                return Ok(result((index, option), output, &failed));
            }
            Err(Halt::Failed(one)) => {
                let _ = mark(attempt, name, &option.event, true).await;
                failed.push(json!({"option": option.event, "error": {"code": one.code, "message": one.message}}));
                let message = format!("every option failed, at last {}: {}", option.event, one.message);
                error = Some(RunError { message, ..one });
            }
            Err(halt) => return Err(halt),
        }
    }
    let none = || RunError::permanent(codes::VALIDATION_ERROR, "the fallback has no option");
    Err(error.unwrap_or_else(none).into())
}

/// Timeout of an option, ms: one that hangs leaves a try to each option after it, or its share of the time.
fn share<'c, P: Ports, T: Targets>(
    attempt: &AttemptContext<'_, P, T>,
    later: impl ExactSizeIterator<Item = &'c FallbackOption>,
) -> u32 {
    let left_ms = attempt.left_ms();
    let even = left_ms / u32::try_from(later.len()).unwrap_or(u32::MAX).saturating_add(1);
    let reserved = later.fold(0_u32, |all, option| all.saturating_add(attempt.one_try(&option.named(None))));
    left_ms.saturating_sub(reserved).max(even)
}

async fn try_option<P: Ports, T: Targets>(
    attempt: &AttemptContext<'_, P, T>,
    at: &PartPath,
    option: &FallbackOption,
    input: &Value,
) -> Result<Output, Halt> {
    let (faults, template) = (RefCell::<Faults>::default(), option.template(input));
    let filled = match &option.input {
        Some(_) => fill(&Field::root(&template, &faults), &[&Given(input)]).map(Cow::into_owned),
        None => Some(template.clone()),
    };
    let unfilled = || RunError::permanent(codes::VALIDATION_ERROR, "its input refers to what the job does not give");
    let own = option.input.as_ref().map(|_| &template);
    attempt.named(at, &option.named(own), &filled.ok_or_else(unfilled)?).await
}

/// Says of an option that it fails, or that it does not.
async fn mark<P: Ports, T: Targets>(
    attempt: &AttemptContext<'_, P, T>,
    name: &FallbackId,
    option: &str,
    fails: bool,
) -> Result<(), RunError> {
    let until = if fails { attempt.ports.clock().now().plus(TRIED_LAST_MS) } else { UnixMillis(0) };
    let marked = attempt.ports.progress().mark(name, option, until).await;
    marked.map_err(|_| RunError::transient(codes::INTERNAL_ERROR, "the store did not take the option's health"))
}

fn result((index, option): (usize, &FallbackOption), output: Output, failed: &[Value]) -> Output {
    let is_too_large = room_left(&output.value, Output::MAX_BYTES).is_none();
    let value = if is_too_large { Value::Null } else { output.value };
    let value = json!({"option": option.event, "position": index + 1, "output": value, "failed": failed});
    Output { value, truncated: output.truncated || is_too_large }
}

impl FallbackOption {
    /// The known part of an option's input.
    fn known<'v>(&self, given: Option<&'v Value>) -> Option<Cow<'v, Value>> {
        let own = self.input.clone().map(|input| Cow::Owned(Value::Object(input)));
        own.or_else(|| given.map(Cow::Borrowed))
    }

    fn named<'c>(&'c self, template: Option<&'c Value>) -> Named<'c> {
        let retries = self.retries.map_or(0, |retries| retries.0);
        let timeout_ms = self.timeout.map(|timeout| timeout.0);
        Named { event: self.event_ref(), template, retries, timeout_ms }
    }

    fn template(&self, input: &Value) -> Value {
        self.input.clone().map_or_else(|| input.clone(), Value::Object)
    }
}
