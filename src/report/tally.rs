//! What one scan found, added up.
//!
//! Bounded: counts by closed lists, and one example a cause; whatever else grows with the log has a limit below.

use std::collections::BTreeMap;
use std::time::Duration;

use hashbrown::HashSet;
use serde::{Serialize, Serializer};

use crate::cause::Cause;
use crate::code;
use crate::diagnosis::{Basis, Check, Diagnosis, Found, SkipReason, Skipped, TokenState};
use crate::product::Product;
use crate::report::counts::Counts;
use crate::time::UnixTime;

/// So many different tokens are told apart in one scan; there may be more.
pub const TOKENS_MAX: usize = 65_536;

/// So many different keys are named in one scan; refusals of further ones are counted without their key.
pub const KEYS_MAX: usize = 1024;

/// All that a scan found.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// Files that were read, in the order given.
    pub files: Vec<FileTally>,
    /// Files that were not read, or not to their end.
    pub failures: Vec<Unread>,
    /// Refused connections.
    pub rejections: u64,
    /// How often they were printed.
    pub sightings: u64,
    /// The time of the first of them.
    pub first: Option<UnixTime>,
    /// The time of the last of them.
    pub last: Option<UnixTime>,
    /// By cause.
    pub causes: BTreeMap<Cause, CauseTally>,
    /// By Twilio code; `None` without one.
    pub by_code: Counts<Option<u32>>,
    /// Faults of tokens, several a token.
    pub findings: Counts<Cause>,
    /// Tokens by state.
    pub tokens: Counts<TokenState>,
    /// Tokens that stood in the log while still valid.
    pub exposed: u64,
    /// Checks that were not made.
    pub skipped: Counts<(Check, SkipReason)>,
    /// Keys whose signatures were not checked, with the account in their tokens.
    pub unchecked_keys: BTreeMap<String, UncheckedKey>,
    /// How long it took; `None` when nobody looked at a clock.
    pub elapsed: Option<Duration>,
    distinct: HashSet<(Cause, [u8; 8])>,
    key_names: HashSet<String>,
}

/// One file.
#[derive(Clone, Debug, Default)]
pub struct FileTally {
    /// Its name, fit to be shown.
    pub name: String,
    /// When it was last written.
    pub modified: Option<UnixTime>,
    /// Lines.
    pub lines: u64,
    /// Of these, longer than is looked at.
    pub truncated: u64,
    /// Records of an export that do not fit its header.
    pub misfits: u64,
    /// The line of the first of them.
    pub first_misfit: Option<u64>,
    /// Bytes, after decompression.
    pub bytes: u64,
    /// Refused connections.
    pub rejections: u64,
}

/// A file that was not read, or not to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unread {
    /// Its name, fit to be shown.
    pub name: String,
    /// Why, for a person.
    pub message: String,
    /// The exit code that says so (sysexits).
    pub exit_code: u8,
}

/// A key whose signatures were not checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UncheckedKey {
    /// Its account, as a token of it says.
    pub account: Option<String>,
    /// The key ring has no entry for it.
    pub unknown: bool,
    /// Refused connections with it.
    pub rejections: u64,
}

/// One cause.
#[derive(Clone, Debug)]
pub struct CauseTally {
    /// Refused connections.
    pub rejections: u64,
    /// The time of the first.
    pub first: UnixTime,
    /// The time of the last.
    pub last: UnixTime,
    /// By key; `None` where the token does not name one that may be shown, or beyond [`KEYS_MAX`].
    pub keys: BTreeMap<Option<String>, u64>,
    /// By product.
    pub products: Counts<Product>,
    /// By basis.
    pub bases: Counts<Basis>,
    /// Different tokens.
    pub tokens: u64,
    /// Not every token could be told apart: there may be more.
    pub tokens_overflow: bool,
    /// The first refusal, as evidence.
    pub example: Example,
}

/// One refusal to look at.
#[derive(Clone, Debug)]
pub struct Example {
    /// The file, fit to be shown.
    pub path: String,
    /// The line of its first print.
    pub line: u64,
    /// The evidence.
    pub evidence: Option<String>,
    /// How the token was found.
    pub found: Option<Found>,
    /// Twilio's code.
    pub code: Option<u32>,
}

