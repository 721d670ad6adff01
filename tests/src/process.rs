//! The program as a process: built once, started, killed, terminated, and never left behind.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncRead, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use crate::client::Client;

/// Timeout for a start or an end on a busy machine.
const LIMIT: Duration = Duration::from_mins(1);

/// Environment variables that would change the program's behaviour.
const VARIABLES: [&str; 13] = [
    "CARILLON_ALLOW_LIST",
    "CARILLON_CATALOG",
    "CARILLON_CONCURRENCY",
    "CARILLON_DATA",
    "CARILLON_DURABILITY",
    "CARILLON_HOST",
    "CARILLON_IDEMPOTENCY_HOURS",
    "CARILLON_MAX_WAITS",
    "CARILLON_LOG_FORMAT",
    "CARILLON_PORT",
    "CARILLON_ROOT_CERTIFICATES_FILE",
    "CARILLON_RUN_RETENTION_DAYS",
    "RUST_LOG",
];

/// The workspace's root folder.
///
/// # Panics
/// Never: the tests stand in the workspace.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the tests stand in the workspace")
}

/// The program, built when it is first asked for.
///
/// # Panics
/// When it does not build.
pub fn program() -> &'static Path {
    static PROGRAM: LazyLock<PathBuf> = LazyLock::new(|| {
        let built = build(&["--package", "carillon"]).expect("the program builds");
        built.into_iter().next().expect("cargo names the program that it built")
    });
    &PROGRAM
}

/// Builds with these arguments of `cargo build`, and returns the executables.
///
/// # Errors
///
/// If it does not build; cargo has printed why.
pub fn build(arguments: &[&str]) -> std::io::Result<Vec<PathBuf>> {
    let cargo = std::process::Command::new(env!("CARGO"))
        .args(["build", "--locked", "--message-format", "json-render-diagnostics"])
        .args(arguments)
        .current_dir(root())
        .stderr(Stdio::inherit())
        .output()?;
    if !cargo.status.success() {
        return Err(std::io::Error::other(format!("cargo build {} failed", arguments.join(" "))));
    }
    let messages = cargo.stdout.split(|byte| *byte == b'\n');
    let messages = messages.filter_map(|line| serde_json::from_slice::<Value>(line).ok());
    Ok(messages.filter_map(|it| Some(PathBuf::from(it["executable"].as_str()?))).collect())
}

fn command(program: &Path, arguments: impl IntoIterator<Item = impl Into<OsString>>) -> Command {
    let mut command = Command::new(program);
    command.args(arguments.into_iter().map(Into::into)).stdin(Stdio::null()).current_dir(root()).kill_on_drop(true);
    for name in VARIABLES {
        command.env_remove(name);
    }
    command
}

/// A process that has ended.
#[derive(Debug)]
pub struct Ended {
    /// The exit status.
    pub status: ExitStatus,
    /// Its standard output.
    pub stdout: String,
    /// Its log.
    pub stderr: String,
}

/// Runs the program to its end.
///
/// # Panics
/// When it does not end.
pub async fn run(arguments: &[&str]) -> Ended {
    finished(command(program(), arguments)).await
}

async fn finished(mut command: Command) -> Ended {
    let output = timeout(LIMIT, command.output()).await.expect("it ends").expect("it starts");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("it writes UTF-8");
    Ended { status: output.status, stdout: text(output.stdout), stderr: text(output.stderr) }
}

/// The options of a server's start.
#[derive(Clone, Debug)]
pub struct Launch {
    arguments: Vec<OsString>,
    variables: Vec<(&'static str, String)>,
    /// The program, where it is not the workspace's own as it is built by default.
    program: Option<PathBuf>,
}

impl Launch {
    /// On a folder, on a free port.
    pub fn on(folder: &Path) -> Self {
        let arguments = vec!["--data".into(), folder.into(), "--port".into(), "0".into()];
        Self { arguments, variables: Vec::new(), program: None }
    }

    /// With an option and its value.
    #[must_use]
    pub fn with(mut self, option: &str, value: impl Into<OsString>) -> Self {
        self.arguments.extend([option.into(), value.into()]);
        self
    }

    /// With a target opened.
    #[must_use]
    pub fn allow(self, target: SocketAddr) -> Self {
        self.with("--allow", target.to_string())
    }

    /// With a variable of the environment.
    #[must_use]
    pub fn variable(mut self, name: &'static str, value: &str) -> Self {
        self.variables.push((name, value.to_owned()));
        self
    }

    /// With another program.
    #[must_use]
    pub fn program(self, program: PathBuf) -> Self {
        Self { program: Some(program), ..self }
    }

