//! Which rejections are the same refusal, seen once by Twilio and once in the application's log.
//!
//! They stay two rejections, each counted for its source; that they are the same is only shown. The rule:
//!
//! * one of them is an event that Twilio reports and the other is not, and they are of different sources;
//! * their times are no more than [`LINK_MILLIS`] apart;
//! * nothing contradicts: code, product, account, service and token are the same where both name them. Identities may
//!   differ, because an application may call its users by other names than Twilio knows;
//! * both name the same token, or at least, without two tokens, the same identity, the same service or the same account:
//!   an event those of its fields and of the request in it, a line of a log those of its fields, else of its token. The
//!   service of a token is that of the grant for the product, or the only one if the product is not known.
//!   Identities and services are compared by keyed hashes.
//!
//! Each is linked once: the same token first, then identity, service and account, then the nearest in time, then the one
//! that came first.
//!
//! Linked are the rejections that are remembered one by one (`limits.rejections_remembered`). Whoever asks finds them
//! anew: that takes sorting those, and for each event a look at no more than `NEAR_MAX` lines; without an event, or without
//! a line, nothing.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use crate::diagnosis::Diagnosis;
use crate::product::Product;

/// How far the clocks of Twilio and of an application may be apart, and how long each may take to write, in milliseconds.
pub const LINK_MILLIS: i64 = 5000;
/// Lines that are compared with one event at the most: those nearest to it.
const NEAR_MAX: usize = 256;

/// Pairs of rejections that are the same refusal.
#[derive(Debug, Default)]
pub struct Links<'a> {
    pairs: BTreeMap<&'a str, (&'a Diagnosis, &'a Diagnosis)>,
}

impl<'a> Links<'a> {
    /// Finds them.
    pub fn of(rejections: impl Iterator<Item = &'a Diagnosis>) -> Self {
        let (mut events, mut lines): (Vec<_>, Vec<_>) = rejections.partition(|found| found.event.is_some());
        if events.is_empty() || lines.is_empty() {
            return Self::default();
        }
        // Stable, so that of equal times the first that came stays first.
        events.sort_by_key(|event| event.at);
        lines.sort_by_key(|line| line.at);
        let mut candidates = Vec::new();
        let mut first = 0;
        for (place, event) in events.iter().enumerate() {
            first += lines.iter().skip(first).take_while(|line| event.at.millis_since(line.at) > LINK_MILLIS).count();
            let nearest = lines.partition_point(|line| line.at < event.at);
            let near = lines.iter().enumerate().skip(first.max(nearest.saturating_sub(NEAR_MAX / 2))).take(NEAR_MAX);
            for (at, line) in near.take_while(|(_, line)| line.at.millis_since(event.at) <= LINK_MILLIS) {
                if let Some(evidence) = evidence(event, line) {
                    let apart = event.at.millis_since(line.at).abs();
                    candidates.push(((Reverse(evidence), apart, place, at), *event, *line));
                }
            }
        }
        candidates.sort_by_key(|(rank, _, _)| *rank);
        let mut found = Self::default();
        for (_, event, line) in candidates {
            if !found.pairs.contains_key(event.id.as_str()) && !found.pairs.contains_key(line.id.as_str()) {
                found.pairs.insert(&event.id, (event, line));
                found.pairs.insert(&line.id, (line, event));
            }
        }
        found
    }

    /// The other rejection of the same refusal.
    pub fn of_id(&self, id: &str) -> Option<&'a Diagnosis> {
        self.pairs.get(id).map(|(_, other)| *other)
    }

    /// Every linked rejection with its other one.
    pub fn pairs(&self) -> impl Iterator<Item = (&'a Diagnosis, &'a Diagnosis)> {
        self.pairs.values().copied()
    }
}

/// What two rejections have in common, from weak to strong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Evidence {
    Account,
    Service,
    Identity,
    Token,
}

/// What an event and a line of a log have in common; none if that is nothing, or if something contradicts.
fn evidence(event: &Diagnosis, line: &Diagnosis) -> Option<Evidence> {
    let is_other_code = event.code.zip(line.code).is_some_and(|(a, b)| a != b);
    let products = [event.product, line.product];
    let is_other_product = !products.contains(&Product::Unknown) && event.product != line.product;
    let accounts = account(event).zip(account(line));
    let is_other_account = accounts.is_some_and(|(a, b)| a != b);
    let services = event.about.service.zip(line.about.service);
    let is_other_service = services.is_some_and(|(a, b)| a != b);
    if event.source == line.source || is_other_code || is_other_product || is_other_account || is_other_service {
        return None;
    }
    let is_same_identity = event.about.identity.is_some() && event.about.identity == line.about.identity;
    match event.token.as_ref().zip(line.token.as_ref()) {
        Some((a, b)) => (a.fingerprint == b.fingerprint).then_some(Evidence::Token),
        None if is_same_identity => Some(Evidence::Identity),
        None => services.map(|_| Evidence::Service).or_else(|| accounts.map(|_| Evidence::Account)),
    }
}

