//! `demo`: one command and no config. Writes living logs into a temporary folder and has them followed.
//!
//! The logs tell a [`story`]; its keys are random and die with the demo. Serving is not done here: the daemon is handed
//! in, and runs as it would anywhere.

pub mod story;

use std::fmt::{self, Write as _};
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::net::SocketAddr;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use self::story::mint::Keys;
use self::story::{Beat, Log, LogLine, Story};
use crate::report::page::shown;
use crate::time::UnixTime;

/// The logs begin so long before the start, so that page and summary are not empty.
pub const BACKLOG_SECONDS: u32 = 30 * 60;

/// One log is rotated so often, to show that it is followed.
const ROTATION_SECONDS: i64 = 90;

/// The log that is rotated.
const ROTATED: Log = Log::Worker;

/// How to run the demo.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Where to serve.
    pub listen: SocketAddr,
    /// How long; `None` until it is interrupted.
    pub duration: Option<Duration>,
}

/// What the daemon needs to know.
#[derive(Clone, Debug)]
pub struct Setup {
    /// The config, complete.
    pub config_toml: String,
    /// The temporary folder; removed at the end.
    pub folder: PathBuf,
    /// The folder of the logs in it.
    pub logs: PathBuf,
    /// How long to serve; `None` until it is interrupted.
    pub duration: Option<Duration>,
}

