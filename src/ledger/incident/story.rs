//! What probably happened, in one plain sentence with its numbers as evidence.
//!
//! Only counts, times, SIDs and configured names go in: nothing that a log line says can reach a sentence.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::cause::{Cause, Family};
use crate::diagnosis::{Check, Diagnosis, TokenState};
use crate::time::UnixTime;

use super::{Incident, key_of};

/// Keys whose records are kept; further ones have none.
pub const KEYS_MAX: usize = 256;
/// Tokens that run out this shortly before they are sent were renewed too late, in seconds.
const LATE_SECONDS: i64 = 120;
/// Tokens that were sent so long after their end were kept, in seconds.
const KEPT_SECONDS: i64 = 600;

/// What is known of a key's signatures.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyRecord {
    /// Refused tokens whose signature was found good.
    pub verified: u64,
    /// Refused tokens whose signature was found bad.
    pub failed: u64,
}

/// The records of the keys.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyRecords(BTreeMap<String, KeyRecord>);

impl KeyRecords {
    /// Takes a rejection in, and gives what is known of its key, this rejection not included.
    pub fn saw(&mut self, diagnosis: &Diagnosis) -> KeyRecord {
        let Some(key) = key_of(diagnosis) else { return KeyRecord::default() };
        let before = self.0.get(key).cloned();
        if before.is_none() && self.0.len() >= KEYS_MAX {
            return KeyRecord::default();
        }
        if let Some(is_good) = is_verified(diagnosis) {
            let record = match self.0.get_mut(key) {
                Some(record) => record,
                None => self.0.entry(key.to_owned()).or_default(),
            };
            if is_good {
                record.verified += 1;
            } else {
                record.failed += 1;
            }
        }
        before.unwrap_or_default()
    }
}

/// Whether the token's signature was found good; none if it was not checked.
fn is_verified(diagnosis: &Diagnosis) -> Option<bool> {
    let token = diagnosis.token.as_ref()?;
    let of_token = || diagnosis.findings.iter().filter(|finding| !finding.is_of_code());
    let is_bad = of_token().any(|finding| finding.cause().family() == Family::Signature);
    if is_bad {
        return Some(false);
    }
    let was_checked = token.state == TokenState::Readable
        && !diagnosis.skipped.iter().any(|skipped| skipped.check == Check::Signature)
        && !of_token().any(|finding| matches!(finding.cause().family(), Family::Form | Family::Header));
    was_checked.then_some(true)
}

/// A duration as people say it: `45 s`, `12 min`, `9 h`, `3 d`.
#[derive(Clone, Copy, Debug)]
pub struct Duration(pub i64);

impl fmt::Display for Duration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.max(0);
        match seconds {
            0..120 => write!(f, "{seconds} s"),
            120..7200 => write!(f, "{} min", (seconds + 30) / 60),
            7200..172_800 => write!(f, "{} h", (seconds + 1800) / 3600),
            _ => write!(f, "{} d", (seconds + 43_200) / 86_400),
        }
    }
}

/// From one duration to another; one if they look the same.
struct Range(i64, i64);

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (low, high) = (Duration(self.0).to_string(), Duration(self.1).to_string());
        let unit = |text: &str| text.rsplit(' ').next().map(str::to_owned);
        if low == high {
            f.write_str(&low)
        } else if unit(&low) == unit(&high) {
            write!(f, "{} to {high}", low.split(' ').next().unwrap_or(&low))
        } else {
            write!(f, "{low} to {high}")
        }
    }
}

/// A number with separators: `1,204`.
#[derive(Clone, Copy, Debug)]
pub struct Number(pub u64);

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = self.0.to_string();
        for (at, digit) in digits.chars().enumerate() {
            if at > 0 && (digits.len() - at).is_multiple_of(3) {
                f.write_str(",")?;
            }
            write!(f, "{digit}")?;
        }
        Ok(())
    }
}

/// A count with its noun.
struct Counted(u64, &'static str, &'static str);

impl fmt::Display for Counted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", Number(self.0), if self.0 == 1 { self.1 } else { self.2 })
    }
}

impl Incident {
    /// What probably happened.
    pub fn story(&self) -> String {
        let what = match self.cause {
            Cause::Expired => self.expired(),
            Cause::StaleReuse => self.stale(),
            Cause::NotYetValid => self.early(),
            Cause::SignatureInvalid | Cause::WrongSecret => self.signature(),
            Cause::NotAToken
            | Cause::CapabilityToken
            | Cause::Malformed
            | Cause::Truncated
            | Cause::AlgorithmUnsupported
            | Cause::HeaderInvalid
            | Cause::IssuerInvalid
            | Cause::AccountInvalid
            | Cause::AccountMismatch
            | Cause::KeyNotAllowed
            | Cause::Tampered
            | Cause::TimeClaimInvalid
            | Cause::LifetimeTooLong
            | Cause::GrantsMissing
            | Cause::GrantsMalformed
            | Cause::IdentityMissing
            | Cause::IdentityInvalid
            | Cause::ProductGrantMissing
            | Cause::GrantIncomplete
            | Cause::GrantSidInvalid
            | Cause::VideoRegion
            | Cause::RegionMismatch
            | Cause::Unreadable
            | Cause::NoneFound
            | Cause::NoToken => format!("{}: {}", self.refused(), lower_first(self.cause.why())),
        };
        let what = what.strip_suffix('.').unwrap_or(&what);
        match self.concentration() {
            Some(where_from) => format!("{what}; {where_from}."),
            None => format!("{what}."),
        }
    }

