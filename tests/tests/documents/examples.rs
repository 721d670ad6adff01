//! Runs the examples.

use std::io::{BufRead as _, BufReader};
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};

use crate::page::{Block, Mark, Page, Step, root};

/// Timeout of an example, including a first build.
const TIMEOUT: Duration = Duration::from_mins(15);

/// Ports that the pages name. Each run takes free ones in their place.
const PORTS: [&str; 2] = ["8420", "9000"];

/// A server prints this when it is ready.
const READY: &str = "Ctrl-C stops";

/// Stands in the output before each block, and before the exit status of the shell.
const BLOCK: &str = "<block>";
const END: &str = "<end>";

/// Runs a command and holds it to the output that the page shows.
fn check(step: &Step) -> Result<(), String> {
    let shown = step.words.join(" ");
    let program = match step.words[0].as_str() {
        "cargo" => env!("CARGO").into(),
        file if file.starts_with("./") => root().join(file),
        other => return Err(format!("`{shown}`: `{other}` is neither cargo nor a file of the tree")),
    };
    if program.ends_with("tests/run") && !step.words.contains(&"--help".to_owned()) {
        return Err(format!("`{shown}` would run this test again"));
    }
    let mut command = Command::new(program);
    command.args(&step.words[1..]).current_dir(root()).stdin(Stdio::null());
    let (done, output) = mpsc::channel();
    std::thread::spawn(move || done.send(command.output()));
    let output = output.recv_timeout(TIMEOUT).map_err(|_| format!("`{shown}` does not end"))?;
    let output = output.map_err(|error| format!("`{shown}`: {error}"))?;
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    if !output.status.success() {
        return Err(format!("`{shown}`: {}\n{out}{err}", output.status));
    }
    let lines: Vec<_> = out.lines().collect();
    missing(&lines, step.output.iter().map(String::as_str))
        .map_or(Ok(()), |line| Err(format!("`{shown}` does not print `{line}` there, but\n{out}")))
}

/// The first wanted line that does not follow the ones before it in `lines`.
fn missing<'w>(lines: &[&str], mut wanted: impl Iterator<Item = &'w str>) -> Option<&'w str> {
    let mut lines = lines.iter();
    wanted.find(|wanted| !lines.any(|line| fits(line.trim_end(), wanted.trim_end())))
}

/// True if a line is the wanted one, in which `…` stands for any text.
fn fits(line: &str, wanted: &str) -> bool {
    let mut parts = wanted.split('…');
    let Some(rest) = parts.next().and_then(|start| line.strip_prefix(start)) else { return false };
    let parts: Vec<_> = parts.collect();
    let Some((last, between)) = parts.split_last() else { return rest.is_empty() };
    let rest = between.iter().try_fold(rest, |rest, part| Some(rest.split_once(part)?.1));
    rest.is_some_and(|rest| rest.ends_with(last))
}

/// A shell in the background, with all that it starts: killed when it is dropped.
struct Shell {
    child: Child,
    lines: Receiver<String>,
}

