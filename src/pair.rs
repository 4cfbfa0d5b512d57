//! Which token belongs to a refusal, and which sightings belong together.
//!
//! A rejection's token is what its SDK sent. That is known when the connection's own message is in the log, else it is
//! the token on the refusal's line, else one of the same request, else the nearest one; [`Found`] says which, because a
//! person must see whether this is known or guessed. Merging two sightings needs evidence: see [`rejection`].

pub mod clues;
pub mod rejection;
pub mod sent;
pub mod ties;

use std::sync::Arc;

use crate::diagnosis::Found;
use crate::envelope::{Emitter, Format, Id, Ids, Likeness};
use crate::product::Product;
use crate::time::Moment;
use crate::token::{self, Buffer, Field, SIGNATURE_CHARS, Sent};

use clues::Clues;
pub use sent::Channel;

/// Of so many candidates, the nearest, one is guessed.
const GUESSED_OF: usize = 32;

/// A token on a line that is no refusal.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// Number of its line.
    pub line: u64,
    /// The line's own time.
    pub time: Option<Moment>,
    /// Kind of writer.
    pub format: Format,
    /// Who wrote it.
    pub emitter: Emitter,
    /// What it is about.
    pub ids: Ids,
    /// Clues to whose it is.
    pub clues: Clues,
    /// What stands there.
    pub sent: Arc<Sent>,
    /// It is the message with which a connection presents its token.
    pub own: Option<Channel>,
    /// It is another one's JWT, as far as can be seen.
    pub is_foreign: bool,
    /// It only announces that message.
    pub is_announced: bool,
    /// The product that the message names.
    pub product: Option<Product>,
    /// A rejection has been matched with this message.
    pub claimed: bool,
}

/// The side of a refusal that a token is matched with.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// Line of the first sighting.
    pub line: u64,
    /// The time of the refusal, if the log tells it.
    pub time: Option<Moment>,
    /// Kind of writer.
    pub format: Format,
    /// Who wrote it.
    pub emitter: &'a Emitter,
    /// What it is about.
    pub ids: &'a Ids,
    /// The connection's channel, for prints of an SDK.
    pub channel: Option<Channel>,
    /// How far a token may be, in seconds.
    pub window_seconds: u32,
    /// How far a token may be, in lines.
    pub window_lines: u32,
    /// The first line on which a message that is known to be the connection's own is looked for.
    pub own_from: u64,
}

impl Wanted<'_> {
    fn reaches(&self, candidate: &Candidate) -> bool {
        let near = self.line.abs_diff(candidate.line) <= u64::from(self.window_lines);
        near && self.is_in_time(candidate)
    }

    fn is_in_time(&self, candidate: &Candidate) -> bool {
        self.is_within(candidate, u64::from(self.window_seconds) * 1000)
    }

    /// Not more than so many milliseconds apart, as far as both tell.
    fn is_within(&self, candidate: &Candidate, millis: u64) -> bool {
        let apart = self.time.zip(candidate.time).and_then(|(refused, sent)| refused.apart(sent));
        apart.is_none_or(|apart| apart <= millis)
    }

    fn contradicts(&self, candidate: &Candidate) -> bool {
        self.emitter.is_elsewhere(&candidate.emitter)
            || self.ids.other_identity(&candidate.ids)
            || !may_share_writer(self.format, candidate.format)
    }

    /// Another logger or thread of the same process: the worse guess.
    fn is_aside(&self, candidate: &Candidate) -> bool {
        self.emitter.is_aside(&candidate.emitter)
    }

    /// The refusal names the token: by its `jti`, or by the identity in it.
    fn names(&self, candidate: &Candidate) -> bool {
        let mut buffer = Buffer::default();
        let token = token::read(&candidate.sent, &mut buffer);
        let Some(claims) = token.jwt.as_ref().map(|jwt| &jwt.claims) else { return false };
        let is = |id, field| claims.value(field).text().is_some_and(|value| self.ids.is(id, value.as_bytes()));
        is(Id::Token, Field::Jti) || is(Id::Identity, Field::Identity)
    }

    fn same_request(&self, candidate: &Candidate) -> bool {
        self.ids.likeness(&candidate.ids) == Likeness::Same || self.ids.same_identity(&candidate.ids)
    }
}

/// Lines of two formats may come from one writer only if one of them is bare.
pub fn may_share_writer(a: Format, b: Format) -> bool {
    a == b || a == Format::Bare || b == Format::Bare
}

/// The connection's own message among the candidates before the refusal: by request id, else the nearest that no other
/// rejection has been matched with. Farther back than other tokens may be, one is taken that is known to be of the same
/// request or writer.
pub fn own_message(candidates: &[Candidate], wanted: &Wanted<'_>) -> Option<usize> {
    let channel = wanted.channel?;
    let before = || {
        candidates.iter().enumerate().rev().filter(|(_, candidate)| {
            candidate.own == Some(channel)
                && (wanted.own_from..=wanted.line).contains(&candidate.line)
                && wanted.is_in_time(candidate)
                && !wanted.contradicts(candidate)
        })
    };
    let by_id = before().find(|(_, candidate)| wanted.ids.likeness(&candidate.ids) == Likeness::Same);
    // What has not been sent is not answered; and one of the same thread or logger is the better guess.
    let guess = |candidate: &Candidate| (candidate.is_announced, wanted.is_aside(candidate));
    let free = || {
        before()
            .filter(|(_, candidate)| !candidate.claimed && wanted.ids.likeness(&candidate.ids) != Likeness::Different)
    };
    let near =
        || free().filter(|(_, candidate)| wanted.reaches(candidate)).min_by_key(|(_, candidate)| guess(candidate));
    let by_writer = || free().find(|(_, candidate)| wanted.emitter.likeness(&candidate.emitter) == Likeness::Same);
    by_id.or_else(near).or_else(by_writer).map(|(at, _)| at)
}

