//! The functions as processes of this machine.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;

use rustix::process::{Pid, Signal, kill_process};

/// Kills the processes of the session `session` that hold a connection to `address`; `None` if no process does.
/// Processes of other sessions are left alone.
///
/// # Panics
///
/// If one cannot be killed.
pub fn kill_whoever_calls(address: SocketAddr, session: u32) -> Option<()> {
    let sockets = sockets_to(address.port());
    let callers = processes().filter(|pid| session_of(*pid) == Some(session) && holds_one_of(*pid, &sockets));
    let callers: Vec<_> = callers.filter_map(|pid| Pid::from_raw(i32::try_from(pid).ok()?)).collect();
    for pid in &callers {
        kill_process(*pid, Signal::KILL).expect("a process that we started can be killed");
    }
    (!callers.is_empty()).then_some(())
}

/// Kills the processes of the session `session` that run the function of this name, whatever they do; `None` when there is no
/// such process.
pub fn kill_all_of(function: &str, session: u32) -> Option<()> {
    let runs = |pid: &u32| session_of(*pid) == Some(session) && runs_function(*pid, function);
    let all = processes().filter(runs).filter_map(|pid| Pid::from_raw(i32::try_from(pid).ok()?));
    // One may have ended by itself since.
    let killed = all.filter(|pid| kill_process(*pid, Signal::KILL).is_ok()).count();
    (killed > 0).then_some(())
}

/// True if a process is a function's runtime, by the environment that Lambda gives it.
fn runs_function(pid: u32, function: &str) -> bool {
    let told = fs::read(Path::new("/proc").join(pid.to_string()).join("environ")).unwrap_or_default();
    let name = format!("AWS_LAMBDA_FUNCTION_NAME={function}");
    told.split(|byte| *byte == 0).any(|variable| variable == name.as_bytes())
}

/// The sockets of the established connections to a port of the loopback interface, as links in `/proc` name them.
fn sockets_to(port: u16) -> Vec<String> {
    const ESTABLISHED: &str = "01";
    let table = fs::read_to_string("/proc/net/tcp").expect("Linux tells of its connections");
    let mut sockets = Vec::new();
    for line in table.lines().skip(1) {
        let columns: Vec<_> = line.split_whitespace().collect();
        if let [_, _, remote, ESTABLISHED, _, _, _, _, _, inode, ..] = columns.as_slice()
            && remote.ends_with(&format!(":{port:04X}"))
        {
            sockets.push(format!("socket:[{inode}]"));
        }
    }
    sockets
}

fn processes() -> impl Iterator<Item = u32> {
    let entries = fs::read_dir("/proc").expect("Linux tells of its processes");
    entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
}

/// The session of a process: the sixth field of its `stat`, whose second is a name in brackets that may hold anything.
fn session_of(pid: u32) -> Option<u32> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(')')?.1.split_whitespace().nth(3)?.parse().ok()
}

fn holds_one_of(pid: u32, sockets: &[String]) -> bool {
    let Ok(open) = fs::read_dir(Path::new("/proc").join(pid.to_string()).join("fd")) else { return false };
    let links = open.filter_map(|entry| fs::read_link(entry.ok()?.path()).ok());
    links.filter_map(|link| link.to_str().map(str::to_owned)).any(|link| sockets.contains(&link))
}
