//! Servers that are killed again and again, at random points of their lives, under load that never ends meanwhile: real
//! processes on real folders. What must hold then is what [`carillon_tests::kills::check`] says.

use std::time::Duration;

use carillon_tests::client::{catalog, job};
use carillon_tests::env::{epoch_ms, now, until, variable};
use carillon_tests::kills::{Callers, Figures, Killed, app, check, seed};
use carillon_tests::process::{Launch, Server};
use carillon_tests::random::Random;
use carillon_tests::receiver::Receiver;
use futures_util::future::join_all;
use tokio::sync::watch;
use tokio::time::sleep;

/// Folders with a server each, at the same time.
const FOLDERS: usize = 4;
/// Kills, all folders together; `CARILLON_KILLS` asks for another number.
const KILLS: usize = 220;
/// Timeout for something that happens at once on an idle machine.
const SOON: Duration = Duration::from_secs(30);
const CALLERS: u64 = 4;
/// Time between two requests of a caller.
const PACE: Duration = Duration::from_millis(50);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn servers_killed_at_200_random_points_keep_every_guarantee() {
    let (seed, begin) = (seed(), now());
    let kills = variable("CARILLON_KILLS").map_or(KILLS, |kills| kills.parse().expect("a number of kills"));
    let of_each = kills.div_ceil(FOLDERS);
    let folders = (0..FOLDERS as u64).map(|number| besieged(Random::of_case(seed, number).bits(), of_each));
    let figures = join_all(folders).await;
    println!("{} kills of {FOLDERS} servers in {:?}", of_each * FOLDERS, begin.elapsed());
    for figures in &figures {
        println!("{figures}");
    }
    let lost: usize = figures.iter().map(Figures::lost).sum();
    assert!(lost > kills / 10, "the kills met too little that was under way: {lost} attempts");
}

/// A folder whose server is killed a number of times.
async fn besieged(seed: u64, kills: usize) -> Figures {
    let folder = tempfile::tempdir().expect("a folder");
    let receiver = Receiver::start(app).await;
    let launch = Launch::on(folder.path()).allow(receiver.address);
    let mut random = Random::new(seed);
    let mut killed = Vec::new();
    // A folder that is killed while it is made is one as well.
    for _ in 0..3 {
        killed.push(kill_at_start(&launch, &mut random).await);
    }
    let mut server = launch.start().await;
    server.client.put("/v1/products/p", &catalog(receiver.address)).await.json(201);
    let (api, client) = watch::channel(server.client.clone());
    let callers = Callers::start(CALLERS, "p", &client, PACE, seed);
    while killed.len() < kills {
        sleep(life(&mut random)).await;
        killed.push(kill(server).await);
        while killed.len() < kills && random.once_in(3) {
            killed.push(kill_at_start(&launch, &mut random).await);
        }
        server = launch.start().await;
        api.send_replace(server.client.clone());
    }
    let journal = callers.rest().await;
    let figures = check(&server.client, "p", &journal, &receiver, &killed).await;
    a_start_changes_nothing_that_rests(&launch, server, &receiver).await;
    figures
}

/// Lifetime of a server once it serves: half of them hardly begin to work on what they found.
fn life(random: &mut Random) -> Duration {
    let most = if random.once_in(2) { 60 } else { 1_000 };
    Duration::from_millis(random.between(1, most) as u64)
}

async fn kill(server: Server) -> Killed {
    let from = epoch_ms();
    server.kill().await;
    Killed { from, until: epoch_ms() }
}

/// Kills a server that has hardly begun to start.
async fn kill_at_start(launch: &Launch, random: &mut Random) -> Killed {
    let from = epoch_ms();
    launch.start_and_kill(Duration::from_micros(random.between(500, 60_000) as u64)).await;
    Killed { from, until: epoch_ms() }
}

/// Ended jobs stay as they are through another start: a fire that came back would come before the new job.
async fn a_start_changes_nothing_that_rests(launch: &Launch, server: Server, receiver: &Receiver) {
    let (before, counts) = (server.client.jobs("p", None).await, receiver.counts());
    server.kill().await;
    let server = launch.start().await;
    let client = &server.client;
    let new = client.schedule(&job("p", 2, 0)).await;
    until("the new job has ended", SOON, async || (!client.has_open_jobs("p").await).then_some(())).await;
    let after = client.jobs("p", None).await;
    assert_eq!(after[0]["job_id"], new);
    assert!(after[1..] == *before, "a job that rested was changed by a start");
    let mut counted = receiver.counts();
    counted.retain(|fire, _| !fire.starts_with(&new));
    assert!(counted == counts, "a fire that had its outcome was dispatched again");
}