impl Tally {
    /// Adds a refused connection of the file that is being read.
    pub fn add(&mut self, diagnosis: &Diagnosis) {
        self.rejections += 1;
        self.sightings += u64::from(diagnosis.sightings.max(1));
        self.first = Some(self.first.map_or(diagnosis.at, |first| first.min(diagnosis.at)));
        self.last = Some(self.last.map_or(diagnosis.at, |last| last.max(diagnosis.at)));
        self.by_code.add(diagnosis.code);
        for finding in &diagnosis.findings {
            self.findings.add(finding.cause());
        }
        for Skipped { check, reason } in &diagnosis.skipped {
            self.skipped.add((*check, *reason));
        }
        if let Some(token) = &diagnosis.token {
            self.tokens.add(token.state);
            self.exposed += u64::from(token.exposed && !token.told);
        }
        if let Some(file) = self.files.last_mut() {
            file.rejections += 1;
        }
        self.add_unchecked(diagnosis);
        self.add_to_cause(diagnosis);
    }

    fn add_unchecked(&mut self, diagnosis: &Diagnosis) {
        let reason = |skipped: &&Skipped| skipped.check == Check::Signature;
        let Some(Skipped { reason, .. }) = diagnosis.skipped.iter().find(reason) else { return };
        let unknown = match reason {
            SkipReason::UnknownKey => true,
            SkipReason::NoSecret => false,
            SkipReason::Unreadable
            | SkipReason::UnknownProduct
            | SkipReason::UnknownRegion
            | SkipReason::NoClaim
            | SkipReason::Limit => {
                return;
            }
        };
        let Some(token) = &diagnosis.token else { return };
        let Some(sid) = &token.key_sid else { return };
        if let Some(key) = self.unchecked_keys.get_mut(sid) {
            key.rejections += 1;
        } else if self.unchecked_keys.len() < KEYS_MAX {
            let account = token.account_sid.clone();
            self.unchecked_keys.insert(sid.clone(), UncheckedKey { account, unknown, rejections: 1 });
        }
    }

    fn add_to_cause(&mut self, diagnosis: &Diagnosis) {
        let fingerprint = diagnosis.token.as_ref().map(|token| (diagnosis.cause, token.fingerprint.0));
        let room = self.distinct.len() < TOKENS_MAX;
        let (is_new, overflow) = match fingerprint {
            None => (false, false),
            Some(entry) if room => (self.distinct.insert(entry), false),
            Some(entry) => (false, !self.distinct.contains(&entry)),
        };
        let key = diagnosis.token.as_ref().map_or(&None, |token| &token.key_sid);
        let key = if key.as_deref().is_some_and(|sid| self.has_name(sid)) { key } else { &None };
        let tally = self.causes.entry(diagnosis.cause).or_insert_with(|| CauseTally::new(diagnosis));
        tally.rejections += 1;
        tally.first = tally.first.min(diagnosis.at);
        tally.last = tally.last.max(diagnosis.at);
        tally.tokens += u64::from(is_new);
        tally.tokens_overflow |= overflow;
        match tally.keys.get_mut(key) {
            Some(rejections) => *rejections += 1,
            None => *tally.keys.entry(key.clone()).or_default() += 1,
        }
        tally.products.add(diagnosis.product);
        tally.bases.add(diagnosis.basis);
    }

    /// Says whether there is room for the name of a key.
    fn has_name(&mut self, key_sid: &str) -> bool {
        if !self.key_names.contains(key_sid) {
            if self.key_names.len() >= KEYS_MAX {
                return false;
            }
            self.key_names.insert(key_sid.to_owned());
        }
        true
    }

    /// Refused connections of a product with a cause.
    pub fn by_product(&self, product: Product, cause: Cause) -> u64 {
        self.causes.get(&cause).map_or(0, |tally| tally.products.of(product))
    }

    /// Refused connections whose diagnosis has a basis.
    pub fn by_basis(&self, basis: Basis) -> u64 {
        self.causes.values().map(|tally| tally.bases.of(basis)).sum()
    }