    /// `12 connections with 9 different tokens were refused`
    fn refused(&self) -> String {
        let connections = Counted(self.count, "connection", "connections");
        let was = if self.count == 1 { "was" } else { "were" };
        match self.distinct_tokens() {
            0 => format!("{connections} {was} refused"),
            tokens => format!("{connections} with {} {was} refused", self.different(tokens)),
        }
    }

    /// `213 different tokens of 40 identities`
    fn different(&self, tokens: u64) -> String {
        let about = |is_exact: bool| if is_exact { "" } else { "about " };
        let tokens = Counted(tokens, "token", "different tokens");
        let said = format!("{}{tokens}", about(self.tokens.is_exact()));
        match self.distinct_identities() {
            // One token has one identity, which says nothing more.
            0 => said,
            1 if tokens.0 == 1 => said,
            identities => {
                let identities = Counted(identities, "identity", "identities");
                format!("{said} of {}{identities}", about(self.identities.is_exact()))
            }
        }
    }

    fn expired(&self) -> String {
        let tokens = self.different(self.distinct_tokens().max(1));
        let Some((low, high)) = self.expired_for.most() else {
            return format!("{}: the tokens had expired", self.refused());
        };
        let why = if high <= LATE_SECONDS {
            "clients connect with a token that is just running out, so they renew it too late"
        } else if low >= KEPT_SECONDS {
            "clients keep a token and send it long after its end"
        } else {
            "clients do not fetch a new token before they connect"
        };
        let whose = if self.distinct_tokens() > 1 { "their" } else { "its" };
        format!("{} came {} after {whose} end: {why}", upper_first(&tokens), Range(low, high))
    }

    fn stale(&self) -> String {
        match self.distinct_tokens() {
            0 | 1 => format!(
                "One expired token was sent again {}: a client is looping with it, or a server gives it to everyone",
                Counted(self.count, "time", "times")
            ),
            tokens => format!(
                "{} that had expired were sent again, {}: clients or a cache keep them instead of fetching new ones",
                upper_first(&self.different(tokens)),
                Counted(self.count, "time", "times")
            ),
        }
    }

    fn early(&self) -> String {
        let Some((low, high)) = self.early_by.most() else {
            return format!("{}: their validity had not begun", self.refused());
        };
        format!(
            "{}, {} before the tokens become valid: the clock of the token server is ahead",
            self.refused(),
            Range(low, high)
        )
    }

    fn signature(&self) -> String {
        let Some(key) = &self.key_sid else { return format!("{}: the signature does not fit", self.refused()) };
        let before = self.key.verified;
        if self.verified_since > 0 {
            return format!(
                "{}, while {} of {key} verified in the same time: one of several token servers has another secret",
                self.refused(),
                Counted(self.verified_since, "token", "tokens")
            );
        }
        let since = Clock(self.start);
        if before > 0 {
            return format!(
                "Since {since} no token of {key} verifies; before, {} did: the secret was rotated or redeployed wrongly",
                Number(before)
            );
        }
        format!(
            "Since {since} no token of {key} verifies, and none was seen that does: the token server or the key ring has \
             a wrong secret"
        )
    }

    /// Where most come from, if there are several sources.
    fn concentration(&self) -> Option<String> {
        if self.sources.len() < 2 {
            return None;
        }
        let (name, count) = self.top_source()?;
        let percent = count * 100 / self.count.max(1);
        (percent >= 60).then(|| format!("{percent} % come from source `{name}`"))
    }
}

/// Hours and minutes, in UTC.
struct Clock(UnixTime);

impl fmt::Display for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let minutes = self.0.as_seconds().rem_euclid(86_400) / 60;
        write!(f, "{:02}:{:02}", minutes / 60, minutes % 60)
    }
}

fn upper_first(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

fn lower_first(text: &str) -> String {
    // A name in code or a product keeps its letters.
    let mut chars = text.chars();
    match (chars.next(), chars.clone().next()) {
        (Some(first), Some(second)) if first.is_ascii_uppercase() && second.is_ascii_lowercase() => {
            let rest = chars.as_str();
            let word: String = text.chars().take_while(char::is_ascii_alphabetic).collect();
            if ["Twilio", "Restricted", "Video"].contains(&word.as_str()) {
                text.to_owned()
            } else {
                format!("{}{rest}", first.to_ascii_lowercase())
            }
        }
        _ => text.to_owned(),
    }
}
