//! Twilio's Alerts API, asked again and again.
//!
//! Alerts come late and out of order, so each question reaches back behind the one before, and what was handed on is
//! remembered. After a start the first question reaches back as far as Twilio serves: what was counted before is known
//! by its SID. Credentials go to the configured address only, whatever a page calls the next one.
//!
//! Deliberately without a filter by code: the API has none.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use reqwest::{Client, StatusCode, header, redirect};
use zeroize::Zeroizing;

use super::inlet::Complaints;
use super::intake::Intake;
use super::twilio::Delivery;
use super::twilio::address::Address;
use super::twilio::alert::{self, Page};
use super::{Delivered, Failure, Health, Sink};
use crate::pipeline::seen::EventSid;
use crate::time::UnixTime;

/// Alerts a page; Twilio's most.
const PAGE_SIZE: u32 = 1000;
/// The largest answer that is read, in bytes.
const ANSWER_BYTES_MAX: usize = 16 << 20;
/// Pages of one round at the most.
const PAGES_MAX: u32 = 10_000;
/// How long an answer may take.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(30);
/// How long to wait after a first failure; doubled with each further one.
const PAUSE_LEAST: Duration = Duration::from_secs(1);
/// The longest wait after failures.
const PAUSE_MOST: Duration = Duration::from_secs(300);
/// Twilio serves alerts of so many seconds; a minute less, so that a question is never too old when it arrives.
const SERVED_SECONDS: i64 = 30 * 86_400 - 60;
/// Alerts remembered between two rounds at the most.
const KNOWN_MAX: usize = 1_000_000;

/// What the poller is told by the config.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Name of the source.
    pub source: Arc<str>,
    /// Where the API is.
    pub base_url: Address,
    /// Seconds between two questions.
    pub poll_seconds: u32,
    /// How far a question reaches back behind the one before.
    pub overlap_minutes: u32,
    /// How far the first question reaches back.
    pub history_days: u32,
    /// The daemon's clock.
    pub clock: fn() -> UnixTime,
}

/// User and password of the API; no `Debug`.
pub struct Credentials {
    /// The key's or the account's SID.
    pub user: String,
    /// Its secret.
    pub password: Zeroizing<String>,
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Credentials of {}", self.user)
    }
}

/// Why a round failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// What kind.
    pub kind: Failure,
    /// What to do, in a sentence.
    pub message: String,
    /// Twilio says how long to wait.
    pub wait: Option<Duration>,
}

impl Trouble {
    fn new(kind: Failure, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), wait: None }
    }
}

/// The one who asks.
pub struct Poller {
    settings: Settings,
    credentials: Credentials,
    client: Client,
    /// Start of the last round that succeeded.
    asked: Option<UnixTime>,
    /// Alerts that the last round handed on or found known.
    known: HashSet<EventSid>,
}

impl std::fmt::Debug for Poller {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Poller").field("settings", &self.settings).finish_non_exhaustive()
    }
}

