//! The life that the demo shows: what five services of one company log while their users connect to Twilio.
//!
//! Pure: a seed, keys and the time in, log lines out. Each refusal carries the cause that was made, so that a test can
//! hold the diagnoses against it. Ids, keys, secrets and people are invented, anew for every seed.

mod lines;
pub mod mint;

use self::mint::{Keys, Recipe};
use crate::time::UnixTime;

/// A burst of expired tokens comes so often: phones wake up with the tokens of last night.
const BURST_EVERY_SECONDS: i64 = 180;

/// The part of that time in which it comes.
const BURST_SECONDS: std::ops::Range<i64> = 20..45;

/// Of a hundred connections outside a burst, so many are refused.
const REFUSED_PERCENT: u64 = 7;

/// Of a hundred connections in a burst, so many are refused as expired.
const EXPIRED_IN_BURST_PERCENT: u64 = 60;

/// Between two refusals whose log lines carry no id of the connection, so that nobody could mix them up.
const APART_MILLIS: i64 = 8_000;

/// A refused token is sent once more after at least this time.
const REUSE_AFTER_MILLIS: i64 = 15_000;

/// The logs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Log {
    /// The chat gateway: pino JSON.
    Gateway,
    /// A Conversations or Sync client: the SDK's own debug log.
    Client,
    /// A worker: logfmt.
    Worker,
    /// A container: docker json-file.
    Container,
    /// The call centre: logback text.
    Calls,
}

impl Log {
    /// Every log.
    pub const ALL: [Self; 5] = [Self::Gateway, Self::Client, Self::Worker, Self::Container, Self::Calls];

    /// The source's name in the config.
    pub const fn source(self) -> &'static str {
        match self {
            Self::Gateway => "gateway",
            Self::Client => "client",
            Self::Worker => "worker",
            Self::Container => "container",
            Self::Calls => "calls",
        }
    }

    /// The file's name.
    pub const fn file(self) -> &'static str {
        match self {
            Self::Gateway => "gateway.log",
            Self::Client => "client.log",
            Self::Worker => "worker.log",
            Self::Container => "container-json.log",
            Self::Calls => "calls.log",
        }
    }
}

/// One line of a log, without its newline.
#[derive(Clone, PartialEq, Eq)]
pub struct LogLine {
    /// The log.
    pub log: Log,
    /// The text.
    pub text: String,
}

/// What is written at one time.
#[derive(Clone, Default)]
pub struct Beat {
    /// The lines, in their order.
    pub lines: Vec<LogLine>,
    /// The refusal among them: its log and the id of its cause.
    pub refused: Option<(Log, &'static str)>,
    /// Time until the next one.
    pub wait_millis: u32,
}

/// What can be wrong with a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    Expired,
    Reused,
    NewlineInSecret,
    AuthTokenAsSecret,
    RotatedSecret,
    NotYetValid,
    TooLong,
    NoSyncGrant,
    MessagingService,
    NoIdentity,
    OtherAccount,
    Capability,
    Html,
    Undefined,
    CutShort,
    Masked,
    DeletedKey,
    CodeSignature,
    CodeExpired,
    NothingLogged,
}

/// Faults outside bursts, by how often they happen.
const MIX: [(Fault, u64); 20] = [
    (Fault::Expired, 34),
    (Fault::Reused, 6),
    (Fault::NewlineInSecret, 9),
    (Fault::AuthTokenAsSecret, 3),
    (Fault::RotatedSecret, 4),
    (Fault::NotYetValid, 4),
    (Fault::TooLong, 3),
    (Fault::NoSyncGrant, 6),
    (Fault::MessagingService, 6),
    (Fault::NoIdentity, 3),
    (Fault::OtherAccount, 3),
    (Fault::Capability, 3),
    (Fault::Html, 3),
    (Fault::Undefined, 3),
    (Fault::CutShort, 2),
    (Fault::Masked, 2),
    (Fault::DeletedKey, 2),
    (Fault::CodeSignature, 3),
    (Fault::CodeExpired, 4),
    (Fault::NothingLogged, 2),
];

/// The id of the cause that a diagnosis must name.
const fn cause_id(fault: Fault) -> &'static str {
    match fault {
        Fault::Expired | Fault::CodeExpired => "expired",
        Fault::Reused => "stale_reuse",
        Fault::NewlineInSecret | Fault::AuthTokenAsSecret => "wrong_secret",
        Fault::RotatedSecret | Fault::CodeSignature => "signature_invalid",
        Fault::NotYetValid => "not_yet_valid",
        Fault::TooLong => "lifetime_too_long",
        Fault::NoSyncGrant => "product_grant_missing",
        Fault::MessagingService => "grant_sid_invalid",
        Fault::NoIdentity => "identity_missing",
        Fault::OtherAccount => "account_mismatch",
        Fault::Capability => "capability_token",
        Fault::Html | Fault::Undefined => "not_a_token",
        Fault::CutShort => "truncated",
        Fault::Masked => "unreadable",
        Fault::DeletedKey => "none_found",
        Fault::NothingLogged => "no_token",
    }
}

