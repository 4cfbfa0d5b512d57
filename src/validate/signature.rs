//! The signature: does it fit the key's secret, and if not, can it be proved why?
//!
//! Signatures are checked with keys that the key ring has prepared, so that a flood of tokens costs little more than
//! hashing them. Before a token is blamed, `jsonwebtoken`'s HMAC is asked too, where there is time for more than one
//! look; its decoder is not used, because it reads the clock and stops at the first fault. All compare in constant time.

use std::sync::Once;

use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::crypto::{aws_lc, verify};
use jsonwebtoken::{Algorithm, DecodingKey};

use super::attempts::Plan;
use super::key::is_sid_of;
use super::{Context, Outcome, Subject};
use crate::diagnosis::{Check, SkipReason};
use crate::finding::{Change, Finding, Mistake};
use crate::token::{Field, SIGNATURE_CHARS};

/// Length of an HS256 signature in bytes.
const SIGNATURE_BYTES: usize = 32;

/// What is known of a signature that was checked. The same token and key ring give the same, so it may be remembered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Signed {
    /// It fits the key's secret.
    Good,
    /// It was made with another secret. Apart, because it is rare and each remembered token has room for what is known.
    Mistaken(Box<Proof>),
    /// It fits but for the case of its letters.
    CaseChanged,
    /// It does not fit, and nothing explains it.
    Unproved {
        /// Every guess was tried.
        tried_all: bool,
    },
    /// The key's secret is not known, and no guess fits: it may be good.
    Unchecked {
        /// Every guess was tried.
        tried_all: bool,
    },
}

/// What a signature was made with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proof {
    /// The mistake.
    pub mistake: Mistake,
    /// The key ring's guess of this number; none for what stands in the token itself.
    pub guess: Option<usize>,
}

impl Signed {
    pub(super) fn mistaken(mistake: Mistake, guess: Option<usize>) -> Self {
        Self::Mistaken(Box::new(Proof { mistake, guess }))
    }

    /// Says whether it is known not to fit.
    pub const fn is_bad(&self) -> bool {
        match self {
            Self::Mistaken(..) | Self::CaseChanged | Self::Unproved { .. } => true,
            Self::Good | Self::Unchecked { .. } => false,
        }
    }

    /// Says whether looking once more may find more.
    const fn is_partial(&self) -> bool {
        matches!(self, Self::Unproved { tried_all: false } | Self::Unchecked { tried_all: false })
    }
}

/// Installs the cryptography once a process. Checks do it themselves; `main` may do it first.
pub fn prepare() {
    static PREPARED: Once = Once::new();
    PREPARED.call_once(|| {
        // An error says that there is one already, which is as good.
        _ = aws_lc::DEFAULT_PROVIDER.install_default();
    });
}

/// Says whether the signature fits the secret of the key that the token names.
pub(super) fn fits(subject: &Subject<'_>, context: &Context<'_>) -> bool {
    let iss = subject.claims.value(Field::Iss).text();
    subject.claims.value(Field::Alg).text() == Some("HS256")
        && iss.and_then(|iss| context.keyring.verifier(iss)).is_some_and(|verifier| {
            decoded(subject.signature).is_some_and(|signature| verifier.fits(subject.message, &signature))
        })
}

/// Checks the signature, and looks for the reason if it does not fit.
pub(super) fn check(subject: &Subject<'_>, context: &Context<'_>, outcome: &mut Outcome) {
    if !subject.whole {
        return outcome.skip(Check::Signature, SkipReason::Unreadable);
    }
    let claims = subject.claims;
    let (Some("HS256"), Some(iss)) = (claims.value(Field::Alg).text(), claims.value(Field::Iss).text()) else {
        return outcome.skip(Check::Signature, SkipReason::NoClaim);
    };
    if !is_sid_of(iss, "SK") {
        // It is not known which key was meant.
        return outcome.skip(Check::Signature, SkipReason::NoClaim);
    }
    let signed = match context.known_signature.filter(|known| !known.is_partial()) {
        Some(known) => known.clone(),
        None if fits(subject, context) => Signed::Good,
        None => explain(subject, context, iss),
    };
    say(&signed, iss, context, outcome);
    outcome.signature = Some(signed);
}

