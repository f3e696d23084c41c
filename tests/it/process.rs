//! The program as a process: first start, restart, signals, and the commands on a stopped data directory.

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Output, Stdio};

use rustix::process::{Pid, Signal, kill_process};

/// The binary with a clean environment, in `dir`.
fn command(dir: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_strongroom"));
    command.current_dir(dir).args(arguments).env_clear();
    command
}

fn run(dir: &Path, arguments: &[&str]) -> Output {
    command(dir, arguments).output().expect("the binary runs")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A serving process; killed if a test fails.
struct Server {
    process: Child,
    stdout: BufReader<ChildStdout>,
    /// What it said up to the line that names its metrics, its last.
    said: String,
}

impl Server {
    fn start(dir: &Path) -> Self {
        let arguments = ["--listen", "127.0.0.1:0", "--metrics-listen", "127.0.0.1:0"];
        let mut process =
            command(dir, &arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the binary starts");
        let mut stdout = BufReader::new(process.stdout.take().expect("a pipe"));
        let mut said = String::new();
        while !said.contains("Metrics are at ") {
            assert_ne!(stdout.read_line(&mut said).expect("text"), 0, "it ended after {said:?}");
        }
        Self { process, stdout, said }
    }

    fn exported(&self, name: &str) -> Option<&str> {
        let words = self.said.lines().filter_map(|line| line.strip_prefix("export ")).flat_map(|l| l.split(' '));
        words.filter_map(|word| word.split_once('=')).find(|(found, _)| *found == name).map(|(_, value)| value)
    }

    fn stop(mut self, signal: Signal) -> (i32, String) {
        let pid = Pid::from_child(&self.process);
        kill_process(pid, signal).expect("it runs");
        let status = self.process.wait().expect("it ends");
        let mut log = String::new();
        self.process.stderr.take().expect("a pipe").read_to_string(&mut log).expect("text");
        self.stdout.read_to_string(&mut self.said).expect("text");
        (status.code().unwrap_or(-1), log)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Ended already, but for a failed test.
        let _ = self.process.kill();
    }
}

#[test]
fn first_start_restart_and_signals() {
    let dir = tempfile::tempdir().expect("a directory");
    let server = Server::start(dir.path());
    let endpoint = server.exported("AWS_ENDPOINT_URL").expect("an endpoint").to_owned();
    let secret = server.exported("AWS_SECRET_ACCESS_KEY").expect("a secret").to_owned();
    assert!(server.said.contains(&format!("serves S3 and KMS at {endpoint}\n")), "{}", server.said);
    assert!(server.exported("AWS_ACCESS_KEY_ID").is_some_and(|id| id.len() == 20));
    let address = endpoint.strip_prefix("http://").expect("plain http");
    let mut client = std::net::TcpStream::connect(address).expect("it listens");
    let request = "GET /?prefix=shown&X-Amz-Credential=hidden-in-logs HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";
    std::io::Write::write_all(&mut client, request.as_bytes()).expect("sent");
    let mut answer = String::new();
    client.read_to_string(&mut answer).expect("an answer");
    assert!(answer.contains("<Error><Code>"), "{answer}");

    // One process a data directory.
    let second = run(dir.path(), &["serve", "--listen", "127.0.0.1:0"]);
    assert_eq!(second.status.code(), Some(1));
    assert!(text(&second.stderr).contains("in use by another strongroom"), "{}", text(&second.stderr));

    let (code, log) = server.stop(Signal::TERM);
    assert_eq!(code, 0, "{log}");
    assert!(log.contains("stopped") && log.contains("strongroom::access"), "{log}");
    assert!(log.contains("prefix=shown") && !log.contains("hidden-in-logs") && !log.contains(&secret), "{log}");

    let again = Server::start(dir.path());
    assert_eq!(again.exported("AWS_SECRET_ACCESS_KEY"), None, "the secret is shown once");
    assert!(!again.said.contains(&secret) && again.said.contains("strongroom credentials new"), "{}", again.said);
    assert_eq!(again.stop(Signal::INT).0, 0);
}

#[test]
fn a_stopped_server_makes_credentials_and_shows_its_trail() {
    let dir = tempfile::tempdir().expect("a directory");
    assert_eq!(Server::start(dir.path()).stop(Signal::TERM).0, 0);
    let made = run(dir.path(), &["credentials", "new"]);
    assert!(made.status.success(), "{}", text(&made.stderr));
    let made = text(&made.stdout);
    let names: Vec<_> = made.lines().filter_map(|line| line.split('=').next()).collect();
    assert_eq!(names, ["export AWS_ACCESS_KEY_ID", "export AWS_SECRET_ACCESS_KEY"]);
    let unknown = run(dir.path(), &["credentials", "new", "--account", "000000000000"]);
    assert_eq!(unknown.status.code(), Some(1), "{}", text(&unknown.stdout));

    let verified = run(dir.path(), &["audit", "verify"]);
    assert!(verified.status.success(), "{}", text(&verified.stderr));
    assert!(text(&verified.stdout).contains("chain whole; head "), "{}", text(&verified.stdout));
    let longer = format!("1000000:{}", "ab".repeat(32));
    let cut = run(dir.path(), &["audit", "verify", "--head", &longer]);
    assert_eq!(cut.status.code(), Some(3), "{}", text(&cut.stderr));
    assert!(run(dir.path(), &["audit", "list", "--json"]).status.success());
    let export = ["audit", "export", "trail.jsonl"];
    assert!(run(dir.path(), &export).status.success());
    let overwriting = run(dir.path(), &export);
    assert!(text(&overwriting.stderr).contains("trail.jsonl"), "{}", text(&overwriting.stderr));
    assert_eq!(overwriting.status.code(), Some(1));
}
