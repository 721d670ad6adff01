//! The API and the executor in one process, with one data folder.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use carillon_api::Service;
use carillon_api::sessions::JwtSessions;
use carillon_core::access::KeyHash;
use carillon_core::event_types::Limits;
use carillon_core::json::ParseError;
use carillon_core::operations::{Executor, OperationError, put_catalog};
use carillon_core::ports::{Condition, KeyStore, Ports};
use carillon_embedded::{Embedded, Handled, Running, SystemClock, Worker};
use carillon_executor::record;
use carillon_executor::targets::Providers;
use carillon_outbound::Outbound;
use carillon_outbound::secrets::{EnvSecrets, Secrets};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::aws::Aws;
use crate::cli::{Durability, Serve};
use crate::{Failure, curl, data, receiver};

type LocalTargets = Providers<Secrets<Aws, SystemClock>, SystemClock, Aws>;

/// Time that a stop waits for open requests, because some callers never close theirs. The worker waits as long for attempts.
const GRACE: Duration = Duration::from_secs(10);

/// The configuration of a server.
pub(crate) struct Options {
    pub(crate) directory: PathBuf,
    pub(crate) address: SocketAddr,
    /// Catalog files to publish before any job runs.
    pub(crate) catalogs: Vec<PathBuf>,
    pub(crate) allow: Vec<String>,
    /// A PEM file of root certificates that are trusted in addition to the system's.
    pub(crate) root_certificates: Option<PathBuf>,
    /// Environment variables: secrets for catalogs, and those of AWS.
    pub(crate) environment: Vec<(String, String)>,
    pub(crate) concurrency: u32,
    pub(crate) durability: Durability,
    pub(crate) run_retention_days: u32,
    pub(crate) idempotency_hours: u32,
    pub(crate) max_waits: u32,
}

/// A running server.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) first_key: String,
    pub(crate) embedded: Arc<Embedded>,
    stop: watch::Sender<bool>,
    api: JoinHandle<()>,
    worker: Running,
}

/// Opens the folder, listens, and starts to run due jobs.
pub(crate) async fn start(options: Options) -> Result<Server, Failure> {
    let durability = match options.durability {
        Durability::Process => carillon_embedded::Durability::Process,
        Durability::Power => carillon_embedded::Durability::Power,
    };
    let unreadable = |path: &Path, error: std::io::Error| format!("cannot read {}: {error}", path.display());
    let roots = options.root_certificates.as_ref();
    let roots = roots.map(|path| std::fs::read_to_string(path).map_err(|error| unreadable(path, error))).transpose()?;
    let outbound = Outbound::configured(&options.allow, roots.as_deref())?;
    let aws = Aws::of(&options.environment);
    let embedded = Embedded::open(&options.directory, durability)?
        .keeping_runs_for(options.run_retention_days)
        .keeping_requests_for(options.idempotency_hours)
        .that_can(aws.capabilities());
    let embedded = Arc::new(embedded);
    let first_key = data::first_key(&embedded, &options.directory).await?;
    let listener = TcpListener::bind(options.address)
        .await
        .map_err(|error| format!("cannot listen on {}: {error}", options.address))?;
    let address = listener.local_addr()?;
    // Before the worker starts, so that due jobs run with these catalogs, and a start that fails runs none.
    for catalog in &options.catalogs {
        publish(&embedded, &first_key, catalog).await?;
    }
    let (stop, stopped) = watch::channel(false);

    let secrets = Secrets::new(EnvSecrets::new(options.environment), aws.clone(), SystemClock);
    let sessions = Arc::new(JwtSessions::new(outbound.clone(), secrets.clone(), SystemClock));
    let executor = Executor {
        targets: Providers::new(outbound, secrets, SystemClock, aws),
        limits: Limits::default(),
        trace: None,
    };
    let service = Service::new(Arc::clone(&embedded), sessions).with_wait_slots(options.max_waits);
    let api = tokio::spawn(serve_api(listener, service, stopped.clone()));
    let worker = start_worker(&embedded, executor, options.concurrency, stopped)?;
    Ok(Server { address, first_key, embedded, stop, api, worker })
}

impl Server {
    /// Accepts no more requests and starts no more attempts, and waits for the current ones.
    pub(crate) async fn stop(self) {
        let _ = self.stop.send(true);
        let _ = self.api.await;
        match self.worker.ended().await {
            Ok(0) => {}
            Ok(left) => {
                tracing::warn!(left, "attempts were cut off; they count, and their fires run again at the next start");
            }
            Err(error) => tracing::error!(%error, "fires that were being handled run again at the next start"),
        }
    }
}