fn say(signed: &Signed, iss: &str, context: &Context<'_>, outcome: &mut Outcome) {
    match signed {
        Signed::Good => {}
        Signed::Mistaken(proof) => {
            outcome.find(Finding::WrongSecret { key_sid: iss.to_owned(), mistake: proof.mistake.clone() });
        }
        Signed::CaseChanged => outcome.find(Finding::Tampered { changes: vec![Change::Case] }),
        Signed::Unproved { tried_all } => {
            skip_guesses(*tried_all, outcome);
            let key_sid = iss.to_owned();
            outcome.find(Finding::SignatureInvalid { key_sid, tried_all: *tried_all, history: None });
        }
        Signed::Unchecked { tried_all } => {
            skip_guesses(*tried_all, outcome);
            let is_known = context.keyring.key(iss).is_some();
            outcome.skip(Check::Signature, if is_known { SkipReason::NoSecret } else { SkipReason::UnknownKey });
        }
    }
}

fn skip_guesses(tried_all: bool, outcome: &mut Outcome) {
    if !tried_all {
        outcome.skip(Check::SecretMistake, SkipReason::Limit);
    }
}

fn is_signed_with(subject: &Subject<'_>, key: &DecodingKey) -> bool {
    prepare();
    let signature = std::str::from_utf8(subject.signature).ok().filter(|text| text.len() == SIGNATURE_CHARS);
    signature.is_some_and(|text| verify(text, subject.message, key, Algorithm::HS256).unwrap_or(false))
}

/// The bytes of a signature; none of what is no base64url of 32.
fn decoded(signature: &[u8]) -> Option<[u8; SIGNATURE_BYTES]> {
    let mut decoded = [0; SIGNATURE_BYTES];
    let length = URL_SAFE_NO_PAD.decode_slice(signature, &mut decoded).ok()?;
    (signature.len() == SIGNATURE_CHARS && length == SIGNATURE_BYTES).then_some(decoded)
}

/// Looks for what explains a signature that does not fit.
fn explain(subject: &Subject<'_>, context: &Context<'_>, iss: &str) -> Signed {
    let ring = context.keyring;
    let unexplained = |tried_all| match ring.verifier(iss) {
        Some(_) => Signed::Unproved { tried_all },
        None => Signed::Unchecked { tried_all },
    };
    // What is no base64url of 32 bytes was made with no secret, and of an empty ring nothing is known.
    let Some(decoded) = decoded(subject.signature).filter(|_| !ring.is_empty()) else { return unexplained(true) };
    let plan = context.attempts.map_or(Plan::default(), |attempts| attempts.plan(iss, ring));
    if plan.try_all && ring.verifier(iss).is_some_and(|verifier| is_signed_with(subject, verifier.key())) {
        return Signed::Good;
    }
    let mut guesses = ring.guesses(iss).enumerate();
    // The mistake that this key made last is the likeliest.
    let last = plan.first.and_then(|first| ring.guesses(iss).nth(first).map(|guess| (first, guess)));
    let is_right = |guess: &&crate::keyring::Guess| guess.is_right(subject.message, &decoded);
    let found = last
        .filter(|(_, guess)| is_right(guess))
        .or_else(|| if plan.try_all { guesses.find(|(_, guess)| is_right(guess)) } else { None });
    if let Some((at, guess)) = found {
        return Signed::mistaken(guess.mistake.clone(), Some(at));
    }
    if !plan.try_all {
        return unexplained(false);
    }
    if let Some(mistake) = claim(subject, context, iss, &decoded) {
        return Signed::mistaken(mistake, None);
    }
    if has_other_case(subject, context, iss) {
        return Signed::CaseChanged;
    }
    unexplained(!ring.has_unguessed())
}

/// A SID of the token in the place of the secret, where the key ring does not guess it.
fn claim(subject: &Subject<'_>, context: &Context<'_>, iss: &str, signature: &[u8]) -> Option<Mistake> {
    let key = context.keyring.key(iss);
    let is_used = |sid: &str| {
        let key = hmac::Key::new(hmac::HMAC_SHA256, sid.as_bytes());
        hmac::verify(&key, subject.message, signature).is_ok()
    };
    if key.is_none_or(|key| key.secret.is_none()) && is_used(iss) {
        return Some(Mistake::Constant("what stands in `iss`"));
    }
    let sub = subject.claims.value(Field::Sub).text()?;
    let is_guessed = key.is_some_and(|key| key.secret.is_some() && key.account.as_deref() == Some(sub));
    (!is_guessed && is_used(sub)).then_some(Mistake::Constant("what stands in `sub`"))
}

fn has_other_case(subject: &Subject<'_>, context: &Context<'_>, iss: &str) -> bool {
    context
        .keyring
        .sign(iss, subject.message)
        .is_some_and(|tag| URL_SAFE_NO_PAD.encode(tag).as_bytes().eq_ignore_ascii_case(subject.signature))
}