/// The account that a rejection names.
fn account(found: &Diagnosis) -> Option<&str> {
    let own = found.event.as_ref().and_then(|event| event.account_sid.as_deref());
    own.or_else(|| found.token.as_ref().and_then(|token| token.account_sid.as_deref()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cause::Cause;
    use crate::diagnosis::{About, Basis, Fingerprint, Found, Reported, TokenReport, TokenState};
    use crate::time::UnixTime;

    const NOW: UnixTime = UnixTime::from_seconds(1_795_488_000);

    /// A line of the application's log, with a token of an account.
    fn line(id: &str, millis: i64, account: &str, token: u8) -> Diagnosis {
        let report = TokenReport::new(TokenState::Readable, Found::SameLine, Fingerprint([token; 8]));
        Diagnosis {
            id: id.to_owned(),
            at: NOW.plus_millis(millis),
            source: "app".into(),
            path: None,
            line: 1,
            offset: 0,
            sightings: 1,
            event: None,
            about: About::default(),
            code: Some(51007),
            product: Product::Chat,
            cause: Cause::Expired,
            basis: Basis::Token,
            findings: Vec::new(),
            skipped: Vec::new(),
            token: Some(TokenReport { account_sid: Some(account.to_owned()), ..report }),
        }
    }

    /// An event of an account, without a token.
    fn event(id: &str, millis: i64, account: &str) -> Diagnosis {
        let event = Reported { sid: None, account_sid: Some(account.to_owned()) };
        let found = line(id, millis, account, 0);
        Diagnosis { source: "debugger".into(), event: Some(event), token: None, cause: Cause::NoToken, ..found }
    }

    #[track_caller]
    fn check(rejections: &[Diagnosis], expected: &[(&str, &str)]) {
        let links = Links::of(rejections.iter());
        let pairs = links.pairs().filter(|(mine, _)| mine.event.is_some());
        let found: Vec<_> = pairs.map(|(event, line)| (event.id.as_str(), line.id.as_str())).collect();
        assert_eq!(found, expected);
        assert_eq!(links.pairs().count(), expected.len() * 2);
    }

    #[test]
    fn in_a_burst_the_nearest_lines_are_compared() {
        let mut rejections: Vec<_> = (0..1000).map(|at| line(&format!("l{at}"), at * 4, "AC1", 1)).collect();
        rejections.push(event("e", 3501, "AC1"));
        check(&rejections, &[("e", "l875")]);
    }

    #[test]
    fn an_event_and_the_nearest_line_of_the_same_account_are_one_refusal() {
        check(&[line("a", 0, "AC1", 1), line("b", 900, "AC1", 2), event("e", 1000, "AC1")], &[("e", "b")]);
        let two = [event("e", 0, "AC1"), event("f", 100, "AC1"), line("a", 50, "AC1", 1), line("b", 4000, "AC1", 2)];
        check(&two, &[("e", "a"), ("f", "b")]);
        check(&[line("a", 0, "AC1", 1), event("e", LINK_MILLIS, "AC1")], &[("e", "a")]);
    }

    #[test]
    fn without_evidence_or_with_a_contradiction_they_are_two() {
        check(&[line("a", 0, "AC1", 1), event("e", LINK_MILLIS + 1, "AC1")], &[]);
        check(&[line("a", 0, "AC2", 1), event("e", 0, "AC1")], &[]);
        let bare = Diagnosis { token: None, ..line("a", 0, "AC1", 1) };
        check(&[bare, event("e", 0, "AC1")], &[]);
        check(&[Diagnosis { code: Some(20104), ..line("a", 0, "AC1", 1) }, event("e", 0, "AC1")], &[]);
        check(&[Diagnosis { product: Product::Voice, ..line("a", 0, "AC1", 1) }, event("e", 0, "AC1")], &[]);
        check(&[line("a", 0, "AC1", 1), line("b", 0, "AC1", 1)], &[]);
        let own = Diagnosis { source: "debugger".into(), ..line("a", 0, "AC1", 1) };
        check(&[own, event("e", 0, "AC1")], &[]);
    }

    #[test]
    fn without_an_account_the_same_identity_or_service_is_evidence() {
        let about = |identity: u8, service: u8| About {
            identity: Some(Fingerprint([identity; 8])).filter(|_| identity > 0),
            service: Some(Fingerprint([service; 8])).filter(|_| service > 0),
        };
        let bare = |id, millis, about| Diagnosis { token: None, about, ..line(id, millis, "AC1", 0) };
        let of = |about| Diagnosis { about, ..event("e", 0, "AC1") };
        check(&[bare("a", 0, about(1, 0)), of(about(1, 0))], &[("e", "a")]);
        check(&[bare("a", 0, about(0, 2)), of(about(1, 2))], &[("e", "a")]);
        check(&[bare("a", 0, about(1, 2)), of(about(1, 3))], &[]);
        check(&[bare("a", 0, about(2, 0)), of(about(1, 0))], &[]);
        check(&[bare("a", 0, about(0, 0)), of(about(0, 0))], &[]);
        // The same identity is better than the nearest of the same service, and that than the account.
        let lines = [bare("a", 0, about(0, 2)), bare("b", 900, about(1, 0)), line("c", 0, "AC1", 1)];
        check(&[lines.as_slice(), &[of(about(1, 2))]].concat(), &[("e", "b")]);
        check(&[&lines[..1], &lines[2..], &[of(about(1, 2))]].concat(), &[("e", "a")]);
        // Users may be called otherwise by the application.
        let called = Diagnosis { about: about(9, 0), ..line("a", 0, "AC1", 1) };
        check(&[called, of(about(1, 0))], &[("e", "a")]);
    }

    #[test]
    fn the_same_token_is_better_than_the_nearest_time() {
        let token = line("x", 0, "AC1", 1).token;
        let with_token = Diagnosis { token, ..event("e", 0, "AC1") };
        check(&[line("a", 0, "AC1", 2), line("b", 3000, "AC1", 1), with_token.clone()], &[("e", "b")]);
        check(&[line("a", 0, "AC1", 2), with_token], &[]);
        let bare = Diagnosis { code: None, product: Product::Unknown, ..line("a", 0, "AC1", 2) };
        check(&[bare, event("e", 0, "AC1")], &[("e", "a")]);
    }
}