impl Shell {
    fn start(script: &str, variables: &[(&str, &str)]) -> Self {
        let mut child = Command::new("bash")
            .args(["-c", &format!("exec 2>&1\n{script}")])
            .current_dir(root())
            .env_remove("CARILLON_ALLOW_LIST")
            .env_remove("CARILLON_CATALOG")
            .env_remove("CARILLON_HOST")
            .envs(variables.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .process_group(0)
            .spawn()
            .expect("there is a bash");
        let output = BufReader::new(child.stdout.take().expect("its output is a pipe"));
        let (line, lines) = mpsc::channel();
        std::thread::spawn(move || output.lines().map_while(Result::ok).try_for_each(|it| line.send(it)));
        Self { child, lines }
    }

    /// The lines up to one that contains `text`, that one included.
    ///
    /// # Errors
    /// The actual output.
    fn read_until(&self, text: &str) -> Result<Vec<String>, String> {
        let mut read = Vec::new();
        loop {
            match self.lines.recv_timeout(TIMEOUT) {
                Ok(line) if line.contains(text) => {
                    read.push(line);
                    return Ok(read);
                }
                Ok(line) => read.push(line),
                Err(_) => return Err(format!("`{text}` was never printed, but\n{}", read.join("\n"))),
            }
        }
    }
}

impl Drop for Shell {
    fn drop(&mut self) {
        // An error means that all of it has ended.
        let _ = kill_process_group(Pid::from_child(&self.child), Signal::KILL);
        let _ = self.child.wait();
    }
}

/// The wanted lines of a block.
fn output_of(block: &Block) -> impl Iterator<Item = &str> {
    block.text.lines().filter(|line| !["", "…"].contains(&line.trim()))
}

/// Runs the blocks of a page that are marked `serve` and `try`, and holds them to those marked `gives`.
fn play(page: &Page) -> Result<(), String> {
    let free = || TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|listener| listener.local_addr());
    let taken = PORTS.map(|_| free().expect("a free port").port().to_string());
    let on_free_ports =
        |text: &str| PORTS.iter().zip(&taken).fold(text.to_owned(), |text, (port, free)| text.replace(port, free));
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().to_str().expect("a UTF-8 path");
    let variables = [("CARILLON_DATA", data), ("CARILLON_PORT", taken[0].as_str())];

    let mut servers = Vec::new();
    let mut script = format!("set -eu -o pipefail\ntrap 'status=$?; echo; echo \"{END} $status\"' EXIT\n");
    let mut wanted: Vec<Vec<&str>> = Vec::new();
    for block in &page.blocks {
        match block.mark {
            Mark::Serve => {
                let server = Shell::start(&on_free_ports(&block.text), &variables);
                server.read_until(READY)?;
                servers.push(server);
            }
            Mark::Try => {
                script += &["echo; echo '", BLOCK, "'\n", &on_free_ports(&block.text)].concat();
                wanted.push(Vec::new());
            }
            Mark::Gives => {
                wanted.last_mut().expect("a block of output follows one of commands").extend(output_of(block));
            }
            Mark::None | Mark::Check | Mark::NotRun(_) => {}
        }
    }
    let printed = Shell::start(&script, &variables).read_until(END)?;
    let told = || printed.join("\n");
    if printed.last().is_none_or(|end| end != &format!("{END} 0")) {
        return Err(told());
    }
    let outputs = printed.split(|line| line == BLOCK).skip(1);
    let failures = outputs.zip(wanted).filter_map(|(output, wanted)| {
        let lines: Vec<_> = output.iter().map(String::as_str).collect();
        missing(&lines, wanted.into_iter())
            .map(|line| format!("`{line}` does not stand there, but\n{}", lines.join("\n")))
    });
    let failures: Vec<_> = failures.collect();
    if failures.is_empty() { Ok(()) } else { Err(failures.join("\n")) }
}

/// Blocks of commands that are neither run nor say why not.
fn unmarked(page: &Page) -> Vec<String> {
    let is_open = |block: &&Block| block.is_shell() && block.mark == Mark::None;
    let of_no_shell = |block: &&Block| !block.is_shell() && ![Mark::None, Mark::Gives].contains(&block.mark);
    let wrong = page.blocks.iter().filter(|block| is_open(block) || of_no_shell(block));
    wrong.map(|block| format!("{}: {}", page.path, block.text)).collect()
}

#[test]
fn every_command_is_run_or_the_page_says_why_not() {
    let unmarked: Vec<_> = Page::all().iter().flat_map(unmarked).collect();
    assert!(unmarked.is_empty(), "{}", unmarked.join("\n"));
}

