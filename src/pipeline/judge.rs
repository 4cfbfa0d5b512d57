//! From a rejection and its token to a diagnosis.

use aws_lc_rs::hmac;
use hashbrown::HashMap;
use std::collections::VecDeque;
use std::sync::Arc;

use super::checkpoint::{MemoryChange, Remembered};
use super::{Settings, Stream};
use crate::cause::Cause;
use crate::classify::{Classification, classify};
use crate::detect::Detector;
use crate::diagnosis::{Basis, Diagnosis, Fingerprint, Found, Skipped, TokenReport};
use crate::finding::Finding;
use crate::keyring::KeyRing;
use crate::pair::rejection::{Rejection, Sighting};
use crate::product::Product;
use crate::time::UnixTime;
use crate::token::Sent;
use crate::validate::{Context, RefusedBefore, Verdict, validate};

/// A token given by hand.
#[derive(Clone, Debug)]
pub struct Given {
    /// What was given.
    pub sent: Sent,
    /// The time to judge it at.
    pub at: UnixTime,
    /// The product, if it is known.
    pub product: Product,
}

/// What all streams share: settings, keys, and the tokens that were refused.
#[derive(Debug)]
pub(super) struct Core {
    pub settings: Settings,
    pub detector: Detector,
    keyring: KeyRing,
    key: hmac::Key,
    refused: HashMap<Fingerprint, Remembered>,
    /// The remembered tokens, oldest first.
    order: VecDeque<Fingerprint>,
    /// Tokens remembered so far, the forgotten ones included.
    numbered: u64,
    /// Tokens whose memory has changed; only where somebody asks for them.
    changed: Option<Vec<Fingerprint>>,
}

impl Core {
    pub(super) fn new(settings: Settings, keyring: KeyRing) -> Self {
        Self {
            detector: Detector::new(settings.companion_codes),
            key: hmac::Key::new(hmac::HMAC_SHA256, &settings.fingerprint_key),
            settings,
            keyring,
            refused: HashMap::new(),
            order: VecDeque::new(),
            numbered: 0,
            changed: None,
        }
    }

    pub(super) fn reload(&mut self, settings: Settings, keyring: KeyRing) {
        if settings.companion_codes != self.detector.companion_codes() {
            self.detector = Detector::new(settings.companion_codes);
        }
        if settings.fingerprint_key != self.settings.fingerprint_key {
            self.key = hmac::Key::new(hmac::HMAC_SHA256, &settings.fingerprint_key);
        }
        (self.settings, self.keyring) = (settings, keyring);
    }

    /// Tells equal bytes from different ones, and nothing else.
    fn fingerprint(&self, bytes: &[u8]) -> Fingerprint {
        let tag = hmac::sign(&self.key, bytes);
        Fingerprint(tag.as_ref().first_chunk().copied().unwrap_or_default())
    }

    /// The id of the rejection whose first sighting is the given line.
    pub(super) fn id(&self, stream: &Stream, offset: u64, line: &[u8]) -> String {
        let mut context = hmac::Context::with_key(&self.key);
        context.update(stream.source.as_bytes());
        context.update(&[0]);
        context.update(stream.path.as_deref().unwrap_or("").as_bytes());
        context.update(&[0]);
        context.update(&offset.to_le_bytes());
        context.update(line);
        Fingerprint(context.sign().as_ref().first_chunk().copied().unwrap_or_default()).to_string()
    }

    /// The diagnosis of a rejection that no more can be learnt about.
    pub(super) fn diagnose(&mut self, rejection: &Rejection, stream: &Stream, fallback: UnixTime) -> Diagnosis {
        let first: &Sighting = &rejection.first;
        let at = first.time.unwrap_or(fallback);
        let product = rejection.product.unwrap_or_default();
        let verdict = rejection.token.as_ref().map(|(sent, found)| {
            let fingerprint = self.fingerprint(&sent.raw);
            let context = Context {
                refused_at: at,
                product,
                endpoint_region: first.region.as_deref(),
                keyring: &self.keyring,
                leeway_seconds: self.settings.leeway_seconds,
                refused_before: self
                    .refused
                    .get(&fingerprint)
                    .map(|known| RefusedBefore { first: known.first, times: known.times }),
            };
            let verdict = validate(sent, *found, fingerprint, &context);
            self.remember(fingerprint, at);
            verdict
        });
        let judgement = Judgement::of(verdict, &rejection.codes, rejection.text);
        Diagnosis {
            id: rejection.id.clone(),
            at,
            source: Arc::clone(&stream.source),
            path: stream.path.clone(),
            line: first.line,
            offset: first.offset,
            sightings: rejection.sightings,
            code: rejection.codes.first().copied(),
            product,
            cause: judgement.cause,
            basis: judgement.basis,
            findings: judgement.findings,
            skipped: judgement.skipped,
            token: judgement.report,
        }
    }

