//! Regions: a key exists in one, and token and endpoint must name the same.

use super::{Context, Outcome, Subject, grants};
use crate::diagnosis::{Check, SkipReason};
use crate::finding::{Finding, REGIONS, Shown};
use crate::product::Product;
use crate::token::{Claim, Claims, Field};

/// The region of keys and tokens that name none.
const DEFAULT: &str = "us1";

/// The region that a token names, `us1` where it names none; `None` for what is no region.
pub(super) fn of_token(claims: &Claims<'_>) -> Option<&'static str> {
    match claims.value(Field::Twr) {
        Claim::Missing | Claim::Null => Some(DEFAULT),
        Claim::Text(text) => known(text),
        Claim::Bool(_) | Claim::Integer(_) | Claim::Number(_) | Claim::Array | Claim::Object => None,
    }
}

/// A Video token comes from a key of US1.
pub(super) fn video(subject: &Subject<'_>, context: &Context<'_>, outcome: &mut Outcome) {
    let is_video = match context.product {
        Product::Video => true,
        Product::Unknown => matches!(grants::present(subject.claims).as_slice(), ["video" | "rtc"]),
        Product::Chat | Product::Sync | Product::Voice | Product::TaskRouter => false,
    };
    if !is_video {
        return;
    }
    let (found, of_key) = match of_key(subject, context) {
        Some((sid, region)) => (region, Some(sid.to_owned())),
        None => (of_token(subject.claims).unwrap_or(DEFAULT), None),
    };
    if found != DEFAULT {
        outcome.find(Finding::VideoRegion { found, of_key });
    }
}

/// Token, key and endpoint agree, as far as their regions are known.
pub(super) fn agreement(subject: &Subject<'_>, context: &Context<'_>, outcome: &mut Outcome) {
    let key = of_key(subject, context).map(|(_, region)| region);
    let endpoint = context.endpoint_region.and_then(known);
    let token = of_token(subject.claims);
    if token.is_some() && key.is_none() && endpoint.is_none() {
        return outcome.skip(Check::Region, SkipReason::UnknownRegion);
    }
    let others = [key, endpoint];
    if token.is_none() || others.iter().flatten().any(|region| Some(*region) != token) {
        outcome.find(Finding::RegionMismatch { token: Shown::of(subject.claims.value(Field::Twr)), key, endpoint });
    }
}

fn of_key<'a>(subject: &Subject<'_>, context: &Context<'a>) -> Option<(&'a str, &'static str)> {
    let key = subject.claims.value(Field::Iss).text().and_then(|iss| context.keyring.key(iss))?;
    Some((key.sid.as_str(), known(key.region.as_deref()?)?))
}

fn known(region: &str) -> Option<&'static str> {
    REGIONS.into_iter().find(|known| known.eq_ignore_ascii_case(region))
}