    fn command(&self) -> Command {
        let mut command = command(self.program.as_deref().unwrap_or_else(|| program()), &self.arguments);
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Starts the server, and returns once it serves.
    ///
    /// # Panics
    ///
    /// If it does not serve in time.
    pub async fn start(&self) -> Server {
        let mut child = self.command().stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
        let stdout = child.stdout.take().expect("its output is a pipe");
        let stderr = child.stderr.take().expect("its log is a pipe");
        let log = Arc::<Mutex<String>>::default();
        let logging = tokio::spawn(collect(stderr, Arc::clone(&log)));
        let mut lines = BufReader::new(stdout).lines();
        let read = timeout(LIMIT, greeting(&mut lines)).await;
        let Ok(Some(printed)) = read else {
            panic!("the server did not come up: {}", log.lock().unwrap_or_else(PoisonError::into_inner));
        };
        let after = |start: &str| printed.iter().find_map(|line| line.strip_prefix(start)).expect(start).to_owned();
        let address = after("Carillon listens on http://").parse().expect("an address");
        let key = after("API key: ");
        let draining = tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        Server { address, client: Client::new(address, &key), key, printed, log, child, reading: [logging, draining] }
    }

    /// Starts a server and kills it so long after, however far it has come by then.
    ///
    /// # Panics
    /// When it was gone already.
    pub async fn start_and_kill(&self, after: Duration) {
        let mut child = self.command().stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("it starts");
        sleep(after).await;
        child.start_kill().expect("it can be killed");
        let output = child.wait_with_output().await.expect("its end is seen");
        let log = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.signal(), Some(9), "it ended by itself before: {}, {log}", output.status);
    }

    /// Starts a server that is not to come up, and waits for its end.
    ///
    /// # Panics
    /// When it does not end.
    pub async fn fails(&self) -> Ended {
        let ended = finished(self.command()).await;
        assert!(!ended.status.success(), "it ended with success: {}", ended.stdout);
        ended
    }
}

/// The lines that a server prints until it serves; `None` when it ended before.
async fn greeting(lines: &mut Lines<BufReader<ChildStdout>>) -> Option<Vec<String>> {
    let mut printed = Vec::new();
    while let Ok(Some(line)) = lines.next_line().await {
        let is_last = line.starts_with("Jobs are kept in ");
        printed.push(line);
        if is_last {
            return Some(printed);
        }
    }
    None
}

async fn collect(pipe: impl AsyncRead + Unpin, into: Arc<Mutex<String>>) {
    let mut lines = BufReader::new(pipe).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        let mut text = into.lock().unwrap_or_else(PoisonError::into_inner);
        text.push_str(&line);
        text.push('\n');
    }
}

/// A server that serves. It is killed when it is dropped.
#[derive(Debug)]
pub struct Server {
    /// The address.
    pub address: SocketAddr,
    /// The folder's first key.
    pub key: String,
    /// A caller with that key.
    pub client: Client,
    /// Its output at the start, line by line.
    pub printed: Vec<String>,
    log: Arc<Mutex<String>>,
    child: Child,
    reading: [JoinHandle<()>; 2],
}

impl Server {
    /// Its log so far.
    pub fn log(&self) -> String {
        self.log.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Ends the process in the middle of whatever it does (SIGKILL), and returns once it is gone.
    ///
    /// # Panics
    /// When it was gone already.
    pub async fn kill(mut self) {
        self.child.start_kill().expect("it can be killed");
        let status = self.child.wait().await.expect("its end is seen");
        assert_eq!(status.signal(), Some(9), "it ended by itself before: {status}, {}", self.log());
    }

    /// Asks the process to end (SIGTERM).
    ///
    /// # Panics
    /// When it has ended already.
    pub fn terminate(&self) {
        let id = self.child.id().and_then(|id| i32::try_from(id).ok()).and_then(rustix::process::Pid::from_raw);
        let id = id.expect("it has not ended yet");
        rustix::process::kill_process(id, rustix::process::Signal::TERM).expect("it can be asked");
    }

    /// Waits for its end.
    ///
    /// # Panics
    /// When it does not end.
    pub async fn ended(mut self) -> Ended {
        let status = timeout(LIMIT, self.child.wait()).await.expect("it ends").expect("its end is seen");
        for reading in &mut self.reading {
            timeout(LIMIT, reading).await.expect("its pipes end").expect("they are read to the end");
        }
        Ended { status, stdout: self.printed.join("\n"), stderr: self.log() }
    }
}
