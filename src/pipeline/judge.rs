//! From a rejection and its token to a diagnosis.

use std::sync::Arc;

use zeroize::Zeroizing;

use super::checkpoint::{MemoryChange, Note, Remembered};
use super::feed::Patience;
use super::keyed::Keyed;
use super::memory::Memory;
use super::{Leak, Saved, Settings, Stream};
use crate::cause::Cause;
use crate::classify::{Classification, classify};
use crate::detect::Detector;
use crate::diagnosis::{About, Basis, Check, Diagnosis, Fingerprint, Found, Skipped, TokenReport};
use crate::envelope::{Id, Ids, hash};
use crate::finding::{Change, Finding, TimeSource};
use crate::keyring::KeyRing;
use crate::pair::rejection::{Rejection, Sighting};
use crate::product::Product;
use crate::time::UnixTime;
use crate::token::{Ending, Sent};
use crate::validate::signature::Signed;
use crate::validate::{Attempts, Context, Verdict, validate};

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

/// What all streams share: settings, keys, and what is remembered of tokens.
#[derive(Debug)]
pub(super) struct Core {
    pub settings: Settings,
    pub detector: Detector,
    pub patience: Patience,
    keyring: KeyRing,
    keyed: Keyed,
    memory: Memory,
    attempts: Attempts,
}

impl Core {
    pub(super) fn new(settings: Settings, keyring: KeyRing) -> Self {
        Self {
            detector: Detector::new(settings.companion_codes, settings.exposed_tokens),
            keyed: Keyed::new(&settings.fingerprint_key),
            settings,
            keyring,
            patience: Patience::default(),
            memory: Memory::default(),
            attempts: Attempts::default(),
        }
    }

    pub(super) fn reload(&mut self, settings: Settings, keyring: KeyRing) {
        let wanted = (settings.companion_codes, settings.exposed_tokens);
        if wanted != (self.detector.companion_codes(), self.detector.exposed_tokens()) {
            self.detector = Detector::new(settings.companion_codes, settings.exposed_tokens);
        }
        if settings.fingerprint_key != self.settings.fingerprint_key {
            self.keyed = Keyed::new(&settings.fingerprint_key);
        }
        self.memory.forget_signatures();
        self.attempts = Attempts::default();
        (self.settings, self.keyring) = (settings, keyring);
    }

    pub(super) fn memory(&self) -> Saved {
        self.memory.save()
    }

    pub(super) fn remember(&mut self, saved: Saved) {
        self.memory = Memory::restore(saved);
    }

    /// Takes over what was remembered before, and keeps account of changes from now on.
    pub(super) fn recall(&mut self, known: Vec<(Fingerprint, Remembered)>, notes: Vec<Note>) {
        self.memory.recall(known, self.settings.tokens_remembered);
        self.memory.recall_notes(notes, self.settings.tokens_remembered);
    }

    /// What else has changed since the last call.
    pub(super) fn take_notes(&mut self) -> Vec<Note> {
        self.memory.take_notes()
    }

    /// What has changed in the memory since the last call, each token once.
    pub(super) fn take_changes(&mut self) -> Vec<MemoryChange> {
        self.memory.take_changes()
    }

    /// Tells equal bytes from different ones, and nothing else.
    fn fingerprint(&self, bytes: &[u8]) -> Fingerprint {
        self.keyed.hash([bytes])
    }

    /// The same for what is not a token, so that neither can pass for the other.
    fn mark(&self, kind: Mark, [first, second]: [&[u8]; 2]) -> Fingerprint {
        let lengths = [first.len().to_le_bytes(), second.len().to_le_bytes()];
        self.keyed.hash([&[kind as u8], lengths[0].as_slice(), first, lengths[1].as_slice(), second])
    }

    /// The id of the rejection whose first sighting is the given line.
    pub(super) fn id(&self, stream: &Stream, offset: u64, line: &[u8]) -> Fingerprint {
        let path = stream.path.as_deref().unwrap_or("").as_bytes();
        // A short digest of the line is enough to tell files with the same name apart, and much faster.
        let place = [offset.to_le_bytes(), hash(line).to_le_bytes()];
        self.keyed.hash([stream.source.as_bytes(), b"\0", path, b"\0", place.as_flattened()])
    }

    /// The id of the rejection that an event of Twilio's reports.
    pub(super) fn event_id(&self, sid: &[u8]) -> Fingerprint {
        self.keyed.hash([b"event\0", sid])
    }