#[test]
fn every_command_marked_as_checked_does_what_the_page_shows() {
    let steps = |page: &Page| -> Vec<Step> {
        page.blocks.iter().filter(|block| block.mark == Mark::Check).flat_map(Block::steps).collect()
    };
    let of_page = |page: &Page| {
        let failures = steps(page).into_iter().filter_map(|step| check(&step).err());
        failures.map(|failure| format!("{}: {failure}", page.path)).collect::<Vec<_>>()
    };
    let failures: Vec<_> = Page::all().iter().flat_map(of_page).collect();
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn what_a_reader_pastes_into_a_shell_gives_what_the_page_shows() {
    let is_played = |page: &Page| page.blocks.iter().any(|block| [Mark::Serve, Mark::Try].contains(&block.mark));
    let pages: Vec<_> = Page::all().into_iter().filter(is_played).collect();
    assert!(pages.iter().any(|page| page.path == "README.md"), "README.md has nothing to paste");
    let play = |page: &Page| play(page).err().map(|failure| format!("{}: {failure}", page.path));
    let failures: Vec<_> = pages.iter().filter_map(play).collect();
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn commands_are_found_with_their_output_and_by_their_marks() {
    let page = Page::read(
        "README.md",
        "```sh\nopen\n```\n<!-- check -->\n```console\n$ cargo --version\n…\n$ ./tests/run --help\nusage: run\n```\n\
         <!-- not run: it needs an account -->\n```sh\nterraform apply\n```\n<!-- try -->\n\n# Next\n\n```console\n$ cargo\n```\n\
         <!-- try -->\n```json\n1\n```\n<!-- gives -->\n```text\n2\n```",
    );
    assert_eq!(unmarked(&page), ["README.md: open\n", "README.md: $ cargo\n", "README.md: 1\n"]);
    let checked = page.blocks.iter().find(|block| block.mark == Mark::Check).expect("a block that is checked");
    let steps: Vec<_> = checked.steps().into_iter().map(|step| (step.words.join(" "), step.output)).collect();
    let expected =
        [("cargo --version".to_owned(), vec![]), ("./tests/run --help".to_owned(), vec!["usage: run".to_owned()])];
    assert_eq!(steps, expected);
}

#[test]
fn a_command_that_fails_prints_something_else_or_is_foreign_is_told_so() {
    let error = |command: &str, output: &[&str]| {
        let output = output.iter().map(|line| (*line).to_owned()).collect();
        check(&Step { words: command.split(' ').map(str::to_owned).collect(), output }).err().unwrap_or_default()
    };
    assert_eq!(error("cargo --version", &["cargo …"]), "");
    assert!(error("cargo --none", &[]).contains("--none"));
    assert!(error("cargo --version", &["cargo of tomorrow"]).contains("does not print `cargo of tomorrow`"));
    assert!(error("rm nothing", &[]).contains("neither cargo nor a file"));
    assert!(error("./tests/run --quick", &[]).contains("again"));
}

#[test]
fn an_example_that_fails_or_prints_something_else_is_told_so() {
    let page = |text: &str| play(&Page::read("README.md", text));
    let blocks = |first: &str, then: &str| {
        format!(
            "<!-- try -->\n```sh\n{first}\n```\n<!-- gives -->\n```text\nport …0 of 2\n```\n<!-- try -->\n```sh\n{then}\n```"
        )
    };
    assert_eq!(page(&blocks("A=2; echo port 8420, port 10 of $A", "test $A = 2")), Ok(()));
    assert!(page(&blocks("A=3; echo port 10 of $A", "true")).is_err_and(|told| told.contains("`port …0 of 2`")));
    assert!(
        page(&blocks("echo port 10 of 2", "echo gone; false")).is_err_and(|told| told.ends_with("gone\n\n<end> 1"))
    );
    assert!(page("<!-- serve -->\n```sh\necho no server\n```").is_err_and(|told| told.contains("no server")));
}

#[test]
fn an_ellipsis_stands_for_any_text() {
    for (line, wanted) in
        [("ab", "ab"), ("ab", "…"), ("abc", "a…c"), ("ac", "a…c"), ("abcd", "…b…"), ("aXbYc", "a…b…c")]
    {
        assert!(fits(line, wanted), "{line} {wanted}");
    }
    for (line, wanted) in [("ab", "a"), ("ab", "b…"), ("abc", "a…d"), ("abc", "…c…b…"), ("", "a")] {
        assert!(!fits(line, wanted), "{line} {wanted}");
    }
}
