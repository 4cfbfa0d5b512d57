//! The messages of connections. They are looked for further back than other tokens: where many clients write at once,
//! hundreds of lines lie between what one has sent and its answer.

use std::collections::VecDeque;
use std::sync::Arc;

use memchr::{memchr, memchr_iter};

use super::{Reach, Tokens};
use crate::diagnosis::Found;
use crate::envelope;
use crate::pair::Candidate;
use crate::pair::rejection::Rejection;
use crate::pair::sent;
use crate::pipeline::Settings;
use crate::pipeline::blocks::{self, Line};
use crate::stamp::Completion;

/// How far back a message that is known to be the connection's own is looked for, in lines, if tokens are not anyway.
pub(in crate::pipeline::feed) const OWN_LINES: usize = 400;
/// The same in bytes: as many are kept before whatever is looked at, however long its lines are.
const OWN_BYTES: usize = 256 << 10;
/// Rejections with a guessed own message are matched anew within this time, in milliseconds.
pub(in crate::pipeline::feed) const TANGLE_MILLIS: u64 = 1000;

impl Tokens {
    /// Searches the lines before those that have been searched for messages of connections, as far back from a line as
    /// they are looked for; gives the number of the first. No line is searched twice for the next refusals.
    pub(super) fn search_own(
        &mut self,
        bytes: &[u8],
        (upto, upto_line): (usize, u64),
        completion: &Completion,
        settings: &Settings,
    ) -> u64 {
        let own_lines = OWN_LINES.max(settings.window_lines as usize);
        let by_lines = upto_line.saturating_sub(own_lines as u64);
        let own_from = by_lines.max(self.first_in_reach(bytes, upto, upto_line));
        if own_from.max(1) < self.indexed_from {
            self.search_messages(bytes, (upto, upto_line), own_from, completion, settings);
            self.indexed_from = own_from;
        }
        own_from.min(upto_line.saturating_sub(u64::from(settings.window_lines)))
    }

    /// The number of the first line that is not too many bytes before a position; 0 if all are near. Each line is counted
    /// once, as long as the positions follow on each other.
    fn first_in_reach(&mut self, bytes: &[u8], upto: usize, upto_line: u64) -> u64 {
        let Some(from) = upto.checked_sub(OWN_BYTES) else { return 0 };
        let Some(end) = bytes.get(from..upto).and_then(|near| memchr(b'\n', near)) else { return upto_line };
        let first = from + end + 1;
        let number = match self.edge {
            Some((at, number)) if at <= first => number + count(bytes, at, first),
            Some(_) | None => upto_line.saturating_sub(count(bytes, first, upto)),
        };
        self.edge = Some((first, number));
        number
    }

    /// Searches the lines from one of a number on, up to where all have been searched.
    fn search_messages(
        &mut self,
        bytes: &[u8],
        (upto, upto_line): (usize, u64),
        from: u64,
        completion: &Completion,
        settings: &Settings,
    ) {
        let head = bytes.get(..upto).unwrap_or_default();
        let back_to = |line: u64| {
            let lines = usize::try_from(upto_line.saturating_sub(line)).unwrap_or(usize::MAX);
            blocks::last_lines(head, lines).unwrap_or(0)
        };
        let (first, end) = (back_to(from), back_to(self.indexed_from));
        let mut number = upto_line.saturating_sub(count(bytes, first, upto));
        let (mut at, mut counted, known) = (first, first, self.candidates.len());
        while let Some(hit) = head.get(..end).and_then(|head| sent::next_message(head, at)) {
            let line = Line::around(bytes, hit, upto);
            number += count(bytes, counted, line.start);
            (at, counted) = (line.end, line.start);
            self.consider((bytes, upto), line, number, Reach::Block, completion, settings);
        }
        if self.candidates.len() > known {
            // What was found of them before stands first, and is kept: it may have been matched.
            self.candidates.sort_by_key(|candidate| candidate.line);
            self.candidates.dedup_by_key(|candidate| candidate.line);
            self.candidate_bytes = self.candidates.iter().map(|candidate| candidate.sent.raw.len()).sum();
        }
    }

    /// Several connections in one log are answered in the order in which they asked: of rejections close together whose
    /// own messages were guessed, the first gets the first.
    /// Says whether the tokens of others may have changed.
    pub(in crate::pipeline::feed) fn untangle(
        &self,
        open: &mut VecDeque<Rejection>,
        last: &mut Rejection,
        settings: &Settings,
    ) -> bool {
        if last.guessed_own.is_none() {
            return false;
        }
        let near = |other: &Rejection| {
            let apart = other.first.time.zip(last.first.time).and_then(|(a, b)| a.apart(b));
            // Which connection of several a message is of is guessed only among those of one writer.
            other.is_waiting()
                && other.first.emitter.likeness(&last.first.emitter) != envelope::Likeness::Different
                && other.guessed_own.is_some()
                && other.first.channel == last.first.channel
                && apart.is_none_or(|apart| apart <= TANGLE_MILLIS)
                && last.first.line.abs_diff(other.first.line) <= u64::from(settings.window_lines)
        };
        let mut tangled: Vec<usize> =
            open.iter().enumerate().filter(|(_, other)| near(other)).map(|(at, _)| at).collect();
        let mut messages: Vec<u64> = tangled.iter().filter_map(|at| open.get(*at)?.guessed_own).collect();
        messages.extend(last.guessed_own);
        messages.sort_unstable();
        let message_of_last = messages.pop();
        tangled.truncate(messages.len());
        let has_others = !tangled.is_empty();
        for (at, message) in tangled.into_iter().zip(messages) {
            if let Some(other) = open.get_mut(at)
                && message < other.first.line
            {
                self.rematch(other, message);
            }
        }
        if let Some(message) = message_of_last {
            self.rematch(last, message);
        }
        has_others
    }

    fn rematch(&self, rejection: &mut Rejection, message: u64) {
        if rejection.guessed_own != Some(message)
            && let Some(candidate) = self.candidates.iter().find(|candidate| candidate.line == message)
        {
            rejection.guessed_own = Some(message);
            take_own(rejection, candidate);
        }
    }
}

/// Lines that end between two positions.
fn count(bytes: &[u8], from: usize, to: usize) -> u64 {
    memchr_iter(b'\n', bytes.get(from..to).unwrap_or_default()).count() as u64
}

/// Takes a message for the connection's own.
pub(super) fn take_own(rejection: &mut Rejection, candidate: &Candidate) {
    let lines = rejection.first.line.saturating_sub(candidate.line);
    rejection.token = Some((Arc::clone(&candidate.sent), Found::OwnMessage(lines)));
    rejection.product = candidate.product.or(rejection.product);
}
