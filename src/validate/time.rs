//! Validity at the moment of the refusal, to the second.

use super::{Context, JTI_TOLERANCE_SECONDS, Outcome, Subject};
use crate::diagnosis::{Check, SkipReason};
use crate::finding::{Finding, LIFETIME_SECONDS_MAX, Shown, TimeFault};
use crate::time::UnixTime;
use crate::token::{Claim, Claims, Field, is_sid};

/// From here on a number is no time in seconds (the year 5138), but one in milliseconds (1973).
const MILLISECONDS_FROM: i64 = 100_000_000_000;

/// From here on it is no time in milliseconds either.
const FAR_FUTURE_FROM: i64 = 100_000_000_000_000;

/// The value of a time claim, if it can be meant.
pub(super) fn valid(claims: &Claims<'_>, field: Field) -> Option<UnixTime> {
    read(claims.value(field)).ok().map(UnixTime::from_seconds)
}

/// The seconds at the end of a `jti` of the form `SK…-<seconds>`.
pub(super) fn jti_seconds(jti: &str) -> Option<i64> {
    let (sid, digits) = jti.split_at_checked(34)?;
    let digits = digits.strip_prefix('-')?;
    let is_seconds = (1..=12).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
    (is_sid(sid.as_bytes()) && sid.starts_with("SK") && is_seconds).then(|| digits.parse().ok())?
}

/// The issue time, and where it comes from: `iat`, else `nbf`, else `jti`.
pub(super) fn issued(claims: &Claims<'_>) -> Option<(Field, UnixTime)> {
    let claim = |field| valid(claims, field).map(|time| (field, time));
    let from_jti = || {
        let seconds = claims.value(Field::Jti).text().and_then(jti_seconds)?;
        (seconds < MILLISECONDS_FROM).then(|| (Field::Jti, UnixTime::from_seconds(seconds)))
    };
    claim(Field::Iat).or_else(|| claim(Field::Nbf)).or_else(from_jti)
}

/// `exp` is there, and each time is one.
pub(super) fn claims(subject: &Subject<'_>, _context: &Context<'_>, outcome: &mut Outcome) {
    for field in [Field::Exp, Field::Nbf, Field::Iat] {
        let claim = subject.claims.value(field);
        if field != Field::Exp && *claim == Claim::Missing {
            continue;
        }
        if let Err(fault) = read(claim) {
            outcome.find(Finding::TimeClaimInvalid { field, fault, found: Shown::of_time(claim) });
        }
    }
}

/// `nbf`, or `iat` where there is none, is not after the refusal.
pub(super) fn start(subject: &Subject<'_>, context: &Context<'_>, outcome: &mut Outcome) {
    if let Some((field, valid_from)) = early(subject.claims, context) {
        outcome.find(Finding::NotYetValid {
            field,
            valid_from,
            refused_at: context.refused_at,
            told_by: context.told_by,
        });
    }
}

/// The claim that makes the token too early, and its value.
pub(super) fn early(claims: &Claims<'_>, context: &Context<'_>) -> Option<(Field, UnixTime)> {
    let field = if *claims.value(Field::Nbf) == Claim::Missing { Field::Iat } else { Field::Nbf };
    let from = valid(claims, field)?;
    (from.seconds_since(context.refused_at) > context.leeway_seconds).then_some((field, from))
}

/// `exp` is after the refusal.
pub(super) fn expiry(subject: &Subject<'_>, context: &Context<'_>, outcome: &mut Outcome) {
    let Some(expired_at) = valid(subject.claims, Field::Exp) else {
        return outcome.skip(Check::Time, SkipReason::NoClaim);
    };
    if !is_expired(expired_at, context) {
        return;
    }
    if let Some(before) = context.refused_before {
        let (first_refused_at, times) = (before.first, before.times);
        outcome.find(Finding::StaleReuse { expired_at, first_refused_at, times });
    }
    outcome.find(Finding::Expired { expired_at, refused_at: context.refused_at, told_by: context.told_by });
    // The seconds in a `jti` may be minutes off.
    if let Some((from, issued_at)) = issued(subject.claims).filter(|(from, _)| *from != Field::Jti) {
        let lifetime_seconds = expired_at.seconds_since(issued_at);
        if (0..SHORT_SECONDS).contains(&lifetime_seconds) {
            outcome.find(Finding::LifetimeTooShort { from, lifetime_seconds });
        }
    }
}

/// No one asks for a token that lives shorter.
const SHORT_SECONDS: i64 = 30;

/// Says whether a time is at or before the refusal.
pub(super) fn is_expired(exp: UnixTime, context: &Context<'_>) -> bool {
    context.refused_at.seconds_since(exp) >= context.leeway_seconds
}

/// No more than a day from issue to expiry.
pub(super) fn lifetime(subject: &Subject<'_>, _context: &Context<'_>, outcome: &mut Outcome) {
    let (Some(exp), Some((from, issued_at))) = (valid(subject.claims, Field::Exp), issued(subject.claims)) else {
        return outcome.skip(Check::Lifetime, SkipReason::NoClaim);
    };
    let lifetime_seconds = exp.seconds_since(issued_at);
    let tolerance = if from == Field::Jti { JTI_TOLERANCE_SECONDS } else { 0 };
    if lifetime_seconds > LIFETIME_SECONDS_MAX + tolerance {
        outcome.find(Finding::LifetimeTooLong { from, lifetime_seconds });
    }
}

/// RFC 7519 allows fractions of a second; they are cut off.
fn read(claim: &Claim<'_>) -> Result<i64, TimeFault> {
    let seconds = match claim {
        Claim::Missing => return Err(TimeFault::Missing),
        Claim::Text(text) if text.parse::<f64>().is_ok_and(f64::is_finite) => return Err(TimeFault::Quoted),
        Claim::Null | Claim::Bool(_) | Claim::Text(_) | Claim::Array | Claim::Object => {
            return Err(TimeFault::NotANumber);
        }
        Claim::Integer(number) => *number,
        #[expect(clippy::cast_possible_truncation, reason = "a cast saturates, and the ends of the range are faults")]
        Claim::Number(number) => number.floor() as i64,
    };
    match seconds {
        ..0 => Err(TimeFault::Negative),
        0..MILLISECONDS_FROM => Ok(seconds),
        MILLISECONDS_FROM..FAR_FUTURE_FROM => Err(TimeFault::Milliseconds),
        FAR_FUTURE_FROM.. => Err(TimeFault::FarFuture),
    }
}