impl Poller {
    /// One that has not asked yet.
    pub fn new(settings: Settings, credentials: Credentials) -> Result<Self, Trouble> {
        let client = Client::builder()
            .https_only(settings.base_url.is_tls())
            // A redirect could carry the credentials elsewhere.
            .redirect(redirect::Policy::none())
            .timeout(ANSWER_TIME_MAX)
            .user_agent(concat!("diag51007/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| Trouble::new(Failure::Remote, format!("TLS can't be set up: {error}")))?;
        Ok(Self { settings, credentials, client, asked: None, known: HashSet::new() })
    }

    /// Asks until the task is ended.
    pub async fn run(mut self, intake: Arc<Intake>, sink: Arc<dyn Sink>, complaints: Complaints) {
        let (mut failures, mut is_first) = (0, true);
        loop {
            let pause = match self.round(&intake, &complaints).await {
                Ok(()) => {
                    failures = 0;
                    sink.report(&self.settings.source, Health::Up(true));
                    Duration::from_secs(self.settings.poll_seconds.into())
                }
                Err(trouble) => {
                    if failures == 0 {
                        sink.report(&self.settings.source, Health::Up(false));
                    }
                    failures += 1;
                    complaints.tell(trouble.kind, trouble.message);
                    trouble.wait.unwrap_or_else(|| backoff(failures, random()))
                }
            };
            if is_first {
                // A start must not wait for Twilio, so a first failure will do.
                sink.report(&self.settings.source, Health::CaughtUp);
                if failures > 0 {
                    sink.report(&self.settings.source, Health::Up(false));
                }
                is_first = false;
            }
            self.report_lag(&*sink);
            tokio::time::sleep(pause).await;
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "seconds since the last round fit an f64")]
    fn report_lag(&self, sink: &dyn Sink) {
        if let Some(asked) = self.asked {
            let lag_seconds = (self.settings.clock)().seconds_since(asked).max(0) as f64;
            sink.report(&self.settings.source, Health::Progress { files: 0, unread_bytes: 0, lag_seconds });
        }
    }

    /// Where a round begins.
    fn since(&self, now: UnixTime) -> UnixTime {
        let back = match self.asked {
            Some(asked) => now.seconds_since(asked) + i64::from(self.settings.overlap_minutes) * 60,
            None => i64::from(self.settings.history_days) * 86_400,
        };
        UnixTime::from_seconds(now.as_seconds() - back.min(SERVED_SECONDS))
    }

    /// Asks once for everything since the last time, page after page.
    pub async fn round(&mut self, intake: &Intake, complaints: &Complaints) -> Result<(), Trouble> {
        let now = (self.settings.clock)();
        let since = self.since(now).to_string().replace(':', "%3A");
        let mut next = format!("/v1/Alerts?StartDate={since}&PageSize={PAGE_SIZE}");
        let mut found = HashSet::new();
        for _ in 0..PAGES_MAX {
            let page = Page::read(&self.ask(&next).await?)
                .map_err(|unreadable| Trouble::new(Failure::Payload, format!("Twilio's answer: {unreadable}")))?;
            self.hand_on(&page, &mut found, intake, complaints).await?;
            let Some(url) = page.next() else {
                (self.asked, self.known) = (Some(now), found);
                return Ok(());
            };
            let place = self.place(url)?;
            if place == next {
                return Err(Trouble::new(Failure::Payload, "Twilio's answer names the same page as the next one"));
            }
            next = place;
        }
        Err(Trouble::new(Failure::Payload, format!("there are more than {PAGES_MAX} pages of alerts")))
    }

    /// Path and query of the next page. They are asked for at the configured address.
    fn place(&self, url: &str) -> Result<String, Trouble> {
        let elsewhere = || Trouble::new(Failure::Payload, "Twilio's answer names a next page at another address");
        let (address, query) = url.split_once('?').unwrap_or((url, ""));
        let address = Address::parse(address).map_err(|_| elsewhere())?;
        let base = &self.settings.base_url;
        let path = address.path();
        let ours = address.same_origin(base) || address.same_origin(&Address::monitor());
        let path = path.strip_prefix(base.path()).unwrap_or(path);
        if !ours || !path.starts_with("/v1/Alerts") || query.bytes().any(|byte| !byte.is_ascii_graphic()) {
            return Err(elsewhere());
        }
        Ok(format!("{path}?{query}"))
    }

    async fn hand_on(
        &self,
        page: &Page,
        found: &mut HashSet<EventSid>,
        intake: &Intake,
        complaints: &Complaints,
    ) -> Result<(), Trouble> {
        let (mut delivery, mut sids, mut bytes) = (Delivery::default(), Vec::new(), 0);
        for alert in page.alerts(&self.settings.source) {
            let Ok((mut arrival, has_request)) = alert else {
                delivery.unreadable += 1;
                complaints.tell(Failure::Payload, "an alert can't be read and was passed over");
                continue;
            };
            let sid = arrival.sid;
            if self.known.contains(&sid) || found.contains(&sid) {
                found.insert(sid);
                continue;
            }
            if has_request && arrival.may_count() {
                let single = self.ask(&format!("/v1/Alerts/{sid}")).await?;
                match alert::read_one(&single, &self.settings.source) {
                    Ok(whole) if whole.sid == sid => arrival = whole,
                    Ok(_) | Err(_) => complaints.tell(Failure::Payload, "a single alert can't be read"),
                }
            }
            bytes += arrival.text.len();
            sids.push(sid);
            delivery.arrivals.push(arrival);
        }
        if sids.is_empty() {
            return Ok(());
        }
        let delivered = Delivered { source: Arc::clone(&self.settings.source), delivery, lines: None, bytes };
        let busy = || Trouble::new(Failure::Busy, "alerts could not be committed: they will be asked for again");
        let receipt = intake.offer(delivered).map_err(|_| busy())?;
        if receipt.await != Ok(true) {
            return Err(busy());
        }
        if found.len() < KNOWN_MAX {
            found.extend(sids);
        }
        Ok(())
    }

    /// Asks for one alert, to see whether that works.
    pub async fn probe(&self) -> Result<(), Trouble> {
        let answer = self.ask("/v1/Alerts?PageSize=1").await?;
        Page::read(&answer)
            .map(drop)
            .map_err(|unreadable| Trouble::new(Failure::Payload, format!("the answer is not Twilio's: {unreadable}")))
    }

    /// Asks for a path of the API.
    pub async fn ask(&self, path: &str) -> Result<Zeroizing<Vec<u8>>, Trouble> {
        let base = self.settings.base_url.to_string();
        let url = format!("{}{path}", base.trim_end_matches('/'));
        let Credentials { user, password } = &self.credentials;
        let request = self.client.get(url).basic_auth(user, Some(password.as_str()));
        let host = self.settings.base_url.host();
        // The error's own text would name the URL; its kind says enough.
        let silent = |error: &reqwest::Error| {
            let what = if error.is_timeout() { "does not answer in time" } else { "can't be reached" };
            let help = "check the network, the name server and the system's certificates";
            Trouble::new(Failure::Remote, format!("{host} {what}: {help}"))
        };
        let mut answer = request.send().await.map_err(|error| silent(&error))?;
        if answer.status() != StatusCode::OK {
            return Err(self.refused(answer.status(), answer.headers()));
        }
        let mut body = Zeroizing::new(Vec::new());
        while let Some(chunk) = answer.chunk().await.map_err(|error| silent(&error))? {
            if body.len() + chunk.len() > ANSWER_BYTES_MAX {
                let message = format!("Twilio's answer is longer than {ANSWER_BYTES_MAX} bytes");
                return Err(Trouble::new(Failure::Payload, message));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }

    fn refused(&self, status: StatusCode, headers: &header::HeaderMap) -> Trouble {
        let (user, code) = (&self.credentials.user, status.as_u16());
        let who = if user.starts_with("SK") { "the key" } else { "the account" };
        let what = if user.starts_with("SK") { "its secret" } else { "its Auth Token" };
        let (kind, message) = match code {
            401 => {
                (Failure::Auth, format!("Twilio answers 401: {who} {user} or {what} is wrong, or of another region"))
            }
            403 => (Failure::Auth, format!("Twilio answers 403: {who} {user} may not read the alerts of the account")),
            429 => (Failure::RateLimited, "Twilio answers 429: it is asked too often; raise `poll_seconds`".to_owned()),
            500.. => (Failure::Remote, format!("Twilio answers {code}: it does not work at the moment")),
            _ => (Failure::Remote, format!("Twilio answers {code}: expected 200; check `base_url`")),
        };
        let wait = headers.get(header::RETRY_AFTER).and_then(|wait| wait.to_str().ok()?.parse::<u64>().ok());
        Trouble { kind, message, wait: wait.map(|seconds| Duration::from_secs(seconds.max(1)).min(PAUSE_MOST)) }
    }
}

/// How long to wait after so many failures: between half and all of a time that doubles. `random` is from 0 to 255.
fn backoff(failures: u32, random: u8) -> Duration {
    let whole = PAUSE_LEAST.saturating_mul(1 << failures.saturating_sub(1).min(16)).min(PAUSE_MOST);
    whole / 2 + whole / 2 * u32::from(random) / 255
}

fn random() -> u8 {
    let mut byte = [0];
    // Without random bytes the wait is a fixed one.
    _ = aws_lc_rs::rand::fill(&mut byte);
    u8::from_le_bytes(byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixTime = UnixTime::from_seconds(1_795_488_000);

    fn poller() -> Poller {
        let settings = Settings {
            source: "alerts".into(),
            base_url: Address::monitor(),
            poll_seconds: 30,
            overlap_minutes: 60,
            history_days: 30,
            clock: || NOW,
        };
        let credentials = Credentials { user: "SK0".to_owned(), password: Zeroizing::new("hidden".to_owned()) };
        Poller::new(settings, credentials).unwrap()
    }

    #[test]
    fn a_wait_doubles_up_to_five_minutes() {
        let seconds = |failures, random| backoff(failures, random).as_secs();
        assert_eq!([1, 2, 3].map(|failures| seconds(failures, 255)), [1, 2, 4]);
        assert_eq!((seconds(3, 0), seconds(100, 255)), (2, 300));
    }

    #[test]
    fn a_round_reaches_back_behind_the_one_before_and_never_behind_what_twilio_serves() {
        let mut poller = poller();
        let back = |poller: &Poller| NOW.seconds_since(poller.since(NOW));
        assert_eq!(back(&poller), SERVED_SECONDS);
        poller.asked = Some(NOW.plus_millis(-30_000));
        assert_eq!(back(&poller), 3630);
        poller.asked = Some(NOW.plus_millis(-40 * 86_400_000));
        assert_eq!(back(&poller), SERVED_SECONDS);
    }

    #[test]
    fn credentials_never_follow_a_page_to_another_address() {
        let poller = poller();
        let place = |url| poller.place(url).ok();
        assert_eq!(place("https://monitor.twilio.com/v1/Alerts?Page=1").as_deref(), Some("/v1/Alerts?Page=1"));
        for url in [
            "https://evil.example/v1/Alerts?Page=1",
            "http://monitor.twilio.com/v1/Alerts",
            "/v1/Alerts?Page=1",
            "https://monitor.twilio.com@evil.example/v1/Alerts",
            "https://monitor.twilio.com/v2/x",
            "",
        ] {
            assert_eq!(place(url), None, "{url}");
        }
        assert!(!format!("{poller:?} {:?}", poller.credentials).contains("hidden"));
    }
}
