//! The targets: they answer, refuse, are silent, or take the executor along.

use carillon_core::ids::Fire;
use carillon_core::job::{Output, RunError, codes};
use carillon_core::ports::Targets;
use carillon_core::request::DispatchRequest;
use serde_json::{Value, json};

use crate::ports::{Sim, key_of, pass};
use crate::world::World;

/// The longest that a process stands still, ms.
const STANDSTILL_MS: usize = 50_000;
/// The field of a body that scripts its attempts.
const SCRIPT: &[u8] = b"\"script\"";
/// The key of the parts' luck.
const PART: u64 = 0x5041_5254;

impl Targets for Sim {
    /// A job's own temper, and the luck of each attempt, say how it goes.
    async fn dispatch(&self, call: DispatchRequest) -> Result<Output, RunError> {
        let (actor, shared, fire) = (self.actor(), &self.shared, call.id.fire);
        actor.live().await;
        let number = {
            let (mut world, now) = (shared.world(), shared.now());
            world.dispatches += 1;
            let World { tables, oracle, shelf, .. } = &mut *world;
            let stored = tables.jobs.get(&fire.job_id);
            oracle.dispatched(&call, stored, &actor, shelf, now);
            oracle.called(shelf, stored, &call, &actor, now);
            let number = world.dispatches;
            world.note(now, &actor.name, || format!("dispatches {}, attempt {}", call.id, call.attempt));
            number
        };
        // A part has a temper of its own, and each of its tries another luck.
        let (of_part, of_try) = match call.id.place.as_str() {
            "" => (0, 0),
            place => (place_key(place), number << 32),
        };
        let of_job = key_of(Fire { generation: 0, run_no: 0, ..fire });
        let temper = shared.dice.roll(of_job ^ of_part, 0).below(12);
        let mut random = shared.dice.roll(key_of(fire) ^ of_part, of_try | u64::from(call.attempt));
        let timeout_ms = u64::from(call.timeout_ms);
        let slow_ms = u64::try_from(random.below(call.timeout_ms as usize)).unwrap_or(0);
        let takes_ms = if random.once_in(8) { slow_ms } else { [0, 2, 40, 200][random.below(4)].min(timeout_ms) };
        let refused = || Err(RunError::transient(codes::SERVICE_UNAVAILABLE, format!("dispatch {number}")));
        let succeeded = || Ok(Output { value: json!({"dispatch": number}), truncated: false });
        let (temper, luck) = scripted(&call).unwrap_or((temper, random.below(4)));
        if temper == 11 && luck < 3 && shared.plan.faults_in_10_000 > 0 {
            self.shared.world().count("crash at the target");
            return self.die(&actor).await;
        }
        let (takes_ms, answer) = match (temper, luck) {
            (0..=5, _) | (6..=8, 0 | 1) => (takes_ms, succeeded()),
            (6..=8, 2) | (9, 0 | 1) | (11, _) => (takes_ms, refused()),
            (6..=9, 3) => (timeout_ms, Err(RunError::transient(codes::TIMEOUT, format!("dispatch {number}")))),
            _ => (takes_ms, Err(RunError::permanent(codes::VALIDATION_ERROR, format!("dispatch {number}")))),
        };
        // A process that stands still for a while is as good as dead, and finds others at its work when it continues.
        let stands_still = shared.plan.faults_in_10_000 > 0 && !shared.plan.is_calm(shared.now()) && random.once_in(6);
        let still_ms = if stands_still { random.below(STANDSTILL_MS) } else { 0 };
        if stands_still {
            shared.world().count("process stands still");
        }
        pass(takes_ms + u64::try_from(still_ms).unwrap_or(0)).await;
        actor.live().await;
        let (mut world, now) = (shared.world(), shared.now());
        world.oracle.answered(&call.id, &answer, actor.id, now);
        let how = if answer.is_ok() { "succeeded" } else { "failed" };
        world.note(now, &actor.name, || format!("{} {how} at the target", call.id));
        answer
    }

    async fn pause(&self, ms: u32) {
        let actor = self.actor();
        pass(ms.into()).await;
        actor.live().await;
    }
}

/// The key of what is drawn for a part.
fn place_key(place: &str) -> u64 {
    place.bytes().fold(PART, |key, byte| key << 8 ^ u64::from(byte) ^ key >> 56)
}

/// The script of the job's own body for this attempt, if any: `"script": ["refuse", "succeed"]`, whose last word
/// holds for all later ones.
fn scripted(call: &DispatchRequest) -> Option<(usize, usize)> {
    let body = &call.request.http()?.body;
    if !body.windows(SCRIPT.len()).any(|window| window == SCRIPT) {
        return None;
    }
    let body: Value = serde_json::from_slice(body).ok()?;
    let words = body["script"].as_array()?;
    let word = words.get(call.attempt as usize - 1).or(words.last())?;
    Some(if word == "succeed" { (0, 0) } else { (9, 0) })
}