/// Where a fault shows so that its cause can be told.
const fn logs(fault: Fault) -> &'static [Log] {
    match fault {
        Fault::Expired
        | Fault::NewlineInSecret
        | Fault::AuthTokenAsSecret
        | Fault::RotatedSecret
        | Fault::NotYetValid
        | Fault::TooLong
        | Fault::NoIdentity
        | Fault::OtherAccount
        | Fault::Capability
        | Fault::DeletedKey => &[Log::Gateway, Log::Client, Log::Worker, Log::Container],
        Fault::Reused | Fault::MessagingService | Fault::Html | Fault::Undefined | Fault::CutShort => {
            &[Log::Gateway, Log::Client]
        }
        Fault::NoSyncGrant => &[Log::Client],
        Fault::Masked => &[Log::Worker],
        Fault::CodeSignature | Fault::CodeExpired | Fault::NothingLogged => &[Log::Calls],
    }
}

/// The story so far.
pub struct Story {
    keys: Keys,
    dice: Dice,
    began: Option<UnixTime>,
    people: u64,
    busy_until: [UnixTime; Log::ALL.len()],
    refused: Vec<(Log, String, UnixTime)>,
}

impl Story {
    /// A story that has not begun; the same seed, keys and times tell the same story.
    pub fn new(seed: u64, keys: Keys) -> Self {
        Self {
            keys,
            dice: Dice(seed),
            began: None,
            people: 0,
            busy_until: [UnixTime::default(); Log::ALL.len()],
            refused: Vec::new(),
        }
    }

    /// What happens at `now`.
    pub fn next(&mut self, now: UnixTime) -> Beat {
        let began = *self.began.get_or_insert(now);
        let in_burst = BURST_SECONDS.contains(&now.seconds_since(began).rem_euclid(BURST_EVERY_SECONDS));
        let mut beat = Beat::default();
        let refused = if in_burst { EXPIRED_IN_BURST_PERCENT } else { REFUSED_PERCENT };
        let fault = if self.dice.below(100) >= refused {
            None
        } else if in_burst {
            Some(Fault::Expired)
        } else {
            Some(self.fault())
        };
        match fault.and_then(|fault| Some((fault, self.log_for(fault, now)?))) {
            Some((fault, log)) => self.refusal(fault, log, now, &mut beat),
            None => self.traffic(now, &mut beat),
        }
        let (least, spread) = if in_burst { (120, 300) } else { (200, 800) };
        beat.wait_millis = least + u32::try_from(self.dice.below(spread)).unwrap_or(0);
        beat
    }

    fn fault(&mut self) -> Fault {
        let mut left = self.dice.below(MIX.iter().map(|(_, weight)| weight).sum());
        for (fault, weight) in MIX {
            if left < weight {
                return fault;
            }
            left -= weight;
        }
        Fault::Expired
    }

    /// A log in which the fault can be told apart from what else is going on there.
    fn log_for(&mut self, fault: Fault, now: UnixTime) -> Option<Log> {
        if fault == Fault::Reused {
            let (log, ..) = self
                .refused
                .iter()
                .find(|(log, _, at)| now.millis_since(*at) >= REUSE_AFTER_MILLIS && self.is_free(*log, now))?;
            return Some(*log);
        }
        let free: Vec<_> = logs(fault).iter().copied().filter(|log| self.is_free(*log, now)).collect();
        free.get(usize::try_from(self.dice.below(free.len() as u64)).ok()?).copied()
    }

    fn is_free(&self, log: Log, now: UnixTime) -> bool {
        self.busy_until.get(log as usize).is_none_or(|until| now >= *until)
    }

    fn refusal(&mut self, fault: Fault, log: Log, now: UnixTime, beat: &mut Beat) {
        let token = self.token(fault, log, now);
        let id = self.dice.id();
        match log {
            Log::Gateway => lines::gateway_refused(now, &token, &id, beat),
            Log::Client => {
                let product = if fault == Fault::NoSyncGrant { lines::SYNC } else { lines::CONVERSATIONS };
                lines::client_refused(now, &token, &id, product, beat);
            }
            Log::Worker => lines::worker_refused(now, &token, &id, beat),
            Log::Container => lines::container_refused(now, &token, beat),
            Log::Calls => lines::calls_refused(now, message(fault), beat),
        }
        let apart = match log {
            Log::Client | Log::Calls => APART_MILLIS,
            Log::Gateway | Log::Worker | Log::Container => 0,
        };
        if let Some(until) = self.busy_until.get_mut(log as usize) {
            *until = now.plus_millis(apart);
        }
        beat.refused = Some((log, cause_id(fault)));
    }