/// Why there was no demo.
#[derive(Debug)]
pub enum Error {
    /// The temporary folder or a log in it could not be written.
    Write {
        /// Which.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// The system gave no random bytes for the keys.
    Random,
}

impl Error {
    /// The exit code (sysexits).
    pub const fn exit_code(&self) -> u8 {
        match self {
            Self::Write { .. } => 73,
            Self::Random => 71,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Write { path, error } => {
                let path = shown(&path.to_string_lossy());
                write!(f, "{path} could not be written: {error}; set TMPDIR to a folder with room")
            }
            Self::Random => f.write_str("expected random bytes from the system for the keys, but got none"),
        }
    }
}

impl std::error::Error for Error {}

impl Setup {
    /// What to open and what to expect; to be printed when `bound` answers.
    pub fn intro(&self, bound: SocketAddr) -> String {
        let logs = shown(&self.logs.to_string_lossy());
        let end = match self.duration {
            Some(duration) => format!("It ends after {} s, or on Ctrl-C", duration.as_secs()),
            None => "Ctrl-C ends it".to_owned(),
        };
        format!(
            "\
The demo runs. Five services log into a folder, and the daemon follows them:

   page       http://{bound}/
   summary    curl 'http://{bound}/api/v1/summary?window=5m'
   rejections curl 'http://{bound}/api/v1/rejections?limit=5'
   metrics    curl http://{bound}/metrics
   logs       {logs}

   tail -f {logs}/gateway.log
   diag51007 scan {logs}/*.log

Expect half an hour of history at once, a burst of expired tokens every three
minutes, and between bursts a mix of other faults: a newline in a secret, a
Messaging Service as chat service, a missing grant, a capability token, a web
page instead of a token. {rotated} is rotated every {ROTATION_SECONDS} s.
{end}; keys, tokens and logs are thrown away.
",
            rotated = ROTATED.file(),
        )
    }
}

/// Writes the logs while `serve` runs, and cleans up after it. `clock` gives the time.
pub fn run<T>(
    options: Options,
    clock: impl Fn() -> UnixTime + Send + 'static,
    serve: impl FnOnce(Setup) -> T,
) -> Result<T, Error> {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).map_err(|_| Error::Random)?;
    run_in(&std::env::temp_dir(), seed, options, clock, serve)
}

fn run_in<T>(
    parent: &Path,
    seed: [u8; 32],
    options: Options,
    clock: impl Fn() -> UnixTime + Send + 'static,
    serve: impl FnOnce(Setup) -> T,
) -> Result<T, Error> {
    let keys = Keys::derived(&seed);
    let folder = Folder::create(parent, &seed)?;
    let setup = folder.setup(&keys, options)?;
    let story = Story::new(seed.first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes)), keys);
    let mut writer = Writer::open(&setup.logs, story)?;
    writer.backlog(clock())?;
    let (stop, stopped) = mpsc::channel();
    let writing = thread::spawn(move || writer.live(&clock, &stopped));
    let served = serve(setup);
    drop(stop);
    // A writer that panicked has said so itself; the result of serving counts.
    match writing.join() {
        Ok(Err(error)) => Err(error),
        Ok(Ok(())) | Err(_) => Ok(served),
    }
}

/// The temporary folder, removed when dropped.
struct Folder(PathBuf);

impl Folder {
    fn create(parent: &Path, seed: &[u8; 32]) -> Result<Self, Error> {
        let name = seed.last_chunk().map_or(0, |bytes| u32::from_le_bytes(*bytes));
        let path = parent.join(format!("diag51007-demo-{name:08x}"));
        // Only for its owner, and never an existing folder: it will hold secrets, if only of the demo.
        written(&path, DirBuilder::new().mode(0o700).create(&path))?;
        Ok(Self(path))
    }

    fn setup(&self, keys: &Keys, options: Options) -> Result<Setup, Error> {
        let logs = self.0.join("logs");
        written(&logs, fs::create_dir(&logs))?;
        let secret = |name: &str, secret: &str| {
            let path = self.0.join(name);
            let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path);
            written(&path, file.and_then(|mut file| file.write_all(secret.as_bytes())))?;
            Ok(path)
        };
        let (key_secret, auth_token) = (secret("key-secret", &keys.secret)?, secret("auth-token", &keys.auth_token)?);
        let config_toml = config(&self.0, &logs, keys, &key_secret, &auth_token, options.listen);
        Ok(Setup { config_toml, folder: self.0.clone(), logs, duration: options.duration })
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What can't be removed is in a temporary folder and will go with it.
        _ = fs::remove_dir_all(&self.0);
    }
}

fn config(folder: &Path, logs: &Path, keys: &Keys, key_secret: &Path, auth_token: &Path, listen: SocketAddr) -> String {
    let quoted = |path: &Path| toml::Value::String(path.to_string_lossy().into_owned()).to_string();
    let mut text = format!("state_dir = {}\n\n[web]\nlisten = [\"{listen}\"]\n\n", quoted(&folder.join("state")));
    for log in Log::ALL {
        let glob = PathBuf::from(globset::escape(&logs.join(log.file()).to_string_lossy()));
        text += &source(log.source(), &quoted(&glob));
    }
    let (key, account) = (&keys.key, &keys.account);
    // Writing into a String can't fail.
    _ = write!(
        text,
        "[[key]]\nsid = \"{key}\"\naccount = \"{account}\"\nsecret_file = {}\nregion = \"us1\"\n\n\
         [[account]]\nsid = \"{account}\"\nauth_token_file = {}\nregion = \"us1\"\n",
        quoted(key_secret),
        quoted(auth_token)
    );
    text
}

fn source(name: &str, glob: &str) -> String {
    format!("[[source]]\nname = \"{name}\"\nkind = \"file\"\ninclude = [{glob}]\nstart = \"beginning\"\n\n")
}

fn written<T>(path: &Path, result: io::Result<T>) -> Result<T, Error> {
    result.map_err(|error| Error::Write { path: path.to_owned(), error })
}

/// Tells the story into the files.
struct Writer {
    folder: PathBuf,
    files: Vec<(Log, BufWriter<File>)>,
    story: Story,
    rotated: Option<UnixTime>,
}

impl Writer {
    fn open(folder: &Path, story: Story) -> Result<Self, Error> {
        let open = |log: Log| Ok((log, BufWriter::new(open_log(&folder.join(log.file()))?)));
        let files = Log::ALL.into_iter().map(open).collect::<Result<_, Error>>()?;
        Ok(Self { folder: folder.to_owned(), files, story, rotated: None })
    }

    /// Writes what happened before `now`.
    fn backlog(&mut self, now: UnixTime) -> Result<(), Error> {
        let mut at = now.plus_millis(-1000 * i64::from(BACKLOG_SECONDS));
        while at < now {
            let beat = self.story.next(at);
            self.write(&beat)?;
            at = at.plus_millis(i64::from(beat.wait_millis.max(1)));
        }
        self.flush()
    }

    /// Writes what happens until `stopped` hangs up.
    fn live(mut self, clock: &impl Fn() -> UnixTime, stopped: &Receiver<()>) -> Result<(), Error> {
        loop {
            let now = clock();
            let beat = self.story.next(now);
            self.write(&beat)?;
            self.flush()?;
            self.rotate_if_due(now)?;
            match stopped.recv_timeout(Duration::from_millis(beat.wait_millis.into())) {
                Err(RecvTimeoutError::Timeout) => {}
                Ok(()) | Err(RecvTimeoutError::Disconnected) => return Ok(()),
            }
        }
    }

    fn write(&mut self, beat: &Beat) -> Result<(), Error> {
        for LogLine { log, text } in &beat.lines {
            for (_, file) in self.files.iter_mut().filter(|(other, _)| other == log) {
                written(&self.folder.join(log.file()), writeln!(file, "{text}"))?;
            }
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), Error> {
        for (log, file) in &mut self.files {
            written(&self.folder.join(log.file()), file.flush())?;
        }
        Ok(())
    }

    fn rotate_if_due(&mut self, now: UnixTime) -> Result<(), Error> {
        let last = *self.rotated.get_or_insert(now);
        if now.seconds_since(last) < ROTATION_SECONDS {
            return Ok(());
        }
        self.rotated = Some(now);
        let path = self.folder.join(ROTATED.file());
        let old = self.folder.join(format!("{}.1", ROTATED.file()));
        written(&old, fs::rename(&path, &old))?;
        for (_, file) in self.files.iter_mut().filter(|(log, _)| *log == ROTATED) {
            *file = BufWriter::new(open_log(&path)?);
        }
        Ok(())
    }
}

fn open_log(path: &Path) -> Result<File, Error> {
    written(path, OpenOptions::new().append(true).create(true).open(path))
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicI64, Ordering};

    use super::*;

    const OPTIONS: Options =
        Options { listen: SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0), duration: None };

    #[test]
    fn the_logs_are_there_while_serving_and_gone_afterwards() {
        let parent = tempfile::tempdir().unwrap();
        let clock = || UnixTime::from_seconds(1_795_488_000);
        let setup = run_in(parent.path(), [5; 32], OPTIONS, clock, |setup| {
            for log in Log::ALL {
                assert!(fs::metadata(setup.logs.join(log.file())).unwrap().len() > 1000, "{}", log.file());
            }
            let config: toml::Table = setup.config_toml.parse().unwrap();
            assert_eq!(config["source"].as_array().unwrap().len(), Log::ALL.len());
            let secret = config["key"][0]["secret_file"].as_str().unwrap();
            assert_eq!(fs::read_to_string(secret).unwrap().len(), 32);
            setup
        })
        .unwrap();
        assert!(!setup.folder.exists());
        assert_eq!(fs::read_dir(parent.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_log_is_rotated_when_it_is_time() {
        let folder = tempfile::tempdir().unwrap();
        let mut writer = Writer::open(folder.path(), Story::new(1, Keys::derived(&[1; 32]))).unwrap();
        let start = UnixTime::from_seconds(1_795_488_000);
        let old = folder.path().join("worker.log.1");
        for (after, is_rotated) in [(0, false), (ROTATION_SECONDS - 1, false), (ROTATION_SECONDS, true)] {
            writer.rotate_if_due(start.plus_millis(1000 * after)).unwrap();
            assert_eq!(old.exists(), is_rotated, "after {after} s");
        }
        assert!(folder.path().join("worker.log").exists());
    }

    #[test]
    fn the_backlog_ends_before_now_and_goes_on_live() {
        let folder = tempfile::tempdir().unwrap();
        let mut writer = Writer::open(folder.path(), Story::new(1, Keys::derived(&[1; 32]))).unwrap();
        let start = UnixTime::from_seconds(1_795_488_000);
        writer.backlog(start).unwrap();
        let size = || {
            let sizes = Log::ALL.map(|log| fs::metadata(folder.path().join(log.file())).unwrap().len());
            sizes.iter().sum::<u64>()
        };
        let before = size();
        let (stop, stopped) = mpsc::channel();
        let ticks = AtomicI64::new(0);
        stop.send(()).unwrap();
        let clock = || start.plus_millis(ticks.fetch_add(500, Ordering::Relaxed));
        writer.live(&clock, &stopped).unwrap();
        assert!(size() > before);
    }

    #[test]
    fn a_folder_that_can_not_be_made_is_an_error_with_its_path() {
        let parent = tempfile::tempdir().unwrap();
        let missing = parent.path().join("missing");
        let clock = || UnixTime::from_seconds(1_795_488_000);
        let error = run_in(&missing, [5; 32], OPTIONS, clock, |_| ()).unwrap_err();
        assert_eq!(error.exit_code(), 73);
        assert!(error.to_string().contains("missing"), "{error}");
    }

    #[test]
    fn the_intro_names_what_to_open() {
        let setup = Setup {
            config_toml: String::new(),
            folder: "/tmp/x".into(),
            logs: "/tmp/x/logs".into(),
            duration: Some(Duration::from_secs(9)),
        };
        let intro = setup.intro(SocketAddr::from(([127, 0, 0, 1], 15107)));
        assert!(intro.contains("http://127.0.0.1:15107/\n"));
        assert!(intro.contains("/tmp/x/logs\n"));
        assert!(intro.contains("after 9 s"));
        assert!(intro.lines().all(|line| line.len() <= 80));
    }
}