    pub(super) fn check(&self, given: &Given) -> Diagnosis {
        let fingerprint = self.fingerprint(&given.sent.raw);
        let context = Context {
            refused_at: given.at,
            product: given.product,
            endpoint_region: None,
            keyring: &self.keyring,
            leeway_seconds: self.settings.leeway_seconds,
            refused_before: None,
        };
        let verdict = validate(&given.sent, Found::Given, fingerprint, &context);
        let judgement = Judgement::of(Some(verdict), &[], None);
        Diagnosis {
            id: fingerprint.to_string(),
            at: given.at,
            source: Arc::from("check"),
            path: None,
            line: 1,
            offset: 0,
            sightings: 1,
            code: None,
            product: given.product,
            cause: judgement.cause,
            basis: judgement.basis,
            findings: judgement.findings,
            skipped: judgement.skipped,
            token: judgement.report,
        }
    }

    fn remember(&mut self, fingerprint: Fingerprint, at: UnixTime) {
        self.note(fingerprint);
        if let Some(known) = self.refused.get_mut(&fingerprint) {
            known.times = known.times.saturating_add(1);
            known.first = known.first.min(at);
            return;
        }
        self.make_room();
        self.order.push_back(fingerprint);
        self.refused.insert(fingerprint, Remembered { first: at, times: 1, number: self.numbered });
        self.numbered += 1;
    }

    fn make_room(&mut self) {
        while self.order.len() >= self.settings.tokens_remembered.max(1) {
            let Some(oldest) = self.order.pop_front() else { break };
            self.refused.remove(&oldest);
            self.note(oldest);
        }
    }

    fn note(&mut self, fingerprint: Fingerprint) {
        if let Some(changed) = &mut self.changed {
            changed.push(fingerprint);
        }
    }

    /// Takes over what was remembered before, and keeps account of changes from now on.
    pub(super) fn recall(&mut self, mut known: Vec<(Fingerprint, Remembered)>) {
        self.changed = Some(Vec::new());
        known.sort_by_key(|(_, remembered)| remembered.number);
        for (fingerprint, remembered) in known {
            self.make_room();
            self.order.push_back(fingerprint);
            self.refused.insert(fingerprint, remembered);
            self.numbered = remembered.number.saturating_add(1);
        }
    }

    /// What has changed in the memory since the last call, each token once.
    pub(super) fn take_changes(&mut self) -> Vec<MemoryChange> {
        let mut changed = self.changed.as_mut().map(std::mem::take).unwrap_or_default();
        changed.sort_unstable();
        changed.dedup();
        changed.into_iter().map(|fingerprint| (fingerprint, self.refused.get(&fingerprint).copied())).collect()
    }
}

/// What verdict, codes and text come to.
struct Judgement {
    cause: Cause,
    basis: Basis,
    findings: Vec<Finding>,
    skipped: Vec<Skipped>,
    report: Option<TokenReport>,
}

impl Judgement {
    fn of(verdict: Option<Verdict>, codes: &[u32], text: Option<Cause>) -> Self {
        let Classification { cause, basis, disagreement } = classify(verdict.as_ref(), codes, text);
        let (mut findings, skipped, report) = match verdict {
            Some(verdict) => (verdict.findings, verdict.skipped, Some(verdict.report)),
            None => (Vec::new(), Vec::new(), None),
        };
        findings.extend(disagreement);
        Self { cause, basis, findings, skipped, report }
    }
}