/// How many messages sent within `millis` before the refusal may be the connection's own, if none is known to be.
pub fn free_messages(candidates: &[Candidate], wanted: &Wanted<'_>, millis: u64) -> usize {
    let Some(channel) = wanted.channel else { return 0 };
    let is_free = |candidate: &&Candidate| {
        candidate.own == Some(channel)
            && !candidate.claimed
            && candidate.line <= wanted.line
            && wanted.is_within(candidate, millis)
            && wanted.reaches(candidate)
            && !wanted.contradicts(candidate)
    };
    candidates.iter().rev().filter(is_free).take(2).count()
}

/// A token of the same request, else the nearest before; rather one whose line shares something with that of the refusal
/// which the lines of the others do not.
pub fn before(candidates: &[Candidate], wanted: &Wanted<'_>, clues: impl FnOnce() -> Clues) -> Option<(usize, Found)> {
    let reachable = || {
        candidates.iter().enumerate().rev().filter(|(_, candidate)| {
            candidate.line <= wanted.line && wanted.reaches(candidate) && !wanted.contradicts(candidate)
        })
    };
    let of_request = || reachable().filter(|(_, candidate)| wanted.same_request(candidate));
    let same = of_request().find(|(_, candidate)| !candidate.is_foreign).or_else(|| of_request().next());
    if let Some((at, candidate)) = same {
        return Some((at, Found::SameRequest(distance(wanted.line, candidate.line))));
    }
    if wanted.ids.names_token()
        && reachable().nth(1).is_some()
        && let Some((at, candidate)) = reachable().find(|(_, candidate)| wanted.names(candidate))
    {
        return Some((at, Found::SameRequest(distance(wanted.line, candidate.line))));
    }
    let unlike = |candidate: &Candidate| wanted.ids.likeness(&candidate.ids) == Likeness::Different;
    let near: Vec<_> = reachable().filter(|(_, candidate)| !unlike(candidate)).take(GUESSED_OF).collect();
    let (_, first) = near.first()?;
    let is_unclear = near.iter().any(|(_, candidate)| candidate.sent.raw != first.sent.raw);
    let clues = if is_unclear { clues() } else { Clues::default() };
    let all: Vec<_> = near.iter().map(|(_, candidate)| (&candidate.clues, &candidate.sent.raw)).collect();
    let rank = |place: usize, candidate: &Candidate| {
        (!candidate.is_foreign, clues.score(&all, place), !wanted.is_aside(candidate))
    };
    // Of equal ones, the nearest.
    let best = near.iter().enumerate().rev().max_by_key(|(place, (_, candidate))| rank(*place, candidate));
    let nearest = best.map(|(_, found)| *found);
    nearest.map(|(at, candidate)| (at, Found::Before(wanted.line.abs_diff(candidate.line))))
}

/// A token within the window with the signature of another, but with other contents: one of the two was changed.
pub fn twin(candidates: &[Candidate], line: u64, window_lines: u32, sent: &Sent) -> Option<Arc<Sent>> {
    let signature = |sent: &Sent| {
        let start = memchr::memrchr(b'.', &sent.raw)?;
        sent.raw.len().checked_sub(start + 1).filter(|length| *length == SIGNATURE_CHARS).map(|_| start)
    };
    let own = sent.raw.get(signature(sent)?..)?;
    let is_near = |candidate: &&Candidate| line.saturating_sub(candidate.line) <= u64::from(window_lines);
    let near = candidates.iter().rev().take_while(is_near);
    let mut twins = near.filter(|candidate| candidate.sent.raw.ends_with(own) && candidate.sent.raw != sent.raw);
    twins.next().map(|candidate| Arc::clone(&candidate.sent))
}

/// Whether a candidate after the refusal is its token.
pub fn after(candidate: &Candidate, wanted: &Wanted<'_>) -> Option<Found> {
    // an own message after the refusal belongs to the next connection
    if candidate.line <= wanted.line
        || candidate.own.is_some()
        || !wanted.reaches(candidate)
        || wanted.contradicts(candidate)
    {
        return None;
    }
    if wanted.same_request(candidate) {
        return Some(Found::SameRequest(distance(wanted.line, candidate.line)));
    }
    (!candidate.is_foreign && wanted.ids.likeness(&candidate.ids) != Likeness::Different)
        .then(|| Found::After(candidate.line.abs_diff(wanted.line)))
}

/// Lines from a candidate to the refusal; negative when it comes after.
fn distance(refusal: u64, candidate: u64) -> i64 {
    let lines = i64::try_from(refusal.abs_diff(candidate)).unwrap_or(i64::MAX);
    if candidate > refusal { -lines } else { lines }
}
