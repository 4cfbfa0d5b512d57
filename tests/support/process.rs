//! Runs the real binary: commands to their end, and the daemon with its HTTP server.
//!
//! Nothing here waits for a fixed time: a test asks again until the answer is there, and fails after [`PATIENCE`].

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::{Duration, Instant};

/// How long anything may take before a test calls it a failure; generous, because machines are slow.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);
/// Between two questions to another process.
const PAUSE: Duration = Duration::from_millis(20);

/// The path of the binary under test.
pub(crate) const BINARY: &str = env!("CARGO_BIN_EXE_diag51007");

/// What a command left behind.
#[derive(Debug)]
pub(crate) struct Output {
    /// `None` when a signal ended it.
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// A path as an argument.
pub(crate) fn text(path: &Path) -> &str {
    path.to_str().expect("a UTF-8 path")
}

/// The binary with nothing of the environment that could change what it does.
pub(crate) fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(BINARY);
    command.args(arguments).env_clear().stdin(Stdio::null());
    if let Some(path) = std::env::var_os("PATH") {
        command.env("PATH", path);
    }
    command
}

/// Runs a command to its end.
pub(crate) fn run(arguments: &[&str]) -> Output {
    finished(command(arguments).output().expect("the binary starts"))
}

/// Runs a command to its end with this on its standard input.
pub(crate) fn run_with_input(arguments: &[&str], input: &[u8]) -> Output {
    let mut command = command(arguments);
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the binary starts");
    let mut stdin = child.stdin.take().expect("a pipe");
    let input = input.to_vec();
    // A command that stops reading early breaks the pipe, which is its right.
    let writer = thread::spawn(move || _ = stdin.write_all(&input));
    let output = child.wait_with_output().expect("the binary ends");
    writer.join().expect("the writer ends");
    finished(output)
}

fn finished(output: std::process::Output) -> Output {
    Output {
        code: output.status.code(),
        stdout: String::from_utf8(output.stdout).expect("UTF-8 on stdout"),
        stderr: String::from_utf8(output.stderr).expect("UTF-8 on stderr"),
    }
}

/// A running daemon; killed when dropped.
#[derive(Debug)]
pub(crate) struct Daemon {
    child: Child,
    /// `127.0.0.1:PORT`.
    pub(crate) address: String,
    stdout: Arc<Mutex<String>>,
    stderr: Arc<Mutex<String>>,
    readers: Vec<thread::JoinHandle<()>>,
}

impl Daemon {
    /// Starts it and waits until it says where it listens.
    pub(crate) fn start(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the binary starts");
        let (say, hear) = mpsc::channel();
        let (stdout, stderr) = (Arc::default(), Arc::default());
        let readers = vec![
            collect(child.stdout.take().expect("a pipe"), Arc::clone(&stdout), say.clone()),
            collect(child.stderr.take().expect("a pipe"), Arc::clone(&stderr), say),
        ];
        let mut daemon = Self { child, address: String::new(), stdout, stderr, readers };
        while daemon.address.is_empty() {
            match hear.recv_timeout(PATIENCE) {
                Ok(line) => daemon.address = listening(&line).unwrap_or_default(),
                Err(error) => panic!("the daemon does not say where it listens ({error}): {}", daemon.output()),
            }
        }
        daemon
    }

    /// Starts `run --config` and waits until it is ready.
    pub(crate) fn run(config: &Path) -> Self {
        let daemon = Self::start(&mut command(&["run", "--config", text(config)]));
        daemon.until_ready();
        daemon
    }

    /// Waits until the backlog has been read.
    pub(crate) fn until_ready(&self) {
        until("ready", || (self.get("/-/ready").status == 200).then_some(()));
    }

    /// Asks the daemon.
    pub(crate) fn get(&self, path: &str) -> Answer {
        ask(&self.address, "GET", path, "", b"")
    }

    /// Sends something to the daemon.
    pub(crate) fn post(&self, path: &str, kind: &str, body: &[u8]) -> Answer {
        ask(&self.address, "POST", path, kind, body)
    }

    /// The value of one series without labels on `/metrics`.
    pub(crate) fn metric(&self, name: &str) -> Option<f64> {
        value(&self.get("/metrics").body, name, &[])
    }