    /// Causes with their numbers, most refusals first; equal numbers by precedence.
    pub fn ranked(&self) -> Vec<(Cause, &CauseTally)> {
        let mut ranked: Vec<_> = self.causes.iter().map(|(cause, tally)| (*cause, tally)).collect();
        ranked.sort_by_key(|(cause, tally)| (std::cmp::Reverse(tally.rejections), *cause));
        ranked
    }

    /// Lines of all files.
    pub fn lines(&self) -> u64 {
        self.files.iter().map(|file| file.lines).sum()
    }

    /// Lines of all files that were longer than is looked at.
    pub fn truncated(&self) -> u64 {
        self.files.iter().map(|file| file.truncated).sum()
    }

    /// Records of all exports that do not fit their header.
    pub fn misfits(&self) -> u64 {
        self.files.iter().map(|file| file.misfits).sum()
    }

    /// Bytes of all files.
    pub fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.bytes).sum()
    }

    /// 0 when every file was read to its end, else the code (sysexits) of the first that was not.
    pub fn exit_code(&self) -> u8 {
        self.failures.first().map_or(0, |unread| unread.exit_code)
    }

    /// Codes with their numbers: every refusal code, then others that were met.
    pub fn codes(&self) -> BTreeMap<Option<u32>, u64> {
        let mut codes: BTreeMap<_, _> =
            code::CODES.iter().filter(|code| code.counts).map(|code| (Some(code.number), 0)).collect();
        codes.insert(None, 0);
        codes.extend(self.by_code.iter());
        codes
    }
}

impl CauseTally {
    fn new(diagnosis: &Diagnosis) -> Self {
        let evidence = diagnosis.findings.iter().find(|finding| finding.cause() == diagnosis.cause);
        Self {
            rejections: 0,
            first: diagnosis.at,
            last: diagnosis.at,
            keys: BTreeMap::new(),
            products: Counts::default(),
            bases: Counts::default(),
            tokens: 0,
            tokens_overflow: false,
            example: Example {
                path: diagnosis.path.as_deref().unwrap_or("-").to_owned(),
                line: diagnosis.line,
                evidence: evidence.or(diagnosis.findings.first()).map(ToString::to_string),
                found: diagnosis.token.as_ref().map(|token| token.found),
                code: diagnosis.code,
            },
        }
    }
}

/// The `summary` member of `scan --format json`.
impl Serialize for Tally {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde_json::json;
        let causes: Vec<_> = self
            .ranked()
            .into_iter()
            .map(|(cause, tally)| {
                let keys: BTreeMap<_, _> =
                    tally.keys.iter().filter_map(|(key, n)| Some((key.as_deref()?, n))).collect();
                let products: BTreeMap<_, _> = tally.products.iter().map(|(product, n)| (product.id(), n)).collect();
                json!({
                    "cause": cause, "title": cause.title(), "remedy": cause.remedy(), "rejections": tally.rejections,
                    "first": tally.first, "last": tally.last, "distinct_tokens": tally.tokens,
                    "distinct_tokens_complete": !tally.tokens_overflow, "keys": keys, "products": products,
                    "example": { "path": tally.example.path, "line": tally.example.line },
                })
            })
            .collect();
        let skipped: Vec<_> = self
            .skipped
            .iter()
            .map(|((check, reason), n)| json!({ "check": check, "reason": reason, "rejections": n }))
            .collect();
        let files: Vec<_> = self
            .files
            .iter()
            .map(|file| {
                json!({
                    "path": file.name, "lines": file.lines, "lines_truncated": file.truncated, "bytes": file.bytes,
                    "records_unfit": file.misfits, "rejections": file.rejections,
                })
            })
            .collect();
        let unread: Vec<_> =
            self.failures.iter().map(|unread| json!({ "path": unread.name, "error": unread.message })).collect();
        let mut summary = json!({
            "rejections": self.rejections, "sightings": self.sightings, "causes": causes, "checks_skipped": skipped,
            "files": files, "errors": unread, "lines": self.lines(), "bytes": self.bytes(),
        });
        if let Some(members) = summary.as_object_mut() {
            for (name, time) in [("first", self.first), ("last", self.last)] {
                if let Some(time) = time {
                    members.insert(name.to_owned(), json!(time));
                }
            }
        }
        summary.serialize(serializer)
    }
}