    /// The diagnosis of a rejection that no more can be learnt about.
    pub(super) fn diagnose(&mut self, rejection: &Rejection, stream: &Stream, fallback: UnixTime) -> Diagnosis {
        let first: &Sighting = &rejection.first;
        let at = first.time.map_or(fallback, |moment| moment.time);
        let told_by = match first.time {
            Some(_) => TimeSource::Line,
            None if stream.whole && stream.modified.is_some() => TimeSource::File,
            None => TimeSource::Reading,
        };
        let product = rejection.product.or(rejection.probable_product).unwrap_or_default();
        let verdict = rejection.token.as_ref().map(|(sent, found)| {
            let fingerprint = self.fingerprint(&sent.raw);
            let known = self.memory.known(fingerprint);
            let is_new = known.is_none();
            let context = Context {
                refused_at: at,
                product,
                endpoint_region: first.region.as_deref(),
                keyring: &self.keyring,
                leeway_seconds: self.settings.leeway_seconds,
                told_by,
                refused_before: known.map(|known| known.before),
                known_signature: known.and_then(|known| known.signed.as_ref()),
                attempts: Some(&self.attempts),
            };
            let mut verdict = validate(sent, *found, fingerprint, &context);
            let is_unproved = matches!(verdict.signature, Some(Signed::Unproved { .. }));
            let twin = rejection.twin.as_ref().filter(|_| is_unproved);
            let good = twin.map(|twin| self.marks_of_good(twin, &context)).unwrap_or_default();
            for (mark, contents) in good {
                self.memory.verify(mark, contents, self.settings.tokens_remembered);
            }
            self.learn(sent, fingerprint, at, &verdict, is_new);
            self.explain(sent, fingerprint, at, &mut verdict);
            verdict.report.identity = self.identity(&verdict);
            // Where it stands it may have been told already.
            if verdict.report.exposed && self.settings.exposed_tokens {
                verdict.report.told = !self.is_news(fingerprint);
            }
            verdict
        });
        let about = self.about(&rejection.ids, verdict.as_ref());
        let judgement = Judgement::of(verdict, &rejection.codes, rejection.text);
        Diagnosis {
            id: rejection.id.hex(),
            at,
            source: Arc::clone(&stream.source),
            path: stream.path.clone(),
            line: first.line,
            offset: first.offset,
            sightings: rejection.sightings,
            event: None,
            code: rejection.codes.first().copied(),
            product,
            cause: judgement.cause,
            basis: judgement.basis,
            findings: judgement.findings,
            skipped: judgement.skipped,
            token: judgement.report,
            about,
        }
    }

    /// Notes that a token stood on a line while it was valid; says whether that was not known.
    fn is_news(&mut self, token: Fingerprint) -> bool {
        let mark = self.mark(Mark::Exposed, [&token.0, b""]);
        let is_news = !self.memory.is_told(mark);
        self.memory.tell(mark, self.settings.tokens_remembered);
        is_news
    }

    /// A token was told before because it stood on a line.
    pub(super) fn is_told(&self, raw: &[u8]) -> bool {
        self.memory.is_told(self.mark(Mark::Exposed, [&self.fingerprint(raw).0, b""]))
    }

    /// A token of one of Twilio's keys that stands on a line, if it is valid at that time, not known to be badly signed,
    /// and was not told before.
    pub(super) fn expose(&mut self, raw: &[u8], at: UnixTime, source: &Arc<str>) -> Option<Leak> {
        let fingerprint = self.fingerprint(raw);
        let sent = Sent { raw: Zeroizing::new(raw.to_vec()), ending: Ending::Closed };
        let context = Context {
            refused_at: at,
            product: Product::Unknown,
            endpoint_region: None,
            keyring: &self.keyring,
            leeway_seconds: self.settings.leeway_seconds,
            told_by: TimeSource::Line,
            refused_before: None,
            known_signature: self.memory.known(fingerprint).and_then(|known| known.signed.as_ref()),
            attempts: Some(&self.attempts),
        };
        let report = validate(&sent, Found::SameLine, fingerprint, &context).report;
        let key_sid = report.key_sid.filter(|sid| report.exposed && sid.starts_with("SK"))?;
        self.is_news(fingerprint).then(|| Leak {
            source: Arc::clone(source),
            at,
            fingerprint,
            key_sid,
            expires_at: report.expires_at,
        })
    }

    pub(super) fn check(&self, given: &Given) -> Diagnosis {
        let fingerprint = self.fingerprint(&given.sent.raw);
        let context = Context {
            refused_at: given.at,
            product: given.product,
            endpoint_region: None,
            keyring: &self.keyring,
            leeway_seconds: self.settings.leeway_seconds,
            told_by: TimeSource::Line,
            refused_before: None,
            known_signature: None,
            attempts: None,
        };
        let mut verdict = validate(&given.sent, Found::Given, fingerprint, &context);
        self.explain(&given.sent, fingerprint, given.at, &mut verdict);
        let judgement = Judgement::of(Some(verdict), &[], None);
        Diagnosis {
            id: fingerprint.hex(),
            at: given.at,
            source: Arc::from("check"),
            path: None,
            line: 1,
            offset: 0,
            sightings: 1,
            event: None,
            code: None,
            product: given.product,
            cause: judgement.cause,
            basis: judgement.basis,
            findings: judgement.findings,
            skipped: judgement.skipped,
            token: judgement.report,
            about: About::default(),
        }
    }

    /// Identities are told apart within an account: another one's users have nothing to do with them.
    fn identity(&self, verdict: &Verdict) -> Option<Fingerprint> {
        let account = verdict.report.account_sid.as_deref().unwrap_or_default().as_bytes();
        verdict.identity.as_ref().map(|identity| self.mark(Mark::Identity, [account, identity.as_bytes()]))
    }