    /// All it wrote so far.
    pub(crate) fn output(&self) -> String {
        let stdout = self.stdout.lock().expect("no reader panicked").clone();
        stdout + &self.stderr.lock().expect("no reader panicked")
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal by name.
    pub(crate) fn signal(&self, name: &str) {
        let status = Command::new("kill")
            .args(["-s", name, &self.child.id().to_string()])
            .status()
            .expect("`kill` is part of every Linux");
        assert!(status.success(), "kill -s {name}: {status}");
    }

    /// Waits for its end and gives the exit code and all that it wrote.
    pub(crate) fn wait(mut self) -> (Option<i32>, String) {
        let status = until("the end of the daemon", || self.child.try_wait().expect("own child"));
        for reader in self.readers.drain(..) {
            reader.join().expect("no reader panicked");
        }
        (status.code(), self.output())
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // It may have ended by itself.
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

fn collect(
    pipe: impl Read + Send + 'static,
    into: Arc<Mutex<String>>,
    say: mpsc::Sender<String>,
) -> thread::JoinHandle<()> {
    thread::spawn(move || {
        for line in BufReader::new(pipe).split(b'\n').map_while(Result::ok) {
            let line = String::from_utf8_lossy(&line).into_owned();
            let mut all = into.lock().expect("no reader panicked");
            all.push_str(&line);
            all.push('\n');
            // Nobody listens any more once the address is known.
            _ = say.send(line);
        }
    })
}

/// The address in `… listening on http://127.0.0.1:PORT …`, or in the first link that the demo prints.
fn listening(line: &str) -> Option<String> {
    let (_, behind) = line.split_once("http://")?;
    let end = behind.find(|c: char| !(c.is_ascii_alphanumeric() || ".:[]".contains(c))).unwrap_or(behind.len());
    behind.split_at_checked(end).map(|(address, _)| address.to_owned())
}

/// An answer over HTTP.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

/// The value of the series with exactly these labels, whatever their order, on a page of the text format.
pub(crate) fn value(page: &str, name: &str, labels: &[String]) -> Option<f64> {
    page.lines().find_map(|line| {
        let (series, value) = line.strip_prefix(name)?.rsplit_once(' ')?;
        let inside = series.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')).unwrap_or(series);
        let found = inside.split(',').filter(|label| !label.is_empty()).collect::<Vec<_>>();
        let same = found.len() == labels.len() && labels.iter().all(|label| found.contains(&label.as_str()));
        same.then(|| value.parse().ok()).flatten()
    })
}

/// One request on one connection. Status 0 when nobody answers.
pub(crate) fn ask(address: &str, method: &str, path: &str, kind: &str, body: &[u8]) -> Answer {
    let answered = || -> std::io::Result<Vec<u8>> {
        let mut stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        write!(stream, "{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n")?;
        if method != "GET" {
            write!(stream, "Content-Type: {kind}\r\nContent-Length: {}\r\n", body.len())?;
        }
        stream.write_all(b"\r\n")?;
        stream.write_all(body)?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer)?;
        Ok(answer)
    };
    let answer = String::from_utf8_lossy(&answered().unwrap_or_default()).into_owned();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    let status = head.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or(0);
    let chunked = head.to_ascii_lowercase().contains("transfer-encoding: chunked");
    let body = if chunked { unchunked(body) } else { body.to_owned() };
    Answer { status, head: head.to_owned(), body }
}

fn unchunked(mut rest: &str) -> String {
    let mut out = String::new();
    while let Some((size, behind)) = rest.split_once("\r\n") {
        let Ok(size @ 1..) = usize::from_str_radix(size, 16) else { break };
        let (chunk, behind) = behind.split_at_checked(size).expect("a whole chunk of UTF-8");
        out.push_str(chunk);
        rest = behind.strip_prefix("\r\n").unwrap_or(behind);
    }
    out
}

/// Asks again until there is an answer.
#[track_caller]
#[expect(clippy::disallowed_methods, reason = "another process has a clock of its own; this one only gives up")]
pub(crate) fn until<T>(what: &str, mut question: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(answer) = question() {
            return answer;
        }
        assert!(start.elapsed() < PATIENCE, "waited {} s for {what}", PATIENCE.as_secs());
        thread::park_timeout(PAUSE);
    }
}
