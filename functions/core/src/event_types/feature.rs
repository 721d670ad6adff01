//! `feature`: steps in order. Input: any object.
//!
//! A step's input may refer to the feature's by `$Input{key}`, and to the result of a step before it by `$Sequence{step}{key}`, where
//! `step` is that step's tag, or its position from 1. Each step is tried as often as its `retries` say, with short pauses. One that
//! still fails ends the feature with its error, unless `allow_fail` says otherwise: the steps after it then find `null` in its
//! place. What is done is remembered, so that another attempt of the job goes on after the last step that ended; a crash repeats the
//! step that it met, and no other. Altogether the steps may bring 4 MiB.
//!
//! Result: `{output, steps: [{step, event, status, error?, truncated?}]}`, where `output` is what the feature's own `output` is filled
//! in to, or the last step's result, and `truncated` says that a step's result was larger than what is kept.

use std::borrow::Cow;

use serde_json::{Map, Value, json};

use super::context::{AttemptContext, Halt};
use super::filled::Filled;
use super::kind::EventKind;
use super::limits::Limits;
use super::needs::Needs;
use super::resolved::ResolvedEvent;
use super::tries::Named;
use crate::annotation::{self, Source, fill, outside, paths, walk};
use crate::catalog::{FeatureEvent, FeatureStep};
use crate::error::{Faults, FieldCode};
use crate::job::{Output, RunError, codes};
use crate::json::{Field, child, room_left};
use crate::ports::{Ports, Targets};
use crate::progress::Checkpointing;
use crate::progress::{PartOutcome, PartPath};

/// Maximum size of all results of a feature's steps, in bytes of JSON.
const MAX_BYTES: usize = 4 * 1024 * 1024;

const INPUT: &str = "$Input{";
const SEQUENCE: &str = "$Sequence{";

impl<'c> EventKind<'c> for FeatureEvent<'c> {
    const CHECKPOINTING: Checkpointing = Checkpointing::PerRun;

    /// Whatever the steps refer to has to be there, and what they are given has to fit as far as it is known.
    fn check(&self, env: Option<&str>, input: &Field<'_>) {
        let Some(_) = input.object() else { return };
        let given = Given(input.value());
        let templates = self.feature.steps.iter().map(FeatureStep::template).chain(self.feature.output.clone());
        let templates: Vec<Value> = templates.collect();
        let mut is_complete = true;
        for (index, template) in templates.iter().enumerate() {
            for path in paths(template, INPUT).into_iter().filter(|path| given.find(path).is_err()) {
                let who = self
                    .feature
                    .steps
                    .get(index)
                    .map_or("the output".to_owned(), |step| format!("step {}", step.name(index)));
                let pointer = path.iter().fold(String::new(), |pointer, name| child(&pointer, name));
                input.fault_inside(required(pointer, format!("is required: {who} refers to it")));
                is_complete = false;
            }
        }
        if !is_complete {
            return;
        }
        for (index, (step, template)) in self.feature.steps.iter().zip(&templates).enumerate() {
            // The result of an earlier step is not known yet.
            if !paths(template, SEQUENCE).is_empty() {
                continue;
            }
            let Some(resolved) = ResolvedEvent::find(self.catalog, step.event_ref()) else { continue };
            let faults = std::cell::RefCell::<Faults>::default();
            if let Some(filled) = fill(&Field::root(template, &faults), &[&given, &NoSequence]) {
                resolved.check(env, &Field::root(&resolved.input(&filled), &faults));
            }
            for fault in faults.take().into_vec() {
                let fault = outside(template, fault);
                input.fault(fault.code, format!("step {}: {} {}", step.name(index), fault.pointer, fault.detail));
            }
        }
    }

    fn needs(&self, env: &str, _: Option<&Value>) -> Result<Needs<'c>, String> {
        let steps = self.feature.steps.iter().map(|step| (step.event_ref(), Some(Cow::Owned(step.template()))));
        Needs::of_all(self.catalog, steps, env)
    }

    fn timeout_ms(&self, limits: &Limits) -> Option<u32> {
        let steps = self.feature.steps.iter();
        Some(limits.of_all(self.catalog, steps.map(|step| (step.event_ref(), step.retries, step.timeout))))
    }

    async fn run<P: Ports, T: Targets>(
        &self,
        attempt: &AttemptContext<'_, P, T>,
        at: &PartPath,
        input: Filled<'_>,
    ) -> Result<Output, Halt> {
        let input = input.value;
        let mut sequence = Sequence::default();
        for (index, step) in self.feature.steps.iter().enumerate() {
            let at = at.part(&(index + 1).to_string(), &step.asked());
            let outcome = match attempt.done(&at) {
                Some(done) => done,
                None => run_step(attempt, &at, (index, step), input, &sequence).await?,
            };
            sequence.push(index, step, outcome)?;
        }
        let Sequence { results, steps, last, .. } = sequence;
        let output = match &self.feature.output {
            Some(template) => {
                filled(template, input, &Sequence { results, ..Sequence::default() }, "the output")?.into()
            }
            None => last,
        };
        Ok(capped(output, &steps))
    }
}

fn required(pointer: String, detail: String) -> crate::error::FieldError {
    crate::error::FieldError { pointer, code: FieldCode::Required, detail }
}

