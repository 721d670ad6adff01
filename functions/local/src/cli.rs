//! The command line.

use std::net::IpAddr;
use std::path::PathBuf;

use carillon_core::idempotency::KEPT_HOURS;
use carillon_core::job::Run;
use carillon_core::operations::DEFAULT_WAIT_SLOTS;
use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::next::Next;

/// Carillon, the serverless job scheduler, as one local process.
///
/// Without a command it serves the API and runs due jobs, with a durable store in a folder, until Ctrl-C.
#[derive(Debug, Parser)]
#[command(version, args_conflicts_with_subcommands = true, max_term_width = 100)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
    #[command(flatten)]
    pub(crate) serve: Serve,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Demonstrate the scheduler: serve on a free port, schedule the samples in events/, and follow each to its end
    Demo,
    /// Create, list and revoke API keys of a data folder, also while a server uses it
    #[command(subcommand)]
    Keys(Keys),
    /// Print the next instants of a cron expression, one per line
    Next(Next),
}

#[derive(Debug, Args)]
pub(crate) struct Serve {
    /// Folder of the store [default: carillon in the platform's data directory]
    #[arg(long, value_name = "DIR", env = "CARILLON_DATA")]
    pub(crate) data: Option<PathBuf>,

    /// Address to listen on
    #[arg(long, default_value = "127.0.0.1", env = "CARILLON_HOST")]
    pub(crate) host: IpAddr,

    /// Port to listen on; 0 takes a free one
    #[arg(long, default_value_t = 8420, env = "CARILLON_PORT")]
    pub(crate) port: u16,

    /// Catalog to publish at the start; the file name is the product, such as my-product.json
    #[arg(long, value_name = "FILE", env = "CARILLON_CATALOG")]
    pub(crate) catalog: Vec<PathBuf>,

    /// Non-public target that jobs may call: an address, a network or a host name, with an optional port. Repeatable
    #[arg(long, value_name = "ENTRY", value_delimiter = ',', env = "CARILLON_ALLOW_LIST")]
    pub(crate) allow: Vec<String>,

    /// Root certificates in PEM, trusted for targets in addition to the system's, such as a private mail server's
    #[arg(long, value_name = "FILE", env = "CARILLON_ROOT_CERTIFICATES_FILE")]
    pub(crate) root_certificates: Option<PathBuf>,

    /// Jobs that run at the same time
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = clap::value_parser!(u16).range(1..=4096), env = "CARILLON_CONCURRENCY")]
    pub(crate) concurrency: u16,

    /// Events that an acknowledged job survives: the end of the process, or also a power failure (slower)
    #[arg(long, value_enum, default_value_t = Durability::Process, env = "CARILLON_DURABILITY")]
    pub(crate) durability: Durability,

    /// Days that a run stays in the history of its job after its end
    #[arg(long, value_name = "DAYS", default_value_t = Run::KEPT_DAYS, value_parser = clap::value_parser!(u32).range(1..=3650), env = "CARILLON_RUN_RETENTION_DAYS")]
    pub(crate) run_retention_days: u32,

    /// Hours that an Idempotency-Key is kept
    #[arg(long, value_name = "HOURS", default_value_t = KEPT_HOURS, value_parser = clap::value_parser!(u32).range(1..=168), env = "CARILLON_IDEMPOTENCY_HOURS")]
    pub(crate) idempotency_hours: u32,

    /// Callers that may wait for a job with `Prefer: wait` at the same time; 0 lets none wait
    #[arg(long, value_name = "N", default_value_t = DEFAULT_WAIT_SLOTS, value_parser = clap::value_parser!(u32).range(0..=10_000), env = "CARILLON_MAX_WAITS")]
    pub(crate) max_waits: u32,

    /// Format of log lines on standard error
    #[arg(long, value_enum, default_value_t = LogFormat::Text, env = "CARILLON_LOG_FORMAT")]
    pub(crate) log_format: LogFormat,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Durability {
    /// The end of the process
    Process,
    /// The end of the process, and a power failure
    Power,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// A readable line
    Text,
    /// A JSON object
    Json,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Keys {
    /// Create a key and print it once; only its hash is stored
    Create {
        /// Folder of the store
        #[arg(long, value_name = "DIR", env = "CARILLON_DATA")]
        data: Option<PathBuf>,
        /// Description of the key
        #[arg(long, default_value = "")]
        name: String,
        /// Products that the key gives access to; * for all
        #[arg(long, value_delimiter = ',', default_value = "*")]
        products: Vec<String>,
        /// Environments that the key gives access to; * for all
        #[arg(long, value_delimiter = ',', default_value = "*")]
        envs: Vec<String>,
        /// Operations that the key permits
        #[arg(long, value_enum, value_delimiter = ',', default_values = ["jobs:read", "jobs:write", "catalog:write"])]
        scopes: Vec<KeyScope>,
    },
    /// Create a key for a deployment on AWS: print it and its SHA-256, and store neither
    New,
    /// List the keys, without the keys themselves
    List {
        /// Folder of the store
        #[arg(long, value_name = "DIR", env = "CARILLON_DATA")]
        data: Option<PathBuf>,
    },
    /// Revoke the key of this id
    Revoke {
        /// Folder of the store
        #[arg(long, value_name = "DIR", env = "CARILLON_DATA")]
        data: Option<PathBuf>,
        /// Id, as create and list print it
        id: String,
    },
    /// Add a key that seals session data from now on; data sealed with earlier keys stays readable
    RotateSealing {
        /// Folder of the store
        #[arg(long, value_name = "DIR", env = "CARILLON_DATA")]
        data: Option<PathBuf>,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum KeyScope {
    /// Read jobs and catalogs
    #[value(name = "jobs:read")]
    JobsRead,
    /// Schedule, cancel and retry jobs
    #[value(name = "jobs:write")]
    JobsWrite,
    /// Replace and delete catalogs
    #[value(name = "catalog:write")]
    CatalogWrite,
    /// Create session tokens, which act for any user
    #[value(name = "sessions:mint")]
    SessionsMint,
}

impl From<KeyScope> for carillon_core::access::Scope {
    fn from(scope: KeyScope) -> Self {
        match scope {
            KeyScope::JobsRead => Self::JobsRead,
            KeyScope::JobsWrite => Self::JobsWrite,
            KeyScope::CatalogWrite => Self::CatalogWrite,
            KeyScope::SessionsMint => Self::SessionsMint,
        }
    }
}
