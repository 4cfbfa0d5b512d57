//! Alertmanagers are told: `POST /api/v2/alerts`, as Prometheus does.
//!
//! An edge. Each Alertmanager has a task of its own, so that one that is down keeps no other waiting. There is no queue
//! that could grow: what is due follows from the alerts as they are now and from what this Alertmanager took last (see
//! [`batch`]), so one that comes back hears of everything that is still true. Which alerts there are is decided
//! elsewhere.

mod batch;

use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use reqwest::redirect::Policy;
use reqwest::{Certificate, Client, Url};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

use crate::config::{Alertmanager, Login};
use crate::ledger::View;
use crate::time::UnixTime;

use batch::Told;

/// Alerts of one request; as Prometheus has it.
const BATCH_MAX: usize = 64;
/// Least and greatest wait after a failure.
const RETRY_MIN: Duration = Duration::from_secs(1);
const RETRY_MAX: Duration = Duration::from_secs(60);
/// Failures in a row between two lines of the log.
const FAILURES_PER_LINE: u32 = 30;
/// Longest file of certificates, in bytes.
const CA_BYTES_MAX: u64 = 1 << 20;

/// What sends; ends with [`Pusher::stop`].
#[derive(Debug)]
pub struct Pusher(JoinHandle<()>);

impl Pusher {
    /// Starts sending to whatever the config names, now and after every reload.
    pub fn start(
        views: watch::Receiver<Arc<View>>,
        configs: watch::Receiver<Arc<Alertmanager>>,
        clock: fn() -> UnixTime,
    ) -> Self {
        Self(tokio::spawn(run(views, configs, clock)))
    }

    /// Stops at once: an alert that nobody repeats ends by itself in the Alertmanager.
    pub fn stop(self) {
        self.0.abort();
    }
}

async fn run(
    views: watch::Receiver<Arc<View>>,
    mut configs: watch::Receiver<Arc<Alertmanager>>,
    clock: fn() -> UnixTime,
) {
    loop {
        let config = Arc::clone(&configs.borrow_and_update());
        let mut senders = JoinSet::new();
        // A client takes the system's certificates to memory, which whoever tells nobody need not pay for.
        match (!config.urls.is_empty()).then(|| client(&config)) {
            None => {}
            Some(Ok(client)) => {
                for url in &config.urls {
                    let receiver = Receiver { client: client.clone(), url: endpoint(url), config: Arc::clone(&config) };
                    senders.spawn(receiver.tell(views.clone(), clock));
                }
            }
            Some(Err(error)) => tracing::error!("Alertmanagers can't be told anything: {error}"),
        }
        if configs.changed().await.is_err() {
            return;
        }
        // The senders of the old config end with their set.
    }
}

/// Tells each Alertmanager of no alert at all, to see whether that works.
pub async fn probe(config: &Alertmanager) -> Vec<(String, Result<(), String>)> {
    let (client, shared) = (client(config), Arc::new(config.clone()));
    let mut probed = Vec::new();
    for url in &config.urls {
        let found = match &client {
            Ok(client) => {
                let receiver = Receiver { client: client.clone(), url: endpoint(url), config: Arc::clone(&shared) };
                receiver.post(b"[]").await.map_err(|refused| refused.advice())
            }
            Err(error) => Err(error.to_string()),
        };
        probed.push((url.to_string(), found));
    }
    probed
}

/// Why there is no client.
#[derive(Debug)]
enum ClientError {
    /// The file of certificates can't be read.
    Unreadable(String, std::io::Error),
    /// It holds no certificates.
    NoCertificates(String),
    /// TLS can't be set up.
    Tls(reqwest::Error),
}

impl fmt::Display for ClientError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable(path, error) => write!(f, "`alertmanager.ca_file`: {path} can't be read: {error}"),
            Self::NoCertificates(path) => {
                write!(f, "`alertmanager.ca_file`: expected certificates in PEM form in {path}, but found none")
            }
            Self::Tls(error) => write!(f, "TLS can't be set up: {}", Reason(error)),
        }
    }
}

fn client(config: &Alertmanager) -> Result<Client, ClientError> {
    let timeout = Duration::from_secs(config.timeout_seconds.into());
    // A redirect could take the login elsewhere; a proxy of the environment is none of the config's.
    let mut builder = Client::builder()
        .user_agent(concat!("diag51007/", env!("CARGO_PKG_VERSION")))
        .redirect(Policy::none())
        .no_proxy()
        .timeout(timeout)
        .pool_max_idle_per_host(1);
    if let Some(path) = &config.ca_file {
        builder = builder.tls_certs_merge(certificates(path)?);
    }
    builder.build().map_err(ClientError::Tls)
}

