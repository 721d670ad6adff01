//! Connections that are kept from one job to the next.

use std::net::SocketAddr;

use carillon_tests::postgres::Server;
use futures_util::future::join_all;
use serde_json::json;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use super::World;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_is_used_again_clean_and_replaced_when_its_server_went() {
    let mut server = Server::start(None).await;
    let world = World::start(
        &server,
        &[
            ("pid", "SELECT pg_backend_pid() AS pid"),
            ("soil", "SELECT set_config('app.secret', 'left behind', false), set_config('role', 'pg_monitor', false), pg_advisory_lock(7)"),
            (
                "look",
                "SELECT current_setting('app.secret', true) AS secret, current_user AS role, pg_backend_pid() AS pid, \
                 (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory') AS locks, mood FROM (SELECT NULL::mood AS mood) AS x",
            ),
        ],
    )
    .await;
    server.look().await.run("CREATE TYPE mood AS ENUM ('calm')").await;
    let first = world.result("pid", &json!({})).await;
    assert_eq!(world.result("pid", &json!({})).await, first);
    world.result("soil", &json!({})).await;
    let pid = &first["rows"][0]["pid"];
    let clean = json!({"secret": "", "role": "carillon", "pid": pid, "locks": 0, "mood": null});
    // Twice: what the driver has learnt of the type outlives the cleaning.
    for _ in 0..2 {
        assert_eq!(world.result("look", &json!({})).await["rows"], json!([clean]));
    }
    server.restart().await;
    let run = world.end(&World::job("pid", &json!({}))).await;
    assert_eq!((&run["status"], &run["attempts"]), (&json!("completed"), &json!(1)), "{run}");
    let second = &run["result"]["rows"][0]["pid"];
    assert_ne!(second, pid);
    // One that is ended without the service seeing it in time is noticed as well.
    let look = server.look().await;
    look.run(&format!("SELECT pg_terminate_backend({second})")).await;
    let run = world.end(&World::job("pid", &json!({}))).await;
    assert_eq!((&run["status"], &run["attempts"]), (&json!("completed"), &json!(1)), "{run}");
    assert_ne!(&run["result"]["rows"][0]["pid"], second);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_jobs_at_once_share_few_connections() {
    let server = Server::start(None).await;
    let look = server.look().await;
    look.run("CREATE TABLE marks (pid int, n bigint)").await;
    let statement = "INSERT INTO marks SELECT pg_backend_pid(), {{n:INTEGER}} FROM (SELECT pg_sleep(0.02)) AS x";
    let world = World::start(&server, &[("mark", statement)]).await;
    let jobs = (0..60).map(|n| World::job("mark", &json!({"n": n})));
    let runs = join_all(jobs.map(async |job| world.end(&job).await)).await;
    assert!(runs.iter().all(|run| run["status"] == "completed" && run["attempts"] == 1), "{runs:?}");
    assert_eq!(look.texts("SELECT count(DISTINCT n) FROM marks").await, ["60"]);
    let connections: u32 = look.texts("SELECT count(DISTINCT pid) FROM marks").await[0].parse().unwrap();
    assert!((1..=10).contains(&connections), "{connections} connections");
}

/// Stands before a server. What it has let through it holds back from `freeze` on, without a word; what comes later passes.
struct Proxy {
    address: SocketAddr,
    frozen: watch::Sender<u32>,
}

impl Proxy {
    async fn start(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (frozen, thawed) = watch::channel(0);
        let proxy = Self { address: listener.local_addr().unwrap(), frozen };
        tokio::spawn(async move {
            while let Ok((mut inside, _)) = listener.accept().await {
                let mut thawed = thawed.clone();
                thawed.mark_unchanged();
                tokio::spawn(async move {
                    let mut outside = TcpStream::connect(server).await.unwrap();
                    tokio::select! {
                        _ = copy_bidirectional(&mut inside, &mut outside) => {}
                        // Both ends stay open, and neither reads.
                        _ = thawed.changed() => std::future::pending().await,
                    }
                });
            }
        });
        proxy
    }

    fn freeze(&self) {
        self.frozen.send_modify(|times| *times += 1);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_has_fallen_silent_is_replaced_before_anything_has_run() {
    let server = Server::start(None).await;
    server.look().await.run("CREATE TABLE marks (pid int)").await;
    let proxy = Proxy::start(server.address()).await;
    let url = server.url("sslmode=disable").replace(&server.address().to_string(), &proxy.address.to_string());
    let statement = ("mark", "INSERT INTO marks VALUES (pg_backend_pid()) RETURNING pid");
    let world = World::with(&server, &url, "", &[&proxy.address.to_string()], &[statement]).await;
    let first = world.result("mark", &json!({})).await;
    assert_eq!(world.result("mark", &json!({})).await, first);
    proxy.freeze();
    let run = world.end(&World::job("mark", &json!({}))).await;
    assert_eq!((&run["status"], &run["attempts"]), (&json!("completed"), &json!(1)), "{run}");
    assert_ne!(run["result"], first);
    assert_eq!(server.look().await.texts("SELECT count(*) FROM marks").await, ["3"]);
}
