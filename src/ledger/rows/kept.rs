//! A diagnosis as it is kept: what may be shown of it, and what the counters took from it. No token, no secret.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::word::Word;
use crate::cause::Cause;
use crate::diagnosis::{About, Basis, Diagnosis, Fingerprint, Found, Reported, Skipped, TokenReport, TokenState};
use crate::finding::{Finding, REGIONS};
use crate::product::Product;
use crate::time::UnixTime;
use crate::token::Field;

#[derive(Serialize, Deserialize)]
pub(super) struct Row {
    id: String,
    at: i64,
    source: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    path: Option<String>,
    line: u64,
    offset: u64,
    sightings: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    event: Option<Reported>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    code: Option<u32>,
    product: String,
    cause: String,
    basis: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    findings: Vec<(String, String)>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    skipped: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    token: Option<Token>,
    /// Keyed hashes of identity and service.
    #[serde(default, skip_serializing_if = "is_nobody")]
    about: [Option<u64>; 2],
}

const fn is_nobody(about: &[Option<u64>; 2]) -> bool {
    matches!(about, [None, None])
}

#[derive(Serialize, Deserialize)]
struct Token {
    state: String,
    found: (String, i64),
    fingerprint: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    jti: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    key: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    account: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    issued: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    not_before: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expires: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    lifetime: Option<i64>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    grants: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    region: Option<String>,
    #[serde(default)]
    exposed: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expired_for: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    early_by: Option<i64>,
}

impl Row {
    pub(super) fn of(diagnosis: &Diagnosis) -> Self {
        Self {
            id: diagnosis.id.clone(),
            at: diagnosis.at.as_millis(),
            source: diagnosis.source.to_string(),
            path: diagnosis.path.as_deref().map(str::to_owned),
            line: diagnosis.line,
            offset: diagnosis.offset,
            sightings: diagnosis.sightings,
            event: diagnosis.event.clone(),
            code: diagnosis.code,
            product: diagnosis.product.word(),
            cause: diagnosis.cause.word(),
            basis: diagnosis.basis.word(),
            findings: diagnosis.findings.iter().map(|f| (f.cause().word(), f.to_string())).collect(),
            skipped: diagnosis.skipped.iter().map(|skipped| skipped.word()).collect(),
            token: diagnosis.token.as_ref().map(Token::of),
            about: [diagnosis.about.identity, diagnosis.about.service].map(|of| of.map(|of| u64::from_be_bytes(of.0))),
        }
    }

    /// The diagnosis, unless it names something that this version does not know.
    pub(super) fn read(self) -> Option<Diagnosis> {
        let finding =
            |(cause, message): (String, String)| Some(Finding::Earlier { cause: Cause::read(&cause)?, message });
        Some(Diagnosis {
            id: self.id,
            at: UnixTime::from_millis(self.at),
            source: Arc::from(self.source),
            path: self.path.map(Arc::from),
            line: self.line,
            offset: self.offset,
            sightings: self.sightings,
            event: self.event,
            code: self.code,
            product: Product::read(&self.product)?,
            cause: Cause::read(&self.cause)?,
            basis: Basis::read(&self.basis)?,
            findings: self.findings.into_iter().filter_map(finding).collect(),
            skipped: self.skipped.iter().filter_map(|word| Skipped::read(word)).collect(),
            token: match self.token {
                Some(token) => Some(token.read()?),
                None => None,
            },
            about: About {
                identity: self.about[0].map(|of| Fingerprint(of.to_be_bytes())),
                service: self.about[1].map(|of| Fingerprint(of.to_be_bytes())),
            },
        })
    }
}

impl Token {
    fn of(report: &TokenReport) -> Self {
        let millis = |time: Option<UnixTime>| time.map(UnixTime::as_millis);
        Self {
            state: report.state.word(),
            found: found(report.found),
            fingerprint: report.fingerprint.to_string(),
            jti: report.jti.clone(),
            key: report.key_sid.clone(),
            account: report.account_sid.clone(),
            issued: millis(report.issued_at),
            not_before: millis(report.not_before),
            expires: millis(report.expires_at),
            lifetime: report.lifetime_seconds,
            grants: report.grants.iter().map(|grant| (*grant).to_owned()).collect(),
            region: report.region.map(str::to_owned),
            exposed: report.exposed,
            expired_for: report.expired_for_seconds,
            early_by: report.early_by_seconds,
        }
    }

    fn read(self) -> Option<TokenReport> {
        let time = |millis: Option<i64>| millis.map(UnixTime::from_millis);
        let grant = |name: String| Field::ALL.into_iter().map(Field::name).find(|known| *known == name);
        Some(TokenReport {
            state: TokenState::read(&self.state)?,
            found: read_found(&self.found)?,
            fingerprint: Fingerprint(u64::from_str_radix(&self.fingerprint, 16).ok()?.to_be_bytes()),
            jti: self.jti,
            // Counted when it came, and not kept.
            identity: None,
            key_sid: self.key,
            account_sid: self.account,
            issued_at: time(self.issued),
            not_before: time(self.not_before),
            expires_at: time(self.expires),
            lifetime_seconds: self.lifetime,
            grants: self.grants.into_iter().filter_map(grant).collect(),
            region: self.region.and_then(|name| REGIONS.into_iter().find(|known| *known == name)),
            exposed: self.exposed,
            told: false,
            expired_for_seconds: self.expired_for,
            early_by_seconds: self.early_by,
        })
    }
}

fn found(found: Found) -> (String, i64) {
    let lines = |lines: u64| i64::try_from(lines).unwrap_or(i64::MAX);
    let (word, lines) = match found {
        Found::OwnMessage(n) => ("own_message", lines(n)),
        Found::SameLine => ("same_line", 0),
        Found::SameRequest(n) => ("same_request", n),
        Found::Before(n) => ("before", lines(n)),
        Found::After(n) => ("after", lines(n)),
        Found::Given => ("given", 0),
    };
    (word.to_owned(), lines)
}

fn read_found((word, lines): &(String, i64)) -> Option<Found> {
    let count = u64::try_from(*lines).unwrap_or(0);
    match word.as_str() {
        "own_message" => Some(Found::OwnMessage(count)),
        "same_line" => Some(Found::SameLine),
        "same_request" => Some(Found::SameRequest(*lines)),
        "before" => Some(Found::Before(count)),
        "after" => Some(Found::After(count)),
        "given" => Some(Found::Given),
        _ => None,
    }
}