fn certificates(path: &Path) -> Result<Vec<Certificate>, ClientError> {
    let name = path.display().to_string();
    let mut pem = Vec::new();
    let read = File::open(path).and_then(|file| file.take(CA_BYTES_MAX).read_to_end(&mut pem));
    read.map_err(|error| ClientError::Unreadable(name.clone(), error))?;
    match Certificate::from_pem_bundle(&pem) {
        Ok(certificates) if !certificates.is_empty() => Ok(certificates),
        Ok(_) | Err(_) => Err(ClientError::NoCertificates(name)),
    }
}

/// `http://host/prefix` with the path of the API behind it.
fn endpoint(url: &Url) -> Url {
    let mut url = url.clone();
    let path = format!("{}/api/v2/alerts", url.path().trim_end_matches('/'));
    url.set_path(&path);
    url
}

/// An error with its reasons and without the URL.
struct Reason<'a>(&'a dyn std::error::Error);

impl fmt::Display for Reason<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The outermost says "for url", the innermost says why.
        let mut reason = self.0;
        while let Some(inner) = reason.source() {
            reason = inner;
        }
        write!(f, "{reason}")
    }
}

/// One Alertmanager.
struct Receiver {
    client: Client,
    url: Url,
    config: Arc<Alertmanager>,
}

/// Why an Alertmanager did not take alerts.
enum Refused {
    Status(u16),
    Failed(String),
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Status(status) => write!(f, "it answers with status {status}"),
            Self::Failed(reason) => f.write_str(reason),
        }
    }
}

impl Refused {
    /// What to do about it.
    fn advice(&self) -> String {
        let help = match self {
            Self::Status(401 | 403) => "check `username` and `password_file`, or `bearer_token_file`",
            Self::Status(404) => "check whether the URL needs a prefix, such as `/alertmanager`",
            Self::Status(_) => "look into its log",
            Self::Failed(_) => "check `alertmanager.urls`, the network and the certificates",
        };
        format!("{self}: {help}")
    }
}

impl Receiver {
    /// Tells what is due, for as long as the daemon lives.
    async fn tell(self, mut views: watch::Receiver<Arc<View>>, clock: fn() -> UnixTime) {
        let mut told: BTreeMap<batch::Identity, Told> = BTreeMap::new();
        let mut failures = 0_u32;
        loop {
            let alerts = Arc::clone(&views.borrow_and_update().alerts);
            let due = batch::due(alerts.all(), &mut told, self.config.repeat_seconds, clock());
            let mut wait = due.wait;
            for part in due.alerts.chunks(BATCH_MAX) {
                match self.post(&batch::body(part, self.config.repeat_seconds, clock())).await {
                    Ok(()) => {
                        batch::took(part, &mut told, clock());
                        self.says_it_works(&mut failures);
                    }
                    Err(refused) => {
                        self.says_it_failed(&refused, &mut failures);
                        wait = Some(backoff(failures));
                        break;
                    }
                }
            }
            if failures == 0 && !due.alerts.is_empty() {
                continue;
            }
            if !self.sleep(wait, failures > 0, &mut views).await {
                return;
            }
        }
    }

    /// Waits for the time, or for other alerts; false at the end.
    async fn sleep(&self, wait: Option<Duration>, is_down: bool, views: &mut watch::Receiver<Arc<View>>) -> bool {
        let before = Arc::clone(&views.borrow().alerts);
        let elapsed = async {
            match wait {
                Some(wait) => tokio::time::sleep(wait).await,
                None => std::future::pending().await,
            }
        };
        if is_down {
            // Other alerts do not make it answer sooner.
            elapsed.await;
            return true;
        }
        tokio::select! {
            () = elapsed => true,
            changed = views.wait_for(|view| !Arc::ptr_eq(&view.alerts, &before)) => changed.is_ok(),
        }
    }

    async fn post(&self, body: &[u8]) -> Result<(), Refused> {
        let request = self.client.post(self.url.clone()).header("content-type", "application/json");
        let request = match &self.config.login {
            Some(Login::Basic { username, password }) => {
                request.basic_auth(username, Some(String::from_utf8_lossy(password.expose())))
            }
            Some(Login::Bearer(token)) => request.bearer_auth(String::from_utf8_lossy(token.expose())),
            None => request,
        };
        let answer = request.body(body.to_vec()).send().await;
        let answer = answer.map_err(|error| {
            let reason =
                if error.is_timeout() { "it does not answer in time".to_owned() } else { Reason(&error).to_string() };
            Refused::Failed(reason)
        })?;
        if answer.status().is_success() { Ok(()) } else { Err(Refused::Status(answer.status().as_u16())) }
    }

