//! The command line.

use std::net::IpAddr;
use std::path::PathBuf;

use carillon_core::idempotency::KEPT_HOURS;
use carillon_core::job::Run;
use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::next::Next;

/// Carillon, the serverless job scheduler, as one local process.
///
/// Without a command it serves the API and runs due jobs on a durable store in a folder, until it is stopped with Ctrl-C.
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
    /// Show the main job: serve on a free port, schedule the samples in events/, and follow each to its end
    Demo,
    /// Make, list and revoke API keys of a data folder, also while it is being served
    #[command(subcommand)]
    Keys(Keys),
    /// Show when a cron expression is due, one instant a line
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

    /// Catalog to publish at the start, as the product that the file is named after: my-product.json
    #[arg(long, value_name = "FILE", env = "CARILLON_CATALOG")]
    pub(crate) catalog: Vec<PathBuf>,

    /// Non-public target to open: an address, a range or a host name, each with an optional port. Repeatable
    #[arg(long, value_name = "ENTRY", value_delimiter = ',', env = "CARILLON_ALLOW_LIST")]
    pub(crate) allow: Vec<String>,

    /// Certificates in PEM that targets are trusted by besides the system's, such as a private mail server's
    #[arg(long, value_name = "FILE", env = "CARILLON_ROOT_CERTIFICATES_FILE")]
    pub(crate) root_certificates: Option<PathBuf>,

    /// Jobs that run at the same time
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = clap::value_parser!(u16).range(1..=4096), env = "CARILLON_CONCURRENCY")]
    pub(crate) concurrency: u16,

    /// What an acknowledged job survives: a killed process, or a power failure too (slower)
    #[arg(long, value_enum, default_value_t = Durability::Process, env = "CARILLON_DURABILITY")]
    pub(crate) durability: Durability,

    /// Days after its end that a run stays in the history of its job
    #[arg(long, value_name = "DAYS", default_value_t = Run::KEPT_DAYS, value_parser = clap::value_parser!(u32).range(1..=3650), env = "CARILLON_RUN_RETENTION_DAYS")]
    pub(crate) run_retention_days: u32,

    /// Hours that an Idempotency-Key is kept
    #[arg(long, value_name = "HOURS", default_value_t = KEPT_HOURS, value_parser = clap::value_parser!(u32).range(1..=168), env = "CARILLON_IDEMPOTENCY_HOURS")]
    pub(crate) idempotency_hours: u32,

    /// How log lines are written to standard error
    #[arg(long, value_enum, default_value_t = LogFormat::Text, env = "CARILLON_LOG_FORMAT")]
    pub(crate) log_format: LogFormat,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Durability {
    /// Survives the end of the process
    Process,
    /// Survives the end of the machine
    Power,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// One readable line each
    Text,
    /// One JSON object each
    Json,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Keys {
    /// Make a key and print it, once: only its hash is kept
    Create {
        /// Folder of the store
        #[arg(long, value_name = "DIR", env = "CARILLON_DATA")]
        data: Option<PathBuf>,
        /// What the key is for, for people
        #[arg(long, default_value = "")]
        name: String,
        /// Products that it opens; * for all
        #[arg(long, value_delimiter = ',', default_value = "*")]
        products: Vec<String>,
        /// Environments that it opens; * for all
        #[arg(long, value_delimiter = ',', default_value = "*")]
        envs: Vec<String>,
        /// What it may be used for
        #[arg(long, value_enum, value_delimiter = ',', default_values = ["jobs:read", "jobs:write", "catalog:write"])]
        scopes: Vec<KeyScope>,
    },
    /// Make a key for a deployment on AWS: print it and its SHA-256, and keep neither
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
        /// The id that create and list show
        id: String,
    },
    /// Add a key that seals what sessions say from now on; what older ones sealed is opened all the same
    RotateSealing {
        /// Folder of the store
        #[arg(long, value_name = "DIR", env = "CARILLON_DATA")]
        data: Option<PathBuf>,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum KeyScope {
    /// See jobs and catalogs
    #[value(name = "jobs:read")]
    JobsRead,
    /// Schedule, cancel and retry jobs
    #[value(name = "jobs:write")]
    JobsWrite,
    /// Replace and delete catalogs
    #[value(name = "catalog:write")]
    CatalogWrite,
    /// Make tokens of sessions: whoever may speaks for every user
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