/// Runs one step, and notes what became of it.
async fn run_step<P: Ports, T: Targets>(
    attempt: &AttemptContext<'_, P, T>,
    at: &PartPath,
    (index, step): (usize, &FeatureStep),
    input: &Value,
    sequence: &Sequence,
) -> Result<PartOutcome, Halt> {
    let name = step.name(index);
    let template = step.template();
    let ended = match filled(&template, input, sequence, &format!("step {name}")) {
        Ok(filled) => {
            let retries = step.retries.map_or(0, |retries| retries.0);
            let timeout_ms = step.timeout.map(|timeout| timeout.0);
            let wanted = Named { event: step.event_ref(), template: Some(&template), retries, timeout_ms };
            attempt.named(at, &wanted, &filled).await
        }
        Err(error) => Err(error.into()),
    };
    let outcome = match ended {
        Ok(output) => PartOutcome::Completed(output),
        Err(Halt::Failed(error)) if step.allow_fail => PartOutcome::Failed(error),
        Err(Halt::Failed(error)) => {
            let message = format!("step {name} ({}): {}", step.event, error.message);
            return Err(RunError { message, ..error }.into());
        }
        Err(halt) => return Err(halt),
    };
    attempt.note(at, outcome.clone()).await;
    Ok(outcome)
}

/// A template with what its annotations refer to.
fn filled(template: &Value, input: &Value, sequence: &Sequence, what: &str) -> Result<Value, RunError> {
    let faults = std::cell::RefCell::<Faults>::default();
    let filled = fill(&Field::root(template, &faults), &[&Given(input), sequence]).map(Cow::into_owned);
    filled.ok_or_else(|| {
        let detail = faults.borrow().first().map(|fault| format!("{} {}", fault.pointer, fault.detail));
        RunError::permanent(codes::VALIDATION_ERROR, format!("{what}: {}", detail.unwrap_or_default()))
    })
}

/// The result, without an output that is too large to be kept.
fn capped(output: Output, steps: &[Value]) -> Output {
    let said = json!({"output": null, "steps": steps});
    let is_too_large = room_left(&said, Output::MAX_BYTES).is_none_or(|room| room_left(&output.value, room).is_none());
    let value = if is_too_large { Value::Null } else { output.value };
    Output { value: json!({"output": value, "steps": steps}), truncated: output.truncated || is_too_large }
}

impl FeatureStep {
    /// The name of the step in `$Sequence{}`.
    fn name(&self, index: usize) -> String {
        self.tag.as_ref().map_or_else(|| (index + 1).to_string(), ToString::to_string)
    }

    /// Its input as the catalog writes it.
    fn template(&self) -> Value {
        Value::Object(self.input.clone().unwrap_or_default())
    }

    /// The request of the step as text, which is the same for the same step.
    fn asked(&self) -> String {
        let event = self.event_ref();
        let event_type = event.event_type.map(|event_type| event_type.to_string());
        json!([event.event, event_type, event.app, self.input]).to_string()
    }
}

/// The feature's input.
pub(super) struct Given<'v>(pub(super) &'v Value);

impl Source for Given<'_> {
    fn mark(&self) -> &'static str {
        INPUT
    }

    fn find(&self, path: &[&str]) -> Result<&Value, String> {
        walk(self.0, path).ok_or_else(|| format!("the input has nothing under $Input{{{}}}", path.join("}{")))
    }
}

/// The steps that have ended.
#[derive(Default)]
struct Sequence {
    /// By tag, and by position from 1.
    results: Map<String, Value>,
    /// The entry of each step in the result.
    steps: Vec<Value>,
    /// The last one's result.
    last: Output,
    /// The size of their results in bytes of JSON.
    bytes: usize,
}

impl Sequence {
    /// Adds the outcome of a step.
    ///
    /// # Errors
    ///
    /// If all results together are too large to be held in memory, which other jobs share.
    fn push(&mut self, index: usize, step: &FeatureStep, outcome: PartOutcome) -> Result<(), RunError> {
        let name = step.name(index);
        let mut said = json!({"step": name, "event": step.event, "status": "completed"});
        self.last = match outcome {
            PartOutcome::Completed(output) => output,
            PartOutcome::Failed(error) => {
                said["status"] = json!("failed");
                said["error"] = json!({"code": error.code, "message": error.message});
                Output::default()
            }
        };
        if self.last.truncated {
            said["truncated"] = json!(true);
        }
        self.steps.push(said);
        let value = &self.last.value;
        let taken = Output::MAX_BYTES.saturating_sub(room_left(value, Output::MAX_BYTES).unwrap_or(0));
        self.bytes = self.bytes.saturating_add(taken);
        if self.bytes > MAX_BYTES {
            let message = format!("the steps up to {name} have brought more than {MAX_BYTES} bytes");
            return Err(RunError::permanent(codes::VALIDATION_ERROR, message));
        }
        if step.tag.is_some() {
            self.results.insert((index + 1).to_string(), value.clone());
        }
        self.results.insert(name, value.clone());
        Ok(())
    }
}

impl Source for Sequence {
    fn mark(&self) -> &'static str {
        SEQUENCE
    }

    fn find(&self, path: &[&str]) -> Result<&Value, String> {
        let missing = || format!("no step before has brought anything under $Sequence{{{}}}", path.join("}{"));
        let (step, deeper) = path.split_first().ok_or_else(missing)?;
        let result = self.results.get(*step).ok_or_else(missing)?;
        // A failed step that may fail has no result.
        if result.is_null() { Ok(result) } else { annotation::walk(result, deeper).ok_or_else(missing) }
    }
}

/// Before anything has run.
struct NoSequence;

impl Source for NoSequence {
    fn mark(&self) -> &'static str {
        SEQUENCE
    }

    fn find(&self, _: &[&str]) -> Result<&Value, String> {
        Err("no step has run yet".to_owned())
    }
}