    fn says_it_works(&self, failures: &mut u32) {
        if *failures > 0 {
            tracing::info!(url = %self.url, "The Alertmanager takes alerts again.");
        }
        *failures = 0;
    }

    fn says_it_failed(&self, refused: &Refused, failures: &mut u32) {
        if failures.is_multiple_of(FAILURES_PER_LINE) {
            tracing::warn!(url = %self.url, "An Alertmanager does not take alerts, and will be tried again: {refused}");
        }
        *failures = failures.saturating_add(1);
    }
}

/// Doubles with every failure.
fn backoff(failures: u32) -> Duration {
    RETRY_MIN.saturating_mul(1 << failures.saturating_sub(1).min(6)).min(RETRY_MAX)
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use crate::keyring::Secret;
    use crate::ledger::{Ledger, Settings};

    use super::*;

    #[test]
    fn the_path_of_the_api_goes_behind_a_prefix() {
        for (url, expected) in [
            ("http://127.0.0.1:9093", "http://127.0.0.1:9093/api/v2/alerts"),
            ("https://ops.example.com/am/", "https://ops.example.com/am/api/v2/alerts"),
        ] {
            assert_eq!(endpoint(&url.parse().expect("a URL")).as_str(), expected);
        }
    }

    const NOW: UnixTime = UnixTime::from_seconds(1_795_488_000);

    /// A view in which an alert fires.
    fn firing() -> Arc<View> {
        let mut ledger = Ledger::new(Settings::default(), [], NOW);
        ledger.stored(false);
        ledger.look(NOW);
        ledger.commit()
    }

    /// Tells a listener of an alert, answers so, and gives the request.
    async fn request(login: Option<Login>, answers: &[&str]) -> Vec<String> {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}/am", listener.local_addr().expect("its address"));
        let config = Alertmanager {
            urls: vec![url.parse().expect("a URL")],
            login,
            repeat_seconds: 3600,
            ..Alertmanager::default()
        };
        let (_views, views) = watch::channel(firing());
        let (_configs, configs) = watch::channel(Arc::new(config));
        let pusher = Pusher::start(views, configs, || NOW);
        let mut requests = Vec::new();
        for answer in answers {
            let (mut stream, _) = listener.accept().await.expect("a connection");
            let mut request = Vec::new();
            while !String::from_utf8_lossy(&request).ends_with("}]") {
                let read = stream.read_buf(&mut request).await.expect("a request");
                assert_ne!(read, 0, "the request ends early");
            }
            let head = format!("HTTP/1.1 {answer}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
            stream.write_all(head.as_bytes()).await.expect("an answer");
            requests.push(String::from_utf8(request).expect("UTF-8"));
        }
        pusher.stop();
        requests
    }

    #[tokio::test]
    async fn a_login_goes_with_every_request() {
        let secret = || Secret::new("synthetic");
        let basic = Login::Basic { username: "ops".to_owned(), password: secret() };
        for (login, expected) in [
            (Some(basic), Some("authorization: Basic b3BzOnN5bnRoZXRpYw==")),
            (Some(Login::Bearer(secret())), Some("authorization: Bearer synthetic")),
            (None, None),
        ] {
            let [request] = <[String; 1]>::try_from(request(login, &["200 OK"]).await).expect("one request");
            assert!(request.starts_with("POST /am/api/v2/alerts HTTP/1.1\r\n"), "{request}");
            let found = request.lines().find(|line| line.to_ascii_lowercase().starts_with("authorization:"));
            assert_eq!(found, expected);
            assert!(request.contains("\"alertname\":\"StateFailing\""), "{request}");
        }
    }

    #[tokio::test]
    async fn what_was_refused_is_told_again() {
        let requests = request(None, &["503 Service Unavailable", "302 Found", "200 OK"]).await;
        assert!(requests.iter().all(|request| request.contains("StateFailing")), "{requests:?}");
    }

    #[test]
    fn a_file_without_certificates_is_said() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("ca.pem");
        let error = |path: &Path| certificates(path).map(|_| ()).expect_err("no certificates").to_string();
        assert!(error(&path).contains("can't be read"), "{}", error(&path));
        std::fs::write(&path, "no certificate").expect("written");
        assert!(error(&path).contains("but found none"), "{}", error(&path));
    }

    #[test]
    fn the_wait_doubles_up_to_a_minute() {
        let waits: Vec<u64> = [1, 2, 3, 7, 100].map(|failures| backoff(failures).as_secs()).into();
        assert_eq!(waits, [1, 2, 4, 60, 60]);
    }
}
