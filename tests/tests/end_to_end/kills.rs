//! Functions that are killed again and again, at random moments, under load that never ends meanwhile.

use std::time::Duration;

use carillon_tests::deployment::executors::kill_all_of;
use carillon_tests::env::{epoch_ms, now, until};
use carillon_tests::kills::{Callers, Killed, app, check, seed};
use carillon_tests::random::Random;
use carillon_tests::receiver::Receiver;
use tokio::sync::watch;
use tokio::time::sleep;

use crate::alone;

/// Kills of the executor, and twice as many of the api.
const KILLS: usize = 12;
const CALLERS: u64 = 6;
/// Time between two requests of a caller.
const PACE: Duration = Duration::from_millis(100);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn functions_killed_at_36_random_moments_keep_every_guarantee() {
    let (deployment, _alone) = alone().await;
    let (mut random, begin) = (Random::new(seed()), now());
    let receiver = Receiver::start(app).await;
    let product = deployment.product("kills", receiver.address).await;
    let (_sender, client) = watch::channel(deployment.client.clone());
    let callers = Callers::start(CALLERS, &product, &client, PACE, random.bits());
    let mut killed = Vec::new();
    let (executor, api) = (&deployment.executor_function, &deployment.api_function);
    for function in [executor, api, api].repeat(KILLS) {
        // The emulator polls the queue no more for a second after a function has crashed.
        sleep(Duration::from_millis(random.between(100, 1_300) as u64)).await;
        let from = epoch_ms();
        let look = async || kill_all_of(function, deployment.session);
        until(format!("{function} is at work"), Duration::from_secs(10), look).await;
        killed.extend(Some(Killed { from, until: epoch_ms() }).filter(|_| function == executor));
    }
    let stopped = begin.elapsed();
    let journal = callers.rest().await;
    println!("{} kills in {stopped:?}, at rest after {:?}", 3 * KILLS, begin.elapsed());
    let figures = check(&deployment.client, &product, &journal, &receiver, &killed).await;
    println!("{figures}");
    assert!(figures.lost() > 0 && figures.unanswered > 0, "the kills met nothing that was under way");
}
