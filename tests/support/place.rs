//! A folder for one test: a config, a log to follow, a state.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use diag51007::time::UnixTime;

use super::mint::{AUTH_TOKEN, Draft, SECRET, sid};
use super::process::{Daemon, until};

/// A config file and a log in a temporary folder of their own.
#[derive(Debug)]
pub(crate) struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    /// A daemon's config that follows `app.log`, listens on a free port and knows the usual key.
    pub(crate) fn new() -> Self {
        let place = Self { folder: tempfile::tempdir().expect("a temporary folder") };
        fs::write(place.log(), "").expect("a writable folder");
        place.configure(&place.usual_config());
        place
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn config(&self) -> PathBuf {
        self.path("config.toml")
    }

    pub(crate) fn log(&self) -> PathBuf {
        self.path("app.log")
    }

    pub(crate) fn configure(&self, config: &str) {
        fs::write(self.config(), config).expect("a writable folder");
    }

    pub(crate) fn usual_config(&self) -> String {
        let (state, log) = (self.path("state"), self.log());
        format!(
            "state_dir = \"{}\"\n\n[web]\nlisten = [\"127.0.0.1:0\"]\n\n[[source]]\nname = \"app\"\nkind = \"file\"\n\
             include = [\"{}\"]\n\n[[key]]\nsid = \"{}\"\naccount = \"{}\"\nsecret = \"{SECRET}\"\n\n[[account]]\n\
             sid = \"{}\"\nauth_token = \"{AUTH_TOKEN}\"\n",
            state.display(),
            log.display(),
            sid("SK", "1"),
            sid("AC", "1"),
            sid("AC", "1"),
        )
    }

    /// Writes to the end of the log, as an application does.
    pub(crate) fn append(&self, text: &str) {
        let mut log = OpenOptions::new().append(true).create(true).open(self.log()).expect("a writable log");
        log.write_all(text.as_bytes()).expect("a writable log");
    }

    /// Starts the daemon and waits until it is ready.
    pub(crate) fn start(&self) -> Daemon {
        Daemon::run(&self.config())
    }
}

/// The sum of `rejections_total` over every source and product, for one cause or all.
pub(crate) fn rejections(daemon: &Daemon, cause: Option<&str>) -> u64 {
    let page = daemon.get("/metrics").body;
    let series = page.lines().filter(|line| line.starts_with("diag51007_rejections_total{"));
    let wanted = |line: &&str| cause.is_none_or(|cause| line.contains(&format!("cause=\"{cause}\"")));
    series.filter(wanted).filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok()).sum()
}

/// Waits until so many rejections of a cause are on `/metrics`.
#[track_caller]
pub(crate) fn until_rejections(daemon: &Daemon, cause: Option<&str>, count: u64) {
    let mut last = 0;
    until(&format!("{count} rejections of {cause:?}"), || {
        last = rejections(daemon, cause);
        (last >= count).then_some(())
    });
    assert_eq!(last, count, "{cause:?}");
}

/// A refusal of an expired token, as one line.
pub(crate) const EXPIRED: &str = "2026-03-01T10:00:00Z error Twilio error code=51007 \"Token authentication is \
                                  rejected\" token={{token exp=\"2026-03-01T09:58:30Z\"}}\n";
/// A refusal of a token without identity, as one line.
pub(crate) const NO_IDENTITY: &str = "2026-03-01T10:05:00Z error Twilio error code=51007 \"Token authentication is \
                                      rejected\" token={{token -identity}}\n";

/// The time now, for what the daemon measures against its own clock: its windows.
#[expect(clippy::disallowed_methods, reason = "the daemon under test has a real clock")]
pub(crate) fn now() -> UnixTime {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("a time after 1970");
    UnixTime::from_seconds(i64::try_from(since.as_secs()).expect("a time in this age"))
}

/// A refusal at this time, of a token that expired 90 s before, as one line.
pub(crate) fn expired_at(at: UnixTime) -> String {
    let mut draft = Draft::valid_at(at.as_seconds() - 3600);
    draft.payload.insert("exp".to_owned(), (at.as_seconds() - 90).into());
    line(at, &draft)
}

/// Refusals now, of so many tokens that expired two hours and more ago, each of another client, of so many users.
pub(crate) fn burst(clients: i64, users: i64) -> String {
    let now = now();
    let refused = |client: i64| {
        let mut draft = Draft::valid_at(now.as_seconds() - 10_800 - client);
        let identity = ["grants".to_owned(), "identity".to_owned()];
        super::mint::set(&mut draft.payload, &identity, Some(format!("user-{}@example.com", client % users).into()));
        line(now, &draft)
    };
    (0..clients).map(refused).collect()
}

/// A refusal at this time, of a token without identity, as one line.
pub(crate) fn no_identity_at(at: UnixTime) -> String {
    let mut draft = Draft::valid_at(at.as_seconds());
    super::mint::set(&mut draft.payload, &["grants".to_owned(), "identity".to_owned()], None);
    line(at, &draft)
}

fn line(at: UnixTime, draft: &Draft) -> String {
    format!("{at} error Twilio error code=51007 \"Token authentication is rejected\" token={}\n", draft.sign())
}