    /// Whom and what a rejection concerns: as its lines say, else as its token does.
    fn about(&self, ids: &Ids, verdict: Option<&Verdict>) -> About {
        let identity = || Some(hash(verdict?.identity.as_ref()?.as_bytes()));
        let service = || Some(hash(verdict?.service.as_ref()?.as_bytes()));
        let keyed = |mark, digest: u64| self.mark(mark, [&digest.to_le_bytes(), b""]);
        About {
            identity: ids.digest(Id::Identity).or_else(identity).map(|digest| keyed(Mark::Person, digest)),
            service: ids.digest(Id::Service).or_else(service).map(|digest| keyed(Mark::Service, digest)),
        }
    }

    /// Takes from a verdict what may explain later ones.
    fn learn(&mut self, sent: &Sent, token: Fingerprint, at: UnixTime, verdict: &Verdict, is_new: bool) {
        let max = self.settings.tokens_remembered;
        self.memory.refuse(token, at, verdict.signature.clone(), max);
        let (Some(signed), Some(key_sid), true) = (&verdict.signature, &verdict.report.key_sid, is_new) else { return };
        self.attempts.note(key_sid, signed, &self.keyring);
        match signed {
            Signed::Good => {
                self.memory.note(key_sid, true, at);
                for (mark, contents) in self.marks(sent, token, verdict).into_iter().flatten() {
                    self.memory.verify(mark, contents, max);
                }
            }
            Signed::Mistaken(..) | Signed::Unproved { .. } => self.memory.note(key_sid, false, at),
            Signed::CaseChanged | Signed::Unchecked { .. } => {}
        }
    }

    /// By what a token that verifies is known again.
    fn marks_of_good(&self, sent: &Sent, context: &Context<'_>) -> Vec<(Fingerprint, Fingerprint)> {
        let token = self.fingerprint(&sent.raw);
        let context = Context { refused_before: None, known_signature: None, ..*context };
        let verdict = validate(sent, Found::Given, token, &context);
        let marks = if verdict.signature == Some(Signed::Good) { self.marks(sent, token, &verdict) } else { [None; 2] };
        marks.into_iter().flatten().collect()
    }

    /// Explains a signature that nothing in the token explains by what other tokens have shown.
    fn explain(&self, sent: &Sent, token: Fingerprint, at: UnixTime, verdict: &mut Verdict) {
        if !matches!(verdict.signature, Some(Signed::Unproved { .. })) {
            return;
        }
        let is_other = |(mark, contents): (Fingerprint, Fingerprint)| {
            self.memory.verified(mark).is_some_and(|verified| verified != contents)
        };
        let noted = self.memory.refused(token).map(|before| before.first);
        let is_changed = self.marks(sent, token, verdict).into_iter().flatten().any(is_other);
        for finding in &mut verdict.findings {
            let Finding::SignatureInvalid { key_sid, history, .. } = finding else { continue };
            if is_changed {
                *finding = Finding::Tampered { changes: vec![Change::Contents] };
            } else {
                *history = Some(self.memory.history(key_sid, at, noted));
            }
        }
        if is_changed {
            // It is explained, so nothing was left out.
            verdict.skipped.retain(|skipped| skipped.check != Check::SecretMistake);
        }
    }

    /// By what a token is known again after a change, and what a change makes different: the signature and the token, and
    /// the token id and the payload. The helper libraries' `jti` is no such id: all tokens of a key in one second have
    /// the same.
    fn marks(&self, sent: &Sent, token: Fingerprint, verdict: &Verdict) -> [Option<(Fingerprint, Fingerprint)>; 2] {
        let issuer = verdict.report.key_sid.as_deref().unwrap_or_default().as_bytes();
        let mut dots = memchr::memchr_iter(b'.', &sent.raw).chain([sent.raw.len()]);
        let (header_end, payload_end) = (dots.next(), dots.next());
        let part = |from: Option<usize>, to: Option<usize>| sent.raw.get(from? + 1..to?);
        let payload = part(header_end, payload_end).unwrap_or_default();
        let signature = part(payload_end, dots.next());
        let by_signature = signature.map(|signature| (self.mark(Mark::Signature, [issuer, signature]), token));
        let by_id = verdict
            .unique_id
            .as_ref()
            .map(|id| (self.mark(Mark::TokenId, [issuer, id.as_bytes()]), self.mark(Mark::Payload, [b"", payload])));
        [by_signature, by_id]
    }
}

/// What a fingerprint stands for.
#[derive(Clone, Copy, Debug)]
enum Mark {
    Signature = 1,
    TokenId = 2,
    Payload = 3,
    Identity = 4,
    Exposed = 5,
    Person = 6,
    Service = 7,
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
        let Classification { cause, basis, remark } = classify(verdict.as_ref(), codes, text);
        let (mut findings, skipped, report) = match verdict {
            Some(verdict) => (verdict.findings, verdict.skipped, Some(verdict.report)),
            None => (Vec::new(), Vec::new(), None),
        };
        findings.extend(remark);
        Self { cause, basis, findings, skipped, report }
    }
}
