//! A PostgreSQL server of the test's own: on a free port, a folder that goes with it, and certificates that only it has.

#![allow(clippy::missing_panics_doc, reason = "what is not as expected ends the test")]

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustix::process::{Pid, Signal, geteuid, kill_process};
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio_postgres::config::SslMode;
use tokio_postgres::{Client, Config, NoTls, SimpleQueryMessage};

use crate::env::until;

const START: Duration = Duration::from_mins(1);
/// `nobody`: the server does not run as root.
const NOBODY: u32 = 65_534;
/// The password of the one user, `carillon`. It must be in no answer and no log.
pub const PASSWORD: &str = "canary-of-a-password";

/// A certificate authority.
#[derive(Debug)]
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    /// Its certificate.
    pub pem: String,
}

impl Authority {
    /// An unknown user.
    #[expect(clippy::new_without_default, reason = "each is another one")]
    pub fn new() -> Self {
        let mut parameters = CertificateParams::new(Vec::new()).unwrap();
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let pem = parameters.self_signed(&key).unwrap().pem();
        Self { issuer: Issuer::new(parameters, key), pem }
    }
}

/// The server. It ends when it is dropped.
pub struct Server {
    folder: TempDir,
    port: u16,
    options: Vec<String>,
    child: Child,
}

impl Server {
    /// A server that offers TLS if its certificate, which names 127.0.0.1, can be signed.
    pub async fn start(authority: Option<&Authority>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let own = |path: &Path, mode: u32| {
            std::fs::set_permissions(path, PermissionsExt::from_mode(mode)).unwrap();
            if geteuid().is_root() {
                chown(path, Some(NOBODY), Some(NOBODY)).unwrap();
            }
        };
        own(folder.path(), 0o700);
        let file = |name: &str, content: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, content).unwrap();
            own(&path, 0o600);
            path.to_str().unwrap().to_owned()
        };
        let mut options = vec!["listen_addresses=127.0.0.1".to_owned(), "unix_socket_directories=".to_owned()];
        options.extend(["fsync=off", "max_connections=30", "log_statement=all"].map(str::to_owned));
        if let Some(authority) = authority {
            let key = KeyPair::generate().unwrap();
            let parameters = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
            let certificate = parameters.signed_by(&key, &authority.issuer).unwrap().pem();
            options.push("ssl=on".to_owned());
            options.push(format!("ssl_cert_file={}", file("server.crt", &certificate)));
            options.push(format!("ssl_key_file={}", file("server.key", &key.serialize_pem())));
        }
        let password_file = file("password", PASSWORD);
        let made = program("initdb", &folder)
            .args(["--username=carillon", "--auth=scram-sha-256", "--encoding=UTF8", "--locale=C", "--no-sync"])
            .arg(format!("--pwfile={password_file}"))
            .output()
            .expect("initdb starts");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
        let child = launch(&folder, port, &options);
        let server = Self { folder, port, options, child };
        server.is_up().await;
        server
    }

    /// Ends it, with every connection, and starts it again.
    pub async fn restart(&mut self) {
        self.end(Signal::INT);
        self.child = launch(&self.folder, self.port, &self.options);
        self.is_up().await;
    }

    /// The address.
    pub fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }

    /// A URL that leads to it, with these parameters.
    pub fn url(&self, query: &str) -> String {
        format!("postgresql://carillon:{PASSWORD}@127.0.0.1:{}/postgres?{query}", self.port)
    }

    /// A connection of the test's own.
    pub async fn look(&self) -> Look {
        self.try_look().await.unwrap_or_else(|| panic!("the server is gone: {}", self.log()))
    }

    async fn try_look(&self) -> Option<Look> {
        let stream = TcpStream::connect(self.address()).await.ok()?;
        let mut config = Config::new();
        config.user("carillon").password(PASSWORD).dbname("postgres").ssl_mode(SslMode::Disable);
        let (client, connection) = config.connect_raw(stream, NoTls).await.ok()?;
        tokio::spawn(connection);
        Some(Look(client))
    }

    async fn is_up(&self) {
        until("PostgreSQL is up", START, async || self.try_look().await).await;
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    fn end(&mut self, signal: Signal) {
        let id = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw).expect("a process has an id");
        kill_process(id, signal).expect("it can be told to end");
        self.child.wait().expect("its end is seen");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // At once, but not by force: it gives its shared memory back.
        self.end(Signal::QUIT);
    }
}

/// The server as the test itself sees it.
pub struct Look(Client);

impl Look {
    /// Runs statements that make no rows.
    pub async fn run(&self, statements: &str) {
        self.0.batch_execute(statements).await.unwrap();
    }

    /// The texts of the rows' first column.
    pub async fn texts(&self, statement: &str) -> Vec<String> {
        let messages = self.0.simple_query(statement).await.unwrap();
        let rows = messages.iter().filter_map(|message| match message {
            SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
            _ => None,
        });
        rows.collect()
    }
}

fn launch(folder: &TempDir, port: u16, options: &[String]) -> Child {
    let log = std::fs::File::options().create(true).append(true).open(folder.path().join("log")).unwrap();
    let mut command = program("postgres", folder);
    command.args(options.iter().flat_map(|option| ["-c", option])).args(["-p", &port.to_string()]);
    command.stdout(Stdio::null()).stderr(log).spawn().expect("postgres starts")
}

fn program(name: &str, folder: &TempDir) -> Command {
    let mut command = Command::new(programs().join(name));
    command.arg("-D").arg(folder.path().join("data")).stdin(Stdio::null()).current_dir(folder.path());
    if geteuid().is_root() {
        command.uid(NOBODY).gid(NOBODY);
    }
    command
}

/// The folder of PostgreSQL's programs: Debian installs them by version, outside the path.
fn programs() -> PathBuf {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut folders: Vec<_> = versions.map(|version| version.path().join("bin")).collect();
    folders.sort();
    folders.extend(["/usr/local/bin", "/usr/bin"].map(PathBuf::from));
    let found = folders.into_iter().find(|folder| folder.join("initdb").exists());
    found.expect("PostgreSQL is installed: apt-get install postgresql")
}