async fn serve_api(listener: TcpListener, service: Service<Embedded>, stopped: watch::Receiver<bool>) {
    let router = carillon_api::router(service);
    let served = axum::serve(listener, router).with_graceful_shutdown(until(stopped.clone()));
    let cut_off = async {
        until(stopped).await;
        tokio::time::sleep(GRACE).await;
    };
    tokio::select! {
        served = served.into_future() => {
            if let Err(error) = served {
                tracing::error!(%error, "the API stopped serving");
            }
        }
        () = cut_off => tracing::warn!("requests that did not end were cut off"),
    }
}

fn start_worker(
    embedded: &Arc<Embedded>,
    executor: Executor<LocalTargets>,
    concurrency: u32,
    stopped: watch::Receiver<bool>,
) -> std::io::Result<Running> {
    let executor = Arc::new(executor);
    let ports = Arc::clone(embedded);
    let handle = move |fire| {
        let (ports, executor) = (Arc::clone(&ports), Arc::clone(&executor));
        async move {
            match record::work(&*ports, &*executor, fire).await {
                Ok(execution) => Handled::from(&execution.verdict),
                Err(_) => Handled::Faulted,
            }
        }
    };
    Worker { concurrency, ..Worker::default() }.start(Arc::clone(embedded), handle, until(stopped))
}

async fn until(mut stopped: watch::Receiver<bool>) {
    // An error means that the server was dropped, which also stops its parts.
    let _ = stopped.wait_for(|stopped| *stopped).await;
}

/// Serves until Ctrl-C or a termination signal.
pub(crate) async fn serve(
    options: &Serve,
    directory: &Path,
    environment: Vec<(String, String)>,
) -> Result<(), Failure> {
    // The target of the printed examples. No other non-public address is allowed by default.
    let receiver = receiver::start().await?;
    let mut allow = options.allow.clone();
    allow.push(receiver.address.to_string());
    let server = start(Options {
        directory: directory.to_owned(),
        address: (options.host, options.port).into(),
        catalogs: options.catalog.clone(),
        allow,
        root_certificates: options.root_certificates.clone(),
        environment,
        concurrency: options.concurrency.into(),
        durability: options.durability,
        run_retention_days: options.run_retention_days,
        idempotency_hours: options.idempotency_hours,
        max_waits: options.max_waits,
    })
    .await?;
    println!("Carillon listens on http://{}\nAPI key: {}\n", server.address, server.first_key);
    println!("Paste these to publish a catalog, run a job and list it:\n");
    for line in curl::lines(server.address, &server.first_key, receiver.address) {
        println!("{line}\n");
    }
    println!("Jobs are kept in {}. Ctrl-C stops.", directory.display());
    stop_signal().await?;
    tracing::info!("stopping: no more requests, no new attempts");
    server.stop().await;
    Ok(())
}

#[cfg(unix)]
async fn stop_signal() -> std::io::Result<()> {
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    tokio::select! {
        interrupted = tokio::signal::ctrl_c() => interrupted,
        _ = terminate.recv() => Ok(()),
    }
}

#[cfg(not(unix))]
async fn stop_signal() -> std::io::Result<()> {
    tokio::signal::ctrl_c().await
}

/// Publishes a catalog file for the product in its name.
async fn publish(embedded: &Embedded, first_key: &str, path: &Path) -> Result<(), Failure> {
    let shown = path.display();
    let product = path
        .file_stem()
        .and_then(|stem| stem.to_str())
        .ok_or_else(|| format!("the file name of {shown} is not a product"))?;
    let document = std::fs::read(path).map_err(|error| format!("cannot read {shown}: {error}"))?;
    let first = embedded.keys().find(&KeyHash::of(first_key)).await?.ok_or("the first key no longer exists")?;
    let faults = match put_catalog(embedded, &first, product, &document, &Condition::Always).await {
        Ok(_) => return Ok(()),
        Err(OperationError::Invalid(faults) | OperationError::Unreadable(ParseError::Fields(faults))) => faults,
        Err(OperationError::Unreadable(ParseError::Syntax(detail))) => {
            return Err(format!("{shown} is not JSON: {detail}").into());
        }
        Err(error) => return Err(format!("{shown} cannot be published: {error}").into()),
    };
    let faults: Vec<_> = faults.iter().map(|fault| format!("\n  {}: {}", fault.pointer, fault.detail)).collect();
    Err(format!("{shown} is not a valid catalog:{}", faults.concat()).into())
}