    /// What the SDK sends.
    fn token(&mut self, fault: Fault, log: Log, now: UnixTime) -> String {
        self.people += 1;
        let mut recipe = Recipe::valid(&self.keys, self.people, now);
        let ago = 60 + i64::try_from(self.dice.below(5000)).unwrap_or(0);
        match fault {
            Fault::Expired => recipe.shift_seconds(-3600 - ago),
            Fault::Reused => return self.reused(log, now),
            Fault::NewlineInSecret => recipe.secret.push('\n'),
            Fault::AuthTokenAsSecret => recipe.secret.clone_from(&self.keys.auth_token),
            Fault::RotatedSecret => recipe.secret.clone_from(&self.keys.old_secret),
            Fault::NotYetValid => recipe.shift_seconds(30 + ago / 20),
            Fault::TooLong => recipe.lifetime_seconds = 7 * 86_400,
            Fault::NoSyncGrant => recipe.grants_sync = false,
            Fault::MessagingService => recipe.chat_service.clone_from(&self.keys.messaging_service),
            Fault::NoIdentity => recipe.identity = None,
            Fault::OtherAccount => recipe.account.clone_from(&self.keys.other_account),
            Fault::DeletedKey => recipe.issued_by(&self.keys.deleted_key, &self.keys.deleted_secret),
            Fault::Capability => return mint::capability_token(&self.keys, self.people, now),
            Fault::Html => {
                return "<!DOCTYPE html><html><head><title>502 Bad Gateway</title></head></html>".to_owned();
            }
            Fault::Undefined => return "undefined".to_owned(),
            Fault::CutShort => {
                let mut token = recipe.mint();
                token.truncate(token.len().saturating_sub(17));
                return token;
            }
            Fault::Masked => return "[REDACTED]".to_owned(),
            Fault::CodeSignature | Fault::CodeExpired | Fault::NothingLogged => return String::new(),
        }
        let token = recipe.mint();
        if fault == Fault::Expired && (log == Log::Gateway || log == Log::Client) {
            self.refused.retain(|(other, ..)| *other != log);
            self.refused.push((log, token.clone(), now));
        }
        token
    }

    /// The expired token of an earlier refusal in the same log, once more.
    fn reused(&mut self, log: Log, now: UnixTime) -> String {
        let known = self.refused.iter_mut().find(|(other, ..)| *other == log);
        known.map_or_else(String::new, |(_, token, at)| {
            *at = now;
            token.clone()
        })
    }

    fn traffic(&mut self, now: UnixTime, beat: &mut Beat) {
        self.people += 1;
        let (id, pick) = (self.dice.id(), self.dice.below(100));
        match pick {
            0..25 => lines::gateway_request(now, &id, self.dice.below(900), beat),
            25..32 if self.is_free(Log::Client, now) => {
                let token = Recipe::valid(&self.keys, self.people, now).mint();
                lines::client_connected(now, &token, &id, beat);
            }
            25..50 => lines::worker_job(now, &id, self.dice.below(60_000), beat),
            50..75 => lines::container_served(now, self.dice.below(90_000), beat),
            _ => lines::calls_routed(now, self.dice.below(100_000), beat),
        }
    }
}

/// What the call centre logs of a refusal.
const fn message(fault: Fault) -> &'static str {
    match fault {
        Fault::CodeSignature => "Twilio error 20107: Invalid Access Token signature",
        Fault::CodeExpired => "Twilio error 20104: Access Token expired or expiration date invalid",
        Fault::NothingLogged
        | Fault::Expired
        | Fault::Reused
        | Fault::NewlineInSecret
        | Fault::AuthTokenAsSecret
        | Fault::RotatedSecret
        | Fault::NotYetValid
        | Fault::TooLong
        | Fault::NoSyncGrant
        | Fault::MessagingService
        | Fault::NoIdentity
        | Fault::OtherAccount
        | Fault::Capability
        | Fault::Html
        | Fault::Undefined
        | Fault::CutShort
        | Fault::Masked
        | Fault::DeletedKey => "Twilio error 51007: Token authentication is rejected by authentication service",
    }
}

/// A small generator of numbers (splitmix64): the story needs variety, not secrecy.
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below the bound; 0 when there is none.
    fn below(&mut self, bound: u64) -> u64 {
        self.roll().checked_rem(bound).unwrap_or(0)
    }

    /// An id in the form of a UUID.
    fn id(&mut self) -> String {
        let (a, b) = (self.roll(), self.roll());
        let (first, second, third) = (a >> 32, (a >> 16) & 0xffff, a & 0xfff);
        format!("{first:08x}-{second:04x}-4{third:03x}-a{:03x}-{:012x}", b >> 52, b & 0xffff_ffff_ffff)
    }
}

#[cfg(test)]
mod tests;
